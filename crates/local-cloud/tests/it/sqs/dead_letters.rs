use aws_sdk_sqs::{
    Client,
    types::{MessageSystemAttributeName as System, QueueAttributeName as Name},
};
use tokio::time::timeout;

use super::{SOON, attributes, bodies, code, create, receive, receive_within, send};
use crate::world::World;

/// A queue that hides nothing, with a dead-letter queue after `most` receives.
async fn pair(sqs: &Client, most: u32) -> (String, String) {
    let dead = create(sqs, "dead", &[]).await;
    let arn = &attributes(sqs, &dead).await["QueueArn"];
    let redrive = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":{most}}}"#);
    let url = create(sqs, "q", &[(Name::VisibilityTimeout, "0"), (Name::RedrivePolicy, &redrive)]).await;
    (url, dead)
}

#[tokio::test]
async fn a_message_goes_to_the_dead_letters_after_exactly_so_many_receives() {
    let world = World::start().await;
    let sqs = world.sqs();
    let (url, dead) = pair(&sqs, 3).await;
    send(&sqs, &url, "bad").await;
    let mut id = None;
    for _ in 0..3 {
        let message = receive(&sqs, &url).await.pop().expect("it was moved too early");
        id = message.message_id;
        assert_eq!(attributes(&sqs, &dead).await["ApproximateNumberOfMessages"], "0");
    }
    assert!(receive(&sqs, &url).await.is_empty(), "it was moved too late");
    let moved = receive(&sqs, &dead).await;
    assert_eq!(bodies(&moved), ["bad"]);
    assert_eq!(moved[0].message_id, id);
    assert_eq!(moved[0].attributes().unwrap()[&System::ApproximateReceiveCount], "4");
}

#[tokio::test]
async fn what_is_moved_does_not_hold_up_what_is_good_and_wakes_polls() {
    let world = World::start().await;
    let sqs = world.sqs();
    let (url, dead) = pair(&sqs, 1).await;
    for n in 0..15 {
        send(&sqs, &url, &format!("bad {n}")).await;
    }
    assert_eq!(receive(&sqs, &url).await.len(), 10);
    assert_eq!(receive(&sqs, &url).await.len(), 5);
    send(&sqs, &url, "good").await;
    let waiting = {
        let (sqs, dead) = (sqs.clone(), dead.clone());
        tokio::spawn(async move { receive_within(&sqs, &dead, 20).await })
    };
    assert_eq!(bodies(&receive(&sqs, &url).await), ["good"]);
    let woken = timeout(SOON, waiting).await.expect("the poll was not woken").unwrap();
    assert!(!woken.is_empty());
    let shown = attributes(&sqs, &dead).await;
    let count = |name: &str| shown[name].parse::<usize>().unwrap();
    let total = count("ApproximateNumberOfMessages") + count("ApproximateNumberOfMessagesNotVisible");
    assert_eq!(total, 15);
}

#[tokio::test]
async fn a_redrive_policy_needs_a_queue_that_is_there() {
    let world = World::start().await;
    let sqs = world.sqs();
    let (url, _) = pair(&sqs, 3).await;
    let set = |policy: &str| sqs.set_queue_attributes().queue_url(&url).attributes(Name::RedrivePolicy, policy).send();
    let nowhere = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:none","maxReceiveCount":3}"#;
    assert_eq!(code(set(nowhere).await), "InvalidParameterValue");
    let itself = nowhere.replace(":none", ":q");
    assert_eq!(code(set(&itself).await), "InvalidParameterValue");
    assert_eq!(code(set("{}").await), "InvalidAttributeValue");
    assert!(attributes(&sqs, &url).await.contains_key("RedrivePolicy"));
    set("").await.unwrap();
    assert!(!attributes(&sqs, &url).await.contains_key("RedrivePolicy"));
}
