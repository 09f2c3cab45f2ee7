//! What is done with an output as soon as it is made, while others still are: pictures, its length, and the way to its
//! bucket.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use elastic_transcoder::Failure;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;

use super::art::Gallery;
use super::encode::output_name;
use super::probe::Media;
use super::source::Source;
use super::{Engine, StepError, Stored, Task, measure, settled};

/// Outputs that are stored at once.
const STORES: usize = 4;

/// Where the encoders put what they have made. Nobody writes to such a file any more.
#[derive(Debug)]
pub struct Shelf {
    sender: mpsc::UnboundedSender<Made>,
    /// Those that lay here; so there is at most one message for each output.
    put: Mutex<BTreeSet<usize>>,
}

/// An output that is made, or is not going to be.
#[derive(Debug)]
pub struct Made {
    index: usize,
    result: Result<(), Failure>,
    media: Arc<[Media]>,
}

/// A shelf, and what is put there.
pub fn shelf() -> (Shelf, mpsc::UnboundedReceiver<Made>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Shelf { sender, put: Mutex::default() }, receiver)
}

impl Shelf {
    /// Says what became of an output, of which nothing was said before, and what its inputs are.
    pub fn put(&self, index: usize, result: Result<(), Failure>, media: &Arc<[Media]>) {
        if self.put.lock().unwrap_or_else(PoisonError::into_inner).insert(index) {
            // When nobody takes it, the job is at its end.
            let _ = self.sender.send(Made { index, result, media: media.clone() });
        }
    }

    /// Those of which nothing was said yet.
    pub fn rest(&self, wanted: &[usize]) -> Vec<usize> {
        let put = self.put.lock().unwrap_or_else(PoisonError::into_inner);
        wanted.iter().copied().filter(|index| !put.contains(index)).collect()
    }
}

/// Finishes each output that comes, and says what became of it.
pub async fn finish(
    engine: &Engine,
    task: &Task,
    source: Source<'_>,
    made: mpsc::UnboundedReceiver<Made>,
) -> anyhow::Result<Vec<(usize, Result<Stored, Failure>)>> {
    let source = &source;
    let (sender, mut whole) = mpsc::unbounded_channel();
    let store = stream::poll_fn(|context| whole.poll_recv(context))
        .map(|one| Box::pin(store(engine, task, source, one)))
        .buffer_unordered(STORES)
        .try_collect();
    let ((), stored) = tokio::try_join!(Box::pin(add_pictures(engine, task, source, made, sender)), store)?;
    Ok(stored)
}

/// For one output at a time, as others may want the same pictures.
async fn add_pictures(
    engine: &Engine,
    task: &Task,
    source: &Source<'_>,
    mut made: mpsc::UnboundedReceiver<Made>,
    whole: mpsc::UnboundedSender<Made>,
) -> anyhow::Result<()> {
    let mut gallery = Gallery::new(engine, task, source);
    while let Some(mut one) = made.recv().await {
        if one.result.is_ok() {
            one.result = settled(gallery.complete(one.index, &one.media).await)?;
        }
        whole.send(one)?;
    }
    Ok(())
}

async fn store(
    engine: &Engine,
    task: &Task,
    source: &Source<'_>,
    Made { index, result, media }: Made,
) -> anyhow::Result<(usize, Result<Stored, Failure>)> {
    let stored = match result {
        Ok(()) => settled(store_made(engine, task, source, index, &media).await)?,
        Err(failure) => Err(failure),
    };
    Ok((index, stored))
}

async fn store_made(
    engine: &Engine,
    task: &Task,
    source: &Source<'_>,
    index: usize,
    media: &[Media],
) -> Result<Stored, StepError> {
    let (output, path) = (&task.outputs[index], source.directory.join(output_name(index)));
    let bytes = tokio::fs::metadata(&path).await.context("an output vanished")?.len();
    let duration_millis = measure::millis(&engine.runner, output.encoding.measure, source.directory, index).await?;
    if duration_millis <= 0 {
        // ffmpeg took something for media that holds not one sample.
        return Err(StepError::Failed(task.nothing(Some(index))));
    }
    let warning = task.warning(index, media, duration_millis);
    let (object, content_type) = (&output.object, output.encoding.content_type);
    Box::pin(engine.storage.store(&path, bytes, object, content_type, &task.job_id)).await?;
    // What others of the job still need on disk may be as large. If it stays, it goes with the directory.
    let _ = tokio::fs::remove_file(&path).await;
    Ok(Stored { duration_millis, bytes: i64::try_from(bytes)?, warning })
}
