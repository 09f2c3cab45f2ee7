//! The bounds, seen from plain sockets.

mod ask;

use std::{net::SocketAddr, time::Duration};

use axum::{Router, routing::get};
use http_server::{Limits, serve};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// Long enough for anything that must happen on a busy machine.
const DEADLINE: Duration = Duration::from_secs(20);
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";

struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(router: Router, limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let task = tokio::spawn(serve(listener, router, limits, stop.clone().cancelled_owned()));
        Self { address, stop, task }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

/// Everything until the server closes the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    timeout(DEADLINE, stream.read_to_string(&mut text)).await.expect("the server closes it").unwrap();
    text
}

/// Reads until the answer's body has come.
async fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"hello") {
        let read = timeout(DEADLINE, stream.read_buf(&mut bytes)).await.expect("an answer").unwrap();
        assert_ne!(read, 0, "closed after {:?}", String::from_utf8_lossy(&bytes));
    }
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let limits = Limits { head: Duration::from_millis(200), ..Limits::default() };
    let server = Server::start(hello(), limits).await;
    let mut silent = server.connect().await;
    assert_eq!(rest(&mut silent).await, "");
    let mut half = server.connect().await;
    half.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
    assert_eq!(rest(&mut half).await, "");
    let mut idle = server.connect().await;
    idle.write_all(REQUEST).await.unwrap();
    assert!(rest(&mut idle).await.starts_with("HTTP/1.1 200"), "one answer, then closed for idleness");
}

#[tokio::test]
async fn a_request_in_hand_is_not_held_to_the_time_for_heads() {
    let slow = get(|| async {
        tokio::time::sleep(Duration::from_millis(600)).await;
        "hello"
    });
    let limits = Limits { head: Duration::from_millis(200), ..Limits::default() };
    let server = Server::start(Router::new().route("/", slow), limits).await;
    let mut stream = server.connect().await;
    stream.write_all(REQUEST).await.unwrap();
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn one_connection_too_many_waits_for_a_place() {
    let server = Server::start(hello(), Limits { connections: 2, ..Limits::default() }).await;
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    for stream in [&mut first, &mut second] {
        stream.write_all(REQUEST).await.unwrap();
        answer(stream).await;
    }
    let mut third = server.connect().await;
    third.write_all(REQUEST).await.unwrap();
    let early = timeout(Duration::from_millis(300), answer(&mut third)).await;
    assert!(early.is_err(), "the third is served while two others hold the places");
    drop(first);
    assert!(answer(&mut third).await.starts_with("HTTP/1.1 200"));
    // The one that stayed is served as before.
    second.write_all(REQUEST).await.unwrap();
    answer(&mut second).await;
}

#[tokio::test]
async fn a_stop_ends_idle_connections_and_waits_for_requests() {
    static ARRIVED: Notify = Notify::const_new();
    static GO: Notify = Notify::const_new();
    let held = get(|| async {
        ARRIVED.notify_one();
        GO.notified().await;
        "hello"
    });
    let server = Server::start(Router::new().route("/", held), Limits::default()).await;
    let (mut idle, mut busy) = (server.connect().await, server.connect().await);
    busy.write_all(REQUEST).await.unwrap();
    timeout(DEADLINE, ARRIVED.notified()).await.expect("the request arrives");
    server.stop.cancel();
    assert_eq!(rest(&mut idle).await, "");
    assert!(!server.task.is_finished());
    GO.notify_one();
    let text = rest(&mut busy).await;
    assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("hello"), "{text}");
    timeout(DEADLINE, server.task).await.expect("the server ends").unwrap();
}

/// On other systems a client may take nothing of an answer for as long as it likes.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_answer_that_nobody_takes_is_given_up() {
    static GIVEN_UP: Notify = Notify::const_new();
    struct Endless;
    impl Drop for Endless {
        fn drop(&mut self) {
            GIVEN_UP.notify_one();
        }
    }
    let endless = get(|| async {
        let chunks = futures::stream::repeat_with({
            let body = Endless;
            move || {
                let _ = &body;
                Ok::<_, std::convert::Infallible>(vec![0_u8; 64 * 1024])
            }
        });
        axum::body::Body::from_stream(chunks)
    });
    let limits = Limits { stall: Duration::from_millis(300), ..Limits::default() };
    let server = Server::start(Router::new().route("/", endless), limits).await;
    let mut reader = server.connect().await;
    reader.write_all(REQUEST).await.unwrap();
    timeout(DEADLINE, GIVEN_UP.notified()).await.expect("the server gives up");
    drop(reader);
}
