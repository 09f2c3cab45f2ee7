//! What strangers may post, what they are answered, and that nothing came of it.

use axum::response::IntoResponse;
use notification_ingest::Config;
use reqwest::{Body, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use testing::TestDatabase;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    rig::{Job, Rig, TOPIC},
    signer::Signer,
};

const SECOND: &str = "arn:aws:sns:us-east-1:000000000000:segue-other-events";
const FOREIGN: &str = "arn:aws:sns:us-east-1:999999999999:segue-transcoder-events";

struct Attack {
    name: String,
    request: RequestBuilder,
    expected: StatusCode,
    detail: &'static str,
}

struct Attacks<'a> {
    rig: &'a Rig,
    list: Vec<Attack>,
}

impl Attacks<'_> {
    fn add(&mut self, name: impl Into<String>, request: RequestBuilder, expected: StatusCode, detail: &'static str) {
        self.list.push(Attack { name: name.into(), request, expected, detail });
    }

    fn message(&mut self, name: impl Into<String>, message: &Value, expected: StatusCode, detail: &'static str) {
        let request = self.rig.post(TOPIC, message.to_string());
        self.add(name, request, expected, detail);
    }

    /// A well-signed message whose members are then changed.
    fn altered(&mut self, name: &str, member: &str, value: Value, detail: &'static str) {
        self.altered_under(2, name, member, value, detail);
    }

    fn altered_under(&mut self, version: u8, name: &str, member: &str, value: Value, detail: &'static str) {
        let mut message = Job::new().message("COMPLETED");
        message["Subject"] = json!("a subject");
        let mut message = self.rig.signer.sign(message, version);
        message[member] = value;
        let name = format!("{name} {} of version {version}", message[member]);
        self.message(name, &message, StatusCode::FORBIDDEN, detail);
    }

    fn topics(&mut self) {
        let good = self.rig.signer.sign(Job::new().message("COMPLETED"), 2);
        let foreign = self.rig.signer.sign(Signer::notification(FOREIGN, &Job::new().event("COMPLETED")), 2);
        let wrong = "not a valid SNS topic ARN";
        for (name, header, body) in [
            ("foreign topic", FOREIGN, &foreign),
            ("foreign body under an expected header", TOPIC, &foreign),
            ("expected body under a foreign header", FOREIGN, &good),
            ("expected body under another expected header", SECOND, &good),
            ("empty header", "", &good),
            ("two in one header", &format!("{TOPIC}, {FOREIGN}"), &good),
            ("other letters", &TOPIC.to_uppercase(), &good),
            ("a prefix", &TOPIC[..TOPIC.len() - 1], &good),
        ] {
            let request = self.rig.post(header, body.to_string());
            self.add(name, request, StatusCode::FORBIDDEN, wrong);
        }
        let twice = self.rig.post(TOPIC, good.to_string()).header("x-amz-sns-topic-arn", FOREIGN);
        self.add("two headers", twice, StatusCode::FORBIDDEN, wrong);
        let none = self.rig.request(Method::POST).header("content-type", "text/plain").body(good.to_string());
        self.add("no header", none, StatusCode::FORBIDDEN, wrong);
    }

    fn altered_members(&mut self) {
        let unfit = "The signature does not fit the message.";
        let later = (OffsetDateTime::now_utc() + Duration::seconds(2)).format(&Rfc3339).unwrap();
        for version in [1, 2] {
            for (member, value) in [
                ("Message", json!(Job::new().event("COMPLETED"))),
                ("Message", json!("")),
                ("MessageId", json!("22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324")),
                ("Subject", json!("s")),
                ("Subject", json!("")),
                ("Subject", Value::Null),
                ("Timestamp", json!(later)),
                ("TopicArn", json!(TOPIC.replace("segue", "Segue"))),
            ] {
                let detail = if member == "TopicArn" { "not a valid SNS topic ARN" } else { unfit };
                self.altered_under(version, "altered", member, value, detail);
            }
            let other_topic =
                self.rig.signer.sign(Signer::notification(SECOND, &Job::new().event("COMPLETED")), version);
            let mut replayed = other_topic.clone();
            replayed["TopicArn"] = json!(TOPIC);
            self.message("the signature of another topic", &replayed, StatusCode::FORBIDDEN, unfit);
            let mut moved = self.rig.signer.sign(Job::new().message("COMPLETED"), version);
            moved["Signature"] = other_topic["Signature"].clone();
            self.message("the signature of another message", &moved, StatusCode::FORBIDDEN, unfit);
        }
        let mut added = self.rig.signer.sign(Job::new().message("COMPLETED"), 2);
        added["Subject"] = json!("s");
        self.message("added subject", &added, StatusCode::FORBIDDEN, unfit);
        self.altered("version 2 as 1", "SignatureVersion", json!("1"), unfit);
        self.altered("version 3", "SignatureVersion", json!("3"), "The SignatureVersion is not known.");
        self.altered("no signature", "Signature", json!("AAAA"), unfit);
        let mut v1 = self.rig.signer.sign(Job::new().message("COMPLETED"), 1);
        v1["SignatureVersion"] = json!("2");
        self.message("version 1 as 2", &v1, StatusCode::FORBIDDEN, unfit);
        let unsigned = Job::new().message("COMPLETED");
        self.message("unsigned", &unsigned, StatusCode::FORBIDDEN, "The message is not signed.");
        for (name, shift) in [
            ("old", Duration::minutes(-61)),
            ("very old", Duration::days(-3650)),
            ("from the future", Duration::minutes(10)),
            ("from the far future", Duration::days(36_500)),
        ] {
            let mut message = Job::new().message("COMPLETED");
            message["Timestamp"] = json!((OffsetDateTime::now_utc() + shift).format(&Rfc3339).unwrap());
            let signed = self.rig.signer.sign(message, 2);
            self.message(name, &signed, StatusCode::FORBIDDEN, "The Timestamp is too far from the present.");
        }
    }

    fn confirmations(&mut self) {
        let wrong = "not a valid SNS topic ARN";
        let unfit = "The signature does not fit the message.";
        let url = "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription";
        for kind in ["SubscriptionConfirmation", "UnsubscribeConfirmation"] {
            let foreign = self.rig.signer.sign(Signer::confirmation(kind, FOREIGN, "t", url), 2);
            let request = self.rig.post(FOREIGN, foreign.to_string());
            self.add(format!("{kind} of a foreign topic"), request, StatusCode::FORBIDDEN, wrong);
            self.message(format!("{kind} of a foreign topic under ours"), &foreign, StatusCode::FORBIDDEN, wrong);
            let unsigned = Signer::confirmation(kind, TOPIC, "t", url);
            self.message(format!("{kind}, unsigned"), &unsigned, StatusCode::FORBIDDEN, "The message is not signed.");
            let good = self.rig.signer.sign(unsigned, 1);
            for (member, value) in [("Token", "x"), ("SubscribeURL", "https://evil.example/"), ("Message", "x")] {
                let mut altered = good.clone();
                altered[member] = json!(value);
                self.message(format!("{kind}, {member} altered"), &altered, StatusCode::FORBIDDEN, unfit);
            }
            let mut without = good.clone();
            without["Token"] = Value::Null;
            self.message(format!("{kind} without a token"), &without, StatusCode::BAD_REQUEST, "");
            let mut notification = good;
            notification["Type"] = json!("Notification");
            self.message(format!("{kind} as a notification"), &notification, StatusCode::FORBIDDEN, unfit);
        }
    }

    fn certificate_urls(&mut self) {
        let file = "SimpleNotificationService-0a1b2c.pem";
        let local = self.rig.signer.endpoint().to_owned();
        let aws = "sns.us-east-1.amazonaws.com";
        for base in [
            local.replace("http:", "https:"),
            local.replace("http://", "http://user@"),
            local.replace("127.0.0.1", "localhost"),
            local.replace("127.0.0.1", "127.1"),
            format!("{local}/x/.."),
            format!("http://{aws}"),
            format!("https://{aws}:443"),
            format!("https://{aws}:8443"),
            format!("https://user@{aws}"),
            format!("https://{aws}.evil.example"),
            format!("https://{aws}@evil.example"),
            format!("https://evil-{aws}"),
            format!("https://{aws}.cn"),
            "https://sns.eu-west-1.amazonaws.com".to_owned(),
            "https://sns.us-east-l.amazonaws.com".to_owned(),
            "https://s3.amazonaws.com/sns.us-east-1.amazonaws.com".to_owned(),
            "https://52.94.0.1".to_owned(),
            "file:///etc".to_owned(),
        ] {
            let url = json!(format!("{base}/{file}"));
            self.altered("certificate at", "SigningCertURL", url, "The SigningCertURL is not one of SNS.");
        }
        for end in ["?", "#", "?x=1", "/", "%00"] {
            let url = json!(format!("{local}/{file}{end}"));
            self.altered("certificate at", "SigningCertURL", url, "The SigningCertURL is not one of SNS.");
        }
    }

    fn bodies(&mut self) {
        let good = self.rig.signer.sign(Job::new().message("COMPLETED"), 2).to_string();
        let twice = good.replacen('{', &format!(r#"{{"TopicArn":"{FOREIGN}","#), 1);
        for (name, body) in [
            ("nothing", String::new()),
            ("a word", "hello".to_owned()),
            ("half", good[..good.len() / 2].to_owned()),
            ("a list", format!("[{good}]")),
            ("two", good.repeat(2)),
            ("a bomb", "[".repeat(200_000)),
            ("a bomb inside", good.replacen('{', &format!(r#"{{"x":{},"#, "[".repeat(100_000)), 1)),
            ("a double member", twice),
            ("only an event", Job::new().event("COMPLETED")),
        ] {
            let request = self.rig.post(TOPIC, body);
            self.add(name, request, StatusCode::BAD_REQUEST, "");
        }
        let request = self.rig.post(TOPIC, vec![0xff_u8; 10]);
        self.add("no UTF-8", request, StatusCode::BAD_REQUEST, "");
        for member in ["Type", "MessageId", "Message", "Timestamp", "Signature", "SigningCertURL"] {
            let doubled = good.replacen('{', &format!(r#"{{"{member}":"x","#), 1);
            let request = self.rig.post(TOPIC, doubled);
            self.add(format!("a double {member}"), request, StatusCode::BAD_REQUEST, "");
        }
        for (member, value) in [("Timestamp", json!("yesterday")), ("Type", json!("Other")), ("MessageId", json!(7))] {
            let mut wrong: Value = serde_json::from_str(&good).unwrap();
            wrong[member] = value;
            self.message(format!("a strange {member}"), &wrong, StatusCode::BAD_REQUEST, "");
        }
        let request = self.rig.post(TOPIC, "x".repeat(256 * 1024 + 1));
        self.add("too long", request, StatusCode::PAYLOAD_TOO_LARGE, "");
        let endless = tokio_stream::iter(std::iter::repeat_with(|| Ok::<_, std::io::Error>("x".repeat(4096))));
        let request = self.rig.post(TOPIC, Body::wrap_stream(endless));
        self.add("endless", request, StatusCode::PAYLOAD_TOO_LARGE, "");
        // Refused by the length alone: nothing of the body ever comes.
        let announced = tokio_stream::pending::<Result<Vec<u8>, std::io::Error>>();
        let request = self.rig.post(TOPIC, Body::wrap_stream(announced)).header("content-length", 256 * 1024 + 1);
        self.add("announced too long", request, StatusCode::PAYLOAD_TOO_LARGE, "");
        let silent = tokio_stream::pending::<Result<Vec<u8>, std::io::Error>>();
        let request = self.rig.post(TOPIC, Body::wrap_stream(silent));
        self.add("slow", request, StatusCode::REQUEST_TIMEOUT, "");
        for kind in ["text/html", "application/x-www-form-urlencoded", "multipart/form-data", "textplain", ""] {
            let request = self.rig.request(Method::POST).header("x-amz-sns-topic-arn", TOPIC);
            let request = request.header("content-type", kind).body(good.clone());
            self.add(format!("type {kind}"), request, StatusCode::UNSUPPORTED_MEDIA_TYPE, "");
        }
    }
}

#[tokio::test]
async fn whatever_is_not_genuine_is_refused_and_changes_nothing() {
    let settings = |config: &mut Config| {
        config.sns_body_seconds = 1;
        config.sns_topic_arns = vec![TOPIC.parse().unwrap(), SECOND.parse().unwrap()];
    };
    let rig = Rig::start_with(TestDatabase::sqlite(), settings).await;
    let mut attacks = Attacks { rig: &rig, list: Vec::new() };
    attacks.topics();
    attacks.certificate_urls();
    let unfetched = attacks.list.len();
    attacks.altered_members();
    attacks.bodies();
    attacks.confirmations();
    assert!(attacks.list.len() >= 100, "{}", attacks.list.len());
    for (index, attack) in attacks.list.into_iter().enumerate() {
        let name = attack.name;
        let response = attack.request.send().await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(response.status(), attack.expected, "{name}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{name}");
        let problem: Value = response.json().await.unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(attack.detail), "{name}: {problem}");
        if index < unfetched {
            assert_eq!(rig.signer.fetches(), 0, "{name}");
        }
        rig.unchanged(&name).await;
    }
    assert!(rig.results().await.is_empty());
}

#[tokio::test]
async fn only_post_is_answered() {
    let rig = Rig::start(TestDatabase::sqlite()).await;
    let message = rig.signer.sign(Job::new().message("COMPLETED"), 2).to_string();
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
        let request = rig.request(method.clone()).header("x-amz-sns-topic-arn", TOPIC).body(message.clone());
        let response = request.header("content-type", "text/plain").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(response.headers()["allow"], "POST", "{method}");
    }
    assert_eq!(rig.count("events").await, 0);
}

#[tokio::test]
async fn a_certificate_that_cannot_be_had_is_asked_for_again_by_the_sender() {
    let rig = Rig::start(TestDatabase::sqlite()).await;
    rig.signer.put("/SimpleNotificationService-ff.pem", || StatusCode::INTERNAL_SERVER_ERROR.into_response());
    let mut message = rig.signer.sign(Job::new().message("COMPLETED"), 2);
    message["SigningCertURL"] = json!(format!("{}/SimpleNotificationService-ff.pem", rig.signer.endpoint()));
    for _ in 0..3 {
        assert_eq!(rig.deliver(&message).await, StatusCode::SERVICE_UNAVAILABLE);
    }
    assert_eq!((rig.signer.fetches(), rig.count("events").await), (1, 0));
}

/// Nobody gets this service to ask again and again by making up names of certificates.
#[tokio::test]
async fn a_certificate_that_does_not_exist_is_refused_for_good() {
    let rig = Rig::start(TestDatabase::sqlite()).await;
    let mut message = rig.signer.sign(Job::new().message("COMPLETED"), 2);
    message["SigningCertURL"] = json!(format!("{}/SimpleNotificationService-ee.pem", rig.signer.endpoint()));
    for _ in 0..3 {
        assert_eq!(rig.deliver(&message).await, StatusCode::FORBIDDEN);
    }
    assert_eq!((rig.signer.fetches(), rig.count("events").await), (1, 0));
}
