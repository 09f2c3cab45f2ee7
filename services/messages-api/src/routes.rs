//! The routes under `/v1/messages`.

mod list;
mod mark;
mod stream;

use axum::{
    Router,
    routing::{get, post},
};
use runtime::auth::{self, Verifier};
use tokio_util::sync::CancellationToken;

use crate::{hub::Hub, store::Store};

/// What the handlers need. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    /// The notices.
    pub store: Store,
    /// The open streams.
    pub hub: Hub,
    /// Cancelled when streams must end.
    pub stop: CancellationToken,
}

/// Every route, each for users with a good token only.
pub fn router(api: Api, verifier: &Verifier) -> Router {
    let routes = Router::new()
        .route("/v1/messages", get(list::list))
        .route("/v1/messages/unread-count", get(list::unread_count))
        .route("/v1/messages/stream", get(stream::stream))
        .route("/v1/messages/read-all", post(mark::read_all))
        .route("/v1/messages/{id}/read", post(mark::read))
        .route("/v1/messages/{id}/unread", post(mark::unread));
    auth::require(routes, verifier).with_state(api)
}
