//! What the levels of H.264 allow (ITU-T H.264, table A-1; the API reference repeats it).

use crate::VideoParameters;

/// The levels that a preset may name.
pub const NAMES: &[&str] = &["1", "1b", "1.1", "1.2", "1.3", "2", "2.1", "2.2", "3", "3.1", "3.2", "4", "4.1"];

struct Level {
    name: &'static str,
    /// Macroblocks in the buffer of decoded pictures, as the API reference counts them.
    buffer: u32,
    /// Kilobits a second for the profiles baseline and main, and for high; the reference has none for 2.1 and 2.2.
    bit_rate: Option<(u32, u32)>,
    /// Luma samples a second. The reference drops a digit of level 1.1; this is the standard's 3000 macroblocks.
    samples: u32,
    /// Luma samples of a picture. The reference has 404720 for levels 2.2 and 3; this is the standard's 1620
    /// macroblocks, which 720x576 fills exactly.
    picture: u32,
}

const LEVELS: &[Level] = &[
    level("1", 396, Some((64, 80)), 380_160, 25_344),
    level("1b", 396, Some((128, 160)), 380_160, 25_344),
    level("1.1", 900, Some((192, 240)), 768_000, 101_376),
    level("1.2", 2376, Some((384, 480)), 1_536_000, 101_376),
    level("1.3", 2376, Some((768, 960)), 3_041_280, 101_376),
    level("2", 2376, Some((2000, 2500)), 3_041_280, 101_376),
    level("2.1", 4752, None, 5_068_800, 202_752),
    level("2.2", 8100, None, 5_184_000, 414_720),
    level("3", 8100, Some((10_000, 12_500)), 10_368_000, 414_720),
    level("3.1", 18_000, Some((14_000, 17_500)), 27_648_000, 921_600),
    level("3.2", 20_480, Some((20_000, 25_000)), 55_296_000, 1_310_720),
    level("4", 32_768, Some((20_000, 25_000)), 62_914_560, 2_097_152),
    level("4.1", 32_768, Some((50_000, 62_500)), 62_914_560, 2_097_152),
];

const fn level(name: &'static str, buffer: u32, bit_rate: Option<(u32, u32)>, samples: u32, picture: u32) -> Level {
    Level { name, buffer, bit_rate, samples, picture }
}

/// Which limits of its level a video passes, in sentences; nothing when it keeps them or names no level.
pub(super) fn warning(video: &VideoParameters) -> String {
    let option = |name: &str| video.codec_options.as_ref().and_then(|options| options.get(name)).map(String::as_str);
    let Some(level) = LEVELS.iter().find(|level| Some(level.name) == option("Level")) else {
        return String::new();
    };
    let mut passed = Vec::new();
    if let (Some((low, high)), Some(rate)) = (level.bit_rate, number(video.bit_rate.as_deref())) {
        let most = if option("Profile") == Some("high") { high } else { low };
        if rate > f64::from(most) {
            passed.push(format!("BitRate {rate} is above {most} kilobits per second."));
        }
    }
    if let Some(pixels) = pixels(video) {
        if pixels > f64::from(level.picture) {
            passed.push(format!("Width times height is above {}.", level.picture));
        }
        if number(video.frame_rate.as_deref()).is_some_and(|rate| rate * pixels > f64::from(level.samples)) {
            passed.push(format!("Width times height times FrameRate is above {}.", level.samples));
        }
        let most = (f64::from(level.buffer) * 256.0 / pixels).floor().min(16.0);
        if number(option("MaxReferenceFrames")).is_some_and(|frames| frames > most) {
            passed.push(format!("MaxReferenceFrames is above {most}."));
        }
    }
    if passed.is_empty() {
        return String::new();
    }
    format!("The preset does not comply with level {} of H.264: {}", level.name, passed.join(" "))
}

/// Width times height, when the preset says both.
fn pixels(video: &VideoParameters) -> Option<f64> {
    let (width, height) = super::dimensions(video.resolution.as_deref())
        .or_else(|| video.max_width.as_deref().zip(video.max_height.as_deref()))?;
    Some(number(Some(width))? * number(Some(height))?)
}

fn number(text: Option<&str>) -> Option<f64> {
    text?.parse().ok()
}
