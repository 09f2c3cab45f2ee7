//! Album art: pictures of the request and of the input, put into finished outputs.
//!
//! ```text
//! given:    fetch ─► look at the header ─► decode, size, encode ─┐
//!                                                                ├─► attach
//! embedded: copy out of the input ─► header ─► try to decode ────┘
//! ```
//!
//! Each given picture is fetched once for a job and made once for each shape that outputs want it in. Embedded pictures
//! stay as they are, but for BMP, which becomes PNG: only MP4 holds it. Nothing is decoded whose header does not say that
//! it is a small picture, and what a header does not say is bounded by ffmpeg and its sandbox.

mod attach;
mod origin;
mod picture;
mod size;
mod wanted;

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use elastic_transcoder::{Failure, FailureCode};

use super::encode::{self, QUIET};
use super::probe::Media;
use super::source::Source;
use super::{Engine, Object, Room, StepError, Task, process, settled};
use origin::{LARGEST, MOST_BYTES, Origin};
use picture::{Format, Picture};
use wanted::Choice;

pub use wanted::{AlbumArt, Wanted};

/// The most pictures of an output (API limits, "artworks").
const MOST: usize = 20;

/// What became of a picture.
type Made = Result<Picture, Failure>;

/// The pictures of a job, as far as they were asked for.
pub struct Gallery<'a> {
    engine: &'a Engine,
    task: &'a Task,
    source: &'a Source<'a>,
    embedded: Option<Result<Vec<Picture>, Failure>>,
    fetched: HashMap<Object, Made>,
    made: HashMap<Wanted, Made>,
}

impl<'a> Gallery<'a> {
    /// An empty one.
    pub fn new(engine: &'a Engine, task: &'a Task, source: &'a Source<'a>) -> Self {
        Self { engine, task, source, embedded: None, fetched: HashMap::new(), made: HashMap::new() }
    }

    /// Puts pictures into an output that was made, if it wants some, of what was given and what the inputs have.
    pub async fn complete(&mut self, index: usize, media: &[Media]) -> Result<(), StepError> {
        let Some(art) = &self.task.outputs[index].album_art else { return Ok(()) };
        // Where in the first input its pictures lie.
        let streams = media.first().map(|media| media.pictures.as_slice()).unwrap_or_default();
        let choices = art.choose(streams.len());
        if choices.len() > MOST {
            let sentence = format!("An output must have at most {MOST} artworks, those of the input included.");
            return Err(failed(FailureCode::TooManyArtworks, sentence));
        }
        let mut pictures = Vec::with_capacity(choices.len());
        for choice in choices {
            let picture = match choice {
                Choice::Given(wanted) => self.given(wanted).await?,
                Choice::Embedded(at) => self.embedded(streams).await?[at].clone(),
            };
            pictures.push(picture);
        }
        let together: u64 = pictures.iter().map(|picture| picture.bytes).sum();
        if together > attach::MOST_TOGETHER {
            let sentence =
                format!("The artworks of an output must not have more than {} bytes.", attach::MOST_TOGETHER);
            return Err(failed(FailureCode::ArtworkTooLarge, sentence));
        }
        if pictures.is_empty() { Ok(()) } else { self.attach(index, art, pictures).await }
    }

    async fn attach(&self, index: usize, art: &AlbumArt, pictures: Vec<Picture>) -> Result<(), StepError> {
        let (holder, output) = (art.holder, self.path(encode::output_name(index)));
        match tokio::task::spawn_blocking(move || holder.attach(&output, &pictures)).await? {
            Err(cause) if cause.kind() == ErrorKind::InvalidData => {
                tracing::warn!(job_id = self.task.job_id, %cause, "pictures cannot be attached");
                Err(StepError::Failed(Failure::unhandled()))
            }
            attached => Ok(attached?),
        }
    }

    /// A picture of the request, in its shape.
    async fn given(&mut self, wanted: &Wanted) -> Result<Picture, StepError> {
        if let Some(made) = self.made.get(wanted) {
            return made.clone().map_err(StepError::Failed);
        }
        let made = settled(self.make_given(wanted).await)?;
        self.made.insert(wanted.clone(), made.clone());
        made.map_err(StepError::Failed)
    }

    async fn make_given(&mut self, wanted: &Wanted) -> Result<Picture, StepError> {
        let origin = Origin::Given(&wanted.object);
        let original = self.fetch(&wanted.object).await?;
        let to = self.path(format!("art-made-{}", self.made.len()));
        self.make(origin, &original, &wanted.shape.arguments(&original.header), &to).await
    }

    /// A picture of the request, as it was sent.
    async fn fetch(&mut self, object: &Object) -> Result<Picture, StepError> {
        if let Some(fetched) = self.fetched.get(object) {
            return fetched.clone().map_err(StepError::Failed);
        }
        let path = self.path(format!("art-{}", self.fetched.len()));
        let origin = Origin::Given(object);
        let fetched = match settled(self.engine.storage.fetch(object, &path, &Room::new(MOST_BYTES)).await)? {
            Ok(_) => settled(checked(origin, &path).await)?,
            Err(failure) if failure.code == FailureCode::InputTooLarge => Err(origin.too_large()),
            Err(failure) => Err(failure),
        };
        self.fetched.insert(object.clone(), fetched.clone());
        fetched.map_err(StepError::Failed)
    }

