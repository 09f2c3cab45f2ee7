#![allow(clippy::needless_pass_by_value, reason = "a json! at the call reads better than a reference to one")]

use serde_json::{Value, json};

use super::*;
use crate::{CreateJobOutput, Preset, presets};

fn good() -> CreateJobRequest {
    let json = r#"{"PipelineId":"1700000000000-abc123","Input":{"Key":"in.mp3"},
        "Outputs":[{"Key":"a.wav","PresetId":"1351620000001-300300"},{"Key":"a.flac","PresetId":"1351620000001-300110"}],
        "OutputKeyPrefix":"out/","UserMetadata":{"file":"1 _.:/=+-%@"}}"#;
    serde_json::from_str(json).unwrap()
}

fn refused(change: impl FnOnce(&mut CreateJobRequest)) -> String {
    let mut request = good();
    change(&mut request);
    create_job(&request).unwrap_err().message
}

fn outputs(request: &mut CreateJobRequest) -> &mut Vec<CreateJobOutput> {
    request.outputs.as_mut().unwrap()
}

#[test]
fn a_plain_request_passes_in_either_form() {
    assert_eq!(create_job(&good()), Ok(()));
    let mut request = good();
    request.inputs = request.input.take().map(|input| vec![input]);
    request.output = request.outputs.take().map(|outputs| outputs[0].clone());
    assert_eq!(create_job(&request), Ok(()));
}

#[test]
fn members_are_named_with_their_place() {
    let rotate = refused(|r| outputs(r)[1].rotate = Some("45".into()));
    assert_eq!(
        rotate,
        "1 validation error detected: Value '45' at 'outputs.2.member.rotate' failed to satisfy constraint: Member must satisfy regular expression pattern: (^auto$)|(^0$)|(^90$)|(^180$)|(^270$)"
    );
    let missing = refused(|r| outputs(r)[0].preset_id = None);
    assert!(missing.contains("Value null at 'outputs.1.member.presetId'"), "{missing}");
    assert!(refused(|r| r.pipeline_id = None).contains("Value null at 'pipelineId'"));
    assert!(refused(|r| r.input = Some(JobInput::default())).contains("Value null at 'input.key'"));
    assert!(refused(|r| r.output_key_prefix = Some(String::new())).contains("greater than or equal to 1"));
}

#[test]
fn counts_are_bounded() {
    let many = refused(|r| {
        let first = outputs(r)[0].clone();
        r.outputs = Some(vec![first; 31]);
    });
    assert!(
        many.contains("at 'outputs' failed to satisfy constraint: Member must have length less than or equal to 30"),
        "{many}"
    );
}

#[test]
fn one_form_of_inputs_and_outputs() {
    assert_eq!(refused(|r| r.input = None), "[Input and Inputs are not allowed to both be null.]");
    assert_eq!(refused(|r| r.inputs = Some(vec![JobInput::default()])), "[Input and Inputs are mutually exclusive.]");
    assert_eq!(refused(|r| r.outputs = Some(vec![])), "[Output and Outputs are not allowed to both be null.]");
    assert_eq!(
        refused(|r| r.output = Some(CreateJobOutput::default())),
        "[Output and Outputs are mutually exclusive.]"
    );
}

#[test]
fn outputs_may_not_share_a_name() {
    assert_eq!(
        refused(|r| outputs(r)[1].key = Some("a.wav".into())),
        "Two outputs of the job have the same Key: a.wav"
    );
}

#[test]
fn segments_last_one_to_sixty_seconds() {
    assert!(refused(|r| outputs(r)[0].segment_duration = Some("0.5".into())).contains("between 1 and 60"));
    assert!(refused(|r| outputs(r)[0].segment_duration = Some("60.1".into())).contains("between 1 and 60"));
}

#[test]
fn metadata_is_small_and_plain() {
    let metadata = |key: String, value: String| Some(BTreeMap::from([(key, value)]));
    assert!(refused(|r| r.user_metadata = metadata("k".into(), "é".into())).contains("may hold only"));
    assert!(refused(|r| r.user_metadata = metadata(String::new(), "v".into())).contains("1 to 128"));
    assert!(refused(|r| r.user_metadata = metadata("k".repeat(129), "v".into())).contains("1 to 128"));
    assert!(refused(|r| r.user_metadata = metadata("k".into(), "v".repeat(257))).contains("0 to 256"));
    let eleven = (0..11).map(|i| (i.to_string(), String::new())).collect();
    assert!(refused(|r| r.user_metadata = Some(eleven)).contains("at most 10 pairs"));
}

