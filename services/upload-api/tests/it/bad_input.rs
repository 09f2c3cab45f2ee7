//! Requests that are refused, and leave nothing behind.

use std::{convert::Infallible, io};

use bytes::Bytes;
use futures::stream;
use reqwest::{Body, Method, StatusCode};

use crate::support::{App, MIB, app, apps, detail, media};

const FORM: &str = "multipart/form-data; boundary=b";

/// A form of parts, each with its disposition.
fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (disposition, content) in parts {
        body.extend(format!("--b\r\nContent-Disposition: form-data; {disposition}\r\n\r\n").bytes());
        body.extend(*content);
        body.extend(b"\r\n");
    }
    body.extend(b"--b--\r\n");
    body
}

/// Sends a body under a content type; gives the problem's detail.
async fn refuse(app: &App, query: &str, content_type: &str, body: impl Into<Body>, status: u16) -> String {
    let request = app.request(Method::POST, "alice", &format!("/v1/files{query}")).header("content-type", content_type);
    detail(request.body(body).send().await.unwrap(), status).await
}

/// A body that does not say how long it is.
fn unsized_body(length: usize) -> Body {
    let chunk = Bytes::from(media(64 * 1024));
    Body::wrap_stream(stream::iter((0..length / chunk.len()).map(move |_| Ok::<_, Infallible>(chunk.clone()))))
}

#[tokio::test]
async fn raw_bodies_that_are_no_media() {
    for app in apps().await {
        let media = media(2000);
        let long = format!("?filename={}.mp3", "x".repeat(300));
        let text = "a text file that calls itself music\n".repeat(50);
        let cases: Vec<(&str, &str, Vec<u8>, u16, &str)> = vec![
            ("empty", "?filename=a.mp3", vec![], 422, "The file is empty."),
            ("text", "?filename=a.mp3", text.into_bytes(), 415, "This looks like text, not audio or video."),
            ("no name", "", media.clone(), 400, "Say what the file is called: ?filename="),
            ("empty name", "?filename=", media.clone(), 422, "The file name is empty."),
            ("path", "?filename=..%2F..%2Fetc%2Fpasswd", media.clone(), 422, "The file name must not contain a path."),
            ("NUL", "?filename=a%00.mp3", media.clone(), 422, "The file name contains a control character."),
            (
                "no UTF-8",
                "?filename=a%ff.mp3",
                media.clone(),
                400,
                "The query is not UTF-8. Percent-encode the file's name as UTF-8.",
            ),
            (
                "direction",
                "?filename=a%E2%80%AE3pm.exe",
                media.clone(),
                422,
                "The file name contains a character that turns the direction of writing.",
            ),
            ("long name", &long, media.clone(), 422, "The file name is longer than 255 bytes."),
            (
                "profile",
                "?filename=a.mp3&profile=video",
                media,
                422,
                "There is an unknown profile; known profiles: audio.",
            ),
        ];
        for (case, query, body, status, expected) in cases {
            assert_eq!(refuse(&app, query, "application/octet-stream", body, status).await, expected, "{case}");
            app.assert_clean(case).await;
        }
    }
}

#[tokio::test]
async fn a_body_in_a_content_coding_is_no_media() {
    let app = app(|_| {}).await;
    let request = app.request(Method::POST, "alice", "/v1/files?filename=a.mp3").header("content-encoding", "gzip");
    let response = request.body(media(20 * MIB)).send().await.unwrap();
    assert_eq!(response.headers()["accept-encoding"], "identity");
    assert_eq!(detail(response, 415).await, "Send the file's bytes as they are, without a Content-Encoding.");
    app.assert_clean("gzip").await;
    let request = app.request(Method::POST, "alice", "/v1/files?filename=a.mp3").header("content-encoding", "identity");
    assert_eq!(request.body(media(2000)).send().await.unwrap().status(), StatusCode::CREATED);
}

