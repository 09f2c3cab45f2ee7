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
    /// What this ffmpeg can encode.
    pub coders: Coders,
}

/// Coders that not every ffmpeg has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coders {
    /// libfdk_aac, the only one for HE-AAC. Its licence keeps it out of most distributions' packages.
    pub fdk_aac: bool,
}

impl Tools {
    /// Finds both and sees that they start. The error is one line that says what to do.
    pub async fn find(ffmpeg: &Path, ffprobe: &Path) -> anyhow::Result<Self> {
        let (ffmpeg, ffprobe) = tokio::join!(
            find(ffmpeg, "ffmpeg", "SEGUE_FFMPEG", &["-hide_banner", "-encoders"]),
            find(ffprobe, "ffprobe", "SEGUE_FFPROBE", &["-version"]),
        );
        let ((ffmpeg, encoders), (ffprobe, _)) = (ffmpeg?, ffprobe?);
        Ok(Self { ffmpeg, ffprobe, coders: Coders::among(&encoders) })
    }
}

impl Coders {
    /// Reads ffmpeg's list: lines of capabilities, name and description.
    fn among(list: &str) -> Self {
        Self { fdk_aac: list.lines().any(|line| line.split_whitespace().nth(1) == Some("libfdk_aac")) }
    }
}

/// The path of a program, and what it says when it is asked something.
async fn find(given: &Path, name: &str, setting: &str, question: &[&str]) -> anyhow::Result<(PathBuf, String)> {
    let Some(path) = locate(given) else {
        bail!("{name} not found ({}): {INSTALL} or set {setting} to its path", given.display());
    };
    let mut check = Command::new(&path);
    check.args(question).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    match tokio::time::timeout(CHECK_TIME, check.output()).await {
        Ok(Ok(output)) if output.status.success() => Ok((path, String::from_utf8_lossy(&output.stdout).into_owned())),
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

    #[test]
    fn coders_are_read_from_the_list() {
        let list = " Encoders:\n A..... = Audio\n ------\n A....D aac    AAC (not libfdk_aac)\n";
        assert!(!Coders::among(list).fdk_aac);
        assert!(Coders::among(&format!("{list} A....D libfdk_aac    Fraunhofer FDK AAC (codec aac)\n")).fdk_aac);
    }

    #[tokio::test]
    async fn programs_of_the_path_are_found() {
        let tools = Tools::find(Path::new("ffmpeg"), Path::new("ffprobe")).await.unwrap();
        assert!(tools.ffmpeg.is_absolute() && tools.ffprobe.is_absolute());
    }
}
