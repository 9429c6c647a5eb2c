//! `tenure`: the daemon, the cluster of a newcomer, and the operator's commands.

#![allow(unreachable_pub, reason = "in a binary `pub` says what a module offers to the others")]

mod args;
mod client;
mod command;
mod config;
mod dev;
mod failure;
mod node;
mod output;
mod telemetry;
mod world;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::args::{Args, Command};
use crate::failure::{Exit, Failure};

fn main() -> ExitCode {
    let args = Args::parse();
    log_to_stderr();
    let json = args.output.is_json();
    let result = match &args.command {
        Command::Node { config, end_with } => end_with_parent(*end_with).and_then(|()| node::run(config)),
        Command::Dev(dev) => dev::run(dev),
        _ => command::run(args),
    };
    let Err(error) = result else { return ExitCode::SUCCESS };
    let failure = error.downcast::<Failure>().unwrap_or_else(|error| {
        let message = format!("{error:#}");
        Failure::new(Exit::Error, "ERROR", message, "tenure --help")
    });
    failure.print(json);
    ExitCode::from(failure.exit as u8)
}

/// JSON for machines, lines for people; `TENURE_LOG` chooses what, as `info` or `consensus=debug`.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("TENURE_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,openraft=off,opentelemetry_sdk=warn"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        builder.with_target(false).init();
    } else {
        builder.json().flatten_event(true).init();
    }
}

/// A node of `tenure dev` ends when that does, however it ends.
fn end_with_parent(parent: Option<u32>) -> anyhow::Result<()> {
    let Some(parent) = parent else { return Ok(()) };
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    // It may have ended before the call above.
    let now = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
    anyhow::ensure!(now == Some(parent), "the process that started this node is gone");
    Ok(())
}
