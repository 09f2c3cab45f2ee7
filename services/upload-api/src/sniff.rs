//! Tells plain text from everything else by the first bytes.

/// How many bytes are looked at.
pub const BYTES: usize = 1024;

/// Whether `start`, the first bytes of a file, can only be text: UTF-8 without control characters
/// other than tabs, line breaks and form feeds. No container of audio or video begins like that.
pub fn is_text(start: &[u8]) -> bool {
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        // A letter may be cut in two where the look ends.
        Err(error) if error.error_len().is_none() && start.len() >= BYTES => {
            let (whole, _) = start.split_at(error.valid_up_to());
            std::str::from_utf8(whole).unwrap_or_default()
        }
        Err(_) => return false,
    };
    text.chars().all(|letter| !letter.is_control() || matches!(letter, '\t' | '\r' | '\n' | '\x0c'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_text() {
        assert!(is_text(b"dear diary,\r\n\tnothing."));
        assert!(is_text("夜".as_bytes()));
        let cut = "夜".repeat(400);
        assert!(is_text(&cut.as_bytes()[..BYTES]));
    }

    #[test]
    fn media_is_not() {
        assert!(!is_text(b"ID3\x04\0\0\0\0\0\x23"));
        assert!(!is_text(b"RIFF\x24\x08\0\0WAVEfmt "));
        assert!(!is_text(b"fLaC\0\0\0\x22"));
        assert!(!is_text(b"\xff\xfb\x90\x64"));
        assert!(!is_text("夜".as_bytes().split_last().unwrap().1), "a short file that ends inside a letter");
    }
}
