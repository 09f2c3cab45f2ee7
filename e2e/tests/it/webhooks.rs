//! A power cut while webhooks are posted to.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::{Value, json};
use testing::{eventually, media};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{api::PATIENCE, up::Up};

/// Somebody's own system, which is silent until it is told to answer.
#[derive(Default)]
struct Receiver {
    /// The kind of each post by its `webhook-id`, with how often it came.
    posts: Mutex<BTreeMap<String, (String, u32)>>,
    answers: AtomicBool,
}

impl Receiver {
    async fn serve(self: Arc<Self>, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let this = self.clone();
            tokio::spawn(async move { this.take(stream).await });
        }
    }

    /// Posts on one connection, until it ends. Reads what Segue's client sends, and no other HTTP.
    async fn take(&self, mut stream: TcpStream) -> Option<()> {
        let mut text = String::new();
        loop {
            let (head, rest) = loop {
                if let Some((head, rest)) = text.split_once("\r\n\r\n")
                    && rest.len() >= header(head, "content-length")?.parse().ok()?
                {
                    break (head.to_owned(), rest.to_owned());
                }
                let mut chunk = [0; 8192];
                let read = stream.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
                text.push_str(std::str::from_utf8(&chunk[..read]).ok()?);
            };
            let body: Value = serde_json::from_str(&rest).ok()?;
            {
                let mut posts = self.posts.lock().unwrap();
                let kind = body["type"].as_str()?.to_owned();
                posts.entry(header(&head, "webhook-id")?.to_owned()).or_insert((kind, 0)).1 += 1;
            }
            if !self.answers.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.ok()?;
            text.clear();
        }
    }

    fn posts(&self) -> BTreeMap<String, (String, u32)> {
        self.posts.lock().unwrap().clone()
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

#[tokio::test]
async fn posts_under_way_survive_kill_9_and_come_again_under_the_same_ids() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let receiver = Arc::new(Receiver::default());
    tokio::spawn(receiver.clone().serve(listener));
    let settings = [("SEGUE_WEBHOOK_PRIVATE_HOSTS", address.as_str()), ("SEGUE_WEBHOOK_SECONDS", "5")];

    let up = Up::start_with(&data, &settings);
    let alice = up.api(&data, "alice");
    let wish = json!({ "url": format!("http://{address}/"), "events": ["file.transcoding", "file.complete"] });
    let made: Value = alice.post("/v1/webhooks").json(&wish).send().await.unwrap().json().await.unwrap();
    let log = format!("/v1/webhooks/{}/deliveries", made["id"].as_str().expect("a webhook"));
    alice.upload_form(&media::mp3(directory.path(), 2.0)).await;
    let complete = |(kind, _): &(String, u32)| kind == "file.complete";
    eventually(PATIENCE, || async { receiver.posts().values().any(complete).then_some(()) }).await;
    up.process.kill();
    let before = receiver.posts();
    receiver.answers.store(true, Ordering::SeqCst);

    let up = Up::start_with(&data, &settings);
    let alice = up.api(&data, "alice");
    let items = eventually(PATIENCE, || async {
        let items = alice.json(&log).await["items"].as_array().unwrap().clone();
        items.iter().all(|item| item["state"] == "delivered").then_some(items)
    })
    .await;
    assert_eq!(items.len(), 2, "{items:?}");
    let after = receiver.posts();
    assert_eq!(after.len(), 2, "no post has a second id: {after:?}");
    assert!(before.iter().all(|(id, (_, times))| after[id].1 > *times), "{before:?} {after:?}");
    assert!(up.process.terminate());
}
