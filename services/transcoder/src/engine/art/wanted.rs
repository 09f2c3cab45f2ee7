//! What a request asks for in `AlbumArt`, read once.

use elastic_transcoder::{Artwork, JobAlbumArt};

use super::attach::Holder;
use super::picture::Format;
use super::size::{PaddingPolicy, Shape, SizingPolicy};
use crate::engine::Object;

/// The side of a picture when the request leaves it to the service (API reference, Artwork).
const AUTO: u32 = 600;

/// The pictures that an output shall have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlbumArt {
    /// The kind of file that holds them.
    pub holder: Holder,
    merge: MergePolicy,
    artwork: Vec<Wanted>,
}

/// A picture of the input bucket, and what shall become of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// Where it lies.
    pub object: Object,
    /// How it shall look.
    pub shape: Shape,
}

/// What becomes of the pictures that the input has (API reference, JobAlbumArt).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MergePolicy {
    Replace,
    Prepend,
    Append,
    Fallback,
}

/// A picture of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice<'a> {
    /// One that the request gives.
    Given(&'a Wanted),
    /// One that the input has, by its place among those.
    Embedded(usize),
}

impl AlbumArt {
    /// What an output in that container shall have. The error says what is no such thing, though it was checked when
    /// the job came. The service's defaults are not documented but for the sizes; these change a picture least.
    pub fn of(art: &JobAlbumArt, container: &str, bucket: &str) -> Result<Self, String> {
        let holder = Holder::of(container).ok_or_else(|| format!("AlbumArt in Container {container}"))?;
        let merge = match art.merge_policy.as_deref() {
            None | Some("Replace") => MergePolicy::Replace,
            Some("Prepend") => MergePolicy::Prepend,
            Some("Append") => MergePolicy::Append,
            Some("Fallback") => MergePolicy::Fallback,
            Some(other) => return Err(format!("AlbumArt:MergePolicy {other}")),
        };
        let artwork = art.artwork.iter().flatten().map(|artwork| wanted(artwork, bucket)).collect::<Result<_, _>>()?;
        Ok(Self { holder, merge, artwork })
    }

    /// The pictures in their order, for an input that has so many.
    pub fn choose(&self, embedded: usize) -> Vec<Choice<'_>> {
        let given = self.artwork.iter().map(Choice::Given);
        let embedded = (0..embedded).map(Choice::Embedded);
        match self.merge {
            MergePolicy::Replace => given.collect(),
            MergePolicy::Prepend => given.chain(embedded).collect(),
            MergePolicy::Append => embedded.chain(given).collect(),
            MergePolicy::Fallback if embedded.len() == 0 => given.collect(),
            MergePolicy::Fallback => embedded.collect(),
        }
    }
}

fn wanted(artwork: &Artwork, bucket: &str) -> Result<Wanted, String> {
    let sizing = match artwork.sizing_policy.as_deref() {
        Some("Fit") => SizingPolicy::Fit,
        Some("Fill") => SizingPolicy::Fill,
        Some("Stretch") => SizingPolicy::Stretch,
        Some("Keep") => SizingPolicy::Keep,
        None | Some("ShrinkToFit") => SizingPolicy::ShrinkToFit,
        Some("ShrinkToFill") => SizingPolicy::ShrinkToFill,
        Some(other) => return Err(format!("Artwork:SizingPolicy {other}")),
    };
    let padding = match artwork.padding_policy.as_deref() {
        Some("Pad") => PaddingPolicy::Pad,
        None | Some("NoPad") => PaddingPolicy::NoPad,
        Some(other) => return Err(format!("Artwork:PaddingPolicy {other}")),
    };
    let format = match artwork.album_art_format.as_deref() {
        None => None,
        Some("jpg") => Some(Format::Jpeg),
        Some("png") => Some(Format::Png),
        Some(other) => return Err(format!("Artwork:AlbumArtFormat {other}")),
    };
    let object = Object { bucket: bucket.to_owned(), key: artwork.input_key.clone().unwrap_or_default() };
    let width = side("MaxWidth", artwork.max_width.as_deref())?;
    let height = side("MaxHeight", artwork.max_height.as_deref())?;
    Ok(Wanted { object, shape: Shape { width, height, sizing, padding, format } })
}

fn side(name: &str, pixels: Option<&str>) -> Result<u32, String> {
    match pixels {
        None | Some("auto") => Ok(AUTO),
        Some(pixels) => pixels.parse().map_err(|_| format!("Artwork:{name} {pixels}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn art(merge: &str, keys: &[&str]) -> AlbumArt {
        let artwork = |key: &&str| Artwork { input_key: Some((*key).to_owned()), ..Artwork::default() };
        let artwork = Some(keys.iter().map(artwork).collect());
        AlbumArt::of(&JobAlbumArt { merge_policy: Some(merge.to_owned()), artwork }, "flac", "b").unwrap()
    }

    #[test]
    fn policies_order_the_pictures() {
        for (merge, given, embedded, expected) in [
            ("Replace", &["a", "b"][..], 1, "a b"),
            ("Replace", &[], 2, ""),
            ("Prepend", &["a", "b"], 2, "a b 0 1"),
            ("Prepend", &[], 2, "0 1"),
            ("Append", &["a", "b"], 2, "0 1 a b"),
            ("Append", &["a"], 0, "a"),
            ("Fallback", &["a", "b"], 0, "a b"),
            ("Fallback", &["a", "b"], 1, "0"),
            ("Fallback", &[], 1, "0"),
        ] {
            let art = art(merge, given);
            let name = |choice: &Choice<'_>| match choice {
                Choice::Given(wanted) => wanted.object.key.clone(),
                Choice::Embedded(at) => at.to_string(),
            };
            let names: Vec<String> = art.choose(embedded).iter().map(name).collect();
            assert_eq!(names.join(" "), expected, "{merge} {given:?} {embedded}");
        }
    }

    #[test]
    fn what_is_left_out_changes_a_picture_least() {
        let art = art("Replace", &["a"]);
        let shape = Shape {
            width: 600,
            height: 600,
            sizing: SizingPolicy::ShrinkToFit,
            padding: PaddingPolicy::NoPad,
            format: None,
        };
        assert_eq!(art.artwork, [Wanted { object: Object { bucket: "b".into(), key: "a".into() }, shape }]);
        assert_eq!(AlbumArt::of(&JobAlbumArt::default(), "mp3", "b").unwrap().choose(3), []);
    }

    #[test]
    fn what_is_unknown_is_named() {
        let unknown = |artwork: Artwork| {
            let art = JobAlbumArt { merge_policy: None, artwork: Some(vec![artwork]) };
            AlbumArt::of(&art, "mp4", "b").unwrap_err()
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(unknown(Artwork { sizing_policy: some("x"), ..Artwork::default() }), "Artwork:SizingPolicy x");
        assert_eq!(unknown(Artwork { padding_policy: some("x"), ..Artwork::default() }), "Artwork:PaddingPolicy x");
        assert_eq!(
            unknown(Artwork { album_art_format: some("gif"), ..Artwork::default() }),
            "Artwork:AlbumArtFormat gif"
        );
        assert_eq!(unknown(Artwork { max_width: some("x"), ..Artwork::default() }), "Artwork:MaxWidth x");
        let merge = JobAlbumArt { merge_policy: some("x"), artwork: None };
        assert_eq!(AlbumArt::of(&merge, "mp4", "b").unwrap_err(), "AlbumArt:MergePolicy x");
        assert_eq!(AlbumArt::of(&JobAlbumArt::default(), "wav", "b").unwrap_err(), "AlbumArt in Container wav");
    }
}
