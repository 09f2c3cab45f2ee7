//! Where two encodings of the same sound may be joined.
//!
//! A frame of AAC overlaps with its neighbours, and the decoder adds the overlapping halves; what quantisation leaves
//! out of one half cancels against the other only when both were windowed alike (ISO/IEC 14496-3, section 4.6.11). Two
//! encoders that heard the same sound for some frames decide alike nearly always; a seam is laid where they did.

use std::io::Result;
use std::ops::Range;

use super::bits::Bits;

/// How the halves of a frame are windowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Long, start, eight short, stop: 0 to 3.
    sequence: u8,
    /// Sine or Kaiser-Bessel: 0 or 1.
    shape: u8,
}

/// The window of all channels of a frame; `None` when they differ, or when finding out would take decoding
/// (ISO/IEC 14496-3, tables 4.3 to 4.6: `raw_data_block` and what it begins with).
pub fn window(frame: &[u8]) -> Option<Window> {
    const SINGLE: u32 = 0;
    const PAIR: u32 = 1;
    const FILL: u32 = 6;

    let mut bits = Bits::new(frame);
    loop {
        match bits.take(3)? {
            FILL => {
                let count = match bits.take(4)? {
                    15 => 14 + bits.take(8)?,
                    count => count,
                };
                bits.skip(count as usize * 8);
            }
            SINGLE => {
                // The tag and the global gain.
                bits.take(4 + 8)?;
                return of_channel(&mut bits);
            }
            PAIR => {
                bits.take(4)?;
                let is_common = bits.take(1)? == 1;
                return if is_common { of_channel(&mut bits) } else { None };
            }
            _ => return None,
        }
    }
}

/// The beginning of `ics_info`: a reserved bit, the sequence, the shape.
fn of_channel(bits: &mut Bits<'_>) -> Option<Window> {
    bits.take(1)?;
    Some(Window { sequence: bits.take(2)? as u8, shape: bits.take(1)? as u8 })
}

/// Of the frames in a range, the one nearest to `wanted` at which both encodings agree.
pub fn nearest(wanted: u64, range: Range<u64>, mut agree: impl FnMut(u64) -> Result<bool>) -> Result<Option<u64>> {
    let mut candidates: Vec<u64> = range.collect();
    candidates.sort_by_key(|frame| frame.abs_diff(wanted));
    for frame in candidates {
        if agree(frame)? {
            return Ok(Some(frame));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bits as text, blanks left out, filled up to bytes.
    fn bytes(bits: &str) -> Vec<u8> {
        let bits: Vec<u8> = bits.bytes().filter(|bit| *bit != b' ').map(|bit| bit - b'0').collect();
        bits.chunks(8).map(|byte| byte.iter().fold(0, |value, bit| value << 1 | bit) << (8 - byte.len())).collect()
    }

    #[test]
    fn windows_are_read() {
        // Single channel: tag, gain, then reserved, sequence 2, shape 1.
        assert_eq!(window(&bytes("000 0000 10101010 0 10 1 0000")), Some(Window { sequence: 2, shape: 1 }));
        assert_eq!(window(&bytes("001 0000 1 0 00 1 0000")), Some(Window { sequence: 0, shape: 1 }));
        // Behind a fill element of two bytes.
        assert_eq!(
            window(&bytes("110 0010 11111111 11111111 001 0000 1 0 11 0")),
            Some(Window { sequence: 3, shape: 0 })
        );
        assert_eq!(window(&bytes("001 0000 0 0 00 1 0000")), None, "windows of their own");
        assert_eq!(window(&bytes("011 0000 0 0 00 1 0000")), None, "another element");
        assert_eq!(window(&[0b0010_0001]), None, "cut off");
    }

    #[test]
    fn the_seam_lies_where_both_agree() {
        let agree = |frame| Ok(!(9..12).contains(&frame));
        assert_eq!(nearest(10, 5..13, agree).unwrap(), Some(8));
        assert_eq!(nearest(10, 9..12, agree).unwrap(), None);
    }
}
