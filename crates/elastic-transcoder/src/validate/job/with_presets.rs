//! What a job's outputs may ask for depends on their presets.

use super::super::preset::Container;
use super::{ensure, playlist};
use crate::{ApiError, CreateJobOutput, CreateJobPlaylist, CreateJobRequest, Preset};

/// The containers that carry pictures beside sound (API reference, JobAlbumArt).
const WITH_ART: [&str; 3] = ["flac", "mp3", "mp4"];
/// The formats of captions inside the file, and the containers that carry each (Developer Guide, "Captions").
const EMBEDDED: [(&str, &[&str]); 2] = [("mov-text", &["mp4"]), ("cea-708", &["mp4", "ts"])];

/// Checks the outputs and playlists of a checked CreateJob against the presets, given in the order of the outputs.
pub fn outputs_with_presets(request: &CreateJobRequest, presets: &[Preset]) -> Result<(), ApiError> {
    for (output, preset) in request.all_outputs().into_iter().zip(presets) {
        one(output, preset)?;
    }
    for playlist in request.playlists.iter().flatten() {
        in_playlist(request, playlist, presets)?;
    }
    Ok(())
}

fn one(output: &CreateJobOutput, preset: &Preset) -> Result<(), ApiError> {
    let (key, container) = (output.key.as_deref().unwrap_or_default(), preset.container.as_str());
    ensure(output.segment_duration.is_none() || matches!(container, "ts" | "fmp4"), || {
        format!("Output '{key}' must not have a SegmentDuration: it is only for the containers ts and fmp4.")
    })?;
    let filled = output.thumbnail_pattern.as_deref().is_some_and(|pattern| !pattern.is_empty());
    ensure(!filled || preset.thumbnails.is_some(), || {
        format!("Output '{key}' must not have a ThumbnailPattern: its preset has no Thumbnails.")
    })?;
    watermarks(key, output, preset)?;
    let with_art = WITH_ART.contains(&container) && preset.video.is_none();
    ensure(output.album_art.is_none() || with_art, || {
        format!("Output '{key}' must not have AlbumArt: it is only for audio in flac, mp3 or mp4.")
    })?;
    captions(key, output, container)
}

fn watermarks(key: &str, output: &CreateJobOutput, preset: &Preset) -> Result<(), ApiError> {
    let settings = || preset.video.iter().flat_map(|video| video.watermarks.iter().flatten());
    for id in output.watermarks.iter().flatten().map(|watermark| &watermark.preset_watermark_id) {
        ensure(settings().any(|setting| setting.id == *id), || {
            let id = id.as_deref().unwrap_or_default();
            format!("Output '{key}' names the watermark '{id}', which its preset does not have.")
        })?;
    }
    Ok(())
}

fn captions(key: &str, output: &CreateJobOutput, container: &str) -> Result<(), ApiError> {
    let formats = output.captions.iter().flat_map(|captions| captions.caption_formats.iter().flatten());
    for format in formats.filter_map(|format| format.format.as_deref()) {
        let taken = match EMBEDDED.iter().find(|(name, _)| *name == format) {
            Some((_, containers)) => containers.contains(&container),
            None if container == "fmp4" => matches!(format, "dfxp" | "webvtt"),
            None => !Container::of(container).is_audio_only(),
        };
        ensure(taken, || format!("Output '{key}' must not have captions as {format} in the container {container}."))?;
    }
    Ok(())
}

fn in_playlist(request: &CreateJobRequest, list: &CreateJobPlaylist, presets: &[Preset]) -> Result<(), ApiError> {
    let (name, format) = (list.name.as_deref().unwrap_or_default(), list.format.as_deref().unwrap_or_default());
    let all = request.all_outputs();
    let preset_of = |output: &CreateJobOutput| {
        all.iter().zip(presets).find(|(one, _)| one.key == output.key).map(|(_, preset)| preset)
    };
    let outputs = playlist::outputs(request, list)?;
    let wanted = if format.starts_with("HLS") { "ts" } else { "fmp4" };
    let mut chosen = Vec::new();
    for output in outputs {
        let Some(preset) = preset_of(output) else { continue };
        let key = output.key.as_deref().unwrap_or_default();
        // The service's own words, its slip of the pen included.
        ensure(wanted != "ts" || preset.container == "ts" && output.segment_duration.is_some(), || {
            format!(
                "Output '{key}' must have a SegmentDuration since it is part of a playlist. SegmentDurtion is available only for 'ts' containers."
            )
        })?;
        ensure(preset.container == wanted, || {
            format!(
                "Output '{key}' must have the container {wanted} since it is part of the playlist '{name}' of the format {format}."
            )
        })?;
        chosen.push(preset);
    }
    if format == "Smooth" { smooth(name, &chosen) } else { Ok(()) }
}

/// A Smooth player changes between outputs at key frames.
fn smooth(name: &str, presets: &[&Preset]) -> Result<(), ApiError> {
    type Of = fn(&Preset) -> Option<String>;
    let members: [(&str, Of); 3] = [
        ("Audio:CodecOptions:Profile", |preset| preset.audio.as_ref()?.codec_options.as_ref()?.profile.clone()),
        ("Video:CodecOptions:Profile", |preset| preset.video.as_ref()?.codec_options.as_ref()?.get("Profile").cloned()),
        ("ratio of Video:FrameRate to Video:KeyframesMaxDist", |preset| {
            let video = preset.video.as_ref()?;
            let rate = video.frame_rate.as_deref().filter(|rate| *rate != "auto").or(video.max_frame_rate.as_deref());
            let number = |text: Option<&str>| text.and_then(|text| text.parse::<f64>().ok());
            let ratio = number(video.keyframes_max_dist.as_deref())? / number(rate)?;
            // 23.97 stands for 24000/1001: near is equal.
            Some(format!("{ratio:.2}"))
        }),
    ];
    for (member, of) in members {
        // An output without sound, or without pictures, has nothing to be different in.
        let mut values = presets.iter().filter_map(|preset| of(preset));
        let first = values.next();
        ensure(values.all(|value| Some(value) == first), || {
            format!("All outputs of the playlist '{name}' must have the same {member}.")
        })?;
    }
    Ok(())
}
