//! Pipelines.

use axum::body::Bytes;
use axum::extract::State;
use common::Timestamp;
use elastic_transcoder::{
    ApiError, CreatePipelineRequest, ErrorCode, ListQuery, Pipeline, PipelineOutputConfig, PipelineStatus,
    UpdatePipelineNotificationsRequest, UpdatePipelineRequest, UpdatePipelineStatusRequest, Warning, new_id, validate,
};
use http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use super::reply::{Fault, Listing, Named, Reply, accepted, parse, reply};
use super::{Api, supported};
use crate::message::request;
use crate::store::{self, Hold, Slice};

/// How often a new id may meet a taken one: two in one millisecond with the same six letters are rare enough.
pub(super) const ID_TRIES: u32 = 3;
/// Workers that a resumed pipeline calls for at once, each of which goes on until nothing waits. As many as Elastic
/// Transcoder ran for one pipeline at once.
const CALLED: i64 = 100;

/// CreatePipeline
pub async fn create(State(api): State<Api>, body: Bytes) -> Reply {
    let request: CreatePipelineRequest = parse(&body)?;
    validate::create_pipeline(&request)?;
    supported::output_config("ContentConfig", request.content_config.as_ref())?;
    supported::output_config("ThumbnailConfig", request.thumbnail_config.as_ref())?;
    let mut connection = api.store().database.pool().acquire().await?;
    let most = api.quotas().pipelines;
    if store::count_pipelines(&mut connection).await? >= i64::from(most) {
        return Err(too_many("pipelines", most).into());
    }
    for _ in 0..ID_TRIES {
        let pipeline = pipeline(&api, request.clone(), fresh_id());
        match store::create_pipeline(&mut connection, &pipeline).await {
            Ok(()) => return reply(StatusCode::CREATED, &shown(&pipeline)),
            Err(error) if database::is_unique_violation(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(no_id())
}

/// ReadPipeline
pub async fn read(State(api): State<Api>, Named(id): Named) -> Reply {
    validate::id("id", &id)?;
    let mut connection = api.store().database.pool().acquire().await?;
    let pipeline = store::find_pipeline(&mut connection, &id).await?;
    let pipeline = pipeline.ok_or_else(|| ApiError::pipeline_not_found(api.account(), &id))?;
    reply(StatusCode::OK, &shown(&pipeline))
}

/// ListPipelines
pub async fn list(State(api): State<Api>, Listing(query): Listing) -> Reply {
    let slice = slice(&query);
    let mut connection = api.store().database.pool().acquire().await?;
    let (pipelines, next) = store::pipelines(&mut connection, slice).await?;
    reply(StatusCode::OK, &json!({ "Pipelines": pipelines, "NextPageToken": next }))
}

/// UpdatePipeline
pub async fn update(State(api): State<Api>, Named(id): Named, body: Bytes) -> Reply {
    validate::id("id", &id)?;
    let request: UpdatePipelineRequest = parse(&body)?;
    validate::update_pipeline(&request)?;
    supported::output_config("ContentConfig", request.content_config.as_ref())?;
    supported::output_config("ThumbnailConfig", request.thumbnail_config.as_ref())?;
    let pipeline = change(&api, &id, |pipeline| pipeline.update(request)).await?;
    reply(StatusCode::OK, &shown(&pipeline))
}

/// UpdatePipelineNotifications. What is left out stays, as in UpdatePipeline; for this operation that is not documented.
pub async fn update_notifications(State(api): State<Api>, Named(id): Named, body: Bytes) -> Reply {
    validate::id("id", &id)?;
    let request: UpdatePipelineNotificationsRequest = parse(&body)?;
    validate::update_pipeline_notifications(&request)?;
    let topics = request.notifications.unwrap_or_default();
    let pipeline = change(&api, &id, |pipeline| pipeline.notifications.update(topics)).await?;
    reply(StatusCode::OK, &json!({ "Pipeline": pipeline }))
}

/// UpdatePipelineStatus
pub async fn update_status(State(api): State<Api>, Named(id): Named, body: Bytes) -> Reply {
    validate::id("id", &id)?;
    let request: UpdatePipelineStatusRequest = parse(&body)?;
    validate::update_pipeline_status(&request)?;
    let status = request.status.unwrap_or_default().parse().map_err(|_| ApiError::validation("unknown status"))?;
    let pipeline = change(&api, &id, |pipeline| pipeline.status = status).await?;
    reply(StatusCode::OK, &json!({ "Pipeline": pipeline }))
}

/// DeletePipeline
pub async fn delete(State(api): State<Api>, Named(id): Named) -> Reply {
    validate::id("id", &id)?;
    let store = api.store();
    let mut transaction = store.begin().await?;
    if store::hold_pipeline(&mut transaction, store.database.kind(), &id, Hold::Change).await?.is_none() {
        return Err(ApiError::pipeline_not_found(api.account(), &id).into());
    }
    if !store::delete_pipeline(&mut transaction, &id).await? {
        let text = "The specified pipeline could not be deleted because it has jobs that are not done.";
        return Err(ApiError::new(ErrorCode::ResourceInUse, text).into());
    }
    store.commit(transaction).await?;
    accepted()
}

/// Changes a pipeline while nobody else does. One that becomes active calls for workers.
async fn change(api: &Api, id: &str, change: impl FnOnce(&mut Pipeline)) -> Result<Pipeline, Fault> {
    let store = api.store();
    let mut transaction = store.begin().await?;
    let before = store::hold_pipeline(&mut transaction, store.database.kind(), id, Hold::Change).await?;
    let before = before.ok_or_else(|| ApiError::pipeline_not_found(api.account(), id))?;
    let mut pipeline = before.clone();
    change(&mut pipeline);
    store::update_pipeline(&mut transaction, &pipeline).await?;
    if (before.status, pipeline.status) == (PipelineStatus::Paused, PipelineStatus::Active) {
        for job_id in store::waiting(&mut transaction, id, CALLED).await? {
            store.outbox.put(&mut transaction, &request(&api.inner.jobs_queue, &job_id)).await?;
        }
    }
    store.commit(transaction).await?;
    Ok(pipeline)
}

pub(super) fn too_many(what: &str, most: u32) -> ApiError {
    ApiError::new(ErrorCode::LimitExceeded, format!("There are {most} {what} already, and no more are allowed."))
}

pub(super) fn slice(query: &ListQuery) -> Slice<'_> {
    Slice { ascending: query.is_ascending(), after: query.page_token.as_deref() }
}

pub(super) fn fresh_id() -> String {
    let millis = u64::try_from(Timestamp::now().as_millis()).unwrap_or_default();
    new_id(millis, Uuid::new_v4().as_u128() as u64)
}

pub(super) fn no_id() -> Fault {
    ApiError::new(ErrorCode::InternalService, "No free id was found. Try again.").into()
}

fn pipeline(api: &Api, request: CreatePipelineRequest, id: String) -> Pipeline {
    let shared = || PipelineOutputConfig {
        bucket: request.output_bucket.clone(),
        storage_class: None,
        permissions: Some(Vec::new()),
    };
    Pipeline {
        arn: api.arns().pipeline(&id),
        id,
        name: request.name.unwrap_or_default(),
        status: PipelineStatus::Active,
        input_bucket: request.input_bucket.unwrap_or_default(),
        role: request.role.unwrap_or_default(),
        aws_kms_key_arn: request.aws_kms_key_arn,
        notifications: request.notifications.unwrap_or_default(),
        content_config: request.content_config.unwrap_or_else(shared),
        thumbnail_config: request.thumbnail_config.unwrap_or_else(shared),
        output_bucket: request.output_bucket,
    }
}

fn shown(pipeline: &Pipeline) -> serde_json::Value {
    json!({ "Pipeline": pipeline, "Warnings": Vec::<Warning>::new() })
}
