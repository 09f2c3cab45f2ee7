//! Starts the services and puts their routes together.

use std::{ffi::OsString, fs::DirBuilder, os::unix::fs::DirBuilderExt, path::Path};

use anyhow::Context;
use axum::Router;
use common::names;
use database::DatabaseUrl;
use runtime::{Platform, auth::AuthArgs, provision};

use super::{aws_side::AwsSide, config::read};
use crate::{issuer::Issuer, provision as pipelines};

/// The name of the pipeline, as transcode-worker looks for it by default.
const PIPELINE: &str = "segue";

/// Starts everything; gives back the routes of the product side.
pub async fn start(data_dir: &Path, platform: &Platform, aws_side: &AwsSide) -> anyhow::Result<Router> {
    let issuer = Issuer::open_or_make(data_dir)?;
    let auth = auth_flags(&issuer.auth_args()?);
    let databases = data_dir.join("db");
    // Who owns what is nobody else's business.
    let private = DirBuilder::new().recursive(true).mode(0o700).create(&databases);
    private.with_context(|| format!("cannot make {}", databases.display()))?;
    let database = |service: &str| {
        let path = std::path::absolute(databases.join(format!("{service}.sqlite")))?;
        anyhow::Ok(vec![("database-url", OsString::from(DatabaseUrl::sqlite(&path).expose()))])
    };
    let made = provision::provision(&platform.aws, &platform.names, &platform.names.bucket()).await?;

    let mut flags = database("transcoder")?;
    flags.push(("access-keys", format!("{}:{}", aws_side.key().id, aws_side.key().secret).into()));
    flags.push(("scratch-dir", data_dir.join("scratch").into()));
    aws_side.add_transcoder(transcoder::start(read(&flags)?, platform).await.context("transcoder")?);
    pipelines::pipeline(&platform.aws.transcoder, PIPELINE, pipelines::DEFAULT_ROLE, &made).await?;

    let mut flags = database("transcode-worker")?;
    // What was provisioned above, whatever the environment says.
    flags.push(("pipeline", PIPELINE.into()));
    flags.push(("input-prefix", names::INPUT_PREFIX.into()));
    flags.push(("output-prefix", names::OUTPUT_PREFIX.into()));
    let worker = transcode_worker::start(read(&flags)?, platform).await.context("transcode-worker")?;
    let mut flags = [database("notification-ingest")?, auth.clone()].concat();
    flags.push(("sns-local-endpoint", aws_side.endpoint().url.into()));
    let ingest = notification_ingest::start(read(&flags)?, platform).await.context("notification-ingest")?;
    let flags = [database("messages-api")?, auth.clone()].concat();
    let messages = messages_api::start(read(&flags)?, platform).await.context("messages-api")?;
    let bucket = vec![("bucket", OsString::from(&made.bucket))];
    let flags = [database("upload-api")?, auth, bucket].concat();
    let uploads = upload_api::start(read(&flags)?, platform).await.context("upload-api")?;
    Ok(issuer.router().merge(uploads).merge(messages).merge(ingest).merge(worker))
}

fn auth_flags(auth: &AuthArgs) -> Vec<(&'static str, OsString)> {
    vec![
        ("jwks-url", auth.jwks_url.as_str().into()),
        ("jwt-issuer", auth.jwt_issuer.clone().into()),
        ("jwt-audience", auth.jwt_audience.clone().into()),
    ]
}
