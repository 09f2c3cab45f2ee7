//! Pipelines.

use axum::body::Bytes;
use axum::extract::{Path, State};
use common::Timestamp;
use elastic_transcoder::{
    ApiError, CreatePipelineRequest, ErrorCode, ListQuery, Pipeline, PipelineOutputConfig, PipelineStatus, Warning,
    new_id, validate,
};
use http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use super::reply::{Fault, Listing, Reply, parse, reply};
use super::{Api, supported};
use crate::store::{self, Slice};

/// How often a new id may meet a taken one: two in one millisecond with the same six letters are rare enough.
const ID_TRIES: u32 = 3;

/// CreatePipeline
pub async fn create(State(api): State<Api>, body: Bytes) -> Reply {
    let request: CreatePipelineRequest = parse(&body)?;
    validate::create_pipeline(&request)?;
    supported::output_config("ContentConfig", request.content_config.as_ref())?;
    supported::output_config("ThumbnailConfig", request.thumbnail_config.as_ref())?;
    for _ in 0..ID_TRIES {
        let pipeline = pipeline(&api, request.clone(), fresh_id());
        let mut connection = api.store().database.pool().acquire().await?;
        match store::create_pipeline(&mut connection, &pipeline).await {
            Ok(()) => return reply(StatusCode::CREATED, &shown(&pipeline)),
            Err(error) if database::is_unique_violation(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(no_id())
}

/// ReadPipeline
pub async fn read(State(api): State<Api>, Path(id): Path<String>) -> Reply {
    validate::id("id", &id)?;
    let mut connection = api.store().database.pool().acquire().await?;
    let pipeline = store::find_pipeline(&mut connection, &id).await?;
    let pipeline = pipeline.ok_or_else(|| ApiError::pipeline_not_found(api.arns().account(), &id))?;
    reply(StatusCode::OK, &shown(&pipeline))
}

/// ListPipelines
pub async fn list(State(api): State<Api>, Listing(query): Listing) -> Reply {
    let slice = slice(&query);
    let mut connection = api.store().database.pool().acquire().await?;
    let (pipelines, next) = store::pipelines(&mut connection, slice).await?;
    reply(StatusCode::OK, &json!({ "Pipelines": pipelines, "NextPageToken": next }))
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
