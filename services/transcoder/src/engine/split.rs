//! Encodes a long input on all cores: decodes it once, cuts what comes out into segments, encodes these side by side,
//! and joins them without encoding again.
//!
//! ```text
//!                    ┌─► outputs whose coders cannot be joined: wav, vorbis …
//! input ─► decode ───┤
//!                    └─► samples ─► cut ─► encode ┐
//!                                     ├──► encode ├─► join ─► (other container) ─► AAC, MP3 or FLAC
//!                                     └──► encode ┘
//! ```
//!
//! There is one stream of samples: outputs that need another one, of other rates or of whole numbers instead of floats,
//! are made by the decoder too.
//!
//! The decoder runs no further ahead than the segments that may lie on disk, so scratch space does not grow with the
//! length of the input by more than its outputs.

mod aac;
mod bits;
mod coder;
mod cut;
mod flac;
pub mod mp3;
mod mp4;
mod remote;
mod seam;

use std::fs::File;
use std::path::Path;
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
use coder::{Coder, Format, Parts, Stream};
use cut::{Grid, Segment};

pub use remote::{Part, make};

/// Longer segments of floats are not made, in seconds: the samples of some lie on disk.
const LONGEST_SEGMENT: u64 = 120;
/// How much longer than its overlap a segment is, if it may be: the overlap is encoded twice.
const WORTH: u64 = 15;
/// Segments for each encoder, so that none waits long for the last.
const SHARE: u64 = 2;
/// Samples that a segment has behind its own when it overlaps with the next.
const AFTER: u64 = 8 * 1024;
/// How long a program may run that mostly waits: for encoders that other jobs use, or for its input. Its processor time
/// is bound as that of all.
pub const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);
/// How often one segment is tried.
const TRIES: usize = 2;

/// How a long input is encoded. A helper gets it as it is ([`Part`]).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// What is cut.
    stream: Stream,
    grid: Grid,
    /// Outputs that are made of segments.
    joined: Vec<Joined>,
    /// Indexes of outputs that the decoder's own process makes.
    whole: Vec<usize>,
}

/// An output that is made of segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Joined {
    index: usize,
    coder: Coder,
}

impl Plan {
    /// `None` when one ffmpeg for all is as good: a short input, one core, no coder whose frames can be joined.
    pub fn of(task: &Task, wanted: &[usize], media: &[Media], encoders: usize) -> Option<Self> {
        let seconds = u64::try_from(task.millis_of(media)?).ok()? / 1000;
        // A helper counts as one more: it may come at any time, and one encoder alone loses little by cutting.
        let encoders = encoders + usize::from(task.offers.is_some());
        let (stream, joined, whole) = shares(task, wanted, media.first()?)?;
        if encoders < joined.iter().map(|one| one.coder.fewest_encoders()).max()? {
            return None;
        }
        let all = |of: fn(Coder, &Encoding, Sound) -> u64| {
            joined.iter().map(move |one| of(one.coder, &task.outputs[one.index].encoding, stream.sound))
        };
        let overlap = all(Coder::settling).max()?;
        let shortest = all(|coder, _, _| coder.shortest()).max()?.max(overlap * WORTH);
        let longest = LONGEST_SEGMENT * Format::F32.bytes() / stream.format.bytes();
        let segment = (seconds / (encoders as u64 * SHARE)).max(shortest).min(longest);
        if seconds < segment * 2 {
            return None;
        }
        let step = all(|coder, encoding, sound| coder.step(encoding, sound.rate)).fold(1, cut::common_multiple);
        let grid = grid(stream, segment, overlap, step);
        (grid.own > grid.before).then_some(Self { stream, grid, joined, whole })
    }

    /// How long so many samples last.
    fn length(&self, samples: u64) -> Duration {
        Duration::from_secs_f64(samples as f64 / f64::from(self.stream.sound.rate))
    }
}

