use std::{sync::Arc, time::Duration};

use anyhow::anyhow;
use queue::{Consumer, Failure, Handler, Message, Queue, Settings, Stop};
use testing::{World, eventually};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{PATIENCE, count, queue, take};

type Answer = Arc<dyn Fn(&Message) -> Result<(), Failure> + Send + Sync>;

/// Reports each delivery, takes its time, then answers.
struct Recorder {
    seen: mpsc::UnboundedSender<Message>,
    takes: Duration,
    answer: Answer,
}

impl Handler for Recorder {
    async fn handle(&self, message: &Message) -> Result<(), Failure> {
        self.seen.send(message.clone()).unwrap();
        tokio::time::sleep(self.takes).await;
        (self.answer)(message)
    }
}

struct Running {
    queue: Queue,
    seen: mpsc::UnboundedReceiver<Message>,
    stop: Stop,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    async fn start(
        world: &World,
        takes: Duration,
        answer: impl Fn(&Message) -> Result<(), Failure> + Send + Sync + 'static,
    ) -> Self {
        let queue = queue(world).await;
        let (seen, deliveries) = mpsc::unbounded_channel();
        let settings = Settings { concurrency: 4, visibility_timeout: Duration::from_secs(3) };
        let handler = Recorder { seen, takes, answer: Arc::new(answer) };
        let consumer = Consumer::new(world.aws().sqs.clone(), queue.clone(), settings, handler);
        let stop = Stop { intake: CancellationToken::new(), work: CancellationToken::new() };
        let task = tokio::spawn(consumer.run(stop.clone()));
        Self { queue, seen: deliveries, stop, task }
    }

    async fn next(&mut self) -> Message {
        tokio::time::timeout(PATIENCE, self.seen.recv()).await.expect("a delivery in time").unwrap()
    }

    async fn stop(self) {
        self.stop.intake.cancel();
        tokio::time::timeout(PATIENCE, self.task).await.expect("the consumer ends").unwrap().unwrap();
    }
}

async fn send(world: &World, queue: &Queue, body: &str) {
    world.aws().sqs.send_message().queue_url(&queue.url).message_body(body).send().await.unwrap();
}

async fn until_empty(world: &World, url: &str) {
    eventually(PATIENCE, || async { (count(world, url).await == 0).then_some(()) }).await;
}

#[tokio::test]
async fn a_handled_message_is_deleted() {
    let world = World::start().await;
    let mut running = Running::start(&world, Duration::ZERO, |_| Ok(())).await;
    for number in 0..25 {
        send(&world, &running.queue, &number.to_string()).await;
    }
    let mut bodies = Vec::new();
    for _ in 0..25 {
        bodies.push(running.next().await.body.parse::<u32>().unwrap());
    }
    bodies.sort_unstable();
    assert_eq!(bodies, (0..25).collect::<Vec<_>>());
    until_empty(&world, &running.queue.url).await;
    running.stop().await;
}

#[tokio::test]
async fn a_failed_message_comes_again() {
    let world = World::start().await;
    let mut running = Running::start(&world, Duration::ZERO, |message| match message.receive_count {
        1 => Err(Failure::RetryAfter(Duration::ZERO, anyhow!("away"))),
        2 => panic!("a bug in the handler"),
        _ => Ok(()),
    })
    .await;
    send(&world, &running.queue, "again").await;
    let counts =
        [running.next().await.receive_count, running.next().await.receive_count, running.next().await.receive_count];
    assert_eq!(counts, [1, 2, 3]);
    until_empty(&world, &running.queue.url).await;
    running.stop().await;
}

#[tokio::test]
async fn an_unreadable_message_goes_to_the_dead_letters_at_once_and_the_rest_goes_on() {
    let world = World::start().await;
    let mut running = Running::start(&world, Duration::ZERO, |message| match message.body.as_str() {
        "{" => Err(Failure::reject(anyhow!("not JSON"))),
        _ => Ok(()),
    })
    .await;
    send(&world, &running.queue, "{").await;
    send(&world, &running.queue, "fine").await;
    running.next().await;
    running.next().await;
    until_empty(&world, &running.queue.url).await;
    let url = running.queue.dead_letters_url.clone();
    let dead = eventually(PATIENCE, || take(&world, &url)).await;
    assert_eq!(dead.body(), Some("{"));
    running.stop().await;
}

/// The handler takes longer than the visibility timeout; without a heartbeat the message would come again.
#[tokio::test]
async fn a_message_stays_hidden_while_it_is_handled() {
    let world = World::start().await;
    let mut running = Running::start(&world, Duration::from_secs(5), |_| Ok(())).await;
    send(&world, &running.queue, "long").await;
    running.next().await;
    until_empty(&world, &running.queue.url).await;
    assert!(running.seen.try_recv().is_err(), "it was delivered twice");
    running.stop().await;
}

#[tokio::test]
async fn stopping_lets_work_end_and_dropping_it_hands_it_back() {
    let world = World::start().await;
    let mut running = Running::start(&world, Duration::from_secs(3600), |_| Ok(())).await;
    send(&world, &running.queue, "long").await;
    running.next().await;
    running.stop.intake.cancel();
    assert!(!running.task.is_finished(), "work in hand goes on");
    running.stop.work.cancel();
    let url = running.queue.url.clone();
    running.stop().await;
    // Handed back, so there at once and not after the visibility timeout.
    assert_eq!(take(&world, &url).await.expect("the message is visible").body(), Some("long"));
}
