//! The parts of a multipart upload.

use s3s::{S3Error, S3Request, S3Response, dto::*, s3_error};

use super::{Operations, buckets::owner, lists::limit, multipart::MAX_PARTS};
use crate::s3::{
    checksum::{Algorithm, Claim},
    fault::Fault,
    intake::{self, Expected},
    objects::{now_ms, timestamp},
    uploads::{self, Part as PartRow},
};

/// Where a part goes.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) upload: String,
    pub(super) number: i32,
}

pub(super) async fn upload_part(
    on: &Operations,
    request: S3Request<UploadPartInput>,
) -> Result<S3Response<UploadPartOutput>, Fault> {
    let input = request.input;
    let place = Place { bucket: input.bucket, key: input.key, upload: input.upload_id, number: input.part_number };
    let mut expected =
        Expected::new(input.content_length, input.content_md5.as_deref(), &request.headers, request.trailing_headers)?;
    expected.sum = agreed(open(on, &place).await?, expected.sum)?;
    let part = take(on, place, input.body, expected).await?;
    let output = UploadPartOutput { e_tag: Some(ETag::Strong(part.etag.clone())), ..Default::default() };
    let headers = part.sum.as_ref().map(|sum| sum.headers()).unwrap_or_default();
    Ok(S3Response::with_headers(output, headers))
}

/// The sum that the upload wants of its parts. Refuses what has no place before its body comes.
pub(super) async fn open(on: &Operations, place: &Place) -> Result<Option<Algorithm>, Fault> {
    if !(1..=MAX_PARTS).contains(&place.number) {
        return Err(s3_error!(InvalidArgument, "Part number must be an integer between 1 and 10000, inclusive").into());
    }
    let Place { bucket, key, upload, .. } = place.clone();
    let read = move |connection: &rusqlite::Connection| uploads::require(connection, &bucket, &key, &upload);
    Ok(on.context.store.read(read).await?.algorithm)
}

/// Stores a part, in the place of whatever has its number.
pub(super) async fn take(
    on: &Operations,
    place: Place,
    body: Option<StreamingBlob>,
    expected: Expected,
) -> Result<PartRow, Fault> {
    let received = intake::receive(&on.files, on.context.store.space(), body, expected).await?;
    let part = PartRow {
        number: place.number,
        file: received.file.id().to_owned(),
        size: received.size,
        etag: hex::encode(received.md5),
        modified_ms: now_ms(),
        sum: received.sum,
    };
    let reclaim = on.reclaim.clone();
    let file = received.file;
    let write = move |transaction: &mut crate::store::Transaction<'_>| -> Result<PartRow, Fault> {
        // It may have been completed or aborted while the body came.
        uploads::require(transaction, &place.bucket, &place.key, &place.upload)?;
        let old = uploads::put_part(transaction, &place.upload, &part)?;
        transaction.after_commit(move || {
            file.keep();
            reclaim.discard(old.into_iter().collect());
        });
        Ok(part)
    };
    on.context.store.write(write).await
}

/// A part's sum is of the kind that the upload was begun with.
fn agreed(
    upload: Option<Algorithm>,
    claimed: Option<(Algorithm, Claim)>,
) -> Result<Option<(Algorithm, Claim)>, S3Error> {
    match (upload, claimed) {
        (Some(upload), Some((claimed, _))) if upload != claimed => {
            let (upload, claimed) = (upload.name().to_ascii_lowercase(), claimed.name().to_ascii_lowercase());
            Err(s3_error!(
                InvalidRequest,
                "Checksum Type mismatch occurred, expected checksum Type: {upload}, actual checksum Type: {claimed}"
            ))
        }
        (Some(upload), None) => Ok(Some((upload, Claim::None))),
        (_, claimed) => Ok(claimed),
    }
}

pub(super) async fn list_parts(
    on: &Operations,
    request: S3Request<ListPartsInput>,
) -> Result<S3Response<ListPartsOutput>, Fault> {
    let input = request.input;
    let limit = limit(input.max_parts)?;
    let after = input.part_number_marker.unwrap_or(0);
    let (bucket, key, id) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
    let read = move |connection: &rusqlite::Connection| -> Result<_, Fault> {
        let upload = uploads::require(connection, &bucket, &key, &id)?;
        Ok((uploads::parts(connection, &id, after, limit + 1)?, upload))
    };
    let (mut rows, upload) = on.context.store.read(read).await?;
    let is_truncated = rows.len() > limit;
    rows.truncate(limit);
    let next_part_number_marker = rows.last().map(|part| part.number);
    Ok(S3Response::new(ListPartsOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(input.upload_id),
        max_parts: i32::try_from(limit).ok(),
        part_number_marker: Some(after),
        next_part_number_marker,
        is_truncated: Some(is_truncated),
        parts: Some(rows.into_iter().map(entry).collect()),
        checksum_algorithm: upload.algorithm.map(|algorithm| ChecksumAlgorithm::from_static(algorithm.name())),
        owner: Some(owner(on)),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        ..Default::default()
    }))
}

/// Puts a sum into the member for its algorithm, which several outputs have.
macro_rules! show_sum {
    ($output:ident, $sum:expr) => {
        let field = match $sum.algorithm {
            $crate::s3::checksum::Algorithm::Crc32 => &mut $output.checksum_crc32,
            $crate::s3::checksum::Algorithm::Crc32c => &mut $output.checksum_crc32c,
            $crate::s3::checksum::Algorithm::Crc64Nvme => &mut $output.checksum_crc64nvme,
            $crate::s3::checksum::Algorithm::Sha1 => &mut $output.checksum_sha1,
            $crate::s3::checksum::Algorithm::Sha256 => &mut $output.checksum_sha256,
        };
        *field = Some($sum.value.clone());
    };
}
pub(super) use show_sum;

fn entry(row: PartRow) -> Part {
    let mut part = Part {
        part_number: Some(row.number),
        size: i64::try_from(row.size).ok(),
        e_tag: Some(ETag::Strong(row.etag)),
        last_modified: Some(timestamp(row.modified_ms)),
        ..Default::default()
    };
    if let Some(sum) = &row.sum {
        show_sum!(part, sum);
    }
    part
}
