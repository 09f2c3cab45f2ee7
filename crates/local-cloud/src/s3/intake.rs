//! Takes a body: from the connection into a synced file, in bounded memory, checked on the way.

use std::{
    fs::File,
    io::{self, Write},
    sync::Arc,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures::StreamExt;
use http::HeaderMap;
use md5::{Digest, Md5};
use s3s::{S3Error, S3ErrorCode, StdError, TrailingHeaders, checksum::ChecksumHasher, dto::StreamingBlob, s3_error};
use tokio::task::JoinHandle;

use super::{
    checksum::{self, Algorithm, Claim, Sum},
    fault::{Fault, blocking},
    files::{Files, NewFile},
};
use crate::space::Space;

/// Bytes gathered before they are written; one such batch is written while the next is gathered.
const BATCH_BYTES: usize = 512 * 1024;
/// Pieces in a batch: a client that sends single bytes must not make the batch itself large.
const BATCH_PIECES: usize = 1024;
/// Bytes after which what has come is sent to the disk.
const FLUSH_BYTES: u64 = 8 * 1024 * 1024;
/// The largest object of one PUT, and the largest part (S3 User Guide, "Multipart upload limits").
pub(super) const MAX_BYTES: u64 = 5 * 1024 * 1024 * 1024;
/// A client that sends nothing for so long is given up.
const IDLE: Duration = Duration::from_secs(60);

/// What the request says about its body.
pub(super) struct Expected {
    pub(super) length: u64,
    pub(super) md5: Option<[u8; 16]>,
    pub(super) sum: Option<(Algorithm, Claim)>,
    pub(super) trailers: Option<TrailingHeaders>,
}

/// A body that is on disk and is what the request said.
pub(super) struct Received {
    pub(super) file: NewFile,
    pub(super) size: u64,
    pub(super) md5: [u8; 16],
    pub(super) sum: Option<Sum>,
}

impl Expected {
    pub(super) fn new(
        length: Option<i64>,
        md5: Option<&str>,
        headers: &HeaderMap,
        trailers: Option<TrailingHeaders>,
    ) -> Result<Self, S3Error> {
        let length = length.and_then(|length| u64::try_from(length).ok()).ok_or(S3ErrorCode::MissingContentLength)?;
        if length > MAX_BYTES {
            return Err(s3_error!(EntityTooLarge, "Your proposed upload exceeds the maximum allowed size."));
        }
        Ok(Self { length, md5: md5.map(decode_md5).transpose()?, sum: checksum::claim(headers)?, trailers })
    }

    /// A body that comes from an object of ours; its sum is computed if one is wanted.
    pub(super) fn copied(length: u64, wanted: Option<Algorithm>) -> Self {
        Self { length, md5: None, sum: wanted.map(|algorithm| (algorithm, Claim::None)), trailers: None }
    }
}

fn decode_md5(text: &str) -> Result<[u8; 16], S3Error> {
    let bytes = STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| s3_error!(InvalidDigest, "The Content-MD5 you specified was invalid."))
}

/// Reads the whole body. On an error, and when this is dropped, the file is gone again.
pub(super) async fn receive(
    files: &Arc<Files>,
    space: &Space,
    body: Option<StreamingBlob>,
    expected: Expected,
) -> Result<Received, Fault> {
    // Bytes that come meanwhile are others' too, so that each batch asks again.
    space.check_content(expected.length)?;
    let hasher = expected.sum.as_ref().map(|(algorithm, _)| algorithm.hasher());
    let directory = files.clone();
    let (file, out) = blocking(move || directory.create()).await?;
    let out = Arc::new(out);
    let mut flush = Flush::new(out.clone());
    let mut sink = Sink::Idle(Box::new(Writer { out, size: 0, hasher }), Md5::new());
    if let Some(mut body) = body {
        let mut left = expected.length;
        while let Some(batch) = gather(&mut body, &mut left).await? {
            space.check_content(0)?;
            sink = sink.take(batch).await?;
            flush.now_and_then(expected.length - left).await?;
        }
    }
    let (writer, md5) = sink.wait().await?;
    if writer.size != expected.length {
        return Err(s3_error!(
            IncompleteBody,
            "You did not provide the number of bytes specified by the Content-Length HTTP header."
        )
        .into());
    }
    flush.wait().await?;
    let (file, writer) = blocking(move || {
        writer.out.sync_all()?;
        file.sync_name()?;
        Ok((file, writer))
    })
    .await?;
    let md5: [u8; 16] = md5.finalize().into();
    if expected.md5.is_some_and(|expected| expected != md5) {
        return Err(s3_error!(BadDigest, "The Content-MD5 you specified did not match what we received.").into());
    }
    let sum = check_sum(writer.hasher, expected.sum, expected.trailers.as_ref())?;
    Ok(Received { file, size: writer.size, md5, sum })
}

