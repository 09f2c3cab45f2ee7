//! SQS through the AWS SDK.

mod crash;
mod dead_letters;
mod fifo;
mod fifo_load;
mod fifo_order;
mod limits;
mod messages;
mod moves;
mod older;
mod permissions;
mod queries;
mod queues;
mod receiving;
mod signatures;
mod speed;
mod tags;

use std::{collections::HashMap, time::Duration};

use aws_sdk_sqs::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::{Message, QueueAttributeName},
};

/// Far longer than anything here takes, far shorter than the longest poll of 20 seconds.
pub const SOON: Duration = Duration::from_secs(8);

pub async fn create(sqs: &Client, name: &str, attributes: &[(QueueAttributeName, &str)]) -> String {
    let attributes = attributes.iter().map(|(name, value)| (name.clone(), (*value).to_owned())).collect();
    let created = sqs.create_queue().queue_name(name).set_attributes(Some(attributes)).send().await.unwrap();
    created.queue_url.unwrap()
}

pub async fn send(sqs: &Client, url: &str, body: &str) {
    sqs.send_message().queue_url(url).message_body(body).send().await.unwrap();
}

/// What is there now, up to ten, with all attributes.
pub async fn receive(sqs: &Client, url: &str) -> Vec<Message> {
    receive_within(sqs, url, 0).await
}

/// The same, waiting for up to so many seconds.
pub async fn receive_within(sqs: &Client, url: &str, seconds: i32) -> Vec<Message> {
    let request = sqs
        .receive_message()
        .queue_url(url)
        .max_number_of_messages(10)
        .wait_time_seconds(seconds)
        .message_system_attribute_names("All".into())
        .message_attribute_names("All");
    request.send().await.unwrap().messages.unwrap_or_default()
}

pub fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.body().unwrap()).collect()
}

pub fn handle(message: &Message) -> &str {
    message.receipt_handle().unwrap()
}

pub async fn attributes(sqs: &Client, url: &str) -> HashMap<String, String> {
    let request = sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
    let attributes = request.send().await.unwrap().attributes.unwrap();
    attributes.into_iter().map(|(name, value)| (name.as_str().to_owned(), value)).collect()
}

/// The error code that the SDK shows, which is that of the query protocol.
pub fn code<T: std::fmt::Debug, E: ProvideErrorMetadata>(result: Result<T, SdkError<E>>) -> String {
    match result {
        Err(SdkError::ServiceError(error)) => error.err().code().unwrap().to_owned(),
        Err(_) => "no answer".to_owned(),
        Ok(value) => panic!("it was done: {value:?}"),
    }
}
