//! What a command reads: one input as it is, or several that are joined to one sound.
//!
//! The sound follows the input's time line, whatever is made of it and however: silence stands where the input has a
//! gap, or begins later than its file. So all outputs of a job have one length, and a clip has the time that a player
//! shows. A transport or program stream and Ogg begin with their audio, as ffmpeg reads them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use elastic_transcoder::{Failure, FailureCode};

use super::arrival::Arrival;
use super::probe::Media;
use super::{Clip, TaskInput, coder};

/// Kinds of file that ffmpeg may open. Left out is what names other files (playlists, concat scripts, image
/// sequences), reads devices, or takes any text for a picture or a subtitle.
const DEMUXERS: &str = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,asf,flv,mpeg,mpegts,mxf,ogg,wav,w64,mp3,aac,\
flac,aiff,caf,au,amr,ac3,eac3,dts,ape,wv,tta,dv,rm,nut,mpegvideo,m4v,voc,tak,mpc,mpc8";

/// Fills gaps and cuts what comes twice, from 0.1 seconds on (ffmpeg-resampler manual, `async`, `min_hard_comp`); what
/// is less than a frame at the beginning is a coder's delay. One that has no gap comes out as it went in.
const TIME_LINE: &str = "aresample=async=1:min_comp=0.03";
/// Has what is made count samples, which have no gaps any more: an input that changes its parameters has ffmpeg build
/// the filters anew, and time stamps then overlap by some milliseconds.
const COUNTED: &str = "asetpts=nan";
/// A jump over more seconds than these is a fault of the time stamps and no gap: what follows then joins what went
/// before (ffmpeg manual, `-dts_error_threshold`; of kinds of file that may jump, ffmpeg itself takes 10).
pub const LONGEST_GAP: u32 = 3600;

/// What every ffmpeg command reads.
#[derive(Debug)]
pub struct Source<'a> {
    /// Where the inputs lie and the outputs go.
    pub directory: &'a Path,
    inputs: &'a [TaskInput],
    /// Of each input, whether its audio begins later than its file; empty as long as nobody knows.
    begin_late: Vec<bool>,
    /// The filter that makes all inputs alike, when there are several.
    alike: Option<String>,
    has_tags_on_stream: bool,
    /// The one input, while it still comes.
    arrival: Option<Arrival>,
}

/// How the outputs of a command get their sound.
#[derive(Debug, PartialEq, Eq)]
pub struct Streams {
    /// The arguments before the first output.
    pub graph: Vec<String>,
    /// The first arguments of each output.
    pub maps: Vec<Vec<String>>,
}

/// The name of an input in the task's directory. It has no extension, which ffmpeg would take for a hint.
pub fn input_name(index: usize) -> String {
    format!("input-{index}")
}

/// The arguments that open an input, for ffmpeg and ffprobe alike.
pub fn input_arguments(index: usize, demuxer: Option<&'static str>) -> Vec<String> {
    open_arguments(demuxer, format!("file:{}", input_name(index)))
}

fn open_arguments(demuxer: Option<&'static str>, url: String) -> Vec<String> {
    let mut arguments: Vec<String> = ["-protocol_whitelist", "file,pipe"].map(String::from).into();
    arguments.extend(["-format_whitelist".into(), DEMUXERS.into()]);
    if let Some(demuxer) = demuxer {
        arguments.extend(["-f".into(), demuxer.into()]);
    }
    arguments.extend(["-i".into(), url]);
    arguments
}

impl<'a> Source<'a> {
    /// Over fetched inputs of which nothing is known yet; that is enough for one, but not for several.
    pub fn unknown(directory: &'a Path, inputs: &'a [TaskInput]) -> Self {
        let has_tags_on_stream = is_ogg(&directory.join(input_name(0)));
        Self { directory, inputs, begin_late: Vec::new(), alike: None, has_tags_on_stream, arrival: None }
    }

