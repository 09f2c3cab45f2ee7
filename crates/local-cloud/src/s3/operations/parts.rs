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

pub(super) async fn upload_part(
    on: &Operations,
    request: S3Request<UploadPartInput>,
) -> Result<S3Response<UploadPartOutput>, Fault> {
    let input = request.input;
    let number = input.part_number;
    if !(1..=MAX_PARTS).contains(&number) {
        return Err(s3_error!(InvalidArgument, "Part number must be an integer between 1 and 10000, inclusive").into());
    }
    let mut expected =
        Expected::new(input.content_length, input.content_md5.as_deref(), &request.headers, request.trailing_headers)?;
    let (bucket, key, id) = (input.bucket, input.key, input.upload_id);
    let early = (bucket.clone(), key.clone(), id.clone());
    let read = move |connection: &rusqlite::Connection| uploads::require(connection, &early.0, &early.1, &early.2);
    let upload = on.context.store.read(read).await?;
    expected.sum = agreed(upload.algorithm, expected.sum)?;
    let received = intake::receive(&on.files, input.body, expected).await?;
    let part = PartRow {
        number,
        file: received.file.id().to_owned(),
        size: received.size,
        etag: hex::encode(received.md5),
        modified_ms: now_ms(),
        sum: received.sum,
    };
    let output = UploadPartOutput { e_tag: Some(ETag::Strong(part.etag.clone())), ..Default::default() };
    let headers = part.sum.as_ref().map(|sum| sum.headers()).unwrap_or_default();
    let reclaim = on.reclaim.clone();
    let file = received.file;
    let write = move |transaction: &mut crate::store::Transaction<'_>| -> Result<(), Fault> {
        // It may have been completed or aborted while the body came.
        uploads::require(transaction, &bucket, &key, &id)?;
        let old = uploads::put_part(transaction, &id, &part)?;
        transaction.after_commit(move || {
            file.keep();
            reclaim.discard(old.into_iter().collect());
        });
        Ok(())
    };
    on.context.store.write(write).await?;
    Ok(S3Response::with_headers(output, headers))
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

fn entry(row: PartRow) -> Part {
    let mut part = Part {
        part_number: Some(row.number),
        size: i64::try_from(row.size).ok(),
        e_tag: Some(ETag::Strong(row.etag)),
        last_modified: Some(timestamp(row.modified_ms)),
        ..Default::default()
    };
    if let Some(sum) = row.sum {
        let field = match sum.algorithm {
            Algorithm::Crc32 => &mut part.checksum_crc32,
            Algorithm::Crc32c => &mut part.checksum_crc32c,
            Algorithm::Crc64Nvme => &mut part.checksum_crc64nvme,
            Algorithm::Sha1 => &mut part.checksum_sha1,
            Algorithm::Sha256 => &mut part.checksum_sha256,
        };
        *field = Some(sum.value);
    }
    part
}
