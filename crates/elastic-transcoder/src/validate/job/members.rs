//! The shape of each member of CreateJob.

use super::super::violations::Members;
use super::pattern;
use crate::{
    Artwork, CaptionFormat, CaptionSource, Captions, Clip, CreateJobOutput, CreateJobPlaylist, CreateJobRequest,
    Encryption, HlsContentProtection, InputCaptions, JobAlbumArt, JobInput, JobWatermark, PlayReadyDrm, TimeSpan,
};

pub(super) fn request(m: &mut Members<'_>, request: &CreateJobRequest) {
    m.required("pipelineId", &request.pipeline_id);
    m.pattern("pipelineId", &request.pipeline_id, &pattern::ID);
    m.within("input", &request.input, input);
    m.count("inputs", &request.inputs, 200);
    m.each("inputs", &request.inputs, input);
    m.within("output", &request.output, output);
    m.count("outputs", &request.outputs, 30);
    m.each("outputs", &request.outputs, output);
    m.length("outputKeyPrefix", &request.output_key_prefix, 1, 255);
    m.count("playlists", &request.playlists, 30);
    m.each("playlists", &request.playlists, playlist);
}

/// What the model lets clients leave out and no job can do without.
pub(super) fn required(m: &mut Members<'_>, request: &CreateJobRequest) {
    let input = |m: &mut Members<'_>, input: &JobInput| m.required("key", &input.key);
    let output = |m: &mut Members<'_>, output: &CreateJobOutput| {
        m.required("key", &output.key);
        m.required("presetId", &output.preset_id);
    };
    let playlist = |m: &mut Members<'_>, playlist: &CreateJobPlaylist| {
        m.required("name", &playlist.name);
        m.required("format", &playlist.format);
        m.required("outputKeys", &playlist.output_keys);
    };
    m.within("input", &request.input, input);
    m.each("inputs", &request.inputs, input);
    m.within("output", &request.output, output);
    m.each("outputs", &request.outputs, output);
    m.each("playlists", &request.playlists, playlist);
}

fn input(m: &mut Members<'_>, input: &JobInput) {
    m.length("key", &input.key, 1, 1024);
    m.pattern("frameRate", &input.frame_rate, &pattern::FRAME_RATE);
    m.pattern("resolution", &input.resolution, &pattern::RESOLUTION);
    m.pattern("aspectRatio", &input.aspect_ratio, &pattern::ASPECT_RATIO);
    m.pattern("interlaced", &input.interlaced, &pattern::INTERLACED);
    m.pattern("container", &input.container, &pattern::JOB_CONTAINER);
    m.within("encryption", &input.encryption, encryption);
    m.within("timeSpan", &input.time_span, time_span);
    m.within("inputCaptions", &input.input_captions, input_captions);
}

fn output(m: &mut Members<'_>, output: &CreateJobOutput) {
    m.length("key", &output.key, 1, 255);
    m.pattern("thumbnailPattern", &output.thumbnail_pattern, &pattern::THUMBNAIL_PATTERN);
    m.within("thumbnailEncryption", &output.thumbnail_encryption, encryption);
    m.pattern("rotate", &output.rotate, &pattern::ROTATE);
    m.pattern("presetId", &output.preset_id, &pattern::ID);
    m.pattern("segmentDuration", &output.segment_duration, &pattern::FLOAT_STRING);
    m.each("watermarks", &output.watermarks, watermark);
    m.within("albumArt", &output.album_art, album_art);
    m.each("composition", &output.composition, clip);
    m.within("captions", &output.captions, captions);
    m.within("encryption", &output.encryption, encryption);
}

fn encryption(m: &mut Members<'_>, encryption: &Encryption) {
    m.pattern("mode", &encryption.mode, &pattern::ENCRYPTION_MODE);
    m.pattern("key", &encryption.key, &pattern::BASE64);
    m.pattern("keyMd5", &encryption.key_md5, &pattern::BASE64);
    m.length("initializationVector", &encryption.initialization_vector, 0, 255);
}

fn time_span(m: &mut Members<'_>, span: &TimeSpan) {
    m.pattern("startTime", &span.start_time, &pattern::TIME);
    m.pattern("duration", &span.duration, &pattern::TIME);
}

fn clip(m: &mut Members<'_>, clip: &Clip) {
    m.within("timeSpan", &clip.time_span, time_span);
}

fn input_captions(m: &mut Members<'_>, captions: &InputCaptions) {
    m.pattern("mergePolicy", &captions.merge_policy, &pattern::CAPTION_MERGE_POLICY);
    m.count("captionSources", &captions.caption_sources, 20);
    m.each("captionSources", &captions.caption_sources, caption_source);
}

