//! The audio of a preset.

use super::super::violations::Members;
use super::super::{ensure, pattern};
use super::Container;
use crate::{ApiError, AudioCodecOptions, AudioParameters};

/// Kilobits a second (API reference, AudioParameters).
const BIT_RATE: std::ops::RangeInclusive<u32> = 64..=320;

pub(super) fn members(m: &mut Members<'_>, audio: &AudioParameters) {
    m.required("codec", &audio.codec);
    m.pattern("codec", &audio.codec, &pattern::AUDIO_CODEC);
    m.pattern("sampleRate", &audio.sample_rate, &pattern::AUDIO_SAMPLE_RATE);
    m.pattern("bitRate", &audio.bit_rate, &pattern::AUDIO_BIT_RATE);
    m.pattern("channels", &audio.channels, &pattern::AUDIO_CHANNELS);
    m.pattern("audioPackingMode", &audio.audio_packing_mode, &pattern::AUDIO_PACKING_MODE);
    m.within("codecOptions", &audio.codec_options, option_members);
}

fn option_members(m: &mut Members<'_>, options: &AudioCodecOptions) {
    m.pattern("profile", &options.profile, &pattern::AUDIO_CODEC_PROFILE);
    m.pattern("bitDepth", &options.bit_depth, &pattern::AUDIO_BIT_DEPTH);
    m.pattern("bitOrder", &options.bit_order, &pattern::AUDIO_BIT_ORDER);
    m.pattern("signed", &options.signed, &pattern::AUDIO_SIGNED);
}

/// SampleRate, BitRate and Channels may be left out: whether the service insisted on them is not documented, and
/// `auto` says what is meant.
pub(super) fn rules(container: &Container, audio: &AudioParameters) -> Result<(), ApiError> {
    let codec = audio.codec.as_deref().unwrap_or_default();
    ensure(container.audio.contains(&codec), || {
        format!("The container {} does not take the audio codec {codec}.", container.name)
    })?;
    if let Some(rate) = &audio.bit_rate {
        let fits = rate.parse().is_ok_and(|rate| BIT_RATE.contains(&rate));
        ensure(fits, || format!("Audio:BitRate must be between 64 and 320 kilobits per second: {rate}"))?;
    }
    let packing = audio.audio_packing_mode.as_deref().unwrap_or("SingleTrack");
    ensure(packing == "SingleTrack" || container.name == "mxf", || {
        format!("Audio:AudioPackingMode {packing} is only for the container mxf.")
    })?;
    audio.codec_options.as_ref().map_or(Ok(()), |options| option_rules(codec, options))
}

fn option_rules(codec: &str, options: &AudioCodecOptions) -> Result<(), ApiError> {
    let depths: &[&str] = match codec {
        "flac" => &["16", "24"],
        "pcm" => &["8", "16", "24", "32"],
        _ => &[],
    };
    for (name, given, allowed) in [
        ("Profile", options.profile.as_deref(), codec == "AAC"),
        ("BitDepth", options.bit_depth.as_deref(), !depths.is_empty()),
        ("BitOrder", options.bit_order.as_deref(), codec == "pcm"),
        ("Signed", options.signed.as_deref(), codec == "pcm"),
    ] {
        ensure(given.is_none() || allowed, || {
            format!("Audio:CodecOptions:{name} does not apply to the audio codec {codec}.")
        })?;
    }
    let depth = options.bit_depth.as_deref();
    ensure(depth.is_none_or(|depth| depths.contains(&depth)), || {
        format!("Audio:CodecOptions:BitDepth of {codec} must be one of {}.", depths.join(", "))
    })
}
