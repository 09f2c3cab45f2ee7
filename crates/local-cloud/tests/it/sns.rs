//! SNS through the AWS SDK.

mod confirmations;
mod dead_letters;
mod delivery;
mod filters;
mod http_delivery;
mod publishing;
mod signatures;
mod subscriber;
mod subscriptions;
mod tags;
mod topics;

use aws_sdk_sns::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::QueueAttributeName as Name;
use serde_json::Value;

use crate::{sqs, world::World};

/// A topic with one queue that allows it, and how to reach both.
pub struct Pair {
    pub world: World,
    pub sns: aws_sdk_sns::Client,
    pub sqs: aws_sdk_sqs::Client,
    pub topic: String,
    pub queue_url: String,
    pub queue_arn: String,
    pub subscription: String,
}

impl Pair {
    pub async fn new(raw: bool) -> Self {
        let world = World::start().await;
        let (sns, sqs) = (world.sns(), world.sqs());
        let topic = topic(&sns, "events").await;
        let (queue_url, queue_arn) = queue(&sqs, "inbox", &topic).await;
        let subscription = subscribe(&sns, &topic, &queue_arn, raw).await;
        Self { world, sns, sqs, topic, queue_url, queue_arn, subscription }
    }

    pub async fn publish(&self, message: &str) -> String {
        self.sns.publish().topic_arn(&self.topic).message(message).send().await.unwrap().message_id.unwrap()
    }

    /// The bodies that are in the queue now.
    pub async fn bodies(&self) -> Vec<String> {
        let messages = sqs::receive(&self.sqs, &self.queue_url).await;
        sqs::bodies(&messages).into_iter().map(str::to_owned).collect()
    }

    pub async fn envelope(&self) -> Value {
        serde_json::from_str(&self.bodies().await[0]).unwrap()
    }
}

pub async fn topic(sns: &aws_sdk_sns::Client, name: &str) -> String {
    sns.create_topic().name(name).send().await.unwrap().topic_arn.unwrap()
}

/// URL and ARN of a new queue that allows one topic.
pub async fn queue(sqs: &aws_sdk_sqs::Client, name: &str, topic: &str) -> (String, String) {
    let arn = format!("arn:aws:sqs:us-east-1:000000000000:{name}");
    let url = sqs::create(sqs, name, &[(Name::Policy, &policy(&arn, topic))]).await;
    (url, arn)
}

pub fn policy(queue_arn: &str, topic: &str) -> String {
    let statement = serde_json::json!({
        "Effect": "Allow",
        "Principal": { "Service": "sns.amazonaws.com" },
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": { "ArnEquals": { "aws:SourceArn": topic } },
    });
    serde_json::json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
}

pub async fn subscribe(sns: &aws_sdk_sns::Client, topic: &str, queue_arn: &str, raw: bool) -> String {
    let request = sns.subscribe().topic_arn(topic).protocol("sqs").endpoint(queue_arn).return_subscription_arn(true);
    let request = if raw { request.attributes("RawMessageDelivery", "true") } else { request };
    request.send().await.unwrap().subscription_arn.unwrap()
}

pub fn code<T: std::fmt::Debug, E: ProvideErrorMetadata>(result: Result<T, SdkError<E>>) -> String {
    match result {
        Err(SdkError::ServiceError(error)) => error.err().code().unwrap().to_owned(),
        Err(_) => "no answer".to_owned(),
        Ok(value) => panic!("it was done: {value:?}"),
    }
}
