//! From a preset to ffmpeg's arguments.

use elastic_transcoder::Preset;
use serde::{Deserialize, Serialize};

use super::coder::{Coder, Range};
use super::measure::Measure;
use super::tools::Coders;

/// How one output is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoding {
    /// ffmpeg's arguments for the coder.
    pub codec: Vec<String>,
    /// Bits a second, where the coder has such a setting.
    pub bit_rate: Option<u32>,
    /// Samples a second; the input's when there is none.
    pub sample_rate: Option<u32>,
    /// The input's when there is none.
    pub channels: Option<u16>,
    /// What the coder can hold.
    pub range: Range,
    /// ffmpeg's arguments for the container.
    pub container: Vec<String>,
    /// The media type of the object.
    pub content_type: &'static str,
    /// How the file's length is read.
    pub measure: Measure,
}

/// Samples without a format: as many a second of so many channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sound {
    /// Samples a second.
    pub rate: u32,
    /// Channels.
    pub channels: u16,
}

impl Sound {
    /// ffmpeg's arguments that ask for it, or say that it is so.
    pub fn arguments(&self) -> [String; 4] {
        ["-ar".to_owned(), self.rate.to_string(), "-ac".to_owned(), self.channels.to_string()]
    }
}

/// The sentence says which member of the preset cannot be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unsupported(pub String);

struct Container {
    arguments: &'static [&'static str],
    content_type: &'static str,
    measure: Measure,
    codecs: &'static [&'static str],
}

impl Encoding {
    /// The encoding that a preset asks for, with what there is of coders.
    pub fn of(preset: &Preset, coders: Coders) -> Result<Self, Unsupported> {
        let cannot = |why: String| Unsupported(format!("preset {}: {why}", preset.id));
        let refuse = |what: String| cannot(format!("{what} is not supported yet"));
        if preset.video.is_some() {
            return Err(refuse("Video".into()));
        }
        let audio = preset.audio.as_ref().ok_or_else(|| refuse("a preset without Audio".into()))?;
        let container =
            container(&preset.container).ok_or_else(|| refuse(format!("Container {}", preset.container)))?;
        let codec = audio.codec.as_deref().unwrap_or_default();
        if !container.codecs.contains(&codec) {
            return Err(refuse(format!("Audio.Codec {codec} in Container {}", preset.container)));
        }
        let channels = number("Audio.Channels", audio.channels.as_deref()).map_err(refuse)?;
        if channels == Some(0) {
            // The service left the audio out (Developer Guide, "Channels"), so of audio alone an empty file would remain.
            return Err(cannot("Audio.Channels 0 leaves nothing of a preset without Video".into()));
        }
        let sample_rate = number("Audio.SampleRate", audio.sample_rate.as_deref()).map_err(refuse)?;
        let bit_rate = number::<u32>("Audio.BitRate", audio.bit_rate.as_deref()).map_err(refuse)?;
        let coder = Coder::of(audio, bit_rate, sample_rate, channels, coders).map_err(cannot)?;
        Ok(Self {
            codec: coder.arguments,
            bit_rate: bit_rate.map(|kilobits| kilobits * 1000),
            sample_rate,
            channels,
            range: coder.range,
            container: container.arguments.iter().map(|&argument| argument.into()).collect(),
            content_type: container.content_type,
            measure: container.measure,
        })
    }

    /// The filter for what the preset leaves to the input, when the coder does not hold all that an input may have.
    pub fn filter(&self) -> Option<String> {
        self.range.filter(self.sample_rate, self.channels)
    }

    /// ffmpeg's arguments between the stream that is taken and the name of the file.
    pub fn arguments(&self) -> Vec<String> {
        let rate = self.sample_rate.map(|rate| ["-ar".to_owned(), rate.to_string()]);
        let channels = self.channels.map(|channels| ["-ac".to_owned(), channels.to_string()]);
        let sound = rate.into_iter().chain(channels).flatten();
        self.codec.iter().cloned().chain(sound).chain(self.container.iter().cloned()).collect()
    }

    /// What the coder gets of an input.
    pub fn sound(&self, input: Sound) -> Sound {
        Sound {
            rate: self.sample_rate.unwrap_or_else(|| self.range.nearest_rate(input.rate)),
            channels: self.channels.unwrap_or(input.channels),
        }
    }
}

/// A member that is a number, or `auto`.
fn number<N: std::str::FromStr>(member: &str, value: Option<&str>) -> Result<Option<N>, String> {
    match value {
        None | Some("auto") => Ok(None),
        Some(value) => value.parse().map(Some).map_err(|_| format!("{member} {value}")),
    }
}

/// The index goes to the front, so that players can start before they have the whole file.
pub const MP4: &[&str] = &["-movflags", "+faststart", "-f", "mp4"];

