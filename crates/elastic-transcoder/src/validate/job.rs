//! CreateJob.

mod encryption;
mod members;
mod output;
mod playlist;
mod with_presets;

use std::collections::{BTreeMap, HashSet};

use super::violations::check;
use super::{ensure, pattern};
use crate::{ApiError, CreateJobRequest, JobInput, TimeSpan};

pub use with_presets::outputs_with_presets;

const METADATA_PAIRS: usize = 10;
const METADATA_KEY_CHARS: usize = 128;
const METADATA_VALUE_CHARS: usize = 256;

/// Checks the body of CreateJob, as far as that goes without its presets: see [`outputs_with_presets`].
pub fn create_job(request: &CreateJobRequest) -> Result<(), ApiError> {
    check(|m| members::request(m, request))?;
    one_form(request)?;
    check(|m| members::required(m, request))?;
    request.all_inputs().into_iter().try_for_each(input)?;
    request.all_outputs().into_iter().try_for_each(output::rules)?;
    different_keys(request)?;
    playlist::rules(request)?;
    user_metadata(request.user_metadata.as_ref())
}

/// `Input` or `Inputs`, `Output` or `Outputs`. The texts follow those of CreatePipeline.
fn one_form(request: &CreateJobRequest) -> Result<(), ApiError> {
    let some = |given: bool, list: usize| (given, list > 0);
    let inputs = some(request.input.is_some(), request.inputs.as_ref().map_or(0, Vec::len));
    let outputs = some(request.output.is_some(), request.outputs.as_ref().map_or(0, Vec::len));
    for (forms, one, many) in [(inputs, "Input", "Inputs"), (outputs, "Output", "Outputs")] {
        ensure(forms != (true, true), || format!("[{one} and {many} are mutually exclusive.]"))?;
        ensure(forms != (false, false), || format!("[{one} and {many} are not allowed to both be null.]"))?;
    }
    Ok(())
}

fn input(input: &JobInput) -> Result<(), ApiError> {
    let resolution = input.resolution.as_deref().unwrap_or("auto");
    ensure(resolution == "auto", || "The Resolution of an input must be auto.".to_owned())?;
    encryption::of_input("Input:Encryption", input.encryption.as_ref())?;
    input.time_span.as_ref().map_or(Ok(()), span)?;
    output::caption_sources(input.caption_sources())
}

/// The pattern lets numbers pass that are more than a day.
fn span(span: &TimeSpan) -> Result<(), ApiError> {
    for (name, text) in [("StartTime", &span.start_time), ("Duration", &span.duration)] {
        let fits = text.as_deref().is_none_or(|text| TimeSpan::millis(text).is_some());
        ensure(fits, || format!("{name} must be at most 86399.999 seconds: {}", text.as_deref().unwrap_or_default()))?;
    }
    Ok(())
}

/// Two outputs of one name would overwrite each other.
fn different_keys(request: &CreateJobRequest) -> Result<(), ApiError> {
    let mut seen = HashSet::new();
    for key in request.all_outputs().into_iter().filter_map(|output| output.key.as_deref()) {
        ensure(seen.insert(key), || format!("Two outputs of the job have the same Key: {key}"))?;
    }
    Ok(())
}

fn user_metadata(metadata: Option<&BTreeMap<String, String>>) -> Result<(), ApiError> {
    let Some(metadata) = metadata else { return Ok(()) };
    ensure(metadata.len() <= METADATA_PAIRS, || format!("UserMetadata must have at most {METADATA_PAIRS} pairs."))?;
    let allowed = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || " _.:/=+-%@".contains(c));
    for (key, value) in metadata {
        let fits = (1..=METADATA_KEY_CHARS).contains(&key.len()) && value.len() <= METADATA_VALUE_CHARS;
        ensure(fits, || {
            format!(
                "Each key of UserMetadata must have 1 to {METADATA_KEY_CHARS} characters and each value 0 to {METADATA_VALUE_CHARS}."
            )
        })?;
        ensure(allowed(key) && allowed(value), || {
            "UserMetadata may hold only the characters 0-9, A-Z, a-z, space and _.:/=+-%@".to_owned()
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
