//! Makes the bucket, queues, topics and subscriptions that the services expect. Running it again
//! changes nothing but what differs.

use std::collections::HashMap;

use anyhow::{Context, anyhow};
use aws_sdk_s3::{
    error::ProvideErrorMetadata,
    types::{BucketLocationConstraint, CreateBucketConfiguration},
};
use aws_sdk_sqs::types::QueueAttributeName;
use common::{Names, names};
use futures::future::{try_join, try_join_all};
use sdk_error::brief;
use serde_json::json;

use crate::Aws;

/// Receives before SQS moves a message to the dead letters.
const MAX_RECEIVES: u32 = 5;
/// How long SQS keeps what nobody takes: the longest there is, 14 days, in seconds.
const RETENTION: u32 = 14 * 24 * 3600;
/// Which queue listens to which topic, and whether it gets the bare message (raw delivery).
const SUBSCRIPTIONS: [(&str, &str, bool); 4] = [
    (names::TRANSCODER_EVENTS, names::TRANSCODER_EVENTS, false),
    (names::RESULTS, names::RESULTS_UPLOADS, true),
    (names::RESULTS, names::RESULTS_MESSAGES, true),
    (names::RESULTS, names::RESULTS_WEBHOOKS, true),
];

/// Topic, queue, and whether the queue gets the bare message, for each subscription that there should be.
pub fn subscriptions() -> impl Iterator<Item = (&'static str, &'static str, bool)> {
    SUBSCRIPTIONS.into_iter()
}

/// What was made, or was there already.
#[derive(Debug, Clone)]
pub struct Provisioned {
    /// The bucket's name.
    pub bucket: String,
    /// The ARN of the topic on which transcoders publish.
    pub transcoder_events_arn: String,
    /// The ARN of the topic that carries results.
    pub results_arn: String,
}

/// Makes everything of a deployment.
pub async fn provision(aws: &Aws, names: &Names, bucket: &str) -> anyhow::Result<Provisioned> {
    let topics = try_join(topic(aws, names, names::TRANSCODER_EVENTS), topic(aws, names, names::RESULTS));
    let (transcoder_events_arn, results_arn) = topics.await?;
    let arn = |topic: &str| if topic == names::RESULTS { results_arn.clone() } else { transcoder_events_arn.clone() };
    let queues = names::QUEUES.map(|name| {
        let subscription = SUBSCRIPTIONS.into_iter().find(|(_, queue, _)| *queue == name);
        let topic = subscription.map(|(topic, _, raw)| (arn(topic), raw));
        fed_queue(aws, names, name, topic)
    });
    try_join(try_join_all(queues), create_bucket(aws, bucket)).await?;
    Ok(Provisioned { bucket: bucket.to_owned(), transcoder_events_arn, results_arn })
}

/// A queue, subscribed to its topic if it has one.
async fn fed_queue(aws: &Aws, names: &Names, name: &str, topic: Option<(String, bool)>) -> anyhow::Result<()> {
    let queue_arn = queue(aws, names, name, topic.as_ref().map(|(arn, _)| arn.as_str())).await?;
    match topic {
        Some((topic_arn, raw)) => subscribe(aws, &topic_arn, &queue_arn, raw).await,
        None => Ok(()),
    }
}

async fn topic(aws: &Aws, names: &Names, name: &str) -> anyhow::Result<String> {
    let name = names.full(name);
    let output = aws.sns.create_topic().name(&name).send().await;
    let output = output.map_err(|error| anyhow!("cannot make the topic {name}: {}", brief(&error)))?;
    output.topic_arn.context("SNS answered without the topic's ARN")
}

/// A queue with its dead letters; `topic_arn` is the topic that may send to it.
async fn queue(aws: &Aws, names: &Names, name: &str, topic_arn: Option<&str>) -> anyhow::Result<String> {
    let retention = (QueueAttributeName::MessageRetentionPeriod, RETENTION.to_string());
    let (_, dead_letters_arn) = one_queue(aws, &names.dead_letters(name), [retention.clone()].into()).await?;
    let redrive = json!({ "deadLetterTargetArn": dead_letters_arn, "maxReceiveCount": MAX_RECEIVES });
    let attributes = [retention, (QueueAttributeName::RedrivePolicy, redrive.to_string())];
    let (url, arn) = one_queue(aws, &names.full(name), attributes.into()).await?;
    if let Some(topic_arn) = topic_arn {
        let policy = policy(&arn, topic_arn);
        let request = aws.sqs.set_queue_attributes().queue_url(&url).attributes(QueueAttributeName::Policy, policy);
        request
            .send()
            .await
            .map_err(|error| anyhow!("cannot let the topic {topic_arn} send to {url}: {}", brief(&error)))?;
    }
    Ok(arn)
}

/// Made bare first: creating a queue that exists with other attributes would fail (SQS API, CreateQueue).
async fn one_queue(
    aws: &Aws,
    name: &str,
    attributes: HashMap<QueueAttributeName, String>,
) -> anyhow::Result<(String, String)> {
    let failed = |error: String| anyhow!("cannot make the queue {name}: {error}");
    let made = aws.sqs.create_queue().queue_name(name).send().await;
    let made = made.map_err(|error| failed(brief(&error)))?;
    let url = made.queue_url.context("SQS answered without a queue URL")?;
    let set = aws.sqs.set_queue_attributes().queue_url(&url).set_attributes(Some(attributes)).send().await;
    set.map_err(|error| failed(brief(&error)))?;
    let request = aws.sqs.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::QueueArn);
    let output = request.send().await.map_err(|error| failed(brief(&error)))?;
    let arn = output.attributes().and_then(|all| all.get(&QueueAttributeName::QueueArn)).cloned();
    Ok((url, arn.context("SQS answered without the queue's ARN")?))
}

/// Lets one topic, and nobody else, send to the queue (SNS Developer Guide, "Subscribing an SQS queue").
fn policy(queue_arn: &str, topic_arn: &str) -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": "sns.amazonaws.com" },
            "Action": "sqs:SendMessage",
            "Resource": queue_arn,
            "Condition": { "ArnEquals": { "aws:SourceArn": topic_arn } },
        }],
    })
    .to_string()
}

async fn subscribe(aws: &Aws, topic_arn: &str, queue_arn: &str, raw: bool) -> anyhow::Result<()> {
    let mut request = aws.sns.subscribe().topic_arn(topic_arn).protocol("sqs").endpoint(queue_arn);
    if raw {
        request = request.attributes("RawMessageDelivery", "true");
    }
    let result = request.return_subscription_arn(true).send().await;
    result.map(|_| ()).map_err(|error| anyhow!("cannot subscribe {queue_arn} to {topic_arn}: {}", brief(&error)))
}

/// Makes a bucket, unless it is there.
pub async fn create_bucket(aws: &Aws, bucket: &str) -> anyhow::Result<()> {
    let mut request = aws.s3.create_bucket().bucket(bucket);
    // us-east-1 is the default and must not be named (S3 API, CreateBucket).
    if aws.region() != "us-east-1" {
        let location = BucketLocationConstraint::from(aws.region());
        let configuration = CreateBucketConfiguration::builder().location_constraint(location).build();
        request = request.create_bucket_configuration(configuration);
    }
    match request.send().await {
        Ok(_) => Ok(()),
        Err(error) if error.code() == Some("BucketAlreadyOwnedByYou") => Ok(()),
        Err(error) => Err(anyhow!("cannot make the bucket {bucket}: {}", brief(&error))),
    }
}
