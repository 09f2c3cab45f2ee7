//! Small files that hold a secret.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use serde::Serialize;

/// Writes `value` as JSON, aside and then renamed, so that a crash leaves no half file; readable by the owner alone.
pub(crate) fn save(value: &(impl Serialize + ?Sized), file: &Path) -> io::Result<()> {
    let aside = file.with_extension("json.new");
    let mut out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    out.write_all(&serde_json::to_vec_pretty(value)?)?;
    out.sync_all()?;
    fs::rename(&aside, file)?;
    file.parent().map_or(Ok(()), |parent| fs::File::open(parent)?.sync_all())
}
