//! CreatePreset.

mod audio;
mod container;
mod level;
mod thumbnails;
mod video;

use super::violations::check;
use super::{ensure, pattern};
use crate::{ApiError, CreatePresetRequest, Thumbnails};
pub(super) use container::Container;

/// Checks the body of CreatePreset and gives the `Warning` of its reply: which limits of the video standard the preset
/// passes, or nothing. Such a preset is made nevertheless, because it may work.
pub fn create_preset(request: &CreatePresetRequest) -> Result<String, ApiError> {
    check(|m| {
        m.required("name", &request.name);
        m.length("name", &request.name, 1, 40);
        m.length("description", &request.description, 0, 255);
        m.required("container", &request.container);
        m.pattern("container", &request.container, &pattern::PRESET_CONTAINER);
        m.within("video", &request.video, video::members);
        m.within("audio", &request.audio, audio::members);
        m.within("thumbnails", &request.thumbnails, thumbnails::members);
    })?;
    ensure(request.audio.is_some() || request.video.is_some(), || "A preset must have Audio or Video.".to_owned())?;
    let container = Container::of(request.container.as_deref().unwrap_or_default());
    if let Some(audio) = &request.audio {
        audio::rules(container, audio)?;
    }
    if let Some(video) = &request.video {
        video::rules(container, video)?;
    }
    if let Some(thumbnails) = request.thumbnails.as_ref().filter(|given| **given != Thumbnails::default()) {
        ensure(!container.video.is_empty(), || format!("The container {} takes no Thumbnails.", container.name))?;
        thumbnails::rules(thumbnails, request.video.as_ref())?;
    }
    Ok(request.video.as_ref().map(level::warning).unwrap_or_default())
}

/// The two numbers of `1280x720`; `None` for `auto`.
fn dimensions(resolution: Option<&str>) -> Option<(&str, &str)> {
    resolution.and_then(|text| text.split_once('x'))
}

#[cfg(test)]
mod tests;
