//! Multipart uploads, from the first word to the finished object.

use md5::{Digest, Md5};
use s3s::{S3Request, S3Response, dto::*, s3_error};
use uuid::Uuid;

use super::{Operations, put::Target, request_id};
use crate::s3::{
    checksum::{self, Algorithm, Sum},
    fault::Fault,
    meta::meta_of,
    notifications::event,
    objects::{self, Object, Segment, now_ms, require_bucket},
    uploads::{self, Part, Upload},
};

/// S3 User Guide, "Multipart upload limits": every part but the last is at least so large.
const SMALLEST_PART: u64 = 5 * 1024 * 1024;
pub(super) const MAX_PARTS: i32 = 10_000;

pub(super) async fn create_multipart_upload(
    on: &Operations,
    request: S3Request<CreateMultipartUploadInput>,
) -> Result<S3Response<CreateMultipartUploadOutput>, Fault> {
    on.context.store.space().check_content(0)?;
    let mut input = request.input;
    let meta = meta_of!(input)?;
    let algorithm =
        input.checksum_algorithm.as_ref().map(|algorithm| Algorithm::parse(algorithm.as_str())).transpose()?;
    let full_object = match (algorithm, input.checksum_type.as_ref().map(ChecksumType::as_str)) {
        (None, _) => false,
        (Some(Algorithm::Sha1 | Algorithm::Sha256), Some(ChecksumType::FULL_OBJECT)) => {
            return Err(s3_error!(
                InvalidRequest,
                "The FULL_OBJECT checksum type cannot be used with this checksum algorithm."
            )
            .into());
        }
        (Some(algorithm), kind) => algorithm == Algorithm::Crc64Nvme || kind == Some(ChecksumType::FULL_OBJECT),
    };
    let upload = Upload {
        id: Uuid::new_v4().simple().to_string(),
        key: input.key.clone(),
        started_ms: now_ms(),
        meta,
        algorithm,
        full_object,
    };
    let output = CreateMultipartUploadOutput {
        bucket: Some(input.bucket.clone()),
        key: Some(input.key),
        upload_id: Some(upload.id.clone()),
        checksum_algorithm: algorithm.map(|algorithm| ChecksumAlgorithm::from_static(algorithm.name())),
        checksum_type: algorithm.map(|_| {
            ChecksumType::from_static(if full_object { ChecksumType::FULL_OBJECT } else { ChecksumType::COMPOSITE })
        }),
        ..Default::default()
    };
    let bucket = input.bucket;
    let write = move |transaction: &mut crate::store::Transaction<'_>| {
        require_bucket(transaction, &bucket)?;
        uploads::insert(transaction, &bucket, &upload)
    };
    on.context.store.write(write).await?;
    Ok(S3Response::new(output))
}

pub(super) async fn complete_multipart_upload(
    on: &Operations,
    request: S3Request<CompleteMultipartUploadInput>,
) -> Result<S3Response<CompleteMultipartUploadOutput>, Fault> {
    let request_id = request_id(&request.extensions);
    let input = request.input;
    let wanted = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
    if wanted.is_empty() {
        return Err(s3_error!(MalformedXML, "You must specify at least one part").into());
    }
    let output = CompleteMultipartUploadOutput {
        bucket: Some(input.bucket.clone()),
        key: Some(input.key.clone()),
        location: Some(format!("{}/{}/{}", on.context.public_endpoint, input.bucket, input.key)),
        ..Default::default()
    };
    let target =
        Target { bucket: input.bucket, key: input.key, if_match: input.if_match, if_none_match: input.if_none_match };
    let id = input.upload_id;
    let (reclaim, notifier) = (on.reclaim.clone(), on.notifier.clone());
    let write = move |transaction: &mut crate::store::Transaction<'_>| {
        let Some(upload) = uploads::find(transaction, &target.bucket, &target.key, &id)? else {
            // The answer to an earlier try may have been lost on its way.
            let existing = objects::find(transaction, &target.bucket, &target.key)?;
            let done = existing.filter(|object| object.upload.as_deref() == Some(&id));
            return done.ok_or_else(|| uploads::no_such_upload().into());
        };
        target.check(transaction)?;
        let have = uploads::parts(transaction, &id, 0, usize::try_from(MAX_PARTS).unwrap_or(usize::MAX))?;
        let parts = choose(&wanted, have, &upload)?;
        let object = assemble(upload, &parts);
        let segments: Vec<Segment> =
            parts.into_iter().map(|part| Segment { file: part.file, size: part.size }).collect();
        let mut unused = uploads::remove(transaction, &id)?;
        let used: std::collections::HashSet<&str> = segments.iter().map(|segment| segment.file.as_str()).collect();
        unused.retain(|file| !used.contains(file.as_str()));
        let old = objects::replace(transaction, &target.bucket, &target.key, &object, &segments)?;
        notifier.tell(transaction, &target.made(event::COMPLETE, &object, &request_id))?;
        transaction.after_commit(move || {
            reclaim.discard(unused);
            reclaim.retire(target.bucket, target.key, old);
        });
        Ok::<_, Fault>(object)
    };
    let object = on.context.store.write(write).await?;
    Ok(S3Response::new(CompleteMultipartUploadOutput { e_tag: Some(object.e_tag()), ..output }))
}