#[test]
fn long_values_are_cut_in_the_text() {
    let message = refused(|r| r.pipeline_id = Some("é".repeat(100_000)));
    assert!(message.len() < 1000, "{}", message.len());
}

/// The plain job as JSON, changed.
fn changed(change: impl FnOnce(&mut Value)) -> Result<(), String> {
    let mut job = serde_json::to_value(good()).unwrap();
    change(&mut job);
    create_job(&serde_json::from_value(job).unwrap()).map_err(|error| error.message)
}

#[track_caller]
fn says(result: Result<(), String>, text: &str) {
    let message = result.unwrap_err();
    assert!(message.contains(text), "{message}");
}

fn of_input(name: &str, value: Value) -> Result<(), String> {
    changed(|job| job["Input"][name] = value)
}

fn of_output(name: &str, value: Value) -> Result<(), String> {
    changed(|job| job["Outputs"][0][name] = value)
}

/// Sixteen bytes.
const MD5: &str = "AAAAAAAAAAAAAAAAAAAAAA==";

#[test]
fn every_pattern_of_an_input_is_checked() {
    for (name, value, path) in [
        ("Key", json!(""), "input.key"),
        ("FrameRate", json!("26"), "input.frameRate"),
        ("Resolution", json!("big"), "input.resolution"),
        ("AspectRatio", json!("2:1"), "input.aspectRatio"),
        ("Interlaced", json!("yes"), "input.interlaced"),
        ("Container", json!("flac"), "input.container"),
        ("Encryption", json!({ "Mode": "aes" }), "input.encryption.mode"),
        ("Encryption", json!({ "Key": "x" }), "input.encryption.key"),
        ("Encryption", json!({ "KeyMd5": "x" }), "input.encryption.keyMd5"),
        ("Encryption", json!({ "InitializationVector": "x".repeat(256) }), "input.encryption.initializationVector"),
        ("TimeSpan", json!({ "StartTime": "1s" }), "input.timeSpan.startTime"),
        ("TimeSpan", json!({ "Duration": "24:00:00" }), "input.timeSpan.duration"),
        ("InputCaptions", json!({ "MergePolicy": "Merge" }), "input.inputCaptions.mergePolicy"),
        ("InputCaptions", json!({ "CaptionSources": vec![json!({}); 21] }), "input.inputCaptions.captionSources"),
        ("InputCaptions", json!({ "CaptionSources": [{}] }), "input.inputCaptions.captionSources.1.member.key"),
        (
            "InputCaptions",
            json!({ "CaptionSources": [{ "Key": "k", "Language": "en", "TimeOffset": "x" }] }),
            "input.inputCaptions.captionSources.1.member.timeOffset",
        ),
        (
            "InputCaptions",
            json!({ "CaptionSources": [{ "Key": "k", "Language": "en", "Label": "" }] }),
            "input.inputCaptions.captionSources.1.member.label",
        ),
    ] {
        says(of_input(name, value), &format!("at '{path}' failed"));
    }
}

#[test]
fn every_pattern_of_an_output_is_checked() {
    let art = |member: &str, value: &str| json!({ "Artwork": [{ "InputKey": "a.png", member: value }] });
    for (name, value, path) in [
        ("Key", json!("k".repeat(256)), "key"),
        ("PresetId", json!("1"), "presetId"),
        ("ThumbnailPattern", json!("x"), "thumbnailPattern"),
        ("ThumbnailEncryption", json!({ "Mode": "x" }), "thumbnailEncryption.mode"),
        ("Rotate", json!("45"), "rotate"),
        ("SegmentDuration", json!("ten"), "segmentDuration"),
        ("Watermarks", json!([{ "InputKey": "a.png" }]), "watermarks.1.member.presetWatermarkId"),
        ("Watermarks", json!([{ "PresetWatermarkId": "a", "InputKey": "a.gif" }]), "watermarks.1.member.inputKey"),
        ("AlbumArt", json!({ "MergePolicy": "x" }), "albumArt.mergePolicy"),
        ("AlbumArt", art("MaxWidth", "1"), "albumArt.artwork.1.member.maxWidth"),
        ("AlbumArt", art("SizingPolicy", "x"), "albumArt.artwork.1.member.sizingPolicy"),
        ("AlbumArt", art("PaddingPolicy", "x"), "albumArt.artwork.1.member.paddingPolicy"),
        ("AlbumArt", art("AlbumArtFormat", "gif"), "albumArt.artwork.1.member.albumArtFormat"),
        ("Composition", json!([{ "TimeSpan": { "Duration": "x" } }]), "composition.1.member.timeSpan.duration"),
        ("Captions", json!({ "CaptionFormats": vec![json!({ "Format": "srt" }); 5] }), "captions.captionFormats"),
        ("Captions", json!({ "CaptionFormats": [{ "Format": "ass" }] }), "captions.captionFormats.1.member.format"),
        (
            "Captions",
            json!({ "CaptionFormats": [{ "Format": "srt", "Pattern": "x" }] }),
            "captions.captionFormats.1.member.pattern",
        ),
        ("Encryption", json!({ "Mode": "s3", "Key": "x" }), "encryption.key"),
    ] {
        says(of_output(name, value), &format!("at 'outputs.1.member.{path}' failed"));
    }
}

