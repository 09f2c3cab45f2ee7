//! `segue token NAME`

use std::{
    io::{Write, stdout},
    path::PathBuf,
    time::Duration,
};

use common::UserId;

use crate::issuer::Issuer;

/// Which token to print.
#[derive(clap::Args)]
pub struct TokenArgs {
    /// The user's name.
    name: UserId,
    /// The data directory of `segue up`.
    #[arg(long, env = "SEGUE_DATA_DIR", default_value = "./data")]
    data_dir: PathBuf,
    /// Hours until the token expires.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=8760))]
    hours: u64,
}

/// Prints the token and nothing else.
pub fn run(args: &TokenArgs) -> anyhow::Result<()> {
    let mut out = stdout();
    let issuer = Issuer::open(&args.data_dir)?;
    writeln!(out, "{}", issuer.token(&args.name, Duration::from_secs(args.hours * 3600))?)?;
    Ok(())
}
