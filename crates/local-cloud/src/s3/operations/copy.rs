//! Copying an object: new names for the same bytes.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use s3s::{S3Error, S3Request, S3Response, dto::*, s3_error};

use super::{Operations, put::Target, read::check_version, request_id};
use crate::s3::{
    conditions::precondition_failed,
    fault::{Fault, blocking},
    files::NewFile,
    intake::MAX_BYTES,
    meta::{Meta, meta_of},
    notifications::event,
    objects::{self, Object, Segment, now_ms},
};

/// The conditions on the source, which two inputs have.
macro_rules! conditions {
    ($input:ident) => {
        $crate::s3::conditions::Conditions {
            if_match: $input.copy_source_if_match.take(),
            if_none_match: $input.copy_source_if_none_match.take(),
            if_modified_since: $input.copy_source_if_modified_since.take(),
            if_unmodified_since: $input.copy_source_if_unmodified_since.take(),
        }
    };
}
pub(super) use conditions;

pub(super) async fn copy_object(
    on: &Operations,
    request: S3Request<CopyObjectInput>,
) -> Result<S3Response<CopyObjectOutput>, Fault> {
    let request_id = request_id(&request.extensions);
    let mut input = request.input;
    let (bucket, key) = source(&input.copy_source)?;
    let conditions = conditions!(input);
    let replaced = match input.metadata_directive.as_ref().map(MetadataDirective::as_str) {
        Some(MetadataDirective::REPLACE) => Some(meta_of!(input)?),
        _ => None,
    };
    if replaced.is_none() && (&bucket, &key) == (&input.bucket, &input.key) {
        return Err(s3_error!(
            InvalidRequest,
            "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes."
        )
        .into());
    }
    let target = Target {
        bucket: input.bucket,
        key: input.key,
        if_match: condition(&request.headers, &header::IF_MATCH)?,
        if_none_match: condition(&request.headers, &header::IF_NONE_MATCH)?,
    };
    let early = target.clone();
    let _pin = on.reclaim.pin(&bucket, &key);
    let read = move |connection: &rusqlite::Connection| {
        early.check(connection)?;
        objects::require_with_segments(connection, &bucket, &key)
    };
    let (object, segments) = on.context.store.read(read).await?;
    conditions.check(&object).map_err(|_| precondition_failed())?;
    if object.size > MAX_BYTES {
        return Err(s3_error!(
            InvalidRequest,
            "The specified copy source is larger than the maximum allowable size for a copy source: {MAX_BYTES}"
        )
        .into());
    }
    on.context.store.space().check_content(0)?;
    let files = duplicate(on, &segments).await?;
    let made = Made { source: object, meta: replaced, segments, files };
    let copy = store(on, target, made, request_id).await?;
    let result =
        CopyObjectResult { e_tag: Some(copy.e_tag()), last_modified: Some(copy.last_modified()), ..Default::default() };
    Ok(S3Response::new(CopyObjectOutput { copy_object_result: Some(result), ..Default::default() }))
}

/// A condition on the target, which s3s does not read in a copy.
fn condition(headers: &HeaderMap, name: &HeaderName) -> Result<Option<ETagCondition>, S3Error> {
    let parse = |value: &HeaderValue| ETagCondition::parse_http_header(value.as_bytes());
    let condition = headers.get(name).map(parse).transpose();
    condition.map_err(|_| s3_error!(InvalidArgument, "The header {name} holds no entity tag"))
}

/// The bucket and key that `x-amz-copy-source` names.
pub(super) fn source(source: &CopySource) -> Result<(String, String), S3Error> {
    match source {
        CopySource::Bucket { bucket, key, version_id } => {
            check_version(version_id.as_deref())?;
            Ok((bucket.to_string(), key.to_string()))
        }
        _ => Err(s3_error!(NotImplemented, "access points are not implemented")),
    }
}

async fn duplicate(on: &Operations, segments: &[Segment]) -> Result<Vec<NewFile>, Fault> {
    let files = on.files.clone();
    let ids: Vec<String> = segments.iter().map(|segment| segment.file.clone()).collect();
    let copies = blocking(move || {
        let copies = ids.iter().map(|id| files.duplicate(id)).collect::<std::io::Result<Vec<_>>>()?;
        copies.iter().try_for_each(NewFile::sync_name)?;
        Ok(copies)
    });
    Ok(copies.await?)
}

/// What a copy is made of.
struct Made {
    source: Object,
    meta: Option<Meta>,
    segments: Vec<Segment>,
    files: Vec<NewFile>,
}

async fn store(on: &Operations, target: Target, made: Made, request_id: String) -> Result<Object, Fault> {
    let (reclaim, notifier) = (on.reclaim.clone(), on.notifier.clone());
    let Made { source, meta, segments, files } = made;
    let write = move |transaction: &mut crate::store::Transaction<'_>| {
        target.check(transaction)?;
        let meta = meta.unwrap_or_else(|| source.meta.clone());
        let copy = Object { modified_ms: now_ms(), meta, upload: None, ..source };
        let segments: Vec<Segment> = segments
            .iter()
            .zip(&files)
            .map(|(segment, file)| Segment { file: file.id().to_owned(), size: segment.size })
            .collect();
        let old = objects::replace(transaction, &target.bucket, &target.key, &copy, &segments)?;
        notifier.tell(transaction, &target.made(event::COPY, &copy, &request_id))?;
        transaction.after_commit(move || {
            files.into_iter().for_each(NewFile::keep);
            reclaim.retire(target.bucket, target.key, old);
        });
        Ok(copy)
    };
    on.context.store.write(write).await
}