#[test]
fn every_pattern_of_a_playlist_is_checked() {
    let with = |member: &str, value: Value| {
        changed(|job| {
            job["Playlists"] = json!([{ "Name": "p", "Format": "HLSv3", "OutputKeys": ["a.wav"] }]);
            job["Playlists"][0][member] = value;
        })
    };
    assert_eq!(with("Name", json!("q")), Ok(()));
    for (name, value, path) in [
        ("Name", json!(""), "name"),
        ("Name", json!(null), "name"),
        ("Format", json!("HLS"), "format"),
        ("OutputKeys", json!(null), "outputKeys"),
        ("OutputKeys", json!([""]), "outputKeys.1.member"),
        ("OutputKeys", json!(vec!["a"; 31]), "outputKeys"),
        ("HlsContentProtection", json!({ "Method": "aes" }), "hlsContentProtection.method"),
        ("HlsContentProtection", json!({ "Key": "x" }), "hlsContentProtection.key"),
        ("HlsContentProtection", json!({ "KeyStoragePolicy": "x" }), "hlsContentProtection.keyStoragePolicy"),
        ("PlayReadyDrm", json!({ "Format": "x" }), "playReadyDrm.format"),
        ("PlayReadyDrm", json!({ "KeyId": "x" }), "playReadyDrm.keyId"),
        ("PlayReadyDrm", json!({ "LicenseAcquisitionUrl": "" }), "playReadyDrm.licenseAcquisitionUrl"),
    ] {
        says(with(name, value), &format!("at 'playlists.1.member.{path}' failed"));
    }
}

#[test]
fn times_are_less_than_a_day() {
    says(of_input("TimeSpan", json!({ "StartTime": "86400" })), "StartTime must be at most 86399.999 seconds: 86400");
    says(of_output("Composition", json!([{ "TimeSpan": { "Duration": "99999" } }])), "Duration must be at most");
    assert_eq!(of_input("TimeSpan", json!({ "StartTime": "23:59:59.999", "Duration": "1" })), Ok(()));
    says(of_output("Composition", json!([{}, {}])), "at most one clip");
}

#[test]
fn keys_come_whole_and_of_the_right_length() {
    let whole = json!({ "Mode": "aes-ctr", "Key": "AAAA", "KeyMd5": MD5, "InitializationVector": MD5 });
    assert_eq!(of_input("Encryption", whole.clone()), Ok(()));
    assert_eq!(of_output("Encryption", whole), Ok(()));
    let none = json!({ "Mode": "aes-ctr" });
    says(of_input("Encryption", none.clone()), "Input:Encryption must have Key, KeyMd5 and InitializationVector");
    assert_eq!(of_output("Encryption", none), Ok(()), "a key is made");
    says(of_output("Encryption", json!({ "Mode": "aes-gcm", "Key": "AAAA" })), "all of Key, KeyMd5");
    says(of_output("Encryption", json!({ "Key": "AAAA" })), "must have a Mode");
    says(
        of_output("Encryption", json!({ "Mode": "s3", "KeyMd5": "AAAA" })),
        "Output:Encryption:KeyMd5 must be 16 bytes",
    );
    says(
        of_input("Encryption", json!({ "Mode": "s3", "InitializationVector": "%" })),
        "InitializationVector must be 16",
    );
}

