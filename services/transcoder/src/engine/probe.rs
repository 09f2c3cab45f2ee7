//! Says what the input is.

use std::path::Path;

use elastic_transcoder::{DetectedProperties, Failure, FailureCode};
use serde::Deserialize;

use super::plan::Sound;
use super::process::{self, Ended};
use super::{Runner, encode, source};

/// An input that is media.
#[derive(Debug)]
pub struct Media {
    /// What clients are shown.
    pub detected: DetectedProperties,
    /// Whether there is anything to hear.
    pub has_audio: bool,
    /// Whether there is anything to see. A cover picture is not.
    pub has_video: bool,
    /// The first audio stream, when its rate and channels are known.
    pub sound: Option<Sound>,
    /// The streams that are pictures of its album, by their numbers.
    pub pictures: Vec<usize>,
    /// Its layout of channels, as ffmpeg names it, when the file has one.
    pub layout: Option<String>,
    /// Its format of samples, as ffmpeg names it, without how they lie.
    pub format: Option<String>,
    /// Whether it begins later than the file, and not so late that it must be a fault.
    pub begins_late: bool,
}

/// Kinds of file whose clock ffmpeg lets begin with the audio, when it takes nothing else of them (`AVFMT_TS_DISCONT`).
const OF_ITS_OWN_CLOCK: [&str; 3] = ["mpegts", "mpeg", "ogg"];
/// What is less than a frame is the delay of a coder, in seconds.
const LATE: f64 = 0.03;

#[derive(Debug, Default, Deserialize)]
struct Probed {
    #[serde(default)]
    streams: Vec<Stream>,
    #[serde(default)]
    format: Format,
}

