//! The Elastic Transcoder API (2012-09-25): types, validation, presets and notification JSON. No I/O.
//!
//! Every setting of that API is a JSON string, even numbers and booleans; JSON numbers appear only in times, sizes and
//! durations. So the wire types here hold strings, and [`validate`] checks them against the documented patterns.

mod arn;
mod error;
mod failure;
mod id;
mod job;
mod media;
pub mod notification;
mod pipeline;
mod playlist;
mod preset;
pub mod presets;
mod request;
mod status;
pub mod validate;

pub use arn::Arns;
pub use error::{ApiError, ErrorCode};
pub use failure::{Failure, FailureCode};
pub use id::{is_id, new_id};
pub use job::{DetectedProperties, Job, JobInput, JobOutput, Timing};
pub use media::{
    Artwork, CaptionFormat, CaptionSource, Captions, Clip, Encryption, InputCaptions, JobAlbumArt, JobWatermark,
    TimeSpan,
};
pub use notification::Notification;
pub use pipeline::{Notifications, Permission, Pipeline, PipelineOutputConfig, Warning};
pub use playlist::{CreateJobPlaylist, HlsContentProtection, PlayReadyDrm, Playlist};
pub use preset::{AudioCodecOptions, AudioParameters, Preset, PresetWatermark, Thumbnails, VideoParameters};
pub use request::{
    CreateJobOutput, CreateJobRequest, CreatePipelineRequest, CreatePresetRequest, ListQuery, NotificationsUpdate,
    TestRoleRequest, UpdatePipelineNotificationsRequest, UpdatePipelineRequest, UpdatePipelineStatusRequest,
};
pub use status::{JobStatus, PipelineStatus, UnknownStatus};

/// The API's version: the first path segment of every operation and the `version` of every notification.
pub const API_VERSION: &str = "2012-09-25";
