//! From the names of a deployment to URLs and ARNs.

use std::time::Duration;

use anyhow::Context;
use aws_sdk_sqs::{Client, types::QueueAttributeName};
use common::Names;
use sdk_error::brief;
use tokio::time::{Instant, sleep};

use crate::Queue;

/// How long a service that starts waits for its queues: whoever provisions them may still be at it.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(500);

/// The queue `name` of this deployment and its dead letters. Waits up to a minute until they exist.
pub async fn queue(sqs: &Client, names: &Names, name: &str) -> anyhow::Result<Queue> {
    let url = url(sqs, &names.full(name)).await?;
    let dead_letters_url = self::url(sqs, &names.dead_letters(name)).await?;
    Ok(Queue { url, dead_letters_url })
}

/// The ARN of the topic `name`, which lies in the same account and region as the queue `beside`.
pub async fn topic_arn(sqs: &Client, names: &Names, name: &str, beside: &Queue) -> anyhow::Result<String> {
    let request = sqs.get_queue_attributes().queue_url(&beside.url).attribute_names(QueueAttributeName::QueueArn);
    let output = request.send().await.map_err(|error| anyhow::anyhow!("{}", brief(&error)))?;
    let arn = output.attributes().and_then(|all| all.get(&QueueAttributeName::QueueArn));
    // arn:partition:sqs:region:account:name
    let parts: Vec<&str> = arn.context("SQS answered without the queue's ARN")?.split(':').collect();
    match parts[..] {
        ["arn", partition, "sqs", region, account, _] => {
            Ok(format!("arn:{partition}:sns:{region}:{account}:{}", names.full(name)))
        }
        _ => anyhow::bail!("{} is no queue ARN", parts.join(":")),
    }
}

async fn url(sqs: &Client, name: &str) -> anyhow::Result<String> {
    let deadline = Instant::now() + PATIENCE;
    let mut waiting = false;
    loop {
        let error = match sqs.get_queue_url().queue_name(name).send().await {
            Ok(output) => return output.queue_url.context("SQS answered without a queue URL"),
            Err(error) => brief(&error),
        };
        if Instant::now() > deadline {
            anyhow::bail!("there is no queue {name}; `segue provision` makes it ({error})");
        }
        if !waiting {
            tracing::warn!(queue = name, cause = error, "waiting for the queue; `segue provision` makes it");
            waiting = true;
        }
        sleep(PAUSE).await;
    }
}
