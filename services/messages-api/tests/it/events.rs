//! Reads an event stream as a browser does (WHATWG HTML, section 9.2.6).

use serde_json::Value;
use tokio::time::timeout;

use crate::service::PATIENCE;

pub struct Events {
    pub response: reqwest::Response,
    buffer: String,
}

#[derive(Debug, Default)]
pub struct Event {
    pub event: String,
    pub id: String,
    pub data: Value,
}

impl Events {
    pub fn new(response: reqwest::Response) -> Self {
        Self { response, buffer: String::new() }
    }

    /// The next event; `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<Event> {
        // Over the whole wait: the comments that keep a stream alive are no answer.
        timeout(PATIENCE, self.read()).await.expect("an event, or the end, in time")
    }

    async fn read(&mut self) -> Option<Event> {
        loop {
            while let Some(end) = self.buffer.find("\n\n") {
                let block: String = self.buffer.drain(..end + 2).collect();
                if let Some(event) = parse(&block) {
                    return Some(event);
                }
            }
            let chunk = self.response.chunk().await.unwrap()?;
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    pub async fn expect(&mut self, event: &str) -> Event {
        let next = self.next().await.expect("an event");
        assert_eq!(next.event, event, "{next:?}");
        next
    }
}

/// `None` for a block of comments only.
fn parse(block: &str) -> Option<Event> {
    let mut event = Event::default();
    for (field, value) in block.lines().filter_map(|line| line.split_once(": ")) {
        match field {
            "event" => value.clone_into(&mut event.event),
            "id" => value.clone_into(&mut event.id),
            "data" => event.data = serde_json::from_str(value).unwrap(),
            _ => {}
        }
    }
    (!event.event.is_empty()).then_some(event)
}
