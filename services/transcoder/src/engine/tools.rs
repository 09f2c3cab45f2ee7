//! Finds ffmpeg and ffprobe once, at start.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::bail;
use tokio::process::Command;

const CHECK_TIME: Duration = Duration::from_secs(20);
const INSTALL: &str = "install it (Debian, Ubuntu: apt-get install ffmpeg; macOS: brew install ffmpeg)";

/// Absolute paths of the programs that do the work.
#[derive(Debug, Clone)]
pub struct Tools {
    /// Decodes and encodes.
    pub ffmpeg: PathBuf,
    /// Says what a file holds.
    pub ffprobe: PathBuf,
}

impl Tools {
    /// Finds both and sees that they start. The error is one line that says what to do.
    pub async fn find(ffmpeg: &Path, ffprobe: &Path) -> anyhow::Result<Self> {
        let (ffmpeg, ffprobe) =
            tokio::join!(find(ffmpeg, "ffmpeg", "SEGUE_FFMPEG"), find(ffprobe, "ffprobe", "SEGUE_FFPROBE"));
        Ok(Self { ffmpeg: ffmpeg?, ffprobe: ffprobe? })
    }
}

async fn find(given: &Path, name: &str, setting: &str) -> anyhow::Result<PathBuf> {
    let Some(path) = locate(given) else {
        bail!("{name} not found ({}): {INSTALL} or set {setting} to its path", given.display());
    };
    let mut check = Command::new(&path);
    check.arg("-version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    match tokio::time::timeout(CHECK_TIME, check.status()).await {
        Ok(Ok(status)) if status.success() => Ok(path),
        _ => bail!("{} does not run: {INSTALL} or set {setting} to its path", path.display()),
    }
}

/// Absolute, because the programs are later started in another directory and without `PATH`.
fn locate(given: &Path) -> Option<PathBuf> {
    if given.components().count() > 1 {
        return given.canonicalize().ok();
    }
    let directories = std::env::var_os("PATH")?;
    std::env::split_paths(&directories)
        .map(|directory| directory.join(given))
        .find(|path| path.is_file())?
        .canonicalize()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_missing_program_is_one_clear_line() {
        let error = Tools::find(Path::new("/nonexistent/ffmpeg"), Path::new("ffprobe")).await.unwrap_err().to_string();
        assert!(
            error.contains("ffmpeg not found (/nonexistent/ffmpeg)") && error.contains("apt-get install ffmpeg"),
            "{error}"
        );
        assert!(error.contains("SEGUE_FFMPEG") && !error.contains('\n'), "{error}");
    }

    #[tokio::test]
    async fn programs_of_the_path_are_found() {
        let tools = Tools::find(Path::new("ffmpeg"), Path::new("ffprobe")).await.unwrap();
        assert!(tools.ffmpeg.is_absolute() && tools.ffprobe.is_absolute());
    }
}
