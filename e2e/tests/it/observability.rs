//! A Prometheus that scrapes a running system: every query of the dashboard returns data, every alert can be evaluated, and
//! what is measured is what the documentation lists.

mod prometheus;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use testing::media;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::up::Up;
use prometheus::Prometheus;

/// How long files are sent until everything has been seen once. The slowest is the sweep of the transcoder, every ten seconds.
const PATIENCE: Duration = Duration::from_secs(180);
/// What Grafana puts there: at least four scrapes.
const RATE_INTERVAL: &str = "1m";

/// A file of `deploy/observability`.
fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/observability").join(path)
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Title and query of everything that the dashboard shows.
fn queries() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&text(&file("grafana/dashboards/segue.json"))).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| {
        let title = panel["title"].as_str().unwrap();
        panel["targets"].as_array().into_iter().flatten().map(move |target| (title, target["expr"].as_str().unwrap()))
    });
    let found: Vec<_> =
        targets.map(|(title, query)| (title.to_owned(), query.replace("$__rate_interval", RATE_INTERVAL))).collect();
    assert!(found.len() > 30, "the dashboard has only {} queries", found.len());
    found
}

/// Somebody's own system, which takes every webhook.
async fn take_webhooks(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut bytes = [0; 64 * 1024];
            // What Segue posts is short, and whatever of it comes first is enough to answer it.
            if stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {
                let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await;
            }
        });
    }
}

#[tokio::test]
async fn every_query_of_the_dashboard_has_data_and_every_alert_can_be_evaluated() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let receiver = listener.local_addr().unwrap().to_string();
    tokio::spawn(take_webhooks(listener));
    let up = Up::start_with(&data, &[("SEGUE_WEBHOOK_PRIVATE_HOSTS", receiver.as_str())]);
    let prometheus = Prometheus::start(directory.path(), &up.url, &file("alerts.yml")).await;
    let alice = Arc::new(up.api(&data, "alice"));
    let webhook = json!({ "url": format!("http://{receiver}/"), "events": ["file.complete"] });
    assert!(alice.post("/v1/webhooks").json(&webhook).send().await.unwrap().status().is_success());
    let _stream = alice.stream().await;

    // A rate needs a step between two scrapes, so files are sent until every query has seen one.
    let mp3 = media::mp3(directory.path(), 2.0);
    let deadline = Instant::now() + PATIENCE;
    let mut empty = queries();
    while !empty.is_empty() {
        assert!(Instant::now() < deadline, "no data for {empty:#?}\n{}", scrape(&up.url).await);
        let sent = alice.upload_form(&mp3).await;
        alice.done(sent["id"].as_str().unwrap()).await;
        let mut still = Vec::new();
        for (title, query) in empty {
            if !prometheus.has_data(&query).await {
                still.push((title, query));
            }
        }
        empty = still;
    }

    let rules = prometheus.evaluated_rules().await;
    let text = scrape(&up.url).await;
    check_names(&text, &rules);
    for secret in ["alice", receiver.as_str()] {
        assert!(!text.contains(secret), "{secret} is in\n{text}");
    }
    assert!(up.process.terminate(), "segue up stops with success");
}

async fn scrape(url: &str) -> String {
    let answer = reqwest::get(format!("{url}/metrics")).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    answer.text().await.unwrap()
}

/// What is measured has a description and stands in the documentation, and alerts ask for nothing else.
fn check_names(metrics: &str, rules: &[String]) {
    let second = |line: &str| line.split(' ').nth(2).unwrap().to_owned();
    let of = |kind: &str| metrics.lines().filter(|line| line.starts_with(kind)).map(second).collect::<BTreeSet<_>>();
    let (typed, described) = (of("# TYPE "), of("# HELP "));
    assert_eq!(typed.difference(&described).collect::<Vec<_>>(), Vec::<&String>::new(), "without a description");
    let operations = text(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md"));
    let missing: Vec<_> = typed.iter().filter(|name| !operations.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "not in docs/operations.md: {missing:?}");

    let alerts = text(&file("alerts.yml"));
    let tests = text(&file("alerts.test.yml"));
    for name in alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(tests.contains(&format!("alertname=\"{name}\"")), "{name} is not tested");
        assert!(operations.contains(&format!("`{name}`")), "{name} is not in docs/operations.md");
    }
    // A rule's own words: functions and labels begin otherwise.
    let families = ["http_", "queue_", "outbox_", "transcoder_", "uploads_", "message_", "notification_", "webhook_"];
    let words = rules.iter().flat_map(|rule| rule.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')));
    for word in words.filter(|word| families.iter().any(|family| word.starts_with(family))) {
        let name = word.trim_end_matches("_bucket").trim_end_matches("_sum");
        assert!(typed.contains(name), "an alert asks for {word}, which nobody measures");
    }
}
