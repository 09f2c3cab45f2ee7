//! Why a job or an output failed: the numbered errors of the service and their sentences.

use std::fmt;

/// Number of a failure (Developer Guide, "Error codes that are returned by Elastic Transcoder during processing").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureCode {
    /// 1000: the request was found invalid while it was being processed.
    Validation,
    /// 3000: storage failed in a way that has no number of its own.
    Storage,
    /// 3001: the input object does not exist.
    InputMissing,
    /// 3002: an object of the output's name exists.
    OutputExists,
    /// 3003: the input may not be read.
    ReadDenied,
    /// 3004: the output may not be written.
    WriteDenied,
    /// 3005: the bucket does not exist.
    BucketMissing,
    /// 4000: the input is not a media file that can be understood.
    NotMedia,
    /// 4002: the input is too large.
    InputTooLarge,
    /// 4007: a supported kind of file, but processing failed.
    Unhandled,
    /// 4008: the preset wants audio or video that the input has not.
    PresetMismatch,
    /// 4009: more artworks than an output may have.
    TooManyArtworks,
    /// 4010: an artwork of the request cannot be read.
    ArtworkUnreadable,
    /// 4011: an artwork of the input cannot be read.
    EmbeddedArtworkUnreadable,
    /// 4012: an artwork of the request is too large.
    ArtworkTooLarge,
    /// 4013: an artwork of the input is too large.
    EmbeddedArtworkTooLarge,
    /// 4014: a clip starts behind the end of the input.
    ClipBehindEnd,
    /// 4022: the inputs of a job are too large together.
    InputsTooLarge,
    /// 4025: some inputs of a job have video and some have not.
    MixedVideo,
    /// 4026: some inputs of a job have audio and some have not.
    MixedAudio,
    /// 9999: a fault of the service.
    Internal,
}

impl FailureCode {
    /// The number that clients see.
    pub fn number(self) -> u64 {
        match self {
            Self::Validation => 1000,
            Self::Storage => 3000,
            Self::InputMissing => 3001,
            Self::OutputExists => 3002,
            Self::ReadDenied => 3003,
            Self::WriteDenied => 3004,
            Self::BucketMissing => 3005,
            Self::NotMedia => 4000,
            Self::InputTooLarge => 4002,
            Self::Unhandled => 4007,
            Self::PresetMismatch => 4008,
            Self::TooManyArtworks => 4009,
            Self::ArtworkUnreadable => 4010,
            Self::EmbeddedArtworkUnreadable => 4011,
            Self::ArtworkTooLarge => 4012,
            Self::EmbeddedArtworkTooLarge => 4013,
            Self::ClipBehindEnd => 4014,
            Self::InputsTooLarge => 4022,
            Self::MixedVideo => 4025,
            Self::MixedAudio => 4026,
            Self::Internal => 9999,
        }
    }
}

/// A failure of a job or of one output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its number.
    pub code: FailureCode,
    /// Its sentence, without number and reference.
    pub sentence: String,
}

impl Failure {
    /// A failure with its own sentence.
    pub fn new(code: FailureCode, sentence: impl Into<String>) -> Self {
        Self { code, sentence: sentence.into() }
    }

    /// 3001, in the service's words.
    pub fn input_missing(bucket: &str, key: &str) -> Self {
        Self::new(
            FailureCode::InputMissing,
            format!("The specified object does not exist in the specified S3 bucket: bucket={bucket}, key={key}."),
        )
    }

    /// 3002, in the service's words.
    pub fn output_exists(bucket: &str, key: &str) -> Self {
        Self::new(
            FailureCode::OutputExists,
            format!(
                "The specified object could not be saved in the specified bucket because an object by that name already exists: bucket={bucket}, key={key}."
            ),
        )
    }

    /// 4000, in the service's words.
    pub fn not_media() -> Self {
        Self::new(FailureCode::NotMedia, "Amazon Elastic Transcoder could not interpret the media file.")
    }

    /// 4007, in the style of the service.
    pub fn unhandled() -> Self {
        Self::new(FailureCode::Unhandled, "Amazon Elastic Transcoder could not process the media file.")
    }

    /// The `StatusDetail`: number, a reference for support, sentence.
    pub fn detail(&self, reference: uuid::Uuid) -> String {
        format!("{} {reference}: {}", self.code.number(), self.sentence)
    }

    /// The number at the start of a `StatusDetail`, when it is that of a failure.
    pub fn number_in(detail: &str) -> Option<u64> {
        let (number, rest) = detail.split_once(' ')?;
        let (reference, _) = rest.split_once(':')?;
        uuid::Uuid::try_parse(reference).ok()?;
        number.parse().ok()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code.number(), self.sentence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detail_is_number_reference_sentence() {
        let reference = uuid::Uuid::from_u128(7);
        let detail = Failure::input_missing("b", "k").detail(reference);
        assert_eq!(
            detail,
            "3001 00000000-0000-0000-0000-000000000007: The specified object does not exist in the specified S3 bucket: bucket=b, key=k."
        );
        assert_eq!(Failure::number_in(&detail), Some(3001));
        assert_eq!(Failure::number_in("The input file for this job contains 6 audio channels: no"), None);
    }
}