    /// The same, with what probing found. All inputs get the rate and the channels of the first.
    pub fn known(self, media: &[Media]) -> Self {
        let begin_late = media.iter().map(|media| media.begins_late).collect();
        Self { begin_late, alike: (self.inputs.len() > 1).then(|| alike(media)), ..self }
    }

    /// The same, of which the one input is still on its way.
    pub fn arriving(self, arrival: Option<Arrival>) -> Self {
        Self { arrival, ..self }
    }

    /// What a command gets through its standard input, as long as the file is not whole.
    pub fn feed(&self) -> Option<&Arrival> {
        self.arrival.as_ref().filter(|arrival| !arrival.is_whole())
    }

    /// Waits until each input is whole.
    pub async fn whole(&self) -> anyhow::Result<()> {
        match &self.arrival {
            Some(arrival) => arrival.whole().await,
            None => Ok(()),
        }
    }

    /// The arguments that open the inputs, or what is fed and the file with its tags.
    pub fn arguments(&self, is_fed: bool) -> Vec<String> {
        if is_fed {
            let demuxer = self.inputs.first().and_then(|input| input.demuxer);
            return [open_arguments(demuxer, "pipe:0".to_owned()), self.first_arguments()].concat();
        }
        let open = |(index, input): (usize, &TaskInput)| {
            let mut arguments = input_arguments(index, input.demuxer);
            if self.inputs.len() > 1 {
                // Each has a thread that reads it as it is; they decode one after the other.
                arguments.splice(0..0, ["-threads", "1"].map(String::from));
            }
            arguments
        };
        self.inputs.iter().enumerate().flat_map(open).collect()
    }

    /// The arguments that open what the tags come from.
    pub fn first_arguments(&self) -> Vec<String> {
        input_arguments(0, self.inputs.first().and_then(|input| input.demuxer))
    }

    /// The sound for outputs of which each takes a part, or all, and filters it.
    pub fn streams(&self, is_fed: bool, outputs: &[(Option<Clip>, Option<String>)]) -> Streams {
        match &self.alike {
            None => self.of_one(is_fed, outputs),
            Some(alike) => self.of_several(alike, outputs),
        }
    }

    fn of_one(&self, is_fed: bool, outputs: &[(Option<Clip>, Option<String>)]) -> Streams {
        let samples = self.arrival.as_ref().filter(|_| is_fed).and_then(Arrival::samples);
        let end = samples.map(|samples| format!("atrim=end_sample={samples}"));
        let whole = self.inputs.first().and_then(|input| input.clip);
        let map = |(clip, filter): &(Option<Clip>, Option<String>)| {
            let clip = match (whole, *clip) {
                (Some(whole), Some(clip)) => Some(whole.within(clip)),
                (whole, clip) => whole.or(clip),
            };
            let filters = end.iter().cloned().chain([self.time_line(0)]).chain(of_output(clip, filter.as_deref()));
            ["-map", "0:a:0", "-af"].map(String::from).into_iter().chain([chain(filters)]).collect()
        };
        Streams { graph: Vec::new(), maps: outputs.iter().map(map).collect() }
    }

    /// Each input is cut and made like the first; they are joined, and every output takes a copy.
    fn of_several(&self, alike: &str, outputs: &[(Option<Clip>, Option<String>)]) -> Streams {
        let piece = |(index, input): (usize, &TaskInput)| {
            let filters = [self.time_line(index), alike.to_owned()].into_iter();
            let filters = filters.chain(input.clip.map(|clip| clip.filter())).chain(["asetpts=PTS-STARTPTS".into()]);
            format!("[{index}:a:0]{}[piece{index}];", chain(filters))
        };
        let pieces: String = self.inputs.iter().enumerate().map(piece).collect();
        let labels = |name: &str, count: usize| (0..count).map(|index| format!("[{name}{index}]")).collect::<String>();
        let (inputs, count) = (self.inputs.len(), outputs.len());
        let joined = format!("{}concat=n={inputs}:v=0:a=1,asplit={count}", labels("piece", inputs));
        let output = |(index, (clip, filter)): (usize, &(Option<Clip>, Option<String>))| {
            format!(";[copy{index}]{}[output{index}]", chain(of_output(*clip, filter.as_deref())))
        };
        let copies: String = outputs.iter().enumerate().map(output).collect();
        let graph = format!("{pieces}{joined}{}{copies}", labels("copy", count));
        Streams {
            graph: vec!["-filter_complex".into(), graph],
            maps: (0..count).map(|index| vec!["-map".into(), format!("[output{index}]")]).collect(),
        }
    }

