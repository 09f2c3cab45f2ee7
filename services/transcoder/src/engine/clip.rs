//! A part of an input.

use elastic_transcoder::{Failure, FailureCode, TimeSpan};

/// What an output may be shorter than its clip, in milliseconds: lengths are rounded by the sample and the frame.
const TOLERANCE: i64 = 50;

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

    /// ffmpeg's arguments before the name of an output. There, and not before the input, as jumping is exact in few
    /// kinds of file only (ffmpeg manual, `-ss`).
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["-ss".to_owned(), format!("{}ms", self.start)];
        if let Some(duration) = self.duration {
            arguments.extend(["-t".to_owned(), format!("{duration}ms")]);
        }
        arguments
    }

    /// How much of an input of so many milliseconds it takes.
    pub fn length(&self, input: i64) -> i64 {
        let rest = (input - self.start).max(0);
        self.duration.map_or(rest, |duration| duration.min(rest))
    }

    /// What a client is told whose clip reaches beyond the end of the input, judged by the length of what was made:
    /// what a file says of its own length may be wrong.
    pub fn warning(&self, made: i64) -> Option<&'static str> {
        let is_short = self.duration.is_some_and(|duration| made + TOLERANCE < duration);
        is_short.then_some(
            "The starting time plus the duration of a clip exceeded the length of the input file. Amazon Elastic \
             Transcoder created an output file that is shorter than the specified duration.",
        )
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
        assert_eq!(clip.arguments(), ["-ss", "10500ms", "-t", "2250ms"]);
        assert_eq!((clip.length(60_000), clip.length(11_000), clip.length(5000)), (2250, 500, 0));
        assert!(clip.warning(2240).is_none() && clip.warning(1000).is_some());
    }
}
