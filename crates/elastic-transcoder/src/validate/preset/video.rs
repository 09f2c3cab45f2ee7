//! The video of a preset.

use std::collections::{BTreeMap, HashSet};

use super::super::violations::Members;
use super::super::{ensure, even, pattern};
use super::{Container, dimensions, level};
use crate::{ApiError, PresetWatermark, VideoParameters};

const WATERMARKS: usize = 4;
const LEAST_WATERMARK_PIXELS: f64 = 16.0;
/// The codecs that have a buffer model to set.
const BUFFERED: &[&str] = &["H.264", "mpeg2", "vp8", "vp9"];

/// One key of `CodecOptions`: the codecs that have it, and what it may be.
struct CodecOption {
    name: &'static str,
    codecs: &'static [&'static str],
    allowed: Allowed,
}

enum Allowed {
    OneOf(&'static [&'static str]),
    /// An integer; the Guide's own sample leaves some empty, which is as good as leaving them out.
    Between {
        least: u32,
        most: u32,
        or_empty: bool,
    },
    /// An integer or that word.
    BetweenOr {
        least: u32,
        most: u32,
        word: &'static str,
    },
}

/// API reference, VideoParameters.
const OPTIONS: &[CodecOption] = &[
    CodecOption { name: "Profile", codecs: &["H.264"], allowed: Allowed::OneOf(&["baseline", "main", "high"]) },
    CodecOption { name: "Profile", codecs: &["vp8", "vp9"], allowed: Allowed::OneOf(&["0", "1", "2", "3"]) },
    CodecOption { name: "Level", codecs: &["H.264"], allowed: Allowed::OneOf(level::NAMES) },
    CodecOption {
        name: "MaxReferenceFrames",
        codecs: &["H.264"],
        allowed: Allowed::Between { least: 0, most: 16, or_empty: false },
    },
    CodecOption {
        name: "MaxBitRate",
        codecs: BUFFERED,
        allowed: Allowed::Between { least: 16, most: 62_500, or_empty: true },
    },
    CodecOption {
        name: "BufferSize",
        codecs: BUFFERED,
        allowed: Allowed::Between { least: 1, most: u32::MAX, or_empty: true },
    },
    CodecOption {
        name: "InterlacedMode",
        codecs: &["H.264", "mpeg2"],
        allowed: Allowed::OneOf(&["Progressive", "TopFirst", "BottomFirst", "Auto"]),
    },
    CodecOption {
        name: "ColorSpaceConversionMode",
        codecs: &["H.264", "mpeg2"],
        // The reference spells two of them with a small t in its list and with a large one below it.
        allowed: Allowed::OneOf(&["None", "Bt709ToBt601", "Bt601ToBt709", "Bt709toBt601", "Bt601toBt709", "Auto"]),
    },
    CodecOption { name: "ChromaSubsampling", codecs: &["mpeg2"], allowed: Allowed::OneOf(&["yuv420p", "yuv422p"]) },
    CodecOption {
        name: "LoopCount",
        codecs: &["gif"],
        allowed: Allowed::BetweenOr { least: 0, most: 100, word: "Infinite" },
    },
];

pub(super) fn members(m: &mut Members<'_>, video: &VideoParameters) {
    m.required("codec", &video.codec);
    for (name, value, pattern) in [
        ("codec", &video.codec, &pattern::VIDEO_CODEC),
        ("keyframesMaxDist", &video.keyframes_max_dist, &pattern::KEYFRAMES_MAX_DIST),
        ("fixedGOP", &video.fixed_gop, &pattern::TRUE_OR_FALSE),
        ("bitRate", &video.bit_rate, &pattern::VIDEO_BIT_RATE),
        ("frameRate", &video.frame_rate, &pattern::FRAME_RATE),
        ("maxFrameRate", &video.max_frame_rate, &pattern::MAX_FRAME_RATE),
        ("resolution", &video.resolution, &pattern::RESOLUTION),
        ("aspectRatio", &video.aspect_ratio, &pattern::ASPECT_RATIO),
        ("maxWidth", &video.max_width, &pattern::DIGITS_OR_AUTO),
        ("maxHeight", &video.max_height, &pattern::DIGITS_OR_AUTO),
        ("displayAspectRatio", &video.display_aspect_ratio, &pattern::ASPECT_RATIO),
        ("sizingPolicy", &video.sizing_policy, &pattern::SIZING_POLICY),
        ("paddingPolicy", &video.padding_policy, &pattern::PADDING_POLICY),
    ] {
        m.pattern(name, value, pattern);
    }
    m.size("codecOptions", video.codec_options.as_ref().map_or(0, BTreeMap::len), 30);
    m.each("watermarks", &video.watermarks, watermark_members);
}

