//! What this service measures: jobs, and the programs that do their work.

use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use elastic_transcoder::{DetectedProperties, JobStatus};
use metrics::{
    Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

/// Says what is counted here. Each series begins at 0, so that its first step is seen.
pub fn describe() {
    for status in [JobStatus::Complete, JobStatus::Error, JobStatus::Canceled] {
        counter!("transcoder_jobs_total", "state" => status.as_str()).increment(0);
    }
    describe_gauge!(
        "transcoder_jobs",
        Unit::Count,
        "Unfinished jobs by state, of all processes, counted up to 10,000."
    );
    describe_counter!("transcoder_jobs_total", Unit::Count, "Jobs that this process brought to an end, by state.");
    describe_histogram!("transcoder_job_duration_seconds", Unit::Seconds, "How long this process worked on a job.");
    describe_histogram!(
        "transcoder_realtime_factor",
        "Seconds of media that a complete job was made from, for each second of work."
    );
    describe_histogram!("transcoder_program_duration_seconds", Unit::Seconds, "How long an ffmpeg or ffprobe ran.");
    describe_histogram!("transcoder_program_cpu_seconds", Unit::Seconds, "Processor time of a program that ended.");
    describe_gauge!("transcoder_programs_running", Unit::Count, "Programs that run now.");
    describe_gauge!("transcoder_scratch_bytes", Unit::Bytes, "What running jobs have on disk.");
    describe_gauge!("transcoder_scratch_limit_bytes", Unit::Bytes, "What they may have there together.");
}

/// How many jobs wait and run, as the database knows them.
pub fn unfinished(waiting: i64, running: i64) {
    gauge!("transcoder_jobs", "state" => JobStatus::Submitted.as_str()).set(waiting as f64);
    gauge!("transcoder_jobs", "state" => JobStatus::Progressing.as_str()).set(running as f64);
}

/// A job has come to its end here.
pub fn ended(status: JobStatus) {
    counter!("transcoder_jobs_total", "state" => status.as_str()).increment(1);
}

/// A job was worked on until it had an end. Media whose length nobody knows say nothing about speed.
pub fn worked(took: Duration, detected: &[DetectedProperties], complete: bool) {
    histogram!("transcoder_job_duration_seconds").record(took);
    let millis: i64 = detected.iter().filter_map(|input| input.duration_millis).sum();
    if complete && millis > 0 && !took.is_zero() {
        histogram!("transcoder_realtime_factor").record(millis as f64 / 1000.0 / took.as_secs_f64());
    }
}

/// What running jobs have on disk.
pub fn scratch(bytes: u64) {
    static BYTES: LazyLock<Gauge> = LazyLock::new(|| gauge!("transcoder_scratch_bytes"));
    BYTES.set(bytes as f64);
}

/// What they may have.
pub fn scratch_limit(bytes: u64) {
    gauge!("transcoder_scratch_limit_bytes").set(bytes as f64);
}

/// A program that runs; counted when this is dropped, which is when it has ended or is killed.
pub struct Running {
    program: &'static str,
    start: Instant,
}

impl Running {
    /// `program` is a constant of the code.
    pub fn begin(program: &'static str) -> Self {
        gauge!("transcoder_programs_running", "program" => program).increment(1.0);
        Self { program, start: Instant::now() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        gauge!("transcoder_programs_running", "program" => self.program).decrement(1.0);
        histogram!("transcoder_program_duration_seconds", "program" => self.program).record(self.start.elapsed());
        record_processor_time();
    }
}

/// The kernel knows the processor time of all children that have ended, together: what it grew by is put down to this one.
/// The sum is right; one sample is not, when two end at the same moment or one was killed.
fn record_processor_time() {
    static KNOWN: Mutex<f64> = Mutex::new(0.0);
    static SECONDS: LazyLock<Histogram> = LazyLock::new(|| histogram!("transcoder_program_cpu_seconds"));
    let Some(now) = children_seconds() else { return };
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    SECONDS.record((now - *known).max(0.0));
    *known = now;
}

/// cutime and cstime (proc_pid_stat(5)): the fields 16 and 17, of which the second is a name in brackets that may hold anything.
#[cfg(target_os = "linux")]
fn children_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some((ticks(16)? + ticks(17)?) as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// Other systems have no such file.
#[cfg(not(target_os = "linux"))]
fn children_seconds() -> Option<f64> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn processor_time_of_children_is_known_when_they_have_ended() {
        let before = children_seconds().unwrap();
        let script = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
        assert!(std::process::Command::new("/bin/sh").args(["-c", script]).status().unwrap().success());
        assert!(children_seconds().unwrap() > before);
    }
}
