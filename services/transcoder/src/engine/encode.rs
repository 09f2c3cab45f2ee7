//! One ffmpeg command that decodes once and makes every output.

use std::os::unix::process::ExitStatusExt;

use anyhow::anyhow;
use elastic_transcoder::{Failure, FailureCode};
use rustix::process::Signal;

use super::meter::Meter;
use super::process::{self, Ended};
use super::source::{LONGEST_GAP, Source};
use super::split::LONGEST_WAIT;
use super::{Clip, Limits, Runner, StepError, Task, TaskOutput, settled};

/// What is said: complaints and nothing else.
const LEVEL: &str = "warning";
/// What every ffmpeg begins with: no questions, nothing said but complaints, files written over.
pub const QUIET: [&str; 6] = ["-nostdin", "-nostats", "-y", "-hide_banner", "-loglevel", LEVEL];

/// The name of an output in the task's directory.
pub fn output_name(index: usize) -> String {
    format!("output-{index}")
}

/// One output of a command.
#[derive(Debug)]
pub struct Output {
    /// The part that it takes, when that is not all.
    pub clip: Option<Clip>,
    /// What is done to the sound.
    pub filter: Option<String>,
    /// ffmpeg's arguments, the file's name the last.
    pub arguments: Vec<String>,
}

impl Output {
    /// The output of a task.
    pub fn of(task: &Task, index: usize) -> Self {
        let TaskOutput { clip, encoding, .. } = &task.outputs[index];
        let mut arguments = encoding.arguments();
        arguments.push(format!("file:{}", output_name(index)));
        Self { clip: *clip, filter: encoding.filter(), arguments }
    }
}

/// The arguments of a command that makes outputs of what it decodes once, and perhaps is fed with.
pub fn arguments(source: &Source<'_>, is_fed: bool, outputs: Vec<Output>) -> Vec<String> {
    let mut arguments: Vec<String> = QUIET.map(String::from).into();
    arguments.extend(["-dts_error_threshold".into(), LONGEST_GAP.to_string()]);
    arguments.extend(source.arguments(is_fed));
    let (sounds, rest): (Vec<_>, Vec<_>) =
        outputs.into_iter().map(|output| ((output.clip, output.filter), output.arguments)).unzip();
    let streams = source.streams(is_fed, &sounds);
    arguments.extend(streams.graph);
    for (map, rest) in streams.maps.into_iter().zip(rest) {
        arguments.extend(map);
        arguments.extend(source.tags(is_fed));
        arguments.extend(["-map_chapters", "-1"].map(String::from));
        arguments.extend(rest);
    }
    arguments
}

/// Makes the outputs whose indexes are given with one command; one result for each.
///
/// One failing encoder ends the whole command. Then each output is tried by itself, so that it fails alone.
pub async fn encode(
    runner: &Runner,
    source: &Source<'_>,
    task: &Task,
    wanted: &[usize],
    meter: Option<&Meter<'_>>,
) -> anyhow::Result<Vec<Result<(), Failure>>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let together = settled(command(runner, source, task, wanted, meter).await)?;
    match together {
        Err(failure) if wanted.len() > 1 && is_of_one(&failure) => apart(runner, source, task, wanted, meter).await,
        result => Ok(vec![result; wanted.len()]),
    }
}

/// Makes each with a command of its own.
pub async fn apart(
    runner: &Runner,
    source: &Source<'_>,
    task: &Task,
    wanted: &[usize],
    meter: Option<&Meter<'_>>,
) -> anyhow::Result<Vec<Result<(), Failure>>> {
    let mut results = Vec::with_capacity(wanted.len());
    for index in wanted {
        results.push(settled(command(runner, source, task, std::slice::from_ref(index), meter).await)?);
    }
    Ok(results)
}

/// Makes them with one command that also says what its input is, for [`super::report`]; `None` when that command fails.
pub async fn encode_and_report(
    runner: &Runner,
    source: &Source<'_>,
    task: &Task,
    wanted: &[usize],
) -> Result<Option<String>, StepError> {
    if wanted.is_empty() {
        return Ok(None);
    }
    let _place = runner.place().await;
    let mut arguments = arguments(source, false, wanted.iter().map(|&index| Output::of(task, index)).collect());
    if let Some(level) = arguments.iter_mut().find(|argument| *argument == LEVEL) {
        *level = "info".to_owned();
    }
    match process::run(runner, &runner.tools.ffmpeg, &arguments, source.directory).await? {
        Ended::Exited { status, stderr, .. } if status.success() => Ok(Some(stderr)),
        // Why is not read from what holds the file's own texts.
        Ended::Exited { .. } => Ok(None),
        ended @ Ended::TimedOut => succeeded(ended, task, &runner.limits).map(|()| None),
    }
}

async fn command(
    runner: &Runner,
    source: &Source<'_>,
    task: &Task,
    wanted: &[usize],
    meter: Option<&Meter<'_>>,
) -> Result<(), StepError> {
    let _place = runner.place().await;
    // What has no length is not fed either.
    let feed = meter.and_then(|_| source.feed());
    if feed.is_none() {
        source.whole().await?;
    }
    let outputs = wanted.iter().map(|&index| Output::of(task, index)).collect();
    let mut arguments = arguments(source, feed.is_some(), outputs);
    let Some(meter) = meter else {
        let ended = process::run(runner, &runner.tools.ffmpeg, &arguments, source.directory).await?;
        return succeeded(ended, task, &runner.limits);
    };
    arguments.extend(["-progress", "pipe:1"].map(String::from));
    let follow = async |report| Ok(meter.follow(report).await?);
    let time = if feed.is_some() { LONGEST_WAIT } else { runner.limits.time };
    let place = process::Place { directory: source.directory, time, stdin: feed };
    let (ended, ()) = process::follow(runner, &runner.tools.ffmpeg, &arguments, place, follow).await?;
    succeeded(ended, task, &runner.limits)
}

/// Whether it may be the fault of one output of several. Which one comes to light when each is tried by itself.
pub fn is_of_one(failure: &Failure) -> bool {
    matches!(failure.code, FailureCode::Unhandled | FailureCode::InputTooLarge)
}

/// What the end of an ffmpeg means for the job.
pub fn succeeded(ended: Ended, task: &Task, limits: &Limits) -> Result<(), StepError> {
    match ended {
        Ended::Exited { status, .. } if status.success() => Ok(()),
        Ended::Exited { stderr, .. } if stderr.contains("No space left on device") => {
            Err(StepError::Again(anyhow!("no space left for the files of job {}", task.job_id)))
        }
        Ended::Exited { status, .. } if status.signal() == Some(Signal::XFSZ.as_raw()) => {
            let sentence = format!("An output has more than {} bytes.", limits.output_bytes);
            Err(StepError::Failed(Failure::new(FailureCode::InputTooLarge, sentence)))
        }
        Ended::Exited { status, stderr, .. } => {
            // Mostly the file's fault, so there is nothing for an operator to do.
            tracing::info!(job_id = task.job_id, %status, stderr, "ffmpeg failed");
            Err(StepError::Failed(Failure::unhandled()))
        }
        Ended::TimedOut => {
            let seconds = limits.time.as_secs();
            tracing::warn!(job_id = task.job_id, seconds, "ffmpeg stopped at the limit of time");
            // Another code than Unhandled's retry: trying each output by itself would take as long again.
            let sentence = format!("Processing the media file was stopped after {seconds} seconds.");
            Err(StepError::Failed(Failure::new(FailureCode::Internal, sentence)))
        }
    }
}
