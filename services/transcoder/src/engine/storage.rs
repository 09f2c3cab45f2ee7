//! Moves files between S3 and the scratch directory, a part at a time.

use std::fmt::Debug;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, anyhow};
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::{ByteStream, Length};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use elastic_transcoder::{Failure, FailureCode};
use futures::{StreamExt, TryStreamExt, stream};
use sdk_error::brief;
use tokio::io::AsyncWriteExt;

use super::StepError;

/// Names the job that wrote an object, so that a job that runs again after a crash knows its own.
const JOB_METADATA: &str = "segue-job";
/// Larger files go in parts of this size, or of a size that makes at most [`MAX_PARTS`].
const PART_BYTES: u64 = 16 * 1024 * 1024;
/// The most parts of one upload (S3 API, UploadPart).
const MAX_PARTS: u64 = 10_000;
/// Parts on their way at once.
const PARTS_AT_ONCE: usize = 3;

/// An object's place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Object {
    /// Its bucket.
    pub bucket: String,
    /// Its key.
    pub key: String,
}

/// How many bytes what is fetched may have together.
#[derive(Debug)]
pub struct Room {
    all: u64,
    left: AtomicU64,
}

impl Room {
    /// For so many bytes.
    pub fn new(all: u64) -> Self {
        Self { all, left: all.into() }
    }

    /// How many that are.
    pub fn all(&self) -> u64 {
        self.all
    }

    fn take(&self, bytes: u64) -> bool {
        let take = |left: u64| left.checked_sub(bytes);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

/// An object that is being fetched.
#[derive(Debug)]
pub struct Incoming<'a> {
    object: &'a Object,
    body: ByteStream,
    version: Option<String>,
    stated: Option<u64>,
    file: tokio::fs::File,
    room: &'a Room,
    bytes: u64,
}

impl Incoming<'_> {
    /// How many bytes S3 says that it has.
    pub fn stated(&self) -> Option<u64> {
        self.stated
    }

    /// How many have been written to the file, or are about to be.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Writes the next few bytes, if there are any.
    pub async fn more(&mut self) -> Result<bool, StepError> {
        let Some(chunk) = self.body.next().await else { return Ok(false) };
        let chunk = chunk.context("the input broke off while it was read")?;
        if !self.room.take(chunk.len() as u64) {
            return Err(self.too_large());
        }
        self.file.write_all(&chunk).await.context("cannot write a scratch file")?;
        self.bytes += chunk.len() as u64;
        Ok(true)
    }

    /// Sees that all that was given is in the file, and says how many bytes that are.
    pub async fn end(&mut self) -> Result<u64, StepError> {
        self.file.flush().await.context("cannot write a scratch file")?;
        Ok(self.bytes)
    }

    fn too_large(&self) -> StepError {
        let (Object { bucket, key }, most) = (self.object, self.room.all);
        let sentence = format!("The input is larger than {most} bytes: bucket={bucket}, key={key}.");
        StepError::Failed(Failure::new(FailureCode::InputTooLarge, sentence))
    }
}

/// S3, as the engine uses it.
#[derive(Debug, Clone)]
pub struct Storage {
    s3: Client,
}

impl Storage {
    /// Over a client that has its own time-outs and retries.
    pub fn new(s3: Client) -> Self {
        Self { s3 }
    }

    /// Streams an object to a file and gives its size, for which there must be room.
    pub async fn fetch(&self, object: &Object, path: &Path, room: &Room) -> Result<u64, StepError> {
        let mut incoming = self.open(object, path, room).await?;
        while incoming.more().await? {}
        incoming.end().await
    }

    /// Begins to fetch an object into a file.
    pub async fn open<'a>(&self, object: &'a Object, path: &Path, room: &'a Room) -> Result<Incoming<'a>, StepError> {
        let Object { bucket, key } = object;
        let reply = match self.s3.get_object().bucket(bucket).key(key).send().await {
            Ok(reply) => reply,
            Err(error) => return Err(refused(&error, object, Access::Read)),
        };
        let stated = reply.content_length().and_then(|length| u64::try_from(length).ok());
        let (body, version) = (reply.body, reply.e_tag);
        let file = tokio::fs::File::create(path).await.context("cannot create a scratch file")?;
        let incoming = Incoming { object, body, version, stated, file, room, bytes: 0 };
        if stated.is_some_and(|length| length > room.left.load(Ordering::Relaxed)) {
            return Err(incoming.too_large());
        }
        Ok(incoming)
    }