fn watermark_members(m: &mut Members<'_>, watermark: &PresetWatermark) {
    m.required("id", &watermark.id);
    m.length("id", &watermark.id, 1, 40);
    for (name, value, pattern) in [
        ("maxWidth", &watermark.max_width, &pattern::PIXELS_OR_PERCENT),
        ("maxHeight", &watermark.max_height, &pattern::PIXELS_OR_PERCENT),
        ("sizingPolicy", &watermark.sizing_policy, &pattern::WATERMARK_SIZING_POLICY),
        ("horizontalAlign", &watermark.horizontal_align, &pattern::HORIZONTAL_ALIGN),
        ("horizontalOffset", &watermark.horizontal_offset, &pattern::PIXELS_OR_PERCENT),
        ("verticalAlign", &watermark.vertical_align, &pattern::VERTICAL_ALIGN),
        ("verticalOffset", &watermark.vertical_offset, &pattern::PIXELS_OR_PERCENT),
        ("opacity", &watermark.opacity, &pattern::OPACITY),
        ("target", &watermark.target, &pattern::TARGET),
    ] {
        m.pattern(name, value, pattern);
    }
}

pub(super) fn rules(container: &Container, video: &VideoParameters) -> Result<(), ApiError> {
    let codec = video.codec.as_deref().unwrap_or_default();
    ensure(container.video.contains(&codec), || {
        format!("The container {} does not take the video codec {codec}.", container.name)
    })?;
    for (name, value) in video.codec_options.iter().flatten() {
        option_rule(codec, name, value)?;
    }
    key_frames(container, codec, video)?;
    size(video)?;
    watermarks(video)
}

fn option_rule(codec: &str, name: &str, value: &str) -> Result<(), ApiError> {
    let option = OPTIONS.iter().find(|option| option.name == name && option.codecs.contains(&codec));
    let Some(option) = option else {
        return Err(ApiError::validation(format!(
            "Video:CodecOptions:{name} does not apply to the video codec {codec}."
        )));
    };
    ensure(option.allowed.takes(value), || format!("Video:CodecOptions:{name} must be {}: {value}", option.allowed))
}

fn key_frames(container: &Container, codec: &str, video: &VideoParameters) -> Result<(), ApiError> {
    if codec == "gif" {
        let none = video.keyframes_max_dist.is_none() && video.fixed_gop.is_none();
        return ensure(none, || "Video:KeyframesMaxDist and Video:FixedGOP do not apply to gif.".to_owned());
    }
    if let Some(distance) = &video.keyframes_max_dist {
        let fits = distance.parse().is_ok_and(|distance: u32| (1..=100_000).contains(&distance));
        ensure(fits, || format!("Video:KeyframesMaxDist must be between 1 and 100000: {distance}"))?;
    }
    let fixed = video.fixed_gop.as_deref() == Some("true");
    ensure(container.name != "fmp4" || fixed, || "Video:FixedGOP must be true for the container fmp4.".to_owned())
}

