//! One ffmpeg command that decodes once and makes every output.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use anyhow::anyhow;
use elastic_transcoder::{Failure, FailureCode};
use rustix::process::Signal;

use super::meter::Meter;
use super::process::{self, Ended};
use super::{Clip, Limits, Runner, StepError, Task, settled};

/// What every ffmpeg begins with: no questions, nothing said but complaints, files written over.
pub const QUIET: [&str; 6] = ["-nostdin", "-nostats", "-y", "-hide_banner", "-loglevel", "warning"];

/// The input's name in the task's directory. It has no extension, which ffmpeg would take for a hint.
pub const INPUT: &str = "input";

/// Kinds of file that ffmpeg may open. Left out is what names other files (playlists, concat scripts, image
/// sequences), reads devices, or takes any text for a picture or a subtitle.
pub const DEMUXERS: &str = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,asf,flv,mpeg,mpegts,mxf,ogg,wav,w64,mp3,aac,\
flac,aiff,caf,au,amr,ac3,eac3,dts,ape,wv,tta,dv,rm,nut,mpegvideo,m4v,voc,tak,mpc,mpc8";

/// What every ffmpeg command reads.
#[derive(Debug, Clone, Copy)]
pub struct EncodeInput<'a> {
    /// Set when the request insists on a kind of file.
    pub demuxer: Option<&'static str>,
    /// Where the input lies and the outputs go.
    pub directory: &'a Path,
}

/// The name of an output in the task's directory.
pub fn output_name(index: usize) -> String {
    format!("output-{index}")
}

/// The arguments that open the input, for ffmpeg and ffprobe alike.
pub fn input_arguments(demuxer: Option<&'static str>) -> Vec<String> {
    let mut arguments: Vec<String> = ["-protocol_whitelist", "file,pipe"].map(String::from).into();
    arguments.extend(["-format_whitelist".into(), DEMUXERS.into()]);
    if let Some(demuxer) = demuxer {
        arguments.extend(["-f".into(), demuxer.into()]);
    }
    arguments.extend(["-i".into(), format!("file:{INPUT}")]);
    arguments
}

/// The arguments up to the last output, with which a command makes the outputs whose indexes are given.
pub fn arguments(input: &EncodeInput<'_>, task: &Task, wanted: &[usize]) -> Vec<String> {
    let mut arguments: Vec<String> = QUIET.map(String::from).into();
    arguments.extend(input_arguments(input.demuxer));
    for &index in wanted {
        arguments.extend(["-map", "0:a:0", "-map_chapters", "-1"].map(String::from));
        arguments.extend(task.clip.iter().flat_map(Clip::arguments));
        arguments.extend(task.outputs[index].encoding.arguments());
        arguments.push(format!("file:{}", output_name(index)));
    }
    arguments
}

/// Makes the outputs whose indexes are given with one command; one result for each.
///
/// One failing encoder ends the whole command. Then each output is tried by itself, so that it fails alone.
pub async fn encode(
    runner: &Runner,
    input: &EncodeInput<'_>,
    task: &Task,
    wanted: &[usize],
    meter: Option<&Meter<'_>>,
) -> anyhow::Result<Vec<Result<(), Failure>>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let together = settled(command(runner, input, task, wanted, meter).await)?;
    match together {
        Err(failure) if wanted.len() > 1 && is_of_one(&failure) => {
            let mut results = Vec::with_capacity(wanted.len());
            for index in wanted {
                results.push(settled(command(runner, input, task, std::slice::from_ref(index), meter).await)?);
            }
            Ok(results)
        }
        result => Ok(vec![result; wanted.len()]),
    }
}

async fn command(
    runner: &Runner,
    input: &EncodeInput<'_>,
    task: &Task,
    wanted: &[usize],
    meter: Option<&Meter<'_>>,
) -> Result<(), StepError> {
    let _place = runner.place().await;
    let mut arguments = arguments(input, task, wanted);
    let Some(meter) = meter else {
        let ended = process::run(runner, &runner.tools.ffmpeg, &arguments, input.directory).await?;
        return succeeded(ended, task, &runner.limits);
    };
    arguments.extend(["-progress", "pipe:1"].map(String::from));
    let follow = async |report| Ok(meter.follow(report).await?);
    let place = process::Place { directory: input.directory, time: runner.limits.time };
    let (ended, ()) = process::feed(runner, &runner.tools.ffmpeg, &arguments, place, follow).await?;
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
