//! Files that are taken.

use bytes::Bytes;
use common::{Profile, TranscodeRequest, event::V1};
use futures::stream;
use reqwest::{
    Method, StatusCode,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use crate::support::{MIB, app, apps, id, media};

#[tokio::test]
async fn a_form_becomes_a_file_and_a_request() {
    for app in apps().await {
        let directory = tempfile::tempdir().unwrap();
        let song = std::fs::read(testing::media::mp3(directory.path(), 0.5)).unwrap();
        let part = Part::bytes(song.clone()).file_name("Jóga – 夜.mp3").mime_str("audio/mpeg").unwrap();
        let form = Form::new().text("title", "beside the file").part("file", part).text("album", "behind it");
        let request = app.request(Method::POST, "alice", "/v1/files?profile=audio").multipart(form);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        let location = response.headers()["location"].to_str().unwrap().to_owned();
        let file: Value = response.json().await.unwrap();
        let id = id(&file);
        assert_eq!(location, format!("/v1/files/{id}"));
        let output = |name: &str, content_type: &str| {
            json!({"name": name, "content_type": content_type, "size": null, "duration_ms": null,
                   "state": "pending", "error": null})
        };
        let expected = json!({
            "id": id.to_string(), "filename": "Jóga – 夜.mp3", "content_type": "audio/mpeg", "size": song.len(),
            "profile": "audio", "state": "queued", "progress": 0,
            "outputs": [output("wav", "audio/wav"), output("flac", "audio/flac"), output("mp4", "audio/mp4")],
            "error": null, "created_at": file["created_at"], "updated_at": file["created_at"],
        });
        assert_eq!(file, expected);
        assert_eq!(app.file("alice", id).await, expected);
        assert_eq!(app.keys().await, [format!("media/{id}")]);
        assert_eq!(app.object(&format!("media/{id}")).await, song);
        assert_eq!(app.count("uploads").await, 0);
        let request = app.receive("segue-transcode-requests").await;
        let expected = TranscodeRequest {
            v: V1,
            file_id: id,
            owner: "alice".parse().unwrap(),
            filename: "Jóga – 夜.mp3".parse().unwrap(),
            profile: Profile::Audio,
            input_key: format!("media/{id}"),
            output_prefix: format!("transcoded/{id}/"),
        };
        assert_eq!(TranscodeRequest::decode(&request).unwrap(), expected);
    }
}

#[tokio::test]
async fn a_raw_body_is_named_in_the_query() {
    let app = app(|_| {}).await;
    let url = "/v1/files?filename=a%20b%20%2B%20J%C3%B3ga.wav";
    let request = app.request(Method::POST, "alice", url).header("content-type", "audio/wav").body(media(5000));
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    let file: Value = response.json().await.unwrap();
    assert_eq!(file["filename"], "a b + Jóga.wav");
    assert_eq!(
        (&file["content_type"], &file["size"], &file["profile"]),
        (&json!("audio/wav"), &json!(5000), &json!("audio"))
    );
    assert_eq!(app.object(&format!("media/{}", id(&file))).await, media(5000));
}

#[tokio::test]
async fn a_name_in_the_extended_form_is_understood() {
    let app = app(|_| {}).await;
    let mut body =
        b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename*=UTF-8''J%C3%B3ga.mp3\r\n\r\n".to_vec();
    body.extend(media(50));
    body.extend(b"\r\n--b--\r\n");
    let request =
        app.request(Method::POST, "alice", "/v1/files").header("content-type", "multipart/form-data; boundary=b");
    let file: Value = request.body(body).send().await.unwrap().json().await.unwrap();
    assert_eq!((&file["filename"], &file["size"]), (&json!("Jóga.mp3"), &json!(50)));
}

/// One call up to the size of a part, parts beyond; a part's end is no special place.
#[tokio::test]
async fn bytes_come_through_whole_at_every_size() {
    let app = app(|_| {}).await;
    for (size, in_parts) in [(1, false), (8 * MIB, false), (8 * MIB + 1, true), (17 * MIB, true)] {
        // 0xff is not text, whatever its length.
        let body: Vec<u8> = std::iter::once(0xff).chain(media(size)).take(size).collect();
        let response = app.post("alice", "?filename=a.mp3", body.clone()).await;
        assert_eq!(response.status(), StatusCode::CREATED);
        let key = format!("media/{}", id(&response.json().await.unwrap()));
        assert!(app.object(&key).await == body, "{size} bytes differ");
        let head = app.world.aws().s3.head_object().bucket(app.world.bucket()).key(&key).send().await.unwrap();
        assert_eq!(head.e_tag().unwrap().contains('-'), in_parts, "{size}");
    }
}

/// Client, service and store share this process: its peak bounds them all together.
#[tokio::test]
async fn memory_does_not_grow_with_the_file() {
    const CHUNK: usize = 256 * 1024;
    const CHUNKS: usize = 512;
    let app = app(|_| {}).await;
    app.upload("alice", "warm.mp3").await;
    let before = resident("VmRSS");
    let chunk = Bytes::from(media(CHUNK));
    let chunks = stream::iter((0..CHUNKS).map(move |_| Ok::<_, std::io::Error>(chunk.clone())));
    let response = app.post("alice", "?filename=long.mp3", reqwest::Body::wrap_stream(chunks)).await;
    assert_eq!(response.status(), StatusCode::CREATED);
    let file: Value = response.json().await.unwrap();
    assert_eq!(file["size"], CHUNK * CHUNKS);
    let grown = resident("VmHWM").saturating_sub(before);
    assert!(grown < 80 * MIB, "{} MiB more for a file of {} MiB", grown / MIB, CHUNK * CHUNKS / MIB);
}

/// A figure of /proc/self/status, in bytes.
fn resident(figure: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(figure)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}
