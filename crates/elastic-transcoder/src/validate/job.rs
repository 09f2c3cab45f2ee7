//! CreateJob.

use std::collections::{BTreeMap, HashSet};

use super::pattern;
use super::violations::Violations;
use crate::{ApiError, CreateJobOutput, CreateJobPlaylist, CreateJobRequest, JobInput};

const METADATA_PAIRS: usize = 10;
const METADATA_KEY_CHARS: usize = 128;
const METADATA_VALUE_CHARS: usize = 256;
const SEGMENT_SECONDS: std::ops::RangeInclusive<f64> = 1.0..=60.0;

/// Checks the body of CreateJob.
pub fn create_job(request: &CreateJobRequest) -> Result<(), ApiError> {
    members(request)?;
    one_form(request)?;
    required(request)?;
    for input in request.all_inputs() {
        if input.resolution.as_deref().is_some_and(|resolution| resolution != "auto") {
            return Err(ApiError::validation("The Resolution of an input must be auto."));
        }
    }
    for output in request.all_outputs() {
        segment_duration(output)?;
    }
    different_keys(request)?;
    user_metadata(request.user_metadata.as_ref())
}

fn members(request: &CreateJobRequest) -> Result<(), ApiError> {
    let mut v = Violations::default();
    v.required("pipelineId", request.pipeline_id.as_ref());
    v.pattern("pipelineId", request.pipeline_id.as_deref(), &pattern::ID);
    if let Some(one) = &request.input {
        input(&mut v, "input", one);
    }
    v.count("inputs", request.inputs.as_ref(), 200);
    each(&mut v, "inputs", request.inputs.as_ref(), input);
    if let Some(one) = &request.output {
        output(&mut v, "output", one);
    }
    v.count("outputs", request.outputs.as_ref(), 30);
    each(&mut v, "outputs", request.outputs.as_ref(), output);
    v.length("outputKeyPrefix", request.output_key_prefix.as_deref(), 1, 255);
    v.count("playlists", request.playlists.as_ref(), 30);
    each(&mut v, "playlists", request.playlists.as_ref(), playlist);
    v.into_result()
}

fn each<T>(v: &mut Violations, path: &str, list: Option<&Vec<T>>, check: fn(&mut Violations, &str, &T)) {
    for (index, member) in list.into_iter().flatten().enumerate() {
        check(v, &format!("{path}.{}.member", index + 1), member);
    }
}

fn input(v: &mut Violations, path: &str, input: &JobInput) {
    v.length(&format!("{path}.key"), input.key.as_deref(), 1, 1024);
    for (name, value, pattern) in [
        ("frameRate", &input.frame_rate, &pattern::FRAME_RATE),
        ("resolution", &input.resolution, &pattern::RESOLUTION),
        ("aspectRatio", &input.aspect_ratio, &pattern::ASPECT_RATIO),
        ("interlaced", &input.interlaced, &pattern::INTERLACED),
        ("container", &input.container, &pattern::JOB_CONTAINER),
    ] {
        v.pattern(&format!("{path}.{name}"), value.as_deref(), pattern);
    }
    if let Some(span) = &input.time_span {
        v.pattern(&format!("{path}.timeSpan.startTime"), span.start_time.as_deref(), &pattern::TIME);
        v.pattern(&format!("{path}.timeSpan.duration"), span.duration.as_deref(), &pattern::TIME);
    }
    if let Some(encryption) = &input.encryption {
        v.pattern(&format!("{path}.encryption.mode"), encryption.mode.as_deref(), &pattern::ENCRYPTION_MODE);
    }
    if let Some(captions) = &input.input_captions {
        let path = format!("{path}.inputCaptions");
        v.pattern(&format!("{path}.mergePolicy"), captions.merge_policy.as_deref(), &pattern::CAPTION_MERGE_POLICY);
        v.count(&format!("{path}.captionSources"), captions.caption_sources.as_ref(), 20);
    }
    for (index, source) in input.caption_sources().iter().enumerate() {
        let path = format!("{path}.inputCaptions.captionSources.{}.member", index + 1);
        v.length(&format!("{path}.key"), source.key.as_deref(), 1, 1024);
        v.pattern(&format!("{path}.timeOffset"), source.time_offset.as_deref(), &pattern::TIME_OFFSET);
    }
}

