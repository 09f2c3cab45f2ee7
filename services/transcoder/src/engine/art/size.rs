//! How large a picture becomes: the table of sizing and padding policies as whole numbers.

use super::picture::{Format, Header};

/// How a picture shall look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// The most pixels across.
    pub width: u32,
    /// The most pixels down.
    pub height: u32,
    /// How it comes to that size.
    pub sizing: SizingPolicy,
    /// Whether a smaller one is filled up.
    pub padding: PaddingPolicy,
    /// How it is coded; as it was when there is none.
    pub format: Option<Format>,
}

/// How a picture is brought into its box (API reference, Artwork).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SizingPolicy {
    /// Scaled up or down until it just fits.
    Fit,
    /// Scaled up or down until it just fills the box, which cuts off the rest.
    Fill,
    /// Scaled to the box, out of proportion.
    Stretch,
    /// Not scaled; the box cuts off what is too large.
    Keep,
    /// As `Fit`, but never scaled up.
    ShrinkToFit,
    /// As `Fill`, but never scaled up.
    ShrinkToFill,
}

/// Whether bars make a smaller picture as large as its box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PaddingPolicy {
    /// White ones, as much on both sides.
    Pad,
    /// None.
    NoPad,
}

/// Pixels across and down.
type Size = (u32, u32);

/// What is done with a picture of a known size. It is cut before it is scaled, so that no picture in between is larger
/// than the picture or its box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// What is kept of it, out of its middle.
    pub cut: Size,
    /// What that is scaled to.
    pub scaled: Size,
    /// What that is put on.
    pub paper: Size,
}

impl Shape {
    /// What is done with a picture of that size.
    pub fn steps(&self, (width, height): Size) -> Steps {
        let box_size = (self.width, self.height);
        let is_wider = u64::from(width) * u64::from(self.height) >= u64::from(height) * u64::from(self.width);
        let fits = (width <= self.width, height <= self.height);
        let whole = |scaled| ((width, height), scaled);
        let fit = || {
            whole(if is_wider {
                (self.width, even(height, self.width, width))
            } else {
                (even(width, self.height, height), self.height)
            })
        };
        let fill = || {
            let cut = if is_wider {
                (part(self.width, height, self.height), height)
            } else {
                (width, part(self.height, width, self.width))
            };
            (cut, box_size)
        };
        let keep = || {
            let cut = (even_below(width.min(self.width)), even_below(height.min(self.height)));
            (cut, cut)
        };
        let (cut, scaled) = match (self.sizing, fits) {
            (SizingPolicy::Stretch, _) => whole(box_size),
            (SizingPolicy::Keep, _)
            | (SizingPolicy::ShrinkToFit, (true, true))
            | (SizingPolicy::ShrinkToFill, (true, _) | (_, true)) => keep(),
            (SizingPolicy::Fit | SizingPolicy::ShrinkToFit, _) => fit(),
            (SizingPolicy::Fill | SizingPolicy::ShrinkToFill, _) => fill(),
        };
        let paper = if self.padding == PaddingPolicy::Pad { box_size } else { scaled };
        Steps { cut, scaled, paper }
    }

    /// ffmpeg's filter graph and coder, from the picture to what it becomes. JPEG has no transparency: there the paper
    /// shows through.
    pub fn arguments(&self, header: &Header) -> Vec<String> {
        let Steps { cut, scaled, paper } = self.steps((header.width, header.height));
        let sized = format!("[0:v]format=rgba,crop={}:{},scale={}:{},setsar=1", cut.0, cut.1, scaled.0, scaled.1);
        let (width, height) = paper;
        let (graph, coder) = match self.format.unwrap_or(header.format) {
            Format::Png | Format::Bmp => (
                format!("{sized},pad={width}:{height}:(ow-iw)/2:(oh-ih)/2:white"),
                ["-c:v", "png", "-pred", "mixed"].as_slice(),
            ),
            Format::Jpeg => (
                format!(
                    "color=white:s={width}x{height}:r=1:d=1,format=rgb24[paper];{sized}[art];\
                     [paper][art]overlay=(W-w)/2:(H-h)/2:format=rgb,format=yuvj420p"
                ),
                ["-c:v", "mjpeg", "-q:v", "2"].as_slice(),
            ),
        };
        let mut arguments = vec!["-filter_complex".to_owned(), graph];
        arguments.extend(coder.iter().map(|&argument| argument.to_owned()));
        arguments
    }
}

/// `side * to / from`, as the nearest even number that is a size.
fn even(side: u32, to: u32, from: u32) -> u32 {
    let (side, to, from) = (u64::from(side), u64::from(to), u64::from(from));
    small(((side * to + from) / (2 * from) * 2).max(2))
}

/// A line more than an even number is cut off, as scaling would blur a picture that is to stay as it is.
fn even_below(side: u32) -> u32 {
    if side < 2 { side } else { side & !1 }
}

/// `side * of / box`, rounded, and at least a line.
fn part(side: u32, of: u32, box_side: u32) -> u32 {
    let (side, of, box_side) = (u64::from(side), u64::from(of), u64::from(box_side));
    small(((2 * side * of + box_side) / (2 * box_side)).max(1))
}

