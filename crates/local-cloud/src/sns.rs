//! SNS over the query protocol: topics, subscriptions of queues and of HTTP endpoints, and messages that are
//! really signed.

mod confirmation;
mod courier;
mod default_policy;
mod deliveries;
mod delivery_policy;
mod endpoint;
mod envelope;
mod error;
mod fan_out;
mod filter;
mod form;
mod protocol;
mod publication;
mod publish;
mod redrive;
mod service;
mod sha1_signature;
mod shared;
mod signer;
mod subscription;
mod subscription_attributes;
mod subscriptions;
mod tags;
mod topics;
mod unsubscribe;
mod unsubscribed;
#[cfg(test)]
mod upgrade;
mod xml;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    body::Body,
    extract::Request,
    http::{Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use sigv4::AccessKeys;
use tokio::{runtime::Handle, sync::OnceCell};

use crate::{
    Context,
    admission::admit,
    body::{self, Unreadable},
    sqs::Sqs,
};
use error::kind;
use form::Form;
use shared::Shared;
use signer::Signer;
use xml::Answer;

pub(crate) use error::Error;
pub(crate) use service::ServiceMessage;
pub use shared::SnsTimes;

/// `endpoint` in `sns_deliveries` comes first in its index, so that one endpoint's backlog is no obstacle on
/// the way to another's.
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
    settings TEXT NOT NULL DEFAULT '{}',
    pending INTEGER NOT NULL DEFAULT 0,
    token TEXT,
    token_ms INTEGER NOT NULL DEFAULT 0,
    UNIQUE (topic, protocol, endpoint)
);
CREATE UNIQUE INDEX IF NOT EXISTS sns_subscriptions_token ON sns_subscriptions (token);
CREATE TABLE IF NOT EXISTS sns_unsubscribed (
    arn TEXT PRIMARY KEY,
    topic TEXT NOT NULL REFERENCES sns_topics (name) ON DELETE CASCADE,
    protocol TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    raw INTEGER NOT NULL,
    settings TEXT NOT NULL,
    token TEXT,
    ended_ms INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS sns_unsent (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL REFERENCES sns_topics (name) ON DELETE CASCADE,
    content TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS sns_publications (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL REFERENCES sns_topics (name) ON DELETE CASCADE,
    content TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS sns_deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    publication INTEGER NOT NULL,
    topic TEXT NOT NULL REFERENCES sns_topics (name) ON DELETE CASCADE,
    subscription TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    raw INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,
    made_ms INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS sns_deliveries_made ON sns_deliveries (made_ms);
CREATE INDEX IF NOT EXISTS sns_deliveries_of_endpoint ON sns_deliveries (endpoint, due_ms);
CREATE INDEX IF NOT EXISTS sns_deliveries_due ON sns_deliveries (due_ms);
CREATE INDEX IF NOT EXISTS sns_deliveries_publication ON sns_deliveries (publication);
CREATE INDEX IF NOT EXISTS sns_deliveries_subscription ON sns_deliveries (subscription);
";

/// What fills the store, and is refused when the disk is full.
const GROWING: [&str; 2] = ["Publish", "PublishBatch"];
/// The most bytes of an unsigned body that are looked at.
const MOST_UNSIGNED: usize = 8 * 1024;

/// The service; one for the whole process.
pub(crate) struct Sns {
    shared: Shared,
    keys: AccessKeys,
    signer: OnceCell<Arc<Signer>>,
    has_started: AtomicBool,
}

/// Who has sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    /// It is signed; all access keys are the owner's.
    Owner,
    /// It is not. Links in messages are followed so.
    Anonymous,
}

impl Sns {
    pub(crate) fn new(context: Arc<Context>, sqs: Arc<Sqs>, times: SnsTimes) -> Self {
        let keys = context.credentials.keys().iter().map(|key| (&key.id, &key.secret)).collect();
        let shared = Shared::new(context, sqs, times);
        Self { shared, keys, signer: OnceCell::new(), has_started: AtomicBool::new(false) }
    }

    /// Starts the courier, once. Outside of a runtime it cannot run; the first request starts it then.
    pub(crate) fn start(self: &Arc<Self>) {
        let Ok(runtime) = Handle::try_current() else { return };
        if !self.has_started.swap(true, Ordering::Relaxed) {
            runtime.spawn(courier::run(Arc::downgrade(self), self.shared.wake.clone()));
        }
    }

    /// Answers one request of the query protocol, or serves the certificate.
    pub(crate) async fn call(self: &Arc<Self>, request: Request) -> Response {
        self.start();
        let (parts, body) = request.into_parts();
        if parts.method == Method::GET && parts.uri.path().ends_with(".pem") {
            return self.certificate(parts.uri.path()).await;
        }
        let result =
            if is_signed(&parts) { self.answer(&parts, body).await } else { self.answer_anonymous(&parts, body).await };
        xml::respond(result)
    }

    async fn answer(&self, parts: &Parts, body: Body) -> Result<Answer, Error> {
        let (body, _) = admit::<Error>(parts, body, ("sns", &self.context().region), &self.keys).await?;
        let form = Form::parse(parts.uri.query(), &body);
        self.perform(form.get("Action").unwrap_or_default(), &form, Caller::Owner).await
    }

    /// The two that links in messages ask for (SNS API, ConfirmSubscription and Unsubscribe). Of what
    /// nobody signed no more is read than these can have.
    async fn answer_anonymous(&self, parts: &Parts, body: Body) -> Result<Answer, Error> {
        let missing = || Error::Signature(sigv4::Error::MissingAuthenticationToken);
        let body = match body::read(body, MOST_UNSIGNED).await {
            Err(Unreadable::TooLarge) => return Err(missing()),
            read => read?,
        };
        let form = Form::parse(parts.uri.query(), &body);
        match form.get("Action").unwrap_or_default() {
            action @ ("ConfirmSubscription" | "Unsubscribe") => self.perform(action, &form, Caller::Anonymous).await,
            _ => Err(missing()),
        }
    }

    async fn perform(&self, action: &str, form: &Form, caller: Caller) -> Result<Answer, Error> {
        let grows = GROWING.contains(&action);
        let _room = grows.then(|| self.context().store.space().admit(form.size())).transpose()?;
        match action {
            "CreateTopic" => self.create_topic(form).await,
            "ListTopics" => self.list_topics(form).await,
            "GetTopicAttributes" => self.get_topic_attributes(form).await,
            "SetTopicAttributes" => self.set_topic_attributes(form).await,
            "DeleteTopic" => self.delete_topic(form).await,
            "TagResource" => self.tag_resource(form).await,
            "UntagResource" => self.untag_resource(form).await,
            "ListTagsForResource" => self.list_tags_for_resource(form).await,
            "Subscribe" => self.subscribe(form).await,
            "ConfirmSubscription" => self.confirm_subscription(form, caller).await,
            "Unsubscribe" => self.unsubscribe(form, caller).await,
            "ListSubscriptions" => self.list_subscriptions(form).await,
            "ListSubscriptionsByTopic" => self.list_subscriptions_by_topic(form).await,
            "GetSubscriptionAttributes" => self.get_subscription_attributes(form).await,
            "SetSubscriptionAttributes" => self.set_subscription_attributes(form).await,
            "Publish" => self.publish(form).await,
            "PublishBatch" => self.publish_batch(form).await,
            other => {
                let what = if other.is_empty() { "(none)" } else { other };
                Err(Error::client(kind::INVALID_ACTION, format!("The action {what} is not available here.")))
            }
        }
    }

    fn context(&self) -> &Context {
        &self.shared.context
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
        let file = self.context().data_dir.join("sns-signing-key.json");
        let open = || async {
            let opened = tokio::task::spawn_blocking(move || Signer::open(&file)).await;
            opened.map_err(|error| Error::Internal(error.to_string()))?.map(Arc::new).map_err(Error::Signer)
        };
        self.signer.get_or_try_init(open).await
    }
}

impl Drop for Sns {
    /// The courier sees that the service is gone.
    fn drop(&mut self) {
        self.shared.wake.notify_one();
    }
}

/// Whether a request claims to be signed, in a header or in its query (AWS Signature Version 4).
fn is_signed(parts: &Parts) -> bool {
    parts.headers.contains_key(header::AUTHORIZATION)
        || parts.uri.query().is_some_and(|query| query.split('&').any(|pair| pair.starts_with("X-Amz-Signature=")))
}
