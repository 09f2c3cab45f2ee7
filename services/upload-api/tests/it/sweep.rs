//! What a dead process left is found, and what does not move is driven.

use common::{FileId, Timestamp, TranscodeRequest};
use testing::eventually;

use crate::support::{App, PATIENCE, apps, media};

const HOUR_MS: i64 = 60 * 60 * 1000;

/// What a process leaves that died in mid-body: its note, an upload in parts, and maybe an object.
async fn leave(app: &App, silent_for_ms: i64) -> FileId {
    let id = FileId::generate();
    let touched = Timestamp::now().as_millis() - silent_for_ms;
    let note = format!("INSERT INTO uploads (id, started_at, touched_at, abandoned) VALUES ('{id}', 0, {touched}, 0)");
    assert_eq!(app.sql(&note).await, 1);
    let key = format!("media/{id}");
    let create =
        app.world.aws().s3.create_multipart_upload().bucket(app.world.bucket()).key(&key).send().await.unwrap();
    let part = app.world.aws().s3.upload_part().bucket(app.world.bucket()).key(&key);
    let part = part.upload_id(create.upload_id().unwrap()).part_number(1).body(media(1000).into());
    part.send().await.unwrap();
    app.put(&key, media(10)).await;
    id
}

#[tokio::test]
async fn a_dead_upload_is_removed_and_a_living_one_is_not() {
    for app in apps().await {
        let file = app.upload("alice", "song.mp3").await;
        let dead = leave(&app, HOUR_MS + 1000).await;
        let alive = leave(&app, HOUR_MS / 2).await;
        app.start_again().await;
        eventually(PATIENCE, || async { (app.count("uploads").await == 1).then_some(()) }).await;
        let mut keys = [format!("media/{alive}"), format!("media/{file}")];
        keys.sort();
        assert_eq!(app.keys().await, keys, "{dead} was removed alone");
        assert_eq!(app.uploads_in_parts().await, 1);
        assert_eq!(app.count(&format!("uploads WHERE id = '{alive}'")).await, 1);
    }
}

#[tokio::test]
async fn a_file_that_stays_queued_is_asked_for_again() {
    for app in apps().await {
        let (stuck, fresh) = (app.upload("alice", "stuck.mp3").await, app.upload("alice", "fresh.mp3").await);
        let mut first = Vec::new();
        for _ in 0..2 {
            first.push(app.receive("segue-transcode-requests").await);
        }
        let aged = "UPDATE files SET created_at = created_at - 660000, drive_at = drive_at - 660000";
        assert_eq!(app.sql(&format!("{aged} WHERE id = '{stuck}'")).await, 1);
        app.start_again().await;
        let again = app.receive("segue-transcode-requests").await;
        assert!(first.contains(&again));
        assert_eq!(TranscodeRequest::decode(&again).unwrap().file_id, stuck);
        // It is not due again before it is twice as old, and the other one not yet.
        let now = Timestamp::now().as_millis();
        assert_eq!(app.count(&format!("files WHERE id = '{stuck}' AND drive_at > {}", now + 600_000)).await, 1);
        assert_eq!(app.count(&format!("files WHERE id = '{fresh}' AND driven_at = created_at")).await, 1);
    }
}
