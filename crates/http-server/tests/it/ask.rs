//! What a health check is told.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr},
};

use axum::{Router, http::StatusCode, routing::get};
use http_server::{Limits, ask, serve};
use tokio::{io::AsyncWriteExt, net::TcpListener};

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[tokio::test]
async fn the_status_is_given_back() {
    let (listener, port) = listener().await;
    let bad = || async { StatusCode::SERVICE_UNAVAILABLE };
    let router = Router::new().route("/good", get(|| async { "ok" })).route("/bad", get(bad));
    tokio::spawn(serve(listener, router, Limits::default(), std::future::pending()));
    // As in `--listen 0.0.0.0:8080`.
    let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    assert_eq!(ask(everywhere, "/good").await.unwrap(), 200);
    assert_eq!(ask(everywhere, "/bad").await.unwrap(), 503);
}

#[tokio::test]
async fn nobody_there_is_an_error() {
    let (listener, port) = listener().await;
    drop(listener);
    let error = ask(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), "/").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn another_protocol_is_an_error() {
    let (listener, port) = listener().await;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"220 mail.example.org ESMTP\r\n").await.unwrap();
        // Held open until the test ends.
        std::future::pending::<()>().await;
    });
    let error = ask(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), "/").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
}
