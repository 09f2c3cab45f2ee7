//! Encodes a long input on all cores: decodes it once, cuts what comes out into segments, encodes these side by side,
//! and joins them without encoding again.
//!
//! ```text
//!                    ┌─► outputs whose coders cannot be joined: wav, flac, mp3 …
//! input ─► decode ───┤
//!                    └─► samples ─► cut ─► encode ┐
//!                                     ├──► encode ├─► join ─► (other container) ─► AAC outputs
//!                                     └──► encode ┘
//! ```
//!
//! The decoder runs no further ahead than the segments that may lie on disk, so scratch space does not grow with the
//! length of the input by more than its outputs.

mod cut;
mod join;
mod mp4;
mod remote;
mod seam;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use elastic_transcoder::Failure;
use futures::future::ready;
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::process::ChildStdout;
use tokio::sync::{Semaphore, mpsc};

use super::encode::{self, Output, output_name};
use super::meter::Meter;
use super::plan::{Encoding, Sound};
use super::probe::Media;
use super::source::Source;
use super::{Runner, StepError, Task, TaskOutput, process};
use cut::{FRAME, Grid, Segment};

pub use remote::{Part, make};

/// Longer segments are not made, in seconds: the samples of some lie on disk.
const LONGEST_SEGMENT: u64 = 120;
/// How much longer than its overlap a segment is, if it may be: the overlap is encoded twice.
const WORTH: u64 = 15;
/// Segments for each encoder, so that none waits long for the last.
const SHARE: u64 = 2;
/// How long the decoder may run, most of which it waits for encoders that other jobs use; its processor time is bound
/// as that of all.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);
/// How often one segment is tried.
const TRIES: usize = 2;

/// How a long input is encoded. A helper gets it as it is ([`Part`]).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// The sound that is cut.
    sound: Sound,
    grid: Grid,
    /// Indexes of outputs that are made of segments.
    joined: Vec<usize>,
    /// Indexes of outputs that the decoder's own process makes.
    whole: Vec<usize>,
}

impl Plan {
    /// `None` when one ffmpeg for all is as good: a short input, one core, no coder whose frames can be joined.
    pub fn of(task: &Task, wanted: &[usize], media: &[Media], encoders: usize) -> Option<Self> {
        let seconds = u64::try_from(task.millis_of(media)?).ok()? / 1000;
        // A helper counts as one more: it may come at any time, and one encoder alone loses little by cutting.
        let encoders = encoders + usize::from(task.offers.is_some());
        if encoders < 2 {
            return None;
        }
        let (encoding, input) = (|index: &usize| &task.outputs[*index].encoding, media.first()?.sound?);
        let can_join = |index: &usize| can_join(&task.outputs[*index], input);
        // Outputs of other rates or channels would need a stream of their own.
        let sound = wanted.iter().find_map(can_join)?;
        let (joined, whole): (Vec<usize>, Vec<usize>) = wanted.iter().partition(|index| can_join(index) == Some(sound));
        let overlap = joined.iter().map(|index| settling(encoding(index), sound)).max()?;
        let segment = (seconds / (encoders as u64 * SHARE)).max(overlap * WORTH).min(LONGEST_SEGMENT);
        if seconds < segment * 2 {
            return None;
        }
        let frames = |seconds: u64| seconds * u64::from(sound.rate) / FRAME;
        let sample_bytes = size_of::<f32>() as u64 * u64::from(sound.channels);
        let grid = Grid { sample_bytes, frames: frames(segment), before: frames(overlap) };
        Some(Self { sound, grid, joined, whole })
    }

    /// How long so many frames last.
    fn length(&self, frames: u64) -> Duration {
        Duration::from_secs_f64((frames * FRAME) as f64 / f64::from(self.sound.rate))
    }
}

