//! Parts that job requests and job replies share.

use serde::{Deserialize, Serialize};

/// How an object is encrypted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct Encryption {
    pub mode: Option<String>,
    pub key: Option<String>,
    pub key_md5: Option<String>,
    pub initialization_vector: Option<String>,
}

/// A part of the input, as texts of the form `sssss.SSS` or `HH:mm:ss.SSS`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct TimeSpan {
    pub start_time: Option<String>,
    pub duration: Option<String>,
}

impl TimeSpan {
    /// The milliseconds that a time of the form `sssss.SSS` or `HH:mm:ss.SSS` stands for; `None` for another form and
    /// for a day or more (API reference, TimeSpan). `mm:ss.SSS` is taken too, as the pattern does.
    pub fn millis(text: &str) -> Option<i64> {
        const DAY: f64 = 86_400_000.0;
        let mut parts = text.rsplit(':');
        let seconds: f64 = parts.next()?.parse().ok()?;
        let minutes: u32 = parts.next().map_or(Some(0), |part| part.parse().ok())?;
        let hours: u32 = parts.next().map_or(Some(0), |part| part.parse().ok())?;
        let millis = ((f64::from(hours * 60 + minutes) * 60.0 + seconds) * 1000.0).round();
        (parts.next().is_none() && (0.0..DAY).contains(&millis)).then_some(millis as i64)
    }
}

/// The deprecated clip of an output.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct Clip {
    pub time_span: Option<TimeSpan>,
}

/// Captions that come with an input.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct InputCaptions {
    pub merge_policy: Option<String>,
    pub caption_sources: Option<Vec<CaptionSource>>,
}

/// One sidecar file of captions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct CaptionSource {
    pub key: Option<String>,
    pub language: Option<String>,
    pub time_offset: Option<String>,
    pub label: Option<String>,
    pub encryption: Option<Encryption>,
}

/// Captions that an output shall have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct Captions {
    pub merge_policy: Option<String>,
    pub caption_sources: Option<Vec<CaptionSource>>,
    pub caption_formats: Option<Vec<CaptionFormat>>,
}

/// One format of captions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct CaptionFormat {
    pub format: Option<String>,
    pub pattern: Option<String>,
    pub encryption: Option<Encryption>,
}

/// A picture drawn over the video.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct JobWatermark {
    pub preset_watermark_id: Option<String>,
    pub input_key: Option<String>,
    pub encryption: Option<Encryption>,
}

/// Pictures carried in an audio file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct JobAlbumArt {
    pub merge_policy: Option<String>,
    pub artwork: Option<Vec<Artwork>>,
}

/// One such picture.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct Artwork {
    pub input_key: Option<String>,
    pub max_width: Option<String>,
    pub max_height: Option<String>,
    pub sizing_policy: Option<String>,
    pub padding_policy: Option<String>,
    pub album_art_format: Option<String>,
    pub encryption: Option<Encryption>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_form() {
        for (text, millis) in [
            ("0", Some(0)),
            ("1.5", Some(1500)),
            ("86399.999", Some(86_399_999)),
            ("86400", None),
            ("00:01:02.003", Some(62_003)),
            ("23:59:59.999", Some(86_399_999)),
            ("1:30", Some(90_000)),
            ("1:2:3:4", None),
            ("-1", None),
            ("x", None),
        ] {
            assert_eq!(TimeSpan::millis(text), millis, "{text}");
        }
    }
}
