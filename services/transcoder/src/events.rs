//! The notifications of a job, made from what the API shows of it.

use std::collections::BTreeMap;

use elastic_transcoder::notification::{self, Input, Output, Playlist, State};
use elastic_transcoder::{API_VERSION, Failure, Job, JobInput, JobOutput, Notification, Notifications, Pipeline};
use queue::{Outgoing, Target};

use crate::gauge::Progress;

/// The reason for which a job failed as a whole, and the text with its reference that clients are shown.
#[derive(Debug, Clone, Copy)]
pub struct JobFailure<'a> {
    /// Its number is shown by itself.
    pub failure: &'a Failure,
    /// The text.
    pub detail: &'a str,
}

/// The message to send, unless the pipeline has no topic for this kind of event.
pub fn outgoing(pipeline: &Pipeline, notification: &Notification) -> Option<Outgoing> {
    let topic = topic(&pipeline.notifications, notification.state);
    (!topic.is_empty()).then(|| Outgoing {
        target: Target::Topic(topic.to_owned()),
        subject: Some(notification.subject()),
        body: notification.to_message(),
        attributes: BTreeMap::new(),
    })
}

fn topic(topics: &Notifications, state: State) -> &str {
    match state {
        State::Progressing => &topics.progressing,
        State::Completed => &topics.completed,
        State::Warning => &topics.warning,
        State::Error => &topics.error,
    }
}

/// The notification of a job as it stands.
pub fn notification(job: &Job, state: State, failure: Option<JobFailure<'_>>) -> Notification {
    Notification {
        state,
        error_code: failure.map(|failure| failure.failure.code.number()),
        message_details: failure.map(|failure| failure.detail.to_owned()),
        version: API_VERSION.to_owned(),
        job_id: job.id.clone(),
        pipeline_id: job.pipeline_id.clone(),
        input: job.input.as_ref().map(input),
        input_count: Some(job.inputs.len() as u64),
        output_key_prefix: job.output_key_prefix.clone(),
        // What failed as a whole is told once, at the top.
        outputs: job.outputs.iter().map(|one| output(one, failure.is_none())).collect(),
        playlists: job.playlists.iter().map(playlist).collect(),
        user_metadata: job.user_metadata.clone(),
        progress: None,
    }
}

/// The notification of a running job that is so far.
pub fn progress(job: &Job, progress: Progress) -> Notification {
    let percent = u8::try_from(progress.percent()).unwrap_or_default();
    let progress = notification::Progress { percent, speed: progress.speed() };
    Notification { progress: Some(progress), ..self::notification(job, State::Progressing, None) }
}

fn input(input: &JobInput) -> Input {
    Input {
        key: input.key.clone(),
        frame_rate: input.frame_rate.clone(),
        resolution: input.resolution.clone(),
        aspect_ratio: input.aspect_ratio.clone(),
        interlaced: input.interlaced.clone(),
        container: input.container.clone(),
    }
}

fn output(output: &JobOutput, with_detail: bool) -> Output {
    let detail = output.status_detail.clone().filter(|_| with_detail);
    let unsigned = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok());
    Output {
        id: output.id.clone(),
        preset_id: output.preset_id.clone(),
        key: output.key.clone(),
        thumbnail_pattern: output.thumbnail_pattern.clone(),
        rotate: output.rotate.clone(),
        segment_duration: output.segment_duration.as_ref().and_then(|seconds| seconds.parse().ok()),
        status: output.status.to_string(),
        error_code: detail.as_deref().and_then(Failure::number_in),
        status_detail: detail,
        duration: unsigned(output.duration),
        width: unsigned(output.width),
        height: unsigned(output.height),
        duration_millis: unsigned(output.duration_millis),
        file_size: unsigned(output.file_size),
    }
}

fn playlist(playlist: &elastic_transcoder::Playlist) -> Playlist {
    Playlist {
        name: playlist.name.clone().unwrap_or_default(),
        format: playlist.format.clone().unwrap_or_default(),
        output_keys: playlist.output_keys.clone().unwrap_or_default(),
        status: playlist.status.clone().unwrap_or_default(),
        status_detail: playlist.status_detail.clone(),
    }
}