    fn time_line(&self, index: usize) -> String {
        let is_late = self.begin_late.get(index).is_some_and(|is_late| *is_late);
        if is_late { format!("{TIME_LINE}:first_pts=0") } else { TIME_LINE.to_owned() }
    }

    /// The arguments with which an output gets the tags of the first input, where ffmpeg would not give it them: those
    /// of the file, and the language of the stream.
    pub fn tags(&self, is_fed: bool) -> Vec<String> {
        if is_fed {
            return self.tags_of(1);
        }
        if self.has_tags_on_stream || self.alike.is_some() { self.tags_of(0) } else { Vec::new() }
    }

    /// The same, of a file that is the command's input of this number.
    pub fn tags_of(&self, number: usize) -> Vec<String> {
        let mut from = vec![("g", format!("{number}:g")), ("s:a:0", format!("{number}:s:a:0"))];
        if self.has_tags_on_stream {
            // Where both have a tag, the first that is named counts.
            from.push(("g", format!("{number}:s:a:0")));
        }
        from.into_iter().flat_map(|(to, from)| [format!("-map_metadata:{to}"), from]).collect()
    }
}

/// Why inputs cannot be joined, or nothing can be made of them.
pub fn obstacle(inputs: &[TaskInput], media: &[Media]) -> Option<Failure> {
    let mixed = |has: fn(&Media) -> bool| media.iter().any(has) && !media.iter().all(has);
    let fail = |code, sentence| Some(Failure::new(code, sentence));
    if mixed(|media| media.has_audio) {
        return fail(FailureCode::MixedAudio, "Some inputs of the job have audio, and some have not.");
    }
    if mixed(|media| media.has_video) {
        return fail(FailureCode::MixedVideo, "Some inputs of the job have video, and some have not.");
    }
    if !media.iter().any(|media| media.has_audio) {
        return fail(FailureCode::PresetMismatch, "The input has no audio, and the preset asks for audio.");
    }
    if media.len() < 2 {
        // What one input says of itself may be wrong; what is made of it tells more.
        return None;
    }
    if media[0].sound.is_none() {
        return Some(Failure::not_media());
    }
    let is_behind = |(input, media): (&TaskInput, &Media)| {
        input.clip.zip(media.detected.duration_millis).is_some_and(|(clip, millis)| clip.is_behind(millis))
    };
    inputs.iter().zip(media).any(is_behind).then(Clip::nothing)
}

fn chain(filters: impl Iterator<Item = String>) -> String {
    filters.collect::<Vec<_>>().join(",")
}

fn of_output(clip: Option<Clip>, filter: Option<&str>) -> impl Iterator<Item = String> {
    let filters = [filter.map(str::to_owned), clip.map(|clip| clip.filter()), Some(COUNTED.into())];
    filters.into_iter().flatten()
}

/// Rate and channels of the first. Samples of several formats become floating ones, which hold all of 24 bits.
fn alike(media: &[Media]) -> String {
    let mut wanted = Vec::new();
    if let Some(first) = media.first()
        && let Some(sound) = first.sound
    {
        wanted.push(format!("sample_rates={}", sound.rate));
        let names = || coder::layouts(sound.channels).into_iter().flat_map(|names| names.split('|'));
        // A file may have names of its own for its channels, which are nothing for a filter graph.
        let own = names().find(|name| first.layout.as_deref() == Some(name));
        wanted.extend(own.or_else(|| names().next()).map(|layout| format!("channel_layouts={layout}")));
    }
    if media.windows(2).any(|pair| pair[0].format != pair[1].format) {
        wanted.push("sample_fmts=flt".to_owned());
    }
    format!("aformat={}", wanted.join(":"))
}

