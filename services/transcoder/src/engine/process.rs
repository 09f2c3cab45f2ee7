//! Runs ffmpeg and ffprobe on files that nobody vouches for: in a sandbox, without environment, with bounded
//! time, memory and files.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStdout, Command};

use super::arrival::Arrival;
use super::{Limits, Runner};
use crate::metrics::Running;

/// What is kept of a process's complaints: the end says why it stopped.
const STDERR_TAIL: usize = 16 * 1024;
/// ffprobe's answer on a few streams has some kilobytes.
const STDOUT_MOST: u64 = 1024 * 1024;

/// How a process ended.
#[derive(Debug)]
pub enum Ended {
    /// By itself.
    Exited {
        /// Its exit status.
        status: ExitStatus,
        /// What it wrote, at most [`STDOUT_MOST`] bytes.
        stdout: Vec<u8>,
        /// The end of its complaints.
        stderr: String,
    },
    /// It was killed at the limit of time.
    TimedOut,
}

/// Runs a program in `directory` until it ends or its time is over. Dropping the future kills it.
pub async fn run(runner: &Runner, program: &Path, arguments: &[String], directory: &Path) -> anyhow::Result<Ended> {
    let beginning = async |stdout| Ok(beginning(stdout).await?);
    let place = Place { directory, time: runner.limits.time, stdin: None };
    let (mut ended, wrote) = follow(runner, program, arguments, place, beginning).await?;
    if let Ended::Exited { stdout, .. } = &mut ended {
        *stdout = wrote;
    }
    Ok(ended)
}

/// Where a program runs, how long it may, and what it gets.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Its directory.
    pub directory: &'a Path,
    /// Wall time.
    pub time: Duration,
    /// What it reads; nothing, if nothing is said.
    pub stdin: Option<&'a Arrival>,
}

/// The same, but what the program writes goes to `reader` while it runs; an error of the reader kills it. When its time
/// is over there is nothing read.
pub async fn follow<T: Default>(
    runner: &Runner,
    program: &Path,
    arguments: &[String],
    Place { directory, time, stdin }: Place<'_>,
    reader: impl AsyncFnOnce(ChildStdout) -> anyhow::Result<T>,
) -> anyhow::Result<(Ended, T)> {
    let mut contained = runner.sandbox.start(program, directory, |command| {
        prepare(command, arguments, directory);
        command.stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() });
    })?;
    let _running = Running::begin(if program == runner.tools.ffprobe { "ffprobe" } else { "ffmpeg" });
    let child = &mut contained.child;
    confine(child, &runner.limits);
    let (Some(stdout), stderr) = (child.stdout.take(), child.stderr.take()) else { bail!("a process without output") };
    let fed = child.stdin.take().zip(stdin);
    let work = async {
        let feed = async {
            match fed {
                Some((pipe, arrival)) => arrival.feed(pipe).await,
                None => Ok(()),
            }
        };
        let status = async { child.wait().await.with_context(|| format!("cannot follow {}", program.display())) };
        let complaints = async { Ok(tail(stderr).await?) };
        tokio::try_join!(status, reader(stdout), complaints, feed)
    };
    match tokio::time::timeout(time, Box::pin(work)).await {
        Ok(Ok((status, ..))) if was_stopped(status) => {
            bail!("{} was stopped from outside ({status})", program.display())
        }
        Ok(Ok((status, read, stderr, ()))) => Ok((Ended::Exited { status, stdout: Vec::new(), stderr }, read)),
        Ok(Err(cause)) => Err(cause),
        Err(_) => {
            child.kill().await.with_context(|| format!("cannot stop {}", program.display()))?;
            Ok((Ended::TimedOut, T::default()))
        }
    }
}

fn prepare(command: &mut Command, arguments: &[String], directory: &Path) {
    command
        .args(arguments)
        .current_dir(directory)
        .env_clear()
        .env("AV_LOG_FORCE_NOCOLOR", "1")
        // On many cores, the arenas of the threads that read 200 inputs would take all the address space there is
        // (mallopt(3), M_ARENA_MAX): 64 MiB for each.
        .env("MALLOC_ARENA_MAX", "8")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own: Ctrl-C in a terminal reaches the service, which then decides.
        .process_group(0)
        .kill_on_drop(true);
}

