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
            Job::new().event("COMPLETED"),
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
    let mut old = Job::new().message("COMPLETED");
    old["Timestamp"] = json!("2026-01-01T00:00:00.000Z");
    rig.enqueue(&rig.signer.sign(old, 2).to_string()).await;
    eventually(PATIENCE, || async { (rig.count("events").await == 1).then_some(()) }).await;
}