/// An Ogg file, which begins with this (RFC 3533, section 6), has its tags on its streams (RFC 7845, section 5.2).
fn is_ogg(path: &Path) -> bool {
    let mut start = [0; 4];
    File::open(path).is_ok_and(|mut file| file.read_exact(&mut start).is_ok()) && &start == b"OggS"
}

#[cfg(test)]
mod tests {
    use elastic_transcoder::TimeSpan;

    use super::super::Object;
    use super::super::plan::Sound;
    use super::*;

    fn clip(start: &str, duration: &str) -> Option<Clip> {
        Clip::of(&TimeSpan { start_time: Some(start.to_owned()), duration: Some(duration.to_owned()) })
    }

    fn input(clip: Option<Clip>) -> TaskInput {
        TaskInput { object: Object { bucket: String::new(), key: String::new() }, demuxer: None, clip }
    }

    fn media(rate: u32, layout: &str, format: &str) -> Media {
        Media {
            pictures: Vec::new(),
            detected: Default::default(),
            has_audio: true,
            has_video: false,
            sound: Some(Sound { rate, channels: 6 }),
            layout: Some(layout.to_owned()),
            format: Some(format.to_owned()),
            begins_late: false,
        }
    }

    #[test]
    fn one_input_needs_no_graph() {
        let inputs = [input(clip("10", "5"))];
        let source = Source::unknown(Path::new("/nonexistent"), &inputs);
        let streams = source.streams(false, &[(None, None), (clip("1", "9"), Some("aformat=x".into()))]);
        assert!(streams.graph.is_empty() && source.tags(false).is_empty());
        let maps: Vec<String> = streams.maps.iter().map(|map| map.join(" ")).collect();
        assert_eq!(
            maps,
            [
                "-map 0:a:0 -af aresample=async=1:min_comp=0.03,atrim=start=10000ms:end=15000ms,asetpts=nan",
                "-map 0:a:0 -af aresample=async=1:min_comp=0.03,aformat=x,atrim=start=11000ms:end=15000ms,asetpts=nan",
            ]
        );
        assert!(!source.arguments(false).contains(&"-threads".to_owned()));
    }

    #[test]
    fn several_inputs_are_made_alike_and_joined() {
        let inputs = [input(None), input(clip("1", "2"))];
        let late = Media { begins_late: true, ..media(48_000, "5.1", "flt") };
        let all = [media(44_100, "5.1(side)", "s16"), late];
        let source = Source::unknown(Path::new("/nonexistent"), &inputs).known(&all);
        let streams = source.streams(false, &[(None, None), (clip("3", "4"), None)]);
        let alike = "aformat=sample_rates=44100:channel_layouts=5.1(side):sample_fmts=flt";
        let graph = format!(
            "[0:a:0]aresample=async=1:min_comp=0.03,{alike},asetpts=PTS-STARTPTS[piece0];\
             [1:a:0]aresample=async=1:min_comp=0.03:first_pts=0,{alike},atrim=start=1000ms:end=3000ms,\
             asetpts=PTS-STARTPTS[piece1];[piece0][piece1]concat=n=2:v=0:a=1,asplit=2[copy0][copy1];\
             [copy0]asetpts=nan[output0];[copy1]atrim=start=3000ms:end=7000ms,asetpts=nan[output1]"
        );
        assert_eq!(streams.graph, ["-filter_complex", &graph]);
        assert_eq!(streams.maps, [["-map", "[output0]"], ["-map", "[output1]"]]);
        assert_eq!(source.arguments(false).iter().filter(|argument| *argument == "-threads").count(), 2);
    }

    #[test]
    fn names_of_channels_that_are_a_files_own_go_into_no_graph() {
        let own = media(44_100, "2 channels (FL@[x]+FR@y)", "s16");
        assert_eq!(alike(&[own]), "aformat=sample_rates=44100:channel_layouts=5.1");
    }
}
