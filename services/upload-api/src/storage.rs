//! What this service does with S3.

mod writer;

use std::{sync::Arc, time::Duration};

use anyhow::{Context, anyhow};
use aws_sdk_s3::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    presigning::PresigningConfig,
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart},
};
use bytes::Bytes;
use sdk_error::brief;

pub use writer::{MOST_BYTES, Writer};

/// The most pages of one listing: 100,000 objects or uploads under one file's prefix are a mistake.
const MAX_PAGES: usize = 100;

/// One bucket. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Storage {
    s3: Client,
    /// The same store at the address that clients know.
    public: Client,
    bucket: Arc<str>,
    link_life: Duration,
}

/// A download under a name of its own.
#[derive(Debug)]
pub struct Download<'a> {
    /// The object.
    pub key: &'a str,
    /// What the answer's Content-Disposition says.
    pub disposition: String,
    /// What the answer's Content-Type says.
    pub content_type: &'a str,
}

impl Storage {
    /// `public` signs the links that clients follow, which work for `link_life`.
    pub fn new(s3: Client, public: Client, bucket: &str, link_life: Duration) -> Self {
        Self { s3, public, bucket: bucket.into(), link_life }
    }

    /// Fails unless the bucket can be reached, for readiness.
    pub async fn ping(&self) -> anyhow::Result<()> {
        self.s3.head_bucket().bucket(&*self.bucket).send().await.map(|_| ()).map_err(failed("HeadBucket"))
    }

    /// Stores a small object in one call.
    pub async fn put(&self, key: &str, body: Bytes) -> anyhow::Result<()> {
        let put = self.s3.put_object().bucket(&*self.bucket).key(key).body(ByteStream::from(body));
        put.send().await.map(|_| ()).map_err(failed("PutObject"))
    }

    /// Begins an object in parts.
    pub async fn begin(&self, key: &str) -> anyhow::Result<String> {
        let create = self.s3.create_multipart_upload().bucket(&*self.bucket).key(key);
        let created = create.send().await.map_err(failed("CreateMultipartUpload"))?;
        created.upload_id.context("S3 answered without an upload id")
    }

    /// Stores one part.
    pub async fn part(&self, key: &str, upload_id: &str, number: i32, body: Bytes) -> anyhow::Result<CompletedPart> {
        let part = self.s3.upload_part().bucket(&*self.bucket).key(key).upload_id(upload_id);
        let part = part.part_number(number).body(ByteStream::from(body));
        let stored = part.send().await.map_err(failed("UploadPart"))?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(stored.e_tag)
            .set_checksum_crc32(stored.checksum_crc32)
            .set_checksum_crc64_nvme(stored.checksum_crc64_nvme)
            .build())
    }

    /// Makes the parts one object of `size` bytes.
    pub async fn complete(
        &self,
        key: &str,
        upload_id: &str,
        parts: Vec<CompletedPart>,
        size: u64,
    ) -> anyhow::Result<()> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = self.s3.complete_multipart_upload().bucket(&*self.bucket).key(key).upload_id(upload_id);
        match complete.multipart_upload(parts).send().await {
            Ok(_) => Ok(()),
            // The SDK may have asked twice because the first answer was lost.
            Err(error) if error.code() == Some("NoSuchUpload") && self.size(key).await? == Some(size) => Ok(()),
            Err(error) => Err(failed("CompleteMultipartUpload")(error)),
        }
    }

    /// The size of an object, if it exists.
    pub async fn size(&self, key: &str) -> anyhow::Result<Option<u64>> {
        match self.s3.head_object().bucket(&*self.bucket).key(key).send().await {
            Ok(head) => Ok(head.content_length().and_then(|size| size.try_into().ok())),
            // A HEAD has no body, and so no error code.
            Err(error) if error.raw_response().is_some_and(|raw| raw.status().as_u16() == 404) => Ok(None),
            Err(error) => Err(failed("HeadObject")(error)),
        }
    }

    /// Removes whatever an upload to `key` left: parts and object.
    pub async fn discard(&self, key: &str) -> anyhow::Result<()> {
        self.abort_all(key).await?;
        self.delete(key).await
    }

    /// Removes every object under a prefix.
    pub async fn delete_all(&self, prefix: &str) -> anyhow::Result<()> {
        for _ in 0..MAX_PAGES {
            // What is deleted is listed no more: each page is the first one.
            let list = self.s3.list_objects_v2().bucket(&*self.bucket).prefix(prefix);
            let page = list.send().await.map_err(failed("ListObjectsV2"))?;
            for key in page.contents().iter().filter_map(|object| object.key()) {
                self.delete(key).await?;
            }
            if page.is_truncated() != Some(true) {
                return Ok(());
            }
        }
        Err(anyhow!("there is no end to the objects under {prefix}"))
    }

    /// Removes an object; one that is not there is fine.
    pub async fn delete(&self, key: &str) -> anyhow::Result<()> {
        let delete = self.s3.delete_object().bucket(&*self.bucket).key(key);
        delete.send().await.map(|_| ()).map_err(failed("DeleteObject"))
    }

    /// A link that downloads an object without a token, for a while.
    pub async fn link(&self, download: &Download<'_>) -> anyhow::Result<String> {
        let get = self.public.get_object().bucket(&*self.bucket).key(download.key);
        let get = get.response_content_disposition(&download.disposition).response_content_type(download.content_type);
        let request = get.presigned(PresigningConfig::expires_in(self.link_life)?).await;
        Ok(request.map_err(failed("GetObject, presigned"))?.uri().to_owned())
    }

    async fn abort_all(&self, key: &str) -> anyhow::Result<()> {
        for _ in 0..MAX_PAGES {
            let list = self.s3.list_multipart_uploads().bucket(&*self.bucket).prefix(key);
            let page = list.send().await.map_err(failed("ListMultipartUploads"))?;
            let own = page.uploads().iter().filter(|upload| upload.key() == Some(key));
            for upload_id in own.filter_map(|upload| upload.upload_id()) {
                self.abort(key, upload_id).await?;
            }
            if page.is_truncated() != Some(true) {
                return Ok(());
            }
        }
        Err(anyhow!("there is no end to the uploads of {key}"))
    }

    async fn abort(&self, key: &str, upload_id: &str) -> anyhow::Result<()> {
        let abort = self.s3.abort_multipart_upload().bucket(&*self.bucket).key(key).upload_id(upload_id);
        match abort.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some("NoSuchUpload") => Ok(()),
            Err(error) => Err(failed("AbortMultipartUpload")(error)),
        }
    }
}

/// An SDK error in one line.
fn failed<E>(operation: &'static str) -> impl FnOnce(SdkError<E>) -> anyhow::Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    move |error| anyhow!("S3 {operation}: {}", brief(&error))
}
