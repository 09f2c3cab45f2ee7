//! `segue`: everything in one process, and the commands around it.

mod doctor;
mod issuer;
mod issuer_server;
mod listen;
mod provision;
mod send;
mod token;
mod up;

use std::process::ExitCode;

/// Segue: upload a media file, have it transcoded, tell its owner it is ready.
#[derive(clap::Parser)]
#[command(name = "segue", version, about, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Run everything on this machine, in one process.
    Up(up::UpArgs),
    /// Serve the public keys of `segue token`, for services that run apart and have no OIDC provider.
    Issuer(issuer_server::IssuerArgs),
    /// Print a token for a user of `segue up` or `segue issuer`.
    Token(token::TokenArgs),
    /// Make buckets, queues, topics, subscriptions and the pipeline where the SDK's variables point to.
    Provision(provision::ProvisionArgs),
    /// Look at a running system where the SDK's variables point to, and say what to do.
    Doctor(doctor::DoctorArgs),
    /// Print what the topic of results carries, live, where the SDK's variables point to.
    Listen(listen::ListenArgs),
    /// Upload files, follow them, and print their notices and downloads.
    Send(send::SendArgs),
}

/// Runs the command. Every error is one line on standard error and a failing exit code.
pub async fn run(cli: Cli) -> ExitCode {
    let result = match cli.command {
        Command::Issuer(args) => return issuer_server::run(args).await,
        Command::Up(args) => up::run(args).await,
        Command::Token(args) => token::run(&args),
        Command::Provision(args) => provision::run(args).await,
        Command::Doctor(args) => doctor::run(args).await,
        Command::Listen(args) => listen::run(args).await,
        Command::Send(args) => send::run(args).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("segue: {error:#}");
            ExitCode::FAILURE
        }
    }
}
