//! As much of MP4 (ISO/IEC 14496-12) as it takes to make one file of several that our own ffmpeg wrote a moment ago:
//! one audio track each, its frames one behind the other in one `mdat`.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A `moov` has four bytes a frame; a day of audio stays below this.
const MOST_MOOV: u64 = 64 * 1024 * 1024;
const MOST_FRAMES: usize = MOST_MOOV as usize / 4;
/// Boxes that hold nothing but boxes (ISO/IEC 14496-12, table 1).
const CONTAINERS: [&[u8; 4]; 6] = [b"moov", b"trak", b"edts", b"mdia", b"minf", b"stbl"];

/// The four letters of a box.
pub type Kind = [u8; 4];

/// A file, as far as joining needs it.
#[derive(Debug)]
pub struct Movie {
    /// The `ftyp` box, whole.
    pub file_type: Vec<u8>,
    /// The `moov` box, whole.
    pub moov: Vec<u8>,
    /// The bytes of each frame.
    pub sizes: Vec<u32>,
    /// Where the first frame begins.
    pub data: u64,
    /// Where the file lies. It is not kept open: a long input makes hundreds.
    pub path: PathBuf,
}

impl Movie {
    /// Opens a file that ffmpeg wrote with one audio track. Anything else is an error.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let (mut file_type, mut moov, mut media) = (None, None, None);
        let mut at = 0;
        while at < length {
            let (kind, header, size) = top_level(&mut file, at, length)?;
            match &kind {
                b"ftyp" => file_type = Some(whole(&mut file, at, size)?),
                b"moov" => moov = Some(whole(&mut file, at, size)?),
                b"mdat" => media = Some((at + header, size - header)),
                _ => {}
            }
            at += size;
        }
        let (Some(file_type), Some(moov), Some((data, bytes))) = (file_type, moov, media) else {
            return Err(malformed("ftyp, moov or mdat is missing"));
        };
        let sizes = sizes(&moov)?;
        if sizes.iter().map(|&size| u64::from(size)).sum::<u64>() != bytes {
            return Err(malformed("mdat holds something else than the frames"));
        }
        Ok(Self { file_type, moov, sizes, data, path: path.to_owned() })
    }

    /// Opens the file at a place behind the beginning of the first frame.
    pub fn at(&self, offset: u64) -> io::Result<File> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.data + offset))?;
        Ok(file)
    }
}

/// Copies a box with all in it; a box for which `change` has another body gets that one.
pub fn rewrite(boxes: &[u8], change: &impl Fn(&Kind, &[u8]) -> Option<Vec<u8>>) -> io::Result<Vec<u8>> {
    let mut written = Vec::with_capacity(boxes.len());
    for (kind, body) in split(boxes)? {
        let changed = match change(kind, body) {
            Some(body) => body,
            None if CONTAINERS.contains(&kind) => rewrite(body, change)?,
            None => body.to_vec(),
        };
        put(&mut written, kind, &changed)?;
    }
    Ok(written)
}

/// Writes a box.
pub fn put(to: &mut Vec<u8>, kind: &Kind, body: &[u8]) -> io::Result<()> {
    let size = u32::try_from(body.len() + 8).map_err(|_| malformed("a box of 4 GiB"))?;
    to.extend(size.to_be_bytes());
    to.extend(kind);
    to.extend(body);
    Ok(())
}

/// The body of the first box of a kind, at any depth.
pub fn find<'a>(boxes: &'a [u8], wanted: &Kind) -> io::Result<Option<&'a [u8]>> {
    for (kind, body) in split(boxes)? {
        if kind == wanted {
            return Ok(Some(body));
        }
        if CONTAINERS.contains(&kind)
            && let Some(found) = find(body, wanted)?
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// An error that says what is wrong with a file.
pub fn malformed(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("MP4: {what}"))
}

