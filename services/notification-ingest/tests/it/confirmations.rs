//! Subscriptions are confirmed by the API, and by nothing that a message says.

use std::sync::{Arc, Mutex};

use axum::{Router, extract::Request};
use notification_ingest::Config;
use reqwest::{Client, StatusCode};
use serde_json::Value;
use testing::{Issuer, TestDatabase, World};

use crate::{rig::TOPIC, signer::Signer};

const ANSWER: &str = r#"<ConfirmSubscriptionResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">
    <ConfirmSubscriptionResult><SubscriptionArn>arn:aws:sns:us-east-1:000000000000:segue-transcoder-events:1</SubscriptionArn></ConfirmSubscriptionResult>
    <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></ConfirmSubscriptionResponse>"#;

/// Takes down what it is asked, and answers as SNS confirms.
async fn recorder() -> (String, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::<Mutex<Vec<String>>>::default();
    let writer = seen.clone();
    let router = Router::new().fallback(async move |request: Request| {
        let line = format!("{} {}", request.method(), request.uri());
        let body = axum::body::to_bytes(request.into_body(), 64 * 1024).await.unwrap();
        writer.lock().unwrap().push(format!("{line} {}", String::from_utf8_lossy(&body)));
        ANSWER
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, seen)
}

/// The service, whose calls of SNS go to a recorder.
struct Scene {
    signer: Signer,
    base: String,
    recorder: String,
    seen: Arc<Mutex<Vec<String>>>,
    _world: World,
    _database: TestDatabase,
}

impl Scene {
    async fn start(resubscribe: bool) -> Self {
        let (world, signer, database) = (World::start().await, Signer::start().await, TestDatabase::sqlite());
        let (recorder, seen) = recorder().await;
        let mut platform = world.platform().clone();
        let config = platform.aws.sns.config().to_builder().endpoint_url(&recorder).build();
        platform.aws.sns = aws_sdk_sns::Client::from_conf(config);
        let mut config = Config::new(database.args(), Issuer::new().auth_args());
        config.sns_local_endpoint = Some(signer.endpoint().parse().unwrap());
        config.sns_resubscribe = resubscribe;
        let base = world.serve(notification_ingest::start(config, &platform).await.unwrap()).await;
        Self { signer, base, recorder, seen, _world: world, _database: database }
    }

    async fn post(&self, message: Value) -> StatusCode {
        let request = Client::new().post(format!("{}/v1/notifications/sns", self.base)).body(message.to_string());
        let request = request.header("content-type", "text/plain; charset=UTF-8");
        request.header("x-amz-sns-topic-arn", message["TopicArn"].as_str().unwrap()).send().await.unwrap().status()
    }

    /// The confirmation that was asked for, and nothing else.
    fn only_confirmation(&self, token: &str) {
        let seen = self.seen.lock().unwrap();
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert!(seen[0].starts_with("POST / ") && seen[0].contains("Action=ConfirmSubscription"), "{seen:?}");
        assert!(seen[0].contains(&format!("Token={token}")) && seen[0].contains("segue-transcoder-events"), "{seen:?}");
    }
}

#[tokio::test]
async fn an_expected_topic_is_confirmed_by_the_api_and_no_url_is_followed() {
    let scene = Scene::start(false).await;
    let evil = format!("{}/evil", scene.recorder);
    let sign = |message, version| scene.signer.sign(message, version);

    let foreign = Signer::confirmation("SubscriptionConfirmation", "arn:aws:sns:us-east-1:0:other", "t", &evil);
    assert_eq!(scene.post(sign(foreign, 2)).await, StatusCode::FORBIDDEN);
    let unsigned = Signer::confirmation("SubscriptionConfirmation", TOPIC, "t", &evil);
    assert_eq!(scene.post(unsigned.clone()).await, StatusCode::FORBIDDEN);
    let mut other_token = sign(unsigned, 2);
    other_token["Token"] = "stolen".into();
    assert_eq!(scene.post(other_token).await, StatusCode::FORBIDDEN);
    let gone = Signer::confirmation("UnsubscribeConfirmation", TOPIC, "t", &evil);
    assert_eq!(scene.post(sign(gone, 1)).await, StatusCode::OK);
    assert_eq!(*scene.seen.lock().unwrap(), Vec::<String>::new());

    let good = Signer::confirmation("SubscriptionConfirmation", TOPIC, "the-token", &evil);
    assert_eq!(scene.post(sign(good, 1)).await, StatusCode::OK);
    scene.only_confirmation("the-token");
}

#[tokio::test]
async fn by_setting_the_endpoint_subscribes_again() {
    let scene = Scene::start(true).await;
    let foreign = Signer::confirmation("UnsubscribeConfirmation", "arn:aws:sns:us-east-1:0:other", "t", "https://x/");
    assert_eq!(scene.post(scene.signer.sign(foreign, 2)).await, StatusCode::FORBIDDEN);
    let gone = Signer::confirmation("UnsubscribeConfirmation", TOPIC, "back-again", "https://evil.example/");
    assert_eq!(scene.post(scene.signer.sign(gone, 2)).await, StatusCode::OK);
    scene.only_confirmation("back-again");
}
