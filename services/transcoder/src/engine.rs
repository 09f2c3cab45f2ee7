//! Makes the outputs of one job with ffmpeg.
//!
//! A small graph of steps, each a function with plain inputs and outputs:
//!
//! ```text
//! fetch ─► probe, encode ─► art ─► measure ─► store (outputs at once)
//! look for outputs that exist, beside fetch
//! ```
//!
//! A short input is probed and encoded side by side; a long one is probed first and then encoded in segments, on all
//! cores ([`split`]).

mod art;
mod clip;
mod encode;
mod measure;
mod meter;
mod plan;
mod probe;
mod process;
mod runner;
mod sandbox;
mod scratch;
mod split;
mod storage;
mod tools;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use elastic_transcoder::{DetectedProperties, Failure, FailureCode};
use futures::future::join_all;

use crate::gauge::Gauge;
use crate::share::Offers;

pub use art::AlbumArt;
pub use clip::Clip;
pub use encode::EncodeInput;
use meter::Meter;
use plan::Sound;
use probe::Media;

pub use plan::{Encoding, demuxer};
pub use runner::Runner;
use scratch::Full;

pub use scratch::Scratch;
pub use split::{Part, make};
pub use storage::{Object, Storage};
pub use tools::Tools;

/// The bounds of one job.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of the input.
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
    /// Where the input lies.
    pub input: Object,
    /// The demuxer that the request insists on.
    pub demuxer: Option<&'static str>,
    /// The part of the input that is taken, when it is not all of it.
    pub clip: Option<Clip>,
    /// What to make.
    pub outputs: Vec<TaskOutput>,
    /// Where segments may be offered to other processes, if anywhere.
    pub offers: Option<Offers>,
}

/// One file to make.
#[derive(Debug, Clone)]
pub struct TaskOutput {
    /// Where it goes.
    pub object: Object,
    /// How it is made.
    pub encoding: Encoding,
    /// The pictures that it gets; none when nothing is said.
    pub album_art: Option<AlbumArt>,
}

