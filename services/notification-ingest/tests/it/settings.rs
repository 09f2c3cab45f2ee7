//! Settings are read as the binary reads them.

use clap::{Args, Command, FromArgMatches, error::ErrorKind};
use notification_ingest::Config;

fn parse(words: &[&str]) -> Result<Config, clap::Error> {
    let command = Config::augment_args(Command::new("notification-ingest").no_binary_name(true));
    let needed = ["--database-url", "sqlite:///tmp/x", "--jwks-url", "file:///tmp/keys", "--jwt-issuer", "test"];
    let matches = command.try_get_matches_from([&needed, words].concat())?;
    Config::from_arg_matches(&matches)
}

#[test]
fn lists_are_separated_by_commas() {
    let arns = "arn:aws:sns:us-east-1:123456789012:a,arn:aws:sns:eu-west-1:123456789012:b";
    let config = parse(&["--sns-topic-arns", arns, "--sns-regions", "us-east-1,eu-west-1"]).unwrap();
    assert_eq!((config.sns_topic_arns.len(), config.sns_regions.len()), (2, 2));
    let operators = parse(&["--operators", "auth0|root,auth0|admin"]).unwrap().operators.operators;
    assert_eq!(operators, ["auth0|root".parse().unwrap(), "auth0|admin".parse().unwrap()]);
    let defaults = parse(&[]).unwrap();
    let expected = Config::new(defaults.database.clone(), defaults.auth.clone());
    assert_eq!(format!("{defaults:?}"), format!("{expected:?}"), "both ways to the defaults give the same");
}

#[test]
fn a_bad_value_is_named() {
    for (flag, value) in [
        ("--sns-topic-arns", "arn:aws:sqs:us-east-1:123456789012:a"),
        ("--sns-regions", "us-east-1,evil.example"),
        ("--sns-local-endpoint", "http://user@127.0.0.1:4566"),
        ("--sns-max-age-seconds", "0"),
        ("--event-retention-days", "1"),
        ("--webhook-private-hosts", "http://hooks.internal"),
        ("--webhook-log-days", "7"),
    ] {
        let error = parse(&[flag, value]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ValueValidation);
        assert!(error.to_string().contains(flag), "{error}");
    }
}