#[test]
fn art_captions_and_watermarks_keep_their_bounds() {
    let art = json!({ "InputKey": "a.png", "MaxWidth": "600", "MaxHeight": "auto" });
    assert_eq!(of_output("AlbumArt", json!({ "Artwork": vec![art.clone(); 20] })), Ok(()));
    says(of_output("AlbumArt", json!({ "Artwork": vec![art; 21] })), "at most 20 members of Artwork");
    let odd = json!({ "Artwork": [{ "InputKey": "a.png", "MaxHeight": "33" }] });
    says(of_output("AlbumArt", odd), "Artwork:MaxHeight must be an even integer between 32 and 3072: 33");
    let mark = json!({ "PresetWatermarkId": "a", "InputKey": "a.png" });
    says(of_output("Watermarks", json!(vec![mark; 5])), "at most 4 Watermarks");
    says(of_output("Captions", json!({})), "must have CaptionFormats");
    let both = json!({ "CaptionFormats": [{ "Format": "mov-text" }, { "Format": "cea-708" }] });
    says(of_output("Captions", both), "at most one embedded format");
    let source =
        json!({ "CaptionFormats": [{ "Format": "srt" }], "CaptionSources": [{ "Key": "k", "Language": "en" }] });
    says(of_output("Captions", source), "MergePolicy must not be null");
    let english = json!({ "CaptionSources": [{ "Key": "k", "Language": "english" }] });
    says(of_input("InputCaptions", english), "a code of two or three letters: english");
}

/// Two outputs of `container` in one playlist of `format`, changed, against presets of that container.
fn listed(format: &str, container: &str, change: impl FnOnce(&mut Value)) -> Result<(), String> {
    let preset = |container: &str| {
        let number = match container {
            "ts" => "200010",
            "fmp4" => "400010",
            _ => "300300",
        };
        presets::get(&format!("1351620000001-{number}")).unwrap().clone()
    };
    let mut job = serde_json::to_value(good()).unwrap();
    let segments = if container == "wav" { Value::Null } else { json!("10") };
    let output = |key: &str| json!({ "Key": key, "PresetId": "1351620000001-200010", "SegmentDuration": segments });
    job["Outputs"] = json!([output("d/a"), output("d/b")]);
    job["Playlists"] = json!([{ "Name": "d/index", "Format": format, "OutputKeys": ["d/a", "d/b"] }]);
    change(&mut job);
    let request: CreateJobRequest = serde_json::from_value(job).unwrap();
    create_job(&request)
        .and_then(|()| outputs_with_presets(&request, &[preset(container), preset(container)]))
        .map_err(|error| error.message)
}

#[test]
fn playlists_name_outputs_that_fit_together() {
    for (format, container) in [("HLSv3", "ts"), ("HLSv4", "ts"), ("Smooth", "fmp4"), ("MPEG-DASH", "fmp4")] {
        assert_eq!(listed(format, container, |_| {}), Ok(()), "{format}");
    }
    says(
        listed("HLSv3", "ts", |job| job["Playlists"][0]["OutputKeys"] = json!(["d/c"])),
        "names 'd/c', which is no Key",
    );
    says(listed("HLSv3", "ts", |job| job["Playlists"][0]["OutputKeys"] = json!([])), "must have OutputKeys");
    let twice = |job: &mut Value| job["Playlists"] = json!([job["Playlists"][0], job["Playlists"][0]]);
    says(listed("HLSv3", "ts", twice), "the same Name: d/index");
    assert_eq!(
        listed("HLSv3", "ts", |job| job["Playlists"][0]["Name"] = json!("e/index")).unwrap_err(),
        "All outputs in a playlist must begin identically to the playlist name upto the last / character."
    );
    says(listed("HLSv3", "ts", |job| job["Outputs"][1]["SegmentDuration"] = json!("9")), "the same SegmentDuration");
    assert_eq!(listed("HLSv3", "ts", |job| job["Outputs"][1]["SegmentDuration"] = json!("10.00")), Ok(()));
    let none = |job: &mut Value| {
        for index in 0..2 {
            job["Outputs"][index]["SegmentDuration"] = Value::Null;
        }
    };
    assert_eq!(
        listed("HLSv3", "ts", none).unwrap_err(),
        "Output 'd/a' must have a SegmentDuration since it is part of a playlist. SegmentDurtion is available only for 'ts' containers."
    );
    says(listed("Smooth", "ts", |_| {}), "must have the container fmp4");
    says(listed("HLSv3", "fmp4", |_| {}), "SegmentDurtion is available only for 'ts'");
}

