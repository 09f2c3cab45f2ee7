//! The transcoder, through its API: `aws-sdk-elastictranscoder`.

use anyhow::{Context, anyhow};
use aws_sdk_elastictranscoder::{
    Client,
    error::ProvideErrorMetadata,
    types::{CreateJobOutput, Job, JobInput, JobOutput, Pipeline},
};
use common::{FileState, JobMetadata, OutputResult, OutputState, ResultError, TranscodeRequest};
use sdk_error::brief;
use tokio::sync::Mutex;

/// The header under which the transcoder takes an idempotency key: the same key gives the same job.
const CLIENT_TOKEN: &str = "x-amz-client-token";
/// Pages of ListPipelines that are read. AWS allowed four pipelines in all; this is far above it.
const MAX_PAGES: usize = 100;

/// The transcoder's code for an internal error.
const UNKNOWN: u32 = 9999;

/// Why there is no job.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The transcoder will never take this request.
    #[error("the transcoder refuses the job: {0}")]
    Refused(String),
    /// It may take it later.
    #[error(transparent)]
    Retry(#[from] anyhow::Error),
}

/// How a job ended.
#[derive(Debug)]
pub struct Ended {
    pub state: FileState,
    pub outputs: Vec<OutputResult>,
    pub error: Option<ResultError>,
}

/// Submits jobs to one pipeline, which it finds by its name.
pub struct Engine {
    client: Client,
    pipeline: String,
    pipeline_id: Mutex<Option<String>>,
}

impl Engine {
    /// An engine that looks for its pipeline when the first job comes.
    pub fn new(client: Client, pipeline: String) -> Self {
        Self { client, pipeline, pipeline_id: Mutex::default() }
    }

    /// Creates the job of a request, or finds the one that an earlier try created.
    pub async fn submit(&self, request: &TranscodeRequest) -> Result<String, SubmitError> {
        let pipeline_id = self.pipeline_id().await?;
        let metadata =
            JobMetadata { file_id: request.file_id, owner: request.owner.clone(), filename: request.filename.clone() };
        let outputs = request
            .profile
            .outputs()
            .iter()
            .map(|output| CreateJobOutput::builder().key(output.file_name()).preset_id(output.preset_id).build());
        let token = request.file_id.to_string();
        let result = self
            .client
            .create_job()
            .pipeline_id(pipeline_id)
            .input(JobInput::builder().key(&request.input_key).build())
            .set_outputs(Some(outputs.collect()))
            .output_key_prefix(&request.output_prefix)
            .set_user_metadata(Some(metadata.to_pairs().into_iter().collect()))
            .customize()
            .mutate_request(move |request| {
                request.headers_mut().insert(CLIENT_TOKEN, token.clone());
            })
            .send()
            .await;
        match result {
            Ok(output) => {
                let id = output.job.and_then(|job| job.id);
                Ok(id.context("the transcoder answered without the job's id")?)
            }
            Err(error) if error.code() == Some("ValidationException") => {
                Err(SubmitError::Refused(error.message().unwrap_or("no reason given").to_owned()))
            }
            Err(error) => {
                // The pipeline may have been deleted and made anew under another id.
                *self.pipeline_id.lock().await = None;
                Err(anyhow!("cannot create the job: {}", brief(&error)).into())
            }
        }
    }

    /// What became of a job, if it has ended. `None` too when the transcoder no longer knows it.
    pub async fn ended(&self, job_id: &str) -> anyhow::Result<Option<Ended>> {
        match self.client.read_job().id(job_id).send().await {
            Ok(output) => Ok(output.job.as_ref().and_then(ended)),
            Err(error) if error.code() == Some("ResourceNotFoundException") => {
                tracing::warn!(job_id, "the transcoder does not know the job");
                Ok(None)
            }
            Err(error) => Err(anyhow!("cannot read the job {job_id}: {}", brief(&error))),
        }
    }

    /// Cancels a job. One that has ended cannot be cancelled, nor, where the service is not Segue's own, one that has
    /// begun (Elastic Transcoder API, CancelJob).
    pub async fn cancel(&self, job_id: &str) -> anyhow::Result<()> {
        let Err(error) = self.client.cancel_job().id(job_id).send().await else {
            tracing::info!(job_id, "cancelled the job of a deleted file");
            return Ok(());
        };
        match error.code() {
            Some("ResourceInUseException" | "ResourceNotFoundException") => {
                tracing::debug!(job_id, "the job of a deleted file cannot be cancelled any more");
                Ok(())
            }
            _ => Err(anyhow!("cannot cancel the job {job_id}: {}", brief(&error))),
        }
    }

    async fn pipeline_id(&self) -> anyhow::Result<String> {
        let mut known = self.pipeline_id.lock().await;
        if let Some(id) = &*known {
            return Ok(id.clone());
        }
        let id = self.find_pipeline().await?;
        tracing::info!(pipeline = self.pipeline, id, "found the pipeline");
        *known = Some(id.clone());
        Ok(id)
    }

    async fn find_pipeline(&self) -> anyhow::Result<String> {
        let mut token = None;
        for _ in 0..MAX_PAGES {
            let page = self.client.list_pipelines().set_page_token(token).send().await;
            let page = page.map_err(|error| anyhow!("cannot list pipelines: {}", brief(&error)))?;
            let named = |pipeline: &&Pipeline| pipeline.name() == Some(&self.pipeline);
            if let Some(id) = page.pipelines().iter().find(named).and_then(Pipeline::id) {
                return Ok(id.to_owned());
            }
            token = page.next_page_token;
            if token.is_none() {
                break;
            }
        }
        Err(anyhow!("there is no pipeline named {:?}; `segue provision` makes it", self.pipeline))
    }
}

fn ended(job: &Job) -> Option<Ended> {
    let state = match job.status()? {
        "Complete" => FileState::Complete,
        "Error" => FileState::Error,
        "Canceled" => FileState::Canceled,
        _ => return None,
    };
    let prefix = job.output_key_prefix().unwrap_or_default();
    let outputs: Vec<OutputResult> = job.outputs().iter().map(|output| result(prefix, output)).collect();
    let failure = || outputs.iter().find_map(|output| output.error.clone()).unwrap_or_else(|| failed(None));
    let error = (state == FileState::Error).then(failure);
    Some(Ended { state, outputs, error })
}

fn result(prefix: &str, output: &JobOutput) -> OutputResult {
    let state = match output.status().unwrap_or_default() {
        "Complete" => OutputState::Complete,
        "Error" => OutputState::Error,
        "Canceled" => OutputState::Canceled,
        _ => OutputState::Pending,
    };
    OutputResult {
        key: format!("{prefix}{}", output.key().unwrap_or_default()),
        preset_id: output.preset_id().unwrap_or_default().to_owned(),
        state,
        duration_ms: output.duration_millis(),
        size: output.file_size(),
        error: (state == OutputState::Error).then(|| failed(output.status_detail())),
    }
}

/// A failure's detail begins with its code: `4000 <uuid>: …` (Elastic Transcoder, error codes).
fn failed(detail: Option<&str>) -> ResultError {
    let code = detail.and_then(|detail| detail.split(' ').next()).and_then(|code| code.parse().ok());
    ResultError { code: code.unwrap_or(UNKNOWN), message: "The file could not be processed.".to_owned() }
}