#[tokio::test]
async fn forms_that_are_none() {
    let app = app(|_| {}).await;
    let media = media(2000);
    let file = ("name=\"file\"; filename=\"a.mp3\"", media.as_slice());
    let two = form(&[file, file]);
    let cut = form(&[file])[..1000].to_vec();
    let unclosed = two[..two.len() - 4].to_vec();
    let path = form(&[("name=\"file\"; filename=\"../a.mp3\"", &media)]);
    let beside = vec![b'x'; 3 * MIB];
    let cases: Vec<(&str, &str, Vec<u8>, u16, &str)> = vec![
        ("no boundary", "multipart/form-data", form(&[file]), 400, "The multipart form is malformed."),
        (
            "other boundary",
            "multipart/form-data; boundary=c",
            form(&[file]),
            400,
            "The multipart form is cut off or malformed.",
        ),
        ("not a form", FORM, media.clone(), 400, "The multipart form is cut off or malformed."),
        ("nothing", FORM, vec![], 400, "The multipart form is cut off or malformed."),
        ("no file", FORM, form(&[("name=\"other\"; filename=\"a.mp3\"", &media)]), 400, "The form has no part `file`."),
        ("no name", FORM, form(&[("name=\"file\"", &media)]), 400, "The part `file` has no filename."),
        ("two files", FORM, two, 400, "The form has more than one part `file`. Send one file at a time."),
        ("cut", FORM, cut, 400, "The multipart form is cut off or malformed."),
        ("unclosed", FORM, unclosed, 400, "The form has more than one part `file`. Send one file at a time."),
        ("path", FORM, path, 422, "The file name must not contain a path."),
        ("empty file", FORM, form(&[("name=\"file\"; filename=\"a.mp3\"", b"")]), 422, "The file is empty."),
        ("much beside", FORM, form(&[("name=\"x\"", &beside), file]), 400, "The form has too much beside the file."),
        ("much behind", FORM, form(&[file, ("name=\"x\"", &beside)]), 400, "The form has too much beside the file."),
    ];
    for (case, content_type, body, status, expected) in cases {
        assert_eq!(refuse(&app, "", content_type, body, status).await, expected, "{case}");
        app.assert_clean(case).await;
    }
    let endless = [b"--b\r\nContent-Disposition: form-data; name=\"".to_vec(), vec![b'x'; 3 * MIB]].concat();
    assert_eq!(refuse(&app, "", FORM, endless, 400).await, "The form has too much beside the file.");
    app.assert_clean("a header without end").await;
}

#[tokio::test]
async fn files_over_the_limit() {
    let app = app(|config| config.max_upload_bytes = 20 * MIB as u64).await;
    let octets = "application/octet-stream";
    let expected = "The file is larger than 20971520 bytes.";
    // Said in advance; found out after two parts were sent; in a form, which may be a little longer.
    assert_eq!(refuse(&app, "?filename=a.mp3", octets, media(20 * MIB + 1), 413).await, expected);
    app.assert_clean("declared").await;
    assert_eq!(refuse(&app, "?filename=a.mp3", octets, unsized_body(21 * MIB), 413).await, expected);
    app.assert_clean("streamed").await;
    let form = form(&[("name=\"file\"; filename=\"a.mp3\"", &media(20 * MIB + 1))]);
    assert_eq!(refuse(&app, "", FORM, form, 413).await, expected);
    app.assert_clean("form").await;
    let exact = app.post("alice", "?filename=a.mp3", media(20 * MIB)).await;
    assert_eq!(exact.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn a_sender_that_breaks_off_in_parts_leaves_none() {
    let app = app(|_| {}).await;
    let chunk = Bytes::from(media(MIB));
    let chunks = (0..20).map(move |_| Ok(chunk.clone())).chain([Err(io::Error::other("gone"))]);
    let request = app.request(Method::POST, "alice", "/v1/files?filename=a.mp3");
    let result = request.body(Body::wrap_stream(stream::iter(chunks))).send().await;
    assert!(result.is_err(), "the client broke off");
    app.assert_clean("broken off").await;
}
