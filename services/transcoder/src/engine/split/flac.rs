//! FLAC: numbers the frames of all segments anew and gives them one header (RFC 9639).
//!
//! A frame needs no other to be decoded, so segments do not overlap, and what is joined is what the coder would have
//! made in one piece, to the byte.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crc::{CRC_8_SMBUS, CRC_16_UMTS, Crc, Table};
use md5::{Digest, Md5};

use super::coder::Parts;
use super::mp4::{Movie, malformed};

/// The sums of a frame's header and of the frame (section 9.1.8 and 9.3): generators 0x07 and 0x8005, from 0 on.
const OF_HEADER: Crc<u8> = Crc::<u8>::new(&CRC_8_SMBUS);
const OF_FRAME: Crc<u16, Table<16>> = Crc::<u16, Table<16>>::new(&CRC_16_UMTS);
/// Where STREAMINFO lies, which is always the first block: behind `fLaC` and the block's own header (section 8.2).
const STREAMINFO: usize = 8;
/// A header holds the tags, and in a file of ours no picture.
const MOST_HEADER: u64 = 32 * 1024 * 1024;

/// Samples of each channel in a frame: the largest of the coder's sizes that last at most 105 ms (ffmpeg 5.1, flacenc.c,
/// at its default level of compression). Other versions choose others, and are told.
pub fn block(rate: u32) -> u64 {
    const SIZES: [u64; 13] = [192, 256, 512, 576, 1024, 1152, 2048, 2304, 4096, 4608, 8192, 16_384, 32_768];
    let most = u64::from(rate) * 105 / 1000;
    SIZES.into_iter().rev().find(|&size| size <= most).unwrap_or(SIZES[0])
}

/// Hands on what it reads, and sums it as STREAMINFO wants it: samples of all channels in turn, the low byte first
/// (section 8.2).
#[derive(Debug)]
pub struct Summed<R> {
    stream: R,
    md5: Md5,
}

impl<R> Summed<R> {
    /// Of nothing yet.
    pub fn new(stream: R) -> Self {
        Self { stream, md5: Md5::new() }
    }

    /// Of all that was read.
    pub fn md5(self) -> [u8; 16] {
        self.md5.finalize().into()
    }
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer)?;
        self.md5.update(&buffer[..read]);
        Ok(read)
    }
}

/// Joins parts, each an MP4 file of FLAC. Blocks.
pub fn join(parts: &Parts, to: &Path) -> io::Result<()> {
    let Some(md5) = parts.md5 else { return Err(malformed("no sum over all samples")) };
    let mut header = header(&parts.header)?;
    let block = block(parts.rate);
    let mut frames = Frames { to: BufWriter::new(File::create(to)?), count: 0, least: u32::MAX, most: 0 };
    frames.to.write_all(&header)?;
    for (number, path) in (0..).zip(&parts.paths) {
        if frames.count != number * parts.grid.own / block {
            return Err(malformed("a segment has another length than was cut"));
        }
        frames.append(&Movie::open(path)?)?;
    }
    if frames.count != parts.samples.div_ceil(block) {
        return Err(malformed("the segments have another length than what was decoded"));
    }
    describe(&mut header[STREAMINFO..], &frames, parts.samples, md5)?;
    frames.to.seek(SeekFrom::Start(0))?;
    frames.to.write_all(&header)?;
    frames.to.flush()
}

/// What stands before the first frame of a file: the marker and the blocks of metadata (section 8.1).
fn header(path: &Path) -> io::Result<Vec<u8>> {
    const LAST: u8 = 0x80;
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_HEADER).read_to_end(&mut bytes)?;
    let mut at = 4;
    loop {
        let Some(&[kind, high, middle, low]) = bytes.get(at..).and_then(<[u8]>::first_chunk) else {
            return Err(malformed("a header of FLAC is cut off"));
        };
        at += 4 + u32::from_be_bytes([0, high, middle, low]) as usize;
        if kind & LAST != 0 {
            break;
        }
    }
    bytes.truncate(at);
    Ok(bytes)
}

/// Writes into STREAMINFO what is known at the end: 16 bits each of the least and most samples of a frame, 24 each of
/// the least and most bytes, 28 of rate, channels and depth, 36 of samples, and the sum.
fn describe(info: &mut [u8], frames: &Frames, samples: u64, md5: [u8; 16]) -> io::Result<()> {
    let Some(info) = info.first_chunk_mut::<34>() else { return Err(malformed("STREAMINFO is cut off")) };
    let block = u16::from_be_bytes([info[0], info[1]]);
    if info[..2] != info[2..4] || u64::from(block) * frames.count < samples || samples >> 36 != 0 {
        return Err(malformed("STREAMINFO speaks of other frames"));
    }
    info[4..7].copy_from_slice(&frames.least.to_be_bytes()[1..]);
    info[7..10].copy_from_slice(&frames.most.to_be_bytes()[1..]);
    let samples = samples.to_be_bytes();
    info[13] = info[13] & 0xf0 | samples[3];
    info[14..18].copy_from_slice(&samples[4..]);
    info[18..].copy_from_slice(&md5);
    Ok(())
}

/// The frames that are written.
struct Frames {
    to: BufWriter<File>,
    count: u64,
    /// The bytes of the smallest and the largest.
    least: u32,
    most: u32,
}

