//! AAC: makes one MP4 file of the encoded segments, without encoding anything again.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::ops::Range;
use std::path::Path;

use super::coder::Parts;
use super::cut::Grid;
use super::mp4::{self, Kind, Movie, malformed};
use super::seam::{self, Window};
use crate::engine::plan::Sound;

/// Samples of each channel in a frame (ISO/IEC 14496-3).
pub const FRAME: u64 = 1024;
/// Frames at the end of a segment that its coder made without knowing what comes next.
const BLIND: u64 = 4;
/// Frames before the place where a segment should begin in which a seam may lie too.
const EARLIER: u64 = 12;
/// Frames of one chunk, so that a player reads about that much at a time.
const CHUNK: usize = 1024;
/// Silence that the coder puts before the first sample: one frame for the AAC coder of ffmpeg.
const PRIMING: u64 = FRAME;

/// Frames of one file that go into the joined one.
#[derive(Debug)]
struct Piece {
    movie: Movie,
    frames: Range<usize>,
}

/// The rates of AAC (ISO/IEC 14496-3, table 1.18) that a preset or an input may have.
pub fn knows(rate: u32) -> bool {
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000].contains(&rate)
}

/// Seconds that ffmpeg's coder takes until it spends its bits as one that has long been at work (measured: noise at
/// 128 kb/s is coded 5 dB worse for the first 5 seconds; at 256 kb/s it is 0.3 dB worse after one).
pub fn settling(bit_rate: Option<u32>, sound: Sound) -> u64 {
    const AMPLE: f64 = 2.5;
    let samples = f64::from(sound.rate) * f64::from(sound.channels);
    let is_ample = bit_rate.is_some_and(|rate| f64::from(rate) / samples >= AMPLE);
    if is_ample { 2 } else { 10 }
}

/// Joins parts in order; the track then lasts exactly as long as what was decoded. Blocks.
pub fn join(parts: &Parts, to: &Path) -> io::Result<()> {
    let mut pieces: Vec<Piece> = Vec::with_capacity(parts.paths.len());
    for (number, path) in (0..).zip(&parts.paths) {
        let movie = Movie::open(path)?;
        let mut piece = Piece { frames: 0..movie.sizes.len(), movie };
        if let Some(before) = pieces.last_mut() {
            sew(before, &mut piece, parts.grid, number)?;
        }
        pieces.push(piece);
    }
    let total = pieces.iter().map(|piece| piece.frames.len() as u64).sum::<u64>();
    if total != (parts.samples + PRIMING).div_ceil(FRAME) {
        return Err(malformed("the segments have another length than what was decoded"));
    }
    write(&pieces, &Length { samples: parts.samples, rate: parts.rate }, to)
}

/// Ends `before` and begins `after` at a frame that both have, coded with the same window.
fn sew(before: &mut Piece, after: &mut Piece, grid: Grid, number: u64) -> io::Result<()> {
    let wanted = number * grid.own / FRAME;
    let (first, own) = (grid.first(number - 1) / FRAME, grid.first(number) / FRAME);
    let range = wanted - EARLIER..wanted + grid.after / FRAME - BLIND;
    let found = seam::nearest(wanted, range, |frame| {
        let window = before.window(frame - first)?;
        Ok(window.is_some() && window == after.window(frame - own)?)
    })?;
    // Where they never agree, as in a storm of clicks, a click hides the seam.
    let last = found.unwrap_or(wanted);
    before.frames.end = index(last - first)? + 1;
    after.frames.start = index(last - own)? + 1;
    if before.frames.is_empty() || after.frames.is_empty() {
        return Err(malformed("a segment is shorter than its overlap"));
    }
    Ok(())
}

impl Piece {
    fn window(&self, frame: u64) -> io::Result<Option<Window>> {
        let frame = index(frame)?;
        let Some(&size) = self.movie.sizes.get(frame) else { return Ok(None) };
        let mut bytes = vec![0; size as usize];
        self.movie.at(self.bytes(0..frame))?.read_exact(&mut bytes)?;
        Ok(seam::window(&bytes))
    }

    fn bytes(&self, frames: Range<usize>) -> u64 {
        self.movie.sizes[frames].iter().map(|&size| u64::from(size)).sum()
    }
}

struct Length {
    samples: u64,
    rate: u32,
}

