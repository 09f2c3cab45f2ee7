//! Certificates that are not good enough, seen from the endpoint: the sender is refused and nothing changes.

use std::io::Write;

use axum::{body::Body, response::Response};
use rcgen::{ExtendedKeyUsagePurpose, KeyPair};
use reqwest::StatusCode;
use serde_json::json;
use testing::TestDatabase;

use crate::{
    authority::{Authority, VALID, Wanted},
    rig::{Job, Rig, TOPIC},
    signer::{CERTIFICATE, Signer, rsa_key},
};

const REFUSED: StatusCode = StatusCode::FORBIDDEN;
/// SNS is to try again.
const AWAY: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

/// What is served under the name of the certificate.
enum Served {
    Pem(String),
    Answer(fn() -> Response),
}

struct Case {
    name: &'static str,
    served: Served,
    expected: StatusCode,
    detail: &'static str,
}

fn pem(name: &'static str, pem: String, detail: &'static str) -> Case {
    Case { name, served: Served::Pem(pem), expected: REFUSED, detail }
}

const fn answer(name: &'static str, answer: fn() -> Response, expected: StatusCode) -> Case {
    Case { name, served: Served::Answer(answer), expected, detail: "" }
}

fn chains(signer: &Signer, root: &Authority) -> Vec<Case> {
    let now = time::OffsetDateTime::now_utc();
    let day = time::Duration::days(1);
    let leaf = |issuer: &Authority, wanted| issuer.issue(signer.key(), wanted);
    let wanted = |name: &'static str| Wanted { name, ..Wanted::default() };
    let (stranger, gone) = (Authority::root("a root"), root.below("gone", (-3, -2), None));
    let days = |days| Wanted { days, ..Wanted::default() };
    let email = Wanted { usage: Some(ExtendedKeyUsagePurpose::EmailProtection), ..Wanted::default() };
    let evil = Wanted { issuer_url: Some("http://evil.example/ca.der".to_owned()), ..Wanted::default() };
    let elliptic = KeyPair::generate().unwrap();
    let unknown = "trusted root";
    vec![
        pem("self-signed", signer.certificate(now - day, now + day), unknown),
        pem("of a stranger", leaf(&stranger, Wanted::default()), unknown),
        pem("of a stranger, with its root", leaf(&stranger, Wanted::default()) + &stranger.pem, unknown),
        pem("of one between that is not there", leaf(&root.below("away", VALID, None), Wanted::default()), unknown),
        pem("of one between that a stranger has", leaf(&stranger.below("x", VALID, None), evil), unknown),
        pem("of one between that has expired", leaf(&gone, Wanted::default()) + &gone.pem, "expired"),
        pem("expired", leaf(root, days((-3, -2))), "expired"),
        pem("not valid yet", leaf(root, days((2, 3))), "not valid yet"),
        pem("for mail", leaf(root, email), unknown),
        pem("for another host", leaf(root, wanted("evil.example")), "not issued to SNS"),
        pem("for S3", leaf(root, wanted("s3.amazonaws.com")), "not issued to SNS"),
        pem("for another region", leaf(root, wanted("sns.eu-west-1.amazonaws.com")), "not issued to SNS"),
        pem("for a host that begins the same", leaf(root, wanted("sns.amazonaws.com.evil.example")), "not issued"),
        pem("with another key", root.issue(&rsa_key(), Wanted::default()), "does not fit"),
        pem("with an elliptic key", root.issue(&elliptic, Wanted::default()), "not an RSA key"),
        pem("the root itself", root.pem.clone(), ""),
        pem("empty", String::new(), "no X.509"),
        pem("a page", "<html>".to_owned(), "no X.509"),
        pem("a private key", rsa_key().serialize_pem(), "no X.509"),
        pem("a public key", rsa_key().public_key_pem(), "no X.509"),
        pem("too many", leaf(root, Wanted::default()).repeat(9), "no X.509"),
    ]
}

fn answers() -> Vec<Case> {
    fn redirect(status: u16) -> Response {
        Response::builder().status(status).header("location", CERTIFICATE).body(Body::empty()).unwrap()
    }
    fn status(status: u16) -> Response {
        Response::builder().status(status).body(Body::empty()).unwrap()
    }
    fn endless() -> Response {
        let chunks = std::iter::repeat_with(|| Ok::<_, std::io::Error>("A".repeat(4096)));
        Response::new(Body::from_stream(tokio_stream::iter(chunks)))
    }
    vec![
        answer("redirect 301", || redirect(301), AWAY),
        answer("redirect 302", || redirect(302), AWAY),
        answer("redirect 307", || redirect(307), AWAY),
        answer("8 MiB", || Response::new(Body::from(vec![b'A'; 8 << 20])), AWAY),
        answer("endless", endless, AWAY),
        answer("failing", || status(500), AWAY),
        answer("absent", || status(404), REFUSED),
        answer("gone", || status(410), REFUSED),
    ]
}

#[tokio::test]
async fn a_certificate_that_is_not_good_enough_changes_nothing() {
    let root = Authority::root("a root");
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(root.pem.as_bytes()).unwrap();
    let path = file.path().to_owned();
    let rig = Rig::start_with(TestDatabase::sqlite(), |config| config.sns_roots = Some(path)).await;
    let cases = chains(&rig.signer, &root).into_iter().chain(answers()).collect::<Vec<_>>();
    let count = cases.len();
    for (index, case) in cases.into_iter().enumerate() {
        // A file of its own for each: what is known of another one does not help.
        let path = format!("/SimpleNotificationService-{index:x}.pem");
        match case.served {
            Served::Pem(text) => rig.signer.put(&path, move || Response::new(text.clone().into())),
            Served::Answer(answer) => rig.signer.put(&path, answer),
        }
        let mut message = rig.signer.sign(Job::new().message("COMPLETED"), 2);
        message["SigningCertURL"] = json!(format!("{}{path}", rig.signer.endpoint()));
        let response = rig.post(TOPIC, message.to_string()).send().await.unwrap();
        assert_eq!(response.status(), case.expected, "{}", case.name);
        let problem: serde_json::Value = response.json().await.unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(case.detail), "{}: {problem}", case.name);
        rig.unchanged(case.name).await;
    }
    assert!(count >= 29, "{count}");
    let good = root.issue(rig.signer.key(), Wanted::default());
    rig.signer.put("/SimpleNotificationService-ff.pem", move || Response::new(good.clone().into()));
    let mut message = rig.signer.sign(Job::new().message("COMPLETED"), 2);
    message["SigningCertURL"] = json!(format!("{}/SimpleNotificationService-ff.pem", rig.signer.endpoint()));
    assert_eq!(rig.deliver(&message).await, StatusCode::OK, "a good one passes");
}
