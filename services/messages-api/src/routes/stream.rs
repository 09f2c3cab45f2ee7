//! `GET /v1/messages/stream`: notices as they come (server-sent events, WHATWG HTML, section 9.2).

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    response::{
        IntoResponse,
        sse::{KeepAlive, Sse},
    },
};
use futures::stream;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use runtime::{Problem, User, auth::TokenExpiry};
use tokio::time::Instant;

use super::Api;
use crate::{feed::Feed, hub::Full, notice::Sequence};

/// A comment is sent after this much silence, so that nothing in between takes the stream for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const LAST_EVENT_ID: &str = "last-event-id";
/// Asks proxies (nginx) not to hold events back.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The stream of the user's notices. It ends with the process's intake or the user's token.
pub async fn stream(
    User(user): User,
    expiry: TokenExpiry,
    State(api): State<Api>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    let last = last_event_id(&headers)?;
    let subscription = api.hub.subscribe(&user).map_err(refuse)?;
    let until = Instant::now() + expiry.remaining();
    let feed = Feed::open(api.store, subscription, last, api.stop, until).await?;
    let events = stream::unfold(feed, |mut feed| async move {
        let event = feed.next().await?;
        Some((Ok::<_, Infallible>(event), feed))
    });
    let headers = [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (X_ACCEL_BUFFERING, HeaderValue::from_static("no")),
    ];
    Ok((headers, Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))))
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<Sequence>, Problem> {
    let Some(value) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
    let place = value.to_str().ok().and_then(|text| text.parse().ok());
    place.map(Some).ok_or_else(|| Problem::bad_request("Last-Event-ID is not one that this stream gave."))
}

fn refuse(full: Full) -> Problem {
    let problem = match full {
        Full::Process => {
            let detail = "This server has as many streams open as it may. Try again in a moment.";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too-many-streams", detail)
        }
        Full::User => {
            let detail = "You have as many streams open as one user may. Close one and try again.";
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-streams", detail)
        }
    };
    problem.header(header::RETRY_AFTER, HeaderValue::from_static("10"))
}
