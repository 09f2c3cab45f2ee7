//! From an upload to an unread notice and three playable files.

use std::{path::Path, time::Duration};

use reqwest::StatusCode;
use serde_json::Value;
use testing::media;

use crate::{api::Api, up::Up};

/// What a finished file's outputs must be: name, codec, and the sample rate that the preset sets, if any.
const OUTPUTS: [(&str, &str); 3] = [("wav", "pcm_s16le"), ("flac", "flac"), ("mp4", "aac")];

/// Checks a finished file through its downloads.
pub async fn check_outputs(api: &Api, file: &Value, seconds: f64, directory: &Path) {
    assert_eq!(file["state"], "complete", "{file}");
    assert_eq!(file["progress"], 100);
    let id = file["id"].as_str().unwrap();
    let names: Vec<_> = file["outputs"].as_array().unwrap().iter().map(|output| output["name"].clone()).collect();
    assert_eq!(names, ["wav", "flac", "mp4"]);
    for ((name, codec), output) in OUTPUTS.iter().zip(file["outputs"].as_array().unwrap()) {
        let (path, disposition) = api.download(id, name, directory).await;
        let probe = media::probe(&path);
        let stream = &probe["streams"][0];
        assert_eq!(stream["codec_name"], *codec);
        assert_eq!(stream["sample_rate"], "44100");
        assert_eq!(stream["channels"], 2);
        let duration: f64 = probe["format"]["duration"].as_str().unwrap().parse().unwrap();
        assert!((duration - seconds).abs() <= 0.050, "{name}: {duration} s instead of {seconds} s");
        assert_eq!(output["state"], "complete");
        assert_eq!(output["size"], std::fs::metadata(&path).unwrap().len());
        let told = output["duration_ms"].as_f64().unwrap() / 1000.0;
        assert!((told - seconds).abs() <= 0.050, "{name}: told {told} s");
        let extension = format!(".{name}");
        assert!(disposition.starts_with("attachment") && disposition.contains(&extension), "{disposition}");
    }
}

#[tokio::test]
async fn two_users_upload_and_each_finds_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let up = Up::start(&data);
    let (alice, bob) = (up.api(&data, "alice"), up.api(&data, "bob"));
    let mut alices_stream = alice.stream().await;
    let mut bobs_stream = bob.stream().await;

    let mp3 = alice.upload_form(&media::mp3(directory.path(), 3.0)).await;
    let wav = alice.upload_raw("Jóga – 夜.wav", std::fs::read(media::wav(directory.path(), 2.0)).unwrap()).await;
    let flac = bob.upload_form(&media::flac(directory.path(), 1.0)).await;
    let id = |file: &Value| file["id"].as_str().unwrap().to_owned();
    assert_eq!(mp3["filename"], "tone.mp3");
    assert!(matches!(mp3["state"].as_str(), Some("queued" | "transcoding")), "{mp3}");

    for (api, file, seconds) in [(&alice, &mp3, 3.0), (&alice, &wav, 2.0), (&bob, &flac, 1.0)] {
        let file = api.done(&id(file)).await;
        check_outputs(api, &file, seconds, directory.path()).await;
    }

    // Each user finds exactly their own notices.
    let mut texts: Vec<_> = alice.unread(2).await.iter().map(|notice| notice["text"].clone()).collect();
    texts.sort_by_key(ToString::to_string);
    assert_eq!(texts, ["Your file Jóga – 夜.wav has been processed", "Your file tone.mp3 has been processed"]);
    let bobs = bob.unread(1).await;
    assert_eq!(bobs.len(), 1);
    assert_eq!(
        (bobs[0]["text"].as_str(), &bobs[0]["file_id"]),
        (Some("Your file tone.flac has been processed"), &flac["id"])
    );

    // The streams delivered them as they came.
    for _ in 0..2 {
        let event = next(&mut alices_stream).await;
        assert!([&mp3["id"], &wav["id"]].contains(&&event["file_id"]), "{event}");
    }
    assert_eq!(next(&mut bobs_stream).await["file_id"], flac["id"]);
    assert!(bobs_stream.try_recv().is_err(), "bob was told of another's file");

    // What is read leaves the unread list, and nobody else can read it.
    let notice = bobs[0]["id"].as_str().unwrap();
    let read = format!("/v1/messages/{notice}/read");
    assert_eq!(alice.post(&read).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    assert_eq!(bob.post(&read).send().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(bob.json("/v1/messages").await["items"], Value::Array(vec![]));
    assert_eq!(bob.json("/v1/messages/unread-count").await["unread"], 0);
    assert_eq!(alice.json("/v1/messages/unread-count").await["unread"], 2);

    // Another user's file is as good as absent.
    let theirs = format!("/v1/files/{}", id(&mp3));
    assert_eq!(bob.get(&theirs).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(bob.get(&format!("{theirs}/outputs/wav")).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(bob.delete(&theirs).await, StatusCode::NOT_FOUND);
    assert_eq!(alice.delete(&theirs).await, StatusCode::NO_CONTENT);
    assert_eq!(alice.get(&theirs).await.status(), StatusCode::NOT_FOUND);
    assert!(up.process.terminate(), "segue up stops with success");
}

/// The stream is asked right after completion: a second is the promise.
async fn next(stream: &mut tokio::sync::mpsc::UnboundedReceiver<Value>) -> Value {
    let event = tokio::time::timeout(Duration::from_secs(1), stream.recv()).await;
    event.expect("the event came within a second of completion").expect("the stream goes on")
}

#[tokio::test]
async fn what_is_not_media_becomes_a_notice_that_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let up = Up::start(&data);
    let alice = up.api(&data, "alice");
    // Bytes without any structure; the first one keeps it from being text.
    let noise: Vec<u8> = (0..50_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let file = alice.upload_raw("broken.mp3", noise).await;
    let file = alice.done(file["id"].as_str().unwrap()).await;
    assert_eq!((file["state"].as_str(), file["error"]["code"].as_i64()), (Some("error"), Some(4000)), "{file}");
    let notices = alice.unread(1).await;
    assert_eq!(notices[0]["level"], "error");
    let text = notices[0]["text"].as_str().unwrap();
    assert!(text.contains("broken.mp3") && text.contains("could not be"), "{text}");
}

#[tokio::test]
async fn without_a_token_nothing_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let up = Up::start(&data);
    let client = reqwest::Client::new();
    for path in [
        "/v1/files",
        "/v1/files/x",
        "/v1/files/x/outputs/wav",
        "/v1/messages",
        "/v1/messages/unread-count",
        "/v1/messages/stream",
    ] {
        let response = client.get(format!("{}{path}", up.url)).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
    // A token of another installation is no good here.
    let elsewhere = tempfile::tempdir().unwrap();
    let other = Up::start(elsewhere.path());
    let foreign = other.api(elsewhere.path(), "alice").at(&up.url);
    assert_eq!(foreign.get("/v1/files").await.status(), StatusCode::UNAUTHORIZED);
    let ready = client.get(format!("{}/readyz", up.url)).send().await.unwrap();
    assert_eq!(ready.status(), StatusCode::OK);
    let post = client.get(format!("{}/v1/notifications/sns", up.url)).send().await.unwrap();
    assert_eq!((post.status(), post.headers()["allow"].to_str().unwrap()), (StatusCode::METHOD_NOT_ALLOWED, "POST"));
}
