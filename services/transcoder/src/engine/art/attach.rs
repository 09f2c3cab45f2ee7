//! Puts pictures into a finished output.
//!
//! ffmpeg could, by copying its streams into a new file. But then it writes what surrounds the sound anew: edit list,
//! header of LAME, lengths, each as exact as its version is. Here not one byte of the sound moves but by a distance,
//! what is long is copied and never held, and no process is started.

mod flac;
mod mp3;
mod mp4;

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::picture::{Format, Picture};

/// The most bytes of a picture: a FLAC block counts its length with 24 bits (RFC 9639, section 8.1), and some go to
/// what is said of the picture.
pub const MOST: u64 = (1 << 24) - 1024;
/// The most bytes of all: an ID3 tag counts its length with 28 bits (ID3v2.4, section 3.1), and it has other frames.
pub const MOST_TOGETHER: u64 = (1 << 28) - (1 << 24);

/// A kind of file that holds pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// In blocks of metadata.
    Flac,
    /// In an ID3 tag.
    Mp3,
    /// In the list of an iTunes movie.
    Mp4,
}

/// A part of the new file.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    /// A part of the old one.
    Kept(Range<u64>),
    /// New.
    Bytes(Vec<u8>),
    /// A whole file.
    Picture(PathBuf),
}

/// What a picture shows (ID3v2.4 section 4.14, RFC 9639 section 8.8): players show the front of a cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Other = 0,
    FrontCover = 3,
}

impl Holder {
    /// That of a preset's container, when it holds pictures.
    pub fn of(container: &str) -> Option<Self> {
        match container {
            "flac" => Some(Self::Flac),
            "mp3" => Some(Self::Mp3),
            "mp4" => Some(Self::Mp4),
            _ => None,
        }
    }

    /// Puts the pictures into a file that our own ffmpeg wrote without any. Blocks. A file that is not as expected is an
    /// error of the kind `InvalidData`.
    pub fn attach(self, path: &Path, pictures: &[Picture]) -> io::Result<()> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let pieces = match self {
            Self::Flac => flac::pieces(&mut file, length, pictures)?,
            Self::Mp3 => mp3::pieces(&mut file, length, pictures)?,
            Self::Mp4 => mp4::pieces(&mut file, length, pictures)?,
        };
        let new = path.with_extension("art");
        write(&mut file, &pieces, &new)?;
        std::fs::rename(new, path)
    }
}

fn write(old: &mut File, pieces: &[Piece], to: &Path) -> io::Result<()> {
    let mut new = BufWriter::new(File::create(to)?);
    for piece in pieces {
        match piece {
            Piece::Bytes(bytes) => new.write_all(bytes)?,
            Piece::Kept(range) => {
                old.seek(SeekFrom::Start(range.start))?;
                io::copy(&mut old.take(range.end - range.start), &mut new)?;
            }
            Piece::Picture(path) => {
                io::copy(&mut File::open(path)?, &mut new)?;
            }
        }
    }
    new.flush()
}

/// Each picture with its role and its number.
fn in_roles(pictures: &[Picture]) -> impl Iterator<Item = (usize, Role, &Picture)> {
    let role = |at| if at == 0 { Role::FrontCover } else { Role::Other };
    pictures.iter().enumerate().map(move |(at, picture)| (at, role(at), picture))
}

/// How many bytes new pieces have.
fn size_of(new: &[Piece], pictures: &[Picture]) -> u64 {
    let said = new.iter().map(|piece| if let Piece::Bytes(bytes) = piece { bytes.len() as u64 } else { 0 });
    said.chain(pictures.iter().map(|picture| picture.bytes)).sum()
}

/// RFC 2046. What is of another format is made PNG before it comes here.
fn media_type(format: Format) -> &'static str {
    match format {
        Format::Jpeg => "image/jpeg",
        Format::Png | Format::Bmp => "image/png",
    }
}

fn read<const N: usize>(file: &mut File, at: u64) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

/// A length that the format has four bytes for.
fn length(bytes: u64) -> io::Result<u32> {
    u32::try_from(bytes).map_err(|_| malformed("more than 4 GiB"))
}

#[cfg(test)]
mod tests;
