//! The operations that are there; s3s answers `NotImplemented`, with the name, to all others.

mod buckets;
mod copy;
mod cors;
mod delete;
mod lists;
mod multipart;
mod notifications;
mod part_copy;
mod parts;
mod put;
mod read;
mod upload_lists;

use std::sync::Arc;

use s3s::{S3Request, S3Response, S3Result, dto::*};

use super::{files::Files, notifications::Notifier, reclaim::Reclaim};
use crate::Context;

/// What an operation works with.
pub(super) struct Operations {
    pub(super) context: Arc<Context>,
    pub(super) files: Arc<Files>,
    pub(super) reclaim: Arc<Reclaim>,
    pub(super) notifier: Arc<Notifier>,
}

/// The id of a request, which its answer and its events carry.
#[derive(Clone)]
pub(super) struct RequestId(pub(super) String);

fn request_id(extensions: &http::Extensions) -> String {
    extensions.get::<RequestId>().map(|RequestId(id)| id.clone()).unwrap_or_default()
}

/// Each operation is a function of its own, in a module by subject.
macro_rules! operations {
    ($($module:ident { $($operation:ident $input:ident $output:ident,)+ })+) => {
        #[async_trait::async_trait]
        impl s3s::S3 for Operations {
            $($(async fn $operation(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                Ok($module::$operation(self, request).await?)
            })+)+
        }
    };
}

operations! {
    buckets {
        create_bucket CreateBucketInput CreateBucketOutput,
        head_bucket HeadBucketInput HeadBucketOutput,
        delete_bucket DeleteBucketInput DeleteBucketOutput,
        list_buckets ListBucketsInput ListBucketsOutput,
        get_bucket_location GetBucketLocationInput GetBucketLocationOutput,
    }
    cors {
        put_bucket_cors PutBucketCorsInput PutBucketCorsOutput,
        get_bucket_cors GetBucketCorsInput GetBucketCorsOutput,
        delete_bucket_cors DeleteBucketCorsInput DeleteBucketCorsOutput,
    }
    notifications {
        put_bucket_notification_configuration
            PutBucketNotificationConfigurationInput PutBucketNotificationConfigurationOutput,
        get_bucket_notification_configuration
            GetBucketNotificationConfigurationInput GetBucketNotificationConfigurationOutput,
    }
    put {
        put_object PutObjectInput PutObjectOutput,
    }
    read {
        get_object GetObjectInput GetObjectOutput,
        head_object HeadObjectInput HeadObjectOutput,
    }
    delete {
        delete_object DeleteObjectInput DeleteObjectOutput,
        delete_objects DeleteObjectsInput DeleteObjectsOutput,
    }
    copy {
        copy_object CopyObjectInput CopyObjectOutput,
    }
    lists {
        list_objects ListObjectsInput ListObjectsOutput,
        list_objects_v2 ListObjectsV2Input ListObjectsV2Output,
    }
    multipart {
        create_multipart_upload CreateMultipartUploadInput CreateMultipartUploadOutput,
        complete_multipart_upload CompleteMultipartUploadInput CompleteMultipartUploadOutput,
        abort_multipart_upload AbortMultipartUploadInput AbortMultipartUploadOutput,
    }
    upload_lists {
        list_multipart_uploads ListMultipartUploadsInput ListMultipartUploadsOutput,
    }
    parts {
        upload_part UploadPartInput UploadPartOutput,
        list_parts ListPartsInput ListPartsOutput,
    }
    part_copy {
        upload_part_copy UploadPartCopyInput UploadPartCopyOutput,
    }
}