    /// The last bytes of what is being fetched; `None` when S3 does not give them, or has another object there now.
    pub async fn tail(&self, incoming: &Incoming<'_>, bytes: u64) -> Option<Vec<u8>> {
        let get = self.s3.get_object().bucket(&incoming.object.bucket).key(&incoming.object.key);
        let get = get.if_match(incoming.version.as_ref()?).range(format!("bytes=-{bytes}"));
        let body = get.send().await.ok()?.body.collect().await.ok()?.to_vec();
        (body.len() as u64 == bytes).then_some(body)
    }

    /// Fails with 3002 when an object of that name exists that the job did not write itself.
    pub async fn free_for(&self, object: &Object, job_id: &str) -> Result<(), StepError> {
        let Object { bucket, key } = object;
        match self.s3.head_object().bucket(bucket).key(key).send().await {
            Ok(reply) if reply.metadata().and_then(|all| all.get(JOB_METADATA)).is_some_and(|id| id == job_id) => {
                Ok(())
            }
            Ok(_) => Err(StepError::Failed(Failure::output_exists(bucket, key))),
            Err(error) if error.raw_response().is_some_and(|raw| raw.status().as_u16() == 404) => Ok(()),
            Err(error) => Err(refused(&error, object, Access::Write)),
        }
    }

    /// Uploads a file from disk.
    pub async fn store(
        &self,
        path: &Path,
        size: u64,
        object: &Object,
        content_type: &str,
        job_id: &str,
    ) -> Result<(), StepError> {
        if size > PART_BYTES {
            return Box::pin(self.store_parts(path, size, object, content_type, job_id)).await;
        }
        let body = ByteStream::from_path(path).await.context("cannot read an output")?;
        let put = self.s3.put_object().bucket(&object.bucket).key(&object.key).content_type(content_type);
        match put.metadata(JOB_METADATA, job_id).body(body).send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(refused(&error, object, Access::Write)),
        }
    }

    /// Sees that a bucket is there.
    pub async fn check(&self, bucket: &str) -> anyhow::Result<()> {
        let found = self.s3.head_bucket().bucket(bucket).send().await;
        found.map(|_| ()).map_err(|error| anyhow!("S3, {bucket}: {}", brief(&error)))
    }

    /// Removes the objects whose keys begin with `prefix`, which are a handful: no more than one page of a list.
    pub async fn remove_all(&self, bucket: &str, prefix: &str) -> anyhow::Result<()> {
        let listed = self.s3.list_objects_v2().bucket(bucket).prefix(prefix).send().await;
        let listed = listed.map_err(|error| anyhow!("S3, {bucket}/{prefix}: {}", brief(&error)))?;
        for key in listed.contents().iter().filter_map(|object| object.key()) {
            let removed = self.s3.delete_object().bucket(bucket).key(key).send().await;
            removed.map_err(|error| anyhow!("S3, {bucket}/{key}: {}", brief(&error)))?;
        }
        Ok(())
    }

    async fn store_parts(
        &self,
        path: &Path,
        size: u64,
        object: &Object,
        content_type: &str,
        job_id: &str,
    ) -> Result<(), StepError> {
        let Object { bucket, key } = object;
        let create = self.s3.create_multipart_upload().bucket(bucket).key(key).content_type(content_type);
        let created = match create.metadata(JOB_METADATA, job_id).send().await {
            Ok(created) => created,
            Err(error) => return Err(refused(&error, object, Access::Write)),
        };
        let upload_id = created.upload_id().context("S3 answered without an upload id")?.to_owned();
        let mut begun = Begun { s3: &self.s3, object, upload_id, is_whole: false };
        self.parts(path, size, object, &begun.upload_id).await?;
        begun.is_whole = true;
        Ok(())
    }

    async fn parts(&self, path: &Path, size: u64, object: &Object, upload_id: &str) -> Result<(), StepError> {
        let part_bytes = PART_BYTES.max(size.div_ceil(MAX_PARTS));
        let parts = (0..size.div_ceil(part_bytes)).map(|index| {
            let offset = index * part_bytes;
            self.part(path, object, upload_id, (index, offset, part_bytes.min(size - offset)))
        });
        let parts = stream::iter(parts).buffered(PARTS_AT_ONCE).try_collect::<Vec<_>>().await?;
        let Object { bucket, key } = object;
        let complete = self.s3.complete_multipart_upload().bucket(bucket).key(key).upload_id(upload_id);
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        match complete.multipart_upload(parts).send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(refused(&error, object, Access::Write)),
        }
    }

    async fn part(
        &self,
        path: &Path,
        object: &Object,
        upload_id: &str,
        (index, offset, length): (u64, u64, u64),
    ) -> Result<CompletedPart, StepError> {
        let body = ByteStream::read_from().path(path).offset(offset).length(Length::Exact(length)).build().await;
        let number = i32::try_from(index + 1)?;
        let part = self.s3.upload_part().bucket(&object.bucket).key(&object.key).upload_id(upload_id);
        let part = part.part_number(number).body(body.context("cannot read an output")?);
        match part.send().await {
            Ok(reply) => Ok(CompletedPart::builder()
                .part_number(number)
                .set_e_tag(reply.e_tag)
                .set_checksum_crc32(reply.checksum_crc32)
                .set_checksum_crc64_nvme(reply.checksum_crc64_nvme)
                .build()),
            Err(error) => Err(refused(&error, object, Access::Write)),
        }
    }
}

