//! A part of an input.

use elastic_transcoder::{Failure, FailureCode, TimeSpan};

/// What an output may be shorter than its clip, in milliseconds: lengths are rounded by the sample and the frame.
const TOLERANCE: i64 = 50;

/// What a client is told whose clip reaches beyond the end of its input.
pub const TOO_LONG: &str = "The starting time plus the duration of a clip exceeded the length of the input file. Amazon \
Elastic Transcoder created an output file that is shorter than the specified duration.";

/// Where the part begins and how long it is, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clip {
    start: i64,
    duration: Option<i64>,
}

impl Clip {
    /// What a request asks for; `None` when it is all of the input. What is no time was refused when the job came.
    pub fn of(span: &TimeSpan) -> Option<Self> {
        let millis = |text: &Option<String>| text.as_deref().and_then(TimeSpan::millis);
        let clip = Self { start: millis(&span.start_time).unwrap_or(0), duration: millis(&span.duration) };
        (clip != Self { start: 0, duration: None }).then_some(clip)
    }

    /// The filter that takes it. That, and not `-ss` before the input, as jumping is exact in few kinds of file only
    /// (ffmpeg manual, `-ss`).
    pub fn filter(&self) -> String {
        let end = self.duration.map(|duration| format!(":end={}ms", self.start + duration)).unwrap_or_default();
        format!("atrim=start={}ms{end}", self.start)
    }

    /// A part of this part.
    pub fn within(self, part: Self) -> Self {
        let rest = self.duration.map(|duration| (duration - part.start).max(0));
        let duration = rest.into_iter().chain(part.duration).min();
        Self { start: self.start + part.start, duration }
    }

    /// Whether it begins behind the end of an input of so many milliseconds.
    pub fn is_behind(&self, input: i64) -> bool {
        self.start >= input
    }

    /// Whether an input of so many milliseconds has less than it asks for.
    pub fn is_cut_short(&self, input: i64) -> bool {
        self.duration.is_some_and(|duration| self.length(input) + TOLERANCE < duration)
    }

    /// How much of an input of so many milliseconds it takes.
    pub fn length(&self, input: i64) -> i64 {
        let rest = (input - self.start).max(0);
        self.duration.map_or(rest, |duration| duration.min(rest))
    }

    /// [`TOO_LONG`], judged by the length of what was made: what a file says of its own length may be wrong.
    pub fn warning(&self, made: i64) -> Option<&'static str> {
        self.duration.is_some_and(|duration| made + TOLERANCE < duration).then_some(TOO_LONG)
    }

    /// 4014, for a clip in which there is nothing.
    pub fn nothing() -> Failure {
        let sentence = "The starting time of a clip lies behind the end of the input file.";
        Failure::new(FailureCode::ClipBehindEnd, sentence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clip(start: &str, duration: &str) -> Option<Clip> {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Clip::of(&TimeSpan { start_time: some(start), duration: some(duration) })
    }

    #[test]
    fn a_clip_is_cut_where_the_input_ends() {
        assert_eq!((clip("", ""), clip("0", "")), (None, None));
        let clip = clip("00:00:10.500", "2.25").unwrap();
        assert_eq!(clip.filter(), "atrim=start=10500ms:end=12750ms");
        assert_eq!((clip.length(60_000), clip.length(11_000), clip.length(5000)), (2250, 500, 0));
        assert!(clip.warning(2240).is_none() && clip.warning(1000).is_some());
        assert!(clip.is_behind(10_500) && !clip.is_behind(10_501));
        assert!(clip.is_cut_short(12_000) && !clip.is_cut_short(12_720));
    }

    #[test]
    fn a_part_of_a_part_ends_with_either() {
        let whole = clip("10", "5").unwrap();
        assert_eq!(whole.within(clip("1", "2").unwrap()), clip("11", "2").unwrap());
        assert_eq!(whole.within(clip("4", "2").unwrap()), clip("14", "1").unwrap());
        assert_eq!(whole.within(clip("4", "").unwrap()), clip("14", "1").unwrap());
        assert_eq!(whole.within(clip("6", "").unwrap()).length(100_000), 0);
        assert_eq!(clip("10", "").unwrap().within(clip("1", "").unwrap()), clip("11", "").unwrap());
    }
}
