//! The service's routes.

mod files;

use axum::Router;
use runtime::auth::{self, Verifier};

use crate::state::AppState;

/// All routes, each behind a token.
pub fn router(state: AppState, verifier: &Verifier) -> Router {
    auth::require(files::router(), verifier).with_state(state)
}
