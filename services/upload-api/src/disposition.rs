//! The header that names a download (RFC 6266).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What RFC 8187 (section 3.2.1, `attr-char`) lets stand as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// `attachment` under `filename`, with an ASCII name for clients that know no other.
pub fn attachment(filename: &str) -> String {
    // Quotes and backslashes would end or escape the quoted string; some clients decode `%`.
    let plain = |letter: char| (letter.is_ascii_graphic() || letter == ' ') && !matches!(letter, '"' | '\\' | '%');
    let fallback: String = filename.chars().map(|letter| if plain(letter) { letter } else { '_' }).collect();
    format!("attachment; filename=\"{fallback}\"; filename*=UTF-8''{}", utf8_percent_encode(filename, ENCODED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_script_have_both_forms() {
        assert_eq!(attachment("a b.wav"), r#"attachment; filename="a b.wav"; filename*=UTF-8''a%20b.wav"#);
        assert_eq!(
            attachment("Jóga \"夜\".wav"),
            r#"attachment; filename="J_ga ___.wav"; filename*=UTF-8''J%C3%B3ga%20%22%E5%A4%9C%22.wav"#
        );
    }
}