    /// The pictures of the first input.
    async fn embedded(&mut self, streams: &[usize]) -> Result<&[Picture], StepError> {
        if self.embedded.is_none() {
            self.embedded = Some(settled(self.copy_out(streams).await)?);
        }
        match &self.embedded {
            Some(Ok(pictures)) => Ok(pictures),
            Some(Err(failure)) => Err(StepError::Failed(failure.clone())),
            None => Ok(&[]),
        }
    }

    /// Copies the pictures out of the input with one command, and looks at each.
    async fn copy_out(&self, streams: &[usize]) -> Result<Vec<Picture>, StepError> {
        self.source.whole().await?;
        let name = |at: usize| format!("art-embedded-{at}");
        let mut arguments: Vec<String> = QUIET.map(String::from).into();
        arguments.extend(self.source.first_arguments());
        for (at, stream) in streams.iter().enumerate() {
            arguments.extend(["-map".into(), format!("0:{stream}")]);
            arguments.extend(["-c", "copy", "-frames:v", "1", "-f", "image2pipe"].map(String::from));
            arguments.push(format!("file:{}", name(at)));
        }
        self.run(Origin::Embedded, &arguments).await?;
        let mut pictures = Vec::with_capacity(streams.len());
        for at in 0..streams.len() {
            let picture = checked(Origin::Embedded, &self.path(name(at))).await?;
            pictures.push(self.try_embedded(picture, at).await?);
        }
        Ok(pictures)
    }

    /// Decodes a picture to see that others can.
    async fn try_embedded(&self, picture: Picture, at: usize) -> Result<Picture, StepError> {
        let to = self.path(format!("art-tried-{at}"));
        let coder = ["-c:v", "png"].map(String::from);
        if picture.header.format == Format::Bmp {
            return self.make(Origin::Embedded, &picture, &coder, &to).await;
        }
        let mut arguments = decode_arguments(&picture)?;
        arguments.extend(["-frames:v", "1", "-f", "null", "-"].map(String::from));
        self.run(Origin::Embedded, &arguments).await?;
        checked_bytes(Origin::Embedded, picture)
    }

    /// Makes a picture of a picture.
    async fn make(
        &self,
        origin: Origin<'_>,
        original: &Picture,
        how: &[String],
        to: &Path,
    ) -> Result<Picture, StepError> {
        let mut arguments = decode_arguments(original)?;
        arguments.extend(how.iter().cloned());
        arguments.extend(["-map_metadata", "-1", "-frames:v", "1", "-f", "image2pipe"].map(String::from));
        arguments.push(format!("file:{}", name_of(to)?));
        self.run(origin, &arguments).await?;
        checked_bytes(origin, checked(origin, to).await?)
    }

    async fn run(&self, origin: Origin<'_>, arguments: &[String]) -> Result<(), StepError> {
        let runner = &self.engine.runner;
        let _place = runner.place().await;
        let ended = process::run(runner, &runner.tools.ffmpeg, arguments, self.source.directory).await?;
        match encode::succeeded(ended, self.task, &runner.limits) {
            Err(StepError::Failed(failure)) if failure.code == FailureCode::Unhandled => {
                Err(StepError::Failed(origin.unreadable()))
            }
            result => result,
        }
    }

    fn path(&self, name: String) -> PathBuf {
        self.source.directory.join(name)
    }
}

/// ffmpeg's arguments up to a picture that it shall decode: as what its first bytes say, in one file, complete, and no
/// larger than what is allowed, whatever the header said.
fn decode_arguments(picture: &Picture) -> anyhow::Result<Vec<String>> {
    let pixels = (u64::from(LARGEST.0) * u64::from(LARGEST.1)).to_string();
    let mut arguments: Vec<String> = QUIET.map(String::from).into();
    arguments.extend(["-protocol_whitelist", "file,pipe", "-codec_whitelist", "png,mjpeg,bmp"].map(String::from));
    // Otherwise a picture that breaks off is no error. One thread stops behind the picture; more read on and take for an
    // error what many programs leave there.
    arguments.extend(["-threads", "1", "-xerror", "-err_detect", "explode"].map(String::from));
    // Rotating would change the size that was reckoned with.
    arguments.extend(["-noautorotate", "-max_pixels", &pixels].map(String::from));
    arguments.extend(["-f", picture.header.format.demuxer(), "-i"].map(String::from));
    arguments.push(format!("file:{}", name_of(&picture.path)?));
    Ok(arguments)
}

fn name_of(path: &Path) -> anyhow::Result<&str> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.ok_or_else(|| anyhow::anyhow!("a scratch file without a name"))
}

/// Looks at the header of a picture.
async fn checked(origin: Origin<'_>, path: &Path) -> Result<Picture, StepError> {
    let path = path.to_owned();
    let opened = tokio::task::spawn_blocking(move || Picture::open(&path)).await??;
    let Some(picture) = opened.filter(|picture| origin.takes(picture.header.format)) else {
        return Err(StepError::Failed(origin.unreadable()));
    };
    let (width, height) = (picture.header.width, picture.header.height);
    if width > LARGEST.0 || height > LARGEST.1 || picture.bytes > MOST_BYTES {
        return Err(StepError::Failed(origin.too_large()));
    }
    Ok(picture)
}

/// A picture that can be attached.
fn checked_bytes(origin: Origin<'_>, picture: Picture) -> Result<Picture, StepError> {
    let fits = picture.bytes <= attach::MOST;
    if fits { Ok(picture) } else { Err(StepError::Failed(origin.too_many_bytes())) }
}

fn failed(code: FailureCode, sentence: String) -> StepError {
    StepError::Failed(Failure::new(code, sentence))
}
