//! The event stream.

use common::FileState;
use messages_api::StreamArgs;
use reqwest::StatusCode;
use serde_json::{Value, json};
use testing::{TestDatabase, eventually};

use crate::service::{PATIENCE, Service, result};

#[tokio::test]
async fn a_notice_is_pushed_to_every_stream_of_its_owner_and_to_no_other() {
    for service in Service::each().await {
        let mut alice = [service.stream("alice", None).await, service.stream("alice", None).await];
        let mut bob = service.stream("bob", None).await;
        for stream in alice.iter_mut().chain([&mut bob]) {
            assert_eq!(stream.response.headers()["content-type"], "text/event-stream");
            assert_eq!(stream.response.headers()["cache-control"], "no-store");
            assert_eq!(stream.response.headers()["x-accel-buffering"], "no");
            assert_eq!(stream.expect("unread").await.data, json!({ "unread": 0 }));
        }
        service.publish(&result("alice", "a.mp3", FileState::Complete).encode()).await;
        let listed = service.wait_for("alice", 1).await.remove(0);
        for stream in &mut alice {
            let Value::Object(mut data) = stream.expect("message").await.data else { panic!("an object") };
            assert_eq!(data.remove("unread"), Some(json!(1)));
            assert_eq!(Value::Object(data), listed, "{:?}", service.database.kind());
        }
        service.publish(&result("bob", "b.mp3", FileState::Complete).encode()).await;
        assert_eq!(bob.expect("message").await.data["text"], "Your file b.mp3 has been processed");
    }
}

#[tokio::test]
async fn a_reconnect_replays_what_was_missed_and_nothing_twice() {
    let service = Service::start().await;
    let mut first = service.stream("alice", None).await;
    let start = first.expect("unread").await.id;
    service.complete("alice", "1.mp3", 1).await;
    let seen = first.expect("message").await.id;
    drop(first);
    // More than a stream reads at once.
    for n in 2..=25 {
        service.complete("alice", &format!("{n}.mp3"), n).await;
    }

    let mut again = service.stream("alice", Some(&seen)).await;
    assert_eq!(again.expect("unread").await.data["unread"], 25);
    for n in 2..=25 {
        assert_eq!(again.expect("message").await.data["text"], format!("Your file {n}.mp3 has been processed"));
    }
    service.complete("alice", "26.mp3", 26).await;
    let live = again.expect("message").await;
    assert_eq!(live.data["text"], "Your file 26.mp3 has been processed");

    // Who was lost before the first notice came has missed all of them.
    let mut lost = service.stream("alice", Some(&start)).await;
    lost.expect("unread").await;
    assert_eq!(lost.expect("message").await.data["text"], "Your file 1.mp3 has been processed");
    // Who has seen everything gets nothing but news.
    let mut current = service.stream("alice", Some(&live.id)).await;
    current.expect("unread").await;
    service.complete("alice", "27.mp3", 27).await;
    assert_eq!(current.expect("message").await.data["text"], "Your file 27.mp3 has been processed");
}

#[tokio::test]
async fn an_id_that_was_never_given_is_refused() {
    let service = Service::start().await;
    let request = service.get("alice", "/v1/messages/stream").header("Last-Event-ID", "x");
    assert_eq!(request.send().await.unwrap().status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_count_follows_when_a_notice_is_read_elsewhere() {
    let service = Service::start().await;
    service.complete("alice", "a.mp3", 1).await;
    let mut stream = service.stream("alice", None).await;
    assert_eq!(stream.expect("unread").await.data["unread"], 1);
    service.post("alice", "/v1/messages/read-all").await;
    assert_eq!(stream.expect("unread").await.data["unread"], 0);
}

#[tokio::test]
async fn what_another_process_stores_is_pushed_too() {
    let service = Service::start_on(TestDatabase::postgres().await, StreamArgs::default()).await;
    // Another messages-api on the same database, which hears of another cloud's results.
    let other = testing::World::start().await;
    let _routes = messages_api::start(service.config.clone(), other.platform()).await.unwrap();
    let mut stream = service.stream("alice", None).await;
    stream.expect("unread").await;
    let (aws, names) = (other.aws(), other.names());
    let queue = queue::find::queue(&aws.sqs, names, common::names::RESULTS_MESSAGES).await.unwrap();
    let body = result("alice", "a.mp3", FileState::Complete).encode();
    aws.sqs.send_message().queue_url(&queue.url).message_body(body).send().await.unwrap();
    assert_eq!(stream.expect("message").await.data["text"], "Your file a.mp3 has been processed");
}

#[tokio::test]
async fn streams_end_when_the_process_stops() {
    let service = Service::start().await;
    let mut stream = service.stream("alice", None).await;
    stream.expect("unread").await;
    service.world.platform().shutdown.begin();
    assert!(stream.next().await.is_none());
    service.world.platform().shutdown.finish(PATIENCE).await.unwrap();
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let service = Service::start().await;
    // Taken for the seconds that clocks may differ: the leeway is 30.
    let mut claims = service.issuer.claims("alice");
    claims["exp"] = json!(claims["iat"].as_u64().unwrap() - 24);
    let token = service.issuer.sign(&service.issuer.header(), &claims);
    let request = service.request(reqwest::Method::GET, "/v1/messages/stream").bearer_auth(token);
    let mut stream = crate::events::Events::new(request.send().await.unwrap());
    assert_eq!(stream.response.status(), StatusCode::OK);
    stream.expect("unread").await;
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn open_streams_are_bounded_for_each_user_and_in_all() {
    let bounds = StreamArgs { max_streams: 3, max_streams_per_user: 2, ..StreamArgs::default() };
    let service = Service::start_on(TestDatabase::sqlite(), bounds).await;
    let status = |user: &'static str| async { service.get(user, "/v1/messages/stream").send().await.unwrap().status() };
    let first = service.stream("alice", None).await;
    let _second = service.stream("alice", None).await;
    assert_eq!(status("alice").await, StatusCode::TOO_MANY_REQUESTS);
    let _third = service.stream("bob", None).await;
    assert_eq!(status("carol").await, StatusCode::SERVICE_UNAVAILABLE);
    drop(first);
    eventually(PATIENCE, || async { (status("carol").await == StatusCode::OK).then_some(()) }).await;
}
