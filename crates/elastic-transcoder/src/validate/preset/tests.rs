#![allow(clippy::needless_pass_by_value, reason = "a json! at the call reads better than a reference to one")]

use serde_json::{Value, json};

use super::*;
use crate::presets;

fn checked(request: Value) -> Result<String, String> {
    create_preset(&serde_json::from_value(request).unwrap()).map_err(|error| error.message)
}

fn audio(container: &str, audio: Value) -> Result<String, String> {
    checked(json!({ "Name": "p", "Container": container, "Audio": audio }))
}

/// An H.264 preset in mp4 that is changed by the members given.
fn video(changes: Value) -> Result<String, String> {
    let mut video = json!({ "Codec": "H.264", "CodecOptions": { "Profile": "main", "Level": "3.1" }, "BitRate": "2400",
        "MaxWidth": "1280", "MaxHeight": "720", "FrameRate": "25" });
    for (name, value) in changes.as_object().unwrap() {
        video[name] = value.clone();
    }
    checked(json!({ "Name": "p", "Container": "mp4", "Video": video }))
}

#[track_caller]
fn says(result: Result<String, String>, text: &str) {
    let message = result.unwrap_err();
    assert!(message.contains(text), "{message}");
}

#[test]
fn every_system_preset_could_have_been_made() {
    let mut warned = Vec::new();
    for preset in presets::system(&crate::Arns::new("us-east-1", "111122223333")) {
        let request = CreatePresetRequest {
            // The service's own names are longer than those of clients may be.
            name: Some("p".into()),
            description: preset.description.clone(),
            container: Some(preset.container.clone()),
            video: preset.video.clone(),
            audio: preset.audio.clone(),
            thumbnails: preset.thumbnails.clone(),
        };
        let warning = create_preset(&request).unwrap_or_else(|error| panic!("{}: {error}", preset.id));
        if !warning.is_empty() {
            warned.push((preset.id, warning));
        }
    }
    // 592x332 at 30 frames a second is more than level 2.1 allows: the service's own preset passes it.
    let text =
        "The preset does not comply with level 2.1 of H.264: Width times height times FrameRate is above 5068800.";
    assert_eq!(warned, [("1351620000001-400040".into(), text.into())]);
}

#[test]
fn what_is_missing_or_malformed_is_told_at_once() {
    says(checked(json!({})), "2 validation errors detected: Value null at 'name'");
    says(checked(json!({ "Name": "n".repeat(41), "Container": "mp3" })), "less than or equal to 40");
    says(checked(json!({ "Name": "p", "Container": "avi" })), "Value 'avi' at 'container' failed");
    says(checked(json!({ "Name": "p", "Container": "mp3" })), "must have Audio or Video");
    says(audio("mp3", json!({})), "Value null at 'audio.codec'");
    for (name, value) in
        [("Codec", "aac"), ("SampleRate", "8000"), ("BitRate", "x"), ("Channels", "3"), ("AudioPackingMode", "Both")]
    {
        let path = format!("at 'audio.{}{}'", name[..1].to_lowercase(), &name[1..]);
        let mut parameters = json!({ "Codec": "mp3" });
        parameters[name] = value.into();
        says(audio("mp3", parameters), &path);
    }
    for (name, value, path) in [
        ("Codec", json!("H264"), "video.codec"),
        ("KeyframesMaxDist", json!("x"), "video.keyframesMaxDist"),
        ("FixedGOP", json!("yes"), "video.fixedGOP"),
        ("BitRate", json!("1"), "video.bitRate"),
        ("FrameRate", json!("26"), "video.frameRate"),
        ("MaxFrameRate", json!("auto"), "video.maxFrameRate"),
        ("AspectRatio", json!("2:1"), "video.aspectRatio"),
        ("MaxWidth", json!("5"), "video.maxWidth"),
        ("SizingPolicy", json!("Shrink"), "video.sizingPolicy"),
        ("PaddingPolicy", json!("pad"), "video.paddingPolicy"),
        ("Watermarks", json!([{ "Id": "a", "Opacity": "x" }]), "video.watermarks.1.member.opacity"),
        ("Watermarks", json!([{}]), "video.watermarks.1.member.id"),
    ] {
        says(video(json!({ name: value })), &format!("at '{path}' failed"));
    }
}

