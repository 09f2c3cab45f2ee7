//! What the services exchange: identifiers, messages, states, profiles and resource names.
//!
//! No I/O and no async runtime: a type belongs here only when two services share it.

pub mod event;
pub mod filename;
pub mod ids;
pub mod metadata;
pub mod names;
pub mod profile;
pub mod status;
pub mod timestamp;

pub use event::{FileDeleted, OutputResult, ResultError, TranscodeRequest, TranscodeResult, WebhookDisabled};
pub use filename::Filename;
pub use ids::{DeliveryId, FileId, NoticeId, UserId, WebhookId};
pub use metadata::JobMetadata;
pub use names::Names;
pub use profile::Profile;
pub use status::{FileState, OutputState};
pub use timestamp::Timestamp;
