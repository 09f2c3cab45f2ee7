//! `/v1/files`.

mod create;
mod download;
mod view;

use axum::{
    Json, Router,
    extract::{FromRequestParts, Path, Query, State},
    http::{StatusCode, request::Parts},
    routing::get,
};
use common::{FileId, Timestamp};
use runtime::{Page, PageParams, Problem, User};

use crate::{
    state::AppState,
    store::{deletions, files},
};
use view::FileView;

/// The resource's routes.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/v1/files", get(list).post(create::create))
        .route("/v1/files/{id}", get(show).delete(delete))
        .route("/v1/files/{id}/outputs/{name}", get(download::download))
}

/// The file that the path names. What is no id names no file.
struct Id(FileId);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let values = path.map_err(|_| no_file())?.0;
        let id = values.iter().find(|(name, _)| name == "id").and_then(|(_, value)| value.parse().ok());
        if let Some(id) = id {
            tracing::Span::current().record("file_id", tracing::field::display(id));
        }
        id.map(Self).ok_or_else(no_file)
    }
}

fn no_file() -> Problem {
    Problem::not_found("file")
}

async fn list(
    State(app): State<AppState>,
    User(owner): User,
    Query(page): Query<PageParams<FileId>>,
) -> Result<Json<Page<FileView>>, Problem> {
    let mut connection = app.database.pool().acquire().await?;
    let files = files::list(&mut connection, &owner, page.cursor, page.limit).await?;
    let views = files.into_iter().map(FileView::from).collect();
    Ok(Json(Page::new(views, page.limit, |file: &FileView| file.id)))
}

async fn show(State(app): State<AppState>, User(owner): User, Id(id): Id) -> Result<Json<FileView>, Problem> {
    let mut connection = app.database.pool().acquire().await?;
    let file = files::find(&mut connection, &owner, id).await?.ok_or_else(no_file)?;
    Ok(Json(file.into()))
}

/// The file is gone at once; its objects follow. Once the other services have heard of it, no job is
/// made of it any more and no notice comes.
async fn delete(State(app): State<AppState>, User(owner): User, Id(id): Id) -> Result<StatusCode, Problem> {
    let now = Timestamp::now();
    let mut transaction = app.database.begin().await?;
    if !deletions::delete(&mut transaction, &owner, id, now).await? {
        return Err(no_file());
    }
    app.requests.withdraw(&mut transaction, id, owner, now).await?;
    app.requests.commit(transaction).await?;
    app.purge.wake();
    Ok(StatusCode::NO_CONTENT)
}
