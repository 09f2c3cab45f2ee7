//! Says what the input is.

use std::path::Path;

use elastic_transcoder::{DetectedProperties, Failure, FailureCode};
use serde::Deserialize;

use super::process::{self, Ended};
use super::{Engine, encode};

/// An input that is media.
#[derive(Debug)]
pub struct Media {
    /// What clients are shown.
    pub detected: DetectedProperties,
    /// Whether there is anything to hear.
    pub has_audio: bool,
}

#[derive(Debug, Default, Deserialize)]
struct Probed {
    #[serde(default)]
    streams: Vec<Stream>,
    #[serde(default)]
    format: Format,
}

#[derive(Debug, Default, Deserialize)]
struct Format {
    duration: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Stream {
    codec_type: Option<String>,
    /// Absent when ffmpeg does not know the codec.
    codec_name: Option<String>,
    width: Option<i64>,
    height: Option<i64>,
    avg_frame_rate: Option<String>,
    duration: Option<String>,
    #[serde(default)]
    disposition: Disposition,
}

#[derive(Debug, Default, Deserialize)]
struct Disposition {
    #[serde(default)]
    attached_pic: i64,
}

/// Probes the fetched input.
pub async fn probe(
    engine: &Engine,
    demuxer: Option<&'static str>,
    directory: &Path,
    size: u64,
) -> anyhow::Result<Result<Media, Failure>> {
    match show(engine, encode::input_arguments(demuxer), directory).await? {
        Some(probed) => Ok(media(&probed, size)),
        None => Ok(Err(Failure::not_media())),
    }
}

/// The length of an output, in milliseconds.
pub async fn output_millis(engine: &Engine, directory: &Path, index: usize) -> anyhow::Result<i64> {
    let name = format!("file:{}", encode::output_name(index));
    let arguments = ["-hide_banner", "-loglevel", "warning", "-protocol_whitelist", "file,pipe", "-i", &name];
    let probed = show(engine, arguments.map(String::from).into(), directory).await?;
    Ok(probed.as_ref().and_then(millis).unwrap_or(0))
}

async fn show(engine: &Engine, mut arguments: Vec<String>, directory: &Path) -> anyhow::Result<Option<Probed>> {
    let entries = "format=duration:stream=codec_type,codec_name,width,height,avg_frame_rate,duration:stream_disposition=attached_pic";
    arguments.extend(["-show_entries", entries, "-of", "json"].map(String::from));
    match process::run(&engine.tools.ffprobe, &arguments, directory, &engine.limits).await? {
        Ended::Exited { status, stdout, .. } if status.success() => Ok(Some(serde_json::from_slice(&stdout)?)),
        Ended::Exited { stderr, .. } => {
            tracing::debug!(stderr, "ffprobe refused a file");
            Ok(None)
        }
        Ended::TimedOut => Ok(None),
    }
}

fn media(probed: &Probed, size: u64) -> Result<Media, Failure> {
    let known = |kind: &str| {
        let matching = probed.streams.iter().filter(move |stream| stream.codec_type.as_deref() == Some(kind));
        matching.filter(|stream| stream.codec_name.as_deref().is_some_and(|name| name != "unknown")).collect::<Vec<_>>()
    };
    let audio = known("audio");
    // A cover picture is no video.
    let video = known("video").into_iter().find(|stream| stream.disposition.attached_pic == 0);
    if audio.is_empty() && video.is_none() {
        return Err(if probed.streams.is_empty() {
            Failure::not_media()
        } else {
            Failure::new(FailureCode::PresetMismatch, "The input has neither audio nor video that can be decoded.")
        });
    }
    Ok(Media {
        has_audio: !audio.is_empty(),
        detected: DetectedProperties {
            width: video.and_then(|stream| stream.width),
            height: video.and_then(|stream| stream.height),
            frame_rate: video.and_then(|stream| frame_rate(stream.avg_frame_rate.as_deref()?)),
            file_size: i64::try_from(size).ok(),
            duration_millis: millis(probed),
        },
    })
}

fn millis(probed: &Probed) -> Option<i64> {
    let of = |text: &Option<String>| text.as_deref()?.parse::<f64>().ok().filter(|seconds| seconds.is_finite());
    let seconds =
        of(&probed.format.duration).or_else(|| probed.streams.iter().find_map(|stream| of(&stream.duration)))?;
    Some((seconds * 1000.0).round() as i64)
}

/// `30000/1001` becomes `29.97`, `25/1` becomes `25`.
fn frame_rate(ratio: &str) -> Option<String> {
    let (frames, seconds) = ratio.split_once('/')?;
    let rate = frames.parse::<f64>().ok()? / seconds.parse::<f64>().ok()?;
    if !rate.is_finite() || rate <= 0.0 {
        return None;
    }
    // 23.976 is written 23.97 in this API, so what follows is cut and not rounded.
    Some(format!("{}", (rate * 100.0 + 1e-6).floor() / 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probed(json: &str) -> Probed {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn frame_rates_read_as_in_the_api() {
        for (ratio, text) in [("25/1", "25"), ("30000/1001", "29.97"), ("24000/1001", "23.97"), ("30/1", "30")] {
            assert_eq!(frame_rate(ratio).as_deref(), Some(text));
        }
        assert_eq!(frame_rate("0/0"), None);
    }

    #[test]
    fn a_song_with_a_cover_is_audio() {
        let song = probed(
            r#"{"streams":[{"codec_type":"audio","codec_name":"mp3"},{"codec_type":"video","codec_name":"png","width":600,
            "height":600,"disposition":{"attached_pic":1}}],"format":{"duration":"1.0449"}}"#,
        );
        let media = media(&song, 7).unwrap();
        assert!(media.has_audio);
        let expected = DetectedProperties { file_size: Some(7), duration_millis: Some(1045), ..Default::default() };
        assert_eq!(media.detected, expected);
    }

    #[test]
    fn video_alone_has_no_audio_and_nothing_is_no_media() {
        let film = probed(
            r#"{"streams":[{"codec_type":"video","codec_name":"h264","width":640,"height":360,"avg_frame_rate":"25/1"}],"format":{}}"#,
        );
        let media_of_film = media(&film, 7).unwrap();
        assert!(!media_of_film.has_audio);
        assert_eq!(media_of_film.detected.frame_rate.as_deref(), Some("25"));
        assert_eq!(media(&probed("{}"), 7).unwrap_err(), Failure::not_media());
    }
}
