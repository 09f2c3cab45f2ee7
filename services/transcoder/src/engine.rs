//! Makes the outputs of one job with ffmpeg.
//!
//! A small graph of steps, each a function with plain inputs and outputs:
//!
//! ```text
//! fetch ─► probe, encode ─► art ─► measure ─► store (each output when it is made)
//! look for outputs that exist, beside fetch
//! ```
//!
//! A large input of some kinds is worked on while the rest of it comes ([`arrival`]).
//! A short input is encoded at once, and ffmpeg's own report says what it is ([`report`]); a long one is probed first and then encoded in segments, on all
//! cores ([`split`]). Several inputs are probed first, too, and joined while they are decoded ([`source`]).

mod arrival;
mod art;
mod clip;
mod coder;
mod encode;
mod fetch;
mod finish;
mod measure;
mod meter;
mod plan;
mod probe;
mod process;
mod report;
mod runner;
mod sandbox;
mod scratch;
mod source;
mod split;
mod storage;
mod task;
mod tools;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use elastic_transcoder::{DetectedProperties, Failure, FailureCode};
use futures::future::join_all;
use futures::{StreamExt, TryFutureExt, TryStreamExt, stream};

use crate::gauge::Gauge;
use crate::share::Offers;

pub use art::AlbumArt;
pub use clip::Clip;
use fetch::{Inputs, Rest};
use finish::Shelf;
use meter::Meter;
use probe::Media;
use source::Source;

pub use plan::{Encoding, demuxer};
pub use runner::Runner;
use scratch::Full;

pub use scratch::Scratch;
pub use split::{Part, make};
pub use storage::{Object, Room, Storage};
pub use tools::{Coders, Tools};

/// The bounds of one job.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of all inputs together.
    pub input_bytes: u64,
    /// Bytes of one output.
    pub output_bytes: u64,
    /// Address space of one ffmpeg process.
    pub memory_bytes: u64,
    /// Wall time of one ffmpeg process.
    pub time: Duration,
}

/// What to do.
#[derive(Debug, Clone)]
pub struct Task {
    /// The job, whose own objects may be written again.
    pub job_id: String,
    /// What is joined, in this order; at least one.
    pub inputs: Vec<TaskInput>,
    /// What to make.
    pub outputs: Vec<TaskOutput>,
    /// Where segments may be offered to other processes, if anywhere.
    pub offers: Option<Offers>,
}

/// One file to read.
#[derive(Debug, Clone)]
pub struct TaskInput {
    /// Where it lies.
    pub object: Object,
    /// The demuxer that the request insists on.
    pub demuxer: Option<&'static str>,
    /// The part that is taken, when it is not all of it.
    pub clip: Option<Clip>,
}

/// One file to make.
#[derive(Debug, Clone)]
pub struct TaskOutput {
    /// Where it goes.
    pub object: Object,
    /// The part of what is joined that it takes, when it is not all of it.
    pub clip: Option<Clip>,
    /// How it is made.
    pub encoding: Encoding,
    /// The pictures that it gets; none when nothing is said.
    pub album_art: Option<AlbumArt>,
}

/// What came of a task.
#[derive(Debug)]
pub struct Report {
    /// What probing found of each input, if it came so far.
    pub detected: Vec<DetectedProperties>,
    /// One result for each output, or why the job as a whole failed.
    pub outcome: Result<Vec<Result<Stored, Failure>>, Failure>,
}

/// An output that is in its bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its length.
    pub duration_millis: i64,
    /// Its size.
    pub bytes: i64,
    /// What the client should know of it.
    pub warning: Option<String>,
}

