//! Says what a short input is by what ffmpeg itself reports when it opens it: starting ffprobe takes longer than making
//! a clip of some seconds.
//!
//! The report is for people and has no specification (`av_dump_format` of libavformat writes it). So whatever is not
//! exactly as expected is left to ffprobe, and so is what has other streams beside its sound and pictures of its album:
//! the report rounds the frame rate of a film and does not say when its sound begins.

use elastic_transcoder::DetectedProperties;

use super::plan::Sound;
use super::probe::Media;

/// Lines of tags are indented deeper, and a text of several lines has each of its lines indented.
const INDENT: &str = "  ";

/// What ffmpeg says of its first input of so many bytes; `None` when ffprobe should be asked. The length is good to a
/// hundredth of a second.
pub fn media(report: &str, size: u64) -> Option<Media> {
    let lines = report.lines().skip_while(|line| !line.starts_with("Input #0, ")).skip(1);
    let lines = lines.take_while(|line| line.starts_with(INDENT)).filter_map(|line| line.strip_prefix(INDENT));
    let (mut duration, mut sound, mut pictures) = (None, None, Vec::new());
    for line in lines {
        if let Some(rest) = line.strip_prefix("Duration: ") {
            // A second one is a text of the file.
            if duration.replace(millis(rest.split(',').next()?)?).is_some() {
                return None;
            }
        } else if let Some(stream) = line.strip_prefix("Stream #0:") {
            if stream.ends_with("(attached pic)") {
                pictures.push(stream.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?);
            } else if sound.is_none() {
                sound = Some(audio(stream)?);
            } else {
                return None;
            }
        }
    }
    let detected = DetectedProperties {
        file_size: i64::try_from(size).ok(),
        duration_millis: Some(duration?),
        ..DetectedProperties::default()
    };
    Some(Media {
        detected,
        has_audio: true,
        has_video: false,
        sound: Some(sound?),
        pictures,
        // Only several inputs need to know of each other.
        layout: None,
        format: None,
        begins_late: false,
    })
}

/// `0(eng): Audio: aac (LC) (mp4a / 0x6134706D), 44100 Hz, stereo, fltp, 128 kb/s`.
fn audio(stream: &str) -> Option<Sound> {
    let (name, audio) = stream.split_once(": Audio: ")?;
    // A language of another kind is a text of the file, which may say anything.
    let language = name.split_once('(').map_or("und", |(_, rest)| rest.trim_end_matches(')'));
    let is_plain = language.len() == 3 && language.bytes().all(|byte| byte.is_ascii_lowercase());
    if !is_plain || audio.contains(": Audio: ") {
        return None;
    }
    let (before, after) = audio.split_once(" Hz, ")?;
    let rate = before.rsplit_once(", ")?.1.parse().ok().filter(|&rate| rate > 0)?;
    let channels = channels(after.split(", ").next()?)?;
    Some(Sound { rate, channels })
}

/// The names of layouts are numbers of speakers, full and low, with a variant in brackets (ffmpeg-utils manual,
/// "Channel Layout").
fn channels(layout: &str) -> Option<u16> {
    let layout = layout.split('(').next()?;
    match (layout, layout.strip_suffix(" channels")) {
        ("mono", _) => Some(1),
        ("stereo", _) => Some(2),
        (_, Some(number)) => number.parse().ok().filter(|&number| number > 0),
        _ if layout.contains('.') => layout.split('.').map(|number| number.parse::<u8>().ok().map(u16::from)).sum(),
        _ => None,
    }
}

