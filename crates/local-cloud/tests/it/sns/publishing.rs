use aws_sdk_sns::{
    primitives::Blob,
    types::{MessageAttributeValue, PublishBatchRequestEntry},
};
use serde_json::json;

use super::{Pair, code};
use crate::sqs;

fn text(data_type: &str, value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder().data_type(data_type).string_value(value).build().unwrap()
}

fn binary(bytes: &[u8]) -> MessageAttributeValue {
    MessageAttributeValue::builder().data_type("Binary").binary_value(Blob::new(bytes)).build().unwrap()
}

#[tokio::test]
async fn the_envelope_is_as_documented() {
    let pair = Pair::new(false).await;
    let publish = pair.sns.publish().topic_arn(&pair.topic).message("{\"a\": 1}").subject("A subject");
    let publish = publish.message_attributes("s", text("String", "é")).message_attributes("b", binary(&[1, 2]));
    let id = publish.send().await.unwrap().message_id.unwrap();
    let message = sqs::receive(&pair.sqs, &pair.queue_url).await.remove(0);
    assert!(message.message_attributes().is_none());
    let envelope: serde_json::Value = serde_json::from_str(message.body().unwrap()).unwrap();
    let expected = [
        ("Type", json!("Notification")),
        ("MessageId", json!(id)),
        ("TopicArn", json!(pair.topic)),
        ("Subject", json!("A subject")),
        ("Message", json!("{\"a\": 1}")),
        ("SignatureVersion", json!("1")),
        (
            "MessageAttributes",
            json!({ "s": { "Type": "String", "Value": "é" }, "b": { "Type": "Binary", "Value": "AQI=" } }),
        ),
    ];
    for (name, value) in expected {
        assert_eq!(envelope[name], value, "{name}");
    }
    let timestamp = envelope["Timestamp"].as_str().unwrap();
    assert_eq!((timestamp.len(), &timestamp[23..]), (24, "Z"), "{timestamp}");
    assert!(envelope["SigningCertURL"].as_str().unwrap().starts_with(&format!("{}/Simple", pair.world.endpoint)));
    assert!(envelope["UnsubscribeURL"].as_str().unwrap().ends_with(&pair.subscription));
    assert_eq!(envelope.as_object().unwrap().len(), 11);
    pair.publish("plain").await;
    let plain = pair.envelope().await;
    assert!(plain.get("Subject").is_none() && plain.get("MessageAttributes").is_none(), "{plain}");
}

#[tokio::test]
async fn raw_delivery_passes_message_and_attributes_on() {
    let pair = Pair::new(true).await;
    let publish = pair.sns.publish().topic_arn(&pair.topic).message("bare").subject("unseen");
    let publish = publish.message_attributes("n", text("Number", "7")).message_attributes("b", binary(&[1, 2]));
    publish.send().await.unwrap();
    let message = sqs::receive(&pair.sqs, &pair.queue_url).await.remove(0);
    assert_eq!(message.body(), Some("bare"));
    let attributes = message.message_attributes().unwrap();
    assert_eq!((attributes["n"].data_type(), attributes["n"].string_value()), ("Number", Some("7")));
    assert_eq!(attributes["b"].binary_value().unwrap().as_ref(), [1, 2]);
    assert!(message.md5_of_message_attributes().is_some());
}

#[tokio::test]
async fn a_message_per_protocol_is_chosen() {
    let pair = Pair::new(true).await;
    let publish =
        |message: &str| pair.sns.publish().topic_arn(&pair.topic).message(message).message_structure("json").send();
    publish(r#"{"default": "all", "sqs": "queues", "http": "web"}"#).await.unwrap();
    publish(r#"{"default": "all", "http": "web"}"#).await.unwrap();
    assert_eq!(pair.bodies().await, ["queues", "all"]);
    assert_eq!(code(publish(r#"{"sqs": "queues"}"#).await), "InvalidParameter");
    assert_eq!(code(publish("text").await), "InvalidParameter");
}

#[tokio::test]
async fn bad_messages_are_refused() {
    let pair = Pair::new(true).await;
    let message = |message: &str| pair.sns.publish().topic_arn(&pair.topic).message(message);
    assert_eq!(code(message("").send().await), "InvalidParameter");
    assert_eq!(code(message(&"x".repeat(262_145)).send().await), "InvalidParameter");
    for subject in ["", " a", "a\nb", "é", &"x".repeat(101)] {
        assert_eq!(code(message("x").subject(subject).send().await), "InvalidParameter", "{subject:?}");
    }
    let bad = message("x").message_attributes("a", text("Number", "one")).send().await;
    assert_eq!(code(bad), "ParameterValueInvalid");
    let nowhere = pair.sns.publish().topic_arn(format!("{}x", pair.topic)).message("x").send().await;
    assert_eq!(code(nowhere), "NotFound");
    assert!(pair.bodies().await.is_empty());
    message(&"x".repeat(262_144)).send().await.unwrap();
    assert_eq!(pair.bodies().await[0].len(), 262_144);
}

#[tokio::test]
async fn a_batch_has_a_result_for_each_entry() {
    let pair = Pair::new(true).await;
    let entry = |id: &str, message: &str| PublishBatchRequestEntry::builder().id(id).message(message);
    let of = |entries: Vec<PublishBatchRequestEntry>| {
        pair.sns.publish_batch().topic_arn(&pair.topic).set_publish_batch_request_entries(Some(entries)).send()
    };
    let good = entry("1", "a").message_attributes("k", text("String", "v")).build().unwrap();
    let bad = entry("2", "b").subject("\n").build().unwrap();
    let done = of(vec![good, bad, entry("3", "c").build().unwrap()]).await.unwrap();
    let ids: Vec<&str> = done.successful().iter().map(|one| one.id().unwrap()).collect();
    assert_eq!(ids, ["1", "3"]);
    assert_eq!(
        (done.failed()[0].id(), done.failed()[0].code(), done.failed()[0].sender_fault()),
        ("2", "InvalidParameter", true)
    );
    let received = sqs::receive(&pair.sqs, &pair.queue_url).await;
    assert_eq!(sqs::bodies(&received), ["a", "c"]);
    assert_eq!(received[0].message_attributes().unwrap()["k"].string_value(), Some("v"));
    let plain = |id: &str| entry(id, "x").build().unwrap();
    assert_eq!(code(of(vec![]).await), "EmptyBatchRequest");
    assert_eq!(code(of(vec![plain("a"), plain("a")]).await), "BatchEntryIdsNotDistinct");
    assert_eq!(code(of(vec![plain("a b")]).await), "InvalidBatchEntryId");
    assert_eq!(code(of((0..11).map(|n| plain(&n.to_string())).collect()).await), "TooManyEntriesInBatchRequest");
    let half = |id: &str| entry(id, &"x".repeat(140_000)).build().unwrap();
    assert_eq!(code(of(vec![half("a"), half("b")]).await), "BatchRequestTooLong");
    assert!(pair.bodies().await.is_empty());
}
