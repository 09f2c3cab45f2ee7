//! FLAC (RFC 9639): pictures are blocks of metadata.

use std::fs::File;
use std::io;

use super::{MOST, Piece, Role, in_roles, length, malformed, media_type, read};
use crate::engine::art::picture::Picture;

/// Where the first block's body begins: it is STREAMINFO, always.
const STREAM_INFO: u64 = 8;
const PICTURE: u8 = 6;
/// Set in the head of the last block.
const LAST: u8 = 0x80;

/// The pictures go behind STREAMINFO, which has to be first.
pub fn pieces(file: &mut File, size: u64, pictures: &[Picture]) -> io::Result<Vec<Piece>> {
    let [b'f', b'L', b'a', b'C', kind, l2, l1, l0] = read(file, 0)? else { return Err(malformed("no FLAC")) };
    if kind & !LAST != 0 {
        return Err(malformed("FLAC: no STREAMINFO"));
    }
    let end = STREAM_INFO + u64::from(u32::from_be_bytes([0, l2, l1, l0]));
    let is_last = kind & LAST != 0;
    let mut pieces = vec![
        Piece::Kept(0..4),
        // It is the last no more.
        Piece::Bytes(vec![kind & !LAST, l2, l1, l0]),
        Piece::Kept(STREAM_INFO..end),
    ];
    for (at, role, picture) in in_roles(pictures) {
        let last = if is_last && at + 1 == pictures.len() { LAST } else { 0 };
        pieces.extend([Piece::Bytes(head(role, picture, last)?), Piece::Picture(picture.path.clone())]);
    }
    pieces.push(Piece::Kept(end..size));
    Ok(pieces)
}

/// The head of the block and what is said of the picture (section 8.8).
fn head(role: Role, picture: &Picture, last: u8) -> io::Result<Vec<u8>> {
    if picture.bytes > MOST {
        return Err(malformed("FLAC: a picture of more than 16 MiB"));
    }
    let (media_type, header) = (media_type(picture.header.format), picture.header);
    let (description, colours) = (0, 0);
    let mut body = Vec::new();
    for number in [role as u32, media_type.len() as u32] {
        body.extend(number.to_be_bytes());
    }
    body.extend(media_type.bytes());
    for number in [description, header.width, header.height, header.depth, colours, length(picture.bytes)?] {
        body.extend(number.to_be_bytes());
    }
    let [_, l2, l1, l0] = length(body.len() as u64 + picture.bytes)?.to_be_bytes();
    Ok([vec![PICTURE | last, l2, l1, l0], body].concat())
}
