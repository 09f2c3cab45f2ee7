//! Putting an object in one request.

use s3s::{S3Request, S3Response, dto::*};

use super::{Operations, request_id};
use crate::s3::{
    conditions::check_write,
    fault::Fault,
    intake::{self, Expected, Received},
    meta::{Meta, meta_of},
    notifications::{Change, event},
    objects::{self, Object, Segment, now_ms, require_bucket},
};

pub(super) async fn put_object(
    on: &Operations,
    request: S3Request<PutObjectInput>,
) -> Result<S3Response<PutObjectOutput>, Fault> {
    let request_id = request_id(&request.extensions);
    let mut input = request.input;
    let meta: Meta = meta_of!(input)?;
    let expected =
        Expected::new(input.content_length, input.content_md5.as_deref(), &request.headers, request.trailing_headers)?;
    let target =
        Target { bucket: input.bucket, key: input.key, if_match: input.if_match, if_none_match: input.if_none_match };
    // Said before the body comes, where it can be; the transaction looks again.
    let early = target.clone();
    on.context.store.read(move |connection| early.check(connection)).await?;
    let received = intake::receive(&on.files, on.context.store.space(), input.body, expected).await?;
    let object = store(on, target, meta, received, request_id).await?;
    let output = PutObjectOutput { e_tag: Some(object.e_tag()), ..Default::default() };
    let headers = object.sum.map(|sum| sum.headers()).unwrap_or_default();
    Ok(S3Response::with_headers(output, headers))
}

/// Where a write goes, and on what condition.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
}

impl Target {
    /// The event of an object that was made here.
    pub(super) fn made<'a>(&'a self, event: &'static str, object: &'a Object, request_id: &'a str) -> Change<'a> {
        let made = Some((object.size, object.etag.as_str()));
        Change { event, bucket: &self.bucket, key: &self.key, made, request_id }
    }

    pub(super) fn check(&self, connection: &rusqlite::Connection) -> Result<(), Fault> {
        require_bucket(connection, &self.bucket)?;
        if self.if_match.is_some() || self.if_none_match.is_some() {
            let existing = objects::find(connection, &self.bucket, &self.key)?;
            check_write(self.if_match.as_ref(), self.if_none_match.as_ref(), existing.as_ref())?;
        }
        Ok(())
    }
}

async fn store(
    on: &Operations,
    target: Target,
    meta: Meta,
    received: Received,
    request_id: String,
) -> Result<Object, Fault> {
    let (reclaim, notifier) = (on.reclaim.clone(), on.notifier.clone());
    let write = move |transaction: &mut crate::store::Transaction<'_>| {
        target.check(transaction)?;
        let segment = Segment { file: received.file.id().to_owned(), size: received.size };
        let object = Object {
            size: received.size,
            etag: hex::encode(received.md5),
            modified_ms: now_ms(),
            meta,
            sum: received.sum,
            ..Object::default()
        };
        let old = objects::replace(transaction, &target.bucket, &target.key, &object, &[segment])?;
        notifier.tell(transaction, &target.made(event::PUT, &object, &request_id))?;
        transaction.after_commit(move || {
            received.file.keep();
            reclaim.retire(target.bucket, target.key, old);
        });
        Ok(object)
    };
    on.context.store.write(write).await
}
