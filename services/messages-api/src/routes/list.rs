//! `GET /v1/messages`, `GET /v1/messages/unread-count`.

use axum::{
    Json,
    extract::{Query, State},
};
use runtime::{Page, PageParams, Problem, User};
use serde::{Deserialize, Serialize};

use super::Api;
use crate::{
    notice::{Notice, Sequence},
    store::Status,
};

/// The query of a list.
#[derive(Debug, Deserialize)]
pub struct Params {
    #[serde(default)]
    status: Status,
    #[serde(flatten)]
    page: PageParams<Sequence>,
}

/// A list of notices.
#[derive(Debug, Serialize)]
pub struct List {
    #[serde(flatten)]
    page: Page<Notice>,
    unread: i64,
}

/// How many notices are unread.
#[derive(Debug, Serialize)]
pub struct Count {
    unread: i64,
}

/// The user's notices, newest first.
pub async fn list(
    User(user): User,
    State(api): State<Api>,
    Query(Params { status, page }): Query<Params>,
) -> Result<Json<List>, Problem> {
    let listed = api.store.list(&user, status, page.cursor, page.limit.probe()).await?;
    let page = Page::new(listed.notices, page.limit, |notice| notice.sequence);
    Ok(Json(List { page, unread: listed.head.unread }))
}

/// The count alone.
pub async fn unread_count(User(user): User, State(api): State<Api>) -> Result<Json<Count>, Problem> {
    Ok(Json(Count { unread: api.store.head(&user).await?.unread }))
}