#[test]
fn protection_is_of_one_kind() {
    let hls = |value: Value| listed("HLSv3", "ts", |job| job["Playlists"][0]["HlsContentProtection"] = value);
    assert_eq!(hls(json!({ "Method": "aes-128" })), Ok(()));
    says(hls(json!({ "Key": "AAAA" })), "HlsContentProtection must have all of Key");
    let url = json!({ "KeyStoragePolicy": "WithVariantPlaylists", "LicenseAcquisitionUrl": "https://x" });
    says(hls(url), "LicenseAcquisitionUrl must be blank");
    let both = |job: &mut Value| {
        job["Playlists"][0]["HlsContentProtection"] = json!({});
        job["Playlists"][0]["PlayReadyDrm"] = json!({});
    };
    says(listed("HLSv3", "ts", both), "are mutually exclusive in the playlist 'd/index'");
    let smooth = |job: &mut Value| job["Playlists"][0]["HlsContentProtection"] = json!({});
    says(listed("Smooth", "fmp4", smooth), "only for HLSv3 and HLSv4");
    let ready = |job: &mut Value| job["Playlists"][0]["PlayReadyDrm"] = json!({ "KeyMd5": "AAAA" });
    says(listed("Smooth", "fmp4", ready), "PlayReadyDrm:KeyMd5 must be 16 bytes");
}

/// One output with a preset of that number, changed.
fn single(number: &str, change: Value) -> Result<(), String> {
    let preset: Preset = presets::get(&format!("1351620000001-{number}")).unwrap().clone();
    let mut output = json!({ "Key": "k", "PresetId": preset.id });
    for (name, value) in change.as_object().unwrap() {
        output[name] = value.clone();
    }
    let request: CreateJobRequest = serde_json::from_value(
        json!({ "PipelineId": "1700000000000-abc123", "Input": { "Key": "a" }, "Output": output }),
    )
    .unwrap();
    create_job(&request).and_then(|()| outputs_with_presets(&request, &[preset])).map_err(|error| error.message)
}

#[test]
fn outputs_ask_for_what_their_presets_have() {
    let art = json!({ "AlbumArt": { "Artwork": [] } });
    for number in ["300110", "300010", "100110"] {
        assert_eq!(single(number, art.clone()), Ok(()), "{number}");
    }
    for number in ["300300", "000010"] {
        says(single(number, art.clone()), "only for audio in flac, mp3 or mp4");
    }
    assert_eq!(single("000010", json!({ "ThumbnailPattern": "t-{count}" })), Ok(()));
    says(single("100110", json!({ "ThumbnailPattern": "t-{count}" })), "its preset has no Thumbnails");
    assert_eq!(single("100110", json!({ "ThumbnailPattern": "" })), Ok(()));
    says(single("100110", json!({ "SegmentDuration": "10" })), "only for the containers ts and fmp4");
    let mark = |id: &str| json!({ "Watermarks": [{ "PresetWatermarkId": id, "InputKey": "a.png" }] });
    assert_eq!(single("000010", mark("TopLeft")), Ok(()));
    says(single("000010", mark("Middle")), "names the watermark 'Middle', which its preset does not have");
    let captions = |format: &str| json!({ "Captions": { "CaptionFormats": [{ "Format": format }] } });
    assert_eq!(single("000010", captions("mov-text")), Ok(()));
    says(single("200010", captions("mov-text")), "captions as mov-text in the container ts");
    assert_eq!(single("200010", captions("cea-708")), Ok(()));
    assert_eq!(single("400010", captions("dfxp")), Ok(()));
    says(single("400010", captions("srt")), "captions as srt in the container fmp4");
    says(single("300110", captions("srt")), "captions as srt in the container flac");
}

#[test]
fn smooth_outputs_change_at_the_same_places() {
    let request: CreateJobRequest = serde_json::from_value(json!({
        "Outputs": [{ "Key": "a" }, { "Key": "b" }],
        "Playlists": [{ "Name": "p", "Format": "Smooth", "OutputKeys": ["a", "b"] }],
    }))
    .unwrap();
    let presets = |change: fn(&mut Preset)| {
        let first = presets::get("1351620000001-400010").unwrap().clone();
        let mut second = first.clone();
        change(&mut second);
        outputs_with_presets(&request, &[first, second]).map_err(|error| error.message)
    };
    assert_eq!(presets(|_| {}), Ok(()));
    let ratio = |preset: &mut Preset| preset.video.as_mut().unwrap().keyframes_max_dist = Some("61".into());
    says(presets(ratio), "the same ratio of Video:FrameRate");
    let profile = |preset: &mut Preset| {
        preset.video.as_mut().unwrap().codec_options.as_mut().unwrap().insert("Profile".into(), "main".into());
    };
    says(presets(profile), "the same Video:CodecOptions:Profile");
}
