//! Makes the outputs of one job with ffmpeg.
//!
//! A small graph of steps, each a function with plain inputs and outputs:
//!
//! ```text
//! fetch ─► probe, encode ─► art ─► measure ─► store (outputs at once)
//! look for outputs that exist, beside fetch
//! ```
//!
//! A short input is encoded at once, and ffmpeg's own report says what it is ([`report`]); a long one is probed first and then encoded in segments, on all
//! cores ([`split`]). Several inputs are probed first, too, and joined while they are decoded ([`source`]).

mod art;
mod clip;
mod coder;
mod encode;
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
use std::time::Duration;

use anyhow::{Context, anyhow};
use elastic_transcoder::{DetectedProperties, Failure, FailureCode};
use futures::future::join_all;
use futures::{StreamExt, TryStreamExt, stream};

use crate::gauge::Gauge;
use crate::share::Offers;

pub use art::AlbumArt;
pub use clip::Clip;
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

/// Inputs that are fetched at once.
const FETCHES: usize = 4;

/// What probing found of each input, and what became of the wanted outputs.
type Encoded = (Result<Vec<Media>, Failure>, Vec<Result<(), Failure>>);

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
            report = self.steps(task, gauge, directory.path()) => report,
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
        let look = join_all(task.outputs.iter().map(|output| self.storage.free_for(&output.object, &task.job_id)));
        let (fetched, free) = tokio::join!(self.fetch(task, directory), look);
        let sizes = match settled(fetched)? {
            Ok(sizes) => sizes,
            Err(failure) => return Ok(Report { detected: Vec::new(), outcome: Err(failure) }),
        };
        let mut results = Vec::with_capacity(free.len());
        for free in free {
            results.push(settled(free)?);
        }
        let wanted: Vec<usize> = (0..results.len()).filter(|&index| results[index].is_ok()).collect();
        let (media, encoded) = self.probe_and_encode(task, gauge, &wanted, directory, &sizes).await?;
        let source = Source::unknown(directory, &task.inputs);
        let encoded = art::add(self, task, &source, &wanted, media.first(), encoded).await?;
        let stores = wanted.iter().zip(encoded).map(|(&index, made)| {
            let media = &media;
            async move { (index, self.store(task, index, made, directory, media).await) }
        });
        let mut outcome: Vec<Result<Stored, Failure>> =
            results.into_iter().map(|free| free.and(Err(Failure::not_media()))).collect();
        for (index, stored) in join_all(stores).await {
            outcome[index] = settled(stored)?;
        }
        let detected = media.into_iter().map(|media| media.detected).collect();
        Ok(Report { detected, outcome: Ok(outcome) })
    }

    /// Fetches the inputs, a few at a time, and gives their sizes.
    async fn fetch(&self, task: &Task, directory: &Path) -> Result<Vec<u64>, StepError> {
        let most = self.runner.limits.input_bytes;
        let room = Room::new(most);
        let fetch = |(index, input): (usize, &TaskInput)| {
            let (path, object, room) = (directory.join(source::input_name(index)), input.object.clone(), &room);
            async move { self.storage.fetch(&object, &path, room).await }
        };
        let fetches: Vec<_> = task.inputs.iter().enumerate().map(fetch).collect();
        let fetched = stream::iter(fetches).buffered(FETCHES).try_collect().await;
        fetched.map_err(|error| match error {
            StepError::Failed(failure) if failure.code == FailureCode::InputTooLarge && task.inputs.len() > 1 => {
                let sentence = format!("The inputs of the job are together larger than {most} bytes.");
                StepError::Failed(Failure::new(FailureCode::InputsTooLarge, sentence))
            }
            error => error,
        })
    }

    /// What the inputs are, when all are media, and for each wanted output whether it was made.
    async fn probe_and_encode(
        &self,
        task: &Task,
        gauge: &Gauge,
        wanted: &[usize],
        directory: &Path,
        sizes: &[u64],
    ) -> anyhow::Result<(Vec<Media>, Vec<Result<(), Failure>>)> {
        let all = |failure: Failure| vec![Err(failure); wanted.len()];
        let source = Source::unknown(directory, &task.inputs);
        let (probed, encoded) = match sizes {
            [size] if *size < LARGE => self.at_once(task, wanted, source, *size).await?,
            _ => self.in_turn(task, gauge, wanted, source, sizes).await?,
        };
        Ok(match probed {
            Err(failure) => (Vec::new(), all(failure)),
            Ok(media) => match source::obstacle(&task.inputs, &media) {
                Some(failure) => (media, all(failure)),
                None => (media, encoded),
            },
        })
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
            return Ok((Ok(vec![media]), vec![Ok(()); wanted.len()]));
        }
        let media = match self.probe(task, source.directory, (0, size)).await? {
            Ok(media) if media.has_audio => vec![media],
            probed => return Ok((probed.map(|media| vec![media]), Vec::new())),
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
    ) -> anyhow::Result<Encoded> {
        let directory = source.directory;
        let probes: Vec<_> = sizes.iter().copied().enumerate().map(|one| self.probe(task, directory, one)).collect();
        let probed: Vec<_> = stream::iter(probes).buffered(self.runner.encoders()).try_collect().await?;
        let media = match probed.into_iter().collect::<Result<Vec<Media>, Failure>>() {
            Ok(media) if source::obstacle(&task.inputs, &media).is_none() => media,
            probed => return Ok((probed, Vec::new())),
        };
        let source = source.known(&media);
        let millis = task.millis_of(&media).and_then(|millis| u64::try_from(millis).ok());
        let meter = millis.map(|millis| Meter::new(gauge, Duration::from_millis(millis)));
        if let Some(plan) = split::Plan::of(task, wanted, &media, self.runner.encoders()) {
            match settled(split::encode(&self.runner, &source, task, &plan, meter.as_ref()).await)? {
                Ok(()) => return Ok((Ok(media), vec![Ok(()); wanted.len()])),
                // Which output it was comes to light when all are tried in one piece.
                Err(failure) if encode::is_of_one(&failure) => {}
                Err(failure) => return Ok((Ok(media), vec![Err(failure); wanted.len()])),
            }
        }
        let encoded = encode::encode(&self.runner, &source, task, wanted, meter.as_ref()).await?;
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

    async fn store(
        &self,
        task: &Task,
        index: usize,
        made: Result<(), Failure>,
        directory: &Path,
        media: &[Media],
    ) -> Result<Stored, StepError> {
        made.map_err(StepError::Failed)?;
        let output = &task.outputs[index];
        let path = directory.join(encode::output_name(index));
        let bytes = tokio::fs::metadata(&path).await.context("an output vanished")?.len();
        let duration_millis = measure::millis(&self.runner, output.encoding.measure, directory, index).await?;
        if duration_millis <= 0 {
            // ffmpeg took something for media that holds not one sample.
            return Err(StepError::Failed(task.nothing(Some(index))));
        }
        let warning = task.warning(index, media, duration_millis);
        self.storage.store(&path, bytes, &output.object, output.encoding.content_type, &task.job_id).await?;
        Ok(Stored { duration_millis, bytes: i64::try_from(bytes)?, warning })
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