#[derive(Debug, Default, Deserialize)]
struct Format {
    format_name: Option<String>,
    duration: Option<String>,
    start_time: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Stream {
    #[serde(default)]
    index: usize,
    codec_type: Option<String>,
    /// Absent when ffmpeg does not know the codec.
    codec_name: Option<String>,
    width: Option<i64>,
    height: Option<i64>,
    avg_frame_rate: Option<String>,
    duration: Option<String>,
    start_time: Option<String>,
    profile: Option<String>,
    sample_fmt: Option<String>,
    sample_rate: Option<String>,
    channels: Option<u16>,
    channel_layout: Option<String>,
    /// Present when packets were counted.
    nb_read_packets: Option<String>,
    #[serde(default)]
    disposition: Disposition,
}

#[derive(Debug, Default, Deserialize)]
struct Disposition {
    #[serde(default)]
    attached_pic: i64,
}

/// Probes a fetched input.
pub async fn probe(
    runner: &Runner,
    directory: &Path,
    (index, demuxer): (usize, Option<&'static str>),
    size: u64,
) -> anyhow::Result<Result<Media, Failure>> {
    match show(runner, source::input_arguments(index, demuxer), directory).await? {
        Some(probed) => Ok(media(&probed, size)),
        None => Ok(Err(Failure::not_media())),
    }
}

/// The length of an output in milliseconds, as its header says.
pub async fn output_millis(runner: &Runner, directory: &Path, index: usize) -> anyhow::Result<i64> {
    let probed = show(runner, output_arguments(index), directory).await?;
    Ok(probed.as_ref().and_then(output_length).unwrap_or(0))
}

/// The length of an output in milliseconds, by the count of its frames.
pub async fn output_frames_millis(runner: &Runner, directory: &Path, index: usize) -> anyhow::Result<i64> {
    let mut arguments = output_arguments(index);
    arguments.push("-count_packets".into());
    let probed = show(runner, arguments, directory).await?;
    Ok(probed.as_ref().and_then(|probed| probed.streams.first()).and_then(frames_millis).unwrap_or(0))
}

fn output_arguments(index: usize) -> Vec<String> {
    let name = format!("file:{}", encode::output_name(index));
    ["-protocol_whitelist", "file,pipe", "-i", &name].map(String::from).into()
}

async fn show(runner: &Runner, mut arguments: Vec<String>, directory: &Path) -> anyhow::Result<Option<Probed>> {
    let entries = "format=format_name,duration,start_time:stream=index,codec_type,codec_name,profile,width,height,avg_frame_rate,\
duration,start_time,sample_fmt,sample_rate,channels,channel_layout,nb_read_packets:stream_disposition=attached_pic";
    let quiet = ["-hide_banner", "-loglevel", "warning"];
    arguments.extend(quiet.into_iter().chain(["-show_entries", entries, "-of", "json"]).map(String::from));
    match process::run(runner, &runner.tools.ffprobe, &arguments, directory).await? {
        // An answer that is cut off is one on more streams than anybody has.
        Ended::Exited { status, stdout, .. } if status.success() => Ok(serde_json::from_slice(&stdout).ok()),
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
    let pictures = probed.streams.iter().filter(|stream| stream.disposition.attached_pic != 0);
    let first = audio.first();
    Ok(Media {
        has_audio: !audio.is_empty(),
        has_video: video.is_some(),
        pictures: pictures.map(|stream| stream.index).collect(),
        sound: first.and_then(|stream| stream.sound()),
        layout: first.and_then(|stream| stream.channel_layout.clone()).filter(|layout| layout != "unknown"),
        format: first.and_then(|stream| stream.sample_fmt.as_deref()).map(|name| name.trim_end_matches('p').to_owned()),
        begins_late: first.is_some_and(|stream| begins_late(stream, &probed.format)),
        detected: DetectedProperties {
            width: video.and_then(|stream| stream.width),
            height: video.and_then(|stream| stream.height),
            frame_rate: video.and_then(|stream| frame_rate(stream.avg_frame_rate.as_deref()?)),
            file_size: i64::try_from(size).ok(),
            duration_millis: millis(probed),
        },
    })
}

impl Stream {
    fn sound(&self) -> Option<Sound> {
        let rate = self.sample_rate.as_deref()?.parse().ok()?;
        self.channels.filter(|&channels| channels > 0 && rate > 0).map(|channels| Sound { rate, channels })
    }
}

fn millis(probed: &Probed) -> Option<i64> {
    let whole = seconds(&probed.format.duration);
    rounded(whole.or_else(|| probed.streams.iter().find_map(|stream| seconds(&stream.duration)))?)
}

/// Silence that a coder has put before the sound counts in the length of fragmented MP4, and has times below 0.
fn output_length(probed: &Probed) -> Option<i64> {
    let before = seconds(&probed.format.start_time).unwrap_or(0.0).min(0.0);
    rounded(seconds(&probed.format.duration)? + before)
}

fn begins_late(stream: &Stream, format: &Format) -> bool {
    if format.format_name.as_deref().is_some_and(|name| OF_ITS_OWN_CLOCK.contains(&name)) {
        return false;
    }
    let delay = seconds(&stream.start_time).zip(seconds(&format.start_time)).map(|(audio, file)| audio - file);
    delay.is_some_and(|delay| (LATE..=f64::from(source::LONGEST_GAP)).contains(&delay))
}

fn seconds(text: &Option<String>) -> Option<f64> {
    text.as_deref()?.parse::<f64>().ok().filter(|seconds| seconds.is_finite())
}

/// Milliseconds; what is not nothing is at least one.
fn rounded(seconds: f64) -> Option<i64> {
    let millis = (seconds * 1000.0).round() as i64;
    Some(if seconds > 0.0 { millis.max(1) } else { millis })
}

/// Each packet is one frame of a fixed number of samples (ISO 14496-3 for AAC, ISO 11172-3 for MP3).
fn frames_millis(stream: &Stream) -> Option<i64> {
    let samples = match stream.codec_name.as_deref()? {
        // Half of the samples are made from the other half.
        "aac" if stream.profile.as_deref().is_some_and(|profile| profile.starts_with("HE-AAC")) => 2048,
        "aac" => 1024,
        "mp3" => 1152,
        _ => return None,
    };
    let packets: i64 = stream.nb_read_packets.as_deref()?.parse().ok()?;
    let rate: i64 = stream.sample_rate.as_deref()?.parse().ok()?;
    packets.checked_mul(samples * 1000)?.checked_div(rate)
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
    fn frames_make_a_length() {
        let counted = r#"{"streams":[{"codec_name":"aac","sample_rate":"44100","nb_read_packets":"45"}]}"#;
        assert_eq!(frames_millis(&probed(counted).streams[0]), Some(1044));
        let high = counted.replace(r#""aac""#, r#""aac","profile":"HE-AACv2""#);
        assert_eq!(frames_millis(&probed(&high).streams[0]), Some(2089));
        assert_eq!(frames_millis(&probed(&counted.replace("44100", "0")).streams[0]), None);
    }

    #[test]
    fn a_song_with_a_cover_is_audio() {
        let song = probed(
            r#"{"streams":[{"codec_type":"audio","codec_name":"mp3"},{"index":1,"codec_type":"video","codec_name":"png","width":600,
            "height":600,"disposition":{"attached_pic":1}}],"format":{"duration":"1.0449"}}"#,
        );
        let media = media(&song, 7).unwrap();
        assert!(media.has_audio && !media.has_video && !media.begins_late);
        assert_eq!(media.pictures, [1]);
        let expected = DetectedProperties { file_size: Some(7), duration_millis: Some(1045), ..Default::default() };
        assert_eq!(media.detected, expected);
    }

    #[test]
    fn audio_may_begin_later_than_the_file() {
        for (start, late) in [("0.007", false), ("0.021", false), ("1.5", true), ("3600", true), ("3601", false)] {
            let json = r#"{"streams":[{"codec_type":"audio","codec_name":"mp3","sample_fmt":"s16p","start_time":"AT"}],
                "format":{"start_time":"0.0"}}"#;
            let media = media(&probed(&json.replace("AT", start)), 7).unwrap();
            assert_eq!((media.begins_late, media.format.as_deref()), (late, Some("s16")), "{start}");
        }
        let stream = r#"{"streams":[{"codec_type":"audio","codec_name":"mp2","start_time":"2.9"}],
            "format":{"start_time":"1.4","format_name":"mpegts"}}"#;
        assert!(!media(&probed(stream), 7).unwrap().begins_late);
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
