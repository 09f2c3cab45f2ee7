//! The service against a local cloud and both databases, through the AWS SDK.

mod api;
mod failures;
mod jobs;
mod redelivery;
mod support;
