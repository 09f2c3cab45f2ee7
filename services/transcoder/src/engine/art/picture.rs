//! What a picture's first bytes say of it: nothing is decoded.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// A kind of picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// ITU-T T.81, of the two kinds that everybody can show.
    Jpeg,
    /// ISO/IEC 15948.
    Png,
    /// Of Windows. MP4 files may have such pictures; it is not written.
    Bmp,
}

impl Format {
    /// ffmpeg's demuxer for one picture in one file.
    pub fn demuxer(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg_pipe",
            Self::Png => "png_pipe",
            Self::Bmp => "bmp_pipe",
        }
    }
}

/// What a picture says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// How it is coded.
    pub format: Format,
    /// Pixels across, at least one.
    pub width: u32,
    /// Pixels down, at least one.
    pub height: u32,
    /// Bits of a pixel.
    pub depth: u32,
}

/// A picture on disk that can be attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// What it says of itself.
    pub header: Header,
    /// Its size.
    pub bytes: u64,
    /// Where it lies.
    pub path: PathBuf,
}

impl Picture {
    /// Looks at a file; `None` when it is no picture.
    pub fn open(path: &Path) -> io::Result<Option<Self>> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        let header = match read_header(&mut BufReader::new(file)) {
            Ok(header) => header,
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => None,
            Err(error) => return Err(error),
        };
        Ok(header.map(|header| Self { header, bytes, path: path.to_owned() }))
    }
}

fn read_header(file: &mut impl Read) -> io::Result<Option<Header>> {
    let header = match read::<2>(file)? {
        [0xff, 0xd8] => jpeg(file)?,
        [0x89, b'P'] => png(file)?,
        [b'B', b'M'] => bmp(file)?,
        _ => None,
    };
    Ok(header.filter(|header| header.width > 0 && header.height > 0))
}

/// Segments up to the one that begins the frame (T.81, annex B).
fn jpeg(file: &mut impl Read) -> io::Result<Option<Header>> {
    loop {
        if read::<1>(file)? != [0xff] {
            return Ok(None);
        }
        let mut marker = 0xff;
        while marker == 0xff {
            [marker] = read(file)?;
        }
        match marker {
            // Baseline, extended and progressive.
            0xc0..=0xc2 => {
                let [_, _, precision, h1, h0, w1, w0, components] = read(file)?;
                let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
                let depth = u32::from(precision) * u32::from(components);
                return Ok(Some(Header { format: Format::Jpeg, width: width.into(), height: height.into(), depth }));
            }
            // Tables of Huffman codes share the numbers of frames; other frames are lossless or arithmetic.
            0xc4 => {}
            0xc3 | 0xc5..=0xcf => return Ok(None),
            // Stand-alone, or picture data before any frame.
            0x00 | 0x01 | 0xd0..=0xda => return Ok(None),
            _ => {}
        }
        let length = u64::from(u16::from_be_bytes(read(file)?));
        let Some(rest) = length.checked_sub(2) else { return Ok(None) };
        if io::copy(&mut file.take(rest), &mut io::sink())? < rest {
            return Ok(None);
        }
    }
}

/// The signature, and IHDR, which comes first (ISO/IEC 15948, section 11.2.2).
fn png(file: &mut impl Read) -> io::Result<Option<Header>> {
    if &read::<6>(file)? != b"NG\r\n\x1a\n" || &read::<8>(file)? != b"\0\0\0\x0dIHDR" {
        return Ok(None);
    }
    let (width, height) = (u32::from_be_bytes(read(file)?), u32::from_be_bytes(read(file)?));
    let [depth, colour] = read(file)?;
    // Grey, RGB, palette, grey and alpha, RGB and alpha.
    let channels = match colour {
        0 | 3 => 1,
        2 => 3,
        4 => 2,
        6 => 4,
        _ => return Ok(None),
    };
    Ok(Some(Header { format: Format::Png, width, height, depth: u32::from(depth) * channels }))
}

