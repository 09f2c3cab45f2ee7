//! Binding, finishing and serving a router.

use std::net::SocketAddr;

use anyhow::Context;
use axum::{Router, middleware, serve::ListenerExt};
use tokio::net::TcpListener;

use super::{Problem, request};
use crate::{Health, Shutdown};

/// Binds `address`; a port that is taken gives one clear line.
pub async fn bind(address: SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    let hint = || format!("cannot listen on {address}: choose another address with {setting}");
    TcpListener::bind(address).await.with_context(hint)
}

/// Adds to a service's routes what all services have: health, problems for what is missing, and
/// the span, id and log line of each request.
pub fn finish(routes: Router, health: &Health) -> Router {
    routes
        .merge(health.router())
        .fallback(|| async { Problem::not_found("page") })
        .layer(middleware::from_fn(request::observe))
}

/// Serves until the intake stops, then lets requests end until work must be dropped.
pub fn serve(shutdown: &Shutdown, name: &'static str, listener: TcpListener, router: Router) {
    let (intake, work) = (shutdown.intake(), shutdown.work());
    shutdown.spawn(name, async move {
        // Small answers must not wait for more to send.
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "cannot set TCP_NODELAY");
            }
        });
        let server = axum::serve(listener, router).with_graceful_shutdown(intake.cancelled_owned());
        tokio::select! {
            result = async { server.await } => result.context("the HTTP server failed"),
            () = work.cancelled() => Ok(()),
        }
    });
}