impl Frames {
    fn append(&mut self, part: &Movie) -> io::Result<()> {
        let mut from = BufReader::with_capacity(1024 * 1024, part.at(0)?);
        let (mut frame, mut numbered) = (Vec::new(), Vec::new());
        for &size in &part.sizes {
            frame.resize(size as usize, 0);
            from.read_exact(&mut frame)?;
            numbered.clear();
            let number = u32::try_from(self.count).map_err(|_| malformed("too many frames"))?;
            renumber(&frame, number, &mut numbered).ok_or_else(|| malformed("not a frame of FLAC"))?;
            let size = numbered.len() as u32;
            (self.least, self.most) = (self.least.min(size), self.most.max(size));
            self.count += 1;
            self.to.write_all(&numbered)?;
        }
        Ok(())
    }
}

/// Writes a frame with another number. In its header (section 9.1) there are four bytes, the number, up to four bytes
/// of length and rate where these are uncommon, and a sum; at the frame's end there is another.
fn renumber(frame: &[u8], number: u32, to: &mut Vec<u8>) -> Option<()> {
    // The sync code, and that all frames are of one size, so that it is they that are numbered.
    const START: [u8; 2] = [0xff, 0xf8];
    let (&[sync, kind, lengths, channels], rest) = frame.split_first_chunk()?;
    let of_number = (rest.first()?.leading_ones() as usize).max(1);
    let of_length = match lengths >> 4 {
        6 => 1,
        7 => 2,
        _ => 0,
    };
    let of_rate = match lengths & 0xf {
        12 => 1,
        13 | 14 => 2,
        _ => 0,
    };
    let (uncommon, rest) = rest.get(of_number..)?.split_at_checked(of_length + of_rate)?;
    let (sound, _) = rest.get(1..)?.split_last_chunk::<2>()?;
    if [sync, kind] != START {
        return None;
    }
    to.extend([sync, kind, lengths, channels]);
    put_number(number, to)?;
    to.extend(uncommon);
    to.push(OF_HEADER.checksum(to));
    to.extend(sound);
    to.extend(OF_FRAME.checksum(to).to_be_bytes());
    Some(())
}

/// A number of at most 31 bits, coded as UTF-8 does (section 9.1.5): a byte of n ones and the highest bits, and n - 1
/// bytes of six bits each, which are 5 n + 1 together.
fn put_number(number: u32, to: &mut Vec<u8>) -> Option<()> {
    if number < 0x80 {
        to.push(number as u8);
        return Some(());
    }
    let bytes = (2..=6_u32).find(|bytes| number >> (5 * bytes + 1) == 0)?;
    let ones = (0xff00_u32 >> bytes) as u8;
    to.push(ones | (number >> (6 * (bytes - 1))) as u8);
    to.extend((0..bytes - 1).rev().map(|at| 0x80 | (number >> (6 * at)) as u8 & 0x3f));
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coded(number: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_number(number, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn numbers_are_coded_as_in_utf_8() {
        for number in [0, 0x7f, 0x80, 0x7ff, 0x800, 0xffff, 0x1_0000, 0x10_ffff] {
            let text = char::from_u32(number).unwrap().to_string();
            assert_eq!(coded(number), text.as_bytes(), "{number:x}");
        }
        assert_eq!(coded(0x20_0000), [0xf8, 0x88, 0x80, 0x80, 0x80]);
        assert_eq!(coded(0x7fff_ffff), [0xfd, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf]);
        assert_eq!(put_number(0x8000_0000, &mut Vec::new()), None);
    }

    /// What ffmpeg made of ten samples, the last of a file with a tone: its length is uncommon, and so in the header.
    const FRAME: [u8; 30] = [
        0xff, 0xf8, 0x69, 0x08, 0x01, 0x09, 0x37, 0x02, 0x0d, 0x50, 0x0f, 0xcb, 0x0f, 0x6e, 0x0c, 0x4b, 0x06, 0xf1,
        0x00, 0x58, 0xf9, 0xaf, 0xf4, 0x29, 0xf0, 0xc4, 0xf0, 0x1d, 0xa7, 0xcc,
    ];

    #[test]
    fn a_frame_gets_another_number_and_the_sums_that_go_with_it() {
        let (mut other, mut back) = (Vec::new(), Vec::new());
        renumber(&FRAME, 300, &mut other).unwrap();
        assert_eq!(other[4..7], [0xc4, 0xac, 0x09]);
        assert_eq!(other.len(), FRAME.len() + 1);
        // A sum over what it ends with is 0.
        assert_eq!((OF_HEADER.checksum(&other[..8]), OF_FRAME.checksum(&other)), (0, 0));
        renumber(&other, 1, &mut back).unwrap();
        assert_eq!(back, FRAME);
        assert!(renumber(&FRAME[..6], 1, &mut Vec::new()).is_none());
        assert!(renumber(&[0; 30], 1, &mut Vec::new()).is_none());
    }

    #[test]
    fn blocks_are_those_of_the_coder() {
        let rates = [8000, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000];
        assert_eq!(rates.map(block), [576, 2304, 2304, 4608, 4608, 8192, 16_384]);
    }
}
