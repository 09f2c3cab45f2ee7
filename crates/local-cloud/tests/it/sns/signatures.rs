use ::sns::{Envelope, Settings, Verifier};
use time::OffsetDateTime;

use super::{Pair, code};
use crate::world::{self, World};

/// A receiver that trusts the given endpoint's certificates.
fn verifier(world: &World, topic: &str) -> Verifier {
    let mut settings = Settings::new([topic.parse().unwrap()]);
    settings.local_endpoint = Some(world.endpoint.parse().unwrap());
    Verifier::new(settings).unwrap()
}

async fn verify(verifier: &Verifier, body: &str) -> bool {
    let envelope = Envelope::decode(body.as_bytes()).unwrap();
    verifier.verify(&envelope, OffsetDateTime::now_utc()).await.is_ok()
}

#[tokio::test]
async fn both_signature_versions_verify_against_the_served_certificate() {
    let pair = Pair::new(false).await;
    let verifier = verifier(&pair.world, &pair.topic);
    for version in ["1", "2"] {
        let set = pair.sns.set_topic_attributes().topic_arn(&pair.topic);
        set.attribute_name("SignatureVersion").attribute_value(version).send().await.unwrap();
        let publish = || pair.sns.publish().topic_arn(&pair.topic).message("Gr\u{fc}\u{df}e\n");
        publish().send().await.unwrap();
        publish().subject("with a subject").send().await.unwrap();
        let bodies = pair.bodies().await;
        assert_eq!(bodies.len(), 2);
        for body in bodies {
            assert!(body.contains(&format!(r#""SignatureVersion":"{version}""#)), "{body}");
            assert!(verify(&verifier, &body).await, "{body}");
            assert!(!verify(&verifier, &body.replace("Gr\u{fc}", "gr\u{fc}")).await, "{body}");
        }
    }
}

#[tokio::test]
async fn the_key_outlives_a_restart() {
    let Pair { world, sns, sqs, topic, queue_url, .. } = Pair::new(false).await;
    sns.publish().topic_arn(&topic).message("x").send().await.unwrap();
    let body = crate::sqs::receive(&sqs, &queue_url).await.remove(0).body.unwrap();
    let envelope: serde_json::Value = serde_json::from_str(&body).unwrap();
    let path = envelope["SigningCertURL"].as_str().unwrap().strip_prefix(&world.endpoint).unwrap().to_owned();
    let world = world.restart().await;
    let served = reqwest::get(format!("{}{path}", world.endpoint)).await.unwrap();
    assert_eq!(served.status(), 200);
    assert!(served.text().await.unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    let other = reqwest::get(format!("{}/SimpleNotificationService-00.pem", world.endpoint)).await.unwrap();
    assert_eq!(other.status(), 404);
}

#[tokio::test]
async fn only_known_keys_may_publish() {
    let pair = Pair::new(true).await;
    let key = "AKIDOTHER:another-secret".parse().unwrap();
    let stranger = aws_sdk_sns::Client::new(&world::config(&pair.world.endpoint, &key));
    let refused = stranger.publish().topic_arn(&pair.topic).message("x").send().await;
    assert_eq!(code(refused), "InvalidClientTokenId");
    assert!(pair.bodies().await.is_empty());
}
