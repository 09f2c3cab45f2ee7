//! MP3: pictures are frames of the ID3 tag (ID3v2.4) that lies before the sound.

use std::fs::File;
use std::io;

use super::{Piece, Role, in_roles, length, malformed, media_type, read, size_of};
use crate::engine::art::picture::Picture;

const HEADER: u64 = 10;
/// Text of ISO 8859-1.
const LATIN: u8 = 0;

/// The pictures become the first frames of the tag, as frames have no order.
pub fn pieces(file: &mut File, size: u64, pictures: &[Picture]) -> io::Result<Vec<Piece>> {
    // ffmpeg writes this version of the tag, even when there is nothing to tell; other flags than none move its frames.
    let [b'I', b'D', b'3', 4, revision, 0, length @ ..]: [u8; HEADER as usize] = read(file, 0)? else {
        return Err(malformed("MP3: not the tag that ffmpeg writes"));
    };
    let mut frames = Vec::new();
    for (at, role, picture) in in_roles(pictures) {
        frames.extend([Piece::Bytes(head(at, role, picture)?), Piece::Picture(picture.path.clone())]);
    }
    let more = size_of(&frames, pictures);
    let new = [&[b'I', b'D', b'3', 4, revision, 0][..], &spread(from_spread(length) + more)?].concat();
    let mut pieces = vec![Piece::Bytes(new)];
    pieces.extend(frames);
    pieces.push(Piece::Kept(HEADER..size));
    Ok(pieces)
}

/// `APIC` (ID3v2.4 frames, section 4.14). Two pictures of a tag have different descriptions.
fn head(at: usize, role: Role, picture: &Picture) -> io::Result<Vec<u8>> {
    let description = if at == 0 { String::new() } else { (at + 1).to_string() };
    let mut body = vec![LATIN];
    body.extend(media_type(picture.header.format).bytes());
    body.extend([0, role as u8]);
    body.extend(description.bytes());
    body.push(0);
    let size = spread(body.len() as u64 + picture.bytes)?;
    let flags = [0, 0];
    Ok([b"APIC", &size[..], &flags, &body].concat())
}

/// Numbers of a tag have seven bits in each byte, so that none looks like the beginning of sound (section 6.2).
fn spread(number: u64) -> io::Result<[u8; 4]> {
    if number >= 1 << 28 {
        return Err(malformed("MP3: a tag of more than 256 MiB"));
    }
    let number = length(number)?;
    Ok([21, 14, 7, 0].map(|shift| (number >> shift) as u8 & 0x7f))
}

fn from_spread(bytes: [u8; 4]) -> u64 {
    bytes.into_iter().fold(0, |number, byte| number << 7 | u64::from(byte & 0x7f))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spread_over_seven_bits_a_byte() {
        for number in [0, 1, 127, 128, 0x30, (1 << 28) - 1] {
            let bytes = spread(number).unwrap();
            assert!(bytes.iter().all(|byte| byte & 0x80 == 0), "{number}");
            assert_eq!(from_spread(bytes), number);
        }
        assert_eq!(spread(257).unwrap(), [0, 0, 2, 1]);
        assert!(spread(1 << 28).is_err());
    }
}
