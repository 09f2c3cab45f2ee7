//! How a job moves: what changes in its document, and nothing else. No I/O.

use common::Timestamp;
use elastic_transcoder::{Failure, Job, JobOutput, JobStatus};
use uuid::Uuid;

use crate::engine::{Report, Stored};

/// Submitted → Progressing, the outputs too: they are made at the same time.
pub fn start(job: &mut Job, now: Timestamp) {
    job.timing.start_time_millis = Some(now.as_millis());
    set_all(job, JobStatus::Progressing);
    first_output(job);
}

/// Submitted → Canceled.
pub fn cancel(job: &mut Job, now: Timestamp) {
    job.timing.finish_time_millis = Some(now.as_millis());
    set_all(job, JobStatus::Canceled);
    first_output(job);
}

/// Progressing → Complete or Error. Gives the text of a failure of the whole job.
pub fn finish(job: &mut Job, report: &Report, reference: Uuid, now: Timestamp) -> Option<String> {
    job.timing.finish_time_millis = Some(now.as_millis());
    for (input, detected) in job.inputs.iter_mut().zip(&report.detected) {
        input.detected_properties = Some(detected.clone());
    }
    // `Input` repeats the first of `Inputs`.
    if let Some(input) = &mut job.input {
        input.detected_properties = report.detected.first().cloned();
    }
    let detail = match &report.outcome {
        Ok(results) => {
            for (output, result) in job.outputs.iter_mut().zip(results) {
                finish_output(output, result, reference);
            }
            let complete = job.outputs.iter().all(|output| output.status == JobStatus::Complete);
            job.status = if complete { JobStatus::Complete } else { JobStatus::Error };
            None
        }
        Err(failure) => {
            let detail = failure.detail(reference);
            set_all(job, JobStatus::Error);
            for output in &mut job.outputs {
                output.status_detail = Some(detail.clone());
            }
            Some(detail)
        }
    };
    first_output(job);
    detail
}

fn finish_output(output: &mut JobOutput, result: &Result<Stored, Failure>, reference: Uuid) {
    match result {
        Ok(stored) => {
            output.status = JobStatus::Complete;
            output.set_duration(stored.duration_millis);
            output.file_size = Some(stored.bytes);
            output.status_detail.clone_from(&stored.warning);
        }
        Err(failure) => {
            output.status = JobStatus::Error;
            output.status_detail = Some(failure.detail(reference));
        }
    }
}

fn set_all(job: &mut Job, status: JobStatus) {
    job.status = status;
    for output in &mut job.outputs {
        output.status = status;
    }
}

/// `Output` repeats the first of `Outputs`.
fn first_output(job: &mut Job) {
    job.output = job.outputs.first().cloned();
}
