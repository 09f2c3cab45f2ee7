use aws_sdk_sqs::types::QueueAttributeName as Name;

use super::{SOON, attributes, bodies, code, create, receive, receive_within, send};
use crate::world::World;

#[tokio::test]
async fn a_queue_is_made_once() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create(&sqs, "orders", &[(Name::VisibilityTimeout, "40")]).await;
    assert_eq!(url, format!("{}/000000000000/orders", world.endpoint));
    assert_eq!(create(&sqs, "orders", &[(Name::VisibilityTimeout, "40")]).await, url);
    assert_eq!(create(&sqs, "orders", &[]).await, url);
    let other = sqs.create_queue().queue_name("orders").attributes(Name::VisibilityTimeout, "41").send().await;
    assert_eq!(code(other), "QueueAlreadyExists");
    let found = sqs.get_queue_url().queue_name("orders").send().await.unwrap();
    assert_eq!(found.queue_url(), Some(url.as_str()));
    let none = sqs.get_queue_url().queue_name("other").send().await.unwrap_err().into_service_error();
    assert!(none.is_queue_does_not_exist(), "{none:?}");
}

#[tokio::test]
async fn bad_names_and_attributes_are_refused() {
    let world = World::start().await;
    let sqs = world.sqs();
    for bad in ["a b", "a/b", "", &"x".repeat(81)] {
        assert_eq!(code(sqs.create_queue().queue_name(bad).send().await), "InvalidParameterValue", "{bad}");
    }
    let value = sqs.create_queue().queue_name("a").attributes(Name::DelaySeconds, "901").send().await;
    assert_eq!(code(value), "InvalidAttributeValue");
    let name = sqs.create_queue().queue_name("a").attributes("Other".into(), "1").send().await;
    assert_eq!(code(name), "InvalidAttributeName");
}

#[tokio::test]
async fn queues_are_listed_in_pages() {
    let world = World::start().await;
    let sqs = world.sqs();
    for name in ["b1", "a1", "a2", "a3"] {
        create(&sqs, name, &[]).await;
    }
    let names = |urls: &[String]| urls.iter().map(|url| url.rsplit('/').next().unwrap().to_owned()).collect::<Vec<_>>();
    let all = sqs.list_queues().send().await.unwrap();
    assert_eq!(names(all.queue_urls()), ["a1", "a2", "a3", "b1"]);
    let first = sqs.list_queues().queue_name_prefix("a").max_results(2).send().await.unwrap();
    assert_eq!(names(first.queue_urls()), ["a1", "a2"]);
    let second = sqs.list_queues().queue_name_prefix("a").max_results(2).next_token(first.next_token().unwrap());
    let second = second.send().await.unwrap();
    assert_eq!(names(second.queue_urls()), ["a3"]);
    assert_eq!(second.next_token(), None);
}

#[tokio::test]
async fn attributes_are_set_and_shown() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create(&sqs, "q", &[(Name::MaximumMessageSize, "2048")]).await;
    let set = sqs.set_queue_attributes().queue_url(&url).attributes(Name::ReceiveMessageWaitTimeSeconds, "5");
    set.send().await.unwrap();
    let shown = attributes(&sqs, &url).await;
    let expected = [
        ("QueueArn", "arn:aws:sqs:us-east-1:000000000000:q"),
        ("VisibilityTimeout", "30"),
        ("MessageRetentionPeriod", "345600"),
        ("DelaySeconds", "0"),
        ("ReceiveMessageWaitTimeSeconds", "5"),
        ("MaximumMessageSize", "2048"),
        ("ApproximateNumberOfMessages", "0"),
    ];
    for (name, value) in expected {
        assert_eq!(shown[name], value, "{name}");
    }
    assert!(!shown.contains_key("Policy"));
    let some = sqs.get_queue_attributes().queue_url(&url).attribute_names(Name::QueueArn).send().await.unwrap();
    assert_eq!(some.attributes().unwrap().len(), 1);
    let unknown = sqs.get_queue_attributes().queue_url(&url).attribute_names("Other".into()).send().await;
    assert_eq!(code(unknown), "InvalidAttributeName");
}

