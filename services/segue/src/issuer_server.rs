//! `segue issuer`: the local issuer's public keys as a process of its own.

use std::{fs::DirBuilder, os::unix::fs::DirBuilderExt, path::PathBuf, process::ExitCode};

use anyhow::Context;
use runtime::process::{self, ProcessArgs};

use crate::issuer::Issuer;

/// Where the key is, and where to listen.
#[derive(clap::Args)]
pub struct IssuerArgs {
    #[command(flatten)]
    process: ProcessArgs,
    /// Where the key is kept; made at the first start. `segue token` reads it there.
    #[arg(long, env = "SEGUE_DATA_DIR", default_value = "./data")]
    data_dir: PathBuf,
}

/// Serves `/.well-known/jwks.json` until a signal comes.
pub async fn run(args: IssuerArgs) -> ExitCode {
    let IssuerArgs { process, data_dir } = args;
    process::run(process, |_| async move {
        let private = DirBuilder::new().recursive(true).mode(0o700).create(&data_dir);
        private.with_context(|| format!("cannot make {}", data_dir.display()))?;
        Ok(Issuer::open_or_make(&data_dir)?.router())
    })
    .await
}
