//! Ids of pipelines, jobs and presets: creation time in milliseconds, a dash, six letters or digits.

const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const RANDOM_LETTERS: usize = 6;
const TIME_DIGITS: usize = 13;

/// Makes an id from the time of creation and randomness of the caller's.
///
/// Ids sort by time. Two made in one millisecond differ unless their randomness agrees (one in two thousand million),
/// so a store must still refuse a second one.
pub fn new_id(epoch_ms: u64, mut random: u64) -> String {
    let mut id = format!("{epoch_ms:0TIME_DIGITS$}-");
    for _ in 0..RANDOM_LETTERS {
        id.push(char::from(ALPHABET[(random % 36) as usize]));
        random /= 36;
    }
    id
}

/// Whether a text has the form of an id: `^\d{13}-\w{6}$`.
pub fn is_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == TIME_DIGITS + 1 + RANDOM_LETTERS
        && bytes[..TIME_DIGITS].iter().all(u8::is_ascii_digit)
        && bytes[TIME_DIGITS] == b'-'
        && bytes[TIME_DIGITS + 1..].iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_documented_form_and_sort_by_time() {
        let first = new_id(1_700_000_000_000, 0);
        assert_eq!(first, "1700000000000-000000");
        assert!(is_id(&first) && is_id(&new_id(1_700_000_000_000, u64::MAX)));
        assert!(new_id(1_700_000_000_001, 0) > new_id(1_700_000_000_000, u64::MAX));
        assert_ne!(new_id(1, 35), new_id(1, 36));
    }

    #[test]
    fn other_texts_are_no_ids() {
        for text in [
            "",
            "1",
            "1700000000000-00000",
            "1700000000000-0000000",
            "170000000000a-000000",
            "1700000000000_000000",
            "1700000000000-00000é",
        ] {
            assert!(!is_id(text), "{text}");
        }
    }
}