/// The next pieces of the body, at most `left` bytes of them, or `None` at its end.
async fn gather(body: &mut StreamingBlob, left: &mut u64) -> Result<Option<Vec<Bytes>>, S3Error> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while bytes < BATCH_BYTES && batch.len() < BATCH_PIECES {
        let next = tokio::time::timeout(IDLE, body.next()).await.map_err(|_| S3ErrorCode::RequestTimeout)?;
        let Some(piece) = next else { break };
        let piece = piece.map_err(|error| broken_body(&error))?;
        bytes += piece.len();
        let too_long = || s3_error!(IncompleteBody, "The request body is longer than was declared.");
        *left = left.checked_sub(piece.len() as u64).ok_or_else(too_long)?;
        batch.push(piece);
    }
    Ok((!batch.is_empty()).then_some(batch))
}

/// s3s keeps its stream errors private; their text is what can be told apart.
fn broken_body(error: &StdError) -> S3Error {
    let text = error.to_string();
    if text.contains("Sha256Mismatch") {
        return hash_mismatch();
    }
    if text.contains("SignatureMismatch") {
        return s3_error!(SignatureDoesNotMatch, "The signature of a chunk does not match.");
    }
    s3_error!(IncompleteBody, "The request body could not be read to its end.")
}

/// The body is another one than was signed.
pub(super) fn hash_mismatch() -> S3Error {
    let mut error = S3Error::with_message(
        S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into()),
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    );
    error.set_status_code(http::StatusCode::BAD_REQUEST);
    error
}

fn check_sum(
    hasher: Option<ChecksumHasher>,
    claim: Option<(Algorithm, Claim)>,
    trailers: Option<&TrailingHeaders>,
) -> Result<Option<Sum>, S3Error> {
    let (Some(hasher), Some((algorithm, claim))) = (hasher, claim) else { return Ok(None) };
    let sums = hasher.finalize();
    let Some(value) = algorithm.of(&sums).cloned() else { return Ok(None) };
    let claimed = match claim {
        Claim::None => Some(value.clone()),
        Claim::Header(claimed) => Some(claimed),
        Claim::Trailer => trailers.and_then(|trailers| {
            trailers.read(|headers| headers.get(algorithm.header())?.to_str().ok().map(str::to_owned)).flatten()
        }),
    };
    match claimed {
        Some(claimed) if claimed == value => Ok(Some(Sum { algorithm, value })),
        Some(_) => {
            let name = algorithm.name();
            Err(s3_error!(BadDigest, "The {name} you specified did not match the calculated checksum."))
        }
        None => Err(s3_error!(InvalidRequest, "The checksum trailer that was announced did not come.")),
    }
}

/// The file and its running checksum; they travel to a blocking thread and back.
struct Writer {
    out: Arc<File>,
    size: u64,
    hasher: Option<ChecksumHasher>,
}

/// Sends to the disk what has come, while the rest comes: there is less left to wait for at the end.
struct Flush {
    file: Arc<File>,
    flushed: u64,
    running: Option<JoinHandle<io::Result<()>>>,
}

impl Flush {
    fn new(file: Arc<File>) -> Self {
        Self { file, flushed: 0, running: None }
    }

    /// `come` is how many bytes have come so far.
    async fn now_and_then(&mut self, come: u64) -> io::Result<()> {
        let is_running = self.running.as_ref().is_some_and(|running| !running.is_finished());
        if is_running || come - self.flushed < FLUSH_BYTES {
            return Ok(());
        }
        self.wait().await?;
        self.flushed = come;
        let file = self.file.clone();
        self.running = Some(tokio::task::spawn_blocking(move || file.sync_data()));
        Ok(())
    }

    /// A failure is told here or never: a later sync of the same file may succeed (fsync(2)).
    async fn wait(&mut self) -> io::Result<()> {
        match self.running.take() {
            Some(running) => running.await.map_err(io::Error::other)?,
            None => Ok(()),
        }
    }
}

/// Where batches go. The MD5 of a batch is the slowest part of it and runs beside the rest.
enum Sink {
    Idle(Box<Writer>, Md5),
    Busy(JoinHandle<io::Result<Box<Writer>>>, JoinHandle<Md5>),
}

impl Sink {
    async fn wait(self) -> io::Result<(Box<Writer>, Md5)> {
        match self {
            Self::Idle(writer, md5) => Ok((writer, md5)),
            Self::Busy(writing, summing) => {
                let (writer, md5) = tokio::join!(writing, summing);
                Ok((writer.map_err(io::Error::other)??, md5.map_err(io::Error::other)?))
            }
        }
    }

    /// Takes the next batch once the one before it is done.
    async fn take(self, batch: Vec<Bytes>) -> io::Result<Self> {
        let (mut writer, mut md5) = self.wait().await?;
        let pieces = batch.clone();
        let summing = tokio::task::spawn_blocking(move || {
            pieces.iter().for_each(|piece| md5.update(piece));
            md5
        });
        let writing = tokio::task::spawn_blocking(move || {
            for piece in batch {
                if let Some(hasher) = &mut writer.hasher {
                    hasher.update(&piece);
                }
                (&*writer.out).write_all(&piece)?;
                writer.size += piece.len() as u64;
            }
            Ok(writer)
        });
        Ok(Self::Busy(writing, summing))
    }
}
