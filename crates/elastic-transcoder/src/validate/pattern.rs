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
    JOB_STATUS = r"(^Submitted$)|(^Progressing$)|(^Complete$)|(^Canceled$)|(^Error$)";
    FRAME_RATE = r"(^auto$)|(^10$)|(^15$)|(^23.97$)|(^24$)|(^25$)|(^29.97$)|(^30$)|(^50$)|(^60$)";
    RESOLUTION = r"(^auto$)|(^\d{1,5}x\d{1,5}$)";
    ASPECT_RATIO = r"(^auto$)|(^1:1$)|(^4:3$)|(^3:2$)|(^16:9$)";
    INTERLACED = r"(^auto$)|(^true$)|(^false$)";
    JOB_CONTAINER = r"(^auto$)|(^3gp$)|(^asf$)|(^avi$)|(^divx$)|(^flv$)|(^mkv$)|(^mov$)|(^mp4$)|(^mpeg$)|(^mpeg-ps$)|(^mpeg-ts$)|(^mxf$)|(^ogg$)|(^ts$)|(^vob$)|(^wav$)|(^webm$)|(^mp3$)|(^m4a$)|(^aac$)";
    ROTATE = r"(^auto$)|(^0$)|(^90$)|(^180$)|(^270$)";
    THUMBNAIL_PATTERN = r"(^$)|(^.*\{count\}.*$)";
    FLOAT_STRING = r"^\d{1,5}(\.\d{0,5})?$";
    TIME = r"(^\d{1,5}(\.\d{0,3})?$)|(^([0-1]?[0-9]:|2[0-3]:)?([0-5]?[0-9]:)?[0-5]?[0-9](\.\d{0,3})?$)";
    TIME_OFFSET = r"(^[+-]?\d{1,5}(\.\d{0,3})?$)|(^[+-]?([0-1]?[0-9]:|2[0-3]:)?([0-5]?[0-9]:)?[0-5]?[0-9](\.\d{0,3})?$)";
    ENCRYPTION_MODE = r"(^s3$)|(^s3-aws-kms$)|(^aes-cbc-pkcs7$)|(^aes-ctr$)|(^aes-gcm$)";
    PLAYLIST_FORMAT = r"(^HLSv3$)|(^HLSv4$)|(^Smooth$)|(^MPEG-DASH$)";
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
        ] {
            assert!(pattern.matches(good) && !pattern.matches(bad), "{}", pattern.text());
        }
    }
}
