//! The settings of a service inside `segue up`: its own defaults and `SEGUE_*` variables, except for
//! what one process on one machine decides.

use std::ffi::OsString;

use clap::{Args, Command};

/// A service's settings, as if its binary had been started with `flags`.
pub fn settings<C: Args>(flags: &[(&str, OsString)]) -> anyhow::Result<C> {
    let words = flags.iter().flat_map(|(name, value)| [OsString::from(format!("--{name}")), value.clone()]);
    let command = C::augment_args(Command::new("segue up").no_binary_name(true));
    Ok(C::from_arg_matches(&command.try_get_matches_from(words)?)?)
}
