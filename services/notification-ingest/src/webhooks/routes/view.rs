//! Webhooks and deliveries as JSON.

use common::{DeliveryId, Timestamp, WebhookId};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::webhooks::{
    kind::Kinds,
    store::{
        deliveries::{Delivery, Tried},
        hooks::Webhook,
    },
};

/// A webhook.
#[derive(Debug, Serialize)]
pub struct WebhookView {
    pub id: WebhookId,
    url: String,
    description: String,
    events: Kinds,
    all_users: bool,
    enabled: bool,
    disabled_reason: Option<String>,
    disabled_at: Option<Timestamp>,
    failing_since: Option<Timestamp>,
    old_secret_expires_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// A delivery in a list.
#[derive(Debug, Serialize)]
pub struct DeliveryView {
    pub id: DeliveryId,
    event: String,
    state: String,
    attempts: i64,
    next_attempt_at: Option<Timestamp>,
    last_attempt: Option<LastAttempt>,
    created_at: Timestamp,
}

#[derive(Debug, Serialize)]
struct LastAttempt {
    at: Timestamp,
    status: Option<i64>,
    latency_ms: Option<i64>,
    error: Option<String>,
}

/// A delivery with what was posted and what came back.
#[derive(Debug, Serialize)]
pub struct WholeDelivery {
    #[serde(flatten)]
    delivery: DeliveryView,
    body: Box<RawValue>,
    log: Vec<AttemptView>,
}

#[derive(Debug, Serialize)]
struct AttemptView {
    at: Timestamp,
    status: Option<i64>,
    latency_ms: i64,
    error: Option<String>,
    response: Option<String>,
}

impl From<Webhook> for WebhookView {
    fn from(hook: Webhook) -> Self {
        let now = Timestamp::now();
        Self {
            id: hook.id,
            url: hook.url,
            description: hook.description,
            events: hook.events,
            all_users: hook.all_users,
            enabled: hook.enabled,
            disabled_reason: hook.disabled_reason,
            disabled_at: hook.disabled_at,
            failing_since: hook.failing_since,
            old_secret_expires_at: hook.old_secret_until.filter(|until| *until > now),
            created_at: hook.created_at,
            updated_at: hook.updated_at,
        }
    }
}

impl From<Delivery> for DeliveryView {
    fn from(row: Delivery) -> Self {
        let (status, latency_ms, error) = (row.last_status, row.last_latency_ms, row.last_error);
        Self {
            id: row.id,
            event: row.event,
            state: row.state,
            attempts: row.attempts,
            next_attempt_at: row.due_at,
            last_attempt: row.last_attempt_at.map(|at| LastAttempt { at, status, latency_ms, error }),
            created_at: row.created_at,
        }
    }
}

impl WholeDelivery {
    /// `body` is JSON as it was stored, and shown byte for byte: its signature is over those bytes.
    pub fn new(delivery: Delivery, body: String, log: Vec<Tried>) -> Result<Self, serde_json::Error> {
        let view = |tried: Tried| AttemptView {
            at: tried.at,
            status: tried.status,
            latency_ms: tried.latency_ms,
            error: tried.error,
            response: tried.response,
        };
        let body = RawValue::from_string(body)?;
        Ok(Self { delivery: delivery.into(), body, log: log.into_iter().map(view).collect() })
    }
}