/// Which stream is cut, and which outputs are made of it and which are not.
fn shares(task: &Task, wanted: &[usize], media: &Media) -> Option<(Stream, Vec<Joined>, Vec<usize>)> {
    let input = media.sound?;
    // One with a clip of its own takes another part of what is decoded.
    let of = |index: usize| {
        let TaskOutput { encoding, clip, .. } = &task.outputs[index];
        clip.is_none().then(|| Coder::of(encoding, input)).flatten()
    };
    let streams = wanted.iter().filter_map(|&index| Some(of(index)?.1));
    // What is coded from floats takes longer.
    let stream = streams.min_by_key(|stream| stream.format != Format::F32)?;
    let (mut joined, mut whole) = (Vec::new(), Vec::new());
    for &index in wanted {
        match of(index) {
            Some((coder, wants)) if wants == stream => joined.push(Joined { index, coder }),
            _ => whole.push(index),
        }
    }
    Some((stream, joined, whole))
}

/// Segments of so many seconds and overlap, in steps of so many samples.
fn grid(stream: Stream, segment: u64, overlap: u64, step: u64) -> Grid {
    let samples = |seconds: u64| seconds * u64::from(stream.sound.rate);
    Grid {
        sample_bytes: stream.sample_bytes(),
        own: samples(segment) / step * step,
        before: samples(overlap).next_multiple_of(step),
        after: if overlap == 0 { 0 } else { AFTER },
    }
}

/// Makes the outputs of the plan, and says of each when it is made. A failure says nothing yet about the others: the
/// caller tries them in one piece.
pub async fn encode(
    runner: &Runner,
    input: &Source<'_>,
    task: &Task,
    plan: &Plan,
    meter: Option<&Meter<'_>>,
    made: &(dyn Fn(usize) + Sync),
) -> Result<(), StepError> {
    let slots = Arc::new(Semaphore::new(runner.encoders() + 2));
    let (sender, mut segments) = mpsc::channel(1);
    let decode = async {
        let decoded = Box::pin(decode(runner, input, task, plan, slots.clone(), sender)).await?;
        if decoded.samples > 0 {
            plan.whole.iter().copied().for_each(made);
        }
        Ok(decoded)
    };
    let encode = stream::poll_fn(|context| segments.poll_recv(context))
        .map(|segment| Box::pin(tried(runner, input, task, plan, segment)))
        .buffer_unordered(runner.encoders() + 2 + remote::most(task))
        .try_fold(0, |count, ()| {
            if let Some(meter) = meter {
                meter.at(plan.length((count + 1) * plan.grid.own));
            }
            ready(Ok(count + 1))
        });
    let (decoded, count) = remote::beside(task, async { tokio::try_join!(decode, encode) }).await?;
    if count == 0 {
        return Err(StepError::Failed(task.nothing(None)));
    }
    for &one in &plan.joined {
        join(runner, input, task, one, parts(input, plan, one, decoded, count)).await?;
        made(one.index);
    }
    Ok(())
}

/// What came out of the decoder.
#[derive(Debug, Clone, Copy, Default)]
struct Decoded {
    samples: u64,
    md5: Option<[u8; 16]>,
}

