//! A part of a multipart upload whose bytes are those of an object that is there.

use s3s::{S3Error, S3Request, S3Response, dto::*, s3_error};

use super::{
    Operations,
    copy::{self, source},
    parts::{self, Place},
};
use crate::s3::{
    conditions::precondition_failed,
    fault::Fault,
    intake::{Expected, MAX_BYTES},
    objects, outlet,
};

pub(super) async fn upload_part_copy(
    on: &Operations,
    request: S3Request<UploadPartCopyInput>,
) -> Result<S3Response<UploadPartCopyOutput>, Fault> {
    let mut input = request.input;
    let (bucket, key) = source(&input.copy_source)?;
    let conditions = copy::conditions!(input);
    let place = Place { bucket: input.bucket, key: input.key, upload: input.upload_id, number: input.part_number };
    let algorithm = parts::open(on, &place).await?;
    let pin = on.reclaim.pin(&bucket, &key);
    let read = move |connection: &rusqlite::Connection| objects::require_with_segments(connection, &bucket, &key);
    let (object, segments) = on.context.store.read(read).await?;
    conditions.check(&object).map_err(|_| precondition_failed())?;
    let range = range(input.copy_source_range.as_deref(), object.size)?;
    let length = range.end - range.start;
    if length > MAX_BYTES {
        let message = format!("The specified copy source is larger than the maximum allowable size: {MAX_BYTES}");
        return Err(s3_error!(InvalidRequest, "{message}").into());
    }
    // Read once more from the disk: its tag is the MD5 of just these bytes.
    let body = outlet::stream(on.files.clone(), segments, range, pin).await?;
    let part = parts::take(on, place, Some(body), Expected::copied(length, algorithm)).await?;
    let mut result = CopyPartResult {
        e_tag: Some(ETag::Strong(part.etag.clone())),
        last_modified: Some(objects::timestamp(part.modified_ms)),
        ..Default::default()
    };
    if let Some(sum) = &part.sum {
        parts::show_sum!(result, sum);
    }
    Ok(S3Response::new(UploadPartCopyOutput { copy_part_result: Some(result), ..Default::default() }))
}

/// `bytes=first-last`, both within the object (S3 API, UploadPartCopy); all of it without one.
fn range(text: Option<&str>, size: u64) -> Result<std::ops::Range<u64>, S3Error> {
    let Some(text) = text else { return Ok(0..size) };
    let malformed = || {
        s3_error!(
            InvalidArgument,
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy"
        )
    };
    let (first, last) = text.strip_prefix("bytes=").and_then(|range| range.split_once('-')).ok_or_else(malformed)?;
    let number = |text: &str| -> Option<u64> {
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
    };
    let (first, last) = number(first).zip(number(last)).filter(|(first, last)| first <= last).ok_or_else(malformed)?;
    if last >= size {
        return Err(s3_error!(InvalidArgument, "Range specified is not valid for source object of size: {size}"));
    }
    Ok(first..last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_lies_within_the_object() {
        assert_eq!(range(None, 10).unwrap(), 0..10);
        assert_eq!(range(Some("bytes=0-9"), 10).unwrap(), 0..10);
        assert_eq!(range(Some("bytes=3-3"), 10).unwrap(), 3..4);
        for bad in ["bytes=0-10", "bytes=5-4", "bytes=-4", "bytes=4-", "0-4", "bytes=+1-2", "bytes=0-4,6-7", ""] {
            assert!(range(Some(bad), 10).is_err(), "{bad}");
        }
    }
}
