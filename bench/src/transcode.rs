//! Jobs through the transcoder, beside plain ffmpeg in the same run.

mod service;

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use futures::future::try_join_all;

use crate::{line, process::processor_of_children};
use service::{Service, World};

/// ffmpeg's arguments for the three outputs of Segue's default profile: wav, flac and AAC at 256 kb/s.
const THREE: [(&str, &str); 3] = [
    ("1351620000001-300300", "-c:a pcm_s16le -ar 44100 -ac 2 -f wav"),
    ("1351620000001-300110", "-c:a flac -sample_fmt s16 -ar 44100 -ac 2 -f flac"),
    ("1351620000001-100110", "-c:a aac -profile:a aac_low -b:a 256k -ar 44100 -ac 2 -movflags +faststart -f mp4"),
];
/// A long input, in seconds.
const LONG: u32 = 1200;
/// Clips of ten seconds.
const CLIPS: usize = 200;
/// Clips of one second, one after the other.
const SHORT: usize = 20;

/// Measures all of it below a directory.
pub async fn measure(directory: &Path) -> anyhow::Result<()> {
    let media = Media::make(directory)?;
    let world = World::start(&directory.join("cloud")).await?;
    for (name, path) in [("long", &media.long), ("clip", &media.clip), ("short", &media.short)] {
        world.put(name, path).await?;
    }
    let service = Service::start(&world, directory, "one", None).await?;
    long(&world, &service, &media).await?;
    short(&world, &service, &media).await?;
    clips(&world, &service, &media).await?;
    line("transcoder: resident memory, without ffmpeg", &format!("{} MiB", service.peak_mib()?), "≤ 64 MiB");
    drop(service);
    two(&world, directory).await
}

/// Inputs, made by ffmpeg: noise that swells, tones that waver.
struct Media {
    directory: PathBuf,
    long: PathBuf,
    clip: PathBuf,
    short: PathBuf,
}

impl Media {
    fn make(directory: &Path) -> anyhow::Result<Self> {
        let make = |name: &str, seconds: u32| {
            let path = directory.join(name);
            let graph = format!(
                "anoisesrc=d={seconds}:c=pink:r=44100:a=0.3,tremolo=f=3:d=0.7[n];sine=f=330:r=44100:d={seconds},vibrato=f=5[a];\
                 sine=f=550:r=44100:d={seconds},tremolo=f=1[b];[n][a][b]join=inputs=3:channel_layout=2.1,\
                 pan=stereo|c0=0.5*c0+0.4*c1+0.2*c2|c1=0.4*c0+0.2*c1+0.5*c2"
            );
            let mut command = Command::new("ffmpeg");
            command.args(["-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", &graph]);
            let made = command.args(["-c:a", "libmp3lame", "-b:a", "192k", "-f", "mp3"]).arg(&path).status()?;
            ensure!(made.success(), "ffmpeg cannot make {name}");
            Ok::<_, anyhow::Error>(path)
        };
        let (long, clip, short) = (make("long", LONG)?, make("clip", 10)?, make("short", 1)?);
        Ok(Self { directory: directory.to_owned(), long, clip, short })
    }

    /// One plain ffmpeg that makes the same three files.
    fn plain(&self, input: &Path, number: usize) -> Command {
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-nostdin", "-y", "-i"]).arg(input);
        for (at, (_, arguments)) in THREE.iter().enumerate() {
            command.args(["-map", "0:a:0"]).args(arguments.split(' '));
            command.arg(self.directory.join(format!("plain-{number}-{at}")));
        }
        command.stdin(Stdio::null());
        command
    }

    /// Its wall time, and its processor time.
    fn time_plain(&self, input: &Path) -> anyhow::Result<(Duration, Duration)> {
        let (start, before) = (Instant::now(), processor_of_children()?);
        ensure!(self.plain(input, 0).status()?.success(), "ffmpeg failed");
        Ok((start.elapsed(), processor_of_children()? - before))
    }
}

/// Wall and processor time of a long job against one ffmpeg command.
async fn long(world: &World, service: &Service, media: &Media) -> anyhow::Result<()> {
    let (plain, plain_cpu) = media.time_plain(&media.long)?;
    let (start, before) = (Instant::now(), service.cpu()?);
    wall(world, service, "long").await?;
    let (ours, ours_cpu) = (start.elapsed(), service.cpu()? - before);
    let ratio = |ours: Duration, plain: Duration| ours.as_secs_f64() / plain.as_secs_f64();
    let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
    line(
        "20 minutes to wav, flac and mp4, one ffmpeg: wall, CPU",
        &format!("{}, {}", seconds(plain), seconds(plain_cpu)),
        "",
    );
    line("    as a job: wall, CPU", &format!("{}, {}", seconds(ours), seconds(ours_cpu)), "");
    line("    ratio of wall times", &format!("{:.2}", ratio(ours, plain)), "≤ 0.6");
    line("    ratio of CPU times", &format!("{:.2}", ratio(ours_cpu, plain_cpu)), "≤ 1.05");
    Ok(())
}

