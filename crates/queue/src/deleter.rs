//! Deletes handled messages in batches: one call for up to ten of them.

use aws_sdk_sqs::{Client, types::DeleteMessageBatchRequestEntry};
use sdk_error::brief;
use tokio::sync::mpsc;

/// The most entries of one batch (SQS API, DeleteMessageBatch).
const BATCH: usize = 10;
/// Receipts waiting to be deleted; a full channel makes handlers wait.
const WAITING: usize = 256;

/// Starts the deleter. It ends when every sender is gone and what they sent is deleted.
pub fn start(sqs: Client, queue_url: String) -> (mpsc::Sender<String>, tokio::task::JoinHandle<()>) {
    let (receipts, mut waiting) = mpsc::channel(WAITING);
    let task = tokio::spawn(async move {
        let mut batch = Vec::with_capacity(BATCH);
        while waiting.recv_many(&mut batch, BATCH).await > 0 {
            delete(&sqs, &queue_url, &batch).await;
            batch.clear();
        }
    });
    (receipts, task)
}

/// A message that could not be deleted comes again and is handled again, which is harmless by
/// the handler's contract; so a failure is only worth a warning.
async fn delete(sqs: &Client, queue_url: &str, receipts: &[String]) {
    let entries = receipts.iter().enumerate().filter_map(|(index, receipt)| {
        DeleteMessageBatchRequestEntry::builder().id(index.to_string()).receipt_handle(receipt).build().ok()
    });
    match sqs.delete_message_batch().queue_url(queue_url).set_entries(Some(entries.collect())).send().await {
        Ok(output) => {
            for failed in output.failed() {
                tracing::warn!(
                    queue_url,
                    code = failed.code(),
                    "a handled message was not deleted and will come again"
                );
            }
        }
        Err(error) => {
            let cause = brief(&error);
            tracing::warn!(queue_url, %cause, "handled messages were not deleted and will come again");
        }
    }
}
