//! `segue send FILE…`: what a user's program does, as a command: upload, follow, fetch the links.

mod client;
mod progress;

use std::{
    io::{Write, stdout},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use common::{FileState, Filename, UserId};
use tokio::time::{Instant, sleep};
use url::Url;

use crate::issuer::Issuer;
use client::{Api, File, Notice};
use progress::Line;

/// How often a file's state is asked for.
const PAUSE: Duration = Duration::from_millis(100);
/// How long the notice may take once the file is done.
const NOTICE_PATIENCE: Duration = Duration::from_secs(30);

/// What to send, where, and as whom.
#[derive(clap::Args)]
pub struct SendArgs {
    /// The files to upload.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Where the product listens.
    #[arg(long, env = "SEGUE_URL", default_value = "http://127.0.0.1:8080")]
    url: Url,
    /// A bearer token; made for --user when not given.
    #[arg(long, env = "SEGUE_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// The user of `segue up` to send as.
    #[arg(long, default_value = "demo")]
    user: UserId,
    /// The data directory of `segue up`, for the token.
    #[arg(long, env = "SEGUE_DATA_DIR", default_value = "./data")]
    data_dir: PathBuf,
    /// Seconds without any change after which to give up.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    patience: u64,
}

/// Sends each file in turn. Fails when one of them does.
pub async fn run(args: SendArgs) -> anyhow::Result<()> {
    let token = match args.token {
        Some(token) => token,
        None => Issuer::open(&args.data_dir)?.token(&args.user, Duration::from_secs(24 * 3600))?,
    };
    let api = Api::new(args.url, token)?;
    let files = args.files.iter().map(|path| readable(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut failed = 0;
    for (path, filename) in files {
        let shown = path.display();
        match send(&api, path, &filename, Duration::from_secs(args.patience)).await {
            Ok(true) => {}
            Ok(false) => failed += 1,
            Err(error) => return Err(error.context(format!("{shown}"))),
        }
    }
    ensure!(failed == 0, "{failed} of {} could not be processed", args.files.len());
    Ok(())
}

/// What can be told of a bad FILE before anything is sent.
fn readable(path: &Path) -> anyhow::Result<(&Path, Filename)> {
    let metadata = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(metadata.is_file(), "{} is not a file", path.display());
    ensure!(metadata.len() > 0, "{} is empty", path.display());
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.with_context(|| format!("the name of {} is not UTF-8", path.display()))?;
    Ok((path, name.parse().with_context(|| path.display().to_string())?))
}

/// Uploads one file and follows it to its notice. True if it was processed.
async fn send(api: &Api, path: &Path, filename: &Filename, patience: Duration) -> anyhow::Result<bool> {
    let mut line = Line::new(filename.as_str());
    let started = Instant::now();
    let uploaded = api.upload(path, filename, &mut line).await?;
    let file = follow(api, &uploaded.id, patience, &mut line).await?;
    let notice = notice(api, &file.id).await?;
    line.end(&format!("{} in {:.1} s", file.state, started.elapsed().as_secs_f64()));
    show(api, &file, &notice).await?;
    Ok(file.state == FileState::Complete)
}

async fn follow(api: &Api, id: &str, patience: Duration, line: &mut Line) -> anyhow::Result<File> {
    let mut last = None;
    let mut changed = Instant::now();
    loop {
        let file = api.file(id).await?;
        if file.state.is_final() {
            return Ok(file);
        }
        let now = Some((file.state, file.progress));
        if last != now {
            (last, changed) = (now, Instant::now());
        }
        if changed.elapsed() > patience {
            bail!("the file {id} is still {} and has not moved for {} s", file.state, patience.as_secs());
        }
        line.state(file.state.as_str(), file.progress);
        sleep(PAUSE).await;
    }
}

async fn notice(api: &Api, file_id: &str) -> anyhow::Result<Notice> {
    let deadline = Instant::now() + NOTICE_PATIENCE;
    loop {
        if let Some(notice) = api.notice_of(file_id).await? {
            return Ok(notice);
        }
        ensure!(Instant::now() < deadline, "the file {file_id} is done, but no notice of it came");
        sleep(PAUSE).await;
    }
}

async fn show(api: &Api, file: &File, notice: &Notice) -> anyhow::Result<()> {
    let mut out = stdout();
    writeln!(out, "notice    {}", notice.text)?;
    for output in &file.outputs {
        match &output.error {
            None if output.state == "complete" => {
                let link = api.download_link(&file.id, &output.name).await?;
                writeln!(out, "{:<9} {}", output.name, link)?;
            }
            error => {
                let reason = error.as_ref().map_or(output.state.as_str(), |error| &error.message);
                writeln!(out, "{:<9} not made: {reason}", output.name)?;
            }
        }
    }
    Ok(())
}