/// Seconds that ffmpeg's AAC coder takes until it spends its bits as one that has long been at work (measured: noise
/// at 128 kb/s is coded 5 dB worse for the first 5 seconds; at 256 kb/s it is 0.3 dB worse after one).
fn settling(encoding: &Encoding, sound: Sound) -> u64 {
    const AMPLE: f64 = 2.5;
    let samples = f64::from(sound.rate) * f64::from(sound.channels);
    let is_ample = encoding.bit_rate.is_some_and(|rate| f64::from(rate) / samples >= AMPLE);
    if is_ample { 2 } else { 10 }
}

/// The sound of an output whose frames can be joined, and that takes all that is decoded.
fn can_join(output: &TaskOutput, input: Sound) -> Option<Sound> {
    let sound = output.encoding.sound(input);
    (output.encoding.can_be_joined() && output.clip.is_none() && sound.channels <= 2).then_some(sound)
}

/// Makes the outputs of the plan. A failure says nothing yet about each single output: the caller tries them in one
/// piece.
pub async fn encode(
    runner: &Runner,
    input: &Source<'_>,
    task: &Task,
    plan: &Plan,
    meter: Option<&Meter<'_>>,
) -> Result<(), StepError> {
    let slots = Arc::new(Semaphore::new(runner.encoders() + 2));
    let (sender, mut segments) = mpsc::channel(1);
    let decode = decode(runner, input, task, plan, slots.clone(), sender);
    let encode = stream::poll_fn(|context| segments.poll_recv(context))
        .map(|segment| tried(runner, input, task, plan, segment))
        .buffer_unordered(runner.encoders() + 2 + remote::most(task))
        .try_fold(0, |count, ()| {
            if let Some(meter) = meter {
                meter.at(plan.length((count + 1) * plan.grid.frames));
            }
            ready(Ok(count + 1))
        });
    let (samples, count) = remote::beside(task, async { tokio::try_join!(decode, encode) }).await?;
    if count == 0 {
        return Err(StepError::Failed(task.nothing(None)));
    }
    for &index in &plan.joined {
        join(runner, input, task, plan, Joined { index, count, samples }).await?;
    }
    Ok(())
}

/// Decodes once, makes the outputs that are not cut, and cuts the samples for the others. Gives back their number.
///
/// It takes no place of an encoder: most of the time it waits for one.
async fn decode(
    runner: &Runner,
    input: &Source<'_>,
    task: &Task,
    plan: &Plan,
    slots: Arc<Semaphore>,
    ready: mpsc::Sender<Segment>,
) -> Result<u64, StepError> {
    let mut outputs: Vec<Output> = plan.whole.iter().map(|&index| Output::of(task, index)).collect();
    // Without flushing each packet goes through the pipe by itself.
    let pipe = ["-c:a", "pcm_f32le", "-flush_packets", "0", "-f", "f32le", "pipe:1"].map(String::from);
    let samples = plan.sound.arguments().into_iter().chain(pipe).collect();
    outputs.push(Output { clip: None, filter: None, arguments: samples });
    let arguments = encode::arguments(input, outputs);
    let (grid, directory) = (plan.grid, input.directory.to_owned());
    let cut = async |stdout| {
        let stream = blocking(stdout)?;
        // When the job is stopped, so is the decoder, and the stream ends.
        tokio::task::spawn_blocking(move || cut::cut(stream, grid, &directory, &slots, &ready)).await?
    };
    let place = process::Place { directory: input.directory, time: LONGEST_WAIT };
    let (ended, samples) = process::feed(runner, &runner.tools.ffmpeg, &arguments, place, cut).await?;
    encode::succeeded(ended, task, &runner.limits)?;
    Ok(samples)
}

/// The other end of a pipe for a thread that may wait for it, with room for all that it reads at a time.
fn blocking(stdout: ChildStdout) -> anyhow::Result<File> {
    let pipe = stdout.into_owned_fd()?;
    rustix::io::ioctl_fionbio(&pipe, false)?;
    #[cfg(target_os = "linux")]
    if let Err(cause) = rustix::pipe::fcntl_setpipe_size(&pipe, cut::CHUNK) {
        // The system's default does too.
        tracing::debug!(%cause, "a pipe stays small");
    }
    Ok(pipe.into())
}

