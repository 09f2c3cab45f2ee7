//! Keeps the chunks of an aws-chunked body small (S3 API, "Transferring payload in multiple chunks").
//!
//! s3s gathers a whole chunk before it passes any of it on, and some clients send a body as one
//! chunk. An unsigned chunk means the same when it is cut into smaller ones. A signed one cannot be
//! cut, so that a large one is refused.

use bytes::{Buf, Bytes};
use futures::{Stream, StreamExt, stream};

/// What unsigned chunks are cut to.
const SMALL: usize = 64 * 1024;
/// The largest signed chunk; SDKs send 64 KiB to 1 MiB.
const LARGEST_SIGNED: u64 = 16 * 1024 * 1024;
/// A chunk's first line: its size and at most a signature.
const LONGEST_LINE: usize = 512;

#[derive(Debug, thiserror::Error)]
pub(super) enum ChunkError {
    #[error("the body is not aws-chunked")]
    Malformed,
    #[error("a signed chunk is larger than 16 MiB")]
    TooLarge,
    #[error("the body could not be read: {0}")]
    Body(axum::Error),
}

enum State {
    Line(Vec<u8>),
    Data(u64),
    /// Bytes missing of the line end behind the data.
    End(u8),
    /// Behind the last chunk: the trailers.
    Tail,
}

struct Cutter {
    state: State,
    signed: bool,
}

/// The same body in small chunks.
pub(super) fn cut(
    body: impl Stream<Item = Result<Bytes, axum::Error>> + Send,
    signed: bool,
) -> impl Stream<Item = Result<Bytes, ChunkError>> + Send {
    let mut cutter = Cutter { state: State::Line(Vec::new()), signed };
    body.flat_map(move |piece| {
        let cut = piece.map_err(ChunkError::Body).and_then(|piece| cutter.feed(piece));
        stream::iter(match cut {
            Ok(pieces) => pieces.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        })
    })
}

impl Cutter {
    fn feed(&mut self, mut input: Bytes) -> Result<Vec<Bytes>, ChunkError> {
        let mut out = Vec::new();
        while !input.is_empty() {
            match &mut self.state {
                State::Line(line) => {
                    let end = input.iter().position(|byte| *byte == b'\n').map_or(input.len(), |at| at + 1);
                    line.extend_from_slice(&input.split_to(end));
                    if line.len() > LONGEST_LINE {
                        return Err(ChunkError::Malformed);
                    }
                    if line.ends_with(b"\n") {
                        let line = std::mem::take(line);
                        self.begin(line, &mut out)?;
                    }
                }
                State::Data(left) => {
                    let most = if self.signed { input.len() } else { input.len().min(SMALL) };
                    let take = usize::try_from(*left).map_or(most, |left| most.min(left));
                    *left -= take as u64;
                    let is_end = *left == 0;
                    let data = input.split_to(take);
                    if self.signed {
                        out.push(data);
                    } else {
                        out.extend([Bytes::from(format!("{take:x}\r\n")), data, Bytes::from_static(b"\r\n")]);
                    }
                    if is_end {
                        self.state = State::End(2);
                    }
                }
                State::End(missing) => {
                    let expected = if *missing == 2 { b'\r' } else { b'\n' };
                    if input.get_u8() != expected {
                        return Err(ChunkError::Malformed);
                    }
                    *missing -= 1;
                    if *missing == 0 {
                        self.state = State::Line(Vec::new());
                        if self.signed {
                            out.push(Bytes::from_static(b"\r\n"));
                        }
                    }
                }
                State::Tail => out.push(std::mem::take(&mut input)),
            }
        }
        Ok(out)
    }

    fn begin(&mut self, line: Vec<u8>, out: &mut Vec<Bytes>) -> Result<(), ChunkError> {
        let digits = line.split(|byte| matches!(byte, b';' | b'\r')).next().unwrap_or_default();
        let digits = std::str::from_utf8(digits).map_err(|_| ChunkError::Malformed)?;
        let size = u64::from_str_radix(digits, 16).map_err(|_| ChunkError::Malformed)?;
        if self.signed && size > LARGEST_SIGNED {
            return Err(ChunkError::TooLarge);
        }
        if self.signed || size == 0 {
            out.push(line.into());
        }
        self.state = if size == 0 { State::Tail } else { State::Data(size) };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the body in pieces of `step` bytes.
    fn cut_in(body: &[u8], step: usize, signed: bool) -> Result<Vec<u8>, ChunkError> {
        let mut cutter = Cutter { state: State::Line(Vec::new()), signed };
        let mut out = Vec::new();
        for piece in body.chunks(step) {
            out.extend(cutter.feed(Bytes::copy_from_slice(piece))?.concat());
        }
        Ok(out)
    }

    #[test]
    fn one_large_chunk_becomes_small_ones() {
        let data = vec![b'x'; 2 * SMALL + 1];
        let body = [format!("{:x}\r\n", data.len()).as_bytes(), &data, b"\r\n0\r\nx-amz-a:b\r\n\r\n"].concat();
        let small = format!("{SMALL:x}\r\n{}\r\n", "x".repeat(SMALL));
        let expected = format!("{small}{small}1\r\nx\r\n0\r\nx-amz-a:b\r\n\r\n");
        assert!(cut_in(&body, body.len(), false).unwrap() == expected.as_bytes());
        assert!(cut_in(b"2\r\nab\r\n0\r\n\r\n", 1, false).unwrap() == b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n");
    }

    #[test]
    fn signed_chunks_pass_as_they_are_up_to_a_size() {
        let body = b"3;chunk-signature=00\r\nabc\r\n0;chunk-signature=11\r\n\r\n";
        for step in [1, 2, 5, 100] {
            assert_eq!(cut_in(body, step, true).unwrap(), body);
        }
        assert!(matches!(cut_in(b"1000001;chunk-signature=00\r\n", 9, true), Err(ChunkError::TooLarge)));
    }

    #[test]
    fn what_is_not_chunked_is_refused() {
        for bad in [&b"zz\r\nabc"[..], b"3\r\nabcdef", b"-1\r\n", &[b'0'; 600]] {
            assert!(matches!(cut_in(bad, 7, false), Err(ChunkError::Malformed)));
        }
    }
}