/// A number of four bytes.
pub fn number(body: &[u8], at: usize) -> io::Result<u32> {
    let bytes = body.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    bytes.map(u32::from_be_bytes).ok_or_else(|| malformed("a box is too short"))
}

fn split(boxes: &[u8]) -> io::Result<Vec<(&Kind, &[u8])>> {
    let (mut found, mut rest) = (Vec::new(), boxes);
    while !rest.is_empty() {
        let size = number(rest, 0)? as usize;
        let (Some(kind), Some(body)) = (rest.get(4..8), rest.get(8..size)) else {
            return Err(malformed("a box reaches beyond its parent"));
        };
        found.push((kind.try_into().map_err(|_| malformed("a box without a kind"))?, body));
        rest = &rest[size..];
    }
    Ok(found)
}

/// `stsz`: one size for all, or a table (section 8.7.3.2).
fn sizes(moov: &[u8]) -> io::Result<Vec<u32>> {
    let table = find(moov, b"stsz")?.ok_or_else(|| malformed("no stsz"))?;
    let (same, count) = (number(table, 4)?, number(table, 8)? as usize);
    if count > MOST_FRAMES {
        return Err(malformed("more frames than a header has room for"));
    }
    // Silence in FLAC.
    if same != 0 {
        return Ok(vec![same; count]);
    }
    let sizes = table.get(12..).unwrap_or_default();
    if sizes.len() != count * 4 {
        return Err(malformed("stsz is cut off"));
    }
    Ok(sizes.chunks_exact(4).map(|size| u32::from_be_bytes([size[0], size[1], size[2], size[3]])).collect())
}

/// Kind, length of the header, and size of the box at a place in the file.
fn top_level(file: &mut File, at: u64, length: u64) -> io::Result<(Kind, u64, u64)> {
    let mut header = [0; 16];
    file.seek(SeekFrom::Start(at))?;
    let most = usize::try_from((length - at).min(16)).unwrap_or(16);
    file.read_exact(&mut header[..most])?;
    let kind = [header[4], header[5], header[6], header[7]];
    let (header_size, size) = match number(&header, 0)? {
        0 => (8, length - at),
        1 => (16, u64::from_be_bytes(header[8..].try_into().unwrap_or_default())),
        size => (8, u64::from(size)),
    };
    if size < header_size || size > length - at {
        return Err(malformed("a box reaches beyond the file"));
    }
    Ok((kind, header_size, size))
}

fn whole(file: &mut File, at: u64, size: u64) -> io::Result<Vec<u8>> {
    if size > MOST_MOOV {
        return Err(malformed("a header of more than 64 MiB"));
    }
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    file.take(size).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_found_changed_and_kept() {
        let (mut stbl, mut moov, mut file) = (Vec::new(), Vec::new(), Vec::new());
        put(&mut stbl, b"stsz", &[1, 2, 3, 4]).unwrap();
        put(&mut moov, b"stbl", &stbl).unwrap();
        put(&mut moov, b"udta", b"kept").unwrap();
        put(&mut file, b"moov", &moov).unwrap();
        assert_eq!(find(&file, b"stsz").unwrap(), Some([1, 2, 3, 4].as_slice()));
        assert_eq!(find(&file, b"ilst").unwrap(), None);
        let changed = rewrite(&file, &|kind, _| (kind == b"stsz").then(|| vec![9; 6])).unwrap();
        assert_eq!(changed.len(), file.len() + 2);
        assert_eq!(find(&changed, b"stsz").unwrap(), Some([9; 6].as_slice()));
        assert_eq!(find(&changed, b"udta").unwrap(), Some(b"kept".as_slice()));
    }

    #[test]
    fn what_is_cut_off_is_an_error() {
        let mut file = Vec::new();
        put(&mut file, b"moov", &[0; 20]).unwrap();
        assert!(find(&file[..20], b"stsz").is_err());
        assert!(find(&[0, 0, 0, 4, 0, 0, 0, 0], b"stsz").is_err());
        assert!(number(&[0; 3], 0).is_err());
    }
}
