//! Presets: the service's own, which nobody can change. Custom ones cannot be made yet, so there are no others.

use axum::extract::{Path, State};
use elastic_transcoder::{ApiError, ErrorCode, Preset, presets, validate};
use http::StatusCode;
use serde_json::json;

use super::Api;
use super::reply::{Listing, Reply, reply};
use crate::store::PAGE;

/// ReadPreset
pub async fn read(State(api): State<Api>, Path(id): Path<String>) -> Reply {
    validate::id("id", &id)?;
    let preset = presets::find(&id, api.arns()).ok_or_else(|| ApiError::preset_not_found(api.arns().account(), &id))?;
    reply(StatusCode::OK, &json!({ "Preset": preset }))
}

/// ListPresets
pub async fn list(State(api): State<Api>, Listing(query): Listing) -> Reply {
    let all = presets::system(api.arns());
    let ordered: Box<dyn Iterator<Item = Preset>> =
        if query.is_ascending() { Box::new(all) } else { Box::new(all.rev()) };
    let follows = |preset: &Preset| match &query.page_token {
        None => true,
        Some(token) if query.is_ascending() => preset.id > *token,
        Some(token) => preset.id < *token,
    };
    let mut page: Vec<Preset> = ordered.filter(follows).take(PAGE as usize + 1).collect();
    let more = page.len() > PAGE as usize;
    page.truncate(PAGE as usize);
    let next = page.last().filter(|_| more).map(|preset| &preset.id);
    reply(StatusCode::OK, &json!({ "Presets": page, "NextPageToken": next }))
}

/// DeletePreset
pub async fn delete(State(api): State<Api>, Path(id): Path<String>) -> Reply {
    validate::id("id", &id)?;
    Err(match presets::get(&id) {
        Some(_) => ApiError::new(ErrorCode::AccessDenied, "A system preset cannot be deleted."),
        None => ApiError::preset_not_found(api.arns().account(), &id),
    }
    .into())
}