fn size(video: &VideoParameters) -> Result<(), ApiError> {
    // A system preset of the service has AspectRatio beside MaxWidth, so only Resolution excludes the others.
    let newer = [&video.max_width, &video.max_height, &video.sizing_policy, &video.padding_policy];
    ensure(video.resolution.is_none() || newer.into_iter().all(Option::is_none), || {
        "Video:Resolution and Video:MaxWidth, MaxHeight, SizingPolicy, PaddingPolicy are mutually exclusive.".to_owned()
    })?;
    even("Video:MaxWidth", video.max_width.as_deref(), 128, 4096)?;
    even("Video:MaxHeight", video.max_height.as_deref(), 96, 3072)?;
    let Some((width, height)) = dimensions(video.resolution.as_deref()) else { return Ok(()) };
    even("The width of Video:Resolution", Some(width), 128, 4096)?;
    even("The height of Video:Resolution", Some(height), 96, 3072)
}

fn watermarks(video: &VideoParameters) -> Result<(), ApiError> {
    let all = video.watermarks.as_deref().unwrap_or_default();
    ensure(all.len() <= WATERMARKS, || format!("Video:Watermarks must have at most {WATERMARKS} members."))?;
    let mut seen = HashSet::new();
    for watermark in all {
        let id = watermark.id.as_deref().unwrap_or_default();
        ensure(seen.insert(id), || format!("Two watermarks of the preset have the same Id: {id}"))?;
        watermark_rules(id, watermark, video)?;
    }
    Ok(())
}

fn watermark_rules(id: &str, watermark: &PresetWatermark, video: &VideoParameters) -> Result<(), ApiError> {
    let number = |text: Option<&str>| text.and_then(|text| text.parse().ok()).unwrap_or(f64::MAX);
    let (width, height) = (number(video.max_width.as_deref()), number(video.max_height.as_deref()));
    for (name, value, least, most) in [
        ("MaxWidth", &watermark.max_width, LEAST_WATERMARK_PIXELS, width),
        ("MaxHeight", &watermark.max_height, LEAST_WATERMARK_PIXELS, height),
        ("HorizontalOffset", &watermark.horizontal_offset, 0.0, width),
        ("VerticalOffset", &watermark.vertical_offset, 0.0, height),
    ] {
        let fits = value.as_deref().is_none_or(|value| match (value.strip_suffix("px"), value.strip_suffix('%')) {
            (Some(pixels), _) => pixels.parse().is_ok_and(|pixels: f64| (least..=most).contains(&pixels)),
            (_, Some(percent)) => percent.parse().is_ok_and(|percent: f64| percent <= 100.0),
            _ => false,
        });
        ensure(fits, || format!("{name} of the watermark {id} is out of range."))?;
    }
    for (name, align, offset) in [
        ("HorizontalOffset", &watermark.horizontal_align, &watermark.horizontal_offset),
        ("VerticalOffset", &watermark.vertical_align, &watermark.vertical_offset),
    ] {
        let moved = offset.as_deref().is_some_and(|offset| offset.bytes().any(|byte| matches!(byte, b'1'..=b'9')));
        ensure(align.as_deref() != Some("Center") || !moved, || {
            format!("{name} of the watermark {id} does not apply to what is centered.")
        })?;
    }
    let opacity = watermark.opacity.as_deref().unwrap_or("100");
    let fits = opacity.parse().is_ok_and(|opacity: f64| opacity <= 100.0);
    ensure(fits, || format!("Opacity of the watermark {id} must be between 0 and 100: {opacity}"))
}

impl Allowed {
    fn takes(&self, value: &str) -> bool {
        let between = |least: u32, most: u32| value.parse().is_ok_and(|number| (least..=most).contains(&number));
        match *self {
            Self::OneOf(words) => words.contains(&value),
            Self::Between { least, most, or_empty } => between(least, most) || or_empty && value.is_empty(),
            Self::BetweenOr { least, most, word } => between(least, most) || value == word,
        }
    }
}

impl std::fmt::Display for Allowed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OneOf(words) => write!(f, "one of {}", words.join(", ")),
            Self::Between { least, most: u32::MAX, .. } => write!(f, "an integer of at least {least}"),
            Self::Between { least, most, .. } => write!(f, "an integer between {least} and {most}"),
            Self::BetweenOr { least, most, word } => write!(f, "{word} or an integer between {least} and {most}"),
        }
    }
}
