//! Buckets, queues, topics and the pipeline.

use std::collections::HashMap;

use aws_sdk_sqs::types::QueueAttributeName::{
    self, ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible,
};
use common::Names;
use runtime::{Aws, provision};
use sdk_error::brief;

use super::report::Report;

const PROVISION: &str =
    "`segue provision` makes it; if it is there, its role may not see it (deploy/aws/messaging.yaml)";
const DEAD: &str = "look at one, mend its cause, then redrive them (docs/operations.md, \"Redrive\")";
/// Pages of a topic's subscriptions that are read, of 100 each.
const MAX_PAGES: usize = 20;

type Attributes = HashMap<QueueAttributeName, String>;

/// Whether a bucket can be read.
pub async fn bucket(report: &mut Report, aws: &Aws, bucket: &str) {
    let subject = format!("bucket {bucket}");
    match aws.s3.list_objects_v2().bucket(bucket).max_keys(1).send().await {
        Ok(_) => report.good(subject, "can be read"),
        Err(error) => report.bad(subject, brief(&error), PROVISION),
    }
}

/// Whether a queue is there, puts what fails aside, and what waits in it and in its dead letters.
pub async fn queue(report: &mut Report, aws: &Aws, names: &Names, name: &str) {
    let (full, dead) = (names.full(name), names.dead_letters(name));
    let subject = format!("queue {full}");
    match attributes(aws, &full).await {
        Ok(found) if puts_aside(&found, &dead) => report.good(subject, waiting(&found)),
        Ok(_) => report.bad(subject, format!("what fails does not go to {dead}"), "`segue provision` mends it"),
        Err(error) => report.bad(subject, error, PROVISION),
    }
    let subject = format!("dead letters {dead}");
    match attributes(aws, &dead).await {
        Ok(found) if number(&found, &ApproximateNumberOfMessages) == 0 => report.good(subject, "none"),
        Ok(found) => report.bad(subject, waiting(&found), DEAD),
        Err(error) => report.bad(subject, error, PROVISION),
    }
}

async fn attributes(aws: &Aws, name: &str) -> Result<Attributes, String> {
    let url = aws.sqs.get_queue_url().queue_name(name).send().await.map_err(|error| brief(&error))?;
    let request = aws.sqs.get_queue_attributes().set_queue_url(url.queue_url).attribute_names(QueueAttributeName::All);
    let output = request.send().await.map_err(|error| brief(&error))?;
    Ok(output.attributes.unwrap_or_default())
}

fn puts_aside(found: &Attributes, dead: &str) -> bool {
    let policy = found.get(&QueueAttributeName::RedrivePolicy);
    let policy: Option<serde_json::Value> = policy.and_then(|text| serde_json::from_str(text).ok());
    let target = policy.as_ref().and_then(|policy| policy["deadLetterTargetArn"].as_str());
    target.and_then(|arn| arn.rsplit(':').next()) == Some(dead)
}

/// SQS tells no age to whoever may only look: that is CloudWatch's.
fn waiting(found: &Attributes) -> String {
    let [waiting, in_hand] =
        [ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible].map(|name| number(found, &name));
    format!("{waiting} waiting, {in_hand} in hand")
}

fn number(found: &Attributes, name: &QueueAttributeName) -> u64 {
    found.get(name).and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// Whether each queue that listens to a topic is subscribed, as it expects, and lets the topic send.
pub async fn subscriptions(report: &mut Report, aws: &Aws, names: &Names) {
    for (topic, queue, raw) in provision::subscriptions() {
        let subject = format!("subscription {} to {}", names.full(queue), names.full(topic));
        match subscription(aws, names, topic, queue, raw).await {
            Ok(()) => report.good(subject, "as it should be"),
            Err(reason) => report.bad(subject, reason, "`segue provision` mends it"),
        }
    }
}

async fn subscription(aws: &Aws, names: &Names, topic: &str, queue: &str, raw: bool) -> Result<(), String> {
    let found = attributes(aws, &names.full(queue)).await?;
    let queue_arn = found.get(&QueueAttributeName::QueueArn).cloned().unwrap_or_default();
    let topic_arn = queue_arn.replacen(":sqs:", ":sns:", 1).replace(&names.full(queue), &names.full(topic));
    let policy = found.get(&QueueAttributeName::Policy).map_or("", String::as_str);
    if !policy.contains(&topic_arn) {
        return Err("the queue's policy does not let the topic send".to_owned());
    }
    let arn = subscribed(aws, &topic_arn, &queue_arn).await?.ok_or("there is none")?;
    let output =
        aws.sns.get_subscription_attributes().subscription_arn(arn).send().await.map_err(|error| brief(&error))?;
    let is_raw = output.attributes().and_then(|all| all.get("RawMessageDelivery")).is_some_and(|text| text == "true");
    if is_raw == raw { Ok(()) } else { Err(format!("raw message delivery is {is_raw} and not {raw}")) }
}

/// The ARN of the queue's subscription.
async fn subscribed(aws: &Aws, topic_arn: &str, queue_arn: &str) -> Result<Option<String>, String> {
    let mut token = None;
    for _ in 0..MAX_PAGES {
        let request = aws.sns.list_subscriptions_by_topic().topic_arn(topic_arn).set_next_token(token);
        let output = request.send().await.map_err(|error| brief(&error))?;
        let found = output.subscriptions().iter().find(|one| one.endpoint() == Some(queue_arn));
        if let Some(found) = found {
            return Ok(found.subscription_arn.clone());
        }
        token = output.next_token;
        if token.is_none() {
            break;
        }
    }
    Ok(None)
}

/// Whether the transcoder answers, and knows the pipeline.
pub async fn pipeline(report: &mut Report, aws: &Aws, name: &str) {
    let subject = format!("pipeline {name}");
    match crate::provision::find(&aws.transcoder, name).await {
        Ok(Some(id)) => report.good(subject, id),
        Ok(None) => report.bad(subject, "there is none", "`segue provision` makes it"),
        Err(error) => {
            let advice =
                "see that a transcoder runs where AWS_ENDPOINT_URL_ELASTIC_TRANSCODER points to, and takes the key";
            report.bad(subject, format!("{error:#}"), advice);
        }
    }
}
