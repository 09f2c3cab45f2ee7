//! The header and the side information of a frame (ISO/IEC 11172-3, sections 2.4.1.3 and 2.4.1.7; ISO/IEC 13818-3,
//! section 2.4.1.7 for the lower rates).

use crate::engine::split::bits::Bits;
use crate::engine::split::cut::common_multiple;

/// Kilobits a second by their index in the header, at the rates of MPEG-1 and at the lower ones.
const BIT_RATES: [u32; 15] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const LOWER_BIT_RATES: [u32; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
/// Samples a second by their index; the lower ones are half of them.
const RATES: [u32; 3] = [44_100, 48_000, 32_000];

/// Where a frame lies in its file, and how it hangs together with those around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Its header.
    pub start: usize,
    /// What is behind the side information.
    pub data: usize,
    /// The next frame.
    pub end: usize,
    /// `main_data_begin`: so many bytes of its sound lie in frames before it.
    pub borrowed: usize,
    /// How the last granule of each channel is windowed: whether unlike the most, its block type, whether it is mixed.
    pub windows: [u32; 2],
}

/// What differs between MPEG-1 and the lower rates: the bits of fields, of which the last are those of one granule and
/// channel, and where in these the windows are described.
struct Layout {
    begin: usize,
    private: [usize; 2],
    shared: usize,
    granules: usize,
    granule: usize,
    windows: usize,
}

const MPEG_1: Layout = Layout { begin: 9, private: [5, 3], shared: 4, granules: 2, granule: 59, windows: 33 };
const LOWER: Layout = Layout { begin: 8, private: [1, 2], shared: 0, granules: 1, granule: 63, windows: 38 };

/// Whether a preset's rates are of one MPEG standard.
pub fn knows(rate: u32, bit_rate: Option<u32>) -> bool {
    let index = |rates: &[u32]| bit_rate.is_some_and(|bit_rate| rates[1..].iter().any(|kilo| kilo * 1000 == bit_rate));
    (RATES.contains(&rate) && index(&BIT_RATES)) || (RATES.contains(&(rate * 2)) && index(&LOWER_BIT_RATES))
}

/// Samples of each channel in a frame.
pub fn samples(rate: u32) -> u64 {
    if RATES.contains(&rate) { 1152 } else { 576 }
}

/// Samples of the fewest frames that have a whole number of bytes without padding (section 2.4.3.1): behind them the
/// coder pads as from the start, and encodings that begin so far apart have frames of the same sizes.
pub fn step(rate: u32, bit_rate: Option<u32>) -> u64 {
    let (frame, rate) = (samples(rate), u64::from(rate));
    let eighths = frame / 8 * bit_rate.map_or(1000, u64::from);
    frame * (common_multiple(rate, eighths) / eighths)
}

impl Frame {
    /// The frame that begins at a place; `None` for other bytes, and where it has a sum of its own, which our coder
    /// does not write.
    pub fn at(bytes: &[u8], start: usize) -> Option<Self> {
        // Eleven bits of sync; then, but for the standard's two bits, layer III without a sum.
        const MASK: u32 = 0xffe7;
        const START: u32 = 0xffe3;

        let mut bits = Bits::new(bytes.get(start..)?);
        let beginning = bits.take(16)?;
        let (layout, bit_rates, divisor) = match beginning >> 3 & 3 {
            3 => (MPEG_1, BIT_RATES, 1),
            2 => (LOWER, LOWER_BIT_RATES, 2),
            _ => return None,
        };
        if beginning & MASK != START {
            return None;
        }
        let bit_rate = *bit_rates.get(bits.take(4)? as usize).filter(|&&rate| rate != 0)? * 1000;
        let rate = RATES.get(bits.take(2)? as usize)? / divisor;
        let padding = bits.take(1)?;
        bits.skip(1);
        let channels = if bits.take(2)? == 3 { 1 } else { 2 };
        bits.skip(6);
        let size = samples(rate) as u32 / 8 * bit_rate / rate + padding;
        let (borrowed, side, windows) = layout.read(bits, channels)?;
        let frame = Self { start, data: start + 4 + side, end: start + size as usize, borrowed, windows };
        (frame.data <= frame.end && frame.end <= bytes.len()).then_some(frame)
    }
}

impl Layout {
    /// Reads the side information: what is borrowed, its bytes, and the last windows.
    fn read(&self, mut bits: Bits<'_>, channels: usize) -> Option<(usize, usize, [u32; 2])> {
        let borrowed = bits.take(self.begin)? as usize;
        let before = self.private[channels - 1] + channels * (self.shared + (self.granules - 1) * self.granule);
        bits.skip(before);
        let mut windows = [0; 2];
        for window in &mut windows[..channels] {
            bits.skip(self.windows);
            let is_unlike = bits.take(1)? == 1;
            let rest = bits.take(3)?;
            // Elsewhere the three bits are of something else.
            *window = if is_unlike { 1 << 3 | rest } else { 0 };
            bits.skip(self.granule - self.windows - 4);
        }
        let side = (self.begin + before + channels * self.granule) / 8;
        Some((borrowed, side, windows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_have_a_whole_number_of_bytes() {
        assert_eq!(step(44_100, Some(128_000)), 49 * 1152);
        assert_eq!(step(44_100, Some(112_000)), 7 * 1152);
        assert_eq!(step(48_000, Some(320_000)), 1152);
        assert_eq!(step(22_050, Some(64_000)), 49 * 576);
    }

    #[test]
    fn frames_are_read() {
        // MPEG-1, 128 kb/s, 44.1 kHz, padded, joint stereo; 300 bytes are borrowed, and the second channel's last
        // window is the second of the unlike ones.
        let mut bytes = vec![0; 420];
        bytes[..4].copy_from_slice(&[0xff, 0xfb, 0x92, 0x44]);
        bytes[4..6].copy_from_slice(&(300_u16 << 7).to_be_bytes());
        let at = 9 + 3 + 8 + 3 * 59 + 33;
        for bit in [at, at + 1] {
            bytes[4 + bit / 8] |= 0x80 >> (bit % 8);
        }
        let frame = Frame { start: 0, data: 36, end: 418, borrowed: 300, windows: [0, 0b1100] };
        assert_eq!(Frame::at(&bytes, 0), Some(frame));
        bytes[3] |= 0xc0;
        assert_eq!(Frame::at(&bytes, 0).unwrap().data, 4 + 17);
        // The lower rates: 64 kb/s, 22.05 kHz, stereo.
        bytes[..4].copy_from_slice(&[0xff, 0xf3, 0x80, 0x04]);
        let frame = Frame::at(&bytes, 0).unwrap();
        assert_eq!((frame.data, frame.end, frame.borrowed), (4 + 17, 208, 150));
        assert_eq!(Frame::at(&bytes[..207], 0), None, "cut off");
        for other in [[0xff, 0xfa, 0x92, 0x44], [0xff, 0xfd, 0x92, 0x44], [0xff, 0xfb, 0xf2, 0x44], *b"ID3\x04"] {
            bytes[..4].copy_from_slice(&other);
            assert_eq!(Frame::at(&bytes, 0), None, "{other:x?}");
        }
    }

    #[test]
    fn rates_go_with_bit_rates() {
        assert!(knows(44_100, Some(320_000)) && knows(22_050, Some(160_000)) && knows(16_000, Some(8000)));
        assert!(!knows(22_050, Some(320_000)) && !knows(44_100, Some(8000)) && !knows(44_100, Some(100_000)));
        assert!(!knows(96_000, Some(128_000)) && !knows(8000, Some(32_000)) && !knows(44_100, None));
    }
}