/// What the system adds to ffmpeg's own time for a clip of one second.
async fn short(world: &World, service: &Service, media: &Media) -> anyhow::Result<()> {
    let (mut plain, mut ours) = (Vec::new(), Vec::new());
    for number in 0..SHORT {
        plain.push(media.time_plain(&media.short)?.0);
        let start = Instant::now();
        let job = service.submit("short", &format!("short-{number}")).await?;
        world.completed(&[job]).await?;
        ours.push(start.elapsed());
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    let (plain, ours) = (median(&mut plain), median(&mut ours));
    let added = ours.saturating_sub(plain).as_millis();
    let figure = format!("{added} ms ({} − {})", ours.as_millis(), plain.as_millis());
    line("a clip of 1 s: from CreateJob to COMPLETED, ffmpeg's time taken off", &figure, "≤ 60 ms");
    Ok(())
}

/// Clips a second through the queue against `xargs -P` over plain ffmpeg.
async fn clips(world: &World, service: &Service, media: &Media) -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism()?.get();
    let start = Instant::now();
    plain_clips(media, cores)?;
    let plain = CLIPS as f64 / start.elapsed().as_secs_f64();
    let ours = rate(world, service, "clip").await?;
    line(&format!("{CLIPS} clips of 10 s: xargs -P {cores}"), &format!("{plain:.1}/s"), "");
    line("    as jobs", &format!("{ours:.1}/s"), "");
    line("    ratio", &format!("{:.2}", ours / plain), "≥ 0.9");
    Ok(())
}

/// As `xargs -P` does it: so many commands at a time, each a process.
fn plain_clips(media: &Media, at_once: usize) -> anyhow::Result<()> {
    let command = media.plain(&media.clip, 0);
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    // Each number makes files of its own.
    let words: Vec<String> = words.map(|word| word.to_string_lossy().replace("plain-0-", "plain-{}-")).collect();
    let mut xargs =
        Command::new("xargs").args(["-P", &at_once.to_string(), "-I{}"]).args(&words).stdin(Stdio::piped()).spawn()?;
    let numbers: String = (0..CLIPS).map(|number| format!("{number}\n")).collect();
    std::io::Write::write_all(&mut xargs.stdin.take().context("no input")?, numbers.as_bytes())?;
    ensure!(xargs.wait()?.success(), "xargs failed");
    Ok(())
}

async fn rate(world: &World, service: &Service, prefix: &str) -> anyhow::Result<f64> {
    let start = Instant::now();
    let submits = (0..CLIPS).map(|number| async move { service.submit("clip", &format!("{prefix}-{number}")).await });
    let jobs = try_join_all(submits).await?;
    world.completed(&jobs).await?;
    Ok(CLIPS as f64 / start.elapsed().as_secs_f64())
}

/// Two processes, each on a core of its own, against one on one core.
async fn two(world: &World, directory: &Path) -> anyhow::Result<()> {
    if std::thread::available_parallelism()?.get() < 2 {
        return Ok(());
    }
    let first = Service::start(world, directory, "two", Some(0)).await?;
    let one = rate(world, &first, "one").await?;
    let alone = wall(world, &first, "alone").await?;
    let second = Service::start(world, directory, "two", Some(1)).await?;
    let both = rate(world, &first, "two").await?;
    let helped = wall(world, &first, "helped").await?;
    drop(second);
    line(
        "two transcoders with a core each against one: ratio of clips a second",
        &format!("{:.2}", both / one),
        "≥ 1.8",
    );
    line(
        "    20 minutes that the two share: wall, of one alone",
        &format!("{:.1} s, {:.1} s", helped.as_secs_f64(), alone.as_secs_f64()),
        "",
    );
    line("    ratio", &format!("{:.2}", helped.as_secs_f64() / alone.as_secs_f64()), "≤ 0.7");
    Ok(())
}

/// How long the long job takes.
async fn wall(world: &World, service: &Service, output: &str) -> anyhow::Result<Duration> {
    let start = Instant::now();
    let job = service.submit("long", output).await?;
    world.completed(&[job]).await?;
    Ok(start.elapsed())
}
