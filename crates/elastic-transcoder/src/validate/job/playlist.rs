//! What a job's playlists and outputs must be to each other.

use std::collections::HashSet;

use super::encryption::sixteen_bytes;
use super::ensure;
use crate::{ApiError, CreateJobOutput, CreateJobPlaylist, CreateJobRequest, HlsContentProtection};

pub(super) fn rules(request: &CreateJobRequest) -> Result<(), ApiError> {
    let mut seen = HashSet::new();
    for playlist in request.playlists.iter().flatten() {
        let name = playlist.name.as_deref().unwrap_or_default();
        ensure(seen.insert(name), || format!("Two playlists of the job have the same Name: {name}"))?;
        let outputs = outputs(request, playlist)?;
        same_directory(name, &outputs)?;
        same_settings(name, &outputs)?;
        protection(playlist, &outputs)?;
    }
    Ok(())
}

/// The outputs that a playlist names, in its order.
pub(super) fn outputs<'a>(
    request: &'a CreateJobRequest,
    playlist: &CreateJobPlaylist,
) -> Result<Vec<&'a CreateJobOutput>, ApiError> {
    let keys = playlist.output_keys.as_deref().unwrap_or_default();
    let name = playlist.name.as_deref().unwrap_or_default();
    ensure(!keys.is_empty(), || format!("The playlist '{name}' must have OutputKeys."))?;
    let find = |key: &String| {
        let found = request.all_outputs().into_iter().find(|output| output.key.as_ref() == Some(key));
        found.ok_or_else(|| {
            ApiError::validation(format!(
                "The playlist '{name}' names '{key}', which is no Key of an output of the job."
            ))
        })
    };
    keys.iter().map(find).collect()
}

fn same_directory(name: &str, outputs: &[&CreateJobOutput]) -> Result<(), ApiError> {
    let directory = |path: &str| path.rfind('/').map(|end| path[..end].to_owned());
    let same = outputs.iter().all(|output| directory(output.key.as_deref().unwrap_or_default()) == directory(name));
    // The service's own words.
    ensure(same, || {
        "All outputs in a playlist must begin identically to the playlist name upto the last / character.".to_owned()
    })
}

/// Players change between the outputs of a playlist, so these must have the same parts.
fn same_settings(name: &str, outputs: &[&CreateJobOutput]) -> Result<(), ApiError> {
    let seconds = |output: &CreateJobOutput| output.segment_duration.as_ref().and_then(|text| text.parse::<f64>().ok());
    for output in outputs {
        for (member, same) in [
            ("SegmentDuration", seconds(output) == seconds(outputs[0])),
            ("Composition", output.composition == outputs[0].composition),
            ("Captions", output.captions == outputs[0].captions),
        ] {
            ensure(same, || format!("All outputs of the playlist '{name}' must have the same {member}."))?;
        }
    }
    Ok(())
}

fn protection(playlist: &CreateJobPlaylist, outputs: &[&CreateJobOutput]) -> Result<(), ApiError> {
    let name = playlist.name.as_deref().unwrap_or_default();
    let hls = playlist.hls_content_protection.as_ref();
    let ready = playlist.play_ready_drm.as_ref();
    let encrypted = outputs.iter().any(|output| output.encryption.is_some());
    let kinds = [hls.is_some(), ready.is_some(), encrypted].into_iter().filter(|given| *given).count();
    ensure(kinds <= 1, || {
        format!(
            "HlsContentProtection, PlayReadyDrm and Encryption of outputs are mutually exclusive in the playlist '{name}'."
        )
    })?;
    if let Some(hls) = hls {
        let is_hls = playlist.format.as_deref().is_some_and(|format| format.starts_with("HLS"));
        ensure(is_hls, || format!("HlsContentProtection is only for HLSv3 and HLSv4: the playlist '{name}'."))?;
        hls_rules(hls)?;
    }
    if let Some(ready) = ready {
        sixteen_bytes("PlayReadyDrm", "KeyMd5", ready.key_md5.as_deref())?;
    }
    Ok(())
}

fn hls_rules(hls: &HlsContentProtection) -> Result<(), ApiError> {
    let filled = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    let own = [&hls.key, &hls.key_md5, &hls.initialization_vector].into_iter().filter(|text| filled(text)).count();
    ensure(matches!(own, 0 | 3), || {
        "HlsContentProtection must have all of Key, KeyMd5 and InitializationVector or none of them.".to_owned()
    })?;
    sixteen_bytes("HlsContentProtection", "KeyMd5", hls.key_md5.as_deref())?;
    sixteen_bytes("HlsContentProtection", "InitializationVector", hls.initialization_vector.as_deref())?;
    let beside = hls.key_storage_policy.as_deref() == Some("WithVariantPlaylists");
    ensure(!(beside && filled(&hls.license_acquisition_url)), || {
        "LicenseAcquisitionUrl must be blank when KeyStoragePolicy is WithVariantPlaylists.".to_owned()
    })
}
