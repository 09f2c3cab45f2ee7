//! The routes under `/v1/webhooks`.

mod deliveries;
mod hooks;
mod secret;
mod view;

use std::time::Duration;

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRequestParts, Path},
    routing::{get, post},
};
use common::{DeliveryId, WebhookId};
use database::Database;
use http::request::Parts;
use runtime::{
    Operator, Problem, User,
    auth::{self, Verifier},
};
use sqlx::AnyConnection;

use super::{
    Wake,
    client::Poster,
    store::hooks::{self as rows, Webhook},
};

/// The most bytes of a request; a URL has no more than 2048.
const MAX_BODY: usize = 16 * 1024;

/// What the handlers need. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    /// The service's tables.
    pub database: Database,
    /// Looks at where a webhook is going to point to.
    pub poster: Poster,
    /// Wakes the courier.
    pub wake: Wake,
    /// Wakes the sweep.
    pub swept: Wake,
    /// The most webhooks of one user.
    pub most: u32,
    /// How long the secret before a rotation signs too.
    pub overlap: Duration,
}

/// Every route, each for users with a good token only.
pub fn router(api: Api, verifier: &Verifier) -> Router {
    let routes = Router::new()
        .route("/v1/webhooks", get(hooks::list).post(hooks::create))
        .route("/v1/webhooks/{id}", get(hooks::show).patch(hooks::update).delete(hooks::delete))
        .route("/v1/webhooks/{id}/rotate-secret", post(secret::rotate))
        .route("/v1/webhooks/{id}/test", post(deliveries::test))
        .route("/v1/webhooks/{id}/deliveries", get(deliveries::list))
        .route("/v1/webhooks/{id}/deliveries/{delivery}", get(deliveries::show))
        .route("/v1/webhooks/{id}/deliveries/{delivery}/replay", post(deliveries::replay))
        .layer(DefaultBodyLimit::max(MAX_BODY));
    auth::require(routes, verifier).with_state(api)
}

/// Who asks for which webhook. What is no id names no webhook.
struct Asked {
    user: User,
    operator: Option<Operator>,
    id: WebhookId,
    delivery: Option<DeliveryId>,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let user = User::from_request_parts(parts, state).await?;
        let operator = Operator::from_request_parts(parts, state).await.ok();
        let path = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let values = path.map_err(|_| Problem::not_found("webhook"))?.0;
        let value = |name: &str| values.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let id = value("id").and_then(|id| id.parse().ok()).ok_or_else(|| Problem::not_found("webhook"))?;
        let delivery = value("delivery").map(str::parse).transpose();
        let delivery = delivery.map_err(|_| Problem::not_found("delivery"))?;
        Ok(Self { user, operator, id, delivery })
    }
}

impl Asked {
    /// The webhook, if the caller may know of it: 404 otherwise. One for all users is every operator's, and nobody else's.
    async fn webhook(&self, connection: &mut AnyConnection) -> Result<Webhook, Problem> {
        let found = rows::find(connection, self.id).await?;
        let theirs = |hook: &Webhook| if hook.all_users { self.operator.is_some() } else { hook.owner == self.user.0 };
        found.filter(theirs).ok_or_else(|| Problem::not_found("webhook"))
    }

    fn delivery(&self) -> Result<DeliveryId, Problem> {
        self.delivery.ok_or_else(|| Problem::not_found("delivery"))
    }
}
