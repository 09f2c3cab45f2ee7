//! What each coder is told, and what it can hold.

use elastic_transcoder::AudioParameters;

use super::tools::Coders;

/// The rates of MPEG audio, layer III (ISO/IEC 11172-3 and 13818-3, and MPEG-2.5).
const MP3_RATES: &[u32] = &[8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];
/// The rates of AAC (ISO/IEC 14496-3, table 1.18) that ffmpeg's coder has, but for 7350.
const AAC_RATES: &[u32] =
    &[96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000];
/// Those over which libfdk_aac's HE-AAC goes.
const HE_AAC_RATES: &[u32] = &[16_000, 22_050, 24_000, 32_000, 44_100, 48_000];
/// Kilobits that layer II knows at 32 kHz and more (ISO/IEC 11172-3, table B.2), and at less (13818-3).
const MP2_BIT_RATES: &[u32] = &[32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384];
const MP2_LOW_BIT_RATES: &[u32] = &[8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
/// Kilobits a channel up to which libvorbis can be told a bit rate, by rate (measured with 1.3.7, which has none above
/// 50 kHz).
const VORBIS_RATES: &[(u32, u32)] = &[(22_050, 90), (32_000, 190), (44_100, VORBIS_MOST), (48_000, VORBIS_MOST)];
const VORBIS_MOST: u32 = 240;
/// The bit rate up to which `auto` means HE-AAC, where there is a coder for it (Developer Guide: AAC-LC above 64 kb/s).
const HE_AAC_MOST: u32 = 64;

/// The layouts of so many channels that ffmpeg knows (`ffmpeg -layouts`).
const LAYOUTS: [&str; 8] = [
    "mono",
    "stereo",
    "2.1|3.0|3.0(back)",
    "4.0|quad|quad(side)|3.1",
    "5.0|5.0(side)|4.1",
    "5.1|5.1(side)|6.0|6.0(front)|hexagonal",
    "6.1|6.1(back)|6.1(front)|7.0|7.0(front)",
    "7.1|7.1(wide)|7.1(wide-side)|octagonal",
];

/// A coder with its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coder {
    /// ffmpeg's arguments.
    pub arguments: Vec<String>,
    /// What it can hold of what the preset leaves to the input.
    pub range: Range,
}

/// What a coder can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// Samples a second; any when there are none.
    rates: Vec<u32>,
    /// Channels, at most 8 (Developer Guide, "Channels").
    channels: Vec<u16>,
}

impl Range {
    fn new(rates: &[u32], most_channels: u16) -> Self {
        Self { rates: rates.to_vec(), channels: (1..=most_channels).collect() }
    }

    /// The nearest rate, as ffmpeg chooses it.
    pub fn nearest_rate(&self, rate: u32) -> u32 {
        self.rates.iter().copied().min_by_key(|known| known.abs_diff(rate)).unwrap_or(rate)
    }

    /// The filter that keeps the input within it, for what the preset leaves to the input. ffmpeg chooses the nearest
    /// of the rates and the closest of the layouts; what is among them stays as it is.
    pub fn filter(&self, rate: Option<u32>, channels: Option<u16>) -> Option<String> {
        let rates = || self.rates.iter().map(u32::to_string).collect::<Vec<_>>().join("|");
        let layouts = || self.channels.iter().filter_map(|&count| layouts(count)).collect::<Vec<_>>().join("|");
        let rates = (rate.is_none() && !self.rates.is_empty()).then(|| format!("sample_rates={}", rates()));
        let layouts = channels.is_none().then(|| format!("channel_layouts={}", layouts()));
        let all: Vec<String> = rates.into_iter().chain(layouts).collect();
        (!all.is_empty()).then(|| format!("aformat={}", all.join(":")))
    }
}

/// The layouts of so many channels, divided by `|`.
pub fn layouts(channels: u16) -> Option<&'static str> {
    LAYOUTS.get(usize::from(channels).checked_sub(1)?).copied()
}

