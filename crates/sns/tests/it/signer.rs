//! An SNS of a test's own: a key, a certificate on a local server, and signed messages.
//!
//! It writes the text to sign by a rule of its own, so that it does not repeat the mistakes of what it tests.

use std::{
    collections::HashMap,
    io::Write,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use axum::{Router, body::Body, extract::State, http::Uri, response::Response};
use base64::{Engine, prelude::BASE64_STANDARD};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize, SigningKey};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

/// The path of the certificate that fits the key.
pub const CERTIFICATE: &str = "/SimpleNotificationService-0a1b2c.pem";

type Answer = Arc<dyn Fn() -> Response + Send + Sync>;

/// Signs messages, and serves certificates on a free port.
pub struct Signer {
    key: KeyPair,
    endpoint: String,
    files: Arc<Mutex<Files>>,
}

#[derive(Default)]
struct Files {
    answers: HashMap<String, Answer>,
    asked: Vec<String>,
}

impl Signer {
    /// A new key, with its certificate at [`CERTIFICATE`].
    pub async fn start() -> Self {
        let key = rsa_key();
        let now = OffsetDateTime::now_utc();
        let pem = certificate(&key, now - Duration::days(1), now + Duration::days(1));
        let files = Arc::<Mutex<Files>>::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(serve).with_state(files.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let this = Self { key, endpoint, files };
        this.put(CERTIFICATE, move || Response::new(pem.clone().into()));
        this
    }

    /// Where the certificates are.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The key, for whoever issues certificates.
    pub fn key(&self) -> &KeyPair {
        &self.key
    }

    /// The key's certificate, with other dates.
    pub fn certificate(&self, not_before: OffsetDateTime, not_after: OffsetDateTime) -> String {
        certificate(&self.key, not_before, not_after)
    }

    /// Has a path answered.
    pub fn put(&self, path: &str, answer: impl Fn() -> Response + Send + Sync + 'static) {
        self.files.lock().unwrap().answers.insert(path.to_owned(), Arc::new(answer));
    }

    /// How often anything was fetched.
    pub fn fetches(&self) -> usize {
        self.files.lock().unwrap().asked.len()
    }

    /// An unsigned notification, published now.
    pub fn notification(topic_arn: &str, message: &str) -> Value {
        json!({
            "Type": "Notification",
            "MessageId": uuid::Uuid::new_v4().to_string(),
            "TopicArn": topic_arn,
            "Message": message,
            "Timestamp": OffsetDateTime::now_utc().format(&Rfc3339).unwrap(),
        })
    }

    /// An unsigned confirmation of the given type.
    pub fn confirmation(kind: &str, topic_arn: &str, token: &str, subscribe_url: &str) -> Value {
        let mut message = Self::notification(topic_arn, "You have chosen to subscribe to the topic.");
        message["Type"] = json!(kind);
        message["Token"] = json!(token);
        message["SubscribeURL"] = json!(subscribe_url);
        message
    }

    /// The message with a signature of the given version.
    pub fn sign(&self, mut message: Value, version: u8) -> Value {
        let text = text_to_sign(&message);
        let signature = match version {
            1 => openssl_sign(&self.key, "-sha1", &text),
            _ => self.key.sign(text.as_bytes()).unwrap(),
        };
        message["SignatureVersion"] = json!(version.to_string());
        message["Signature"] = json!(BASE64_STANDARD.encode(signature));
        message["SigningCertURL"] = json!(format!("{}{CERTIFICATE}", self.endpoint));
        message
    }

    /// The same with version 2, signed by OpenSSL.
    #[allow(dead_code, reason = "this file serves two crates' tests")]
    pub fn sign_by_openssl(&self, message: Value) -> Value {
        let signature = openssl_sign(&self.key, "-sha256", &text_to_sign(&message));
        let mut message = self.sign(message, 2);
        message["Signature"] = json!(BASE64_STANDARD.encode(signature));
        message
    }
}

/// A new RSA key of 2048 bits.
pub fn rsa_key() -> KeyPair {
    KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap()
}

/// A self-signed certificate in PEM.
pub fn certificate(key: &KeyPair, not_before: OffsetDateTime, not_after: OffsetDateTime) -> String {
    let mut params = CertificateParams::new(vec!["sns.amazonaws.com".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (not_before, not_after);
    params.self_signed(key).unwrap().pem()
}

async fn serve(State(files): State<Arc<Mutex<Files>>>, uri: Uri) -> Response {
    let answer = {
        let mut files = files.lock().unwrap();
        files.asked.push(uri.path().to_owned());
        files.answers.get(uri.path()).cloned()
    };
    answer.map_or_else(|| Response::builder().status(404).body(Body::empty()).unwrap(), |answer| answer())
}

/// The text that is signed: the members that count, in the order of the alphabet, as far as the message has them.
pub fn text_to_sign(message: &Value) -> String {
    ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
        .into_iter()
        .filter_map(|name| Some(format!("{name}\n{}\n", message[name].as_str()?)))
        .collect()
}

/// The only SHA1withRSA at hand, and a second opinion.
fn openssl_sign(key: &KeyPair, digest: &str, text: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key.pem");
    std::fs::write(&file, key.serialize_pem()).unwrap();
    let mut command = Command::new("openssl");
    command.args(["dgst", digest, "-sign"]).arg(&file).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("openssl can be run");
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stdout.len() == 256);
    output.stdout
}