/// What came of a task.
#[derive(Debug)]
pub struct Report {
    /// What probing found, if it came so far.
    pub detected: Option<DetectedProperties>,
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

/// What probing found, and what became of the wanted outputs.
type Encoded = (Result<Media, Failure>, Vec<Result<(), Failure>>);

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
                Ok(Report { detected: None, outcome: Err(failure) })
            }
            Full::Crowded => {
                Err(anyhow!("jobs that began before have the disk space of SEGUE_TRANSCODER_MAX_SCRATCH_BYTES"))
            }
        }
    }

    async fn steps(&self, task: &Task, gauge: &Gauge, directory: &Path) -> anyhow::Result<Report> {
        let input = directory.join(encode::INPUT);
        let fetch = self.storage.fetch(&task.input, &input, self.runner.limits.input_bytes);
        let look = join_all(task.outputs.iter().map(|output| self.storage.free_for(&output.object, &task.job_id)));
        let (fetched, free) = tokio::join!(fetch, look);
        let size = match fetched {
            Ok(size) => size,
            Err(StepError::Failed(failure)) => return Ok(Report { detected: None, outcome: Err(failure) }),
            Err(StepError::Again(cause)) => return Err(cause),
        };
        let mut results = Vec::with_capacity(free.len());
        for free in free {
            results.push(settled(free)?);
        }
        let wanted: Vec<usize> = (0..results.len()).filter(|&index| results[index].is_ok()).collect();
        let (probed, encoded) = self.probe_and_encode(task, gauge, &wanted, directory, size).await?;
        let input = EncodeInput { demuxer: task.demuxer, directory };
        let encoded = art::add(self, task, &input, &wanted, probed.as_ref(), encoded).await?;
        let stores = wanted.iter().zip(encoded).map(|(&index, made)| {
            let sound = probed.as_ref().and_then(|media| media.sound);
            async move { (index, self.store(task, index, made, directory, sound).await) }
        });
        let mut outcome: Vec<Result<Stored, Failure>> =
            results.into_iter().map(|free| free.and(Err(Failure::not_media()))).collect();
        for (index, stored) in join_all(stores).await {
            outcome[index] = settled(stored)?;
        }
        let detected = probed.map(|media| media.detected);
        Ok(Report { detected, outcome: Ok(outcome) })
    }

    /// What the input is, when it is media, and for each wanted output whether it was made.
    async fn probe_and_encode(
        &self,
        task: &Task,
        gauge: &Gauge,
        wanted: &[usize],
        directory: &Path,
        size: u64,
    ) -> anyhow::Result<(Option<Media>, Vec<Result<(), Failure>>)> {
        let all = |failure: Failure| wanted.iter().map(|_| Err(failure.clone())).collect();
        let input = EncodeInput { demuxer: task.demuxer, directory };
        let (probed, encoded) = if size < LARGE {
            self.at_once(task, wanted, &input, size).await?
        } else {
            self.in_turn(task, gauge, wanted, &input, size).await?
        };
        Ok(match probed {
            Err(failure) => (None, all(failure)),
            Ok(media) if !media.has_audio => {
                let sentence = "The input has no audio, and the preset asks for audio.";
                (Some(media), all(Failure::new(FailureCode::PresetMismatch, sentence)))
            }
            Ok(media) => (Some(media), encoded),
        })
    }

    /// Probes and encodes side by side: starting a process costs more than probing a short file.
    async fn at_once(
        &self,
        task: &Task,
        wanted: &[usize],
        input: &EncodeInput<'_>,
        size: u64,
    ) -> anyhow::Result<Encoded> {
        let mut probe = std::pin::pin!(probe::probe(&self.runner, task.demuxer, input.directory, size));
        let mut encode = std::pin::pin!(encode::encode(&self.runner, input, task, wanted, None));
        Ok(tokio::select! {
            probed = &mut probe => match probed? {
                Ok(media) if media.has_audio => (Ok(media), encode.await?),
                // Encoding is dropped, and its process with it: what is no media can keep ffmpeg busy for long.
                probed => (probed, Vec::new()),
            },
            encoded = &mut encode => (probe.await?, encoded?),
        })
    }

    /// Probes first, so that a long input can be encoded in segments.
    async fn in_turn(
        &self,
        task: &Task,
        gauge: &Gauge,
        wanted: &[usize],
        input: &EncodeInput<'_>,
        size: u64,
    ) -> anyhow::Result<Encoded> {
        let probed = probe::probe(&self.runner, task.demuxer, input.directory, size).await?;
        let Some(media) = probed.as_ref().ok().filter(|media| media.has_audio) else { return Ok((probed, Vec::new())) };
        let millis = task.millis_of(media).and_then(|millis| u64::try_from(millis).ok());
        let meter = millis.map(|millis| Meter::new(gauge, Duration::from_millis(millis)));
        if let Some(plan) = split::Plan::of(task, wanted, media, self.runner.encoders()) {
            match settled(split::encode(&self.runner, input, task, &plan, meter.as_ref()).await)? {
                Ok(()) => return Ok((probed, vec![Ok(()); wanted.len()])),
                // Which output it was comes to light when all are tried in one piece.
                Err(failure) if encode::is_of_one(&failure) => {}
                Err(failure) => return Ok((probed, vec![Err(failure); wanted.len()])),
            }
        }
        let encoded = encode::encode(&self.runner, input, task, wanted, meter.as_ref()).await?;
        Ok((probed, encoded))
    }

    async fn store(
        &self,
        task: &Task,
        index: usize,
        made: Result<(), Failure>,
        directory: &Path,
        sound: Option<Sound>,
    ) -> Result<Stored, StepError> {
        made.map_err(StepError::Failed)?;
        let output = &task.outputs[index];
        let path = directory.join(encode::output_name(index));
        let bytes = tokio::fs::metadata(&path).await.context("an output vanished")?.len();
        let duration_millis = measure::millis(&self.runner, output.encoding.measure, directory, index).await?;
        if duration_millis <= 0 {
            // ffmpeg took something for media that holds not one sample.
            return Err(StepError::Failed(task.nothing()));
        }
        let warning = warning(task, index, sound, duration_millis);
        self.storage.store(&path, bytes, &output.object, output.encoding.content_type, &task.job_id).await?;
        Ok(Stored { duration_millis, bytes: i64::try_from(bytes)?, warning })
    }
}

impl Task {
    /// How much of the input is taken, when its length is known.
    fn millis_of(&self, media: &Media) -> Option<i64> {
        let input = media.detected.duration_millis?;
        Some(self.clip.map_or(input, |clip| clip.length(input)))
    }

    /// Why there is not one sample.
    fn nothing(&self) -> Failure {
        if self.clip.is_some() { Clip::nothing() } else { Failure::not_media() }
    }
}

/// What the client of an output should know, in the service's words.
fn warning(task: &Task, index: usize, sound: Option<Sound>, made: i64) -> Option<String> {
    let clip = task.clip.and_then(|clip| clip.warning(made));
    let channels = sound.zip(task.outputs[index].encoding.channels).and_then(|(sound, wanted)| {
        // Two from one, and one from two, are what everybody expects.
        (sound.channels > 2 && wanted < sound.channels).then(|| {
            format!(
                "The input file for this job contains {} audio channels and the preset is configured for {wanted} \
                 audio channels. Amazon Elastic Transcoder audio-channel mapping may not result in the desired audio.",
                sound.channels
            )
        })
    });
    let all: Vec<String> = clip.map(str::to_owned).into_iter().chain(channels).collect();
    (!all.is_empty()).then(|| all.join(" "))
}

/// Keeps failures that clients are told of, and lets the others end the run.
fn settled<T>(result: Result<T, StepError>) -> anyhow::Result<Result<T, Failure>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(StepError::Failed(failure)) => Ok(Err(failure)),
        Err(StepError::Again(cause)) => Err(cause),
    }
}
