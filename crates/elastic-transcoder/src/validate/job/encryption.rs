//! Keys that come with a job (API reference, Encryption).

use super::{ensure, pattern};
use crate::{ApiError, Encryption};

/// An MD5 and an initialization vector have so many bytes.
const BYTES: usize = 16;

/// An input that somebody encrypted: with a mode of AES its key must come along.
pub(super) fn of_input(place: &str, encryption: Option<&Encryption>) -> Result<(), ApiError> {
    let Some(encryption) = encryption else { return Ok(()) };
    keys(place, encryption)?;
    let (aes, given) = (is_aes(encryption), given(encryption));
    ensure(!aes || given == 3, || format!("{place} must have Key, KeyMd5 and InitializationVector for its Mode."))
}

/// An output: a mode of AES without any key asks for one to be made.
pub(super) fn of_output(place: &str, encryption: Option<&Encryption>) -> Result<(), ApiError> {
    let Some(encryption) = encryption else { return Ok(()) };
    keys(place, encryption)?;
    let (aes, given) = (is_aes(encryption), given(encryption));
    ensure(!aes || matches!(given, 0 | 3), || {
        format!("{place} must have all of Key, KeyMd5 and InitializationVector or none of them.")
    })
}

/// What is there has the right length once it is decoded.
fn keys(place: &str, encryption: &Encryption) -> Result<(), ApiError> {
    ensure(encryption.mode.is_some(), || format!("{place} must have a Mode."))?;
    sixteen_bytes(place, "KeyMd5", encryption.key_md5.as_deref())?;
    sixteen_bytes(place, "InitializationVector", encryption.initialization_vector.as_deref())
}

pub(super) fn sixteen_bytes(place: &str, member: &str, text: Option<&str>) -> Result<(), ApiError> {
    let text = text.unwrap_or_default();
    let fits = text.is_empty() || decoded_bytes(text) == Some(BYTES);
    ensure(fits, || format!("{place}:{member} must be {BYTES} bytes, base64-encoded."))
}

fn is_aes(encryption: &Encryption) -> bool {
    encryption.mode.as_deref().is_some_and(|mode| mode.starts_with("aes-"))
}

fn given(encryption: &Encryption) -> usize {
    let all = [&encryption.key, &encryption.key_md5, &encryption.initialization_vector];
    all.into_iter().flatten().filter(|text| !text.is_empty()).count()
}

/// How many bytes a base64 text stands for.
fn decoded_bytes(text: &str) -> Option<usize> {
    let padding = text.bytes().rev().take_while(|byte| *byte == b'=').count();
    pattern::BASE64.matches(text).then(|| text.len() / 4 * 3 - padding)
}
