//! An input that is worked on while the rest of it is still fetched.
//!
//! Its file has its whole length from the start: beginning and end are fetched first, and between them is a hole that
//! fills. So a program that looks at the header and the last tags finds all of it, and only the decoder, which reads the
//! sound itself, gets the file through a pipe, as far as it is there.
//!
//! That is right only where the sound stands in the order in which it is played and what lies around it is found at the
//! beginning or the end: MP3, FLAC and WAV.

use std::fs::File;
use std::io::{self, Cursor, ErrorKind, Read};
use std::path::PathBuf;

use anyhow::Context;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;

use super::measure;
use super::split::mp3::{frame::Frame, info::id3};

/// What is fetched before anybody looks at an input: tags may hold pictures.
pub const HEAD: u64 = 4 * 1024 * 1024;
/// What is fetched of its end: tags that are written behind the sound.
pub const TAIL: u64 = 64 * 1024;
/// Of the head, what has to be left behind the tags: ffmpeg looks at some frames before it knows what it has.
const SOUND: usize = 256 * 1024;
/// Bytes that go to the decoder at a time.
const CHUNK: usize = 256 * 1024;

/// An input on its way into its file.
#[derive(Debug, Clone)]
pub struct Arrival {
    path: PathBuf,
    bytes: u64,
    samples: Option<u64>,
    written: watch::Receiver<u64>,
}

impl Arrival {
    /// Of so many bytes in all, of which those that `written` says are there, from the first on.
    pub fn new(path: PathBuf, (bytes, Streamed { samples }): (u64, Streamed), written: watch::Receiver<u64>) -> Self {
        Self { path, bytes, samples, written }
    }

    /// How many samples are its sound, where a decoder that reads a pipe would give more.
    pub fn samples(&self) -> Option<u64> {
        self.samples
    }

    /// Whether all of it is there.
    pub fn is_whole(&self) -> bool {
        *self.written.borrow() == self.bytes
    }

    /// Waits until all of it is there.
    pub async fn whole(&self) -> anyhow::Result<()> {
        self.until(self.bytes).await.map(drop)
    }

    /// Writes all of it as it comes. A reader that has enough is no error.
    pub async fn feed(&self, mut to: impl AsyncWrite + Unpin) -> anyhow::Result<()> {
        let mut file = File::open(&self.path).context("cannot read a scratch file")?;
        let (mut at, mut buffer) = (0, vec![0; CHUNK]);
        while at < self.bytes {
            let there = self.until(at + 1).await?;
            let next = usize::try_from(there - at).unwrap_or(CHUNK).min(CHUNK);
            (file, buffer) = tokio::task::spawn_blocking(move || {
                file.read_exact(&mut buffer[..next])?;
                io::Result::Ok((file, buffer))
            })
            .await?
            .context("cannot read a scratch file")?;
            match to.write_all(&buffer[..next]).await {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
                result => result.context("cannot write to a decoder")?,
            }
            at += next as u64;
        }
        Ok(())
    }

    /// Waits for so many bytes, and says how many there are.
    async fn until(&self, bytes: u64) -> anyhow::Result<u64> {
        let mut written = self.written.clone();
        let there = written.wait_for(|there| *there >= bytes).await;
        there.map(|there| *there).context("the input did not come whole")
    }
}

/// What has to be known of the sound of a file to read it through a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streamed {
    /// Samples of each channel: of MP3, ffmpeg takes away what the coder has added behind them only when it reads a file.
    pub samples: Option<u64>,
}

/// The sound of a file of so many bytes that begins so; `None` for one that cannot be worked on before it is whole.
pub fn sound(head: &[u8], bytes: u64) -> Option<Streamed> {
    let (at, samples) = match head {
        [b'f', b'L', b'a', b'C', ..] => (flac(head)?, None),
        [b'R', b'I', b'F', b'F', ..] => (wav(head, bytes)?, None),
        _ => mp3(head)?,
    };
    (at.checked_add(SOUND)? <= head.len()).then_some(Streamed { samples })
}

/// Where the frames begin, behind the metadata blocks (RFC 9639, section 8.1).
fn flac(head: &[u8]) -> Option<usize> {
    let mut at = 4;
    loop {
        let &[kind, high, middle, low] = head.get(at..at + 4)?.first_chunk()?;
        at += 4 + u32::from_be_bytes([0, high, middle, low]) as usize;
        if kind & 0x80 != 0 {
            return Some(at);
        }
    }
}

/// Where the samples begin (Multimedia Programming Interface and Data Specifications 1.0, "Waveform Audio File Format"),
/// when their chunk says a length that the file has.
fn wav(head: &[u8], bytes: u64) -> Option<usize> {
    let mut at = 12;
    loop {
        let header: &[u8; 8] = head.get(at..at + 8)?.first_chunk()?;
        let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
        at += 8;
        if &header[..4] == b"data" {
            return (at as u64 + u64::from(length) <= bytes).then_some(at);
        }
        at = at.checked_add((length as usize).checked_next_multiple_of(2)?)?;
    }
}

