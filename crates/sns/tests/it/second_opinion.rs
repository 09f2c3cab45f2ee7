//! OpenSSL is asked about each message too: the two must agree, about what passes and about what does not.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use sns::{Envelope, Refused, Settings, Verifier};
use time::OffsetDateTime;

use crate::signer::{CERTIFICATE, Signer, text_to_sign};

const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:orders";

/// Whether OpenSSL takes the signature in `message`, under the digest of its `SignatureVersion`.
fn openssl_takes(directory: &Path, key: &Path, message: &Value) -> bool {
    let digest = if message["SignatureVersion"] == "1" { "-sha1" } else { "-sha256" };
    let signature = directory.join("signature");
    std::fs::write(&signature, BASE64_STANDARD.decode(message["Signature"].as_str().unwrap()).unwrap()).unwrap();
    let mut command = Command::new("openssl");
    command.args(["dgst", digest, "-verify"]).arg(key).arg("-signature").arg(signature);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text_to_sign(message).as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.success(), output.stdout.starts_with(b"Verified OK"));
    output.status.success()
}

/// The public key as OpenSSL reads it out of the certificate that the signer serves.
async fn public_key(signer: &Signer, directory: &Path) -> std::path::PathBuf {
    let (pem, key) = (directory.join("certificate.pem"), directory.join("key.pem"));
    let url = format!("{}{CERTIFICATE}", signer.endpoint());
    std::fs::write(&pem, reqwest::get(url).await.unwrap().bytes().await.unwrap()).unwrap();
    let output = Command::new("openssl").args(["x509", "-noout", "-pubkey", "-in"]).arg(&pem).output().unwrap();
    assert!(output.status.success());
    std::fs::write(&key, output.stdout).unwrap();
    key
}

/// A message, and what somebody may make of it.
fn variants(signed: &Value) -> Vec<Value> {
    let mut all = vec![signed.clone()];
    for (name, value) in [
        ("Message", json!("other")),
        ("Message", json!("message\nMessageId\nx")),
        ("MessageId", json!("other")),
        ("Subject", json!("other")),
        ("Subject", Value::Null),
        ("Token", json!("other")),
        ("SubscribeURL", json!("https://evil.example/")),
        ("TopicArn", json!(format!("{TOPIC}2"))),
        ("Signature", json!(BASE64_STANDARD.encode([0x5a; 256]))),
        ("Signature", json!(BASE64_STANDARD.encode([0x5a; 255]))),
        ("SignatureVersion", json!(if signed["SignatureVersion"] == "1" { "2" } else { "1" })),
    ] {
        let mut other = signed.clone();
        other[name] = value;
        all.push(other);
    }
    all
}

#[tokio::test]
async fn openssl_says_the_same() {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("not tested: there is no openssl on this machine");
        return;
    }
    let (signer, directory) = (Signer::start().await, tempfile::tempdir().unwrap());
    let key = public_key(&signer, directory.path()).await;
    let mut settings = Settings::new([TOPIC.parse().unwrap()]);
    settings.local_endpoint = Some(signer.endpoint().parse().unwrap());
    let verifier = Verifier::new(settings).unwrap();
    let mut subject = Signer::notification(TOPIC, "message\nof two lines – ünïcode \u{1F3B5}");
    subject["Subject"] = json!("subject");
    let url = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription";
    let confirmation = Signer::confirmation("SubscriptionConfirmation", TOPIC, "token", url);
    let (mut good, mut bad) = (0, 0);
    for message in [subject, Signer::notification(TOPIC, ""), confirmation] {
        for version in [1, 2] {
            for variant in variants(&signer.sign(message.clone(), version)) {
                let envelope = Envelope::decode(variant.to_string().as_bytes()).unwrap();
                let ours = verifier.check_signature(&envelope, OffsetDateTime::now_utc()).await;
                // What is not in the text of a kind changes nothing: the text is made from what is read.
                let read: Value = known_members(&variant);
                if openssl_takes(directory.path(), &key, &read) {
                    assert_eq!(ours, Ok(()), "{variant}");
                    good += 1;
                } else {
                    assert_eq!(ours, Err(Refused::Signature), "{variant}");
                    bad += 1;
                }
            }
        }
    }
    assert!(good >= 6 && bad >= 50, "{good} {bad}");
}

/// The message without members that its kind does not have (SNS Developer Guide, "Parsing message formats").
fn known_members(message: &Value) -> Value {
    let foreign: &[&str] = if message["Type"] == "Notification" { &["Token", "SubscribeURL"] } else { &["Subject"] };
    let mut message = message.clone();
    message.as_object_mut().unwrap().retain(|name, _| !foreign.contains(&name.as_str()));
    message
}
