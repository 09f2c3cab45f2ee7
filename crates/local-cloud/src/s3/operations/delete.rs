//! Deleting objects, alone and in batches.

use std::sync::Arc;

use s3s::{S3ErrorCode, S3Request, S3Response, dto::*, s3_error};

use super::{Operations, read::check_version, request_id};
use crate::s3::{
    conditions::check_write,
    fault::Fault,
    notifications::{Change, Notifier, event},
    objects::{self, require_bucket},
};

/// S3 API, DeleteObjects.
const BATCH: usize = 1000;

pub(super) async fn delete_object(
    on: &Operations,
    request: S3Request<DeleteObjectInput>,
) -> Result<S3Response<DeleteObjectOutput>, Fault> {
    let request_id = request_id(&request.extensions);
    let input = request.input;
    check_version(input.version_id.as_deref())?;
    let (reclaim, notifier) = (on.reclaim.clone(), on.notifier.clone());
    let write = move |transaction: &mut crate::store::Transaction<'_>| -> Result<(), Fault> {
        require_bucket(transaction, &input.bucket)?;
        if input.if_match.is_some() {
            let existing = objects::find(transaction, &input.bucket, &input.key)?;
            check_write(input.if_match.as_ref(), None, existing.as_ref())?;
        }
        let files = remove(transaction, &notifier, &input.bucket, &input.key, &request_id)?;
        transaction.after_commit(move || reclaim.retire(input.bucket, input.key, files));
        Ok(())
    };
    on.context.store.write(write).await?;
    Ok(S3Response::new(DeleteObjectOutput::default()))
}

/// Removes the object; whoever wants to know is told if there was one. Gives back its files.
fn remove(
    transaction: &mut crate::store::Transaction<'_>,
    notifier: &Arc<Notifier>,
    bucket: &str,
    key: &str,
    request_id: &str,
) -> Result<Vec<String>, Fault> {
    let Some(files) = objects::remove(transaction, bucket, key)? else { return Ok(Vec::new()) };
    notifier.tell(transaction, &Change { event: event::DELETE, bucket, key, made: None, request_id })?;
    Ok(files)
}

pub(super) async fn delete_objects(
    on: &Operations,
    request: S3Request<DeleteObjectsInput>,
) -> Result<S3Response<DeleteObjectsOutput>, Fault> {
    let request_id = request_id(&request.extensions);
    let DeleteObjectsInput { bucket, delete, .. } = request.input;
    if delete.objects.is_empty() || delete.objects.len() > BATCH {
        return Err(Fault::Client(S3ErrorCode::MalformedXML.into()));
    }
    if delete.objects.iter().any(|object| object.e_tag.is_some()) {
        return Err(s3_error!(NotImplemented, "ETag in DeleteObjects is not implemented").into());
    }
    let quiet = delete.quiet.unwrap_or(false);
    let (versioned, objects): (Vec<_>, Vec<_>) =
        delete.objects.into_iter().partition(|object| check_version(object.version_id.as_deref()).is_err());
    let keys: Vec<String> = objects.into_iter().map(|object| object.key).collect();
    let deleted = keys.clone();
    let (reclaim, notifier) = (on.reclaim.clone(), on.notifier.clone());
    let write = move |transaction: &mut crate::store::Transaction<'_>| -> Result<(), Fault> {
        require_bucket(transaction, &bucket)?;
        let mut gone = Vec::with_capacity(keys.len());
        for key in keys {
            let files = remove(transaction, &notifier, &bucket, &key, &request_id)?;
            gone.push((key, files));
        }
        transaction.after_commit(move || {
            for (key, files) in gone {
                reclaim.retire(bucket.clone(), key, files);
            }
        });
        Ok(())
    };
    on.context.store.write(write).await?;
    let deleted = deleted.into_iter().map(|key| DeletedObject { key: Some(key), ..Default::default() });
    let error = |object: ObjectIdentifier| Error {
        code: Some("NoSuchVersion".to_owned()),
        key: Some(object.key),
        message: Some("The specified version does not exist.".to_owned()),
        version_id: object.version_id,
    };
    Ok(S3Response::new(DeleteObjectsOutput {
        deleted: (!quiet).then(|| deleted.collect()),
        errors: Some(versioned.into_iter().map(error).collect()),
        ..Default::default()
    }))
}