fn caption_source(m: &mut Members<'_>, source: &CaptionSource) {
    m.required("key", &source.key);
    m.length("key", &source.key, 1, 1024);
    m.required("language", &source.language);
    m.length("language", &source.language, 1, 255);
    m.pattern("timeOffset", &source.time_offset, &pattern::TIME_OFFSET);
    m.length("label", &source.label, 1, 40);
    m.within("encryption", &source.encryption, encryption);
}

fn captions(m: &mut Members<'_>, captions: &Captions) {
    m.pattern("mergePolicy", &captions.merge_policy, &pattern::CAPTION_MERGE_POLICY);
    m.count("captionSources", &captions.caption_sources, 20);
    m.each("captionSources", &captions.caption_sources, caption_source);
    m.count("captionFormats", &captions.caption_formats, 4);
    m.each("captionFormats", &captions.caption_formats, caption_format);
}

fn caption_format(m: &mut Members<'_>, format: &CaptionFormat) {
    m.required("format", &format.format);
    m.pattern("format", &format.format, &pattern::CAPTION_FORMAT);
    m.pattern("pattern", &format.pattern, &pattern::CAPTION_PATTERN);
    m.within("encryption", &format.encryption, encryption);
}

fn watermark(m: &mut Members<'_>, watermark: &JobWatermark) {
    m.required("presetWatermarkId", &watermark.preset_watermark_id);
    m.length("presetWatermarkId", &watermark.preset_watermark_id, 1, 40);
    m.required("inputKey", &watermark.input_key);
    m.pattern("inputKey", &watermark.input_key, &pattern::WATERMARK_KEY);
    m.within("encryption", &watermark.encryption, encryption);
}

fn album_art(m: &mut Members<'_>, art: &JobAlbumArt) {
    m.pattern("mergePolicy", &art.merge_policy, &pattern::MERGE_POLICY);
    m.each("artwork", &art.artwork, artwork);
}

fn artwork(m: &mut Members<'_>, art: &Artwork) {
    m.required("inputKey", &art.input_key);
    m.pattern("inputKey", &art.input_key, &pattern::WATERMARK_KEY);
    m.pattern("maxWidth", &art.max_width, &pattern::DIGITS_OR_AUTO);
    m.pattern("maxHeight", &art.max_height, &pattern::DIGITS_OR_AUTO);
    m.pattern("sizingPolicy", &art.sizing_policy, &pattern::SIZING_POLICY);
    m.pattern("paddingPolicy", &art.padding_policy, &pattern::PADDING_POLICY);
    m.pattern("albumArtFormat", &art.album_art_format, &pattern::JPG_OR_PNG);
    m.within("encryption", &art.encryption, encryption);
}

fn playlist(m: &mut Members<'_>, playlist: &CreateJobPlaylist) {
    m.length("name", &playlist.name, 1, 255);
    m.pattern("format", &playlist.format, &pattern::PLAYLIST_FORMAT);
    m.count("outputKeys", &playlist.output_keys, 30);
    m.lengths("outputKeys", &playlist.output_keys, 1, 255);
    m.within("hlsContentProtection", &playlist.hls_content_protection, hls);
    m.within("playReadyDrm", &playlist.play_ready_drm, play_ready);
}

fn hls(m: &mut Members<'_>, hls: &HlsContentProtection) {
    m.pattern("method", &hls.method, &pattern::HLS_METHOD);
    m.pattern("key", &hls.key, &pattern::BASE64);
    m.pattern("keyMd5", &hls.key_md5, &pattern::BASE64);
    m.length("initializationVector", &hls.initialization_vector, 0, 255);
    m.length("licenseAcquisitionUrl", &hls.license_acquisition_url, 0, 512);
    m.pattern("keyStoragePolicy", &hls.key_storage_policy, &pattern::KEY_STORAGE_POLICY);
}

fn play_ready(m: &mut Members<'_>, drm: &PlayReadyDrm) {
    m.pattern("format", &drm.format, &pattern::PLAY_READY_FORMAT);
    m.pattern("key", &drm.key, &pattern::NON_EMPTY_BASE64);
    m.pattern("keyMd5", &drm.key_md5, &pattern::NON_EMPTY_BASE64);
    m.pattern("keyId", &drm.key_id, &pattern::KEY_ID_GUID);
    m.length("initializationVector", &drm.initialization_vector, 0, 255);
    m.length("licenseAcquisitionUrl", &drm.license_acquisition_url, 1, 512);
}
