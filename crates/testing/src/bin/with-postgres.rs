//! `with-postgres COMMAND…` runs a command beside a throw-away PostgreSQL cluster that all its tests share.

use std::process::{Command, ExitCode};

use testing::postgres::{Cluster, SHARED};

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let Some(program) = words.next() else {
        eprintln!("usage: with-postgres COMMAND…");
        return ExitCode::from(2);
    };
    let cluster = Cluster::start();
    match Command::new(program).args(words).env(SHARED, cluster.url("{}")).status() {
        Ok(status) => u8::try_from(status.code().unwrap_or(1)).map_or(ExitCode::FAILURE, ExitCode::from),
        Err(error) => {
            eprintln!("with-postgres: {error}");
            ExitCode::FAILURE
        }
    }
}