/// An upload in parts. It is aborted when it ends before it is whole: by an error, or because its job was stopped.
struct Begun<'a> {
    s3: &'a Client,
    object: &'a Object,
    upload_id: String,
    is_whole: bool,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        // Parts that stay cost storage; a bucket's lifecycle rule removes what this cannot, as when the process ends.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.is_whole {
            return;
        }
        let Object { bucket, key } = self.object.clone();
        let abort = self.s3.abort_multipart_upload().bucket(&bucket).key(&key).upload_id(&self.upload_id);
        runtime.spawn(async move {
            if let Err(error) = abort.send().await {
                tracing::warn!(bucket, key, cause = %brief(&error), "cannot abort an upload in parts");
            }
        });
    }
}

#[derive(Clone, Copy)]
enum Access {
    Read,
    Write,
}

/// Sorts a refusal of S3 into what clients are told and what is tried again.
fn refused<E>(error: &SdkError<E>, object: &Object, access: Access) -> StepError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + Debug + 'static,
{
    let Object { bucket, key } = object;
    let status = error.raw_response().map(|raw| raw.status().as_u16());
    let failure = match (error.code(), status, access) {
        (Some("NoSuchKey"), _, Access::Read) => Failure::input_missing(bucket, key),
        // A HEAD's 400 has no code: it is a name that no bucket can have.
        (Some("NoSuchBucket" | "InvalidBucketName"), ..) | (None, Some(400), _) => {
            Failure::new(FailureCode::BucketMissing, format!("The specified bucket does not exist: bucket={bucket}."))
        }
        (Some("AccessDenied"), ..) | (None, Some(403), _) => {
            let (code, verb) = match access {
                Access::Read => (FailureCode::ReadDenied, "read"),
                Access::Write => (FailureCode::WriteDenied, "written"),
            };
            Failure::new(code, format!("The specified object may not be {verb}: bucket={bucket}, key={key}."))
        }
        (_, Some(404), Access::Read) => Failure::input_missing(bucket, key),
        _ => return StepError::Again(anyhow!("S3, {bucket}/{key}: {}", brief(error))),
    };
    StepError::Failed(failure)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use testing::{World, eventually};

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn an_upload_that_is_dropped_leaves_no_parts() {
        let (world, directory) = (World::start().await, tempfile::tempdir().unwrap());
        let s3 = world.aws().s3.clone();
        let path = directory.path().join("large");
        // It takes seconds, and no room on the disk but for the parts that are sent.
        let size = 2 * 1024 * 1024 * 1024;
        std::fs::File::create(&path).unwrap().set_len(size).unwrap();
        let object = Object { bucket: world.bucket().to_string(), key: "transcoded/large".into() };
        let upload = async || {
            let list = s3.list_multipart_uploads().bucket(&object.bucket).send().await.unwrap();
            list.uploads().first().and_then(|upload| upload.upload_id.clone())
        };
        // Before its first part nobody may know yet that it has begun.
        let has_parts = async || {
            let list = s3.list_parts().bucket(&object.bucket).key(&object.key).upload_id(upload().await?);
            (!list.send().await.unwrap().parts().is_empty()).then_some(())
        };
        let storage = Storage::new(s3.clone());
        let patience = Duration::from_secs(60);
        tokio::select! {
            done = storage.store(&path, size, &object, "audio/wav", "job") => panic!("it is stored already: {done:?}"),
            () = eventually(patience, has_parts) => {}
        }
        eventually(patience, async || upload().await.is_none().then_some(())).await;
        assert!(s3.head_object().bucket(&object.bucket).key(&object.key).send().await.is_err());
    }
}
