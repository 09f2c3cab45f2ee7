use std::collections::BTreeMap;

use database::Database;
use queue::{Outbox, Outgoing, Relay, Target};
use sqlx::{Row, migrate::Migrator};
use testing::{TestDatabase, World, eventually};
use tokio_util::sync::CancellationToken;

use crate::{PATIENCE, count, queue, take};

static MIGRATOR: Migrator = sqlx::migrate!("tests/migrations");

async fn open(database: &TestDatabase) -> Database {
    Database::connect(&database.args(), "outbox", &MIGRATOR).await.unwrap()
}

fn relay(world: &World, outbox: &Outbox, stop: &CancellationToken) -> tokio::task::JoinHandle<anyhow::Result<()>> {
    let relay = Relay::new("test", outbox.clone(), world.aws().sqs.clone(), world.aws().sns.clone());
    tokio::spawn(relay.run(stop.clone()))
}

fn to_queue(name: &str, body: &str) -> Outgoing {
    Outgoing {
        target: Target::Queue(name.to_owned()),
        subject: None,
        body: body.to_owned(),
        attributes: BTreeMap::from([("kind".to_owned(), "test".to_owned())]),
    }
}

async fn put(database: &Database, outbox: &Outbox, outgoing: &Outgoing) {
    let mut transaction = database.begin().await.unwrap();
    outbox.put(&mut transaction, outgoing).await.unwrap();
    outbox.commit(transaction).await.unwrap();
}

async fn waiting(database: &Database) -> i64 {
    sqlx::query("SELECT COUNT(*) FROM outbox").fetch_one(database.pool()).await.unwrap().get(0)
}

#[tokio::test]
async fn what_was_committed_is_sent_and_what_was_not_is_not() {
    let world = World::start().await;
    let queue = queue(&world).await;
    for database in testing::databases().await {
        let database = open(&database).await;
        let outbox = Outbox::new(database.pool().clone());
        let name = world.names().full("transcode-requests");
        let mut transaction = database.begin().await.unwrap();
        outbox.put(&mut transaction, &to_queue(&name, "rolled back")).await.unwrap();
        transaction.rollback().await.unwrap();
        // Committed while no relay runs, as by a process that died right after.
        put(&database, &outbox, &to_queue(&name, "before")).await;
        let stop = CancellationToken::new();
        let task = relay(&world, &outbox, &stop);
        put(&database, &outbox, &to_queue(&name, "after")).await;
        let mut bodies = Vec::new();
        for _ in 0..2 {
            let message = eventually(PATIENCE, || take(&world, &queue.url)).await;
            assert_eq!(message.message_attributes().unwrap()["kind"].string_value(), Some("test"));
            bodies.push(message.body.unwrap());
        }
        bodies.sort_unstable();
        assert_eq!(bodies, ["after", "before"], "{:?}", database.kind());
        eventually(PATIENCE, || async { (waiting(&database).await == 0).then_some(()) }).await;
        stop.cancel();
        task.await.unwrap().unwrap();
        assert_eq!(count(&world, &queue.url).await, 0);
    }
}

#[tokio::test]
async fn two_relays_on_one_database_send_each_message_once() {
    for database in testing::databases().await {
        let world = World::start().await;
        let queue = queue(&world).await;
        let database = open(&database).await;
        let (one, two) = (Outbox::new(database.pool().clone()), Outbox::new(database.pool().clone()));
        let name = world.names().full("transcode-requests");
        let mut transaction = database.begin().await.unwrap();
        for number in 0..150 {
            one.put(&mut transaction, &to_queue(&name, &number.to_string())).await.unwrap();
        }
        one.commit(transaction).await.unwrap();
        let stop = CancellationToken::new();
        let tasks = [relay(&world, &one, &stop), relay(&world, &two, &stop)];
        eventually(PATIENCE, || async { (waiting(&database).await == 0).then_some(()) }).await;
        assert_eq!(count(&world, &queue.url).await, 150, "{:?}", database.kind());
        stop.cancel();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn a_target_that_is_away_delays_only_its_own_messages() {
    let world = World::start().await;
    let queue = queue(&world).await;
    for database in testing::databases().await {
        let database = open(&database).await;
        let outbox = Outbox::new(database.pool().clone());
        let late = format!("late-{:?}", database.kind());
        put(&database, &outbox, &to_queue(&late, "late")).await;
        put(&database, &outbox, &to_queue(&world.names().full("transcode-requests"), "now")).await;
        let stop = CancellationToken::new();
        let task = relay(&world, &outbox, &stop);
        assert_eq!(eventually(PATIENCE, || take(&world, &queue.url)).await.body(), Some("now"));
        assert_eq!(waiting(&database).await, 1);
        let made = world.aws().sqs.create_queue().queue_name(&late).send().await.unwrap();
        let url = made.queue_url.unwrap();
        assert_eq!(eventually(PATIENCE, || take(&world, &url)).await.body(), Some("late"));
        stop.cancel();
        task.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_topic_gets_subject_and_attributes() {
    let world = World::start().await;
    let database = TestDatabase::sqlite();
    let database = open(&database).await;
    let outbox = Outbox::new(database.pool().clone());
    let queue = queue::find::queue(&world.aws().sqs, world.names(), common::names::TRANSCODER_EVENTS).await.unwrap();
    let arn = queue::find::topic_arn(&world.aws().sqs, world.names(), common::names::TRANSCODER_EVENTS, &queue).await;
    let outgoing = Outgoing {
        target: Target::Topic(arn.unwrap()),
        subject: Some("Subject".to_owned()),
        ..to_queue("", "{\"state\":\"PROGRESSING\"}")
    };
    put(&database, &outbox, &outgoing).await;
    let stop = CancellationToken::new();
    let task = relay(&world, &outbox, &stop);
    let message = eventually(PATIENCE, || take(&world, &queue.url)).await;
    let envelope: serde_json::Value = serde_json::from_str(message.body().unwrap()).unwrap();
    assert_eq!(envelope["Subject"], "Subject");
    assert_eq!(envelope["Message"], "{\"state\":\"PROGRESSING\"}");
    assert_eq!(envelope["MessageAttributes"]["kind"]["Value"], "test");
    stop.cancel();
    task.await.unwrap().unwrap();
}
