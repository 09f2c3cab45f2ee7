//! The service against a local cloud and both databases, through the AWS SDK.

mod api;
mod api_errors;
mod api_lists;
mod api_pipelines;
mod api_presets;
mod api_roles;
mod art;
mod channels;
mod early;
mod failures;
mod hostile;
mod inputs;
mod jobs;
mod line;
mod matrix;
mod redelivery;
mod shares;
mod support;
mod tags;
mod timeline;
mod turns;
