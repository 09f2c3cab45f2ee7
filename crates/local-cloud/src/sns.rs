//! SNS over the query protocol: topics, subscriptions of queues, and messages that are really signed.

mod envelope;
mod error;
mod form;
mod publish;
mod sha1_signature;
mod signer;
mod subscription_attributes;
mod subscriptions;
mod topics;
mod xml;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    extract::Request,
    http::{Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use sigv4::AccessKeys;
use time::OffsetDateTime;
use tokio::sync::OnceCell;

use crate::{Context, body, sqs::Sqs};
use error::{Error, kind};
use form::Form;
use signer::Signer;
use xml::Answer;

pub(crate) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS sns_topics (
    name TEXT PRIMARY KEY,
    attributes TEXT NOT NULL,
    tags TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS sns_subscriptions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    arn TEXT NOT NULL UNIQUE,
    topic TEXT NOT NULL REFERENCES sns_topics (name) ON DELETE CASCADE,
    protocol TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    raw INTEGER NOT NULL,
    UNIQUE (topic, protocol, endpoint)
);
";

/// The service; one for the whole process.
pub(crate) struct Sns {
    context: Arc<Context>,
    sqs: Arc<Sqs>,
    keys: AccessKeys,
    signer: OnceCell<Arc<Signer>>,
    warned: Arc<Warned>,
}

/// Subscriptions whose queue last refused, so that each is warned about once and not per message.
#[derive(Default)]
struct Warned(Mutex<HashSet<String>>);

impl Sns {
    pub(crate) fn new(context: Arc<Context>, sqs: Arc<Sqs>) -> Self {
        let keys = context.credentials.keys().iter().map(|key| (&key.id, &key.secret)).collect();
        Self { context, sqs, keys, signer: OnceCell::new(), warned: Arc::default() }
    }

    /// Answers one request of the query protocol, or serves the certificate.
    pub(crate) async fn call(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        if parts.method == Method::GET && parts.uri.path().ends_with(".pem") {
            return self.certificate(parts.uri.path()).await;
        }
        let result = match body::read(body).await {
            Ok(body) => self.answer(&parts, &body).await,
            Err(unreadable) => Err(unreadable.into()),
        };
        xml::respond(result)
    }

    async fn answer(&self, parts: &Parts, body: &[u8]) -> Result<Answer, Error> {
        let verified = sigv4::verify(parts, body, "sns", &self.keys, OffsetDateTime::now_utc())?;
        let region = &self.context.region;
        if verified.region != *region {
            return Err(sigv4::Error::Scope(format!("the region of this endpoint, '{region}'")).into());
        }
        let form = Form::parse(parts.uri.query(), body);
        match form.get("Action").unwrap_or_default() {
            "CreateTopic" => self.create_topic(&form).await,
            "ListTopics" => self.list_topics(&form).await,
            "GetTopicAttributes" => self.get_topic_attributes(&form).await,
            "SetTopicAttributes" => self.set_topic_attributes(&form).await,
            "DeleteTopic" => self.delete_topic(&form).await,
            "Subscribe" => self.subscribe(&form).await,
            "Unsubscribe" => self.unsubscribe(&form).await,
            "ListSubscriptions" => self.list_subscriptions(&form).await,
            "ListSubscriptionsByTopic" => self.list_subscriptions_by_topic(&form).await,
            "GetSubscriptionAttributes" => self.get_subscription_attributes(&form).await,
            "SetSubscriptionAttributes" => self.set_subscription_attributes(&form).await,
            "Publish" => self.publish(&form).await,
            "PublishBatch" => self.publish_batch(&form).await,
            other => {
                let what = if other.is_empty() { "(none)" } else { other };
                Err(Error::client(kind::INVALID_ACTION, format!("The action {what} is not available here.")))
            }
        }
    }

    async fn certificate(&self, path: &str) -> Response {
        match self.signer().await {
            Ok(signer) if path == signer.certificate_path() => {
                ([(header::CONTENT_TYPE, "application/x-pem-file")], signer.certificate_pem().to_owned())
                    .into_response()
            }
            Ok(_) => (StatusCode::NOT_FOUND, "there is no such certificate\n").into_response(),
            Err(error) => xml::respond(Err(error)),
        }
    }

    /// Made when it is first needed: a key takes a moment, and most start-ups sign nothing.
    async fn signer(&self) -> Result<&Arc<Signer>, Error> {
        let file = self.context.data_dir.join("sns-signing-key.json");
        let open = || async {
            let opened = tokio::task::spawn_blocking(move || Signer::open(&file)).await;
            opened.map_err(|error| Error::Internal(error.to_string()))?.map(Arc::new).map_err(Error::Signer)
        };
        self.signer.get_or_try_init(open).await
    }
}

impl Warned {
    /// Whether this is the first refusal since the last success.
    fn is_new(&self, subscription: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(subscription.to_owned())
    }

    fn clear(&self, subscription: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(subscription);
    }
}