/// Decodes once, makes the outputs that are not cut, and cuts the samples for the others.
///
/// It takes no place of an encoder: most of the time it waits for one.
async fn decode(
    runner: &Runner,
    input: &Source<'_>,
    task: &Task,
    plan: &Plan,
    slots: Arc<Semaphore>,
    ready: mpsc::Sender<Segment>,
) -> Result<Decoded, StepError> {
    let mut outputs: Vec<Output> = plan.whole.iter().map(|&index| Output::of(task, index)).collect();
    // Without flushing each packet goes through the pipe by itself.
    let pipe = ["-flush_packets", "0", "pipe:1"].map(String::from);
    let samples = plan.stream.arguments().into_iter().chain(pipe).collect();
    outputs.push(Output { clip: None, filter: None, arguments: samples });
    let feed = input.feed();
    let arguments = encode::arguments(input, feed.is_some(), outputs);
    let is_summed = plan.joined.iter().any(|one| one.coder == Coder::Flac);
    let (grid, directory) = (plan.grid, input.directory.to_owned());
    let cut = async |stdout| {
        let stream = blocking(stdout)?;
        // When the job is stopped, so is the decoder, and the stream ends.
        tokio::task::spawn_blocking(move || {
            if !is_summed {
                return Ok(Decoded { samples: cut::cut(stream, grid, &directory, &slots, &ready)?, md5: None });
            }
            let mut stream = flac::Summed::new(stream);
            let samples = cut::cut(&mut stream, grid, &directory, &slots, &ready)?;
            Ok(Decoded { samples, md5: Some(stream.md5()) })
        })
        .await?
    };
    let place = process::Place { directory: input.directory, time: LONGEST_WAIT, stdin: feed };
    let (ended, decoded) = process::follow(runner, &runner.tools.ffmpeg, &arguments, place, cut).await?;
    encode::succeeded(ended, task, &runner.limits)?;
    Ok(decoded)
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
    arguments.extend(plan.stream.arguments());
    arguments.extend(["-i".into(), format!("file:{}", cut::segment_name(number))]);
    // The first brings the tags, which samples do not have.
    let is_first = number == 0;
    if is_first {
        arguments.extend(input.first_arguments());
    }
    for &Joined { index, coder } in &plan.joined {
        let tags = if is_first { input.tags_of(1) } else { ["-map_metadata", "-1"].map(String::from).into() };
        let take = ["-map", "0:a:0", "-map_chapters", "-1"].map(String::from).into_iter().chain(tags);
        let take = take.chain(task.outputs[index].encoding.codec.iter().cloned());
        let take: Vec<String> = take.chain(coder.frames(plan.stream.sound.rate)).collect();
        arguments.extend(take.iter().cloned());
        arguments.extend(coder.part().iter().copied().map(String::from));
        arguments.push(format!("file:{}", part_name(index, number)));
        if is_first && coder == Coder::Flac {
            arguments.extend(take);
            arguments.extend(["-frames:a", "1"].into_iter().chain(coder.container().iter().copied()).map(String::from));
            arguments.push(format!("file:{}", header_name(index)));
        }
    }
    let ended = process::run(runner, &runner.tools.ffmpeg, &arguments, input.directory).await?;
    encode::succeeded(ended, task, &runner.limits)
}

/// What an output is joined of.
fn parts(input: &Source<'_>, plan: &Plan, Joined { index, .. }: Joined, decoded: Decoded, count: u64) -> Parts {
    Parts {
        paths: (0..count).map(|number| input.directory.join(part_name(index, number))).collect(),
        header: input.directory.join(header_name(index)),
        grid: plan.grid,
        rate: plan.stream.sound.rate,
        samples: decoded.samples,
        md5: decoded.md5,
    }
}

async fn join(
    runner: &Runner,
    input: &Source<'_>,
    task: &Task,
    Joined { index, coder }: Joined,
    parts: Parts,
) -> Result<(), StepError> {
    let is_plain = task.outputs[index].encoding.container == coder.container();
    let name = if is_plain { output_name(index) } else { format!("joined-{index}") };
    let to = input.directory.join(&name);
    let joining = move || {
        coder.join(&parts, &to)?;
        parts.paths.iter().try_for_each(std::fs::remove_file)
    };
    if let Err(cause) = tokio::task::spawn_blocking(joining).await? {
        tracing::warn!(job_id = task.job_id, %cause, "segments cannot be joined; encoding in one piece");
        return Err(StepError::Failed(Failure::unhandled()));
    }
    if is_plain { Ok(()) } else { repack(runner, input.directory, task, index, &name).await }
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

/// A file of one frame, for its header.
fn header_name(index: usize) -> String {
    format!("header-{index}")
}

fn part_name(index: usize, number: u64) -> String {
    format!("part-{index}-{number}")
}

#[cfg(test)]
mod tests;
