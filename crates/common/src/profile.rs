//! What a file is made into.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A named set of outputs that an upload asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// WAV, FLAC and MP4 (AAC).
    #[default]
    Audio,
}

/// One output of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputSpec {
    /// What the API calls the output: `wav`.
    pub name: &'static str,
    /// The Elastic Transcoder preset that makes it.
    pub preset_id: &'static str,
    /// The extension of its object key and of its download, without the dot.
    pub extension: &'static str,
    /// The media type under which it is served.
    pub content_type: &'static str,
}

/// No profile has that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown profile; known profiles: audio")]
pub struct UnknownProfile;

const AUDIO: [OutputSpec; 3] = [
    OutputSpec { name: "wav", preset_id: "1351620000001-300300", extension: "wav", content_type: "audio/wav" },
    OutputSpec { name: "flac", preset_id: "1351620000001-300110", extension: "flac", content_type: "audio/flac" },
    OutputSpec { name: "mp4", preset_id: "1351620000001-100110", extension: "mp4", content_type: "audio/mp4" },
];

impl Profile {
    /// The profile's outputs, in the order in which they are listed everywhere.
    #[must_use]
    pub const fn outputs(self) -> &'static [OutputSpec] {
        match self {
            Self::Audio => &AUDIO,
        }
    }

    /// The profile's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Audio => "audio",
        }
    }
}

impl OutputSpec {
    /// The object's name below a file's output prefix: `audio.wav`.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("audio.{}", self.extension)
    }
}

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(text: &str) -> Result<Self, UnknownProfile> {
        match text {
            "audio" => Ok(Self::Audio),
            _ => Err(UnknownProfile),
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
