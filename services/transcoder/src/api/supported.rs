//! What the API allows and this server cannot do yet. A job that asks for it is refused by name, never half done.

use elastic_transcoder::{ApiError, CreateJobOutput, CreateJobRequest, JobInput, PipelineOutputConfig};

/// Refuses a job with members that would have to be passed over.
pub fn job(request: &CreateJobRequest) -> Result<(), ApiError> {
    request.all_inputs().into_iter().try_for_each(input)?;
    request.all_outputs().into_iter().try_for_each(output)?;
    if request.playlists.as_ref().is_some_and(|playlists| !playlists.is_empty()) {
        return refuse("Playlists");
    }
    Ok(())
}

/// Refuses settings for objects that storing would have to pass over.
pub fn output_config(name: &str, config: Option<&PipelineOutputConfig>) -> Result<(), ApiError> {
    let Some(config) = config else { return Ok(()) };
    if config.permissions.as_ref().is_some_and(|permissions| !permissions.is_empty()) {
        return refuse(&format!("{name}:Permissions"));
    }
    if config.storage_class.as_deref().is_some_and(|class| class != "Standard") {
        return refuse(&format!("{name}:StorageClass other than Standard"));
    }
    Ok(())
}

fn input(input: &JobInput) -> Result<(), ApiError> {
    for (name, given) in
        [("Input:Encryption", input.encryption.is_some()), ("Input:InputCaptions", input.input_captions.is_some())]
    {
        if given {
            return refuse(name);
        }
    }
    Ok(())
}

fn output(output: &CreateJobOutput) -> Result<(), ApiError> {
    let filled = |pattern: &Option<String>| pattern.as_deref().is_some_and(|pattern| !pattern.is_empty());
    let mut artwork = output.album_art.iter().flat_map(|art| art.artwork.iter().flatten());
    for (name, given) in [
        ("Output:ThumbnailPattern", filled(&output.thumbnail_pattern)),
        ("Output:ThumbnailEncryption", output.thumbnail_encryption.is_some()),
        ("Output:SegmentDuration", output.segment_duration.is_some()),
        ("Output:Watermarks", output.watermarks.as_ref().is_some_and(|all| !all.is_empty())),
        ("Output:AlbumArt:Artwork:Encryption", artwork.any(|artwork| artwork.encryption.is_some())),
        ("Output:Captions", output.captions.is_some()),
        ("Output:Encryption", output.encryption.is_some()),
    ] {
        if given {
            return refuse(name);
        }
    }
    Ok(())
}

fn refuse(what: &str) -> Result<(), ApiError> {
    Err(ApiError::validation(format!("{what} is not supported by this server yet.")))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn refused(change: impl FnOnce(&mut Value)) -> Option<String> {
        let mut request = json!({ "Input": { "Key": "a" }, "Outputs": [{ "Key": "b" }] });
        change(&mut request);
        job(&serde_json::from_value(request).unwrap()).err().map(|error| error.message)
    }

    #[test]
    fn a_plain_job_passes_and_so_do_empty_members() {
        assert_eq!(refused(|_| {}), None);
        let empty =
            json!({ "ThumbnailPattern": "", "Watermarks": [], "Composition": [{}], "Rotate": "0", "AlbumArt": {} });
        assert_eq!(refused(|job| job["Outputs"] = json!([empty])), None);
        assert_eq!(refused(|job| job["Playlists"] = json!([])), None);
    }

    #[test]
    fn every_member_that_is_not_done_is_named() {
        for (name, value) in [
            ("ThumbnailPattern", json!("x-{count}")),
            ("ThumbnailEncryption", json!({})),
            ("SegmentDuration", json!("10")),
            ("Watermarks", json!([{}])),
            ("Captions", json!({})),
            ("Encryption", json!({})),
        ] {
            let message = refused(|job| job["Outputs"][0][name] = value);
            assert_eq!(message, Some(format!("Output:{name} is not supported by this server yet.")));
        }
        let encrypted = json!({ "Artwork": [{}, { "Encryption": { "Mode": "s3" } }] });
        let message = refused(|job| job["Outputs"][0]["AlbumArt"] = encrypted);
        assert_eq!(message.unwrap(), "Output:AlbumArt:Artwork:Encryption is not supported by this server yet.");
        for name in ["Encryption", "InputCaptions"] {
            let message = refused(|job| job["Input"][name] = json!({}));
            assert_eq!(message, Some(format!("Input:{name} is not supported by this server yet.")));
        }
        assert!(refused(|job| job["Playlists"] = json!([{}])).unwrap().starts_with("Playlists"));
    }
}
