//! Listing a bucket, in the two versions of the operation.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::{S3Error, S3Request, S3Response, dto::*, s3_error};

use super::{Operations, buckets::owner};
use crate::s3::{
    fault::Fault,
    listing::{self, Entry, MAX_KEYS, Page, Query},
    objects::{require_bucket, timestamp},
};

/// What stays as it is under `encoding-type=url`.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// Keys may hold characters that XML cannot; a client may ask for them in URL encoding.
#[derive(Clone)]
pub(super) struct Encoding(Option<EncodingType>);

impl Encoding {
    pub(super) fn new(asked: Option<EncodingType>) -> Result<Self, S3Error> {
        if asked.as_ref().is_some_and(|asked| asked.as_str() != EncodingType::URL) {
            return Err(s3_error!(InvalidArgument, "Invalid Encoding Method specified in Request"));
        }
        Ok(Self(asked))
    }

    pub(super) fn apply(&self, text: String) -> String {
        if self.0.is_some() { utf8_percent_encode(&text, UNRESERVED).to_string() } else { text }
    }

    fn objects(&self, entries: Vec<Entry>, owner: Option<&Owner>) -> ObjectList {
        let object = |entry: Entry| Object {
            key: Some(self.apply(entry.key)),
            size: i64::try_from(entry.size).ok(),
            e_tag: Some(ETag::Strong(entry.etag)),
            last_modified: Some(timestamp(entry.modified_ms)),
            storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
            owner: owner.cloned(),
            ..Default::default()
        };
        entries.into_iter().map(object).collect()
    }

    pub(super) fn prefixes(&self, prefixes: Vec<String>) -> CommonPrefixList {
        prefixes.into_iter().map(|prefix| CommonPrefix { prefix: Some(self.apply(prefix)) }).collect()
    }
}

pub(super) async fn list_objects_v2(
    on: &Operations,
    request: S3Request<ListObjectsV2Input>,
) -> Result<S3Response<ListObjectsV2Output>, Fault> {
    let input = request.input;
    let encoding = Encoding::new(input.encoding_type.clone())?;
    let limit = limit(input.max_keys)?;
    let from = match (&input.continuation_token, &input.start_after) {
        (Some(token), _) => decode(token)?,
        (None, Some(key)) => listing::after(key),
        (None, None) => Vec::new(),
    };
    let page = page(on, &input.bucket, input.prefix.as_deref(), input.delimiter.as_deref(), from, limit).await?;
    let owner = input.fetch_owner.unwrap_or(false).then(|| owner(on));
    Ok(S3Response::new(ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(encoding.apply(input.prefix.unwrap_or_default())),
        max_keys: i32::try_from(limit).ok(),
        key_count: i32::try_from(page.entries.len() + page.common_prefixes.len()).ok(),
        continuation_token: input.continuation_token,
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next.map(|next| URL_SAFE_NO_PAD.encode(next)),
        contents: Some(encoding.objects(page.entries, owner.as_ref())),
        common_prefixes: Some(encoding.prefixes(page.common_prefixes)),
        delimiter: input.delimiter.map(|delimiter| encoding.apply(delimiter)),
        encoding_type: input.encoding_type,
        start_after: input.start_after.map(|key| encoding.apply(key)),
        ..Default::default()
    }))
}

pub(super) async fn list_objects(
    on: &Operations,
    request: S3Request<ListObjectsInput>,
) -> Result<S3Response<ListObjectsOutput>, Fault> {
    let input = request.input;
    let encoding = Encoding::new(input.encoding_type.clone())?;
    let limit = limit(input.max_keys)?;
    let delimiter = input.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
    // A marker that is a common prefix stands for all keys under it (S3 API, ListObjects).
    let from = match &input.marker {
        Some(marker) if delimiter.is_some_and(|delimiter| marker.ends_with(delimiter)) => listing::after_prefix(marker),
        Some(marker) => listing::after(marker),
        None => Vec::new(),
    };
    let page = page(on, &input.bucket, input.prefix.as_deref(), delimiter, from, limit).await?;
    let is_truncated = page.next.is_some();
    let next_marker = (is_truncated && delimiter.is_some()).then(|| encoding.apply(page.last));
    Ok(S3Response::new(ListObjectsOutput {
        name: Some(input.bucket),
        prefix: Some(encoding.apply(input.prefix.unwrap_or_default())),
        marker: Some(encoding.apply(input.marker.unwrap_or_default())),
        max_keys: i32::try_from(limit).ok(),
        is_truncated: Some(is_truncated),
        contents: Some(encoding.objects(page.entries, Some(&owner(on)))),
        common_prefixes: Some(encoding.prefixes(page.common_prefixes)),
        delimiter: input.delimiter.map(|delimiter| encoding.apply(delimiter)),
        next_marker,
        encoding_type: input.encoding_type,
        ..Default::default()
    }))
}

async fn page(
    on: &Operations,
    bucket: &str,
    prefix: Option<&str>,
    delimiter: Option<&str>,
    from: Vec<u8>,
    limit: usize,
) -> Result<Page, Fault> {
    let bucket = bucket.to_owned();
    let prefix = prefix.unwrap_or_default().to_owned();
    let delimiter = delimiter.map(str::to_owned);
    let read = move |connection: &rusqlite::Connection| {
        require_bucket(connection, &bucket)?;
        let query = Query { bucket: &bucket, prefix: &prefix, delimiter: delimiter.as_deref(), from, limit };
        listing::page(connection, &query)
    };
    on.context.store.read(read).await
}

/// How many entries a page may hold; more than S3's own limit is cut to it.
pub(super) fn limit(asked: Option<i32>) -> Result<usize, S3Error> {
    let Ok(asked) = usize::try_from(asked.unwrap_or(1000)) else {
        return Err(s3_error!(InvalidArgument, "Argument max-keys must be an integer between 0 and 2147483647"));
    };
    Ok(asked.min(MAX_KEYS))
}

fn decode(token: &str) -> Result<Vec<u8>, S3Error> {
    URL_SAFE_NO_PAD
        .decode(token)
        .map_err(|_| s3_error!(InvalidArgument, "The continuation token provided is incorrect"))
}
