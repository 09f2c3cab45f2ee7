//! What the certificate's server may answer.

use std::time::Duration;

use axum::{body::Body, response::Response};
use rcgen::KeyPair;
use serde_json::json;
use sns::{Envelope, Refused, Settings, UnusableCertificate, Verifier};
use time::OffsetDateTime;
use tokio::task::JoinSet;

use crate::signer::{CERTIFICATE, Signer, certificate, rsa_key};

const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:orders";
const OTHER: &str = "/SimpleNotificationService-ff.pem";

fn verifier(signer: &Signer) -> Verifier {
    let mut settings = Settings::new([TOPIC.parse().unwrap()]);
    settings.local_endpoint = Some(signer.endpoint().parse().unwrap());
    settings.fetch_timeout = Duration::from_millis(500);
    Verifier::new(settings).unwrap()
}

/// A good message whose certificate is said to be at `path`.
fn message(signer: &Signer, path: &str) -> Envelope {
    let mut message = signer.sign(Signer::notification(TOPIC, "m"), 2);
    message["SigningCertURL"] = json!(format!("{}{path}", signer.endpoint()));
    Envelope::decode(message.to_string().as_bytes()).unwrap()
}

async fn verify(verifier: &Verifier, envelope: &Envelope) -> Result<(), Refused> {
    verifier.verify(envelope, OffsetDateTime::now_utc()).await
}

async fn with_certificate(pem: String) -> Result<(), Refused> {
    let signer = Signer::start().await;
    signer.put(OTHER, move || Response::new(pem.clone().into()));
    verify(&verifier(&signer), &message(&signer, OTHER)).await
}

#[tokio::test]
async fn a_certificate_must_be_one_with_a_long_enough_rsa_key() {
    let now = OffsetDateTime::now_utc();
    let (from, to) = (now - time::Duration::days(1), now + time::Duration::days(1));
    let refused = |reason| Err(Refused::Certificate(reason));
    let key = KeyPair::generate().unwrap();
    assert_eq!(with_certificate(certificate(&key, from, to)).await, refused(UnusableCertificate::NotRsa));
    let weak = include_str!("rsa-1024.pem").to_owned();
    assert_eq!(with_certificate(weak).await, refused(UnusableCertificate::KeyLength(1024)));
    assert_eq!(with_certificate(certificate(&rsa_key(), from, to)).await, Err(Refused::Signature), "another key");
    for text in
        ["", "<html>", &rsa_key().serialize_pem(), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
    {
        assert_eq!(with_certificate(text.to_owned()).await, refused(UnusableCertificate::Unreadable), "{text}");
    }
}

#[tokio::test]
async fn the_dates_are_checked_at_each_use() {
    let signer = Signer::start().await;
    let now = OffsetDateTime::now_utc();
    let hour = time::Duration::hours(1);
    for (from, to, expected) in [
        (now - hour * 2, now - hour, UnusableCertificate::Expired),
        (now + hour, now + hour * 2, UnusableCertificate::NotYetValid),
    ] {
        let pem = signer.certificate(from, to);
        signer.put(OTHER, move || Response::new(pem.clone().into()));
        assert_eq!(verify(&verifier(&signer), &message(&signer, OTHER)).await, Err(Refused::Certificate(expected)));
    }
    let pem = signer.certificate(now - hour, now + hour);
    signer.put(OTHER, move || Response::new(pem.clone().into()));
    let (verifier, envelope) = (verifier(&signer), message(&signer, OTHER));
    assert_eq!(verifier.check_signature(&envelope, now).await, Ok(()));
    let expired = Err(Refused::Certificate(UnusableCertificate::Expired));
    assert_eq!(verifier.check_signature(&envelope, now + hour * 2).await, expired);
}

#[tokio::test]
async fn what_cannot_be_fetched_is_unavailable_and_not_asked_for_again() {
    let signer = Signer::start().await;
    let redirect = || Response::builder().status(302).header("location", CERTIFICATE).body(Body::empty()).unwrap();
    let endless = || Response::new(Body::from(vec![b'A'; 8 << 20]));
    let silent = || Response::new(Body::from_stream(tokio_stream::pending::<Result<Vec<u8>, std::io::Error>>()));
    let broken = || Response::builder().status(500).body(Body::empty()).unwrap();
    signer.put("/SimpleNotificationService-1.pem", redirect);
    signer.put("/SimpleNotificationService-2.pem", endless);
    signer.put("/SimpleNotificationService-3.pem", silent);
    signer.put("/SimpleNotificationService-4.pem", broken);
    let verifier = verifier(&signer);
    for file in 1..=4 {
        let envelope = message(&signer, &format!("/SimpleNotificationService-{file}.pem"));
        for _ in 0..3 {
            let refused = verify(&verifier, &envelope).await.unwrap_err();
            assert!(matches!(refused, Refused::Unavailable(_)), "{file}: {refused}");
        }
        assert_eq!(signer.fetches(), file, "the failure is remembered, and nothing is followed");
    }
    assert_eq!(verify(&verifier, &message(&signer, CERTIFICATE)).await, Ok(()), "others are not affected");
}

/// Whoever makes up a name of a certificate is refused; SNS itself need not try again.
#[tokio::test]
async fn a_certificate_that_sns_does_not_have_is_refused() {
    let signer = Signer::start().await;
    let envelope = message(&signer, "/SimpleNotificationService-5.pem");
    let verifier = verifier(&signer);
    for _ in 0..3 {
        assert_eq!(verify(&verifier, &envelope).await, Err(Refused::SigningCertUrl));
    }
    assert_eq!(signer.fetches(), 1);
}

#[tokio::test]
async fn a_server_that_is_away_is_unavailable() {
    let signer = Signer::start().await;
    let mut settings = Settings::new([TOPIC.parse().unwrap()]);
    // Nothing listens on the discard port of the loopback interface.
    settings.local_endpoint = Some("http://127.0.0.1:9".parse().unwrap());
    let mut message = signer.sign(Signer::notification(TOPIC, "m"), 2);
    message["SigningCertURL"] = json!(format!("http://127.0.0.1:9{CERTIFICATE}"));
    let envelope = Envelope::decode(message.to_string().as_bytes()).unwrap();
    let refused = verify(&Verifier::new(settings).unwrap(), &envelope).await.unwrap_err();
    assert!(matches!(refused, Refused::Unavailable(_)), "{refused}");
}

#[tokio::test]
async fn a_crowd_makes_one_fetch() {
    let signer = Signer::start().await;
    let (verifier, envelope) = (verifier(&signer), message(&signer, CERTIFICATE));
    let mut crowd = JoinSet::new();
    for _ in 0..100 {
        let (verifier, envelope) = (verifier.clone(), envelope.clone());
        crowd.spawn(async move { verify(&verifier, &envelope).await });
    }
    for result in crowd.join_all().await {
        assert_eq!(result, Ok(()));
    }
    assert_eq!(signer.fetches(), 1);
}
