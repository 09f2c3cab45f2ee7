//! What a task says about its inputs and outputs once they are known.

use elastic_transcoder::Failure;

use super::probe::Media;
use super::{Clip, Task, TaskInput, clip};

impl Task {
    /// How much of the inputs is taken, when their lengths are known.
    pub fn millis_of(&self, media: &[Media]) -> Option<i64> {
        let of = |(input, media): (&TaskInput, &Media)| {
            let millis = media.detected.duration_millis?;
            Some(input.clip.map_or(millis, |clip| clip.length(millis)))
        };
        self.inputs.iter().zip(media).map(of).sum()
    }

    /// Why there is not one sample, in this output or in all.
    pub fn nothing(&self, output: Option<usize>) -> Failure {
        let of_input = self.inputs.iter().find_map(|input| input.clip);
        let is_clip = of_input.or_else(|| self.outputs[output?].clip).is_some();
        if is_clip { Clip::nothing() } else { Failure::not_media() }
    }

    /// What the client of an output should know, in the service's words.
    pub fn warning(&self, index: usize, media: &[Media], made: i64) -> Option<String> {
        let of_inputs = || self.is_cut_short(media).then_some(clip::TOO_LONG);
        let clip = self.clip_of(index).and_then(|clip| clip.warning(made)).or_else(of_inputs);
        let sound = media.first().and_then(|media| media.sound);
        let channels = sound.zip(self.outputs[index].encoding.channels).and_then(|(sound, wanted)| {
            // Two from one, and one from two, are what everybody expects.
            (sound.channels > 2 && wanted < sound.channels).then(|| {
                format!(
                    "The input file for this job contains {} audio channels and the preset is configured for {wanted} \
                     audio channels. Amazon Elastic Transcoder audio-channel mapping may not result in the desired audio.",
                    sound.channels
                )
            })
        });
        let all: Vec<String> = clip.map(str::to_owned).into_iter().chain(channels).collect();
        (!all.is_empty()).then(|| all.join(" "))
    }

    /// The clip whose length an output shows: its own, or that of the one input.
    fn clip_of(&self, output: usize) -> Option<Clip> {
        let of_input = || if let [input] = self.inputs.as_slice() { input.clip } else { None };
        self.outputs[output].clip.or_else(of_input)
    }

    /// Whether one of several inputs has less than is to be taken of it.
    fn is_cut_short(&self, media: &[Media]) -> bool {
        let of = |(input, media): (&TaskInput, &Media)| {
            input.clip.zip(media.detected.duration_millis).is_some_and(|(clip, millis)| clip.is_cut_short(millis))
        };
        self.inputs.len() > 1 && self.inputs.iter().zip(media).any(of)
    }
}
