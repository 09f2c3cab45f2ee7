//! Receipt handles: which message, and which of its receives.

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::STANDARD};

/// One receive of one message. `receives` is the count after it, so that a later receive of the
/// same message has another handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handle {
    pub(crate) queue: i64,
    pub(crate) message: i64,
    pub(crate) receives: i64,
}

/// Three numbers and a check sum that tells a handle from other text.
const LENGTH: usize = 3 * 8 + CHECK;
const CHECK: usize = 8;

impl Handle {
    pub(crate) fn encode(self) -> String {
        let mut bytes = Vec::with_capacity(LENGTH);
        for number in [self.queue, self.message, self.receives] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        let check = check_sum(&bytes);
        bytes.extend_from_slice(&check);
        STANDARD.encode(bytes)
    }

    /// `None` for text that was never a handle.
    pub(crate) fn decode(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text).ok()?;
        let (numbers, check) = bytes.split_at_checked(LENGTH - CHECK)?;
        if check != check_sum(numbers) {
            return None;
        }
        let mut numbers = numbers.chunks_exact(8).map(|chunk| chunk.try_into().map(i64::from_be_bytes));
        let mut next = || numbers.next()?.ok();
        Some(Self { queue: next()?, message: next()?, receives: next()? })
    }
}

fn check_sum(bytes: &[u8]) -> [u8; CHECK] {
    let hash = digest::digest(&digest::SHA256, bytes);
    let mut check = [0; CHECK];
    check.copy_from_slice(&hash.as_ref()[..CHECK]);
    check
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_comes_back_and_garbage_does_not() {
        let handle = Handle { queue: 1, message: i64::MAX, receives: 3 };
        let text = handle.encode();
        assert_eq!(Handle::decode(&text), Some(handle));
        for bad in ["", "garbage", "AAAA", &text[1..], &format!("B{}", &text[1..]), &format!("{text}AAAA")] {
            assert_eq!(Handle::decode(bad), None, "{bad}");
        }
    }
}
