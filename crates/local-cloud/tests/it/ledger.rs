//! Fifty kills at random instants: what was acknowledged, and what the store has, agree each time.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use aws_sdk_s3::{Client as S3, primitives::ByteStream};
use aws_sdk_sqs::{Client as Sqs, types::QueueAttributeName};

use crate::crash::Process;

const BUCKET: &str = "a-bucket";
const CLIENTS: usize = 8;
const KILLS: usize = 50;
/// Keys and messages of one client: few, so that all of them can be looked at after each kill.
const KEYS: u64 = 6;
const MESSAGES: usize = 10;

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        // Knuth, The Art of Computer Programming, 3.3.4 (MMIX).
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// What one client knows to be stored.
#[derive(Default)]
struct Ledger {
    /// The text that each object's content is made of.
    objects: BTreeMap<String, String>,
    /// In the order of their sending.
    messages: Vec<String>,
    /// What it asked for last and got no answer to: it was done, or it was not.
    doubt: Option<Doubt>,
    made: u64,
}

#[derive(Clone)]
enum Doubt {
    Put(String, String),
    Removed(String),
    Sent(String),
    Deleted(String),
}

impl Ledger {
    fn settle(&mut self, doubt: Doubt) {
        match doubt {
            Doubt::Put(key, text) => drop(self.objects.insert(key, text)),
            Doubt::Removed(key) => drop(self.objects.remove(&key)),
            Doubt::Sent(body) => self.messages.push(body),
            Doubt::Deleted(body) => self.messages.retain(|other| *other != body),
        }
    }
}

struct Client {
    name: String,
    queue: String,
    is_fifo: bool,
    dice: Dice,
    ledger: Ledger,
}

/// A content that follows from its text, between one byte and some hundred KiB.
fn content(text: &str) -> Vec<u8> {
    let length = 1 + text.bytes().map(usize::from).sum::<usize>() * 397 % 200_000;
    text.bytes().cycle().take(length).collect()
}

impl Client {
    /// Works until the process is gone.
    async fn work(&mut self, s3: &S3, sqs: &Sqs) {
        loop {
            self.ledger.made += 1;
            let text = format!("{}/{}", self.name, self.ledger.made);
            let key = format!("{}/{}", self.name, self.dice.below(KEYS));
            let roll = self.dice.below(10);
            let done = match roll {
                0..=3 => self.put(s3, key, text).await,
                4 => self.remove(s3, key).await,
                5 => self.copy(s3, key).await,
                6..=8 if self.ledger.messages.len() < MESSAGES => self.send(sqs, text).await,
                _ => self.take(sqs).await,
            };
            if !done {
                return;
            }
        }
    }

    /// Notes what an answer confirms; false when there was none.
    fn note(&mut self, acknowledged: bool, doubt: Doubt) -> bool {
        if acknowledged {
            self.ledger.settle(doubt);
        } else {
            self.ledger.doubt = Some(doubt);
        }
        acknowledged
    }

    async fn put(&mut self, s3: &S3, key: String, text: String) -> bool {
        let body = ByteStream::from(content(&text));
        let put = s3.put_object().bucket(BUCKET).key(&key).body(body).send().await;
        self.note(put.is_ok(), Doubt::Put(key, text))
    }

    async fn remove(&mut self, s3: &S3, key: String) -> bool {
        let removed = s3.delete_object().bucket(BUCKET).key(&key).send().await;
        self.note(removed.is_ok(), Doubt::Removed(key))
    }

    async fn copy(&mut self, s3: &S3, key: String) -> bool {
        let other = self.ledger.objects.iter().find(|(other, _)| **other != key);
        let Some((source, text)) = other.map(|(source, text)| (source.clone(), text.clone())) else { return true };
        let copied = s3.copy_object().bucket(BUCKET).key(&key).copy_source(format!("{BUCKET}/{source}")).send().await;
        self.note(copied.is_ok(), Doubt::Put(key, text))
    }

    async fn send(&mut self, sqs: &Sqs, body: String) -> bool {
        let mut send = sqs.send_message().queue_url(&self.queue).message_body(&body);
        if self.is_fifo {
            send = send.message_group_id(&self.name).message_deduplication_id(&body);
        }
        self.note(send.send().await.is_ok(), Doubt::Sent(body))
    }

    async fn take(&mut self, sqs: &Sqs) -> bool {
        // A FIFO queue deletes only what is hidden.
        let hidden = i32::from(self.is_fifo);
        let receive = sqs.receive_message().queue_url(&self.queue).visibility_timeout(hidden);
        let Ok(received) = receive.send().await else { return false };
        let Some(message) = received.messages.unwrap_or_default().pop() else { return true };
        let handle = message.receipt_handle.unwrap();
        let deleted = sqs.delete_message().queue_url(&self.queue).receipt_handle(handle).send().await;
        self.note(deleted.is_ok(), Doubt::Deleted(message.body.unwrap()))
    }

