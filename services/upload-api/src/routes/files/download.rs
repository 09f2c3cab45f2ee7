//! `GET /v1/files/{id}/outputs/{name}`.

use axum::{
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use common::OutputState;
use runtime::{Problem, User};

use super::{Id, no_file};
use crate::{
    disposition, error,
    state::AppState,
    storage::Download,
    store::{File, Output, files},
};

/// Sends the client to a link that downloads the output under a good name.
pub async fn download(
    State(app): State<AppState>,
    User(owner): User,
    Id(id): Id,
    Path((_, name)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let mut connection = app.database.pool().acquire().await?;
    let file = files::find(&mut connection, &owner, id).await?.ok_or_else(no_file)?;
    // Signing may fetch credentials: the connection is not needed for that.
    drop(connection);
    let output = file.outputs.iter().find(|output| output.name == name).ok_or_else(|| Problem::not_found("output"))?;
    if output.state != OutputState::Complete {
        return Err(error::not_complete(output.state));
    }
    let download = Download {
        key: &output.key,
        disposition: disposition::attachment(&download_name(&file, output)),
        content_type: &output.content_type,
    };
    let link = app.storage.link(&download).await.map_err(Problem::unavailable)?;
    // The link is as good as the token that asked for it: no cache may keep it.
    let headers = [(header::LOCATION, link), (header::CACHE_CONTROL, "no-store".to_owned())];
    Ok((StatusCode::TEMPORARY_REDIRECT, headers).into_response())
}

/// `song.mp3` made into `…/audio.flac` downloads as `song.flac`.
fn download_name(file: &File, output: &Output) -> String {
    let extension = output.key.rsplit_once('.').map_or(output.name.as_str(), |(_, extension)| extension);
    file.filename.with_extension(extension)
}
