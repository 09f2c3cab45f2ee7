//! Processes, and what the system counts of them (proc(5)).

use std::{
    process::{Child, Command},
    time::Duration,
};

use anyhow::{Context, ensure};

/// What processor time is counted in: hundredths of a second, on every architecture that Linux runs on today
/// (`sysconf(_SC_CLK_TCK)`).
const TICKS: f64 = 100.0;

/// A child that ends with its owner.
pub struct Process(pub Child);

impl Process {
    /// Starts it.
    pub fn spawn(command: &mut Command) -> anyhow::Result<Self> {
        let program = command.get_program().to_owned();
        Ok(Self(command.spawn().with_context(|| format!("cannot start {}", program.display()))?))
    }

    /// Its memory in MiB, by the name of a line of its `status`.
    pub fn memory_mib(&self, name: &str) -> anyhow::Result<u64> {
        let path = format!("/proc/{}/status", self.0.id());
        let status = std::fs::read_to_string(&path).with_context(|| path)?;
        let line = status.lines().find(|line| line.starts_with(name)).context("no such line")?;
        let kib: u64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
        ensure!(kib > 0, "the process has ended");
        Ok(kib / 1024)
    }

    /// The processor time that it has used.
    pub fn processor(&self) -> anyhow::Result<Duration> {
        times(&self.0.id().to_string()).map(|(own, _)| own)
    }

    /// The processor time that it and those processes have used that it has waited for.
    pub fn processor_with_children(&self) -> anyhow::Result<Duration> {
        times(&self.0.id().to_string()).map(|(own, children)| own + children)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The processor time of the processes that this one has waited for.
pub fn processor_of_children() -> anyhow::Result<Duration> {
    times("self").map(|(_, children)| children)
}

/// Of a process itself, and of those that it has waited for.
fn times(process: &str) -> anyhow::Result<(Duration, Duration)> {
    let path = format!("/proc/{process}/stat");
    let stat = std::fs::read_to_string(&path).with_context(|| path)?;
    // The name of the program, in brackets, may hold anything; the 12th to 15th field behind it are user and system
    // time, its own and its children's.
    let (_, fields) = stat.rsplit_once(')').context("no name")?;
    let ticks: Vec<f64> = fields.split_whitespace().skip(11).take(4).map(str::parse).collect::<Result<_, _>>()?;
    let &[user, system, user_of_children, system_of_children] = ticks.as_slice() else { anyhow::bail!("no times") };
    let seconds = |ticks: f64| Duration::from_secs_f64(ticks / TICKS);
    Ok((seconds(user + system), seconds(user_of_children + system_of_children)))
}