/// Has a helper encode a segment or encodes it, and again when that fails: by itself, whatever becomes of the others.
async fn tried(
    runner: &Runner,
    input: &Source<'_>,
    task: &Task,
    plan: &Plan,
    mut segment: Segment,
) -> Result<(), StepError> {
    let Some(_place) = remote::place(runner, input, task, plan, &mut segment).await else { return Ok(()) };
    let mut tries = 1;
    loop {
        match one(runner, input, task, plan, segment.number).await {
            Err(_) if tries < TRIES => tries += 1,
            result => return result,
        }
    }
}

/// Encodes a segment's samples, which lie in the input's directory. The caller has the place of an encoder.
async fn one(runner: &Runner, input: &Source<'_>, task: &Task, plan: &Plan, number: u64) -> Result<(), StepError> {
    let mut arguments: Vec<String> = encode::QUIET.map(String::from).into();
    arguments.extend(["-f", "f32le"].map(String::from));
    arguments.extend(plan.sound.arguments());
    arguments.extend(["-i".into(), format!("file:{}", cut::segment_name(number))]);
    // The first brings the tags, which samples do not have.
    let is_first = number == 0;
    if is_first {
        arguments.extend(input.first_arguments());
    }
    for &index in &plan.joined {
        let tags = if is_first { input.tags_of(1) } else { ["-map_metadata", "-1"].map(String::from).into() };
        arguments.extend(["-map", "0:a:0", "-map_chapters", "-1"].map(String::from));
        arguments.extend(tags);
        arguments.extend(task.outputs[index].encoding.codec.iter().cloned());
        arguments.extend(["-f".into(), "mp4".into(), format!("file:{}", part_name(index, number))]);
    }
    let ended = process::run(runner, &runner.tools.ffmpeg, &arguments, input.directory).await?;
    encode::succeeded(ended, task, &runner.limits)
}

struct Joined {
    index: usize,
    count: u64,
    samples: u64,
}

async fn join(
    runner: &Runner,
    input: &Source<'_>,
    task: &Task,
    plan: &Plan,
    Joined { index, count, samples }: Joined,
) -> Result<(), StepError> {
    let encoding = &task.outputs[index].encoding;
    let parts: Vec<PathBuf> = (0..count).map(|number| input.directory.join(part_name(index, number))).collect();
    let is_mp4 = encoding.is_plain_mp4();
    let name = if is_mp4 { output_name(index) } else { format!("joined-{index}") };
    let (to, grid, rate) = (input.directory.join(&name), plan.grid, plan.sound.rate);
    let joining = move || {
        join::join(&parts, grid, samples, rate, &to)?;
        parts.iter().try_for_each(std::fs::remove_file)
    };
    if let Err(cause) = tokio::task::spawn_blocking(joining).await? {
        tracing::warn!(job_id = task.job_id, %cause, "segments cannot be joined; encoding in one piece");
        return Err(StepError::Failed(Failure::unhandled()));
    }
    if is_mp4 { Ok(()) } else { repack(runner, input.directory, task, index, &name).await }
}

/// Puts the frames of a joined file into the container that the output shall have.
async fn repack(runner: &Runner, directory: &Path, task: &Task, index: usize, joined: &str) -> Result<(), StepError> {
    let mut arguments: Vec<String> = encode::QUIET.map(String::from).into();
    arguments.extend(["-i".into(), format!("file:{joined}"), "-c".into(), "copy".into()]);
    arguments.extend(task.outputs[index].encoding.container.iter().cloned());
    arguments.push(format!("file:{}", output_name(index)));
    let _place = runner.place().await;
    let ended = process::run(runner, &runner.tools.ffmpeg, &arguments, directory).await?;
    encode::succeeded(ended, task, &runner.limits)
}

fn part_name(index: usize, number: u64) -> String {
    format!("part-{index}-{number}")
}

#[cfg(test)]
mod tests;