    /// Compares the store with the ledger; what was in doubt is settled by what is found.
    async fn check(&mut self, s3: &S3, sqs: &Sqs, kill: usize) {
        let (objects, messages) = (self.objects(s3).await, self.messages(sqs).await);
        let agree = |ledger: &Ledger| ledger.objects == objects && ledger.messages == messages;
        let Some(doubt) = self.ledger.doubt.take() else {
            assert!(agree(&self.ledger), "{} after kill {kill}: {objects:?} {messages:?}", self.name);
            return;
        };
        if !agree(&self.ledger) {
            self.ledger.settle(doubt);
            assert!(
                agree(&self.ledger),
                "{} after kill {kill}: stored {objects:?} {messages:?}, known {:?} {:?}",
                self.name,
                self.ledger.objects,
                self.ledger.messages
            );
        }
    }

    /// All objects, by the texts of their contents.
    async fn objects(&self, s3: &S3) -> BTreeMap<String, String> {
        let listed = s3.list_objects_v2().bucket(BUCKET).prefix(format!("{}/", self.name)).send().await.unwrap();
        let mut found = BTreeMap::new();
        for key in listed.contents().iter().map(|object| object.key().unwrap()) {
            let got = s3.get_object().bucket(BUCKET).key(key).send().await.unwrap();
            let bytes = got.body.collect().await.unwrap().to_vec();
            let known = self.ledger.objects.get(key).cloned();
            let doubtful = match &self.ledger.doubt {
                Some(Doubt::Put(in_doubt, text)) if in_doubt == key => Some(text.clone()),
                _ => None,
            };
            let text = [known, doubtful].into_iter().flatten().find(|text| content(text) == bytes);
            found.insert(key.to_owned(), text.unwrap_or_else(|| panic!("{key} holds what nobody put there")));
        }
        found
    }

    /// All messages, in the order of a FIFO queue, or sorted as the client made them.
    async fn messages(&self, sqs: &Sqs) -> Vec<String> {
        use QueueAttributeName::{ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible};
        let names = vec![ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible];
        let shown = sqs.get_queue_attributes().queue_url(&self.queue).set_attribute_names(Some(names)).send().await;
        let counts = shown.unwrap().attributes.unwrap();
        let count: usize = counts.values().map(|count| count.parse::<usize>().unwrap()).sum();
        let mut found: Vec<String> = Vec::new();
        let deadline = Instant::now() + Duration::from_secs(20);
        while found.len() < count {
            assert!(Instant::now() < deadline, "{} counts {count} and gives {found:?}", self.name);
            let receive = sqs.receive_message().queue_url(&self.queue).max_number_of_messages(10);
            // They are visible again at once, and so come round and round.
            let received = receive.visibility_timeout(0).wait_time_seconds(1).send().await;
            let bodies =
                received.unwrap().messages.unwrap_or_default().into_iter().map(|message| message.body.unwrap());
            if self.is_fifo {
                found = bodies.collect();
            } else {
                found.extend(bodies);
                found.sort_by_key(|body| body.rsplit('/').next().and_then(|number| number.parse::<u64>().ok()));
                found.dedup();
            }
        }
        found
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_kills_and_the_ledgers_agree() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(directory.path());
    let (s3, sqs) = (process.s3(), Sqs::new(&process.config()));
    s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let (name, is_fifo) = (format!("client-{number}"), number % 2 == 1);
        let create = match is_fifo {
            true => {
                sqs.create_queue().queue_name(format!("{name}.fifo")).attributes(QueueAttributeName::FifoQueue, "true")
            }
            false => sqs.create_queue().queue_name(&name),
        };
        let (queue, dice) = (create.send().await.unwrap().queue_url.unwrap(), Dice(number as u64));
        clients.push(Client { name, queue, is_fifo, dice, ledger: Ledger::default() });
    }
    process.kill();
    let mut dice = Dice(50);
    for kill in 1..=KILLS {
        let process = Process::start(directory.path());
        let (s3, sqs) = (process.s3(), Sqs::new(&process.config()));
        let working = clients.into_iter().map(|mut client| {
            let (s3, sqs) = (s3.clone(), sqs.clone());
            tokio::spawn(async move {
                client.work(&s3, &sqs).await;
                client
            })
        });
        let working: Vec<_> = working.collect();
        // The instant is meant to be any.
        tokio::time::sleep(Duration::from_millis(20 + dice.below(230))).await;
        process.kill();
        clients = Vec::new();
        for client in working {
            clients.push(client.await.unwrap());
        }
        let process = Process::start(directory.path());
        let (s3, sqs) = (process.s3(), Sqs::new(&process.config()));
        for client in &mut clients {
            client.check(&s3, &sqs, kill).await;
        }
        process.kill();
    }
    let made: u64 = clients.iter().map(|client| client.ledger.made).sum();
    assert!(made > 200, "only {made} requests in all: the kills came before the work");
}
