//! A key that signs, and its certificate on a port.

use std::{ops::Range, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize, SigningKey};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// The topic of all messages.
pub const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:segue-transcoder-events";
const CERTIFICATE: &str = "/SimpleNotificationService-0a1b2c.pem";

/// Signs messages with version 2 and RSA-2048.
pub struct FakeSns {
    key: Arc<KeyPair>,
    endpoint: String,
}

impl FakeSns {
    /// A new key; its certificate is served for ever.
    pub async fn start() -> anyhow::Result<Self> {
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
        let pem = CertificateParams::new(vec!["sns.amazonaws.com".to_owned()])?.self_signed(&key)?.pem();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{pem}", pem.len());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                // Whoever asks, asks for the certificate; whoever goes away asks again.
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Ok(Self { key: Arc::new(key), endpoint })
    }

    /// Where the certificate is.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The event that ends the job of this number, signed.
    pub fn signed(&self, number: usize) -> String {
        sign(&self.key, &self.endpoint, number)
    }

    /// The same for many, on all cores.
    pub async fn signed_many(&self, numbers: Range<usize>) -> anyhow::Result<Vec<String>> {
        let cores = std::thread::available_parallelism()?.get();
        let step = numbers.len().div_ceil(cores).max(1);
        let parts = numbers.clone().step_by(step).map(|start| {
            let (key, endpoint, end) = (self.key.clone(), self.endpoint.clone(), (start + step).min(numbers.end));
            tokio::task::spawn_blocking(move || {
                (start..end).map(|number| sign(&key, &endpoint, number)).collect::<Vec<_>>()
            })
        });
        Ok(futures::future::try_join_all(parts).await?.concat())
    }
}

fn sign(key: &KeyPair, endpoint: &str, number: usize) -> String {
    let mut message = json!({
        "Type": "Notification",
        "MessageId": format!("22b80b92-fdea-4c2c-8f9d-{number:012x}"),
        "TopicArn": TOPIC,
        "Subject": "Amazon Elastic Transcoder has finished transcoding job.",
        "Message": event(number),
        "Timestamp": OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default(),
    });
    let member = |name: &str| Some(format!("{name}\n{}\n", message[name].as_str()?));
    let names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"];
    let text: String = names.into_iter().filter_map(member).collect();
    let signature = key.sign(text.as_bytes()).unwrap_or_default();
    message["SignatureVersion"] = json!("2");
    message["Signature"] = json!(BASE64_STANDARD.encode(signature));
    message["SigningCertURL"] = json!(format!("{endpoint}{CERTIFICATE}"));
    message.to_string()
}

/// As the transcoder tells that three outputs are complete.
fn event(number: usize) -> String {
    let file = format!("0192f0c1-7a3b-7c54-8d21-{number:012x}");
    let output = |id: &str, preset: &str, key: &str| -> Value {
        json!({ "id": id, "presetId": preset, "key": key, "status": "Complete", "duration": 62, "fileSize": 10_767_852 })
    };
    json!({
        "state": "COMPLETED", "version": "2012-09-25", "jobId": format!("1700000000000-{number:06x}"),
        "pipelineId": "1690000000000-pip001", "input": { "key": format!("media/{file}") },
        "outputKeyPrefix": format!("transcoded/{file}/"),
        "outputs": [
            output("1", "1351620000001-300300", "audio.wav"),
            output("2", "1351620000001-300110", "audio.flac"),
            output("3", "1351620000001-100110", "audio.mp4"),
        ],
        "userMetadata": { "file_id": file, "owner": "alice", "filename": "song.mp3" },
    })
    .to_string()
}