fn container(name: &str) -> Option<Container> {
    Some(match name {
        // A WAV header counts to 4 GiB; what is longer gets the header of RF64 (EBU Tech 3306).
        "wav" => Container {
            arguments: &["-rf64", "auto", "-f", "wav"],
            content_type: "audio/wav",
            measure: Measure::Wav,
            codecs: &["pcm"],
        },
        "flac" => Container {
            arguments: &["-f", "flac"],
            content_type: "audio/flac",
            measure: Measure::Flac,
            codecs: &["flac"],
        },
        "mp4" => {
            Container { arguments: MP4, content_type: "audio/mp4", measure: Measure::Mp4, codecs: &["AAC", "mp3"] }
        }
        "mp3" => {
            Container { arguments: &["-f", "mp3"], content_type: "audio/mpeg", measure: Measure::Mp3, codecs: &["mp3"] }
        }
        "ts" => Container {
            arguments: &["-f", "mpegts"],
            content_type: "video/mp2t",
            measure: Measure::Frames,
            codecs: &["AAC", "mp3"],
        },
        "mp2" => Container {
            arguments: &["-f", "mp2"],
            content_type: "audio/mpeg",
            measure: Measure::Probe,
            codecs: &["mp2"],
        },
        // Fragments of two seconds, for players that are given a file in pieces. The header waits for the first, as it
        // says how much silence the coder has put before it.
        "fmp4" => Container {
            arguments: &["-movflags", "+delay_moov+default_base_moof", "-frag_duration", "2000000", "-f", "mp4"],
            content_type: "audio/mp4",
            measure: Measure::Probe,
            codecs: &["AAC"],
        },
        "ogg" | "oga" => Container {
            arguments: &["-f", "ogg"],
            content_type: "audio/ogg",
            measure: Measure::Probe,
            codecs: &["flac", "vorbis"],
        },
        _ => return None,
    })
}

/// ffmpeg's demuxer for an input's `Container`; `None` lets it find out.
pub fn demuxer(container: &str) -> Option<&'static str> {
    Some(match container {
        "3gp" | "mov" | "mp4" | "m4a" => "mov",
        "asf" => "asf",
        "avi" | "divx" => "avi",
        "flv" => "flv",
        "mkv" | "webm" => "matroska",
        "mpeg" | "mpeg-ps" | "vob" => "mpeg",
        "mpeg-ts" | "ts" => "mpegts",
        "mxf" => "mxf",
        "ogg" => "ogg",
        "wav" => "wav",
        "mp3" => "mp3",
        "aac" => "aac",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use elastic_transcoder::presets;

    use super::*;

    fn encoding(number: &str) -> Result<Encoding, Unsupported> {
        Encoding::of(presets::get(&format!("1351620000001-{number}")).unwrap(), Coders::default())
    }

    #[test]
    fn presets_become_arguments() {
        let joined = |number| encoding(number).unwrap().arguments().join(" ");
        assert_eq!(joined("300300"), "-c:a pcm_s16le -ar 44100 -ac 2 -rf64 auto -f wav");
        assert_eq!(joined("300200"), "-c:a pcm_u8 -ar 44100 -ac 2 -rf64 auto -f wav");
        assert_eq!(joined("300110"), "-c:a flac -sample_fmt s16 -ar 44100 -ac 2 -f flac");
        assert_eq!(
            joined("100110"),
            "-c:a aac -profile:a aac_low -b:a 256k -ar 44100 -ac 2 -movflags +faststart -f mp4"
        );
        assert_eq!(
            joined("100141"),
            "-c:a aac -profile:a aac_low -b:a 64k -ar 44100 -ac 1 -movflags +faststart -f mp4"
        );
        assert_eq!(joined("300040"), "-c:a libmp3lame -b:a 128k -ar 44100 -ac 2 -f mp3");
        assert_eq!(joined("200060"), "-c:a aac -profile:a aac_low -b:a 160k -ar 44100 -ac 2 -f mpegts");
    }

    #[test]
    fn what_cannot_be_done_is_named() {
        let refused = |number| encoding(number).unwrap_err().to_string();
        assert_eq!(refused("000010"), "preset 1351620000001-000010: Video is not supported yet");
        let mut preset = presets::get("1351620000001-100110").unwrap().clone();
        preset.container = "flv".into();
        assert!(Encoding::of(&preset, Coders::default()).unwrap_err().0.contains("Container flv"));
        preset.container = "mp4".into();
        preset.audio.as_mut().unwrap().codec_options.as_mut().unwrap().profile = Some("HE-AAC".into());
        assert!(Encoding::of(&preset, Coders::default()).unwrap_err().0.contains("Audio.CodecOptions.Profile HE-AAC"));
    }
}
