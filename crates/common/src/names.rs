//! The names of queues, topics and key prefixes, in one place.

/// Requests to transcode a file: upload-api to transcode-worker.
pub const TRANSCODE_REQUESTS: &str = "transcode-requests";
/// Jobs for the transcoder's own processes.
pub const TRANSCODER_JOBS: &str = "transcoder-jobs";
/// What transcoders publish: a topic, and the queue through which notification-ingest reads it.
pub const TRANSCODER_EVENTS: &str = "transcoder-events";
/// The topic that carries one result for each real change of a job.
pub const RESULTS: &str = "results";
/// Results for upload-api.
pub const RESULTS_UPLOADS: &str = "results-uploads";
/// Results for messages-api.
pub const RESULTS_MESSAGES: &str = "results-messages";
/// Results for the webhooks of notification-ingest.
pub const RESULTS_WEBHOOKS: &str = "results-webhooks";

/// Every queue. Each has a dead-letter queue: see [`Names::dead_letters`].
pub const QUEUES: [&str; 6] =
    [TRANSCODE_REQUESTS, TRANSCODER_JOBS, TRANSCODER_EVENTS, RESULTS_UPLOADS, RESULTS_MESSAGES, RESULTS_WEBHOOKS];

/// Where uploaded files lie in the bucket.
pub const INPUT_PREFIX: &str = "media/";
/// Where outputs lie in the bucket.
pub const OUTPUT_PREFIX: &str = "transcoded/";

/// Turns short names into the names of a deployment: `{prefix}-{name}`.
#[derive(Debug, Clone)]
pub struct Names {
    prefix: String,
}

impl Names {
    /// Names under `prefix`, `segue` by default.
    #[must_use]
    pub fn new(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into() }
    }

    /// The full name of a queue, topic or bucket.
    #[must_use]
    pub fn full(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    /// The dead-letter queue of the queue `name`.
    #[must_use]
    pub fn dead_letters(&self, name: &str) -> String {
        format!("{}-{name}-dlq", self.prefix)
    }

    /// The bucket's name unless a setting says otherwise.
    #[must_use]
    pub fn bucket(&self) -> String {
        self.full("media")
    }
}
