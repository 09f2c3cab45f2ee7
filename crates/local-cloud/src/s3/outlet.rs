//! Gives object content back: from segment files to the connection, block by block.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
    sync::Arc,
};

use bytes::Bytes;
use futures::stream;
use s3s::dto::StreamingBlob;
use tokio::task::JoinHandle;

use super::{fault::blocking, files::Files, objects::Segment, reclaim::Pin};

/// A reader holds two of these in memory: one that is sent, and the next.
const BLOCK: u64 = 256 * 1024;

/// Where the next block comes from.
struct Outlet {
    files: Arc<Files>,
    pieces: VecDeque<Piece>,
    open: Option<(File, u64)>,
    _pin: Pin,
}

/// A part of one file.
#[derive(Debug, PartialEq, Eq)]
struct Piece {
    file: String,
    from: u64,
    length: u64,
}

/// The bytes in `range`. The first file is opened here, so that a lost one is an error and not a
/// response that breaks off.
pub(super) async fn stream(
    files: Arc<Files>,
    segments: Vec<Segment>,
    range: Range<u64>,
    pin: Pin,
) -> io::Result<StreamingBlob> {
    let mut outlet = Outlet { files, pieces: pieces(segments, &range), open: None, _pin: pin };
    let outlet = blocking(move || outlet.open_next().map(|()| outlet)).await?;
    // The next block is read while the one before it is sent.
    let blocks = stream::try_unfold(read(outlet), |reading| async {
        let found = reading.await.map_err(io::Error::other)??;
        Ok::<_, io::Error>(found.map(|(block, outlet)| (block, read(outlet))))
    });
    Ok(StreamingBlob::wrap(blocks))
}

fn read(mut outlet: Outlet) -> JoinHandle<io::Result<Option<(Bytes, Outlet)>>> {
    tokio::task::spawn_blocking(move || Ok(outlet.next_block()?.map(|block| (block, outlet))))
}

fn pieces(segments: Vec<Segment>, range: &Range<u64>) -> VecDeque<Piece> {
    let mut start = 0;
    let mut pieces = VecDeque::new();
    for segment in segments {
        let end = start + segment.size;
        let (from, to) = (range.start.max(start), range.end.min(end));
        if from < to {
            pieces.push_back(Piece { file: segment.file, from: from - start, length: to - from });
        }
        start = end;
    }
    pieces
}

impl Outlet {
    fn open_next(&mut self) -> io::Result<()> {
        if let Some(piece) = self.pieces.pop_front() {
            let mut file = File::open(self.files.path(&piece.file))?;
            file.seek(SeekFrom::Start(piece.from))?;
            self.open = Some((file, piece.length));
        }
        Ok(())
    }

    fn next_block(&mut self) -> io::Result<Option<Bytes>> {
        if self.open.as_ref().is_none_or(|(_, left)| *left == 0) {
            self.open = None;
            self.open_next()?;
        }
        let Some((file, left)) = &mut self.open else { return Ok(None) };
        let wanted = BLOCK.min(*left);
        let mut block = Vec::with_capacity(usize::try_from(wanted).map_err(io::Error::other)?);
        let read = file.take(wanted).read_to_end(&mut block)?;
        if read as u64 != wanted {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        *left -= wanted;
        Ok(Some(block.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_from_the_segments_that_it_touches() {
        let segments = || vec![("a", 5), ("b", 0), ("c", 5), ("d", 5)];
        let cut = |range: Range<u64>| -> Vec<(String, u64, u64)> {
            let segments = segments().into_iter().map(|(file, size)| Segment { file: file.to_owned(), size });
            let pieces = pieces(segments.collect(), &range);
            pieces.into_iter().map(|piece| (piece.file, piece.from, piece.length)).collect()
        };
        let piece = |file: &str, from, length| (file.to_owned(), from, length);
        assert_eq!(cut(0..15), [piece("a", 0, 5), piece("c", 0, 5), piece("d", 0, 5)]);
        assert_eq!(cut(4..11), [piece("a", 4, 1), piece("c", 0, 5), piece("d", 0, 1)]);
        assert_eq!(cut(7..8), [piece("c", 2, 1)]);
        assert_eq!(cut(3..3), []);
    }
}
