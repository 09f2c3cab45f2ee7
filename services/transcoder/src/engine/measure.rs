//! Reads the exact length of a finished output from its header.
//!
//! Starting ffprobe for each output takes longer than making a short one; these files were written a moment ago by
//! our own ffmpeg, so the few fields that are needed lie where the formats say.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::{Runner, encode, probe};

/// How the length of a file is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// RIFF or RF64 chunks.
    Wav,
    /// The STREAMINFO block (RFC 9639, section 8.2).
    Flac,
    /// The `mvhd` box (ISO 14496-12, section 8.2.2).
    Mp4,
    /// The tag in the first frame that says how many follow, and how many samples are none of the input.
    Mp3,
    /// ffprobe reads the header.
    Probe,
    /// ffprobe counts frames: a transport stream does not say how long its last packet lasts.
    Frames,
}

/// The length of an output in milliseconds, 0 when it holds nothing.
pub async fn millis(runner: &Runner, measure: Measure, directory: &Path, index: usize) -> anyhow::Result<i64> {
    let path = directory.join(encode::output_name(index));
    let read = match measure {
        Measure::Wav => wav,
        Measure::Flac => flac,
        Measure::Mp4 => mp4,
        Measure::Mp3 => mp3,
        Measure::Probe => return probe::output_millis(runner, directory, index).await,
        Measure::Frames => return probe::output_frames_millis(runner, directory, index).await,
    };
    match tokio::task::spawn_blocking(move || read(&mut File::open(path)?)).await? {
        Ok(Some(millis)) => Ok(millis),
        Ok(None) => probe::output_millis(runner, directory, index).await,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
        Err(error) => Err(error.into()),
    }
}

fn wav(file: &mut (impl Read + Seek)) -> io::Result<Option<i64>> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut at = 12;
    let mut bytes_a_second = 0;
    file.seek(SeekFrom::Start(at))?;
    while at < length {
        let header: [u8; 8] = read(file)?;
        let size = u64::from(u32::from_le_bytes([header[4], header[5], header[6], header[7]]));
        match &header[..4] {
            b"fmt " => {
                let format: [u8; 16] = read(file)?;
                bytes_a_second = u64::from(u32::from_le_bytes([format[8], format[9], format[10], format[11]]));
            }
            b"data" => {
                // RF64 writes the greatest number here and the true one elsewhere.
                let rest = length - at - 8;
                return Ok(scaled(size.min(rest), bytes_a_second));
            }
            _ => {}
        }
        at += 8 + size + size % 2;
        file.seek(SeekFrom::Start(at))?;
    }
    Ok(None)
}

fn flac(file: &mut (impl Read + Seek)) -> io::Result<Option<i64>> {
    file.seek(SeekFrom::Start(0))?;
    let start: [u8; 26] = read(file)?;
    if &start[..4] != b"fLaC" || start[4] & 0x7f != 0 {
        return Ok(None);
    }
    // 20 bits of rate, 3 of channels, 5 of depth, 36 of samples.
    let packed =
        u64::from_be_bytes([start[18], start[19], start[20], start[21], start[22], start[23], start[24], start[25]]);
    Ok(scaled(packed & 0xf_ffff_ffff, packed >> 44))
}

fn mp4(file: &mut (impl Read + Seek)) -> io::Result<Option<i64>> {
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut at = 0;
    while at + 8 <= end {
        file.seek(SeekFrom::Start(at))?;
        let header: [u8; 8] = read(file)?;
        let short = u64::from(u32::from_be_bytes([header[0], header[1], header[2], header[3]]));
        let (size, body) = match short {
            0 => (end - at, at + 8),
            1 => (u64::from_be_bytes(read(file)?), at + 16),
            size => (size, at + 8),
        };
        if size < body - at {
            return Ok(None);
        }
        match &header[4..] {
            b"moov" => {
                end = end.min(at + size);
                at = body;
                continue;
            }
            b"mvhd" => return movie_header(file),
            _ => at += size,
        }
    }
    Ok(None)
}

fn movie_header(file: &mut impl Read) -> io::Result<Option<i64>> {
    let [version, ..]: [u8; 4] = read(file)?;
    if version == 1 {
        let fields: [u8; 28] = read(file)?;
        let (scale, duration) = fields[16..].split_at(4);
        return Ok(scaled(number(duration), number(scale)));
    }
    let fields: [u8; 16] = read(file)?;
    Ok(scaled(number(&fields[12..]), number(&fields[8..12])))
}

/// There is no standard of the tag, but a description that all go by (Mp3 Info Tag revision 1, "LAME tag").
fn mp3(file: &mut (impl Read + Seek)) -> io::Result<Option<i64>> {
    Ok(mp3_samples(file)?.and_then(|(samples, rate)| scaled(samples, rate)))
}

