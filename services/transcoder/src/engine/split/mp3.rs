//! MP3 of one bit rate (layer III of ISO/IEC 11172-3 and 13818-3): lays a seam where two encodings agree.
//!
//! A frame's sound may begin in frames before it, by as many bytes as its `main_data_begin` says (section 2.4.2.7);
//! what those leave over is the bit reservoir. And its samples overlap with those of the frame before, which fits only
//! when both were windowed alike (section 2.4.3.4). Where segments begin at multiples of [`step`], LAME comes after
//! some seconds to the very same decisions in both, and to the same reservoir. There the second encoding goes on behind
//! the first, and what it has of its sound in the frames before is put into those.

pub mod frame;
pub mod info;

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;

use super::coder::Parts;
use super::mp4::malformed;
use super::seam;
use frame::Frame;
use info::Info;

pub use frame::{knows, step};

/// Seconds over which two encodings become alike. Measured with LAME 3.100 at 32 to 320 kb/s, in 60 places of five
/// sounds: in one second mostly, in four but for one place.
pub const SETTLING: u64 = 5;
/// Frames at the end of a segment that its coder made without knowing what comes next.
const BLIND: u64 = 4;
/// Two minutes and what overlaps have six megabytes at the highest rate.
const MOST_PART: u64 = 64 * 1024 * 1024;

/// Joins parts in order; a player that heeds the Info tag plays exactly what was decoded. Blocks.
pub fn join(parts: &Parts, to: &Path) -> io::Result<()> {
    let frame = frame::samples(parts.rate);
    let mut paths = parts.paths.iter();
    let mut part = Part::open(paths.next().ok_or_else(|| malformed("nothing to join"))?, 0)?;
    let mut info = Info::of(part.head(), frame)?;
    let mut to = BufWriter::new(File::create(to)?);
    // The tags, and room for what is known at the end.
    to.write_all(part.head())?;
    let mut from = 0;
    for (number, path) in (1..).zip(paths) {
        let next = Part::open(path, parts.grid.first(number) / frame)?;
        let wanted = number * parts.grid.own / frame;
        let range = wanted - parts.grid.before / frame / 2..wanted + parts.grid.after / frame - BLIND;
        let seam = meet(&part, &next, wanted, range)?.ok_or_else(|| malformed("two encodings that nowhere agree"))?;
        part.lend(&next, seam);
        info.append(part.sound(from..seam)?, &mut to)?;
        (from, part) = (seam, next);
    }
    info.append(part.sound(from..part.end())?, &mut to)?;
    to.seek(SeekFrom::Start(0))?;
    to.write_all(&info.finish(parts.samples)?)?;
    to.flush()
}

/// The frame nearest to `wanted` that may come from `after` when those before it come from `before`: best behind one
/// that is the same in both.
fn meet(before: &Part, after: &Part, wanted: u64, range: Range<u64>) -> io::Result<Option<u64>> {
    let meets = |frame, agree: fn(&Part, &Part, u64) -> Option<bool>| {
        Ok(has_room(before, after, frame) == Some(true) && agree(before, after, frame - 1) == Some(true))
    };
    let same = seam::nearest(wanted, range.clone(), |frame| meets(frame, is_same))?;
    if same.is_some() { Ok(same) } else { seam::nearest(wanted, range, |frame| meets(frame, is_windowed_alike)) }
}

/// Whether a frame is coded alike, down to how many bits each of its parts has.
fn is_same(before: &Part, after: &Part, frame: u64) -> Option<bool> {
    Some(before.description(frame)? == after.description(frame)?)
}

/// Whether the end of a frame overlaps in the same way with what follows.
fn is_windowed_alike(before: &Part, after: &Part, frame: u64) -> Option<bool> {
    Some(before.frame(frame)?.windows == after.frame(frame)?.windows)
}

/// Whether the frames of `before` leave as much room before a frame as that of `after` needs, in frames of the same
/// sizes.
fn has_room(before: &Part, after: &Part, frame: u64) -> Option<bool> {
    let sizes = |frame: &Frame| (frame.data - frame.start, frame.end - frame.data);
    let needed = after.frame(frame)?.borrowed;
    let (mut earlier, mut found) = (frame, 0);
    while found < needed {
        earlier = earlier.checked_sub(1)?;
        let (ours, theirs) = (sizes(before.frame(earlier)?), sizes(after.frame(earlier)?));
        if ours != theirs {
            return Some(false);
        }
        found += ours.1;
    }
    Some(needed <= before.frame(frame)?.borrowed)
}

/// An encoded segment.
#[derive(Debug)]
struct Part {
    bytes: Vec<u8>,
    /// Those with sound.
    frames: Vec<Frame>,
    /// The number of the first of them in the joined file.
    first: u64,
}

impl Part {
    /// Reads a file that ffmpeg wrote: ID3, a frame with the Info tag, and frames with sound.
    fn open(path: &Path, first: u64) -> io::Result<Self> {
        let mut bytes = Vec::new();
        File::open(path)?.take(MOST_PART).read_to_end(&mut bytes)?;
        let mut at = info::id3(&bytes);
        let mut frames = Vec::new();
        while at < bytes.len() {
            let frame = Frame::at(&bytes, at).ok_or_else(|| malformed("not a frame of MP3"))?;
            at = frame.end;
            frames.push(frame);
        }
        // The first has the Info tag.
        frames.drain(..frames.len().min(1));
        if frames.is_empty() {
            return Err(malformed("no frame of MP3"));
        }
        Ok(Self { bytes, frames, first })
    }

    /// What stands before the sound.
    fn head(&self) -> &[u8] {
        &self.bytes[..self.frames[0].start]
    }

    /// Behind its last frame.
    fn end(&self) -> u64 {
        self.first + self.frames.len() as u64
    }

    fn frame(&self, number: u64) -> Option<&Frame> {
        self.frames.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// A frame's header and side information.
    fn description(&self, number: u64) -> Option<&[u8]> {
        self.frame(number).map(|frame| &self.bytes[frame.start..frame.data])
    }

    /// Frames as they lie in the file.
    fn sound(&self, numbers: Range<u64>) -> io::Result<impl Iterator<Item = &[u8]>> {
        let index = |number: u64| number.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        let frames = index(numbers.start).zip(index(numbers.end)).and_then(|(start, end)| self.frames.get(start..end));
        let frames = frames.ok_or_else(|| malformed("a segment is shorter than its overlap"))?;
        Ok(frames.iter().map(|frame| &self.bytes[frame.start..frame.end]))
    }

    /// Puts what frame `seam` of `next` has of its sound in the frames before it into those of this part.
    fn lend(&mut self, next: &Self, seam: u64) {
        let mut left = next.frame(seam).map_or(0, |frame| frame.borrowed);
        for number in (0..seam).rev() {
            let (Some(ours), Some(theirs)) = (self.frame(number).copied(), next.frame(number)) else { return };
            let here = left.min(ours.end - ours.data);
            self.bytes[ours.end - here..ours.end].copy_from_slice(&next.bytes[theirs.end - here..theirs.end]);
            left -= here;
            if left == 0 {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