/// Where the frames begin, behind an ID3v2 tag if there is one, and how
/// many samples they have. There must be two frames of layer III, one behind the other (ISO 11172-3, section 2.4.1.3).
fn mp3(head: &[u8]) -> Option<(usize, Option<u64>)> {
    let at = id3(head);
    let next = Frame::at(head, at)?.end;
    Frame::at(head, next)?;
    let (samples, _) = measure::mp3_samples(&mut Cursor::new(head)).ok()??;
    Some((at, Some(samples)))
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    const BYTES: u64 = 100 * 1024 * 1024;
    const NOTHING: Streamed = Streamed { samples: None };

    fn streams(head: &[u8], bytes: u64) -> bool {
        sound(head, bytes).is_some()
    }

    /// So many bytes of a tag, and then what is given, as often as there is room.
    fn head(start: &[u8], tag: usize, frame: &[u8]) -> Vec<u8> {
        let sound = frame.iter().copied().cycle().take(HEAD as usize - start.len() - tag);
        start.iter().copied().chain(vec![0; tag]).chain(sound).collect()
    }

    #[test]
    fn a_flac_file_is_streamed_when_its_blocks_are_in_the_head() {
        let flac = |picture: usize| {
            let length = (picture as u32).to_be_bytes();
            head(&[b"fLaC\x06".as_slice(), &length[1..], b""].concat(), picture, &[0])
        };
        let last = |mut bytes: Vec<u8>, at: usize| {
            bytes[at] = 0x81;
            bytes
        };
        assert!(streams(&last(flac(1000), 8 + 1000), BYTES));
        assert!(!streams(&flac(1000), BYTES), "there are blocks without end");
        let most = HEAD as usize - 8 - 4 - SOUND;
        assert!(streams(&last(flac(most), 8 + most), BYTES));
        assert!(!streams(&last(flac(most + 1), 8 + most + 1), BYTES));
        assert!(!streams(b"fLaC", BYTES));
    }

    #[test]
    fn a_wav_file_is_streamed_when_it_says_its_length() {
        let wav = |samples: u32| {
            let start = [b"RIFF____WAVEfmt \x03\0\0\0abc_LIST\x02\0\0\0xxdata".as_slice(), &samples.to_le_bytes()];
            head(&start.concat(), 0, &[1])
        };
        assert!(streams(&wav(1_000_000), BYTES));
        assert!(!streams(&wav(u32::MAX), BYTES), "of unknown length");
        assert!(!streams(b"RIFF____WAVEfmt \xff\xff\xff\xff", BYTES));
    }

    #[test]
    fn an_mp3_file_is_streamed_when_frames_follow_its_tag() {
        // 128 kb/s at 44,100 Hz: 417 bytes (ISO 11172-3, section 2.4.3.1).
        // The first has a tag behind the room of its side information: 1000 frames, 576 samples of them silence before and
        // 1000 behind.
        let silence = [0x24, 0x03, 0xe8];
        let tag = [b"Info\0\0\0\x0f\0\0\x03\xe8".as_slice(), &[0; 108], b"LAME", &[0; 17], &silence].concat();
        let frame = [[0xff, 0xfb, 0x90, 0].as_slice(), &[0; 32], &tag, &[0; 413 - 32 - 144]].concat();
        let samples = Some(1_152_000 - 1576);
        assert_eq!(sound(&head(b"", 0, &frame), BYTES), Some(Streamed { samples }));
        let other = [&frame[..36 + 120], b"abcd", &frame[36 + 124..]].concat();
        assert!(!streams(&head(b"", 0, &other), BYTES), "nobody knows how much of it is silence");
        assert!(streams(&head(b"", 0, &frame), BYTES));
        assert!(streams(&head(b"ID3\x04\0\0\0\0\x07h", 1000, &frame), BYTES));
        assert!(!streams(&head(b"ID3\x04\0\0\0\0\x07i", 1000, &frame), BYTES), "one byte too late");
        assert!(!streams(&head(b"ID3\x04\0\0\x7f\x7f\x7f\x7f", 1000, &frame), BYTES), "behind the head");
        assert!(!streams(&head(b"", 0, &frame[..400]), BYTES));
        assert!(!streams(b"", BYTES));
    }

    #[tokio::test]
    async fn a_reader_gets_what_is_there_and_waits_for_the_rest() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("input");
        let bytes: Vec<u8> = (0..CHUNK * 3 + 7).map(|at| (at / 1000) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let (sender, written) = watch::channel(10);
        let arrival = Arrival::new(path, (bytes.len() as u64, NOTHING), written);
        let (mut reader, writer) = tokio::io::duplex(64);
        let feeding = tokio::spawn({
            let arrival = arrival.clone();
            async move { arrival.feed(writer).await }
        });
        let mut start = [0; 10];
        reader.read_exact(&mut start).await.unwrap();
        assert!(start == bytes[..10] && !arrival.is_whole());
        sender.send(bytes.len() as u64).unwrap();
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).await.unwrap();
        assert!(rest == bytes[10..] && arrival.is_whole());
        feeding.await.unwrap().unwrap();
        arrival.whole().await.unwrap();
    }

    #[tokio::test]
    async fn what_breaks_off_is_an_error_and_a_reader_that_goes_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("input");
        std::fs::write(&path, vec![0; CHUNK]).unwrap();
        let (sender, written) = watch::channel(CHUNK as u64 / 2);
        let arrival = Arrival::new(path, (CHUNK as u64, NOTHING), written);
        let (reader, writer) = tokio::io::duplex(1);
        drop(reader);
        arrival.feed(writer).await.unwrap();
        drop(sender);
        assert!(arrival.feed(tokio::io::sink()).await.is_err());
        assert!(arrival.whole().await.is_err());
    }
}
