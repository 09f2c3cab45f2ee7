//! What reaches a listener on this machine, and what does not.

use std::{
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Router, body::Body, extract::Request, response::IntoResponse};
use reqwest::dns::{Addrs, Name, Resolving};
use tokio::net::TcpListener;

use super::*;
use crate::webhooks::resolver::NoAddress;

/// Answers each lookup with the next of its lists, and the last one for ever.
struct Script(Mutex<Vec<Vec<&'static str>>>);

impl Resolve for Script {
    fn resolve(&self, _: Name) -> Resolving {
        let mut lists = self.0.lock().unwrap();
        let list = if lists.len() > 1 { lists.remove(0) } else { lists[0].clone() };
        let found: Vec<SocketAddr> = list.into_iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect();
        Box::pin(async move { Ok(Box::new(found.into_iter()) as Addrs) })
    }
}

fn poster(private: &str, lists: &[&[&'static str]]) -> Poster {
    let private = private.split(',').filter(|host| !host.is_empty());
    let args = WebhookArgs {
        webhook_private_hosts: private.map(|host| host.parse().unwrap()).collect(),
        webhook_seconds: 2,
        ..WebhookArgs::new()
    };
    let script = Script(Mutex::new(lists.iter().map(|list| list.to_vec()).collect()));
    Poster::with_resolver(&args, Arc::new(script)).unwrap()
}

/// Counts connections, whatever is said on them.
async fn counter() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::<AtomicUsize>::default();
    let counted = count.clone();
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    (port, count)
}

async fn serve(router: Router) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

async fn post(poster: &Poster, url: &str) -> Attempt {
    let secret = Secret::generate().unwrap();
    poster.post(url, &Post { id: DeliveryId::generate(), body: "{}", secrets: &[&secret] }).await
}

#[tokio::test]
async fn a_name_that_turns_to_this_machine_after_it_was_looked_at_reaches_nothing() {
    let (port, connections) = counter().await;
    let rebinding = poster("", &[&["93.184.216.34"], &["127.0.0.1"]]);
    let url = format!("https://rebinding.test:{port}/");
    assert!(rebinding.check(&url).await.is_ok(), "it was public when the webhook was made");
    let attempt = post(&rebinding, &url).await;
    assert_eq!(attempt.error.as_deref(), Some("the host is not on the public internet"));
    assert_eq!(attempt.status, None);
    assert_eq!(connections.load(Ordering::SeqCst), 0);
    // The counter does count: an allowed host is reached.
    let direct = poster(&format!("127.0.0.1:{port}"), &[&[]]);
    let _ = post(&direct, &format!("https://127.0.0.1:{port}/")).await;
    assert!(connections.load(Ordering::SeqCst) > 0);
}

#[tokio::test]
async fn one_address_that_is_not_public_spoils_the_rest() {
    let (port, connections) = counter().await;
    for lists in [["93.184.216.34", "127.0.0.1"], ["127.0.0.1", "93.184.216.34"], ["2606:4700::1111", "::1"]] {
        let mixed = poster("", &[&lists]);
        let url = format!("https://mixed.test:{port}/");
        assert_eq!(mixed.check(&url).await, Err(Refused::Address(NoAddress::NotPublic)), "{lists:?}");
        assert_eq!(post(&mixed, &url).await.status, None);
    }
    assert_eq!(poster("", &[&[]]).check("https://nowhere.test/").await, Err(Refused::Address(NoAddress::Unknown)));
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_address_in_the_url_is_looked_at_again_at_each_post() {
    let (port, connections) = counter().await;
    let none = poster("", &[&["93.184.216.34"]]);
    for host in ["127.0.0.1", "127.1", "2130706433", "[::ffff:127.0.0.1]", "[::1]"] {
        let attempt = post(&none, &format!("https://{host}:{port}/")).await;
        assert!(attempt.error.unwrap().contains("public internet"), "{host}");
    }
    assert!(post(&none, &format!("http://127.0.0.1:{port}/")).await.error.unwrap().contains("https://"));
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_is_no_success() {
    let (inside, connections) = counter().await;
    let to_inside = Router::new().fallback(move |request: Request| async move {
        let status: u16 = request.uri().path().trim_start_matches('/').parse().unwrap();
        let status = reqwest::StatusCode::from_u16(status).unwrap();
        (status, [("location", format!("http://127.0.0.1:{inside}/"))]).into_response()
    });
    let port = serve(to_inside).await;
    let poster = poster(&format!("127.0.0.1:{port},127.0.0.1:{inside}"), &[&[]]);
    for status in [301, 302, 303, 307, 308] {
        let attempt = post(&poster, &format!("http://127.0.0.1:{port}/{status}")).await;
        assert_eq!(attempt.status, Some(status));
        assert!(!attempt.succeeded());
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_answer_is_kept_up_to_a_bound_and_waited_for_up_to_a_bound() {
    let endless = Router::new().fallback(async |request: Request| match request.uri().path() {
        "/long" => Body::from_stream(futures::stream::repeat_with(|| Ok::<_, std::io::Error>("ab\0".repeat(1000)))),
        "/stalled" => Body::from_stream(futures::stream::pending::<Result<String, std::io::Error>>()),
        _ => std::future::pending().await,
    });
    let port = serve(endless).await;
    let poster = poster("127.0.0.1", &[&[]]);
    let url = |path: &str| format!("http://127.0.0.1:{port}{path}");
    let long = post(&poster, &url("/long")).await;
    let kept = long.response.as_deref().unwrap();
    assert!(long.succeeded() && kept.chars().count() == MAX_RESPONSE && !kept.contains('\0'), "{}", kept.len());
    let (stalled, start) = (post(&poster, &url("/stalled")).await, Instant::now());
    assert!(stalled.succeeded() && stalled.response.as_deref() == Some(""), "{stalled:?}");
    let silent = post(&poster, &url("/silent")).await;
    assert_eq!((silent.status, silent.succeeded()), (None, false));
    assert!(silent.latency >= Duration::from_secs(1) && start.elapsed() < Duration::from_secs(10), "{silent:?}");
}

#[tokio::test]
async fn a_target_that_is_too_busy_says_when_it_is_not() {
    let (date, far) = ("Fri, 01 Jan 2100 00:00:00 GMT", Timestamp::from_millis(4_102_444_800_000));
    let answers = Router::new().fallback(|request: Request| async move {
        let (status, value) = request.uri().path().trim_matches('/').split_once('/').unwrap();
        let value = value.replace("date", "Fri, 01 Jan 2100 00:00:00 GMT");
        (reqwest::StatusCode::from_bytes(status.as_bytes()).unwrap(), [("retry-after", value)]).into_response()
    });
    assert_eq!(httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(far.as_millis() as u64)), date);
    let port = serve(answers).await;
    let poster = poster("127.0.0.1", &[&[]]);
    let asked = async |path: &str| {
        let attempt = post(&poster, &format!("http://127.0.0.1:{port}/{path}")).await;
        attempt.not_before.map(|then| (then.as_millis() - attempt.at.as_millis()) / 1000)
    };
    for status in ["429", "503"] {
        assert!((3600..3700).contains(&asked(&format!("{status}/3600")).await.unwrap()), "{status}");
        assert!(asked(&format!("{status}/date")).await.unwrap() > 1_000_000_000, "{status}");
        assert!(asked(&format!("{status}/18446744073709551615")).await.is_some(), "however far away");
        for nonsense in ["-1", "soon", "1.5", "18446744073709551616"] {
            assert_eq!(asked(&format!("{status}/{nonsense}")).await, None, "{status} {nonsense}");
        }
    }
    for status in ["200", "400", "500"] {
        assert_eq!(asked(&format!("{status}/3600")).await, None, "{status}");
    }
}
