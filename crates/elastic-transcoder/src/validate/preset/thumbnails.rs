//! The thumbnails of a preset.

use super::super::violations::Members;
use super::super::{ensure, even, pattern};
use super::dimensions;
use crate::{ApiError, Thumbnails, VideoParameters};

pub(super) fn members(m: &mut Members<'_>, thumbnails: &Thumbnails) {
    for (name, value, pattern) in [
        ("format", &thumbnails.format, &pattern::JPG_OR_PNG),
        ("interval", &thumbnails.interval, &pattern::DIGITS),
        ("resolution", &thumbnails.resolution, &pattern::THUMBNAIL_RESOLUTION),
        ("aspectRatio", &thumbnails.aspect_ratio, &pattern::ASPECT_RATIO),
        ("maxWidth", &thumbnails.max_width, &pattern::DIGITS_OR_AUTO),
        ("maxHeight", &thumbnails.max_height, &pattern::DIGITS_OR_AUTO),
        ("sizingPolicy", &thumbnails.sizing_policy, &pattern::SIZING_POLICY),
        ("paddingPolicy", &thumbnails.padding_policy, &pattern::PADDING_POLICY),
    ] {
        m.pattern(name, value, pattern);
    }
}

pub(super) fn rules(thumbnails: &Thumbnails, video: Option<&VideoParameters>) -> Result<(), ApiError> {
    let given = |all: &[&Option<String>]| all.iter().any(|member| member.is_some());
    let older = given(&[&thumbnails.resolution, &thumbnails.aspect_ratio]);
    let newer =
        given(&[&thumbnails.max_width, &thumbnails.max_height, &thumbnails.sizing_policy, &thumbnails.padding_policy]);
    ensure(!(older && newer), || {
        "Thumbnails:Resolution, AspectRatio and Thumbnails:MaxWidth, MaxHeight, SizingPolicy, PaddingPolicy are mutually exclusive.".to_owned()
    })?;
    let interval = thumbnails.interval.as_deref().unwrap_or("60");
    ensure(interval.parse().is_ok_and(|seconds: u32| seconds > 0), || {
        format!("Thumbnails:Interval must be at least 1 second: {interval}")
    })?;
    even("Thumbnails:MaxWidth", thumbnails.max_width.as_deref(), 32, 4096)?;
    even("Thumbnails:MaxHeight", thumbnails.max_height.as_deref(), 32, 3072)?;
    let Some((width, height)) = dimensions(thumbnails.resolution.as_deref()) else { return Ok(()) };
    let of_video = dimensions(video.and_then(|video| video.resolution.as_deref()));
    let most = |text: Option<&str>, otherwise: u32| text.and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    even("The width of Thumbnails:Resolution", Some(width), 32, most(of_video.map(|(width, _)| width), 4096))?;
    even("The height of Thumbnails:Resolution", Some(height), 32, most(of_video.map(|(_, height)| height), 3072))
}
