//! Presets: the service's own, which nobody can change, and custom ones, which can be made and deleted.

use axum::body::Bytes;
use axum::extract::State;
use common::Timestamp;
use elastic_transcoder::{ApiError, CreatePresetRequest, ErrorCode, ListQuery, Preset, Thumbnails, presets, validate};
use http::StatusCode;
use serde_json::json;
use sqlx::AnyConnection;

use super::Api;
use super::pipelines::{ID_TRIES, fresh_id, no_id, slice, too_many};
use super::reply::{Listing, Named, Reply, accepted, parse, reply};
use crate::store::{self, PAGE};

/// CreatePreset
pub async fn create(State(api): State<Api>, body: Bytes) -> Reply {
    let request: CreatePresetRequest = parse(&body)?;
    let warning = validate::create_preset(&request)?;
    let mut connection = api.store().database.pool().acquire().await?;
    let most = api.quotas().presets;
    if store::count_presets(&mut connection).await? >= i64::from(most) {
        return Err(too_many("custom presets", most).into());
    }
    for _ in 0..ID_TRIES {
        let preset = preset(&api, request.clone(), fresh_id());
        match store::create_preset(&mut connection, &preset).await {
            Ok(()) => return reply(StatusCode::CREATED, &json!({ "Preset": preset, "Warning": warning })),
            Err(error) if database::is_unique_violation(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(no_id())
}

/// ReadPreset
pub async fn read(State(api): State<Api>, Named(id): Named) -> Reply {
    validate::id("id", &id)?;
    let mut connection = api.store().database.pool().acquire().await?;
    let preset = find(&api, &mut connection, &id).await?;
    let preset = preset.ok_or_else(|| ApiError::preset_not_found(api.account(), &id))?;
    reply(StatusCode::OK, &json!({ "Preset": preset }))
}

/// ListPresets
pub async fn list(State(api): State<Api>, Listing(query): Listing) -> Reply {
    let mut connection = api.store().database.pool().acquire().await?;
    let custom = store::presets(&mut connection, slice(&query)).await?;
    let system = system(&api, &query);
    // The service's own are older than any that could be made.
    let all: Vec<Preset> = if query.is_ascending() {
        system.into_iter().chain(custom).take(PAGE as usize + 1).collect()
    } else {
        custom.into_iter().chain(system).take(PAGE as usize + 1).collect()
    };
    let (page, next) = store::page(all, |preset| &preset.id);
    reply(StatusCode::OK, &json!({ "Presets": page, "NextPageToken": next }))
}

/// DeletePreset
pub async fn delete(State(api): State<Api>, Named(id): Named) -> Reply {
    validate::id("id", &id)?;
    if presets::get(&id).is_some() {
        return Err(ApiError::new(ErrorCode::AccessDenied, "A system preset cannot be deleted.").into());
    }
    let mut connection = api.store().database.pool().acquire().await?;
    if !store::delete_preset(&mut connection, &id, Timestamp::now()).await? {
        return Err(ApiError::preset_not_found(api.account(), &id).into());
    }
    accepted()
}

/// A preset of either kind that is not deleted.
pub(super) async fn find(api: &Api, connection: &mut AnyConnection, id: &str) -> Result<Option<Preset>, sqlx::Error> {
    match presets::find(id, api.arns()) {
        Some(system) => Ok(Some(system)),
        None => store::find_preset(connection, id).await,
    }
}

/// The system presets that follow.
fn system(api: &Api, query: &ListQuery) -> Vec<Preset> {
    let token = query.page_token.as_deref();
    if query.is_ascending() {
        presets::system(api.arns()).filter(|preset| token.is_none_or(|token| preset.id.as_str() > token)).collect()
    } else {
        presets::system(api.arns())
            .rev()
            .filter(|preset| token.is_none_or(|token| preset.id.as_str() < token))
            .collect()
    }
}

fn preset(api: &Api, request: CreatePresetRequest, id: String) -> Preset {
    Preset {
        arn: api.arns().preset(&id),
        id,
        name: request.name.unwrap_or_default(),
        description: request.description,
        container: request.container.unwrap_or_default(),
        audio: request.audio,
        video: request.video,
        thumbnails: request.thumbnails.filter(|thumbnails| *thumbnails != Thumbnails::default()),
        kind: "Custom".to_owned(),
    }
}