/// The header goes first, so that players can start before they have the whole file.
fn write(pieces: &[Piece], length: &Length, to: &Path) -> io::Result<()> {
    let sizes: Vec<u32> = pieces.iter().flat_map(|piece| &piece.movie.sizes[piece.frames.clone()]).copied().collect();
    let bytes = sizes.iter().map(|&size| u64::from(size)).sum::<u64>();
    let Some(first) = pieces.first() else { return Err(malformed("nothing to join")) };
    let file_type = first.movie.file_type.clone();
    let template = first.movie.moov.clone();
    // Its length does not depend on where the frames lie.
    let header = moov(&template, &sizes, length, 0)?.len() + file_type.len() + MEDIA_HEADER;
    let moov = moov(&template, &sizes, length, header as u64)?;
    let mut file = BufWriter::new(File::create(to)?);
    file.write_all(&file_type)?;
    file.write_all(&moov)?;
    // The long form of a size: one header for files of all sizes.
    file.write_all(&1_u32.to_be_bytes())?;
    file.write_all(b"mdat")?;
    file.write_all(&(bytes + MEDIA_HEADER as u64).to_be_bytes())?;
    let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    for piece in pieces {
        let length = piece.bytes(piece.frames.clone());
        // Between two files the kernel copies.
        let copied = io::copy(&mut piece.movie.at(piece.bytes(0..piece.frames.start))?.take(length), &mut file)?;
        if copied != length {
            return Err(malformed("a segment is cut off"));
        }
    }
    Ok(())
}

const MEDIA_HEADER: usize = 16;

/// The header of the first segment, with the tables of all.
fn moov(template: &[u8], sizes: &[u32], length: &Length, data: u64) -> io::Result<Vec<u8>> {
    let fits = |number: u64| u32::try_from(number).map_err(|_| malformed("more samples than 32 bits count"));
    let media = fits(length.samples + PRIMING)?;
    let (samples, count) = (fits(length.samples)?, fits(sizes.len() as u64)?);
    let offsets = offsets(sizes, data);
    let change = |kind: &Kind, body: &[u8]| -> Option<Vec<u8>> {
        Some(match kind {
            // The clock of the movie counts samples, so that the edit list is exact.
            b"mvhd" => patched(body, &[(12, length.rate), (16, samples)])?,
            b"tkhd" => patched(body, &[(20, samples)])?,
            b"elst" => patched(body, &[(8, samples), (12, PRIMING as u32)])?,
            b"mdhd" => patched(body, &[(12, length.rate), (16, media)])?,
            b"stts" => durations(count, media),
            b"stsz" => table([0, count], sizes.iter().copied()),
            b"stsc" => chunks(sizes.len()),
            b"stco" => table([offsets.len() as u32], offsets.iter().map(|&offset| offset as u32)),
            // All frames are of one group: each needs the one before it.
            b"sbgp" => patched(body, &[(12, count)])?,
            _ => return None,
        })
    };
    let is_large = offsets.last().is_some_and(|&offset| offset > u64::from(u32::MAX));
    if is_large {
        return Err(malformed("more than 4 GiB of frames"));
    }
    mp4::rewrite(template, &change)
}

/// `None` when the box is shorter than it must be: then it stays, and what reads the file says so.
fn patched(body: &[u8], numbers: &[(usize, u32)]) -> Option<Vec<u8>> {
    let mut body = body.to_vec();
    for (at, number) in numbers {
        body.get_mut(*at..at + 4)?.copy_from_slice(&number.to_be_bytes());
    }
    Some(body)
}

/// Version and flags, what comes before the count or is it, and the numbers.
fn table<const N: usize>(head: [u32; N], numbers: impl Iterator<Item = u32>) -> Vec<u8> {
    let all = std::iter::once(0).chain(head).chain(numbers);
    all.flat_map(u32::to_be_bytes).collect()
}

/// All frames are of one length but the last, which may be shorter (`stts`).
fn durations(count: u32, media: u32) -> Vec<u8> {
    let frame = FRAME as u32;
    let whole = count.saturating_sub(1);
    let rest = media.saturating_sub(whole.saturating_mul(frame));
    if rest == frame || whole == 0 {
        table([1], [count, rest].into_iter())
    } else {
        table([2], [whole, frame, 1, rest].into_iter())
    }
}

/// Which chunks have how many frames (`stsc`).
fn chunks(frames: usize) -> Vec<u8> {
    let (whole, rest) = ((frames / CHUNK) as u32, (frames % CHUNK) as u32);
    match (whole, rest) {
        (_, 0) => table([1], [1, CHUNK as u32, 1].into_iter()),
        (0, _) => table([1], [1, rest, 1].into_iter()),
        _ => table([2], [1, CHUNK as u32, 1, whole + 1, rest, 1].into_iter()),
    }
}

/// Where each chunk begins.
fn offsets(sizes: &[u32], data: u64) -> Vec<u64> {
    let mut at = data;
    let chunk = |chunk: &[u32]| {
        let start = at;
        at += chunk.iter().map(|&size| u64::from(size)).sum::<u64>();
        start
    };
    sizes.chunks(CHUNK).map(chunk).collect()
}

fn index(frame: u64) -> io::Result<usize> {
    usize::try_from(frame).map_err(|_| malformed("too many frames"))
}
