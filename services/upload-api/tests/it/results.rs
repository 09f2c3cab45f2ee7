//! Results that move files on.

use common::{FileId, FileState, OutputState, ResultError, TranscodeResult};
use serde_json::{Value, json};
use testing::eventually;

use crate::support::{App, PATIENCE, apps, result};

async fn send(app: &App, id: FileId, state: FileState, output: OutputState) {
    app.send_result(&result(id, state, output).encode()).await;
}

/// Waits until all that was sent has been handled.
async fn drained(app: &App) {
    let url = app.queue_url("segue-results-uploads").await;
    eventually(PATIENCE, || async {
        use aws_sdk_sqs::types::QueueAttributeName::{
            ApproximateNumberOfMessages as Visible, ApproximateNumberOfMessagesNotVisible as Hidden,
        };
        let request = app.world.aws().sqs.get_queue_attributes().queue_url(&url);
        let found = request.attribute_names(Visible).attribute_names(Hidden).send().await.unwrap();
        let zero = |name| found.attributes().unwrap().get(&name).is_some_and(|count| count == "0");
        (zero(Visible) && zero(Hidden)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn progress_only_grows_and_is_whole_at_the_end_alone() {
    for app in apps().await {
        let id = app.upload("alice", "song.mp3").await;
        let told = async |progress: Option<u8>| {
            let told = TranscodeResult { progress, ..result(id, FileState::Transcoding, OutputState::Pending) };
            app.send_result(&told.encode()).await;
            drained(&app).await;
            app.file("alice", id).await["progress"].clone()
        };
        assert_eq!(told(Some(40)).await, 40, "the first that is heard of it");
        for (progress, expected) in [(Some(10), 40), (None, 40), (Some(55), 55), (Some(55), 55), (Some(255), 99)] {
            assert_eq!(told(progress).await, expected, "{progress:?}");
        }
        send(&app, id, FileState::Complete, OutputState::Complete).await;
        let complete = app.file_when(id, |file| file["state"] == "complete").await;
        assert_eq!(complete["progress"], 100);
        assert_eq!(told(Some(70)).await, 100);
        assert_eq!(app.file("alice", id).await, complete, "a late one changes nothing, not even the time");
    }
}

#[tokio::test]
async fn a_file_moves_to_complete_and_stays_there() {
    for app in apps().await {
        let id = app.upload("alice", "song.mp3").await;
        send(&app, id, FileState::Transcoding, OutputState::Pending).await;
        let file = app.file_when(id, |file| file["state"] == "transcoding").await;
        assert_eq!(file["progress"], 0);
        send(&app, id, FileState::Complete, OutputState::Complete).await;
        let complete = app.file_when(id, |file| file["state"] == "complete").await;
        assert_eq!((&complete["progress"], &complete["error"]), (&json!(100), &Value::Null));
        let output = |name: &str, content_type: &str| {
            json!({"name": name, "content_type": content_type, "size": 2048, "duration_ms": 1042,
                   "state": "complete", "error": null})
        };
        let outputs = json!([output("wav", "audio/wav"), output("flac", "audio/flac"), output("mp4", "audio/mp4")]);
        assert_eq!(complete["outputs"], outputs);
        // Late ones and second ones change nothing, not even the time.
        send(&app, id, FileState::Transcoding, OutputState::Pending).await;
        send(&app, id, FileState::Error, OutputState::Error).await;
        send(&app, id, FileState::Complete, OutputState::Complete).await;
        drained(&app).await;
        assert_eq!(app.file("alice", id).await, complete);
    }
}

#[tokio::test]
async fn a_completion_may_overtake_the_start() {
    for app in apps().await {
        let id = app.upload("alice", "song.mp3").await;
        send(&app, id, FileState::Complete, OutputState::Complete).await;
        app.file_when(id, |file| file["state"] == "complete").await;
    }
}

#[tokio::test]
async fn a_failure_says_why_and_leaves_nothing_pending() {
    for app in apps().await {
        let id = app.upload("alice", "song.mp3").await;
        let mut failed = result(id, FileState::Error, OutputState::Error);
        let message = "The file could not be read as audio or video.".to_owned();
        failed.error = Some(ResultError { code: 4000, message: message.clone() });
        failed.outputs.truncate(1);
        failed.outputs[0].error = Some(ResultError { code: 3002, message: "There is such an object.".to_owned() });
        app.send_result(&failed.encode()).await;
        let file = app.file_when(id, |file| file["state"] == "error").await;
        let error = json!({"code": 4000, "message": message});
        assert_eq!(file["error"], error);
        assert_eq!(file["outputs"][0]["error"], json!({"code": 3002, "message": "There is such an object."}));
        for output in &file["outputs"].as_array().unwrap()[1..] {
            assert_eq!((&output["state"], &output["error"]), (&json!("error"), &error));
        }
    }
}

#[tokio::test]
async fn a_size_that_is_not_told_is_looked_up() {
    for app in apps().await {
        let id = app.upload("alice", "song.mp3").await;
        app.put(&format!("transcoded/{id}/audio.wav"), vec![7; 777]).await;
        let mut done = result(id, FileState::Complete, OutputState::Complete);
        done.outputs.iter_mut().for_each(|output| output.size = None);
        app.send_result(&done.encode()).await;
        let file = app.file_when(id, |file| file["state"] == "complete").await;
        assert_eq!((&file["outputs"][0]["size"], &file["outputs"][1]["size"]), (&json!(777), &Value::Null));
    }
}

#[tokio::test]
async fn what_cannot_be_read_goes_to_the_dead_letters_and_the_rest_goes_on() {
    for app in apps().await {
        let id = app.upload("alice", "song.mp3").await;
        app.send_result("{\"kind\":\"nonsense\"}").await;
        send(&app, FileId::generate(), FileState::Complete, OutputState::Pending).await;
        send(&app, id, FileState::Complete, OutputState::Complete).await;
        app.file_when(id, |file| file["state"] == "complete").await;
        assert_eq!(app.receive("segue-results-uploads-dlq").await, "{\"kind\":\"nonsense\"}");
        drained(&app).await;
        assert_eq!(app.count("files").await, 1);
    }
}