impl Coder {
    /// The coder that a preset asks for, with `rate` samples a second and `channels`, unless they are left to the input.
    /// The error names the members that cannot be.
    pub fn of(
        audio: &AudioParameters,
        bit_rate: Option<u32>,
        rate: Option<u32>,
        channels: Option<u16>,
        coders: Coders,
    ) -> Result<Self, String> {
        let codec = audio.codec.as_deref().unwrap_or_default();
        let mut arguments: Vec<String> = Vec::new();
        let range = match codec {
            "AAC" => {
                let aac = Aac::of(audio, bit_rate, channels, coders)?;
                arguments.extend(aac.arguments().map(String::from));
                aac.range()
            }
            "mp3" => Range::new(MP3_RATES, 2),
            "mp2" => mp2(bit_rate)?,
            "vorbis" => vorbis(bit_rate, channels)?,
            _ => Range::new(&[], 8),
        };
        if arguments.is_empty() {
            arguments.extend(fixed(codec, audio)?.iter().map(|&argument| argument.to_owned()));
        }
        if let Some(rate) = rate.filter(|rate| !range.rates.is_empty() && !range.rates.contains(rate)) {
            let with = bit_rate.map(|kilobits| format!(" and Audio.BitRate {kilobits}")).unwrap_or_default();
            return Err(format!("{codec} has no Audio.SampleRate {rate} with Audio.Codec {codec}{with}"));
        }
        if let Some(kilobits) = bit_rate.filter(|_| !matches!(codec, "pcm" | "flac")) {
            arguments.extend(["-b:a".into(), format!("{kilobits}k")]);
        }
        Ok(Self { arguments, range })
    }
}

fn fixed(codec: &str, audio: &AudioParameters) -> Result<&'static [&'static str], String> {
    let options = audio.codec_options.clone().unwrap_or_default();
    let (depth, signed) = (options.bit_depth.as_deref(), options.signed.as_deref());
    Ok(match (codec, depth) {
        // RIFF knows 8 bits only without sign and more bits only with.
        ("pcm", Some("8")) if signed != Some("Signed") => &["-c:a", "pcm_u8"],
        ("pcm", Some("16") | None) if signed != Some("Unsigned") => &["-c:a", "pcm_s16le"],
        ("pcm", Some("24")) if signed != Some("Unsigned") => &["-c:a", "pcm_s24le"],
        ("pcm", Some("32")) if signed != Some("Unsigned") => &["-c:a", "pcm_s32le"],
        ("flac", Some("16") | None) => &["-c:a", "flac", "-sample_fmt", "s16"],
        ("flac", Some("24")) => &["-c:a", "flac", "-sample_fmt", "s32", "-bits_per_raw_sample", "24"],
        ("mp3", _) => &["-c:a", "libmp3lame"],
        ("mp2", _) => &["-c:a", "mp2"],
        ("vorbis", _) => &["-c:a", "libvorbis"],
        _ => return Err(format!("Audio.CodecOptions for {codec} is not supported yet")),
    })
}

/// The kinds of AAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aac {
    Low,
    High,
    HighTwo,
}

impl Aac {
    fn of(
        audio: &AudioParameters,
        bit_rate: Option<u32>,
        channels: Option<u16>,
        coders: Coders,
    ) -> Result<Self, String> {
        let profile = audio.codec_options.as_ref().and_then(|options| options.profile.as_deref()).unwrap_or("auto");
        let high = match profile {
            "HE-AAC" => Self::High,
            // What it adds makes two channels of one: one alone has nothing of it.
            "HE-AACv2" if channels == Some(1) => Self::High,
            "HE-AACv2" => Self::HighTwo,
            "auto" if coders.fdk_aac && bit_rate.is_some_and(|kilobits| kilobits <= HE_AAC_MOST) => Self::High,
            _ => return Ok(Self::Low),
        };
        if !coders.fdk_aac {
            return Err(format!(
                "Audio.CodecOptions.Profile {profile} needs an ffmpeg with libfdk_aac, which this server has not"
            ));
        }
        Ok(high)
    }

    fn arguments(self) -> [&'static str; 4] {
        match self {
            Self::Low => ["-c:a", "aac", "-profile:a", "aac_low"],
            Self::High => ["-c:a", "libfdk_aac", "-profile:a", "aac_he"],
            Self::HighTwo => ["-c:a", "libfdk_aac", "-profile:a", "aac_he_v2"],
        }
    }

    fn range(self) -> Range {
        match self {
            Self::Low => Range::new(AAC_RATES, 8),
            Self::High => Range::new(HE_AAC_RATES, 2),
            Self::HighTwo => Range { rates: HE_AAC_RATES.to_vec(), channels: vec![2] },
        }
    }
}

/// Layer II knows few bit rates, and other ones at lower rates: ffmpeg's coder refuses what is not in its tables.
fn mp2(bit_rate: Option<u32>) -> Result<Range, String> {
    let knows = |table: &[u32]| bit_rate.is_none_or(|kilobits| table.contains(&kilobits));
    let low: &[u32] = if knows(MP2_LOW_BIT_RATES) { &[16_000, 22_050, 24_000] } else { &[] };
    let high: &[u32] = if knows(MP2_BIT_RATES) { &[32_000, 44_100, 48_000] } else { &[] };
    match bit_rate {
        Some(kilobits) if low.is_empty() && high.is_empty() => {
            Err(format!("mp2 has no Audio.BitRate {kilobits}, only {MP2_BIT_RATES:?}"))
        }
        _ => Ok(Range::new(&[low, high].concat(), 2)),
    }
}

