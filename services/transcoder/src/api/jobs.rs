//! Jobs.

use axum::body::Bytes;
use axum::extract::State;
use common::Timestamp;
use elastic_transcoder::{
    ApiError, CreateJobRequest, ErrorCode, Job, JobInput, JobOutput, JobStatus, Pipeline, Preset, Timing, validate,
};
use http::{HeaderMap, StatusCode};
use serde_json::json;
use sqlx::AnyConnection;

use super::pipelines::{ID_TRIES, fresh_id, no_id, slice, too_many};
use super::reply::{Fault, Listing, Named, Reply, accepted, parse, reply};
use super::{Api, presets, supported};
use crate::engine::{Coders, Encoding};
use crate::message::request as call;
use crate::metrics;
use crate::progress;
use crate::store::{self, Created, Hold};

/// A request that is repeated with the same token gets the job that it made.
const CLIENT_TOKEN: &str = "x-amz-client-token";
const CLIENT_TOKEN_CHARS: usize = 128;
/// How often a job may move while somebody cancels it: it moves twice at most.
const CANCEL_TRIES: u32 = 3;

/// CreateJob
pub async fn create(State(api): State<Api>, headers: HeaderMap, body: Bytes) -> Reply {
    let token = client_token(&headers)?;
    let request: CreateJobRequest = parse(&body)?;
    validate::create_job(&request)?;
    let pipeline_id = request.pipeline_id.as_deref().unwrap_or_default();
    let mut connection = api.store().database.pool().acquire().await?;
    let pipeline = store::find_pipeline(&mut connection, pipeline_id).await?;
    let pipeline = pipeline.ok_or_else(|| ApiError::pipeline_not_found(api.account(), pipeline_id))?;
    let presets = presets_of(&api, &mut connection, &request).await?;
    drop(connection);
    validate::outputs_with_presets(&request, &presets)?;
    supported::job(&request)?;
    check_outputs(&pipeline, &request, &presets, api.inner.coders)?;
    for _ in 0..ID_TRIES {
        let job = job(&api, &request, fresh_id());
        match insert(&api, &job, token.as_deref()).await? {
            Inserted::As(job) => return reply(StatusCode::CREATED, &json!({ "Job": job })),
            Inserted::IdTaken => {}
        }
    }
    Err(no_id())
}

/// ReadJob. `Progress` is an addition of ours, which the clients of the original ignore.
pub async fn read(State(api): State<Api>, Named(id): Named) -> Reply {
    validate::id("id", &id)?;
    let mut connection = api.store().database.pool().acquire().await?;
    let seen = store::see_job(&mut connection, &id).await?;
    let (job, progress) = seen.ok_or_else(|| ApiError::job_not_found(api.account(), &id))?;
    let mut shown = json!({ "Job": job });
    if let Some(progress) = progress {
        shown["Job"]["Progress"] = json!({ "Percent": progress.percent(), "Speed": progress.speed() });
    }
    reply(StatusCode::OK, &shown)
}

/// CancelJob. The original refused it for a job that runs; here whoever runs the job hears of it and stops.
pub async fn cancel(State(api): State<Api>, Named(id): Named) -> Reply {
    validate::id("id", &id)?;
    for _ in 0..CANCEL_TRIES {
        let mut transaction = api.store().begin().await?;
        let job = store::find_job(&mut transaction, &id).await?;
        let mut job = job.ok_or_else(|| ApiError::job_not_found(api.account(), &id))?;
        let from = job.status;
        if from.is_terminal() {
            break;
        }
        progress::cancel(&mut job, Timestamp::now());
        if store::update_job(&mut transaction, &job, from).await? {
            if from == JobStatus::Progressing {
                // Whoever ran it may be dead: another removes what it has stored.
                api.store().outbox.put(&mut transaction, &call(&api.inner.jobs_queue, &id)).await?;
            }
            api.store().commit(transaction).await?;
            metrics::ended(JobStatus::Canceled);
            return accepted();
        }
    }
    let text = "The specified job could not be canceled because it has ended already.";
    Err(ApiError::new(ErrorCode::ResourceInUse, text).into())
}

/// ListJobsByPipeline
pub async fn list_by_pipeline(State(api): State<Api>, Named(id): Named, Listing(query): Listing) -> Reply {
    validate::id("pipelineId", &id)?;
    let mut connection = api.store().database.pool().acquire().await?;
    if store::find_pipeline(&mut connection, &id).await?.is_none() {
        return Err(ApiError::pipeline_not_found(api.account(), &id).into());
    }
    let (jobs, next) = store::jobs_by_pipeline(&mut connection, &id, slice(&query)).await?;
    reply(StatusCode::OK, &json!({ "Jobs": jobs, "NextPageToken": next }))
}

/// ListJobsByStatus
pub async fn list_by_status(State(api): State<Api>, Named(status): Named, Listing(query): Listing) -> Reply {
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

/// The preset of each output, in their order.
async fn presets_of(
    api: &Api,
    connection: &mut AnyConnection,
    request: &CreateJobRequest,
) -> Result<Vec<Preset>, Fault> {
    let mut found = Vec::new();
    for output in request.all_outputs() {
        let id = output.preset_id.as_deref().unwrap_or_default();
        let preset = presets::find(api, connection, id).await?;
        found.push(preset.ok_or_else(|| ApiError::preset_not_found(api.account(), id))?);
    }
    Ok(found)
}

/// Each output has a preset that this server can do, and goes elsewhere than the input.
fn check_outputs(
    pipeline: &Pipeline,
    request: &CreateJobRequest,
    presets: &[Preset],
    coders: Coders,
) -> Result<(), ApiError> {
    let prefix = request.output_key_prefix.as_deref().unwrap_or_default();
    let same_bucket = pipeline.content_config.bucket.as_deref() == Some(&pipeline.input_bucket);
    for (output, preset) in request.all_outputs().into_iter().zip(presets) {
        Encoding::of(preset, coders)
            .map_err(|unsupported| ApiError::validation(format!("PresetId: {unsupported}.")))?;
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

enum Inserted {
    /// As this job: the new one, or the one that the client's token made before.
    As(Box<Job>),
    /// Not: somebody made a job of the same id.
    IdTaken,
}

/// The job and the message that calls for a worker, in one transaction. The pipeline is looked at once more: it may
/// have been deleted meanwhile.
async fn insert(api: &Api, job: &Job, token: Option<&str>) -> Result<Inserted, Fault> {
    let store = api.store();
    let mut transaction = store.begin().await?;
    let kind = store.database.kind();
    if store::hold_pipeline(&mut transaction, kind, &job.pipeline_id, Hold::Keep).await?.is_none() {
        return Err(ApiError::pipeline_not_found(api.account(), &job.pipeline_id).into());
    }
    match store::create_job(&mut transaction, job, token).await {
        Ok(Created::New) => {}
        Ok(Created::Before(job)) => return Ok(Inserted::As(job)),
        Err(error) if database::is_unique_violation(&error) => return Ok(Inserted::IdTaken),
        Err(error) => return Err(error.into()),
    }
    let most = i64::from(api.quotas().queued_jobs);
    if store::count_waiting(&mut transaction, &job.pipeline_id, most + 1).await? > most {
        return Err(too_many("jobs waiting in the pipeline", api.quotas().queued_jobs).into());
    }
    store.outbox.put(&mut transaction, &call(&api.inner.jobs_queue, &job.id)).await?;
    store.commit(transaction).await?;
    Ok(Inserted::As(Box::new(job.clone())))
}
