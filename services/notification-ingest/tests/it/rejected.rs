//! Messages in the queue that can never be handled: among the dead letters, and the rest goes on.

use common::names;
use serde_json::json;
use testing::{TestDatabase, databases, eventually};

use crate::{
    rig::{Job, PATIENCE, Rig, TOPIC},
    signer::Signer,
};

#[tokio::test]
async fn unreadable_and_foreign_messages_go_to_the_dead_letters() {
    for database in databases().await {
        let rig = Rig::start(database).await;
        let foreign = Signer::notification("arn:aws:sns:us-east-1:0:other", &Job::new().event("COMPLETED"));
        let confirmation = Signer::confirmation("SubscriptionConfirmation", TOPIC, "t", "https://evil.example/");
        let mut bad = vec![
            "garbage".to_owned(),
            "{}".to_owned(),
            Signer::notification(TOPIC, "no event").to_string(),
            Signer::notification(TOPIC, r#"{"state":"COMPLETED","jobId":"a\u0000","pipelineId":"p"}"#).to_string(),
            foreign.to_string(),
            confirmation.to_string(),
        ];
        for text in &bad {
            rig.enqueue(text).await;
        }
        let dead_letters = rig.world.names().dead_letters(names::TRANSCODER_EVENTS);
        let mut buried = rig.take_until(&dead_letters, |bodies| bodies.len() >= bad.len()).await;
        buried.sort();
        bad.sort();
        assert_eq!(buried, bad);
        assert_eq!(rig.count("events").await, 0);
        let seen = rig.rejected("").await;
        let mut bodies: Vec<_> = seen["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| (it["body"].as_str().unwrap(), it["reason"].as_str().unwrap()))
            .collect();
        bodies.sort();
        assert!(
            bodies.contains(&("garbage", "unreadable")) && bodies.contains(&("no event", "unreadable")),
            "{bodies:?}"
        );
        assert!(bodies.contains(&(foreign.to_string().as_str(), "foreign_topic")), "{bodies:?}");
        assert!(bodies.contains(&(confirmation.to_string().as_str(), "not_a_notification")), "{bodies:?}");
        assert_eq!(seen["totals"], json!({"unreadable": 4, "foreign_topic": 1, "not_a_notification": 1}));
        let job = Job::new();
        rig.enqueue(&job.message("COMPLETED").to_string()).await;
        eventually(PATIENCE, || async { (rig.count("events").await == 1).then_some(()) }).await;
        let results = rig.results().await;
        assert_eq!(results.iter().map(|result| &result.job_id).collect::<Vec<_>>(), [&job.id]);
    }
}

#[tokio::test]
async fn by_setting_the_queue_s_messages_must_be_signed_and_may_be_old() {
    let rig = Rig::start_with(TestDatabase::sqlite(), |config| config.sns_verify_queued = true).await;
    let unsigned = Job::new().message("COMPLETED").to_string();
    rig.enqueue(&unsigned).await;
    let dead_letters = rig.world.names().dead_letters(names::TRANSCODER_EVENTS);
    assert_eq!(rig.take_until(&dead_letters, |bodies| !bodies.is_empty()).await, [unsigned]);
    // Without an envelope there is no signature.
    let bare = Job::new().event("COMPLETED");
    rig.enqueue(&bare).await;
    assert_eq!(rig.take_until(&dead_letters, |bodies| !bodies.is_empty()).await, [bare]);
    assert_eq!(rig.rejected("").await["totals"], json!({"bad_signature": 1, "unreadable": 1}));
    let mut old = Job::new().message("COMPLETED");
    old["Timestamp"] = json!("2026-01-01T00:00:00.000Z");
    rig.enqueue(&rig.signer.sign(old, 2).to_string()).await;
    eventually(PATIENCE, || async { (rig.count("events").await == 1).then_some(()) }).await;
}

#[tokio::test]
async fn the_operator_alone_sees_what_was_rejected_page_by_page() {
    for database in databases().await {
        let rig = Rig::start(database).await;
        for (caller, expected) in [(None, 401), (Some(rig.issuer.token("alice")), 403), (Some("x".to_owned()), 401)] {
            assert_eq!(rig.rejected_as(caller).await, expected);
        }
        let foreign = Signer::notification(TOPIC, r#"{"state":"ERROR","jobId":"x","pipelineId":"p"}"#);
        let unreadable = Signer::notification(TOPIC, "hello");
        let (foreign, unreadable) = (rig.signer.sign(foreign, 2), rig.signer.sign(unreadable, 2));
        for _ in 0..2 {
            assert_eq!(rig.deliver(&foreign).await, 200, "somebody else's job is no fault of the sender");
            assert_eq!(rig.deliver(&unreadable).await, 400);
            assert_eq!(rig.deliver(&Signer::notification(TOPIC, "a forgery")).await, 403);
        }
        let first = rig.rejected("?limit=1").await;
        let cursor = first["next_cursor"].as_str().unwrap();
        let second = rig.rejected(&format!("?limit=1&cursor={cursor}")).await;
        let shown = |page: &serde_json::Value| {
            let item = &page["items"][0];
            ["reason", "source", "body", "message_id"].map(|name| item[name].as_str().unwrap().to_owned())
        };
        let id = |message: &serde_json::Value| message["MessageId"].as_str().unwrap().to_owned();
        assert_eq!(shown(&first), ["unreadable".into(), "http".into(), "hello".into(), id(&unreadable)]);
        assert_eq!(shown(&second)[0], "foreign_job");
        assert_eq!((&second["next_cursor"], shown(&second)[3].clone()), (&serde_json::Value::Null, id(&foreign)));
        assert_eq!(
            first["totals"],
            json!({"foreign_job": 1, "unreadable": 1}),
            "a second delivery is not a second one"
        );
        assert_eq!(first["refused_posts"], json!({"400": 2, "403": 2}));
    }
}
