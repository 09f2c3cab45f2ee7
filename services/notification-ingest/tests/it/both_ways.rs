//! Genuine events over HTTP and the queue: each real change is told once.

use std::collections::BTreeMap;

use aws_sdk_sqs::types::QueueAttributeName;
use common::{FileState, OutputState, names};
use reqwest::StatusCode;
use serde_json::{Value, json};
use testing::{TestDatabase, databases, eventually};
use tokio::task::JoinSet;

use crate::{
    rig::{Job, PATIENCE, Rig, TOPIC},
    signer::Signer,
};

#[tokio::test]
async fn duplicates_and_late_events_change_nothing() {
    for database in databases().await {
        let rig = Rig::start(database).await;
        let (job, foreign) =
            (Job::new(), Signer::notification(TOPIC, r#"{"state":"ERROR","jobId":"x","pipelineId":"p"}"#));
        let by_http = async |message: &Value| assert_eq!(rig.deliver(message).await, StatusCode::OK, "{message}");
        let by_queue = async |message: &Value| {
            let before = rig.count("events").await;
            rig.enqueue(&message.to_string()).await;
            eventually(PATIENCE, || async { (rig.count("events").await > before).then_some(()) }).await;
        };
        let progressing = rig.signer.sign(job.message("PROGRESSING"), 1);
        by_http(&progressing).await;
        by_http(&progressing).await;
        by_queue(&job.message("PROGRESSING")).await;
        by_http(&rig.signer.sign(job.message("WARNING"), 2)).await;
        let completed = job.message("COMPLETED");
        by_queue(&completed).await;
        by_http(&rig.signer.sign(completed, 2)).await;
        by_http(&rig.signer.sign(job.message("COMPLETED"), 2)).await;
        by_queue(&job.message("PROGRESSING")).await;
        by_queue(&job.message("ERROR")).await;
        by_http(&rig.signer.sign(foreign, 2)).await;

        let mut outcomes = rig.outcomes(&job).await;
        outcomes.sort();
        assert_eq!(outcomes, ["late", "late", "late", "late", "published", "published", "published"]);
        assert_eq!(rig.count("events").await, 8, "the foreign one is kept too");
        let results = rig.results().await;
        let states: Vec<_> = results.iter().map(|result| result.state).collect();
        assert_eq!(states, [FileState::Complete, FileState::Transcoding, FileState::Transcoding]);
        let complete = &results[0];
        assert_eq!((complete.file_id, complete.owner.as_str()), (job.file_id, "alice"));
        assert_eq!(complete.outputs[0].key, "transcoded/f/audio.flac");
        assert_eq!(complete.outputs[0].state, OutputState::Complete);
    }
}

/// The tables know a message that the process does not remember.
#[tokio::test]
async fn a_message_that_another_process_stored_changes_nothing() {
    for database in databases().await {
        let mut rig = Rig::start(database).await;
        let job = Job::new();
        let message = rig.signer.sign(job.message("COMPLETED"), 2);
        assert_eq!(rig.deliver(&message).await, StatusCode::OK);
        rig.elsewhere().await;
        assert_eq!(rig.deliver(&message).await, StatusCode::OK);
        assert_eq!(rig.outcomes(&job).await, ["published"], "what was noted of the first one stands");
        assert_eq!(rig.results().await.len(), 1);
    }
}

/// A subscription with raw delivery leaves the envelope off.
#[tokio::test]
async fn bare_events_from_the_queue_are_taken_and_progress_is_told_as_it_grows() {
    for database in databases().await {
        let rig = Rig::start(database).await;
        let job = Job::new();
        let send = async |text: &str| {
            let before = rig.count("events").await;
            rig.enqueue(text).await;
            eventually(PATIENCE, || async { (rig.count("events").await > before).then_some(()) }).await;
        };
        for percent in [10, 60, 35, 60] {
            let mut event: Value = serde_json::from_str(&job.event("PROGRESSING")).unwrap();
            event["progress"] = json!({ "percent": percent, "speed": 2.5 });
            send(&event.to_string()).await;
        }
        send(&job.event("WARNING")).await;
        send(&job.event("COMPLETED")).await;
        send(&job.event("WARNING")).await;
        let results = rig.results().await;
        let mut told: Vec<_> = results.iter().map(|it| (it.progress, it.warning.is_some())).collect();
        told.sort();
        assert_eq!(told, [(None, true), (Some(10), false), (Some(60), false), (Some(100), false)]);
    }
}

#[tokio::test]
async fn a_crowd_of_copies_in_any_order_tells_each_job_s_end_once() {
    const JOBS: usize = 10;
    for database in databases().await {
        let rig = std::sync::Arc::new(Rig::start(database).await);
        let mut crowd = JoinSet::new();
        for index in 0..JOBS {
            let job = Job::new();
            let mut states = ["COMPLETED", "PROGRESSING", "COMPLETED", "WARNING"];
            states.rotate_left(index % 4);
            for state in states {
                let message = rig.signer.sign(job.message(state), 2);
                for copy in 0..4 {
                    let (rig, message) = (rig.clone(), message.clone());
                    crowd.spawn(async move {
                        if copy % 2 == 0 {
                            assert_eq!(rig.deliver(&message).await, StatusCode::OK);
                        } else {
                            rig.enqueue(&message.to_string()).await;
                        }
                    });
                }
            }
        }
        crowd.join_all().await;
        eventually(PATIENCE, || async { (rig.count("events").await == JOBS as i64 * 4).then_some(()) }).await;
        let mut ends = BTreeMap::new();
        let mut starts = BTreeMap::new();
        for result in rig.results().await {
            let counts = if result.state == FileState::Complete { &mut ends } else { &mut starts };
            *counts.entry(result.job_id).or_insert(0) += 1;
        }
        assert_eq!(ends.len(), JOBS);
        assert!(ends.values().all(|count| *count == 1), "{ends:?}");
        // The start, and the warning where it came after it.
        assert!(starts.values().all(|count| (1..=2).contains(count)), "{starts:?}");
    }
}

/// local-cloud's own SNS signs what it hands on, so that the two check each other.
#[tokio::test]
async fn what_a_real_topic_hands_to_a_queue_passes_the_door_too() {
    let rig = Rig::start_on_local_cloud(TestDatabase::sqlite()).await;
    let aws = rig.world.aws();
    let arn = "arn:aws:sqs:us-east-1:000000000000:witness";
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
        "Resource": arn, "Condition": {"ArnEquals": {"aws:SourceArn": TOPIC}},
    }]});
    let create = aws.sqs.create_queue().queue_name("witness");
    create.attributes(QueueAttributeName::Policy, policy.to_string()).send().await.unwrap();
    aws.sns.subscribe().topic_arn(TOPIC).protocol("sqs").endpoint(arn).send().await.unwrap();
    let mut jobs = Vec::new();
    for version in ["1", "2"] {
        let set = aws.sns.set_topic_attributes().topic_arn(TOPIC).attribute_name("SignatureVersion");
        set.attribute_value(version).send().await.unwrap();
        for subject in [None, Some("Amazon Elastic Transcoder has finished transcoding job 1.")] {
            let job = Job::new();
            let publish = aws.sns.publish().topic_arn(TOPIC).message(job.event("COMPLETED"));
            publish.set_subject(subject.map(str::to_owned)).send().await.unwrap();
            let envelope = rig.take_until("witness", |bodies| !bodies.is_empty()).await.remove(0);
            let message: Value = serde_json::from_str(&envelope).unwrap();
            assert_eq!(message["SignatureVersion"], version);
            // It came by the queue as well, or will: one of the two is a duplicate.
            assert_eq!(rig.post(TOPIC, envelope).send().await.unwrap().status(), StatusCode::OK);
            let mut altered = message;
            altered["Message"] = Job::new().event("COMPLETED").into();
            assert_eq!(rig.deliver(&altered).await, StatusCode::FORBIDDEN);
            jobs.push(job.id);
        }
    }
    let told: Vec<_> = take_ended(&rig, jobs.len()).await;
    jobs.sort();
    assert_eq!(told, jobs);
    assert_eq!(rig.count("events").await, jobs.len() as i64);
}

async fn take_ended(rig: &Rig, many: usize) -> Vec<String> {
    let name = rig.world.names().full(names::RESULTS_UPLOADS);
    let bodies = rig.take_until(&name, |bodies| bodies.len() >= many).await;
    let decode = |body: &String| common::TranscodeResult::decode(body).unwrap().job_id;
    let mut jobs: Vec<_> = bodies.iter().map(decode).collect();
    jobs.sort();
    jobs
}