#[tokio::test]
async fn messages_are_counted_by_state_and_purged() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create(&sqs, "q", &[]).await;
    for body in ["1", "2", "3"] {
        send(&sqs, &url, body).await;
    }
    sqs.send_message().queue_url(&url).message_body("later").delay_seconds(900).send().await.unwrap();
    sqs.receive_message().queue_url(&url).send().await.unwrap();
    let shown = attributes(&sqs, &url).await;
    assert_eq!(shown["ApproximateNumberOfMessages"], "2");
    assert_eq!(shown["ApproximateNumberOfMessagesNotVisible"], "1");
    assert_eq!(shown["ApproximateNumberOfMessagesDelayed"], "1");
    sqs.purge_queue().queue_url(&url).send().await.unwrap();
    let shown = attributes(&sqs, &url).await;
    for state in ["", "NotVisible", "Delayed"] {
        assert_eq!(shown[&format!("ApproximateNumberOfMessages{state}")], "0", "{state}");
    }
}

#[tokio::test]
async fn a_deleted_queue_takes_its_messages_along_and_ends_its_polls() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create(&sqs, "q", &[(Name::VisibilityTimeout, "0")]).await;
    send(&sqs, &url, "old").await;
    sqs.purge_queue().queue_url(&url).send().await.unwrap();
    let (waiting_sqs, waiting_url) = (sqs.clone(), url.clone());
    let waiting =
        tokio::spawn(
            async move { waiting_sqs.receive_message().queue_url(waiting_url).wait_time_seconds(20).send().await },
        );
    send(&sqs, &url, "seen").await;
    let seen = tokio::time::timeout(SOON, waiting).await.unwrap().unwrap().unwrap();
    assert_eq!(bodies(seen.messages()), ["seen"]);
    sqs.delete_queue().queue_url(&url).send().await.unwrap();
    let gone = sqs.receive_message().queue_url(&url).send().await.unwrap_err().into_service_error();
    assert!(gone.is_queue_does_not_exist(), "{gone:?}");
    create(&sqs, "q", &[]).await;
    assert!(receive(&sqs, &url).await.is_empty());
    let waiting = {
        let (sqs, url) = (sqs.clone(), url.clone());
        tokio::spawn(async move { sqs.receive_message().queue_url(url).wait_time_seconds(20).send().await })
    };
    sqs.delete_queue().queue_url(&url).send().await.unwrap();
    let ended = tokio::time::timeout(SOON, waiting).await.unwrap().unwrap();
    assert_eq!(code(ended), "AWS.SimpleQueueService.NonExistentQueue");
}

#[tokio::test]
async fn a_restart_keeps_queues_messages_and_what_is_in_flight() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create(&sqs, "q", &[(Name::DelaySeconds, "0"), (Name::VisibilityTimeout, "600")]).await;
    send(&sqs, &url, "in flight").await;
    let taken = receive(&sqs, &url).await;
    send(&sqs, &url, "waiting").await;
    let world = world.restart().await;
    let sqs = world.sqs();
    let url = sqs.get_queue_url().queue_name("q").send().await.unwrap().queue_url.unwrap();
    assert_eq!(attributes(&sqs, &url).await["VisibilityTimeout"], "600");
    assert_eq!(bodies(&receive_within(&sqs, &url, 1).await), ["waiting"]);
    assert_eq!(attributes(&sqs, &url).await["ApproximateNumberOfMessagesNotVisible"], "2");
    sqs.delete_message().queue_url(&url).receipt_handle(super::handle(&taken[0])).send().await.unwrap();
    assert_eq!(attributes(&sqs, &url).await["ApproximateNumberOfMessagesNotVisible"], "1");
}
