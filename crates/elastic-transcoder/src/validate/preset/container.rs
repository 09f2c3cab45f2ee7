//! Which codecs a container holds (Developer Guide, "Container").

/// A kind of file.
pub struct Container {
    pub name: &'static str,
    pub audio: &'static [&'static str],
    pub video: &'static [&'static str],
}

const fn row(name: &'static str, audio: &'static [&'static str], video: &'static [&'static str]) -> Container {
    Container { name, audio, video }
}

const CONTAINERS: &[Container] = &[
    row("flac", &["flac"], &[]),
    row("flv", &["AAC", "mp3"], &["H.264"]),
    row("fmp4", &["AAC"], &["H.264"]),
    row("gif", &[], &["gif"]),
    // In the pattern of the container and missing in the Guide's table; the name leaves one codec.
    row("mp2", &["mp2"], &[]),
    row("mp3", &["mp3"], &[]),
    row("mp4", &["AAC", "mp3"], &["H.264"]),
    row("mpg", &["mp2"], &["mpeg2"]),
    row("mxf", &["pcm"], &["mpeg2"]),
    row("oga", &["flac", "vorbis"], &[]),
    row("ogg", &["flac", "vorbis"], &[]),
    row("ts", &["AAC", "mp3"], &["H.264"]),
    row("wav", &["pcm"], &[]),
    row("webm", &["vorbis"], &["vp8", "vp9"]),
];

/// Stands for a name that the pattern has refused already: it holds nothing.
const UNKNOWN: &Container = &row("", &[], &[]);

impl Container {
    /// The row of that name.
    pub fn of(name: &str) -> &'static Self {
        CONTAINERS.iter().find(|container| container.name == name).unwrap_or(UNKNOWN)
    }

    /// Whether it never holds pictures.
    pub fn is_audio_only(&self) -> bool {
        self.video.is_empty()
    }
}
