//! Bodies over a bare connection: cut off, stuck, or too many.

use std::time::Duration;

use reqwest::StatusCode;
use runtime::{Platform, Shutdown};
use testing::eventually;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{App, MIB, PATIENCE, app, apps, media};

/// Sends a request's head and what there is of its body.
async fn send(app: &App, headers: &str, body: &[u8]) -> TcpStream {
    let address = app.base.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let token = app.issuer.token("alice");
    let head = format!(
        "POST /v1/files?filename=a.mp3 HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n{headers}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    stream
}

/// The status line of the answer; empty when the connection ends without one.
async fn status(stream: &mut TcpStream) -> String {
    let mut answer = [0; 64];
    let read = tokio::time::timeout(PATIENCE, stream.read(&mut answer)).await.expect("an answer or an end");
    let answer = String::from_utf8_lossy(&answer[..read.unwrap_or(0)]).into_owned();
    answer.lines().next().unwrap_or_default().to_owned()
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// Waits until the body is so far that S3 has an upload in parts.
async fn in_parts(app: &App) {
    eventually(PATIENCE, || async { (app.uploads_in_parts().await > 0).then_some(()) }).await;
}

#[tokio::test]
async fn a_body_that_is_cut_off_leaves_nothing() {
    for app in apps().await {
        let body = media(9 * MIB);
        let form =
            [&b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\n\r\n"[..], &body].concat();
        let declared = format!("Content-Length: {}", 30 * MIB);
        let in_form = format!("{declared}\r\nContent-Type: multipart/form-data; boundary=b");
        let cases =
            [(declared.as_str(), body.clone()), ("Transfer-Encoding: chunked", chunk(&body)), (in_form.as_str(), form)];
        for (headers, body) in cases {
            let stream = send(&app, headers, &body).await;
            in_parts(&app).await;
            drop(stream);
            app.assert_clean(headers).await;
        }
    }
}

#[tokio::test]
async fn a_small_body_that_is_cut_off_leaves_nothing() {
    let app = app(|_| {}).await;
    for (headers, body) in [("Content-Length: 5000", media(2500)), ("Transfer-Encoding: chunked", chunk(&media(2500)))]
    {
        let mut stream = send(&app, headers, &body).await;
        stream.shutdown().await.unwrap();
        let status = status(&mut stream).await;
        assert!(status.is_empty() || status.contains(" 400 "), "{status}");
        app.assert_clean(headers).await;
    }
}

#[tokio::test]
async fn a_body_that_stops_coming_is_given_up() {
    let app = app(|config| config.body_idle_seconds = 1).await;
    for body in [&b""[..], &media(500), &media(9 * MIB)] {
        let mut stream = send(&app, "Content-Length: 10000000", body).await;
        assert_eq!(status(&mut stream).await, "HTTP/1.1 408 Request Timeout");
        app.assert_clean("idle").await;
    }
}

#[tokio::test]
async fn more_bodies_than_places_are_sent_away() {
    let app = app(|config| config.uploads_at_once = 1).await;
    let first = send(&app, &format!("Content-Length: {}", 30 * MIB), &media(9 * MIB)).await;
    in_parts(&app).await;
    let second = app.post("alice", "?filename=b.mp3", media(100)).await;
    assert_eq!(second.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(second.headers().contains_key("retry-after"));
    drop(first);
    app.assert_clean("the first one broke off").await;
    app.upload("alice", "c.mp3").await;
}

#[tokio::test]
async fn one_user_cannot_hold_every_place() {
    let app = app(|config| config.uploads_per_user = 1).await;
    let first = send(&app, &format!("Content-Length: {}", 30 * MIB), &media(9 * MIB)).await;
    in_parts(&app).await;
    let second = app.post("alice", "?filename=b.mp3", media(100)).await;
    assert!(second.headers().contains_key("retry-after"));
    let said = crate::support::detail(second, 429).await;
    assert!(said.contains("uploading 1 files already"), "{said}");
    app.upload("bob", "c.mp3").await;
    drop(first);
    eventually(PATIENCE, || async {
        let response = app.post("alice", "?filename=d.mp3", media(100)).await;
        (response.status() == StatusCode::CREATED).then_some(())
    })
    .await;
}

/// A client that asks first is told before it sends anything (RFC 9110, 10.1.1).
#[tokio::test]
async fn a_client_that_asks_first_is_refused_at_once() {
    let app = app(|config| config.max_upload_bytes = 1000).await;
    let mut stream = send(&app, "Expect: 100-continue\r\nContent-Length: 2000", b"").await;
    let mut answer = String::new();
    // Whether its body follows is open, so nothing more is read: the connection ends.
    let read = tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer));
    read.await.expect("the connection ends").unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 Payload Too Large"), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
    let mut stream = send(&app, "Expect: 100-continue\r\nContent-Length: 900", b"").await;
    assert_eq!(status(&mut stream).await, "HTTP/1.1 100 Continue");
    stream.write_all(&media(900)).await.unwrap();
    // The interim answer ends with an empty line, which may come by itself.
    let mut answer = String::new();
    while answer.is_empty() {
        answer = status(&mut stream).await;
    }
    assert_eq!(answer, "HTTP/1.1 201 Created");
}

#[tokio::test]
async fn a_process_that_stops_gives_a_body_up() {
    let mut app = app(|_| {}).await;
    // A life of its own: the store goes on.
    let platform = Platform { shutdown: Shutdown::new(), ..app.world.platform().clone() };
    let config = upload_api::Config::new(app.database.args(), app.issuer.auth_args());
    app.base = app.world.serve(upload_api::start(config, &platform).await.unwrap()).await;
    let _stream = send(&app, &format!("Content-Length: {}", 30 * MIB), &media(9 * MIB)).await;
    in_parts(&app).await;
    platform.shutdown.finish(Duration::from_millis(100)).await.unwrap();
    assert_eq!(app.uploads_in_parts().await, 0);
    assert_eq!(app.count("files").await, 0);
    // A call to S3 was dropped, and may yet have an effect: the sweep looks again in an hour.
    assert_eq!(app.count("uploads WHERE abandoned = 1").await, 1);
}
