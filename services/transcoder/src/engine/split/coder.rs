//! The coders whose frames can be joined: what each is given, what it makes of a segment, and how the parts become one
//! file.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::cut::Grid;
use super::{aac, flac, mp3};
use crate::engine::plan::{Encoding, MP4, Sound};

/// A coder that encodes in segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Coder {
    /// Frames overlap with their neighbours.
    Aac,
    /// Frames stand alone and are numbered.
    Flac,
    /// Frames overlap, and borrow bits from those before them.
    Mp3,
}

/// How samples are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// Floats, which AAC and MP3 are coded from.
    F32,
    /// Whole numbers of 16 bits.
    S16,
    /// Whole numbers of 24 bits.
    S24,
}

/// What the decoder writes for the coders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// Its rate and channels.
    pub sound: Sound,
    /// Its samples.
    pub format: Format,
}

/// What joining needs to know.
#[derive(Debug)]
pub struct Parts {
    /// The encoded segments in order.
    pub paths: Vec<PathBuf>,
    /// A file that the coder would make in one piece, of which only the header is used: for FLAC.
    pub header: PathBuf,
    /// How they were cut.
    pub grid: Grid,
    /// Samples a second.
    pub rate: u32,
    /// How many were decoded.
    pub samples: u64,
    /// Their MD5, as FLAC has it.
    pub md5: Option<[u8; 16]>,
}

impl Coder {
    /// The coder of an output, and what it is to be given; `None` when what it makes of segments cannot be joined.
    pub fn of(encoding: &Encoding, input: Sound) -> Option<(Self, Stream)> {
        let sound = encoding.sound(input);
        let is = |name: &str| encoding.codec.iter().any(|argument| argument == name);
        let (coder, format) = match encoding.codec.get(1)?.as_str() {
            "aac" if aac::knows(sound.rate) => (Self::Aac, Format::F32),
            // In one piece it gets these, and what is decoded must be the same to the bit.
            "flac" if is("s16") => (Self::Flac, Format::S16),
            "flac" if is("24") => (Self::Flac, Format::S24),
            // In other containers it is the muxer that says where the sound begins and ends.
            "libmp3lame"
                if encoding.container == Self::Mp3.container() && mp3::knows(sound.rate, encoding.bit_rate) =>
            {
                (Self::Mp3, Format::F32)
            }
            _ => return None,
        };
        (sound.channels <= 2).then_some((coder, Stream { sound, format }))
    }

    /// ffmpeg's arguments for the container that joining makes.
    pub fn container(self) -> &'static [&'static str] {
        match self {
            Self::Aac => MP4,
            Self::Flac => &["-f", "flac"],
            Self::Mp3 => &["-f", "mp3"],
        }
    }

    /// ffmpeg's arguments for one part, behind those of the coder and of its frames.
    pub fn part(self) -> &'static [&'static str] {
        match self {
            Self::Aac => &["-f", "mp4"],
            // Only MP4 says where a frame ends without decoding it; for old versions of ffmpeg that is an experiment.
            Self::Flac => &["-strict", "experimental", "-f", "mp4"],
            Self::Mp3 => &["-f", "mp3"],
        }
    }

    /// ffmpeg's arguments for how long frames are. Versions of its coder of FLAC choose differently: 5.1 takes 4608 samples
    /// at 44.1 kHz, 9.0 takes 4096.
    pub fn frames(self, rate: u32) -> Vec<String> {
        match self {
            Self::Flac => vec!["-frame_size".into(), flac::block(rate).to_string()],
            Self::Aac | Self::Mp3 => Vec::new(),
        }
    }

    /// Segments begin at multiples of so many samples.
    pub fn step(self, encoding: &Encoding, rate: u32) -> u64 {
        match self {
            Self::Aac => aac::FRAME,
            Self::Flac => flac::block(rate),
            Self::Mp3 => mp3::step(rate, encoding.bit_rate),
        }
    }

    /// Seconds over which two encodings that began at different places become alike.
    pub fn settling(self, encoding: &Encoding, sound: Sound) -> u64 {
        match self {
            Self::Aac => aac::settling(encoding.bit_rate, sound),
            Self::Flac => 0,
            Self::Mp3 => mp3::SETTLING,
        }
    }

    /// The least seconds of a segment that are worth a process of its own. Four minutes of FLAC take 0.3 seconds, and
    /// starting ffmpeg takes 0.1.
    pub fn shortest(self) -> u64 {
        match self {
            Self::Aac | Self::Mp3 => 30,
            Self::Flac => 240,
        }
    }

    /// With fewer encoders one piece is as fast. FLAC is coded nearly as fast as most inputs are decoded, and its
    /// samples cost as much to pass on, to sum and to join as to encode (measured: 20 minutes take 2.5 seconds of
    /// processor time in one piece, of which decoding is one, and 4.3 in segments).
    pub fn fewest_encoders(self) -> usize {
        match self {
            Self::Aac | Self::Mp3 => 2,
            Self::Flac => 4,
        }
    }

    /// Makes one file of the parts. Blocks.
    pub fn join(self, parts: &Parts, to: &Path) -> io::Result<()> {
        match self {
            Self::Aac => aac::join(parts, to),
            Self::Flac => flac::join(parts, to),
            Self::Mp3 => mp3::join(parts, to),
        }
    }
}

impl Stream {
    /// ffmpeg's arguments to write or, before an input, to read it.
    pub fn arguments(&self) -> Vec<String> {
        let format = match self.format {
            Format::F32 => "f32le",
            Format::S16 => "s16le",
            Format::S24 => "s24le",
        };
        self.sound
            .arguments()
            .into_iter()
            .chain(["-c:a".into(), format!("pcm_{format}"), "-f".into(), format.into()])
            .collect()
    }

    /// Bytes of one sample of all channels.
    pub fn sample_bytes(&self) -> u64 {
        self.format.bytes() * u64::from(self.sound.channels)
    }
}

impl Format {
    /// Bytes of one sample.
    pub fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::S16 => 2,
            Self::S24 => 3,
        }
    }
}