#[test]
fn containers_take_their_codecs_only() {
    let all_audio = ["AAC", "mp3", "mp2", "pcm", "flac", "vorbis"];
    for (container, taken) in [
        ("flac", &["flac"][..]),
        ("flv", &["AAC", "mp3"]),
        ("fmp4", &["AAC"]),
        ("gif", &[]),
        ("mp2", &["mp2"]),
        ("mp3", &["mp3"]),
        ("mp4", &["AAC", "mp3"]),
        ("mpg", &["mp2"]),
        ("mxf", &["pcm"]),
        ("oga", &["flac", "vorbis"]),
        ("ogg", &["flac", "vorbis"]),
        ("ts", &["AAC", "mp3"]),
        ("wav", &["pcm"]),
        ("webm", &["vorbis"]),
    ] {
        for codec in all_audio {
            let result = audio(container, json!({ "Codec": codec }));
            assert_eq!(result.is_ok(), taken.contains(&codec), "{codec} in {container}: {result:?}");
        }
    }
    for (container, taken) in [("mp4", "H.264"), ("webm", "vp8"), ("webm", "vp9"), ("mpg", "mpeg2"), ("gif", "gif")] {
        for codec in ["H.264", "vp8", "vp9", "mpeg2", "gif"] {
            let result = checked(json!({ "Name": "p", "Container": container, "Video": { "Codec": codec } }));
            let expected = codec == taken || container == "webm" && codec.starts_with("vp");
            assert_eq!(result.is_ok(), expected, "{codec} in {container}: {result:?}");
        }
    }
    let thumbnails =
        json!({ "Name": "p", "Container": "mp3", "Audio": { "Codec": "mp3" }, "Thumbnails": { "Format": "png" } });
    says(checked(thumbnails), "takes no Thumbnails");
}

#[test]
fn audio_options_belong_to_their_codecs() {
    says(audio("mp3", json!({ "Codec": "mp3", "CodecOptions": { "Profile": "auto" } })), "Profile does not apply");
    says(audio("mp4", json!({ "Codec": "AAC", "CodecOptions": { "BitDepth": "16" } })), "BitDepth does not apply");
    says(audio("flac", json!({ "Codec": "flac", "CodecOptions": { "BitDepth": "8" } })), "one of 16, 24");
    says(audio("flac", json!({ "Codec": "flac", "CodecOptions": { "Signed": "Signed" } })), "Signed does not apply");
    says(audio("mp3", json!({ "Codec": "mp3", "BitRate": "32" })), "between 64 and 320");
    says(
        audio("wav", json!({ "Codec": "pcm", "AudioPackingMode": "OneChannelPerTrack" })),
        "only for the container mxf",
    );
    let pcm = json!({ "BitDepth": "32", "BitOrder": "LittleEndian", "Signed": "Signed" });
    assert_eq!(audio("wav", json!({ "Codec": "pcm", "CodecOptions": pcm })), Ok(String::new()));
    assert_eq!(audio("mxf", json!({ "Codec": "pcm", "AudioPackingMode": "OneChannelPerTrack" })), Ok(String::new()));
}

#[test]
fn video_options_belong_to_their_codecs() {
    let option = |name: &str, value: &str| video(json!({ "CodecOptions": { name: value } }));
    for (name, value) in [
        ("Profile", "extended"),
        ("Level", "5"),
        ("MaxReferenceFrames", "17"),
        ("MaxBitRate", "15"),
        ("BufferSize", "0"),
        ("InterlacedMode", "auto"),
        ("ColorSpaceConversionMode", "Bt2020"),
    ] {
        says(option(name, value), &format!("Video:CodecOptions:{name} must be"));
    }
    for name in ["LoopCount", "ChromaSubsampling", "Colour"] {
        says(option(name, "1"), "does not apply to the video codec H.264");
    }
    assert_eq!(option("MaxBitRate", ""), Ok(String::new()));
    let gif = |count: &str| {
        checked(
            json!({ "Name": "p", "Container": "gif", "Video": { "Codec": "gif", "CodecOptions": { "LoopCount": count } } }),
        )
    };
    assert_eq!((gif("Infinite").is_ok(), gif("100").is_ok(), gif("101").is_ok()), (true, true, false));
    let many: serde_json::Map<String, Value> = (0..31).map(|number| (number.to_string(), json!(""))).collect();
    says(video(json!({ "CodecOptions": many })), "at 'video.codecOptions' failed");
}

