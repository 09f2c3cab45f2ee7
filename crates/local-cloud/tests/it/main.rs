//! Tests of the crate as its users see it: through the AWS SDK and plain HTTP.

mod crash;
mod full_disk;
mod hostile;
mod ledger;
mod s3;
mod s3_multipart;
mod s3_signatures;
mod sns;
mod sqs;
mod world;
