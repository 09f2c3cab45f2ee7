//! The regular expressions of the API's shapes, letter for letter, because error texts quote them.

use std::sync::OnceLock;

use regex_lite::Regex;

/// A documented pattern.
pub struct Pattern {
    text: &'static str,
    compiled: OnceLock<Regex>,
}

impl Pattern {
    const fn new(text: &'static str) -> Self {
        Self { text, compiled: OnceLock::new() }
    }

    /// As documented.
    pub fn text(&self) -> &'static str {
        self.text
    }

    /// Whether a value satisfies it.
    pub fn matches(&self, value: &str) -> bool {
        self.compiled.get_or_init(|| Regex::new(self.text).expect("a test compiles every pattern")).is_match(value)
    }
}

macro_rules! patterns {
    ($($name:ident = $text:literal;)*) => {
        $(pub(crate) static $name: Pattern = Pattern::new($text);)*

        #[cfg(test)]
        static ALL: &[&Pattern] = &[$(&$name),*];
    };
}

patterns! {
    ID = r"^\d{13}-\w{6}$";
    BUCKET_NAME = r"^(\w|\.|-){1,255}$";
    ROLE = r"^arn:aws:iam::\w{12}:role/.+$";
    SNS_TOPIC = r"(^$)|(^arn:aws:sns:.*:\w{12}:.+$)";
    STORAGE_CLASS = r"(^ReducedRedundancy$)|(^Standard$)";
    GRANTEE_TYPE = r"(^Canonical$)|(^Email$)|(^Group$)";
    ACCESS = r"(^FullControl$)|(^Read$)|(^ReadAcp$)|(^WriteAcp$)";
    TRUE_OR_FALSE = r"(^true$)|(^false$)";
    PIPELINE_STATUS = r"(^Active$)|(^Paused$)";
    JOB_STATUS = r"(^Submitted$)|(^Progressing$)|(^Complete$)|(^Canceled$)|(^Error$)";
    FRAME_RATE = r"(^auto$)|(^10$)|(^15$)|(^23.97$)|(^24$)|(^25$)|(^29.97$)|(^30$)|(^50$)|(^60$)";
    MAX_FRAME_RATE = r"(^10$)|(^15$)|(^23.97$)|(^24$)|(^25$)|(^29.97$)|(^30$)|(^50$)|(^60$)";
    RESOLUTION = r"(^auto$)|(^\d{1,5}x\d{1,5}$)";
    THUMBNAIL_RESOLUTION = r"^\d{1,5}x\d{1,5}$";
    ASPECT_RATIO = r"(^auto$)|(^1:1$)|(^4:3$)|(^3:2$)|(^16:9$)";
    INTERLACED = r"(^auto$)|(^true$)|(^false$)";
    JOB_CONTAINER = r"(^auto$)|(^3gp$)|(^asf$)|(^avi$)|(^divx$)|(^flv$)|(^mkv$)|(^mov$)|(^mp4$)|(^mpeg$)|(^mpeg-ps$)|(^mpeg-ts$)|(^mxf$)|(^ogg$)|(^ts$)|(^vob$)|(^wav$)|(^webm$)|(^mp3$)|(^m4a$)|(^aac$)";
    PRESET_CONTAINER = r"(^mp4$)|(^ts$)|(^webm$)|(^mp3$)|(^flac$)|(^oga$)|(^ogg$)|(^fmp4$)|(^mpg$)|(^flv$)|(^gif$)|(^mxf$)|(^wav$)|(^mp2$)";
    AUDIO_CODEC = r"(^AAC$)|(^vorbis$)|(^mp3$)|(^mp2$)|(^pcm$)|(^flac$)";
    AUDIO_SAMPLE_RATE = r"(^auto$)|(^22050$)|(^32000$)|(^44100$)|(^48000$)|(^96000$)|(^192000$)";
    AUDIO_BIT_RATE = r"^\d{1,3}$";
    AUDIO_CHANNELS = r"(^auto$)|(^0$)|(^1$)|(^2$)";
    AUDIO_PACKING_MODE = r"(^SingleTrack$)|(^OneChannelPerTrack$)|(^OneChannelPerTrackWithMosTo8Tracks$)";
    AUDIO_CODEC_PROFILE = r"(^auto$)|(^AAC-LC$)|(^HE-AAC$)|(^HE-AACv2$)";
    AUDIO_BIT_DEPTH = r"(^8$)|(^16$)|(^24$)|(^32$)";
    AUDIO_BIT_ORDER = r"(^LittleEndian$)";
    AUDIO_SIGNED = r"(^Unsigned$)|(^Signed$)";
    VIDEO_CODEC = r"(^H\.264$)|(^vp8$)|(^vp9$)|(^mpeg2$)|(^gif$)";
    VIDEO_BIT_RATE = r"(^\d{2,5}$)|(^auto$)";
    KEYFRAMES_MAX_DIST = r"^\d{1,6}$";
    DIGITS = r"^\d{1,5}$";
    DIGITS_OR_AUTO = r"(^auto$)|(^\d{2,4}$)";
    SIZING_POLICY = r"(^Fit$)|(^Fill$)|(^Stretch$)|(^Keep$)|(^ShrinkToFit$)|(^ShrinkToFill$)";
    WATERMARK_SIZING_POLICY = r"(^Fit$)|(^Stretch$)|(^ShrinkToFit$)";
    PADDING_POLICY = r"(^Pad$)|(^NoPad$)";
    PIXELS_OR_PERCENT = r"(^\d{1,3}(\.\d{0,5})?%$)|(^\d{1,4}?px$)";
    HORIZONTAL_ALIGN = r"(^Left$)|(^Right$)|(^Center$)";
    VERTICAL_ALIGN = r"(^Top$)|(^Bottom$)|(^Center$)";
    OPACITY = r"^\d{1,3}(\.\d{0,20})?$";
    TARGET = r"(^Content$)|(^Frame$)";
    JPG_OR_PNG = r"(^jpg$)|(^png$)";
    ROTATE = r"(^auto$)|(^0$)|(^90$)|(^180$)|(^270$)";
    THUMBNAIL_PATTERN = r"(^$)|(^.*\{count\}.*$)";
    FLOAT_STRING = r"^\d{1,5}(\.\d{0,5})?$";
    TIME = r"(^\d{1,5}(\.\d{0,3})?$)|(^([0-1]?[0-9]:|2[0-3]:)?([0-5]?[0-9]:)?[0-5]?[0-9](\.\d{0,3})?$)";
    TIME_OFFSET = r"(^[+-]?\d{1,5}(\.\d{0,3})?$)|(^[+-]?([0-1]?[0-9]:|2[0-3]:)?([0-5]?[0-9]:)?[0-5]?[0-9](\.\d{0,3})?$)";
    ENCRYPTION_MODE = r"(^s3$)|(^s3-aws-kms$)|(^aes-cbc-pkcs7$)|(^aes-ctr$)|(^aes-gcm$)";
    BASE64 = r"^$|(^(?:[A-Za-z0-9\+/]{4})*(?:[A-Za-z0-9\+/]{2}==|[A-Za-z0-9\+/]{3}=)?$)";
    NON_EMPTY_BASE64 = r"(^(?:[A-Za-z0-9\+/]{4})*(?:[A-Za-z0-9\+/]{2}==|[A-Za-z0-9\+/]{3}=)?$)";
    PLAYLIST_FORMAT = r"(^HLSv3$)|(^HLSv4$)|(^Smooth$)|(^MPEG-DASH$)";
    HLS_METHOD = r"(^aes-128$)";
    KEY_STORAGE_POLICY = r"(^NoStore$)|(^WithVariantPlaylists$)";
    PLAY_READY_FORMAT = r"(^microsoft$)|(^discretix-3.0$)";
    KEY_ID_GUID = r"(^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$)|(^[0-9A-Fa-f]{32}$)";
    WATERMARK_KEY = r"(^.{1,1020}.jpg$)|(^.{1,1019}.jpeg$)|(^.{1,1020}.png$)";
    MERGE_POLICY = r"(^Replace$)|(^Prepend$)|(^Append$)|(^Fallback$)";
    CAPTION_MERGE_POLICY = r"(^MergeOverride$)|(^MergeRetain$)|(^Override$)";
    CAPTION_FORMAT = r"(^mov-text$)|(^srt$)|(^scc$)|(^webvtt$)|(^dfxp$)|(^cea-708$)";
    CAPTION_PATTERN = r"(^$)|(^.*\{language\}.*$)";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        for pattern in ALL {
            assert!(!pattern.matches("\u{0}"), "{}", pattern.text());
        }
    }

    #[test]
    fn patterns_take_and_refuse() {
        for (pattern, good, bad) in [
            (&BUCKET_NAME, "my-bucket.1", "my bucket"),
            (&ROLE, "arn:aws:iam::111122223333:role/x", "arn:aws:iam::1:role/x"),
            (&SNS_TOPIC, "", "arn:aws:sqs:us-east-1:111122223333:x"),
            (&TIME, "23:59:59.999", "24:00:00"),
            (&FLOAT_STRING, "10.5", "10s"),
            (&THUMBNAIL_PATTERN, "a-{count}", "a"),
            (&JOB_CONTAINER, "mpeg-ts", "flac"),
            (&AUDIO_CODEC, "AAC", "aac"),
            (&VIDEO_BIT_RATE, "62500", "1"),
            (&PIXELS_OR_PERCENT, "12.5%", "12.5px"),
            (&OPACITY, "99.5", "1000"),
            (&BASE64, "QUJDRA==", "QUJDRA"),
            (&KEY_ID_GUID, "0123456789abcdef0123456789ABCDEF", "0123456789abcdef"),
            (&WATERMARK_KEY, "logo.png", "logo.gif"),
        ] {
            assert!(pattern.matches(good) && !pattern.matches(bad), "{}", pattern.text());
        }
    }
}