/// BITMAPINFOHEADER and what extends it; a negative height counts from the top.
fn bmp(file: &mut impl Read) -> io::Result<Option<Header>> {
    let [.., l0, l1, l2, l3]: [u8; 16] = read(file)?;
    if u32::from_le_bytes([l0, l1, l2, l3]) < 40 {
        return Ok(None);
    }
    let (width, height) = (i32::from_le_bytes(read(file)?), i32::from_le_bytes(read(file)?));
    let [_, _, b0, b1] = read(file)?;
    let depth = u16::from_le_bytes([b0, b1]).into();
    let header = |width| Header { format: Format::Bmp, width, height: height.unsigned_abs(), depth };
    Ok(u32::try_from(width).ok().map(header))
}

fn read<const N: usize>(file: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn made(directory: &Path, name: &str, more: &str) -> PathBuf {
        let path = directory.join(name);
        let mut command = Command::new("ffmpeg");
        command.args("-v error -f lavfi -i testsrc=s=70x50 -frames:v 1".split(' ')).args(more.split_whitespace());
        assert!(command.arg(&path).status().unwrap().success());
        path
    }

    #[test]
    fn headers_say_what_ffmpeg_wrote() {
        let directory = tempfile::tempdir().unwrap();
        for (name, more, format, depth) in [
            ("a.png", "-pix_fmt rgb24", Format::Png, 24),
            ("b.png", "-pix_fmt rgba", Format::Png, 32),
            ("c.png", "-pix_fmt gray", Format::Png, 8),
            ("d.png", "-pix_fmt rgb48be", Format::Png, 48),
            ("e.jpg", "-pix_fmt yuvj420p", Format::Jpeg, 24),
            ("f.jpg", "-pix_fmt yuvj444p -huffman optimal", Format::Jpeg, 24),
            ("g.bmp", "-pix_fmt bgr24", Format::Bmp, 24),
        ] {
            let path = made(directory.path(), name, more);
            let picture = Picture::open(&path).unwrap().unwrap();
            assert_eq!(picture.header, Header { format, width: 70, height: 50, depth }, "{name}");
            assert_eq!(picture.bytes, path.metadata().unwrap().len());
        }
    }

    #[test]
    fn a_frame_is_found_behind_other_segments() {
        let frame = [0xff, 0xc2, 0, 17, 8, 0x0c, 0, 0x10, 0, 3];
        let head = [&[0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xff, 0xc4, 0, 3, 9][..], &frame].concat();
        let header = read_header(&mut head.as_slice()).unwrap();
        assert_eq!(header, Some(Header { format: Format::Jpeg, width: 4096, height: 3072, depth: 24 }));
    }

    #[test]
    fn other_bytes_are_no_picture() {
        let directory = tempfile::tempdir().unwrap();
        let png = std::fs::read(made(directory.path(), "a.png", "")).unwrap();
        let no_width = [&png[..16], &[0; 4], &png[20..]].concat();
        for (name, bytes) in [
            ("nothing", &b""[..]),
            ("text", b"hello, this is no picture"),
            ("gif", b"GIF89a                   "),
            ("png cut off", &png[..20]),
            ("png without width", &no_width),
            ("lossless jpeg", &[0xff, 0xd8, 0xff, 0xc3, 0, 17, 8, 0, 9, 0, 9, 3]),
            ("jpeg that ends", &[0xff, 0xd8, 0xff, 0xd9]),
            ("jpeg with a segment of nothing", &[0xff, 0xd8, 0xff, 0xe0, 0, 0, 0xff, 0xc0]),
            ("jpeg that is cut off", &[0xff, 0xd8, 0xff, 0xe0, 0, 200, 1]),
            ("bmp of a negative width", b"BM            \x28\0\0\0\xff\xff\xff\xff\x01\0\0\0\x01\0\x18\0"),
        ] {
            let path = directory.path().join("other");
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(Picture::open(&path).unwrap(), None, "{name}");
        }
    }
}