/// Sides have sixteen bits at most, and these are no longer than those that they were made of.
fn small(side: u64) -> u32 {
    u32::try_from(side).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [SizingPolicy; 6] = [
        SizingPolicy::Fit,
        SizingPolicy::Fill,
        SizingPolicy::Stretch,
        SizingPolicy::Keep,
        SizingPolicy::ShrinkToFit,
        SizingPolicy::ShrinkToFill,
    ];

    fn shape(sizing: SizingPolicy, padding: PaddingPolicy) -> Shape {
        Shape { width: 200, height: 100, sizing, padding, format: None }
    }

    /// Cut and scaled sizes in a box of 200 × 100, in the order of [`ALL`].
    const TABLE: [(Size, [(Size, Size); 6]); 9] = [
        // Larger in both, narrower than the box.
        (
            (400, 400),
            [
                ((400, 400), (100, 100)),
                ((400, 200), (200, 100)),
                ((400, 400), (200, 100)),
                ((200, 100), (200, 100)),
                ((400, 400), (100, 100)),
                ((400, 200), (200, 100)),
            ],
        ),
        // Larger in both, wider.
        (
            (800, 200),
            [
                ((800, 200), (200, 50)),
                ((400, 200), (200, 100)),
                ((800, 200), (200, 100)),
                ((200, 100), (200, 100)),
                ((800, 200), (200, 50)),
                ((400, 200), (200, 100)),
            ],
        ),
        // Smaller in both.
        (
            (50, 50),
            [
                ((50, 50), (100, 100)),
                ((50, 25), (200, 100)),
                ((50, 50), (200, 100)),
                ((50, 50), (50, 50)),
                ((50, 50), (50, 50)),
                ((50, 50), (50, 50)),
            ],
        ),
        // Wider than the box, and not as high.
        (
            (400, 40),
            [
                ((400, 40), (200, 20)),
                ((80, 40), (200, 100)),
                ((400, 40), (200, 100)),
                ((200, 40), (200, 40)),
                ((400, 40), (200, 20)),
                ((200, 40), (200, 40)),
            ],
        ),
        // Higher than the box, and not as wide.
        (
            (60, 300),
            [
                ((60, 300), (20, 100)),
                ((60, 30), (200, 100)),
                ((60, 300), (200, 100)),
                ((60, 100), (60, 100)),
                ((60, 300), (20, 100)),
                ((60, 100), (60, 100)),
            ],
        ),
        // Just the box.
        ((200, 100), [((200, 100), (200, 100)); 6]),
        // Sizes that scaling makes odd: 200 × 66.7 and 66.7 × 100.
        (
            (300, 100),
            [
                ((300, 100), (200, 66)),
                ((200, 100), (200, 100)),
                ((300, 100), (200, 100)),
                ((200, 100), (200, 100)),
                ((300, 100), (200, 66)),
                ((200, 100), (200, 100)),
            ],
        ),
        // Odd to begin with: a line goes.
        (
            (51, 33),
            [
                ((51, 33), (154, 100)),
                ((51, 26), (200, 100)),
                ((51, 33), (200, 100)),
                ((50, 32), (50, 32)),
                ((50, 32), (50, 32)),
                ((50, 32), (50, 32)),
            ],
        ),
        // As thin as can be.
        (
            (4096, 1),
            [
                ((4096, 1), (200, 2)),
                ((2, 1), (200, 100)),
                ((4096, 1), (200, 100)),
                ((200, 1), (200, 1)),
                ((4096, 1), (200, 2)),
                ((200, 1), (200, 1)),
            ],
        ),
    ];

    #[test]
    fn every_policy_has_its_size() {
        for (size, row) in TABLE {
            for (sizing, (cut, scaled)) in ALL.into_iter().zip(row) {
                let steps = |padding| shape(sizing, padding).steps(size);
                assert_eq!(steps(PaddingPolicy::NoPad), Steps { cut, scaled, paper: scaled }, "{size:?} {sizing:?}");
                let padded = Steps { cut, scaled, paper: (200, 100) };
                assert_eq!(steps(PaddingPolicy::Pad), padded, "{size:?} {sizing:?}");
            }
        }
    }

    #[test]
    fn no_step_is_larger_than_the_picture_or_its_box() {
        for size in [(1, 1), (1, 3072), (4096, 1), (4095, 3071), (33, 7), (7, 33), (4096, 3072)] {
            for limits in [(32, 32), (4096, 32), (32, 3072), (4096, 3072), (600, 600)] {
                for sizing in ALL {
                    let box_shape = Shape { width: limits.0, height: limits.1, ..shape(sizing, PaddingPolicy::NoPad) };
                    let Steps { cut, scaled, .. } = box_shape.steps(size);
                    let within = |(width, height): Size, most: Size| {
                        (1..=most.0).contains(&width) && (1..=most.1).contains(&height)
                    };
                    assert!(
                        within(cut, size) && within(scaled, limits),
                        "{size:?} {limits:?} {sizing:?} {cut:?} {scaled:?}"
                    );
                }
            }
        }
    }
}
