//! Binding, finishing and serving a router.

use std::net::SocketAddr;

use anyhow::Context;
use axum::{Router, middleware};
use http_server::Limits;
use tokio::net::TcpListener;

use super::{Problem, request};
use crate::{Health, Shutdown, metrics};

/// Binds `address`; a port that is taken gives one clear line.
pub async fn bind(address: SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    let hint = || format!("cannot listen on {address}: choose another address with {setting}");
    TcpListener::bind(address).await.with_context(hint)
}

/// Adds to a service's routes what all services have: health, metrics, problems for what is missing,
/// and the span, id, count and log line of each request.
pub fn finish(routes: Router, health: &Health) -> Router {
    routes
        .merge(health.router())
        .merge(metrics::router())
        .fallback(|| async { Problem::not_found("page") })
        .layer(middleware::from_fn(request::observe))
}

/// Serves until the intake stops, then lets requests end until work must be dropped.
pub fn serve(shutdown: &Shutdown, name: &'static str, listener: TcpListener, router: Router, limits: Limits) {
    let (intake, work) = (shutdown.intake(), shutdown.work());
    shutdown.spawn(name, async move {
        let served = http_server::serve(listener, router, limits, intake.cancelled_owned());
        // Nothing is left to say when what is in hand is dropped.
        work.run_until_cancelled_owned(served).await;
        Ok(())
    });
}
