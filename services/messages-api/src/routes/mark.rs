//! `POST /v1/messages/{id}/read`, `…/unread`, `POST /v1/messages/read-all`.

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
};
use common::{Timestamp, UserId};
use http::StatusCode;
use runtime::{Problem, User};
use serde::Serialize;

use super::Api;
use crate::store::Marked;

/// How many notices were marked.
#[derive(Debug, Serialize)]
pub struct MarkedAll {
    read: u64,
}

/// A path's id as it was sent.
type Id = Result<Path<String>, PathRejection>;

/// Marks one notice as read.
pub async fn read(User(user): User, State(api): State<Api>, id: Id) -> Result<StatusCode, Problem> {
    mark(&api, &user, id, Some(Timestamp::now())).await
}

/// Marks one notice as unread.
pub async fn unread(User(user): User, State(api): State<Api>, id: Id) -> Result<StatusCode, Problem> {
    mark(&api, &user, id, None).await
}

async fn mark(api: &Api, user: &UserId, id: Id, read_at: Option<Timestamp>) -> Result<StatusCode, Problem> {
    // What is no id names no notice: 404, as for one that is not there.
    let id = id.ok().and_then(|Path(text)| text.parse().ok()).ok_or_else(|| Problem::not_found("message"))?;
    match api.store.mark(user, id, read_at).await? {
        Marked::Absent => return Err(Problem::not_found("message")),
        Marked::Already => {}
        Marked::Changed(head) => api.hub.publish(user, head),
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Marks everything that is unread now as read. What comes meanwhile stays unread, so it has an end.
pub async fn read_all(User(user): User, State(api): State<Api>) -> Result<Json<MarkedAll>, Problem> {
    let (until, now) = (api.store.head(&user).await?, Timestamp::now());
    let mut read = 0;
    while until.unread > 0
        && let Some((marked, head)) = api.store.mark_batch(&user, until, now).await?
    {
        read += marked;
        api.hub.publish(&user, head);
    }
    Ok(Json(MarkedAll { read }))
}
