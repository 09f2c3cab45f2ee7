use std::collections::BTreeMap;

use aws_sdk_sns::{Client, types::Tag};

use super::code;
use crate::world::World;

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().unwrap()
}

async fn tags(sns: &Client, arn: &str) -> BTreeMap<String, String> {
    let listed = sns.list_tags_for_resource().resource_arn(arn).send().await.unwrap();
    listed.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect()
}

#[tokio::test]
async fn tags_are_set_listed_and_taken_away() {
    let world = World::start().await;
    let sns = world.sns();
    let created = sns.create_topic().name("events").tags(tag("k1", "v1")).tags(tag("k2", "v2")).send().await;
    let arn = created.unwrap().topic_arn.unwrap();
    assert_eq!(tags(&sns, &arn).await.len(), 2);
    sns.tag_resource().resource_arn(&arn).tags(tag("k2", "v2b")).tags(tag("k3", "")).send().await.unwrap();
    sns.untag_resource().resource_arn(&arn).tag_keys("k1").tag_keys("unknown").send().await.unwrap();
    let expected = [("k2", "v2b"), ("k3", "")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(tags(&sns, &arn).await, BTreeMap::from(expected));
}

#[tokio::test]
async fn a_topic_is_made_again_only_with_the_tags_that_it_has() {
    let world = World::start().await;
    let sns = world.sns();
    let create = |tags: Vec<Tag>| sns.create_topic().name("events").set_tags(Some(tags)).send();
    create(vec![tag("k", "v")]).await.unwrap();
    create(vec![tag("k", "v")]).await.unwrap();
    create(vec![]).await.unwrap();
    assert_eq!(code(create(vec![tag("k", "v"), tag("l", "v")]).await), "InvalidParameter");
    assert_eq!(code(create(vec![tag("k", "other")]).await), "InvalidParameter");
}

#[tokio::test]
async fn bad_tags_are_refused() {
    let world = World::start().await;
    let sns = world.sns();
    let arn = super::topic(&sns, "events").await;
    let set = |tags: Vec<Tag>| sns.tag_resource().resource_arn(&arn).set_tags(Some(tags)).send();
    assert_eq!(code(set(vec![tag("k", "a"), tag("k", "b")]).await), "InvalidParameter");
    assert_eq!(code(set(vec![tag("aws:k", "a")]).await), "InvalidParameter");
    let many = |range: std::ops::Range<u32>| range.map(|n| tag(&n.to_string(), "v")).collect::<Vec<_>>();
    set(many(0..50)).await.unwrap();
    assert_eq!(code(set(many(50..51)).await), "TagLimitExceeded");
    assert_eq!(tags(&sns, &arn).await.len(), 50);
    let nowhere = sns.list_tags_for_resource().resource_arn(format!("{arn}x")).send().await;
    assert_eq!(code(nowhere), "ResourceNotFound");
}
