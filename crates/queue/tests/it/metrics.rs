use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::anyhow;
use database::Database;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use queue::{Consumer, Failure, Handler, Message, Outbox, Outgoing, Relay, Settings, Stop, Target};
use sqlx::migrate::Migrator;
use testing::{World, databases, eventually};
use tokio_util::sync::CancellationToken;

use crate::{PATIENCE, queue};

static MIGRATOR: Migrator = sqlx::migrate!("tests/migrations");

/// Does what the body says.
struct Obedient;

impl Handler for Obedient {
    async fn handle(&self, message: &Message) -> Result<(), Failure> {
        match message.body.as_str() {
            "take" => Ok(()),
            "wait" => Err(Failure::RetryAfter(Duration::from_secs(600), anyhow!("not now"))),
            other => Err(Failure::Reject(anyhow!("what is {other}?"))),
        }
    }
}

fn recorder() -> (PrometheusRecorder, PrometheusHandle) {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    (recorder, handle)
}

async fn until(handle: &PrometheusHandle, lines: &[String]) {
    let missing = || {
        let text = handle.render();
        lines.iter().filter(|line| !text.lines().any(|found| found == line.as_str())).cloned().collect::<Vec<_>>()
    };
    let deadline = tokio::time::Instant::now() + PATIENCE;
    eventually(PATIENCE * 2, || async {
        assert!(tokio::time::Instant::now() < deadline, "{:?} is not in\n{}", missing(), handle.render());
        missing().is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_consumer_counts_deliveries_by_outcome_and_asks_for_the_depth() {
    let (recorder, handle) = recorder();
    // All tasks of this test run on this thread.
    let _here = metrics::set_default_local_recorder(&recorder);
    let world = World::start().await;
    let queue = queue(&world).await;
    for body in ["take", "take", "wait", "sing"] {
        world.aws().sqs.send_message().queue_url(&queue.url).message_body(body).send().await.unwrap();
    }
    let name = queue.url.rsplit('/').next().unwrap().to_owned();
    let consumer = Consumer::new(world.aws().sqs.clone(), queue, Settings::default(), Obedient);
    let stop = Stop { intake: CancellationToken::new(), work: CancellationToken::new() };
    let task = tokio::spawn(consumer.run(stop.clone()));
    until(
        &handle,
        &[
            format!("queue_messages_total{{queue=\"{name}\",outcome=\"done\"}} 2"),
            format!("queue_messages_total{{queue=\"{name}\",outcome=\"retried\"}} 1"),
            format!("queue_messages_total{{queue=\"{name}\",outcome=\"rejected\"}} 1"),
            format!("queue_message_duration_seconds_count{{queue=\"{name}\"}} 4"),
            format!("queue_message_age_seconds_count{{queue=\"{name}\"}} 4"),
            format!("queue_messages_in_flight{{queue=\"{name}\"}} 0"),
        ],
    )
    .await;
    let text = handle.render();
    for state in ["visible", "in_flight", "delayed"] {
        for queue in [name.clone(), format!("{name}-dlq")] {
            assert!(text.contains(&format!("queue_depth{{queue=\"{queue}\",state=\"{state}\"}}")), "{text}");
        }
    }
    stop.intake.cancel();
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_relay_tells_how_far_behind_its_outbox_is() {
    for database in databases().await {
        let (recorder, handle) = recorder();
        let _here = metrics::set_default_local_recorder(&recorder);
        let world = World::start().await;
        let database = Database::connect(&database.args(), "outbox", &MIGRATOR).await.unwrap();
        let outbox = Outbox::new(database.pool().clone());
        for target in [queue(&world).await.url.rsplit('/').next().unwrap(), "segue-nowhere"] {
            let outgoing = Outgoing {
                target: Target::Queue(target.to_owned()),
                subject: None,
                body: "hello".to_owned(),
                attributes: BTreeMap::new(),
            };
            let mut transaction = database.begin().await.unwrap();
            outbox.put(&mut transaction, &outgoing).await.unwrap();
            outbox.commit(transaction).await.unwrap();
        }
        let stop = CancellationToken::new();
        let relay = Relay::new("test", outbox, world.aws().sqs.clone(), world.aws().sns.clone());
        let task = tokio::spawn(relay.run(stop.clone()));
        until(&handle, &["outbox_messages_total{service=\"test\",outcome=\"sent\"} 1".to_owned()]).await;
        let text = handle.render();
        assert!(text.contains("outbox_messages_total{service=\"test\",outcome=\"failed\"}"), "{text}");
        // Counted when the relay began, or a moment later when one was sent; the other stays.
        eventually(PATIENCE, || async {
            let text = handle.render();
            let rows = |rows: u32| text.contains(&format!("outbox_rows{{service=\"test\"}} {rows}\n"));
            (rows(1) || rows(2)).then_some(())
        })
        .await;
        assert!(text.contains("outbox_oldest_age_seconds{service=\"test\"}"), "{text}");
        stop.cancel();
        task.await.unwrap().unwrap();
    }
}
