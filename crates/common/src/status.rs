//! The states of a file and of its outputs, and the moves allowed between them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The text names no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown state {0:?}")]
pub struct UnknownState(String);

macro_rules! states {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// The state's word, the same in JSON and in databases.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl FromStr for $name {
            type Err = UnknownState;

            fn from_str(text: &str) -> Result<Self, UnknownState> {
                match text { $($text => Ok(Self::$variant),)+ _ => Err(UnknownState(text.to_owned())) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

states!(
    /// Where a file is on its way. It moves forward only: see [`FileState::may_become`].
    FileState {
        /// Its bytes are still arriving.
        Uploading = "uploading",
        /// Stored; its transcode request is on the way.
        Queued = "queued",
        /// A transcoder works on it.
        Transcoding = "transcoding",
        /// All outputs can be downloaded.
        Complete = "complete",
        /// It could not be transcoded; the file's error says why.
        Error = "error",
        /// It was given up before it was done.
        Canceled = "canceled",
    }
);

states!(
    /// Where one output of a file is.
    OutputState {
        /// Not made yet.
        Pending = "pending",
        /// It can be downloaded.
        Complete = "complete",
        /// It could not be made.
        Error = "error",
        /// It was given up.
        Canceled = "canceled",
    }
);

impl FileState {
    /// Whether nothing more will happen to the file.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Complete | Self::Error | Self::Canceled)
    }

    /// Whether a file in this state may move to `next`. Queues deliver late and twice: a state
    /// never goes back, and a final one never changes.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        !self.is_final() && self.rank() < next.rank()
    }

    /// The states from which a file may move to `self`, for the condition of an SQL update.
    pub fn predecessors(self) -> impl Iterator<Item = Self> {
        [Self::Uploading, Self::Queued, Self::Transcoding].into_iter().filter(move |from| from.may_become(self))
    }

    const fn rank(self) -> u8 {
        match self {
            Self::Uploading => 0,
            Self::Queued => 1,
            Self::Transcoding => 2,
            Self::Complete | Self::Error | Self::Canceled => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_never_goes_back() {
        use FileState::{Complete, Error, Queued, Transcoding};
        assert!(Queued.may_become(Transcoding) && Queued.may_become(Complete) && Transcoding.may_become(Error));
        assert!(!Complete.may_become(Transcoding) && !Complete.may_become(Error) && !Transcoding.may_become(Queued));
        assert!(!Transcoding.may_become(Transcoding));
    }

    #[test]
    fn words_are_the_same_in_json_and_text() {
        assert_eq!(serde_json::to_string(&FileState::Canceled).unwrap(), r#""canceled""#);
        assert_eq!("canceled".parse(), Ok(FileState::Canceled));
        assert!("Canceled".parse::<FileState>().is_err());
    }
}
