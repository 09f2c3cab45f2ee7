//! Good signatures pass; whatever is changed afterwards does not.

use serde_json::{Value, json};
use sns::{Envelope, Refused, Settings, Verifier};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use crate::signer::Signer;

const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:orders";
const OTHER_TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:others";

fn verifier(signer: &Signer) -> Verifier {
    let mut settings = Settings::new([TOPIC.parse().unwrap(), OTHER_TOPIC.parse().unwrap()]);
    settings.local_endpoint = Some(signer.endpoint().parse().unwrap());
    Verifier::new(settings).unwrap()
}

async fn verify(verifier: &Verifier, message: &Value) -> Result<(), Refused> {
    let envelope = Envelope::decode(message.to_string().as_bytes()).unwrap();
    verifier.verify(&envelope, OffsetDateTime::now_utc()).await
}

fn messages() -> [Value; 4] {
    let mut with_subject = Signer::notification(TOPIC, "line one\nline two – ünïcode");
    with_subject["Subject"] = json!("A subject");
    let url = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t";
    [
        Signer::notification(TOPIC, ""),
        with_subject,
        Signer::confirmation("SubscriptionConfirmation", TOPIC, "t", url),
        Signer::confirmation("UnsubscribeConfirmation", TOPIC, "t", url),
    ]
}

#[tokio::test]
async fn good_signatures_of_both_versions_pass_with_one_fetch() {
    let signer = Signer::start().await;
    let verifier = verifier(&signer);
    for message in messages() {
        for version in [1, 2] {
            assert_eq!(verify(&verifier, &signer.sign(message.clone(), version)).await, Ok(()), "{version} {message}");
        }
        assert_eq!(verify(&verifier, &signer.sign_by_openssl(message)).await, Ok(()));
    }
    assert_eq!(signer.fetches(), 1);
}

#[tokio::test]
async fn a_member_that_is_altered_after_signing_breaks_the_signature() {
    let signer = Signer::start().await;
    let verifier = verifier(&signer);
    let later = (OffsetDateTime::now_utc() + Duration::seconds(1)).format(&Rfc3339).unwrap();
    for message in messages() {
        for version in [1, 2] {
            let signed = signer.sign(message.clone(), version);
            for (name, value) in [
                ("Message", "altered"),
                ("MessageId", "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324"),
                ("Subject", "Another subject"),
                ("SubscribeURL", "https://evil.example/"),
                ("Timestamp", later.as_str()),
                ("Token", "another"),
                ("TopicArn", OTHER_TOPIC),
            ] {
                let signed_member = name == "Subject" && message["Type"] == "Notification" || !message[name].is_null();
                if signed_member {
                    let mut altered = signed.clone();
                    altered[name] = json!(value);
                    assert_eq!(verify(&verifier, &altered).await, Err(Refused::Signature), "{name} {message}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_signature_is_good_for_its_own_version_type_and_key_only() {
    let signer = Signer::start().await;
    let verifier = verifier(&signer);
    for (made, said) in [(1, "2"), (2, "1")] {
        let mut message = signer.sign(Signer::notification(TOPIC, "m"), made);
        message["SignatureVersion"] = json!(said);
        assert_eq!(verify(&verifier, &message).await, Err(Refused::Signature));
    }
    for said in ["0", "3", "02", "v2"] {
        let mut message = signer.sign(Signer::notification(TOPIC, "m"), 2);
        message["SignatureVersion"] = json!(said);
        assert_eq!(verify(&verifier, &message).await, Err(Refused::SignatureVersion));
    }
    let url = "https://sns.eu-west-1.amazonaws.com/";
    let mut message = signer.sign(Signer::confirmation("UnsubscribeConfirmation", TOPIC, "t", url), 2);
    message["Type"] = json!("SubscriptionConfirmation");
    assert_eq!(verify(&verifier, &message).await, Err(Refused::Signature));
    let good = signer.sign(Signer::notification(TOPIC, "m"), 2);
    let other = Signer::start().await.sign(Signer::notification(TOPIC, "m"), 2);
    for signature in [other["Signature"].as_str().unwrap(), "", "AAAA", "not base64!", "=", &"A".repeat(4000)] {
        let mut message = good.clone();
        message["Signature"] = json!(signature);
        let bytes = message.to_string();
        let Ok(envelope) = Envelope::decode(bytes.as_bytes()) else {
            assert_eq!(signature, "", "an empty member is malformed");
            continue;
        };
        assert_eq!(verifier.verify(&envelope, OffsetDateTime::now_utc()).await, Err(Refused::Signature));
    }
}

#[tokio::test]
async fn nothing_is_fetched_for_a_foreign_topic_an_old_message_or_another_host() {
    let signer = Signer::start().await;
    let verifier = verifier(&signer);
    let foreign = signer.sign(Signer::notification("arn:aws:sns:eu-west-1:999999999999:orders", "m"), 2);
    assert_eq!(verify(&verifier, &foreign).await, Err(Refused::Topic));
    for (shift, expected) in [
        (Duration::minutes(-61), Err(Refused::Timestamp)),
        (Duration::minutes(6), Err(Refused::Timestamp)),
        (Duration::days(36_500), Err(Refused::Timestamp)),
    ] {
        let mut message = Signer::notification(TOPIC, "m");
        message["Timestamp"] = json!((OffsetDateTime::now_utc() + shift).format(&Rfc3339).unwrap());
        assert_eq!(verify(&verifier, &signer.sign(message, 2)).await, expected, "{shift}");
    }
    for url in [
        signer.endpoint().replace("http:", "https:") + "/SimpleNotificationService-0a1b2c.pem",
        signer.endpoint().replace("127.0.0.1", "localhost") + "/SimpleNotificationService-0a1b2c.pem",
        signer.endpoint().replace("http://", "http://user@") + "/SimpleNotificationService-0a1b2c.pem",
        signer.endpoint().to_owned() + "/SimpleNotificationService-0a1b2c.pem?",
        signer.endpoint().to_owned() + "/other.pem",
    ] {
        let mut message = signer.sign(Signer::notification(TOPIC, "m"), 2);
        message["SigningCertURL"] = json!(url);
        assert_eq!(verify(&verifier, &message).await, Err(Refused::SigningCertUrl), "{url}");
    }
    let unsigned = Signer::notification(TOPIC, "m");
    assert_eq!(verify(&verifier, &unsigned).await, Err(Refused::Unsigned));
    assert_eq!(signer.fetches(), 0);
}

#[tokio::test]
async fn a_message_within_the_window_passes() {
    let signer = Signer::start().await;
    let verifier = verifier(&signer);
    for shift in [Duration::minutes(-59), Duration::minutes(4)] {
        let mut message = Signer::notification(TOPIC, "m");
        message["Timestamp"] = json!((OffsetDateTime::now_utc() + shift).format(&Rfc3339).unwrap());
        assert_eq!(verify(&verifier, &signer.sign(message, 2)).await, Ok(()), "{shift}");
    }
}