/// How many samples an MP3 file has, and how many a second, as its tag says; `None` when it has none of LAME's kind.
pub fn mp3_samples(file: &mut (impl Read + Seek)) -> io::Result<Option<(u64, u64)>> {
    // What wrote a tag with the silence in it, as ffmpeg knows it.
    const WRITERS: &[&[u8]] = &[b"LAME", b"Lavf", b"Lavc"];
    const INFO: &[&[u8]] = &[b"Info", b"Xing"];
    const FRAMES_BYTES_TOC_QUALITY: u64 = 0b1111;
    file.seek(SeekFrom::Start(0))?;
    let start: [u8; 10] = read(file)?;
    // Four groups of seven bits (ID3v2.4.0, section 6.2).
    let tags = start[6..].iter().fold(0, |size, &byte| size << 7 | u64::from(byte & 0x7f)) + 10;
    file.seek(SeekFrom::Start(if start.starts_with(b"ID3") { tags } else { 0 }))?;
    let header: [u8; 4] = read(file)?;
    let (is_mpeg1, is_mono) = (header[1] & 0x08 != 0, header[3] >> 6 == 3);
    let row = if is_mpeg1 { [44_100, 48_000, 32_000] } else { [22_050, 24_000, 16_000] };
    let Some(rate) = row.get(usize::from(header[2] >> 2 & 3)) else { return Ok(None) };
    let (samples, side) = match (is_mpeg1, is_mono) {
        (true, false) => (1152, 32),
        (true, true) => (1152, 17),
        (false, false) => (576, 17),
        (false, true) => (576, 9),
    };
    file.seek(SeekFrom::Current(side))?;
    // Name, flags, frames, bytes, 100 of contents, quality, 21 of other things, and twice twelve bits of silence.
    let tag: [u8; 144] = read(file)?;
    let is_known = INFO.contains(&&tag[..4]) && WRITERS.contains(&&tag[120..124]);
    if !is_known || number(&tag[4..8]) != FRAMES_BYTES_TOC_QUALITY {
        return Ok(None);
    }
    let (frames, silence) = (number(&tag[8..12]), number(&tag[141..144]));
    let silence = (silence >> 12) + (silence & 0xfff);
    Ok(Some(((frames * samples).saturating_sub(silence), *rate)))
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// `count / a_second`, in milliseconds. What is not nothing is at least one.
fn scaled(count: u64, a_second: u64) -> Option<i64> {
    let millis = (u128::from(count) * 1000 + u128::from(a_second / 2)).checked_div(u128::from(a_second))?;
    i64::try_from(millis.max(u128::from(count > 0))).ok()
}

fn read<const N: usize>(file: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::process::Command;

    use super::*;

    #[test]
    fn agrees_with_what_ffmpeg_wrote() {
        let directory = tempfile::tempdir().unwrap();
        for (name, arguments, read) in [
            ("a.wav", "-c:a pcm_s16le -rf64 auto", wav as fn(&mut File) -> _),
            ("rf64.wav", "-c:a pcm_s24le -rf64 always", wav),
            ("a.flac", "-c:a flac", flac),
            ("a.mp4", "-c:a aac -movflags +faststart", mp4),
            ("late.mp4", "-c:a aac", mp4),
            ("a.mp3", "-c:a libmp3lame", mp3),
            ("tags.mp3", "-c:a libmp3lame -ac 1 -metadata title=A", mp3),
            ("plain.mp3", "-c:a libmp3lame -ar 22050 -id3v2_version 0", mp3),
            ("mono.mp3", "-c:a libmp3lame -ar 16000 -ac 1", mp3),
        ] {
            let path = directory.path().join(name);
            let made = Command::new("ffmpeg")
                .args("-v error -f lavfi -i sine=440:d=2.345:r=44100 -ac 2".split(' '))
                .args(arguments.split(' '))
                .arg(&path)
                .status()
                .unwrap();
            assert!(made.success());
            // ffmpeg writes a movie's length in milliseconds, rounded up.
            let millis = read(&mut File::open(&path).unwrap()).unwrap().unwrap();
            assert!((2345..=2346).contains(&millis), "{name}: {millis}");
        }
    }

    #[test]
    fn other_bytes_are_no_length() {
        assert_eq!(flac(&mut Cursor::new(vec![0; 64])).unwrap(), None);
        assert_eq!(mp4(&mut Cursor::new(vec![0, 0, 0, 4, 0, 0, 0, 0])).unwrap(), None);
        assert!(flac(&mut Cursor::new(b"fLaC".to_vec())).is_err());
        assert_eq!(mp3(&mut Cursor::new(vec![0; 400])).unwrap(), None);
        assert_eq!((scaled(1, 0), scaled(1, 44_100), scaled(0, 44_100)), (None, Some(1), Some(0)));
    }
}
