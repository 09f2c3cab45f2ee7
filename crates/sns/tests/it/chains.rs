//! The way from SNS's certificate to a root.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use rcgen::ExtendedKeyUsagePurpose;
use reqwest::StatusCode;
use serde_json::json;
use sns::{Envelope, Refused, Root, Roots, Settings, UnusableCertificate, Verifier};
use time::OffsetDateTime;

use crate::{
    authority::{Authority, VALID, Wanted},
    signer::{Signer, rsa_key},
};

const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:orders";
const FILE: &str = "/SimpleNotificationService-cc.pem";

/// A signer, and roots that are trusted.
struct Scene {
    signer: Signer,
    root: Authority,
    verifier: Verifier,
}

impl Scene {
    async fn new() -> Self {
        let (signer, root) = (Signer::start().await, Authority::root("a root"));
        let mut settings = Settings::new([TOPIC.parse().unwrap()]);
        settings.local_endpoint = Some(signer.endpoint().parse().unwrap());
        settings.local_roots = Roots::Only(Root::all_from_pem(root.pem.as_bytes()).unwrap());
        settings.fetch_timeout = Duration::from_secs(2);
        Self { verifier: Verifier::new(settings).unwrap(), signer, root }
    }

    /// What becomes of a good message whose certificate file is `pem`.
    async fn with(&self, pem: String) -> Result<(), Refused> {
        self.with_at(pem, OffsetDateTime::now_utc()).await
    }

    async fn with_at(&self, pem: String, now: OffsetDateTime) -> Result<(), Refused> {
        self.signer.put(FILE, move || Response::new(pem.clone().into()));
        self.again(now).await
    }

    async fn again(&self, now: OffsetDateTime) -> Result<(), Refused> {
        let mut message = self.signer.sign(Signer::notification(TOPIC, "m"), 2);
        message["SigningCertURL"] = json!(format!("{}{FILE}", self.signer.endpoint()));
        let envelope = Envelope::decode(message.to_string().as_bytes()).unwrap();
        self.verifier.check_signature(&envelope, now).await
    }

    fn url(&self, path: &str) -> Option<String> {
        Some(format!("{}{path}", self.signer.endpoint()))
    }

    fn leaf(&self, issuer: &Authority, wanted: Wanted<'_>) -> String {
        issuer.issue(self.signer.key(), wanted)
    }
}

fn is_chain(result: &Result<(), Refused>) -> bool {
    matches!(result, Err(Refused::Certificate(UnusableCertificate::Chain(_))))
}

#[tokio::test]
async fn a_certificate_of_a_trusted_root_passes_under_each_name_of_sns() {
    for name in ["sns.amazonaws.com", "sns.eu-west-1.amazonaws.com", "sns-signing.eu-west-1.amazonaws.com"] {
        let scene = Scene::new().await;
        let pem = scene.leaf(&scene.root, Wanted { name, ..Wanted::default() });
        assert_eq!(scene.with(pem).await, Ok(()), "{name}");
        assert_eq!(scene.signer.fetches(), 1);
    }
}

#[tokio::test]
async fn a_name_that_is_not_sns_s_is_refused() {
    for name in ["sns.us-east-1.amazonaws.com", "sns.amazonaws.com.evil.example", "evil.example", "s3.amazonaws.com"] {
        let scene = Scene::new().await;
        let pem = scene.leaf(&scene.root, Wanted { name, ..Wanted::default() });
        assert_eq!(scene.with(pem).await, Err(Refused::Certificate(UnusableCertificate::Name)), "{name}");
    }
}

#[tokio::test]
async fn a_certificate_of_nobody_is_refused() {
    let scene = Scene::new().await;
    let (from, to) =
        (OffsetDateTime::now_utc() - time::Duration::days(1), OffsetDateTime::now_utc() + time::Duration::days(1));
    let self_signed = scene.with(scene.signer.certificate(from, to)).await;
    assert!(is_chain(&self_signed), "{self_signed:?}");
    let scene = Scene::new().await;
    let stranger = Authority::root("a root");
    let pem = scene.leaf(&stranger, Wanted::default()) + &stranger.pem;
    let result = scene.with(pem).await;
    assert!(is_chain(&result), "a root of the same name: {result:?}");
    let scene = Scene::new().await;
    let wanted = Wanted { usage: Some(ExtendedKeyUsagePurpose::EmailProtection), ..Wanted::default() };
    let result = scene.with(scene.leaf(&scene.root, wanted)).await;
    assert!(is_chain(&result), "a key for something else: {result:?}");
    let scene = Scene::new().await;
    let pem = scene.root.issue(&rsa_key(), Wanted::default());
    assert_eq!(scene.with(pem).await, Err(Refused::Signature), "somebody else's key");
}

