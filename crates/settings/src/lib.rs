//! Reading settings, without telling secrets.

use clap::{
    Arg, Command, Parser,
    error::{ContextKind, ContextValue},
};

/// What stands for a secret in a message.
const HIDDEN: &str = "(hidden)";

/// Reads the process's flags and variables, or ends it with a message as command-line users expect it.
#[must_use]
pub fn parse<P: Parser>() -> P {
    P::try_parse().unwrap_or_else(|error| without_secrets(error, &P::command()).exit())
}

/// The same error, but a value of a setting that is hidden in `--help` is hidden in it too: clap quotes
/// what it cannot read, and logs keep that.
#[must_use]
pub fn without_secrets(mut error: clap::Error, command: &Command) -> clap::Error {
    if setting(&error, command).is_some_and(Arg::is_hide_env_values_set) {
        error.insert(ContextKind::InvalidValue, ContextValue::String(HIDDEN.to_owned()));
    }
    error
}

/// The setting that an error is about.
#[must_use]
pub fn setting<'a>(error: &clap::Error, command: &'a Command) -> Option<&'a Arg> {
    // Shown as in `--access-keys <ACCESS_KEYS>`.
    let Some(ContextValue::String(shown)) = error.get(ContextKind::InvalidArg) else { return None };
    let flag = shown.split([' ', '=']).next()?.strip_prefix("--")?;
    find(command, flag)
}

fn find<'a>(command: &'a Command, flag: &str) -> Option<&'a Arg> {
    let own = command.get_arguments().find(|arg| arg.get_long() == Some(flag));
    own.or_else(|| command.get_subcommands().find_map(|command| find(command, flag)))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[derive(Parser)]
    struct Args {
        #[arg(long, hide_env_values = true)]
        secret: Option<u32>,
        #[arg(long)]
        open: Option<u32>,
    }

    fn message(flag: &str) -> String {
        let error = Args::try_parse_from(["test", flag, "s3cr3t"]).err().unwrap();
        without_secrets(error, &Args::command()).to_string()
    }

    #[test]
    fn a_secret_that_cannot_be_read_is_not_told() {
        let text = message("--secret");
        assert!(text.contains("--secret") && text.contains("invalid digit") && !text.contains("s3cr3t"), "{text}");
        assert!(message("--open").contains("s3cr3t"));
    }

    #[test]
    fn what_can_be_read_is_read() {
        let args = Args::try_parse_from(["test", "--secret", "1", "--open", "2"]).ok().unwrap();
        assert_eq!((args.secret, args.open), (Some(1), Some(2)));
    }
}
