//! The settings of a service inside `segue up`: its own defaults and `SEGUE_*` variables, except for
//! what one process on one machine decides.

use std::{error::Error, ffi::OsString};

use anyhow::anyhow;
use clap::{Arg, Args, Command, error::ContextKind};
use settings::{setting, without_secrets};

/// A service's settings, as if its binary had been started with `flags`.
pub fn read<C: Args>(flags: &[(&str, OsString)]) -> anyhow::Result<C> {
    let words = flags.iter().flat_map(|(name, value)| [OsString::from(format!("--{name}")), value.clone()]);
    let mut command = C::augment_args(Command::new("segue up").no_binary_name(true));
    let matches = command.try_get_matches_from_mut(words).map_err(|error| explain(error, &command))?;
    C::from_arg_matches(&matches).map_err(|error| explain(error, &command))
}

/// Names the variable, since `segue up` has no such flag.
fn explain(error: clap::Error, command: &Command) -> anyhow::Error {
    let error = without_secrets(error, command);
    let variable = setting(&error, command).and_then(Arg::get_env);
    match (variable, error.get(ContextKind::InvalidValue), error.source()) {
        (Some(variable), Some(value), Some(reason)) => {
            anyhow!("the variable {} cannot be {value}: {reason}", variable.display())
        }
        _ => anyhow!(error),
    }
}