/// Whether somebody else ended it: an operator, a host that shuts down, the kernel out of memory. That says
/// nothing about the file. (After SIGTERM ffmpeg exits with 255 by itself, but a bad file may give that too.)
fn was_stopped(status: ExitStatus) -> bool {
    use rustix::process::Signal;
    let signals = [Signal::HUP, Signal::INT, Signal::KILL, Signal::TERM].map(Signal::as_raw);
    status.signal().is_some_and(|signal| signals.contains(&signal))
}

/// Sets the child's limits from outside, because running code between fork and exec is not safe. The child has run
/// for microseconds by then and read nothing.
#[cfg(target_os = "linux")]
fn confine(child: &Child, limits: &Limits) {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};

    const OPEN_FILES: u64 = 256;
    let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) else { return };
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    for (resource, most) in [
        (Resource::Cpu, limits.time.as_secs().saturating_mul(cores).max(1)),
        (Resource::Fsize, limits.output_bytes),
        (Resource::As, limits.memory_bytes),
        (Resource::Nofile, OPEN_FILES),
        (Resource::Core, 0),
    ] {
        // It fails for a process that has ended already, or when the service's own limit is lower: both are fine.
        if let Err(cause) = prlimit(Some(pid), resource, Rlimit { current: Some(most), maximum: Some(most) }) {
            tracing::debug!(?resource, %cause, "limit not set");
        }
    }
}

/// Other systems have no call that limits another process; time-out and size checks remain.
#[cfg(not(target_os = "linux"))]
fn confine(_: &Child, _: &Limits) {}

async fn beginning(mut stream: impl AsyncRead + Unpin) -> std::io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    (&mut stream).take(STDOUT_MOST).read_to_end(&mut kept).await?;
    // The rest is read away, or the process would wait for ever.
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    Ok(kept)
}

async fn tail(stream: Option<impl AsyncRead + Unpin>) -> std::io::Result<String> {
    let mut kept = Vec::with_capacity(1024);
    let Some(mut stream) = stream else { return Ok(String::new()) };
    loop {
        if stream.read_buf(&mut kept).await? == 0 {
            break;
        }
        if kept.len() > 2 * STDERR_TAIL {
            kept.drain(..kept.len() - STDERR_TAIL);
        }
    }
    let end = &kept[kept.len().saturating_sub(STDERR_TAIL)..];
    Ok(String::from_utf8_lossy(end).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    async fn shell(script: &str, time: Duration) -> Ended {
        let directory = tempfile::tempdir().unwrap();
        let limits = Limits { input_bytes: 0, output_bytes: 1 << 20, memory_bytes: 1 << 30, time };
        let runner = Runner::of_shell(limits);
        run(&runner, Path::new("/bin/sh"), &["-c".into(), script.into()], directory.path()).await.unwrap()
    }

    #[tokio::test]
    async fn output_is_kept_within_bounds() {
        let script = "echo answer; i=0; while [ $i -lt 9000 ]; do echo complaint $i >&2; i=$((i+1)); done; exit 3";
        let Ended::Exited { status, stdout, stderr } = shell(script, Duration::from_secs(30)).await else {
            panic!("timed out");
        };
        assert_eq!((status.code(), stdout.as_slice()), (Some(3), b"answer\n".as_slice()));
        assert!(stderr.ends_with("complaint 8999") && stderr.len() <= STDERR_TAIL, "{}", stderr.len());
    }

    #[tokio::test]
    async fn time_is_bounded() {
        let started = Instant::now();
        assert!(matches!(shell("exec sleep 60", Duration::from_millis(200)).await, Ended::TimedOut));
        assert!(started.elapsed() < Duration::from_secs(30));
    }

    #[tokio::test]
    async fn the_environment_is_empty() {
        let Ended::Exited { stdout, .. } = shell("echo ${HOME-none} ${CARGO-none}", Duration::from_secs(30)).await
        else {
            panic!("timed out");
        };
        assert_eq!(stdout, b"none none\n");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn files_are_bounded() {
        let script = "sleep 0.2; yes | head -c 3000000 > big; wc -c < big";
        let Ended::Exited { stdout, .. } = shell(script, Duration::from_secs(30)).await else {
            panic!("timed out");
        };
        assert_eq!(String::from_utf8_lossy(&stdout).trim(), (1 << 20).to_string());
    }
}
