//! What an output's members must be to each other.

use super::super::even;
use super::{encryption, ensure, span};
use crate::{ApiError, Artwork, CaptionSource, Captions, CreateJobOutput, JobAlbumArt};

const SEGMENT_SECONDS: std::ops::RangeInclusive<f64> = 1.0..=60.0;
const WATERMARKS: usize = 4;
const ARTWORKS: usize = 20;
/// Captions that lie inside the file; the others are files of their own.
const EMBEDDED: [&str; 2] = ["mov-text", "cea-708"];

pub(super) fn rules(output: &CreateJobOutput) -> Result<(), ApiError> {
    segment_duration(output.segment_duration.as_deref())?;
    encryption::of_output("Output:Encryption", output.encryption.as_ref())?;
    encryption::of_output("Output:ThumbnailEncryption", output.thumbnail_encryption.as_ref())?;
    let watermarks = output.watermarks.as_deref().unwrap_or_default();
    ensure(watermarks.len() <= WATERMARKS, || format!("An output must have at most {WATERMARKS} Watermarks."))?;
    for watermark in watermarks {
        encryption::of_input("Watermarks:Encryption", watermark.encryption.as_ref())?;
    }
    let clips = output.composition.as_deref().unwrap_or_default();
    ensure(clips.len() <= 1, || "Composition must have at most one clip.".to_owned())?;
    clips.iter().filter_map(|clip| clip.time_span.as_ref()).try_for_each(span)?;
    output.album_art.as_ref().map_or(Ok(()), album_art)?;
    output.captions.as_ref().map_or(Ok(()), captions)
}

fn segment_duration(seconds: Option<&str>) -> Result<(), ApiError> {
    let Some(text) = seconds else { return Ok(()) };
    let inside = text.parse().is_ok_and(|seconds: f64| SEGMENT_SECONDS.contains(&seconds));
    ensure(inside, || format!("SegmentDuration must be between 1 and 60 seconds: {text}"))
}

fn album_art(art: &JobAlbumArt) -> Result<(), ApiError> {
    let all = art.artwork.as_deref().unwrap_or_default();
    ensure(all.len() <= ARTWORKS, || format!("AlbumArt must have at most {ARTWORKS} members of Artwork."))?;
    all.iter().try_for_each(artwork)
}

fn artwork(art: &Artwork) -> Result<(), ApiError> {
    even("Artwork:MaxWidth", art.max_width.as_deref(), 32, 4096)?;
    even("Artwork:MaxHeight", art.max_height.as_deref(), 32, 3072)?;
    encryption::of_input("Artwork:Encryption", art.encryption.as_ref())
}

fn captions(captions: &Captions) -> Result<(), ApiError> {
    let formats = captions.caption_formats.as_deref().unwrap_or_default();
    ensure(!formats.is_empty(), || "Captions must have CaptionFormats.".to_owned())?;
    let sources = captions.caption_sources.as_deref().unwrap_or_default();
    ensure(sources.is_empty() || captions.merge_policy.is_some(), || {
        "Captions:MergePolicy must not be null when there are CaptionSources.".to_owned()
    })?;
    caption_sources(sources)?;
    let embedded = |format: &&str| EMBEDDED.contains(format);
    let count = formats.iter().filter_map(|format| format.format.as_deref()).filter(embedded).count();
    ensure(count <= 1, || "An output must have at most one embedded format of captions.".to_owned())?;
    for format in formats {
        encryption::of_output("CaptionFormats:Encryption", format.encryption.as_ref())?;
    }
    Ok(())
}

/// Languages are codes of ISO 639-1 or 639-2.
pub(super) fn caption_sources(sources: &[CaptionSource]) -> Result<(), ApiError> {
    for source in sources {
        let language = source.language.as_deref().unwrap_or_default();
        let is_code = (2..=3).contains(&language.len()) && language.bytes().all(|byte| byte.is_ascii_alphabetic());
        ensure(is_code, || format!("Language must be a code of two or three letters: {language}"))?;
        encryption::of_input("CaptionSources:Encryption", source.encryption.as_ref())?;
    }
    Ok(())
}
