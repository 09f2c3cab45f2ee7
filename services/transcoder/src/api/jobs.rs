//! Jobs.

use axum::body::Bytes;
use axum::extract::{Path, State};
use common::Timestamp;
use elastic_transcoder::{
    ApiError, CreateJobRequest, ErrorCode, Job, JobInput, JobOutput, JobStatus, Pipeline, Timing, presets, validate,
};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::pipelines::{fresh_id, no_id, slice};
use super::reply::{Listing, Reply, accepted, parse, reply};
use super::{Api, supported};
use crate::engine::Encoding;
use crate::progress;
use crate::store::{self, Created};
use crate::sweep;

/// A request that is repeated with the same token gets the job that it made.
const CLIENT_TOKEN: &str = "x-amz-client-token";
const CLIENT_TOKEN_CHARS: usize = 128;
const ID_TRIES: u32 = 3;

/// CreateJob
pub async fn create(State(api): State<Api>, headers: HeaderMap, body: Bytes) -> Reply {
    let token = client_token(&headers)?;
    let request: CreateJobRequest = parse(&body)?;
    validate::create_job(&request)?;
    supported::job(&request)?;
    let pipeline_id = request.pipeline_id.clone().unwrap_or_default();
    let mut connection = api.store().database.pool().acquire().await?;
    let pipeline = store::find_pipeline(&mut connection, &pipeline_id).await?;
    drop(connection);
    let pipeline = pipeline.ok_or_else(|| ApiError::pipeline_not_found(api.arns().account(), &pipeline_id))?;
    check_outputs(&api, &pipeline, &request)?;
    for _ in 0..ID_TRIES {
        let job = job(&api, &request, fresh_id());
        match insert(&api, &job, token.as_deref()).await {
            Ok(Created::New) => return reply(StatusCode::CREATED, &json!({ "Job": job })),
            Ok(Created::Before(job)) => return reply(StatusCode::CREATED, &json!({ "Job": job })),
            Err(error) if database::is_unique_violation(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(no_id())
}

/// ReadJob
pub async fn read(State(api): State<Api>, Path(id): Path<String>) -> Reply {
    validate::id("id", &id)?;
    let mut connection = api.store().database.pool().acquire().await?;
    let job = store::find_job(&mut connection, &id).await?;
    let job = job.ok_or_else(|| ApiError::job_not_found(api.arns().account(), &id))?;
    reply(StatusCode::OK, &json!({ "Job": job }))
}

/// CancelJob
pub async fn cancel(State(api): State<Api>, Path(id): Path<String>) -> Reply {
    validate::id("id", &id)?;
    let mut transaction = api.store().begin().await?;
    let job = store::find_job(&mut transaction, &id).await?;
    let mut job = job.ok_or_else(|| ApiError::job_not_found(api.arns().account(), &id))?;
    let status = job.status;
    progress::cancel(&mut job, Timestamp::now());
    if status != JobStatus::Submitted || !store::update_job(&mut transaction, &job, JobStatus::Submitted).await? {
        let text = "The specified job could not be canceled because only a job whose status is Submitted can be.";
        return Err(ApiError::new(ErrorCode::ResourceInUse, text).into());
    }
    api.store().commit(transaction).await?;
    accepted()
}

/// ListJobsByPipeline
pub async fn list_by_pipeline(State(api): State<Api>, Path(id): Path<String>, Listing(query): Listing) -> Reply {
    validate::id("pipelineId", &id)?;
    let mut connection = api.store().database.pool().acquire().await?;
    if store::find_pipeline(&mut connection, &id).await?.is_none() {
        return Err(ApiError::pipeline_not_found(api.arns().account(), &id).into());
    }
    let (jobs, next) = store::jobs_by_pipeline(&mut connection, &id, slice(&query)).await?;
    reply(StatusCode::OK, &json!({ "Jobs": jobs, "NextPageToken": next }))
}

/// ListJobsByStatus
pub async fn list_by_status(State(api): State<Api>, Path(status): Path<String>, Listing(query): Listing) -> Reply {
    validate::status(&status)?;
    let status: JobStatus = status.parse().map_err(|_| ApiError::validation("unknown status"))?;
    let mut connection = api.store().database.pool().acquire().await?;
    let (jobs, next) = store::jobs_by_status(&mut connection, status, slice(&query)).await?;
    reply(StatusCode::OK, &json!({ "Jobs": jobs, "NextPageToken": next }))
}

fn client_token(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(token) = headers.get(CLIENT_TOKEN) else { return Ok(None) };
    match token.to_str() {
        Ok(token) if (1..=CLIENT_TOKEN_CHARS).contains(&token.len()) => Ok(Some(token.to_owned())),
        _ => Err(ApiError::validation(format!("{CLIENT_TOKEN} must have 1 to {CLIENT_TOKEN_CHARS} ASCII characters."))),
    }
}

/// Each output has a preset that this server can do, and goes elsewhere than the input.
fn check_outputs(api: &Api, pipeline: &Pipeline, request: &CreateJobRequest) -> Result<(), ApiError> {
    let prefix = request.output_key_prefix.as_deref().unwrap_or_default();
    let same_bucket = pipeline.content_config.bucket.as_deref() == Some(&pipeline.input_bucket);
    for output in request.all_outputs() {
        let preset_id = output.preset_id.as_deref().unwrap_or_default();
        let preset =
            presets::get(preset_id).ok_or_else(|| ApiError::preset_not_found(api.arns().account(), preset_id))?;
        Encoding::of(preset).map_err(|unsupported| ApiError::validation(format!("PresetId: {unsupported}.")))?;
        let key = format!("{prefix}{}", output.key.as_deref().unwrap_or_default());
        if key.len() > 1024 {
            return Err(ApiError::validation(format!("OutputKeyPrefix and Key together pass 1024 bytes: {key}")));
        }
        if same_bucket && request.all_inputs().iter().any(|input| input.key.as_deref() == Some(&key)) {
            return Err(ApiError::validation(format!("An output would overwrite the input of the job: {key}")));
        }
    }
    Ok(())
}

fn job(api: &Api, request: &CreateJobRequest, id: String) -> Job {
    // What clients say was detected is not.
    let undetected = |input: &JobInput| JobInput { detected_properties: None, ..input.clone() };
    let inputs: Vec<JobInput> = request.all_inputs().into_iter().map(undetected).collect();
    let outputs: Vec<JobOutput> = request
        .all_outputs()
        .into_iter()
        .enumerate()
        .map(|(at, output)| JobOutput::submitted(at + 1, output))
        .collect();
    Job {
        arn: api.arns().job(&id),
        id,
        pipeline_id: request.pipeline_id.clone().unwrap_or_default(),
        input: inputs.first().cloned(),
        inputs,
        output: outputs.first().cloned(),
        outputs,
        output_key_prefix: request.output_key_prefix.clone(),
        playlists: Vec::new(),
        status: JobStatus::Submitted,
        user_metadata: request.user_metadata.clone(),
        timing: Timing { submit_time_millis: Some(Timestamp::now().as_millis()), ..Timing::default() },
    }
}

/// The job and the message that has it run, in one transaction.
async fn insert(api: &Api, job: &Job, token: Option<&str>) -> Result<Created, sqlx::Error> {
    let store = api.store();
    let mut transaction = store.begin().await?;
    let created = store::create_job(&mut transaction, job, token).await?;
    if let Created::New = created {
        store.outbox.put(&mut transaction, &sweep::request(&api.inner.jobs_queue, &job.id)).await?;
    }
    store.commit(transaction).await?;
    Ok(created)
}
