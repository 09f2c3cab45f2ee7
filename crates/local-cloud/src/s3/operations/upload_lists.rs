//! Listing the multipart uploads of a bucket.

use s3s::{S3Request, S3Response, dto::*};

use super::{
    Operations,
    buckets::owner,
    lists::{Encoding, limit},
};
use crate::s3::{
    fault::Fault,
    objects::{require_bucket, timestamp},
    uploads::{self, Upload, UploadPage, UploadQuery},
};

pub(super) async fn list_multipart_uploads(
    on: &Operations,
    request: S3Request<ListMultipartUploadsInput>,
) -> Result<S3Response<ListMultipartUploadsOutput>, Fault> {
    let input = request.input;
    let encoding = Encoding::new(input.encoding_type.clone())?;
    let limit = limit(input.max_uploads)?;
    let UploadPage { uploads, common_prefixes, next } = page(on, &input, limit).await?;
    let (next_key_marker, next_upload_id_marker) = next.clone().unzip();
    let owner = owner(on);
    let entry = |upload: Upload| MultipartUpload {
        key: Some(encoding.apply(upload.key)),
        upload_id: Some(upload.id),
        initiated: Some(timestamp(upload.started_ms)),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        owner: Some(owner.clone()),
        ..Default::default()
    };
    Ok(S3Response::new(ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        prefix: input.prefix.map(|prefix| encoding.apply(prefix)),
        delimiter: input.delimiter.map(|delimiter| encoding.apply(delimiter)),
        key_marker: Some(encoding.apply(input.key_marker.unwrap_or_default())),
        upload_id_marker: Some(input.upload_id_marker.unwrap_or_default()),
        max_uploads: i32::try_from(limit).ok(),
        is_truncated: Some(next.is_some()),
        next_key_marker: next_key_marker.map(|key| encoding.apply(key)),
        next_upload_id_marker,
        uploads: Some(uploads.into_iter().map(entry).collect()),
        common_prefixes: Some(encoding.prefixes(common_prefixes)),
        encoding_type: input.encoding_type,
        ..Default::default()
    }))
}

async fn page(on: &Operations, input: &ListMultipartUploadsInput, limit: usize) -> Result<UploadPage, Fault> {
    let query = UploadQuery {
        bucket: input.bucket.clone(),
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: input.delimiter.clone().unwrap_or_default(),
        key_marker: input.key_marker.clone().unwrap_or_default(),
        id_marker: input.upload_id_marker.clone(),
        limit,
    };
    let read = move |connection: &rusqlite::Connection| {
        require_bucket(connection, &query.bucket)?;
        uploads::page(connection, &query)
    };
    on.context.store.read(read).await
}