#[test]
fn key_frames_and_sizes_keep_their_bounds() {
    says(video(json!({ "KeyframesMaxDist": "0" })), "between 1 and 100000");
    says(video(json!({ "KeyframesMaxDist": "100001" })), "between 1 and 100000");
    for (name, value) in [("MaxWidth", "127"), ("MaxWidth", "4098"), ("MaxHeight", "94"), ("MaxHeight", "721")] {
        says(video(json!({ name: value })), &format!("Video:{name} must be an even integer"));
    }
    says(video(json!({ "Resolution": "1280x720" })), "mutually exclusive");
    let older = |resolution: &str| video(json!({ "Resolution": resolution, "MaxWidth": null, "MaxHeight": null }));
    assert_eq!(older("1280x720"), Ok(String::new()));
    says(older("1280x721"), "The height of Video:Resolution");
    let fragmented = json!({ "Name": "p", "Container": "fmp4", "Video": { "Codec": "H.264", "FixedGOP": "false" } });
    says(checked(fragmented), "FixedGOP must be true");
    let gif = json!({ "Name": "p", "Container": "gif", "Video": { "Codec": "gif", "FixedGOP": "true" } });
    says(checked(gif), "do not apply to gif");
}

#[test]
fn watermarks_lie_inside() {
    let one = |watermark: Value| video(json!({ "Watermarks": [watermark] }));
    assert_eq!(
        one(json!({ "Id": "a", "MaxWidth": "100%", "HorizontalOffset": "0px", "HorizontalAlign": "Center" })),
        Ok(String::new())
    );
    for (watermark, text) in [
        (json!({ "Id": "a", "MaxWidth": "15px" }), "MaxWidth of the watermark a is out of range"),
        (json!({ "Id": "a", "MaxWidth": "1282px" }), "MaxWidth of the watermark a is out of range"),
        (json!({ "Id": "a", "MaxHeight": "100.5%" }), "MaxHeight of the watermark a is out of range"),
        (json!({ "Id": "a", "VerticalAlign": "Center", "VerticalOffset": "5%" }), "does not apply to what is centered"),
        (json!({ "Id": "a", "Opacity": "100.1" }), "between 0 and 100"),
    ] {
        says(one(watermark), text);
    }
    says(video(json!({ "Watermarks": [{ "Id": "a" }, { "Id": "a" }] })), "the same Id: a");
    let five: Vec<Value> = (0..5).map(|number| json!({ "Id": number.to_string() })).collect();
    says(video(json!({ "Watermarks": five })), "at most 4 members");
}

#[test]
fn thumbnails_keep_their_bounds() {
    let with = |thumbnails: Value| {
        let video = json!({ "Codec": "H.264", "Resolution": "640x360" });
        checked(json!({ "Name": "p", "Container": "mp4", "Video": video, "Thumbnails": thumbnails }))
    };
    assert_eq!(with(json!({ "Format": "jpg", "Interval": "5", "Resolution": "640x360" })), Ok(String::new()));
    says(with(json!({ "Format": "gif" })), "at 'thumbnails.format'");
    says(with(json!({ "Interval": "0" })), "at least 1 second");
    says(with(json!({ "Resolution": "642x360" })), "The width of Thumbnails:Resolution");
    says(with(json!({ "MaxWidth": "30" })), "Thumbnails:MaxWidth must be an even integer between 32 and 4096");
    says(with(json!({ "AspectRatio": "auto", "MaxWidth": "64" })), "mutually exclusive");
}

#[test]
fn levels_warn_and_do_not_refuse() {
    let warned = |changes: Value| video(changes).unwrap();
    assert!(warned(json!({ "BitRate": "14001" })).contains("BitRate 14001 is above 14000"));
    assert_eq!(warned(json!({ "BitRate": "14000" })), "");
    let high = json!({ "Profile": "high", "Level": "3.1" });
    assert_eq!(warned(json!({ "BitRate": "17500", "CodecOptions": high })), "");
    assert!(warned(json!({ "MaxWidth": "1920", "MaxHeight": "1080" })).contains("Width times height is above 921600"));
    assert!(warned(json!({ "FrameRate": "60" })).contains("times FrameRate is above 27648000"));
    let frames = json!({ "Profile": "main", "Level": "3.1", "MaxReferenceFrames": "6" });
    assert!(warned(json!({ "CodecOptions": frames })).contains("MaxReferenceFrames is above 5"));
}