/// libvorbis refuses a bit rate that is too much or too little for each of the channels.
fn vorbis(bit_rate: Option<u32>, channels: Option<u16>) -> Result<Range, String> {
    const LEAST: u32 = 32;
    let Some(kilobits) = bit_rate else { return Ok(Range::new(&[22_050, 32_000, 44_100, 48_000], 8)) };
    if channels == Some(1) && kilobits > VORBIS_MOST {
        return Err(format!("vorbis has at most {VORBIS_MOST} for Audio.BitRate with Audio.Channels 1"));
    }
    let fewest = if channels == Some(2) || kilobits > VORBIS_MOST { 2 } else { 1 };
    let each = kilobits / fewest;
    let rates = VORBIS_RATES.iter().filter(|(_, most)| each <= *most).map(|(rate, _)| *rate).collect();
    let fits = |count: &u32| (fewest..=(kilobits / LEAST).max(2)).contains(count);
    Ok(Range { rates, channels: (1..=8_u32).filter(fits).map(|count| count as u16).collect() })
}

#[cfg(test)]
mod tests {
    use elastic_transcoder::AudioCodecOptions;

    use super::*;

    fn coder(codec: &str, profile: &str, bit_rate: u32, channels: Option<u16>, fdk_aac: bool) -> Result<Coder, String> {
        let options = AudioCodecOptions { profile: Some(profile.to_owned()), ..Default::default() };
        let audio =
            AudioParameters { codec: Some(codec.to_owned()), codec_options: Some(options), ..Default::default() };
        Coder::of(&audio, Some(bit_rate), None, channels, Coders { fdk_aac })
    }

    #[test]
    fn he_aac_takes_the_coder_that_can() {
        let arguments = |profile, bit_rate, channels, fdk_aac| {
            coder("AAC", profile, bit_rate, channels, fdk_aac).unwrap().arguments.join(" ")
        };
        assert_eq!(arguments("HE-AAC", 64, None, true), "-c:a libfdk_aac -profile:a aac_he -b:a 64k");
        assert_eq!(arguments("HE-AACv2", 64, None, true), "-c:a libfdk_aac -profile:a aac_he_v2 -b:a 64k");
        assert_eq!(arguments("HE-AACv2", 64, Some(1), true), "-c:a libfdk_aac -profile:a aac_he -b:a 64k");
        assert_eq!(arguments("auto", 64, None, true), "-c:a libfdk_aac -profile:a aac_he -b:a 64k");
        for (profile, bit_rate, fdk_aac) in [("auto", 64, false), ("auto", 96, true), ("AAC-LC", 64, true)] {
            let low = format!("-c:a aac -profile:a aac_low -b:a {bit_rate}k");
            assert_eq!(arguments(profile, bit_rate, None, fdk_aac), low);
        }
        assert!(coder("AAC", "HE-AAC", 64, None, false).unwrap_err().contains("libfdk_aac"));
    }

    #[test]
    fn ranges_are_what_the_coders_were_seen_to_take() {
        let filter = |codec, bit_rate, channels| {
            coder(codec, "auto", bit_rate, channels, false).unwrap().range.filter(None, channels)
        };
        let rates = |rates: &str| Some(format!("aformat=sample_rates={rates}"));
        assert_eq!(filter("mp2", 128, Some(2)), rates("16000|22050|24000|32000|44100|48000"));
        assert_eq!(filter("mp2", 144, Some(2)), rates("16000|22050|24000"));
        assert_eq!(filter("vorbis", 320, Some(2)), rates("32000|44100|48000"));
        assert_eq!(filter("vorbis", 192, Some(1)), rates("44100|48000"));
        // 320 kb/s are too many for one channel, and 64 too few for three.
        let layouts = filter("vorbis", 320, None).unwrap();
        assert!(layouts.contains("channel_layouts=stereo|") && layouts.ends_with("octagonal"), "{layouts}");
        assert!(filter("vorbis", 64, None).unwrap().ends_with("channel_layouts=mono|stereo"));
        assert_eq!(filter("flac", 64, Some(1)), None);
        let aac = coder("AAC", "auto", 64, None, false).unwrap().range;
        assert_eq!([192_000, 37_800, 44_100].map(|rate| aac.nearest_rate(rate)), [96_000, 32_000, 44_100]);
    }
}