/// The parts that the client lists, if each is there and is the one it means.
fn choose(wanted: &[CompletedPart], have: Vec<Part>, upload: &Upload) -> Result<Vec<Part>, Fault> {
    if !wanted.is_sorted_by(|one, next| one.part_number < next.part_number) {
        return Err(s3_error!(
            InvalidPartOrder,
            "The list of parts was not in ascending order. The parts list must be specified in order by part number."
        )
        .into());
    }
    let mut have: std::collections::HashMap<i32, Part> = have.into_iter().map(|part| (part.number, part)).collect();
    let mut parts: Vec<Part> = Vec::with_capacity(wanted.len());
    for (index, wanted_part) in wanted.iter().enumerate() {
        let number = wanted_part.part_number.unwrap_or(0);
        let part = have.remove(&number).filter(|part| is_meant(wanted_part, part)).ok_or_else(|| {
            s3_error!(InvalidPart, "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.")
        })?;
        if let Some(algorithm) = upload.algorithm
            && !upload.full_object
            && algorithm.of_part(wanted_part).is_none()
        {
            // S3 User Guide, "Checking object integrity": a composite sum wants each part's.
            let name = algorithm.name().to_ascii_lowercase();
            return Err(s3_error!(InvalidRequest, "The upload was created using a {name} checksum. The complete request must include the checksum for each part. It was missing for part {number} in the request.").into());
        }
        if index + 1 < wanted.len() && part.size < SMALLEST_PART {
            return Err(
                s3_error!(EntityTooSmall, "Your proposed upload is smaller than the minimum allowed size").into()
            );
        }
        parts.push(part);
    }
    Ok(parts)
}

fn is_meant(wanted: &CompletedPart, part: &Part) -> bool {
    let same_tag = wanted.e_tag.as_ref().is_some_and(|etag| etag.value() == part.etag);
    let same_sum =
        part.sum.as_ref().is_none_or(|sum| sum.algorithm.of_part(wanted).is_none_or(|value| *value == sum.value));
    same_tag && same_sum
}

/// The object of the parts. Its tag is the MD5 of the parts' MD5s, with their number.
fn assemble(upload: Upload, parts: &[Part]) -> Object {
    let mut md5 = Md5::new();
    for part in parts {
        // Part tags are ours: the hex of an MD5.
        md5.update(hex::decode(&part.etag).unwrap_or_default());
    }
    Object {
        size: parts.iter().map(|part| part.size).sum(),
        etag: format!("{}-{}", hex::encode(md5.finalize()), parts.len()),
        modified_ms: now_ms(),
        sum: upload.algorithm.and_then(|algorithm| whole_sum(algorithm, upload.full_object, parts)),
        meta: upload.meta,
        upload: Some(upload.id),
        ..Object::default()
    }
}

fn whole_sum(algorithm: Algorithm, full_object: bool, parts: &[Part]) -> Option<Sum> {
    let sums: Vec<(&str, u64)> = parts
        .iter()
        .map(|part| {
            part.sum.as_ref().filter(|sum| sum.algorithm == algorithm).map(|sum| (sum.value.as_str(), part.size))
        })
        .collect::<Option<_>>()?;
    if full_object {
        return checksum::combined(algorithm, &sums);
    }
    let values: Vec<&str> = sums.into_iter().map(|(value, _)| value).collect();
    checksum::composite(algorithm, &values)
}

pub(super) async fn abort_multipart_upload(
    on: &Operations,
    request: S3Request<AbortMultipartUploadInput>,
) -> Result<S3Response<AbortMultipartUploadOutput>, Fault> {
    let input = request.input;
    let reclaim = on.reclaim.clone();
    let write = move |transaction: &mut crate::store::Transaction<'_>| -> Result<(), Fault> {
        let upload = uploads::require(transaction, &input.bucket, &input.key, &input.upload_id)?;
        let files = uploads::remove(transaction, &upload.id)?;
        transaction.after_commit(move || reclaim.discard(files));
        Ok(())
    };
    on.context.store.write(write).await?;
    Ok(S3Response::new(AbortMultipartUploadOutput::default()))
}