fn output(v: &mut Violations, path: &str, output: &CreateJobOutput) {
    v.length(&format!("{path}.key"), output.key.as_deref(), 1, 255);
    for (name, value, pattern) in [
        ("presetId", &output.preset_id, &pattern::ID),
        ("thumbnailPattern", &output.thumbnail_pattern, &pattern::THUMBNAIL_PATTERN),
        ("rotate", &output.rotate, &pattern::ROTATE),
        ("segmentDuration", &output.segment_duration, &pattern::FLOAT_STRING),
    ] {
        v.pattern(&format!("{path}.{name}"), value.as_deref(), pattern);
    }
    for (name, encryption) in
        [("encryption", &output.encryption), ("thumbnailEncryption", &output.thumbnail_encryption)]
    {
        let mode = encryption.as_ref().and_then(|encryption| encryption.mode.as_deref());
        v.pattern(&format!("{path}.{name}.mode"), mode, &pattern::ENCRYPTION_MODE);
    }
    for (index, watermark) in output.watermarks.iter().flatten().enumerate() {
        let path = format!("{path}.watermarks.{}.member", index + 1);
        v.length(&format!("{path}.presetWatermarkId"), watermark.preset_watermark_id.as_deref(), 1, 40);
        v.pattern(&format!("{path}.inputKey"), watermark.input_key.as_deref(), &pattern::WATERMARK_KEY);
    }
    if let Some(art) = &output.album_art {
        v.pattern(&format!("{path}.albumArt.mergePolicy"), art.merge_policy.as_deref(), &pattern::MERGE_POLICY);
    }
    if let Some(captions) = &output.captions {
        let path = format!("{path}.captions");
        v.count(&format!("{path}.captionFormats"), captions.caption_formats.as_ref(), 4);
        for (index, format) in captions.caption_formats.iter().flatten().enumerate() {
            let path = format!("{path}.captionFormats.{}.member", index + 1);
            v.pattern(&format!("{path}.format"), format.format.as_deref(), &pattern::CAPTION_FORMAT);
            v.pattern(&format!("{path}.pattern"), format.pattern.as_deref(), &pattern::CAPTION_PATTERN);
        }
    }
}

fn playlist(v: &mut Violations, path: &str, playlist: &CreateJobPlaylist) {
    v.length(&format!("{path}.name"), playlist.name.as_deref(), 1, 255);
    v.pattern(&format!("{path}.format"), playlist.format.as_deref(), &pattern::PLAYLIST_FORMAT);
    v.count(&format!("{path}.outputKeys"), playlist.output_keys.as_ref(), 30);
}

/// `Input` or `Inputs`, `Output` or `Outputs`. The texts follow those of CreatePipeline.
fn one_form(request: &CreateJobRequest) -> Result<(), ApiError> {
    let some = |given: bool, list: usize| (given, list > 0);
    let inputs = some(request.input.is_some(), request.inputs.as_ref().map_or(0, Vec::len));
    let outputs = some(request.output.is_some(), request.outputs.as_ref().map_or(0, Vec::len));
    for (forms, one, many) in [(inputs, "Input", "Inputs"), (outputs, "Output", "Outputs")] {
        match forms {
            (true, true) => return Err(ApiError::validation(format!("[{one} and {many} are mutually exclusive.]"))),
            (false, false) => {
                return Err(ApiError::validation(format!("[{one} and {many} are not allowed to both be null.]")));
            }
            _ => {}
        }
    }
    Ok(())
}

fn required(request: &CreateJobRequest) -> Result<(), ApiError> {
    let mut v = Violations::default();
    let several = |one: bool, name: &str, index: usize| {
        if one { name.to_owned() } else { format!("{name}s.{}.member", index + 1) }
    };
    for (index, input) in request.all_inputs().into_iter().enumerate() {
        let path = several(request.input.is_some(), "input", index);
        v.required(&format!("{path}.key"), input.key.as_ref());
    }
    for (index, output) in request.all_outputs().into_iter().enumerate() {
        let path = several(request.output.is_some(), "output", index);
        v.required(&format!("{path}.key"), output.key.as_ref());
        v.required(&format!("{path}.presetId"), output.preset_id.as_ref());
    }
    v.into_result()
}

fn segment_duration(output: &CreateJobOutput) -> Result<(), ApiError> {
    let Some(text) = output.segment_duration.as_deref() else { return Ok(()) };
    let inside = text.parse().is_ok_and(|seconds: f64| SEGMENT_SECONDS.contains(&seconds));
    inside
        .then_some(())
        .ok_or_else(|| ApiError::validation(format!("SegmentDuration must be between 1 and 60 seconds: {text}")))
}

/// Two outputs of one name would overwrite each other.
fn different_keys(request: &CreateJobRequest) -> Result<(), ApiError> {
    let mut seen = HashSet::new();
    for key in request.all_outputs().into_iter().filter_map(|output| output.key.as_deref()) {
        if !seen.insert(key) {
            return Err(ApiError::validation(format!("Two outputs of the job have the same Key: {key}")));
        }
    }
    Ok(())
}

fn user_metadata(metadata: Option<&BTreeMap<String, String>>) -> Result<(), ApiError> {
    let Some(metadata) = metadata else { return Ok(()) };
    if metadata.len() > METADATA_PAIRS {
        return Err(ApiError::validation(format!("UserMetadata must have at most {METADATA_PAIRS} pairs.")));
    }
    let allowed = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || " _.:/=+-%@".contains(c));
    for (key, value) in metadata {
        if key.is_empty() || key.len() > METADATA_KEY_CHARS || value.len() > METADATA_VALUE_CHARS {
            return Err(ApiError::validation(format!(
                "Each key of UserMetadata must have 1 to {METADATA_KEY_CHARS} characters and each value 0 to {METADATA_VALUE_CHARS}."
            )));
        }
        if !allowed(key) || !allowed(value) {
            return Err(ApiError::validation(
                "UserMetadata may hold only the characters 0-9, A-Z, a-z, space and _.:/=+-%@",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
