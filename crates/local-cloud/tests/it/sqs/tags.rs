use std::collections::HashMap;

use aws_sdk_sqs::Client;

use super::{code, create};
use crate::world::World;

async fn tags(sqs: &Client, url: &str) -> HashMap<String, String> {
    sqs.list_queue_tags().queue_url(url).send().await.unwrap().tags.unwrap_or_default()
}

fn map(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn tags_are_given_replaced_listed_and_taken_away() {
    let world = World::start().await;
    let sqs = world.sqs();
    let made = sqs.create_queue().queue_name("q").tags("a", "1").tags("b", "2").send().await.unwrap();
    let url = made.queue_url.unwrap();
    assert_eq!(tags(&sqs, &url).await, map(&[("a", "1"), ("b", "2")]));
    sqs.tag_queue().queue_url(&url).tags("b", "").tags("c é", "3").send().await.unwrap();
    assert_eq!(tags(&sqs, &url).await, map(&[("a", "1"), ("b", ""), ("c é", "3")]));
    sqs.untag_queue().queue_url(&url).tag_keys("a").tag_keys("none").send().await.unwrap();
    assert_eq!(tags(&sqs, &url).await, map(&[("b", ""), ("c é", "3")]));
    let world = world.restart().await;
    assert_eq!(tags(&world.sqs(), &url).await, map(&[("b", ""), ("c é", "3")]));
}

#[tokio::test]
async fn tags_have_their_limits() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create(&sqs, "q", &[]).await;
    let tag = |key: &str, value: &str| sqs.tag_queue().queue_url(&url).tags(key, value).send();
    tag(&"k".repeat(128), &"v".repeat(256)).await.unwrap();
    for (key, value) in
        [("", "v"), (&"k".repeat(129) as &str, "v"), ("k", &"v".repeat(257) as &str), ("aws:k", "v"), ("k!", "v")]
    {
        assert_eq!(code(tag(key, value).await), "InvalidParameterValue", "{key} {value}");
    }
    let more = (0..49).map(|n| (n.to_string(), String::new())).collect();
    sqs.tag_queue().queue_url(&url).set_tags(Some(more)).send().await.unwrap();
    assert_eq!(code(tag("one too many", "").await), "InvalidParameterValue");
    tag("0", "replaced").await.unwrap();
    assert_eq!(tags(&sqs, &url).await.len(), 50);
    let bad = sqs.create_queue().queue_name("r").tags("aws:k", "v").send().await;
    assert_eq!(code(bad), "InvalidParameterValue");
    let nowhere = sqs.list_queue_tags().queue_url(format!("{url}x")).send().await;
    assert_eq!(code(nowhere), "AWS.SimpleQueueService.NonExistentQueue");
}
