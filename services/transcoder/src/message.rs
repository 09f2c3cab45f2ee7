//! The message that asks for a worker. Only this service sends and reads it.

use std::collections::BTreeMap;

use queue::{Outgoing, Target};
use serde::{Deserialize, Serialize};

/// Body of a message on `transcoder-jobs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Message {
    /// There is work. Which job is done is up to the database.
    RunJob {
        /// Version of this form.
        v: u32,
        /// The job that was the occasion, for whoever reads the queue.
        job_id: String,
    },
}

impl Message {
    /// Asks for a worker on the occasion of a job.
    pub fn run(job_id: &str) -> Self {
        Self::RunJob { v: 1, job_id: job_id.to_owned() }
    }

    /// The job that was the occasion.
    pub fn parse(body: &str) -> anyhow::Result<String> {
        match serde_json::from_str(body)? {
            Self::RunJob { v: 1, job_id } => Ok(job_id),
            Self::RunJob { v, .. } => anyhow::bail!("version {v} of run_job is not known"),
        }
    }

    /// The body.
    pub fn to_body(&self) -> String {
        // Two plain members always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The message, on its way to the queue of that full name.
pub fn request(jobs_queue: &str, job_id: &str) -> Outgoing {
    Outgoing {
        target: Target::Queue(jobs_queue.to_owned()),
        subject: None,
        body: Message::run(job_id).to_body(),
        attributes: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_fixed() {
        let body = r#"{"kind":"run_job","v":1,"job_id":"1700000000000-abc123"}"#;
        assert_eq!(Message::parse(body).unwrap(), "1700000000000-abc123");
        assert_eq!(Message::run("1700000000000-abc123").to_body(), body);
    }

    #[test]
    fn other_forms_are_refused() {
        for body in ["", "{}", r#"{"kind":"run_job","v":2,"job_id":"x"}"#, r#"{"kind":"stop","v":1,"job_id":"x"}"#] {
            assert!(Message::parse(body).is_err(), "{body}");
        }
    }
}
