//! From a transcoder's notification to what the other services are told.

use std::collections::BTreeMap;

use common::{
    FileState, JobMetadata, OutputResult, OutputState, ResultError, Timestamp, TranscodeResult, event::V1,
    metadata::InvalidMetadata,
};
use elastic_transcoder::{
    Failure, Notification,
    notification::{Output, State},
};
use queue::{Outgoing, Target};

use crate::reason;

/// The most outputs of one job (Developer Guide, limits).
const MAX_OUTPUTS: usize = 30;
/// The longest job id that is kept; Elastic Transcoder's have 20 characters.
const MAX_JOB_ID: usize = 128;

/// The text that a topic's message holds is no event of a transcoder.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Not the JSON of a notification.
    #[error("not a transcoder's notification: {0}")]
    Json(#[from] serde_json::Error),
    /// No job has such an id.
    #[error("not a transcoder's notification: its jobId is malformed")]
    JobId,
    /// More than a job can have.
    #[error("not a transcoder's notification: it has more than {MAX_OUTPUTS} outputs")]
    Outputs,
}

/// How far a job is. It only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It runs.
    Running = 1,
    /// It has ended, well or not.
    Ended = 2,
}

/// How far an event takes its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Comes first.
    pub stage: Stage,
    /// How much of it is done, 0 to 100, when the event says so.
    pub progress: Option<u8>,
    /// Whether it is a warning.
    pub warned: bool,
}

/// One event in the life of a job.
#[derive(Debug, Clone)]
pub struct Event {
    notification: Notification,
    job: Result<JobMetadata, InvalidMetadata>,
}

impl Event {
    /// Reads the `Message` of an SNS envelope.
    pub fn parse(message: &str) -> Result<Self, Unreadable> {
        let notification = Notification::parse(message)?;
        let id = &notification.job_id;
        if !(1..=MAX_JOB_ID).contains(&id.len()) || !id.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Unreadable::JobId);
        }
        if notification.outputs.len() > MAX_OUTPUTS {
            return Err(Unreadable::Outputs);
        }
        let job = JobMetadata::from_pairs(notification.user_metadata.as_ref().unwrap_or(&BTreeMap::new()));
        Ok(Self { notification, job })
    }

    /// The transcoder's job.
    pub fn job_id(&self) -> &str {
        &self.notification.job_id
    }

    /// What happened to it.
    pub fn state(&self) -> State {
        self.notification.state
    }

    /// How far that takes the job.
    pub fn step(&self) -> Step {
        let stage = match self.notification.state {
            State::Progressing | State::Warning => Stage::Running,
            State::Completed | State::Error => Stage::Ended,
        };
        Step { stage, progress: self.progress(), warned: self.notification.state == State::Warning }
    }

    fn progress(&self) -> Option<u8> {
        match self.notification.state {
            State::Completed => Some(100),
            State::Progressing | State::Warning => self.notification.progress.map(|it| it.percent.min(100)),
            State::Error => None,
        }
    }

    /// Whose file it is about; an error when the job is somebody else's.
    pub fn job(&self) -> Result<&JobMetadata, &InvalidMetadata> {
        self.job.as_ref()
    }

    /// What the transcoder says about a failure, for the log.
    pub fn detail(&self) -> Option<&str> {
        let outputs = self.notification.outputs.iter().filter_map(|output| output.status_detail.as_deref());
        self.notification.message_details.as_deref().into_iter().chain(outputs).next()
    }

    /// What the other services are told.
    pub fn result(&self, job: &JobMetadata, at: Timestamp) -> TranscodeResult {
        let error = (self.notification.state == State::Error).then(|| describe(self.code()));
        let prefix = self.notification.output_key_prefix.as_deref().unwrap_or_default();
        TranscodeResult {
            v: V1,
            job_id: self.notification.job_id.clone(),
            file_id: job.file_id,
            owner: job.owner.clone(),
            filename: job.filename.clone(),
            state: match self.notification.state {
                State::Progressing | State::Warning => FileState::Transcoding,
                State::Completed => FileState::Complete,
                State::Error => FileState::Error,
            },
            progress: self.progress(),
            warning: (self.notification.state == State::Warning).then(|| reason::WARNING.to_owned()),
            outputs: self.notification.outputs.iter().map(|made| output(prefix, made, error.as_ref())).collect(),
            error,
            at,
        }
    }

    /// The job's own code, else that of the first output that failed.
    fn code(&self) -> u64 {
        let outputs = self.notification.outputs.iter().filter_map(code);
        self.notification.error_code.into_iter().chain(outputs).next().unwrap_or(reason::UNKNOWN)
    }
}

fn code(output: &Output) -> Option<u64> {
    output.error_code.or_else(|| output.status_detail.as_deref().and_then(Failure::number_in))
}

fn describe(code: u64) -> ResultError {
    let message = reason::sentence(code).to_owned();
    ResultError { code: u32::try_from(code).unwrap_or(reason::UNKNOWN as u32), message }
}

/// `job_error` is why an output failed that gives no reason itself.
fn output(prefix: &str, made: &Output, job_error: Option<&ResultError>) -> OutputResult {
    let state = match made.status.as_str() {
        "Complete" | "Warning" => OutputState::Complete,
        "Error" => OutputState::Error,
        "Canceled" => OutputState::Canceled,
        _ => OutputState::Pending,
    };
    let error =
        (state == OutputState::Error).then(|| code(made).map(describe).or_else(|| job_error.cloned())).flatten();
    let duration_ms = made.duration_millis.or_else(|| made.duration?.checked_mul(1000));
    OutputResult {
        key: format!("{prefix}{}", made.key),
        preset_id: made.preset_id.clone(),
        state,
        duration_ms: duration_ms.and_then(|millis| i64::try_from(millis).ok()),
        size: made.file_size.and_then(|bytes| i64::try_from(bytes).ok()),
        error,
    }
}

/// The result as a message for the topic; its attributes are what subscribers can filter by.
pub fn outgoing(result: &TranscodeResult, topic_arn: &str) -> Outgoing {
    Outgoing {
        target: Target::Topic(topic_arn.to_owned()),
        subject: None,
        body: result.encode(),
        attributes: result.attributes(),
    }
}

#[cfg(test)]
mod tests;