/// `HH:MM:SS.cc`.
fn millis(time: &str) -> Option<i64> {
    let mut parts = time.split([':', '.']).map(|part| part.parse::<u32>().ok().map(i64::from));
    let mut next = || parts.next().flatten();
    let (hours, minutes, seconds, hundredths) = (next()?, next()?, next()?, next()?);
    Some(((hours * 60 + minutes) * 60 + seconds) * 1000 + hundredths * 10)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const SONG: &str = "[mp3 @ 0x5] Estimating duration from bitrate, this may be inaccurate
Input #0, mp3, from 'file:input':
  Metadata:
    title           : a
                    : b
    Stream #0:0     : Audio: mp3, 8000 Hz, mono
  Duration: 01:20:00.04, start: 0.025057, bitrate: 192 kb/s
  Chapters:
    Chapter #0:0: start 0.000000, end 1.000000
  Stream #0:0(eng): Audio: mp3, 44100 Hz, 5.1(side), fltp, 192 kb/s (default)
    Metadata:
      encoder         : Lavc59.37
  Stream #0:1: Video: png, rgb24, 10x10, 90k tbr, 90k tbn (attached pic)
Stream mapping:
  Stream #0:0 -> #0:0 (mp3 (mp3float) -> pcm_s16le (native))
  Duration: 00:00:00.00, start
";

    #[test]
    fn a_song_is_read_and_what_its_tags_say_is_not() {
        let media = media(SONG, 7).unwrap();
        assert_eq!(media.sound, Some(Sound { rate: 44_100, channels: 6 }));
        assert_eq!(media.pictures, [1]);
        let expected =
            DetectedProperties { file_size: Some(7), duration_millis: Some(4_800_040), ..Default::default() };
        assert_eq!(media.detected, expected);
    }

    #[test]
    fn what_is_not_as_expected_is_left_to_ffprobe() {
        let refused = |from: &str, to: &str| {
            assert!(SONG.contains(from));
            assert!(media(&SONG.replace(from, to), 7).is_none(), "{to}");
        };
        refused("Input #0", "Output #0");
        refused(" (attached pic)", ", 25 fps");
        refused("Video: png, rgb24, 10x10, 90k tbr, 90k tbn (attached pic)", "Audio: mp3, 44100 Hz, mono, fltp");
        refused("01:20:00.04", "N/A");
        refused("01:20:00.04", "20:00");
        refused("5.1(side)", "quad");
        refused("5.1(side)", "999.999");
        refused("44100 Hz", "0 Hz");
        refused(": Audio: mp3, 44100 Hz, 5.1(side)", ": Audio: none, fltp");
        refused("  Stream #0:0(eng)", "  Strom #0:0");
        refused("(eng)", "(eng): Audio: a, 1 Hz, 7.1, )");
        refused("(eng)", "(English)");
        refused("  Chapters:", "  Duration: 00:00:01.00, start: 0");
        assert!(media("", 7).is_none());
    }

    #[test]
    fn channels_are_counted() {
        let known = [("mono", 1), ("stereo", 2), ("2.1", 3), ("7.1(wide)", 8), ("6 channels", 6), ("5.1.2", 8)];
        assert!(known.iter().all(|&(layout, count)| channels(layout) == Some(count)));
        assert!(["", "quad", "x channels", "0 channels", "a.b"].iter().all(|layout| channels(layout).is_none()));
    }

    #[test]
    fn the_installed_ffmpeg_reports_so() {
        let directory = tempfile::tempdir().unwrap();
        for (arguments, name, sound) in [
            ("-c:a libmp3lame -ac 2 -ar 44100", "a.mp3", (44_100, 2)),
            ("-c:a aac -ac 1 -ar 22050", "a.m4a", (22_050, 1)),
            ("-c:a flac -ac 6 -ar 96000", "a.flac", (96_000, 6)),
            ("-c:a libvorbis -ac 2 -ar 48000", "a.ogg", (48_000, 2)),
            ("-c:a pcm_s16le -ac 2 -ar 8000", "a.wav", (8_000, 2)),
        ] {
            let path = directory.path().join(name);
            let ffmpeg = |arguments: String| Command::new("ffmpeg").args(arguments.split(' ')).output().unwrap();
            let made = ffmpeg(format!("-v error -f lavfi -i sine=440:d=1.5 {arguments} {}", path.display()));
            assert!(made.status.success());
            let read = ffmpeg(format!("-hide_banner -i {} -f null -", path.display()));
            let media = media(&String::from_utf8_lossy(&read.stderr), 7).unwrap();
            assert_eq!(media.sound, Some(Sound { rate: sound.0, channels: sound.1 }), "{name}");
            let millis = media.detected.duration_millis.unwrap();
            assert!((1490..1600).contains(&millis), "{name}: {millis}");
        }
    }
}
