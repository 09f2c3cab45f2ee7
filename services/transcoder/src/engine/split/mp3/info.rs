//! What stands before the sound: ID3 tags, and a frame of silence with the Info tag, by which players find the length,
//! a place, and the first and last sample. No standard has it; it is as Xing and LAME began it and ffmpeg writes it.

use std::io::{self, Write};

use crc::{CRC_16_ARC, Crc, Digest, Table};

use super::frame::Frame;
use crate::engine::split::mp4::malformed;

/// Generator 0x8005, the low bit first, from 0 on.
static SUM: Crc<u16, Table<16>> = Crc::<u16, Table<16>>::new(&CRC_16_ARC);

/// Where fields lie, from the tag's own letters on.
const FRAMES: usize = 8;
const BYTES: usize = 12;
const PLACES: usize = 16;
/// Twelve bits of samples that the coder put before the sound, and twelve of those behind it.
const DELAY: usize = 141;
const BYTES_AGAIN: usize = 148;
const SUM_OF_SOUND: usize = 152;
const SUM_OF_TAG: usize = 154;
const LENGTH: usize = 156;

/// The bytes of an ID3v2 tag at the beginning of a file (ID3v2.4, section 3.1): ten and as many as four times seven
/// bits say.
pub fn id3(bytes: &[u8]) -> usize {
    match bytes {
        [b'I', b'D', b'3', _, _, _, size @ ..] if size.len() >= 4 => {
            size[..4].iter().fold(0, |all, &seven| all << 7 | usize::from(seven & 0x7f)) + 10
        }
        _ => 0,
    }
}

/// What the joined file is described by.
pub struct Info {
    /// All that stands before the sound.
    head: Vec<u8>,
    /// Where the frame with the tag begins, and the tag.
    start: usize,
    tag: usize,
    /// Samples of each channel in a frame.
    samples: u64,
    frames: u64,
    /// Of the frames, that with the tag too.
    bytes: u64,
    sum: Digest<'static, u16, Table<16>>,
}

impl Info {
    /// Begins with what stands before the sound of the first part.
    pub fn of(head: &[u8], samples: u64) -> io::Result<Self> {
        let start = id3(head);
        let tag = Frame::at(head, start).map(|frame| frame.data);
        let is_tag =
            |&tag: &usize| matches!(head.get(tag..tag + 4), Some(b"Info" | b"Xing")) && head.len() >= tag + LENGTH;
        let tag = tag.filter(is_tag).ok_or_else(|| malformed("an MP3 file without Info tag"))?;
        let bytes = (head.len() - start) as u64;
        Ok(Self { head: head.to_vec(), start, tag, samples, frames: 0, bytes, sum: SUM.digest() })
    }

    /// Writes frames and counts them.
    pub fn append<'a>(&mut self, frames: impl Iterator<Item = &'a [u8]>, to: &mut impl Write) -> io::Result<()> {
        for frame in frames {
            self.frames += 1;
            self.bytes += frame.len() as u64;
            self.sum.update(frame);
            to.write_all(frame)?;
        }
        Ok(())
    }

    /// What stands before the sound, now that all of it is known, for so many samples that were encoded.
    pub fn finish(mut self, samples: u64) -> io::Result<Vec<u8>> {
        let fits = |number: u64| u32::try_from(number).map_err(|_| malformed("more MP3 than 32 bits count"));
        let (frames, bytes) = (fits(self.frames)?, fits(self.bytes)?);
        let delay = self.head[self.tag + DELAY..][..2].iter().fold(0, |all, &byte| all << 8 | u32::from(byte)) >> 4;
        // What is left of the last frame, and what the coder needed to bring out its last sample.
        let padding = (self.frames * self.samples).checked_sub(samples + u64::from(delay));
        let padding = padding.filter(|&padding| padding < 1 << 12);
        let padding =
            padding.ok_or_else(|| malformed("the segments have another length than what was decoded"))? as u32;
        self.put(FRAMES, &frames.to_be_bytes());
        self.put(BYTES, &bytes.to_be_bytes());
        // All frames last as long and have as many bytes, so each place is where one would look for it.
        let places: Vec<u8> = (0..100_u32).map(|percent| (percent * 256 / 100) as u8).collect();
        self.put(PLACES, &places);
        self.put(DELAY, &(delay << 12 | padding).to_be_bytes()[1..]);
        self.put(BYTES_AGAIN, &bytes.to_be_bytes());
        let sum = self.sum.clone().finalize();
        self.put(SUM_OF_SOUND, &sum.to_be_bytes());
        let sum = SUM.checksum(&self.head[self.start..self.tag + SUM_OF_TAG]);
        self.put(SUM_OF_TAG, &sum.to_be_bytes());
        Ok(self.head)
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.head[self.tag + at..][..bytes.len()].copy_from_slice(bytes);
    }
}
