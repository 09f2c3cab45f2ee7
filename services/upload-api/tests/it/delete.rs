//! Deleting files.

use common::{FileDeleted, FileState, OutputState, TranscodeRequest};
use reqwest::StatusCode;
use serde_json::Value;
use testing::eventually;

use crate::support::{App, PATIENCE, apps, result};

async fn nothing_stored(app: &App) {
    eventually(PATIENCE, || async { app.keys().await.is_empty().then_some(()) }).await;
}

#[tokio::test]
async fn a_deleted_file_is_gone_at_once_and_its_objects_soon() {
    for app in apps().await {
        let id = app.upload("alice", "song.mp3").await;
        app.put(&format!("transcoded/{id}/audio.wav"), vec![1]).await;
        app.put(&format!("transcoded/{id}/more/part.ts"), vec![1]).await;
        let path = format!("/v1/files/{id}");
        assert_eq!(app.delete("alice", &path).await.status(), StatusCode::NO_CONTENT);
        assert_eq!(app.get("alice", &path).await.status(), StatusCode::NOT_FOUND);
        assert_eq!(app.delete("alice", &path).await.status(), StatusCode::NOT_FOUND);
        let list: Value = app.get("alice", "/v1/files").await.json().await.unwrap();
        assert_eq!(list["items"], Value::Array(Vec::new()));
        nothing_stored(&app).await;
    }
}

#[tokio::test]
async fn the_other_services_are_told_of_a_deletion() {
    for app in apps().await {
        let id = app.upload("alice", "song.mp3").await;
        let names = app.world.names().clone();
        let requests = names.full("transcode-requests");
        TranscodeRequest::decode(&app.receive(&requests).await).unwrap();
        assert_eq!(app.delete("bob", &format!("/v1/files/{id}")).await.status(), StatusCode::NOT_FOUND);
        assert_eq!(app.delete("alice", &format!("/v1/files/{id}")).await.status(), StatusCode::NO_CONTENT);
        for queue in [requests, names.full("results-messages")] {
            let told = FileDeleted::decode(&app.receive(&queue).await).unwrap();
            assert_eq!((told.file_id, told.owner.as_str()), (id, "alice"), "{queue}");
        }
        // Its own word comes back to this service, and is no dead letter.
        let own = app.queue_url(&names.full("results-uploads")).await;
        eventually(PATIENCE, || async { (app.in_queue(&own).await == 0).then_some(()) }).await;
        let dead = app.queue_url(&names.dead_letters("results-uploads")).await;
        assert_eq!(app.in_queue(&dead).await, 0);
    }
}

/// The job of a deleted file may end after its objects were removed, and makes new ones.
#[tokio::test]
async fn outputs_that_come_late_are_removed_too() {
    for app in apps().await {
        let (id, kept) = (app.upload("alice", "song.mp3").await, app.upload("alice", "kept.mp3").await);
        app.delete("alice", &format!("/v1/files/{id}")).await;
        eventually(PATIENCE, || async { (app.keys().await == [format!("media/{kept}")]).then_some(()) }).await;
        app.put(&format!("transcoded/{id}/audio.wav"), vec![1]).await;
        app.send_result(&result(id, FileState::Complete, OutputState::Complete).encode()).await;
        eventually(PATIENCE, || async { (app.keys().await == [format!("media/{kept}")]).then_some(()) }).await;
        assert_eq!(app.get("alice", &format!("/v1/files/{id}")).await.status(), StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn tombstones_are_dropped_when_no_result_can_come_any_more() {
    for app in apps().await {
        let id = app.upload("alice", "song.mp3").await;
        app.upload("alice", "kept.mp3").await;
        app.delete("alice", &format!("/v1/files/{id}")).await;
        eventually(PATIENCE, || async {
            (app.count("files WHERE deleted_at IS NOT NULL AND purge_at IS NULL").await == 1).then_some(())
        })
        .await;
        app.start_again().await;
        let while_results_come = 15 * 24 * 60 * 60 * 1000;
        assert_eq!(
            app.sql(&format!("UPDATE files SET deleted_at = deleted_at - {while_results_come} WHERE id = '{id}'"))
                .await,
            1
        );
        app.start_again().await;
        eventually(PATIENCE, || async { (app.count("files").await == 1).then_some(()) }).await;
        assert_eq!(app.count("outputs").await, 3);
    }
}
