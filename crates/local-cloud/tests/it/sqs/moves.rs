//! Redrive: who may send dead letters where, and how they get back.

use std::time::{Duration, Instant};

use aws_sdk_sqs::{
    Client,
    types::{
        ListMessageMoveTasksResultEntry as Task, MessageSystemAttributeName as System, QueueAttributeName as Name,
    },
};

use rusqlite::Connection;

use super::{
    SOON, attributes, bodies, code, create,
    fifo::{create_fifo, send_to},
    receive, receive_within, send,
};
use crate::world::World;

async fn arn(sqs: &Client, url: &str) -> String {
    attributes(sqs, url).await["QueueArn"].clone()
}

/// A queue that hides nothing and gives up after one receive.
async fn source(sqs: &Client, name: &str, dead_arn: &str) -> String {
    let redrive = format!(r#"{{"deadLetterTargetArn":"{dead_arn}","maxReceiveCount":1}}"#);
    create(sqs, name, &[(Name::VisibilityTimeout, "0"), (Name::RedrivePolicy, &redrive)]).await
}

/// Sends messages and receives them until they are dead letters.
async fn give_up(sqs: &Client, url: &str, all: &[&str]) {
    for body in all {
        send(sqs, url, body).await;
    }
    for _ in 0..2 {
        receive(sqs, url).await;
    }
}

async fn newest(sqs: &Client, arn: &str) -> Task {
    let tasks = sqs.list_message_move_tasks().source_arn(arn).send().await.unwrap().results.unwrap();
    tasks.into_iter().next().expect("there is no task")
}

/// The newest task, once it has ended.
async fn ended(sqs: &Client, arn: &str) -> Task {
    let started = Instant::now();
    loop {
        let task = newest(sqs, arn).await;
        if task.status() != Some("RUNNING") {
            return task;
        }
        assert!(started.elapsed() < SOON, "the task did not end: {task:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn dead_letters_go_back_to_where_they_came_from() {
    let world = World::start().await;
    let sqs = world.sqs();
    let dead = create(&sqs, "dead", &[]).await;
    let dead_arn = arn(&sqs, &dead).await;
    let (one, two) = (source(&sqs, "one", &dead_arn).await, source(&sqs, "two", &dead_arn).await);
    give_up(&sqs, &one, &["a", "b"]).await;
    give_up(&sqs, &two, &["c"]).await;
    let waiting = {
        let (sqs, two) = (sqs.clone(), two.clone());
        tokio::spawn(async move { receive_within(&sqs, &two, 20).await })
    };
    let shown = sqs.receive_message().queue_url(&dead).visibility_timeout(0).max_number_of_messages(10);
    let shown = shown.message_system_attribute_names(System::All).send().await.unwrap().messages.unwrap();
    assert_eq!(shown[0].attributes().unwrap()[&System::DeadLetterQueueSourceArn], arn(&sqs, &one).await);
    sqs.start_message_move_task().source_arn(&dead_arn).send().await.unwrap();
    let task = ended(&sqs, &dead_arn).await;
    assert_eq!(task.status(), Some("COMPLETED"));
    assert_eq!(task.approximate_number_of_messages_moved(), 3);
    assert_eq!(task.approximate_number_of_messages_to_move(), Some(3));
    assert_eq!((task.task_handle(), task.destination_arn()), (None, None));
    assert_eq!(bodies(&tokio::time::timeout(SOON, waiting).await.unwrap().unwrap()), ["c"]);
    let back = receive(&sqs, &one).await;
    assert_eq!(bodies(&back), ["a", "b"]);
    // They are new messages.
    assert_ne!(back[0].message_id(), shown[0].message_id());
    let system = back[0].attributes().unwrap();
    assert_eq!(system[&System::ApproximateReceiveCount], "1");
    assert!(!system.contains_key(&System::DeadLetterQueueSourceArn));
    assert!(receive(&sqs, &dead).await.is_empty());
}

#[tokio::test]
async fn a_destination_takes_all_and_a_message_without_origin_needs_one() {
    let world = World::start().await;
    let sqs = world.sqs();
    let dead = create(&sqs, "dead", &[]).await;
    let dead_arn = arn(&sqs, &dead).await;
    source(&sqs, "q", &dead_arn).await;
    send(&sqs, &dead, "straight").await;
    sqs.start_message_move_task().source_arn(&dead_arn).send().await.unwrap();
    let task = ended(&sqs, &dead_arn).await;
    assert_eq!((task.status(), task.failure_reason()), (Some("FAILED"), Some("CouldNotDetermineMessageSource")));
    let other = create(&sqs, "other", &[]).await;
    let other_arn = arn(&sqs, &other).await;
    sqs.start_message_move_task().source_arn(&dead_arn).destination_arn(&other_arn).send().await.unwrap();
    let task = ended(&sqs, &dead_arn).await;
    assert_eq!((task.status(), task.destination_arn()), (Some("COMPLETED"), Some(other_arn.as_str())));
    assert_eq!(bodies(&receive(&sqs, &other).await), ["straight"]);
    let all = sqs.list_message_move_tasks().source_arn(&dead_arn).max_results(10).send().await.unwrap();
    let states: Vec<_> = all.results().iter().map(|task| task.status().unwrap()).collect();
    assert_eq!(states, ["COMPLETED", "FAILED"]);
}

#[tokio::test]
async fn a_slow_task_survives_a_restart_and_is_cancelled() {
    let world = World::start().await;
    let sqs = world.sqs();
    let dead = create(&sqs, "dead", &[]).await;
    let dead_arn = arn(&sqs, &dead).await;
    let url = source(&sqs, "q", &dead_arn).await;
    give_up(&sqs, &url, &["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]).await;
    let start = |sqs: &Client| {
        let request = sqs.start_message_move_task().source_arn(&dead_arn);
        request.max_number_of_messages_per_second(2).send()
    };
    let started = Instant::now();
    start(&sqs).await.unwrap();
    assert_eq!(code(start(&sqs).await), "InvalidParameterValue");
    let world = world.restart().await;
    let sqs = world.sqs();
    // It goes on by itself, at its rate.
    let before = newest(&sqs, &dead_arn).await;
    let mut now = newest(&sqs, &dead_arn).await;
    while now.approximate_number_of_messages_moved() < before.approximate_number_of_messages_moved() + 2 {
        assert!(started.elapsed() < SOON, "it stands still: {now:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
        now = newest(&sqs, &dead_arn).await;
    }
    assert!(started.elapsed() > Duration::from_millis(500), "it moves too fast");
    assert_eq!((now.status(), now.max_number_of_messages_per_second()), (Some("RUNNING"), Some(2)));
    let handle = now.task_handle().unwrap();
    let cancel = |handle: &str| sqs.cancel_message_move_task().task_handle(handle).send();
    let moved = cancel(handle).await.unwrap().approximate_number_of_messages_moved();
    assert!((1..10).contains(&moved), "{moved}");
    assert_eq!(newest(&sqs, &dead_arn).await.status(), Some("CANCELLED"));
    assert_eq!(code(cancel(handle).await), "ResourceNotFoundException");
    assert_eq!(code(cancel("garbage").await), "InvalidParameterValue");
    let left = attributes(&sqs, &dead).await["ApproximateNumberOfMessages"].parse::<i64>().unwrap();
    assert_eq!(left, 10 - moved);
}

#[tokio::test]
async fn what_has_expired_is_neither_counted_nor_moved() {
    let world = World::start().await;
    let sqs = world.sqs();
    let dead = create(&sqs, "dead", &[(Name::MessageRetentionPeriod, "3600")]).await;
    let dead_arn = arn(&sqs, &dead).await;
    let url = source(&sqs, "q", &dead_arn).await;
    give_up(&sqs, &url, &["old", "new"]).await;
    assert_eq!(attributes(&sqs, &dead).await["ApproximateNumberOfMessages"], "2");
    // A dead letter keeps the time at which it was sent first: this one is two hours old.
    let database = Connection::open(world.directory().join("local-cloud.db")).unwrap();
    database.busy_timeout(SOON).unwrap();
    let age = "UPDATE sqs_messages SET sent_ms = sent_ms - 7200000 WHERE body = 'old'";
    assert_eq!(database.execute(age, []).unwrap(), 1);
    assert_eq!(attributes(&sqs, &dead).await["ApproximateNumberOfMessages"], "1");
    sqs.start_message_move_task().source_arn(&dead_arn).send().await.unwrap();
    let task = ended(&sqs, &dead_arn).await;
    assert_eq!(
        (task.approximate_number_of_messages_moved(), task.approximate_number_of_messages_to_move()),
        (1, Some(1))
    );
    assert_eq!(bodies(&receive(&sqs, &url).await), ["new"]);
    let left: i64 =
        database.query_row("SELECT count(*) FROM sqs_messages WHERE body = 'old'", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_task_needs_a_dead_letter_queue_and_queues_that_are_there() {
    let world = World::start().await;
    let sqs = world.sqs();
    let dead = create(&sqs, "dead", &[]).await;
    let dead_arn = arn(&sqs, &dead).await;
    let start = |source: &str, destination: Option<&str>| {
        let request = sqs.start_message_move_task().source_arn(source);
        request.set_destination_arn(destination.map(str::to_owned)).send()
    };
    assert_eq!(code(start(&dead_arn, None).await), "InvalidParameterValue");
    source(&sqs, "q", &dead_arn).await;
    let nowhere = format!("{dead_arn}x");
    assert_eq!(code(start(&nowhere, None).await), "ResourceNotFoundException");
    assert_eq!(code(start(&dead_arn, Some(&nowhere)).await), "ResourceNotFoundException");
    assert_eq!(code(start(&dead_arn, Some(&dead_arn)).await), "InvalidParameterValue");
    let fifo = create_fifo(&sqs, "f.fifo", &[]).await;
    assert_eq!(code(start(&dead_arn, Some(&arn(&sqs, &fifo).await)).await), "InvalidParameterValue");
    for bad in [0, 501] {
        let request = sqs.start_message_move_task().source_arn(&dead_arn).max_number_of_messages_per_second(bad);
        assert_eq!(code(request.send().await), "InvalidParameterValue", "{bad}");
    }
    assert_eq!(code(sqs.list_message_move_tasks().source_arn(&nowhere).send().await), "ResourceNotFoundException");
}

#[tokio::test]
async fn a_fifo_queue_gets_its_dead_letters_back_in_order() {
    let world = World::start().await;
    let sqs = world.sqs();
    let dead = create_fifo(&sqs, "dead.fifo", &[]).await;
    let dead_arn = arn(&sqs, &dead).await;
    let redrive = format!(r#"{{"deadLetterTargetArn":"{dead_arn}","maxReceiveCount":1}}"#);
    let url = create_fifo(&sqs, "q.fifo", &[(Name::VisibilityTimeout, "0"), (Name::RedrivePolicy, &redrive)]).await;
    for id in ["1", "2", "3"] {
        send_to(&sqs, &url, "g", id, id).await;
    }
    for _ in 0..2 {
        receive(&sqs, &url).await;
    }
    sqs.start_message_move_task().source_arn(&dead_arn).send().await.unwrap();
    assert_eq!(ended(&sqs, &dead_arn).await.approximate_number_of_messages_moved(), 3);
    let back = receive(&sqs, &url).await;
    assert_eq!(bodies(&back), ["1", "2", "3"]);
    assert_eq!(back[0].attributes().unwrap()[&System::MessageGroupId], "g");
    assert!(receive(&sqs, &dead).await.is_empty());
}

#[tokio::test]
async fn the_sources_of_a_dead_letter_queue_are_listed_in_pages() {
    let world = World::start().await;
    let sqs = world.sqs();
    let dead = create(&sqs, "dead", &[]).await;
    let dead_arn = arn(&sqs, &dead).await;
    for name in ["c", "a", "b"] {
        source(&sqs, name, &dead_arn).await;
    }
    create(&sqs, "other", &[]).await;
    let list = || sqs.list_dead_letter_source_queues().queue_url(&dead);
    let names = |urls: &[String]| urls.iter().map(|url| url.rsplit('/').next().unwrap().to_owned()).collect::<Vec<_>>();
    let all = list().send().await.unwrap();
    assert_eq!((names(all.queue_urls()), all.next_token()), (vec!["a".into(), "b".into(), "c".into()], None));
    let first = list().max_results(2).send().await.unwrap();
    assert_eq!(names(first.queue_urls()), ["a", "b"]);
    let second = list().max_results(2).next_token(first.next_token().unwrap()).send().await.unwrap();
    assert_eq!((names(second.queue_urls()), second.next_token()), (vec!["c".into()], None));
    let nowhere = sqs.list_dead_letter_source_queues().queue_url(format!("{dead}x")).send().await;
    assert_eq!(code(nowhere), "AWS.SimpleQueueService.NonExistentQueue");
}

#[tokio::test]
async fn a_queue_decides_whose_dead_letters_it_takes() {
    let world = World::start().await;
    let sqs = world.sqs();
    let dead = create(&sqs, "dead", &[]).await;
    let dead_arn = arn(&sqs, &dead).await;
    let redrive = format!(r#"{{"deadLetterTargetArn":"{dead_arn}","maxReceiveCount":1}}"#);
    let make = |name: &str| sqs.create_queue().queue_name(name).attributes(Name::RedrivePolicy, &redrive).send();
    let allow = async |policy: &str| {
        sqs.set_queue_attributes().queue_url(&dead).attributes(Name::RedriveAllowPolicy, policy).send().await
    };
    allow(r#"{"redrivePermission":"denyAll"}"#).await.unwrap();
    assert_eq!(code(make("a").await), "InvalidParameterValue");
    let by_queue =
        format!(r#"{{"redrivePermission":"byQueue","sourceQueueArns":["{}"]}}"#, dead_arn.replace("dead", "a"));
    allow(&by_queue).await.unwrap();
    assert_eq!(attributes(&sqs, &dead).await["RedriveAllowPolicy"], by_queue);
    make("a").await.unwrap();
    assert_eq!(code(make("b").await), "InvalidParameterValue");
    allow(r#"{"redrivePermission":"allowAll"}"#).await.unwrap();
    make("b").await.unwrap();
    assert_eq!(code(allow(r#"{"redrivePermission":"some"}"#).await), "InvalidAttributeValue");
}
