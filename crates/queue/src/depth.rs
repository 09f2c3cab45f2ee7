//! Asks SQS how full a consumer's queue and its dead letters are.

use aws_sdk_sqs::{Client, types::QueueAttributeName};
use sdk_error::brief;
use tokio_util::sync::CancellationToken;

use crate::{Queue, metrics};

const STATES: [(QueueAttributeName, &str); 3] = [
    (QueueAttributeName::ApproximateNumberOfMessages, "visible"),
    (QueueAttributeName::ApproximateNumberOfMessagesNotVisible, "in_flight"),
    (QueueAttributeName::ApproximateNumberOfMessagesDelayed, "delayed"),
];

/// Asks again and again until `stop` is cancelled: two calls each time.
pub async fn watch(sqs: Client, queue: Queue, stop: CancellationToken) {
    let watch = async {
        loop {
            for url in [&queue.url, &queue.dead_letters_url] {
                ask(&sqs, url).await;
            }
            tokio::time::sleep(metrics::PAUSE).await;
        }
    };
    stop.run_until_cancelled(watch).await;
}

/// A failure is no news: the consumer itself says when SQS is away.
async fn ask(sqs: &Client, url: &str) {
    let names = STATES.iter().map(|(name, _)| name.clone()).collect();
    match sqs.get_queue_attributes().queue_url(url).set_attribute_names(Some(names)).send().await {
        Ok(output) => {
            for (name, state) in &STATES {
                let number = output.attributes().and_then(|all| all.get(name)).and_then(|text| text.parse().ok());
                if let Some(number) = number {
                    metrics::depth(url, state, number);
                }
            }
        }
        Err(error) => {
            let cause = brief(&error);
            tracing::debug!(queue_url = url, %cause, "cannot ask how full the queue is");
        }
    }
}
