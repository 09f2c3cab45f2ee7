//! The operations that are there; s3s answers `NotImplemented`, with the name, to all others.

mod buckets;
mod copy;
mod delete;
mod lists;
mod multipart;
mod parts;
mod put;
mod read;

use std::sync::Arc;

use s3s::{S3Request, S3Response, S3Result, dto::*};

use super::{files::Files, reclaim::Reclaim};
use crate::Context;

/// What an operation works with.
pub(super) struct Operations {
    pub(super) context: Arc<Context>,
    pub(super) files: Arc<Files>,
    pub(super) reclaim: Arc<Reclaim>,
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
        list_multipart_uploads ListMultipartUploadsInput ListMultipartUploadsOutput,
    }
    parts {
        upload_part UploadPartInput UploadPartOutput,
        list_parts ListPartsInput ListPartsOutput,
    }
}
