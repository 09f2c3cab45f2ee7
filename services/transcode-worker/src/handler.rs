//! One request, one job.

use common::{
    FileId, FileState, ResultError, Timestamp, TranscodeRequest, TranscodeResult,
    event::{DecodeError, Event, V1},
};
use database::Database;
use queue::{Failure, Handler, Message, Outbox, Outgoing, Target};

use crate::{
    engine::{Engine, SubmitError},
    prefixes::Prefixes,
    store,
};

/// The transcoder's code for a request that it finds invalid (Elastic Transcoder, error codes).
const VALIDATION_ERROR: u32 = 1000;

/// Handles the messages of `transcode-requests`.
pub struct RequestHandler {
    pub prefixes: Prefixes,
    pub database: Database,
    pub outbox: Outbox,
    pub engine: Engine,
    pub results_arn: String,
}

impl Handler for RequestHandler {
    async fn handle(&self, message: &Message) -> Result<(), Failure> {
        let event = Event::decode(&message.body).map_err(Failure::reject)?;
        queue::about_event(&event);
        match event {
            Event::TranscodeRequest(request) => self.transcode(&request).await,
            Event::FileDeleted(deleted) => self.forget(deleted.file_id).await,
            Event::TranscodeResult(_) | Event::WebhookDisabled(_) => Err(Failure::reject(DecodeError::Kind)),
        }
    }

    async fn ready(&self) -> bool {
        self.database.ping().await.is_ok()
    }
}

impl RequestHandler {
    async fn transcode(&self, request: &TranscodeRequest) -> Result<(), Failure> {
        self.prefixes.check(request).map_err(Failure::reject)?;
        let file = request.file_id;
        let known = store::note(self.database.pool(), file, Timestamp::now()).await?;
        if known.deleted && !known.asked {
            tracing::info!(%file, "no job for a file that was deleted");
            return Ok(());
        }
        if known.deleted && known.job_id.is_some() {
            return self.cancel(file, known.job_id).await;
        }
        if let Some(job_id) = known.job_id {
            return self.again(request, job_id).await;
        }
        match self.engine.submit(request).await {
            Ok(job_id) => self.submitted(file, &job_id).await,
            Err(SubmitError::Refused(reason)) => {
                tracing::error!(%file, reason, "the transcoder refuses the job; its owner is told");
                Ok(self.tell_owner(request).await?)
            }
            Err(SubmitError::Retry(cause)) => Err(cause.into()),
        }
    }

    async fn submitted(&self, file: FileId, job_id: &str) -> Result<(), Failure> {
        let mut connection = self.database.pool().acquire().await?;
        store::submitted(&mut connection, file, job_id, Timestamp::now()).await?;
        drop(connection);
        tracing::info!(%file, job_id, "job created");
        // It may have been deleted while the job was being made, when there was none to cancel. If this
        // fails, the request comes again and finds the job.
        if store::find(self.database.pool(), file).await?.deleted {
            self.engine.cancel(job_id).await?;
        }
        Ok(())
    }

    /// No job of a deleted file is wanted: it is cancelled, or if that cannot be, goes on and nobody hears of it.
    async fn forget(&self, file: FileId) -> Result<(), Failure> {
        let known = store::delete(self.database.pool(), file, Timestamp::now()).await?;
        self.cancel(file, known.job_id).await
    }

    async fn cancel(&self, file: FileId, job_id: Option<String>) -> Result<(), Failure> {
        // The file's own id stands for a job that was refused.
        if let Some(job_id) = job_id.filter(|job_id| *job_id != file.to_string()) {
            self.engine.cancel(&job_id).await?;
        }
        Ok(())
    }

    /// The file has its job already. upload-api asks again for a file that does not move: when the job has
    /// ended, its notification was lost or there was none (cancelling sends none), so its end is told here.
    async fn again(&self, request: &TranscodeRequest, job_id: String) -> Result<(), Failure> {
        if job_id == request.file_id.to_string() {
            return Ok(()); // refused, and told
        }
        let Some(ended) = self.engine.ended(&job_id).await? else {
            tracing::debug!(file = %request.file_id, job_id, "the file has its job already");
            return Ok(());
        };
        tracing::info!(file = %request.file_id, job_id, state = %ended.state, "told the end of a job again");
        let result = TranscodeResult { outputs: ended.outputs, ..result(request, job_id, ended.state, ended.error) };
        let mut transaction = self.database.begin().await?;
        self.outbox.put(&mut transaction, &self.outgoing(&result)).await?;
        Ok(self.outbox.commit(transaction).await?)
    }

    /// There will be no job, so nobody else is going to say that the file failed.
    async fn tell_owner(&self, request: &TranscodeRequest) -> Result<(), sqlx::Error> {
        // No job has this id: the file's stands in for it.
        let job_id = request.file_id.to_string();
        let mut transaction = self.database.begin().await?;
        if store::submitted(&mut transaction, request.file_id, &job_id, Timestamp::now()).await? {
            let message = "The transcoder cannot work with this file's request.".to_owned();
            let error = ResultError { code: VALIDATION_ERROR, message };
            let result = result(request, job_id, FileState::Error, Some(error));
            self.outbox.put(&mut transaction, &self.outgoing(&result)).await?;
        }
        self.outbox.commit(transaction).await
    }

    fn outgoing(&self, result: &TranscodeResult) -> Outgoing {
        Outgoing {
            target: Target::Topic(self.results_arn.clone()),
            subject: None,
            body: result.encode(),
            attributes: result.attributes(),
        }
    }
}

/// A result without outputs.
fn result(request: &TranscodeRequest, job_id: String, state: FileState, error: Option<ResultError>) -> TranscodeResult {
    TranscodeResult {
        v: V1,
        job_id,
        file_id: request.file_id,
        owner: request.owner.clone(),
        filename: request.filename.clone(),
        state,
        progress: None,
        warning: None,
        outputs: Vec::new(),
        error,
        at: Timestamp::now(),
    }
}
