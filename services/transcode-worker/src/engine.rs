//! The transcoder, through its API: `aws-sdk-elastictranscoder`.

use anyhow::{Context, anyhow};
use aws_sdk_elastictranscoder::{
    Client,
    error::{DisplayErrorContext, ProvideErrorMetadata},
    types::{CreateJobOutput, JobInput, Pipeline},
};
use common::{JobMetadata, TranscodeRequest};
use tokio::sync::Mutex;

/// The header under which the transcoder takes an idempotency key: the same key gives the same job.
const CLIENT_TOKEN: &str = "x-amz-client-token";
/// Pages of ListPipelines that are read. AWS allowed four pipelines in all; this is far above it.
const MAX_PAGES: usize = 100;

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
                Err(anyhow!("cannot create the job: {}", DisplayErrorContext(error)).into())
            }
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
            let page = page.map_err(|error| anyhow!("cannot list pipelines: {}", DisplayErrorContext(error)))?;
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
