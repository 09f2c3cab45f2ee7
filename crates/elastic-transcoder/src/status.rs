//! The words for the state of jobs, outputs and pipelines.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// State of a job, of one output or of a playlist (shape JobStatus).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum JobStatus {
    /// Accepted and waiting.
    Submitted,
    /// Being worked on.
    Progressing,
    /// Finished, with or without a warning.
    Complete,
    /// Withdrawn by its owner before it started.
    Canceled,
    /// Failed.
    Error,
}

impl JobStatus {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "Submitted",
            Self::Progressing => "Progressing",
            Self::Complete => "Complete",
            Self::Canceled => "Canceled",
            Self::Error => "Error",
        }
    }

    /// Whether the job or output will never change again.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Complete | Self::Canceled | Self::Error)
    }
}

/// Whether a pipeline starts jobs (shape PipelineStatus).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PipelineStatus {
    /// Jobs are started.
    Active,
    /// Jobs stay Submitted.
    Paused,
}

impl PipelineStatus {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Paused => "Paused",
        }
    }
}

/// A word that names no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown status {0:?}")]
pub struct UnknownStatus(pub String);

impl FromStr for JobStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        [Self::Submitted, Self::Progressing, Self::Complete, Self::Canceled, Self::Error]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| UnknownStatus(text.to_owned()))
    }
}

impl FromStr for PipelineStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        [Self::Active, Self::Paused]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| UnknownStatus(text.to_owned()))
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for PipelineStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
