//! The contracts of both ends of a queue, on a local cloud and on each database.

mod consumer;
mod metrics;
mod outbox;

use std::time::Duration;

use common::names;
use queue::{Queue, find};
use testing::World;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

async fn queue(world: &World) -> Queue {
    find::queue(&world.aws().sqs, world.names(), names::TRANSCODE_REQUESTS).await.unwrap()
}

/// Takes one message off a queue, if one is there.
async fn take(world: &World, url: &str) -> Option<aws_sdk_sqs::types::Message> {
    let request = world.aws().sqs.receive_message().queue_url(url).message_attribute_names("All");
    let message = request.send().await.unwrap().messages.unwrap_or_default().pop()?;
    let receipt = message.receipt_handle().unwrap();
    world.aws().sqs.delete_message().queue_url(url).receipt_handle(receipt).send().await.unwrap();
    Some(message)
}

/// How many messages a queue holds, hidden ones included.
async fn count(world: &World, url: &str) -> u64 {
    use aws_sdk_sqs::types::QueueAttributeName::{ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible};
    let names = [ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible];
    let request = world.aws().sqs.get_queue_attributes().queue_url(url).set_attribute_names(Some(names.to_vec()));
    let attributes = request.send().await.unwrap().attributes.unwrap();
    attributes.values().map(|value| value.parse::<u64>().unwrap()).sum()
}
