//! Reading an object, or what is known of it.

use std::ops;

use http::{HeaderMap, HeaderValue, header};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, dto::*, s3_error};

use super::Operations;
use crate::s3::{
    conditions::Conditions,
    fault::Fault,
    objects::{self, Object},
    outlet,
};

pub(super) async fn get_object(
    on: &Operations,
    request: S3Request<GetObjectInput>,
) -> Result<S3Response<GetObjectOutput>, Fault> {
    let input = request.input;
    check_supported(input.version_id.as_deref(), input.part_number)?;
    let conditions = Conditions {
        if_match: input.if_match,
        if_none_match: input.if_none_match,
        if_modified_since: input.if_modified_since,
        if_unmodified_since: input.if_unmodified_since,
    };
    let pin = on.reclaim.pin(&input.bucket, &input.key);
    let read =
        move |connection: &rusqlite::Connection| objects::require_with_segments(connection, &input.bucket, &input.key);
    let (object, segments) = on.context.store.read(read).await?;
    conditions.check(&object)?;
    let range = satisfiable(input.range, object.size)?;
    let headers = sum_headers(&object, input.checksum_mode.as_ref(), range.as_ref());
    let bytes = range.clone().unwrap_or(0..object.size);
    let content_length = i64::try_from(bytes.end - bytes.start).ok();
    let body = outlet::stream(on.files.clone(), segments, bytes, pin).await?;
    let output = GetObjectOutput {
        body: Some(body),
        accept_ranges: Some("bytes".to_owned()),
        cache_control: object.meta.cache_control.clone(),
        content_disposition: object.meta.content_disposition.clone(),
        content_encoding: object.meta.content_encoding.clone(),
        content_language: object.meta.content_language.clone(),
        content_length,
        content_range: range.map(|range| content_range(&range, object.size)),
        content_type: Some(object.meta.content_type()),
        e_tag: Some(object.e_tag()),
        expires: object.meta.expires(),
        last_modified: Some(object.last_modified()),
        metadata: object.meta.user(),
        ..Default::default()
    };
    Ok(S3Response::with_headers(output, headers))
}

pub(super) async fn head_object(
    on: &Operations,
    request: S3Request<HeadObjectInput>,
) -> Result<S3Response<HeadObjectOutput>, Fault> {
    let input = request.input;
    check_supported(input.version_id.as_deref(), input.part_number)?;
    let conditions = Conditions {
        if_match: input.if_match,
        if_none_match: input.if_none_match,
        if_modified_since: input.if_modified_since,
        if_unmodified_since: input.if_unmodified_since,
    };
    let read = move |connection: &rusqlite::Connection| objects::require(connection, &input.bucket, &input.key);
    let object = on.context.store.read(read).await?;
    conditions.check(&object)?;
    let range = satisfiable(input.range, object.size)?;
    let headers = sum_headers(&object, input.checksum_mode.as_ref(), range.as_ref());
    let bytes = range.clone().unwrap_or(0..object.size);
    let output = HeadObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        cache_control: input.response_cache_control.or_else(|| object.meta.cache_control.clone()),
        content_disposition: input.response_content_disposition.or_else(|| object.meta.content_disposition.clone()),
        content_encoding: input.response_content_encoding.or_else(|| object.meta.content_encoding.clone()),
        content_language: input.response_content_language.or_else(|| object.meta.content_language.clone()),
        content_length: i64::try_from(bytes.end - bytes.start).ok(),
        content_range: range.map(|range| content_range(&range, object.size)),
        content_type: Some(input.response_content_type.unwrap_or_else(|| object.meta.content_type())),
        e_tag: Some(object.e_tag()),
        expires: input.response_expires.or_else(|| object.meta.expires()),
        last_modified: Some(object.last_modified()),
        metadata: object.meta.user(),
        ..Default::default()
    };
    Ok(S3Response::with_headers(output, headers))
}

fn check_supported(version: Option<&str>, part: Option<PartNumber>) -> Result<(), S3Error> {
    check_version(version)?;
    if part.is_some() {
        return Err(s3_error!(NotImplemented, "partNumber is not implemented"));
    }
    Ok(())
}

/// There are no versions: the one there is has the id `null` (S3 User Guide, "Versioning").
pub(super) fn check_version(version: Option<&str>) -> Result<(), S3Error> {
    if version.is_some_and(|version| version != "null") {
        return Err(s3_error!(InvalidArgument, "Invalid version id specified"));
    }
    Ok(())
}

fn satisfiable(range: Option<Range>, size: u64) -> Result<Option<ops::Range<u64>>, S3Error> {
    let Some(range) = range else { return Ok(None) };
    // RFC 9110, section 14.1.2: no suffix of an empty representation can be had.
    let satisfied = if size == 0 { None } else { range.check(size).ok() };
    if satisfied.is_none() {
        let mut error = S3Error::with_message(S3ErrorCode::InvalidRange, "The requested range is not satisfiable");
        if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
            error.set_headers(HeaderMap::from_iter([(header::CONTENT_RANGE, value)]));
        }
        return Err(error);
    }
    Ok(satisfied)
}

fn content_range(range: &ops::Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1))
}

/// The kept sum is of the whole object: beside a part of it, it would only mislead.
fn sum_headers(object: &Object, mode: Option<&ChecksumMode>, range: Option<&ops::Range<u64>>) -> HeaderMap {
    let wanted = mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED) && range.is_none();
    object.sum.as_ref().filter(|_| wanted).map(|sum| sum.headers()).unwrap_or_default()
}
