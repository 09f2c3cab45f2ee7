//! Buckets.

use rusqlite::params;
use s3s::{S3ErrorCode, S3Request, S3Response, dto::*, s3_error};

use super::Operations;
use crate::s3::{
    fault::Fault,
    objects::{now_ms, require_bucket, timestamp},
    uploads,
};

/// The region whose buckets have no location constraint (S3 API, GetBucketLocation).
const UNNAMED_REGION: &str = "us-east-1";
/// What one page of buckets holds (S3 API, ListBuckets).
const MAX_BUCKETS: i32 = 10_000;

pub(super) async fn create_bucket(
    on: &Operations,
    request: S3Request<CreateBucketInput>,
) -> Result<S3Response<CreateBucketOutput>, Fault> {
    let name = request.input.bucket;
    let region = on.context.region.clone();
    let asked = request.input.create_bucket_configuration.and_then(|configuration| configuration.location_constraint);
    let asked = asked.as_ref().map_or(UNNAMED_REGION, BucketLocationConstraint::as_str);
    if asked != region {
        let message = format!(
            "The {asked} location constraint is incompatible for the region specific endpoint this request was sent to."
        );
        return Err(s3_error!(IllegalLocationConstraintException, "{message}").into());
    }
    let location = format!("/{name}");
    let write = move |transaction: &mut crate::store::Transaction<'_>| -> Result<(), Fault> {
        let sql = "INSERT INTO s3_buckets (name, created_ms) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        let made = transaction.prepare_cached(sql)?.execute(params![name, now_ms()])?;
        // S3 API, CreateBucket: to make one's own bucket again is an error everywhere but there.
        if made == 0 && region != UNNAMED_REGION {
            return Err(Fault::Client(S3ErrorCode::BucketAlreadyOwnedByYou.into()));
        }
        Ok(())
    };
    on.context.store.write(write).await?;
    Ok(S3Response::new(CreateBucketOutput { location: Some(location) }))
}

pub(super) async fn head_bucket(
    on: &Operations,
    request: S3Request<HeadBucketInput>,
) -> Result<S3Response<HeadBucketOutput>, Fault> {
    on.context.store.read(move |connection| require_bucket(connection, &request.input.bucket)).await?;
    let bucket_region = Some(on.context.region.clone());
    Ok(S3Response::new(HeadBucketOutput { bucket_region, ..Default::default() }))
}

pub(super) async fn delete_bucket(
    on: &Operations,
    request: S3Request<DeleteBucketInput>,
) -> Result<S3Response<DeleteBucketOutput>, Fault> {
    let name = request.input.bucket;
    let reclaim = on.reclaim.clone();
    let write = move |transaction: &mut crate::store::Transaction<'_>| -> Result<(), Fault> {
        require_bucket(transaction, &name)?;
        if transaction.prepare_cached("SELECT 1 FROM s3_objects WHERE bucket = ?1 LIMIT 1")?.exists([&name])? {
            return Err(s3_error!(BucketNotEmpty, "The bucket you tried to delete is not empty").into());
        }
        let files = uploads::remove_all(transaction, &name)?;
        transaction.prepare_cached("DELETE FROM s3_buckets WHERE name = ?1")?.execute([&name])?;
        transaction.after_commit(move || reclaim.discard(files));
        Ok(())
    };
    on.context.store.write(write).await?;
    Ok(S3Response::new(DeleteBucketOutput {}))
}

pub(super) async fn list_buckets(
    on: &Operations,
    request: S3Request<ListBucketsInput>,
) -> Result<S3Response<ListBucketsOutput>, Fault> {
    let input = request.input;
    let limit = usize::try_from(input.max_buckets.unwrap_or(MAX_BUCKETS).clamp(1, MAX_BUCKETS)).unwrap_or(1);
    let prefix = input.prefix.clone().unwrap_or_default();
    let after = input.continuation_token.unwrap_or_default();
    let read = move |connection: &rusqlite::Connection| -> Result<Vec<(String, i64)>, Fault> {
        let mut statement = connection.prepare_cached(
            "SELECT name, created_ms FROM s3_buckets
             WHERE name > ?1 AND substr(name, 1, length(?2)) = ?2 ORDER BY name LIMIT ?3",
        )?;
        let rows = statement.query_map(params![after, prefix, limit + 1], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    };
    let mut rows = on.context.store.read(read).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let continuation_token = rows.last().filter(|_| more).map(|(name, _)| name.clone());
    let bucket = |(name, created_ms)| Bucket {
        name: Some(name),
        creation_date: Some(timestamp(created_ms)),
        bucket_region: Some(on.context.region.clone()),
    };
    Ok(S3Response::new(ListBucketsOutput {
        buckets: Some(rows.into_iter().map(bucket).collect()),
        continuation_token,
        owner: Some(owner(on)),
        prefix: input.prefix,
    }))
}

/// Everything belongs to the one account there is.
pub(super) fn owner(on: &Operations) -> Owner {
    Owner { display_name: None, id: Some(on.context.account.clone()) }
}

pub(super) async fn get_bucket_location(
    on: &Operations,
    request: S3Request<GetBucketLocationInput>,
) -> Result<S3Response<GetBucketLocationOutput>, Fault> {
    on.context.store.read(move |connection| require_bucket(connection, &request.input.bucket)).await?;
    let region = &on.context.region;
    let location_constraint = (region != UNNAMED_REGION).then(|| BucketLocationConstraint::from(region.clone()));
    Ok(S3Response::new(GetBucketLocationOutput { location_constraint }))
}
