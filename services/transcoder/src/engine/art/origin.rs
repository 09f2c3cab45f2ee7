//! Where pictures come from, and so what is taken of them and what clients are told.

use std::fmt;

use elastic_transcoder::{Failure, FailureCode};

use super::attach;
use super::picture::Format;
use crate::engine::Object;

/// The largest picture that is taken (error codes 4012 and 4013).
pub const LARGEST: (u32, u32) = (4096, 3072);
/// The most bytes of its file: as many as it has pixels, in four channels.
pub const MOST_BYTES: u64 = LARGEST.0 as u64 * LARGEST.1 as u64 * 4;

/// Where a picture comes from, for what is said of it.
#[derive(Debug, Clone, Copy)]
pub enum Origin<'a> {
    /// From the request.
    Given(&'a Object),
    /// From the input.
    Embedded,
}

impl Origin<'_> {
    /// What the API takes, and what files have.
    pub fn takes(self, format: Format) -> bool {
        matches!(self, Self::Embedded) || format != Format::Bmp
    }

    /// 4010 or 4011.
    pub fn unreadable(self) -> Failure {
        let code = match self {
            Self::Given(_) => FailureCode::ArtworkUnreadable,
            Self::Embedded => FailureCode::EmbeddedArtworkUnreadable,
        };
        Failure::new(code, format!("{self} is not a JPG or PNG that can be read{}.", self.place()))
    }

    /// 4012 or 4013, for what it is.
    pub fn too_large(self) -> Failure {
        let (width, height) = LARGEST;
        let most = format!("{width}x{height} pixels or {MOST_BYTES} bytes");
        Failure::new(self.large(), format!("{self} is larger than {most}{}.", self.place()))
    }

    /// 4012 or 4013, for what it would become.
    pub fn too_many_bytes(self) -> Failure {
        let sentence = format!("{self} has more than {} bytes as it would be stored{}.", attach::MOST, self.place());
        Failure::new(self.large(), sentence)
    }

    fn large(self) -> FailureCode {
        match self {
            Self::Given(_) => FailureCode::ArtworkTooLarge,
            Self::Embedded => FailureCode::EmbeddedArtworkTooLarge,
        }
    }

    fn place(self) -> String {
        match self {
            Self::Given(Object { bucket, key }) => format!(": bucket={bucket}, key={key}"),
            Self::Embedded => String::new(),
        }
    }
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Given(_) => "The artwork",
            Self::Embedded => "The artwork that the input has",
        })
    }
}
