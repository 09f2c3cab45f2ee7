//! MP4 (ISO/IEC 14496-12): pictures are `covr` in the list of metadata that iTunes brought, at the end of `moov`.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use super::{Piece, length, malformed, read, size_of};
use crate::engine::art::picture::{Format, Picture};

/// A `moov` has some bytes a frame; a day of audio stays below this.
const MOST_MOOV: u64 = 64 * 1024 * 1024;
/// The way to the metadata. Each box lies in the one before.
const WAY: [(&[u8; 4], usize); 4] = [(b"moov", 8), (b"udta", 8), (b"meta", META), (b"ilst", 8)];
/// `meta` has a version before what it holds.
const META: usize = 12;
/// The boxes around the tables that say where the sound lies.
const AROUND: [&[u8; 4]; 4] = [b"trak", b"mdia", b"minf", b"stbl"];

/// The pictures go to the end of the list. What lies behind moves, and the tables that point there are told.
pub fn pieces(file: &mut File, size: u64, pictures: &[Picture]) -> io::Result<Vec<Piece>> {
    let place = find_moov(file, size)?;
    let mut moov = Vec::new();
    file.seek(SeekFrom::Start(place.start))?;
    file.take(place.end - place.start).read_to_end(&mut moov)?;

    let covers = covers(pictures)?;
    let added = length(size_of(&covers, pictures))?;
    let body = 8..moov.len();
    move_sound(&mut moov, body, place.start, added)?;
    let end = enlarge(&mut moov, added)?;
    let rest = moov.split_off(end);
    let mut pieces = vec![Piece::Kept(0..place.start), Piece::Bytes(moov)];
    pieces.extend(covers);
    pieces.extend([Piece::Bytes(rest), Piece::Kept(place.end..size)]);
    Ok(pieces)
}

/// `covr` with one `data` for each picture.
fn covers(pictures: &[Picture]) -> io::Result<Vec<Piece>> {
    let mut pieces = vec![Piece::Bytes(Vec::new())];
    let mut all = 8;
    for picture in pictures {
        let size = length(picture.bytes + 16)?;
        // The numbers of well-known types (QuickTime File Format, "Well-known types").
        let kind: u32 = if picture.header.format == Format::Jpeg { 13 } else { 14 };
        let locale = [0; 4];
        let head = [&size.to_be_bytes()[..], b"data", &kind.to_be_bytes(), &locale].concat();
        pieces.extend([Piece::Bytes(head), Piece::Picture(picture.path.clone())]);
        all += u64::from(size);
    }
    pieces[0] = Piece::Bytes([&length(all)?.to_be_bytes()[..], b"covr"].concat());
    Ok(pieces)
}

/// Makes the boxes on the way to the list larger. Gives back where the list ends.
fn enlarge(moov: &mut [u8], added: u32) -> io::Result<usize> {
    let mut range = 0..moov.len();
    for (kind, header) in WAY {
        let found = boxes(moov, range)?.into_iter().find(|(found, _)| found == kind);
        let (_, place) = found.ok_or_else(|| malformed("MP4: no list of metadata"))?;
        let size = number(moov, place.start)?.checked_add(added).ok_or_else(|| malformed("MP4: a box of 4 GiB"))?;
        put(moov, place.start, size)?;
        range = place.start + header..place.end;
    }
    Ok(range.end)
}

/// Adds to every place that lies behind `moov`.
fn move_sound(moov: &mut [u8], range: Range<usize>, start: u64, added: u32) -> io::Result<()> {
    for (kind, place) in boxes(moov, range)? {
        let entries = place.start + 16..place.end;
        match &kind {
            b"stco" => {
                for at in entries.step_by(4) {
                    let offset = number(moov, at)?;
                    if u64::from(offset) > start {
                        let moved = offset.checked_add(added).ok_or_else(|| malformed("MP4: more than 4 GiB"))?;
                        put(moov, at, moved)?;
                    }
                }
            }
            b"co64" => {
                for at in entries.step_by(8) {
                    let offset = u64::from(number(moov, at)?) << 32 | u64::from(number(moov, at + 4)?);
                    if offset > start {
                        let moved = offset + u64::from(added);
                        put(moov, at, (moved >> 32) as u32)?;
                        put(moov, at + 4, moved as u32)?;
                    }
                }
            }
            kind if AROUND.contains(&kind) => move_sound(moov, place.start + 8..place.end, start, added)?,
            _ => {}
        }
    }
    Ok(())
}

/// Where the `moov` of the file lies.
fn find_moov(file: &mut File, length: u64) -> io::Result<Range<u64>> {
    let mut at = 0;
    while at < length {
        let [s3, s2, s1, s0, kind @ ..]: [u8; 8] = read(file, at)?;
        let size = match u32::from_be_bytes([s3, s2, s1, s0]) {
            0 => length - at,
            1 => u64::from_be_bytes(read(file, at + 8)?),
            size => u64::from(size),
        };
        if size < 8 || size > length - at {
            return Err(malformed("MP4: a box reaches beyond the file"));
        }
        if &kind == b"moov" {
            let is_small = size <= MOST_MOOV;
            return if is_small { Ok(at..at + size) } else { Err(malformed("MP4: a header of more than 64 MiB")) };
        }
        at += size;
    }
    Err(malformed("MP4: no moov"))
}

/// The boxes of a range and where they lie.
fn boxes(bytes: &[u8], range: Range<usize>) -> io::Result<Vec<([u8; 4], Range<usize>)>> {
    let (mut found, mut at) = (Vec::new(), range.start);
    while at < range.end {
        let size = number(bytes, at)? as usize;
        if size < 8 || size > range.end - at {
            return Err(malformed("MP4: a box reaches beyond its parent"));
        }
        found.push((number(bytes, at + 4)?.to_be_bytes(), at..at + size));
        at += size;
    }
    Ok(found)
}

fn number(bytes: &[u8], at: usize) -> io::Result<u32> {
    let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
    four.map(u32::from_be_bytes).ok_or_else(|| malformed("MP4: a box is too short"))
}

fn put(bytes: &mut [u8], at: usize, number: u32) -> io::Result<()> {
    let four = bytes.get_mut(at..at + 4).ok_or_else(|| malformed("MP4: a box is too short"))?;
    four.copy_from_slice(&number.to_be_bytes());
    Ok(())
}