#[tokio::test]
async fn what_is_between_comes_with_the_file_or_is_fetched() {
    let scene = Scene::new().await;
    let between = scene.root.below("between", VALID, None);
    let pem = scene.leaf(&between, Wanted::default()) + &between.pem;
    assert_eq!(scene.with(pem).await, Ok(()));

    let scene = Scene::new().await;
    let upper = scene.root.below("upper", VALID, None);
    let lower = upper.below("lower", VALID, scene.url("/upper.der").as_deref());
    for (path, authority) in [("/upper.der", &upper), ("/lower.der", &lower)] {
        let der = authority.der.clone();
        scene.signer.put(path, move || Response::new(der.clone().into()));
    }
    let wanted = Wanted { issuer_url: scene.url("/lower.der"), ..Wanted::default() };
    assert_eq!(scene.with(scene.leaf(&lower, wanted)).await, Ok(()));
    assert_eq!(scene.again(OffsetDateTime::now_utc()).await, Ok(()));
    assert_eq!(scene.signer.fetches(), 3, "one file and two issuers, once each");
}

#[tokio::test]
async fn what_is_between_must_be_there_and_of_an_authority() {
    let scene = Scene::new().await;
    let between = scene.root.below("between", VALID, None);
    let result = scene.with(scene.leaf(&between, Wanted::default())).await;
    assert!(is_chain(&result), "it says nothing of its issuer: {result:?}");
    assert_eq!(scene.signer.fetches(), 1);

    let scene = Scene::new().await;
    let foreign = Wanted { issuer_url: Some("http://evil.example/ca.der".to_owned()), ..Wanted::default() };
    let result = scene.with(scene.leaf(&between, foreign)).await;
    assert!(is_chain(&result), "{result:?}");

    let scene = Scene::new().await;
    scene.signer.put("/ca.der", || StatusCode::INTERNAL_SERVER_ERROR.into_response());
    let away = Wanted { issuer_url: scene.url("/ca.der"), ..Wanted::default() };
    let result = scene.with(scene.leaf(&between, away)).await;
    assert!(matches!(result, Err(Refused::Unavailable(_))), "{result:?}");
}

/// Each names one above it, for ever.
#[tokio::test]
async fn a_chain_without_end_is_given_up() {
    let scene = Scene::new().await;
    let stranger = Authority::root("a stranger");
    let loops = stranger.below("loops", VALID, scene.url("/loops.der").as_deref());
    let der = loops.der.clone();
    scene.signer.put("/loops.der", move || Response::new(der.clone().into()));
    let wanted = Wanted { issuer_url: scene.url("/loops.der"), ..Wanted::default() };
    let result = scene.with(scene.leaf(&loops, wanted)).await;
    assert!(is_chain(&result), "{result:?}");
    assert!(scene.signer.fetches() <= 5, "{}", scene.signer.fetches());
}

#[tokio::test]
async fn the_whole_chain_must_be_valid_at_each_use() {
    let now = OffsetDateTime::now_utc();
    let expired = Err(Refused::Certificate(UnusableCertificate::Expired));
    let scene = Scene::new().await;
    let gone = scene.root.below("gone", (-3, -2), None);
    let pem = scene.leaf(&gone, Wanted::default()) + &gone.pem;
    assert_eq!(scene.with(pem).await, expired);

    let scene = Scene::new().await;
    let short = scene.root.below("short", VALID, None);
    let pem = scene.leaf(&short, Wanted { days: (-1, 30), ..Wanted::default() }) + &short.pem;
    assert_eq!(scene.with_at(pem, now).await, Ok(()));
    assert_eq!(scene.again(now + time::Duration::days(2)).await, expired, "the one between has ended since");
}

/// Nothing is kept of a certificate before its time, least of all that its chain need not be looked at.
#[tokio::test]
async fn a_certificate_before_its_time_is_not_good_later_without_its_chain() {
    let scene = Scene::new().await;
    let now = OffsetDateTime::now_utc();
    let pem = scene.signer.certificate(now + time::Duration::days(1), now + time::Duration::days(9));
    let early = Err(Refused::Certificate(UnusableCertificate::NotYetValid));
    assert_eq!(scene.with_at(pem, now).await, early);
    assert_ne!(scene.again(now + time::Duration::days(2)).await, Ok(()));
}
