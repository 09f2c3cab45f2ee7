//! A client with as little of its own as there can be: one connection, the signature, JSON. It shows what the
//! server does; beside the SDK on two cores, much of the time is the SDK's.

use std::time::{Instant, SystemTime};

use anyhow::{Context, ensure};
use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4::SigningParams,
};
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::cloud::Cloud;

/// One connection to the queues of a cloud.
pub struct Lean {
    sender: SendRequest<Full<Bytes>>,
    address: String,
    key: Credentials,
}

impl Lean {
    /// Connects.
    pub async fn new(cloud: &Cloud) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(cloud.address()).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let (id, secret) = cloud.key();
        let key = Credentials::new(id, secret, None, None, "bench");
        Ok(Self { sender, address: cloud.address().to_owned(), key })
    }

    /// Takes messages through a queue, one by one; gives back how many.
    pub async fn work(mut self, url: String, body: &'static str, until: Instant) -> anyhow::Result<usize> {
        let mut done = 0;
        while Instant::now() < until {
            self.ask("SendMessage", &json!({ "QueueUrl": url, "MessageBody": body })).await?;
            let received = self.ask("ReceiveMessage", &json!({ "QueueUrl": url })).await?;
            for message in received["Messages"].as_array().into_iter().flatten() {
                let handle = message["ReceiptHandle"].as_str().context("no handle")?;
                self.ask("DeleteMessage", &json!({ "QueueUrl": url, "ReceiptHandle": handle })).await?;
                done += 1;
            }
        }
        Ok(done)
    }

    async fn ask(&mut self, operation: &str, parameters: &Value) -> anyhow::Result<Value> {
        let request = self.request(operation, serde_json::to_vec(parameters)?)?;
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        ensure!(status.is_success(), "{operation}: {status}: {}", String::from_utf8_lossy(&body));
        Ok(serde_json::from_slice(&body)?)
    }

    fn request(&self, operation: &str, body: Vec<u8>) -> anyhow::Result<Request<Full<Bytes>>> {
        let target = format!("AmazonSQS.{operation}");
        let headers = [
            (header::HOST.as_str(), self.address.as_str()),
            (header::CONTENT_TYPE.as_str(), "application/x-amz-json-1.0"),
            ("x-amz-target", &target),
        ];
        let url = format!("http://{}/", self.address);
        let signable = SignableRequest::new("POST", url, headers.into_iter(), SignableBody::Bytes(&body))?;
        let identity = self.key.clone().into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name("sqs")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()?
            .into();
        let (signature, _) = sign(signable, &params)?.into_parts();
        let mut request = Request::post("/");
        for (name, value) in headers.into_iter().chain(signature.headers()) {
            request = request.header(name, value);
        }
        Ok(request.body(Full::new(body.into()))?)
    }
}
