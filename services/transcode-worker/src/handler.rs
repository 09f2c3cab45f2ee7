//! One request, one job.

use std::collections::BTreeMap;

use common::{FileState, ResultError, Timestamp, TranscodeRequest, TranscodeResult, event::V1};
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
        let request = TranscodeRequest::decode(&message.body).map_err(Failure::reject)?;
        self.prefixes.check(&request).map_err(Failure::reject)?;
        let file = request.file_id;
        if let Some(job_id) = store::note(self.database.pool(), file, Timestamp::now()).await? {
            tracing::debug!(%file, job_id, "the file has its job already");
            return Ok(());
        }
        match self.engine.submit(&request).await {
            Ok(job_id) => {
                let mut connection = self.database.pool().acquire().await?;
                store::submitted(&mut connection, file, &job_id, Timestamp::now()).await?;
                tracing::info!(%file, job_id, "job created");
                Ok(())
            }
            Err(SubmitError::Refused(reason)) => {
                tracing::error!(%file, reason, "the transcoder refuses the job; its owner is told");
                Ok(self.tell_owner(&request).await?)
            }
            Err(SubmitError::Retry(cause)) => Err(cause.into()),
        }
    }
}

impl RequestHandler {
    /// There will be no job, so nobody else is going to say that the file failed.
    async fn tell_owner(&self, request: &TranscodeRequest) -> Result<(), sqlx::Error> {
        let now = Timestamp::now();
        // No job has this id: the file's stands in for it.
        let job_id = request.file_id.to_string();
        let mut transaction = self.database.begin().await?;
        if store::submitted(&mut transaction, request.file_id, &job_id, now).await? {
            let message = "The transcoder cannot work with this file's request.".to_owned();
            let result = TranscodeResult {
                v: V1,
                job_id,
                file_id: request.file_id,
                owner: request.owner.clone(),
                filename: request.filename.clone(),
                state: FileState::Error,
                outputs: Vec::new(),
                error: Some(ResultError { code: VALIDATION_ERROR, message }),
                at: now,
            };
            let outgoing = Outgoing {
                target: Target::Topic(self.results_arn.clone()),
                subject: None,
                body: result.encode(),
                attributes: BTreeMap::from([("state".to_owned(), FileState::Error.to_string())]),
            };
            self.outbox.put(&mut transaction, &outgoing).await?;
        }
        self.outbox.commit(transaction).await
    }
}