/// Why a step did not succeed.
#[derive(Debug)]
pub enum StepError {
    /// It never will: the client is told.
    Failed(Failure),
    /// It may, later: storage is away, a disk is full.
    Again(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for StepError {
    fn from(cause: E) -> Self {
        Self::Again(cause.into())
    }
}

/// An input of so many bytes may be long enough to be worth a look before it is encoded.
const LARGE: u64 = 1024 * 1024;

/// What probing found of each input, and what became of those wanted outputs that are not on the shelf yet.
type Encoded = (Result<Arc<[Media]>, Failure>, Vec<Result<(), Failure>>);

/// Runs tasks.
#[derive(Debug)]
pub struct Engine {
    /// Runs ffmpeg and ffprobe.
    pub runner: Runner,
    /// Where files lie while they are worked on.
    pub scratch: Scratch,
    /// Where they come from and go to.
    pub storage: Storage,
}

impl Engine {
    /// Which ffmpeg this is, in its own words.
    pub async fn version(&self) -> anyhow::Result<String> {
        let directory = self.scratch.directory().context("cannot make a scratch directory")?;
        self.runner.version(directory.path()).await
    }

    /// Runs a task to its end, and says how far a long one is. An error means that another try may succeed.
    pub async fn run(&self, task: &Task, gauge: &Gauge) -> anyhow::Result<Report> {
        let directory = self.scratch.directory().context("cannot make a scratch directory")?;
        let report = tokio::select! {
            report = Box::pin(self.steps(task, gauge, directory.path())) => report,
            full = self.scratch.outgrown(&directory) => self.stopped(full.context("cannot measure a scratch directory")?),
        };
        // Removing large files takes time that nobody has to wait for.
        tokio::task::spawn_blocking(move || drop(directory));
        report
    }

    /// What becomes of a task that fills the disk.
    fn stopped(&self, full: Full) -> anyhow::Result<Report> {
        let most = self.scratch.most();
        let sentence = format!("Processing the media file takes more than {most} bytes of disk space.");
        match full {
            Full::Alone => {
                tracing::warn!(most, "a job needs more disk space than SEGUE_TRANSCODER_MAX_SCRATCH_BYTES allows");
                let failure = Failure::new(FailureCode::InputTooLarge, sentence);
                Ok(Report { detected: Vec::new(), outcome: Err(failure) })
            }
            Full::Crowded => {
                Err(anyhow!("jobs that began before have the disk space of SEGUE_TRANSCODER_MAX_SCRATCH_BYTES"))
            }
        }
    }

    async fn steps(&self, task: &Task, gauge: &Gauge, directory: &Path) -> anyhow::Result<Report> {
        let room = Room::new(self.runner.limits.input_bytes);
        let begin = Box::pin(fetch::begin(&self.storage, task, directory, &room));
        let look = join_all(task.outputs.iter().map(|output| self.storage.free_for(&output.object, &task.job_id)));
        let (inputs, free) = tokio::join!(begin, look);
        let Inputs { sizes, rest } = match settled(inputs)? {
            Ok(inputs) => inputs,
            Err(failure) => return Ok(Report { detected: Vec::new(), outcome: Err(failure) }),
        };
        let mut results = Vec::with_capacity(free.len());
        for free in free {
            results.push(settled(free)?);
        }
        let wanted: Vec<usize> = (0..results.len()).filter(|&index| results[index].is_ok()).collect();
        let source = || Source::unknown(directory, &task.inputs).arriving(rest.as_ref().map(Rest::arrival));
        let (shelf, made) = finish::shelf();
        // Each lies on the heap by itself: together they were too large for the stack of a thread.
        let finishing = Box::pin(finish::finish(self, task, source(), made));
        let encoding = Box::pin(self.probe_and_encode(task, gauge, &wanted, source(), &sizes, shelf));
        let arriving = async {
            match rest {
                Some(rest) => Box::pin(rest.fetch()).await,
                None => Ok(()),
            }
        };
        let again = StepError::Again;
        let all = async { tokio::try_join!(encoding.map_err(again), finishing.map_err(again), arriving) };
        let (media, finished, ()) = match settled(all.await)? {
            Ok(all) => all,
            Err(failure) => return Ok(Report { detected: Vec::new(), outcome: Err(failure) }),
        };
        let mut outcome: Vec<Result<Stored, Failure>> =
            results.into_iter().map(|free| free.and(Err(Failure::not_media()))).collect();
        for (index, stored) in finished {
            outcome[index] = stored;
        }
        let detected = media.iter().map(|media| media.detected.clone()).collect();
        Ok(Report { detected, outcome: Ok(outcome) })
    }

    /// What the inputs are, when all are media. What becomes of each wanted output is put on the shelf, which goes with
    /// the last.
    async fn probe_and_encode(
        &self,
        task: &Task,
        gauge: &Gauge,
        wanted: &[usize],
        source: Source<'_>,
        sizes: &[u64],
        shelf: Shelf,
    ) -> anyhow::Result<Arc<[Media]>> {
        let (probed, encoded) = match sizes {
            [size] if *size < LARGE => Box::pin(self.at_once(task, wanted, source, *size)).await?,
            _ => Box::pin(self.in_turn(task, gauge, wanted, source, sizes, &shelf)).await?,
        };
        let (media, obstacle) = match probed {
            Err(failure) => (Arc::from([]), Some(failure)),
            Ok(media) => {
                let obstacle = source::obstacle(&task.inputs, &media);
                (media, obstacle)
            }
        };
        let rest = shelf.rest(wanted);
        let results = match obstacle {
            Some(failure) => vec![Err(failure); rest.len()],
            None => encoded,
        };
        for (index, result) in rest.into_iter().zip(results) {
            shelf.put(index, result, &media);
        }
        Ok(media)
    }

    /// Encodes before it is known what the input is, which ffmpeg then says: starting another process to ask costs more
    /// than a short file. Whatever is not plain from that is probed.
    async fn at_once(&self, task: &Task, wanted: &[usize], source: Source<'_>, size: u64) -> anyhow::Result<Encoded> {
        let report = settled(encode::encode_and_report(&self.runner, &source, task, wanted).await)?;
        let report = match report {
            Ok(report) => report,
            Err(failure) => return Ok((Err(failure), Vec::new())),
        };
        if let Some(media) = report.as_ref().and_then(|report| report::media(report, size)) {
            return Ok((Ok(Arc::from([media])), vec![Ok(()); wanted.len()]));
        }
        let media: Arc<[Media]> = match self.probe(task, source.directory, (0, size)).await? {
            Ok(media) if media.has_audio => Arc::from([media]),
            probed => return Ok((probed.map(|media| Arc::from([media])), Vec::new())),
        };
        let encoded = match report {
            Some(_) if !media[0].begins_late => vec![Ok(()); wanted.len()],
            Some(_) => encode::encode(&self.runner, &source.known(&media), task, wanted, None).await?,
            // All together failed already.
            None => encode::apart(&self.runner, &source.known(&media), task, wanted, None).await?,
        };
        Ok((Ok(media), encoded))
    }

    /// Probes first, so that a long input can be encoded in segments, and several can be joined.
    async fn in_turn(
        &self,
        task: &Task,
        gauge: &Gauge,
        wanted: &[usize],
        source: Source<'_>,
        sizes: &[u64],
        shelf: &Shelf,
    ) -> anyhow::Result<Encoded> {
        let directory = source.directory;
        let probes: Vec<_> = sizes.iter().copied().enumerate().map(|one| self.probe(task, directory, one)).collect();
        let probed: Vec<_> = stream::iter(probes).buffered(self.runner.encoders()).try_collect().await?;
        let media = match probed.into_iter().collect::<Result<Arc<[Media]>, Failure>>() {
            Ok(media) if source::obstacle(&task.inputs, &media).is_none() => media,
            probed => return Ok((probed, Vec::new())),
        };
        let source = source.known(&media);
        let millis = task.millis_of(&media).and_then(|millis| u64::try_from(millis).ok());
        let meter = millis.map(|millis| Meter::new(gauge, Duration::from_millis(millis)));
        if let Some(plan) = split::Plan::of(task, wanted, &media, self.runner.encoders()) {
            let made = |index| shelf.put(index, Ok(()), &media);
            match settled(Box::pin(split::encode(&self.runner, &source, task, &plan, meter.as_ref(), &made)).await)? {
                Ok(()) => return Ok((Ok(media), Vec::new())),
                // Which output it was comes to light when all that are left are tried in one piece.
                Err(failure) if encode::is_of_one(&failure) => {}
                Err(failure) => {
                    let rest = shelf.rest(wanted).len();
                    return Ok((Ok(media), vec![Err(failure); rest]));
                }
            }
        }
        let rest = shelf.rest(wanted);
        let encoded = encode::encode(&self.runner, &source, task, &rest, meter.as_ref()).await?;
        Ok((Ok(media), encoded))
    }

    async fn probe(
        &self,
        task: &Task,
        directory: &Path,
        (index, size): (usize, u64),
    ) -> anyhow::Result<Result<Media, Failure>> {
        probe::probe(&self.runner, directory, (index, task.inputs[index].demuxer), size).await
    }
}

/// Keeps failures that clients are told of, and lets the others end the run.
fn settled<T>(result: Result<T, StepError>) -> anyhow::Result<Result<T, Failure>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(StepError::Failed(failure)) => Ok(Err(failure)),
        Err(StepError::Again(cause)) => Err(cause),
    }
}
