//! Downloads.

use common::{FileState, OutputState};
use reqwest::{StatusCode, Url};

use crate::support::{App, apps, detail, result};

async fn completed(app: &App, filename: &str) -> common::FileId {
    let id = app.upload("alice", filename).await;
    app.put(&format!("transcoded/{id}/audio.flac"), b"fLaC and so on".to_vec()).await;
    app.send_result(&result(id, FileState::Complete, OutputState::Complete).encode()).await;
    app.file_when(id, |file| file["state"] == "complete").await;
    id
}

#[tokio::test]
async fn an_output_downloads_under_a_good_name() {
    for app in apps().await {
        let id = completed(&app, "J%C3%B3ga.live.mp3").await;
        let response = app.get("alice", &format!("/v1/files/{id}/outputs/flac")).await;
        assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT);
        assert_eq!(response.headers()["cache-control"], "no-store");
        let link = response.headers()["location"].to_str().unwrap().to_owned();
        assert!(link.contains("X-Amz-Expires=900"), "{link}");
        // The link needs no token.
        let download = app.client.get(&link).send().await.unwrap();
        assert_eq!(download.status(), StatusCode::OK);
        let disposition = "attachment; filename=\"J_ga.live.flac\"; filename*=UTF-8''J%C3%B3ga.live.flac";
        assert_eq!(download.headers()["content-disposition"], disposition);
        assert_eq!(download.headers()["content-type"], "audio/flac");
        assert_eq!(download.bytes().await.unwrap(), "fLaC and so on");
        let forged = link.replace("Jo", "Jx").replace("audio.flac", "audio.wav");
        assert_eq!(app.client.get(&forged).send().await.unwrap().status(), StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn what_is_not_there_cannot_be_downloaded() {
    for app in apps().await {
        let id = app.upload("alice", "song.mp3").await;
        let pending = app.get("alice", &format!("/v1/files/{id}/outputs/wav")).await;
        assert_eq!(detail(pending, 409).await, "This output cannot be downloaded: its state is pending.");
        let unknown = app.get("alice", &format!("/v1/files/{id}/outputs/ogg")).await;
        assert_eq!(detail(unknown, 404).await, "There is no such output.");
    }
}

#[tokio::test]
async fn links_point_to_where_clients_reach_the_store() {
    let adjust = |config: &mut upload_api::Config| {
        config.s3_public_endpoint = Some("https://store.example:8443".parse().unwrap());
        config.presign_seconds = 60;
    };
    let app = crate::support::app(adjust).await;
    let id = completed(&app, "song.mp3").await;
    let response = app.get("alice", &format!("/v1/files/{id}/outputs/flac")).await;
    let link: Url = response.headers()["location"].to_str().unwrap().parse().unwrap();
    assert_eq!(link.origin().ascii_serialization(), "https://store.example:8443");
    assert_eq!(link.path(), format!("/{}/transcoded/{id}/audio.flac", app.world.bucket()));
    assert!(link.query().unwrap().contains("X-Amz-Expires=60"));
}
