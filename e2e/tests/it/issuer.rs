//! `segue issuer`: who signs tokens when the services run apart.

use std::{
    net::TcpListener,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::Value;
use testing::eventually;

use crate::binaries::{self, Process};

fn segue(words: &[&str], address: &str, data: &std::path::Path) -> Command {
    let mut command = Command::new(binaries::path("segue"));
    command.args(words).env("SEGUE_DATA_DIR", data).env("SEGUE_LISTEN", address);
    command
}

#[tokio::test]
async fn its_keys_are_those_of_the_token_and_it_tells_its_health() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("issuer");
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let is = |question: &str| {
        segue(&["issuer", question], &address, &data).stderr(Stdio::null()).status().unwrap().success()
    };
    assert!(!is("--health") && !is("--health=live"), "nothing runs yet");

    let issuer = Process(segue(&["issuer"], &address, &data).spawn().unwrap());
    eventually(Duration::from_secs(30), || async { is("--health").then_some(()) }).await;
    assert!(is("--health=live") && is("--health=ready"));
    let token = segue(&["token", "alice"], &address, &data).output().unwrap();
    assert!(token.status.success());
    let token = String::from_utf8(token.stdout).unwrap();
    let header = jsonwebtoken::decode_header(token.trim()).unwrap();
    let url = format!("http://{address}/.well-known/jwks.json");
    let keys: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    assert_eq!(keys["keys"][0]["kid"], header.kid.unwrap());
    assert!(keys["keys"][0]["d"].is_null(), "the private part stays where it is");

    assert!(issuer.terminate());
    assert!(!is("--health"));
}
