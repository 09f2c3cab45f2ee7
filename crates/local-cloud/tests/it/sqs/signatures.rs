use aws_config::Region;
use aws_sdk_sqs::{Client, config::Credentials};
use local_cloud::AccessKey;

use super::code;
use crate::world::{self, World};

#[tokio::test]
async fn only_known_keys_and_the_right_region_are_let_in() {
    let world = World::start().await;
    let with = |id: &str, secret: &str| {
        let key = AccessKey { id: id.to_owned(), secret: secret.to_owned() };
        Client::new(&world::config(&world.endpoint, &key))
    };
    let AccessKey { id, secret } = &world.key;
    with(id, secret).list_queues().send().await.unwrap();
    assert_eq!(code(with(id, "another-secret").list_queues().send().await), "SignatureDoesNotMatch");
    assert_eq!(code(with("AKIDOTHER", secret).list_queues().send().await), "InvalidClientTokenId");
    let elsewhere = aws_sdk_sqs::config::Builder::from(&world.config()).region(Region::new("eu-west-1")).build();
    assert_eq!(code(Client::from_conf(elsewhere).list_queues().send().await), "SignatureDoesNotMatch");
    let session = Credentials::new(id, secret, Some("token".into()), None, "test");
    let session = aws_sdk_sqs::config::Builder::from(&world.config()).credentials_provider(session).build();
    assert_eq!(code(Client::from_conf(session).list_queues().send().await), "InvalidClientTokenId");
}

#[tokio::test]
async fn an_unsigned_request_is_refused_in_the_protocols_own_words() {
    let world = World::start().await;
    let request = reqwest::Client::new().post(&world.endpoint).header("x-amz-target", "AmazonSQS.ListQueues");
    let answer = request.header("content-type", "application/x-amz-json-1.0").body("{}").send().await.unwrap();
    assert_eq!(answer.status(), 403);
    assert_eq!(answer.headers()["x-amzn-query-error"], "MissingAuthenticationToken;Sender");
    let body: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(body["__type"], "com.amazon.coral.service#MissingAuthenticationTokenException");
}

#[tokio::test]
async fn nobodys_body_is_read() {
    let world = World::start().await;
    let now = time::OffsetDateTime::now_utc();
    let day = now.format(time::macros::format_description!("[year][month][day]")).unwrap();
    let date = now.format(time::macros::format_description!("[year][month][day]T[hour][minute][second]Z")).unwrap();
    let ask = async |id: &str| {
        let signature = format!(
            "AWS4-HMAC-SHA256 Credential={id}/{day}/us-east-1/sqs/aws4_request, \
             SignedHeaders=host;x-amz-date;x-amz-target, Signature=00"
        );
        let request = reqwest::Client::new().post(&world.endpoint).header("x-amz-target", "AmazonSQS.ListQueues");
        let request = request.header("x-amz-date", &date).header("authorization", signature);
        // More than is ever read.
        let answer = request.body(vec![b' '; 4 * 1024 * 1024 + 1]).send().await.unwrap();
        answer.headers()["x-amzn-query-error"].to_str().unwrap().to_owned()
    };
    assert_eq!(ask(&world.key.id).await, "RequestEntityTooLarge;Sender");
    assert_eq!(ask("AKIDOTHER").await, "InvalidClientTokenId;Sender");
}
