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
use mimalloc::MiMalloc;
use tracing_subscriber::EnvFilter;

use crate::args::{Args, Command};
use crate::failure::{Exit, Failure};

/// The C library's returns memory to the system and takes it back many times a second, and every such change stops all
/// threads of the process.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const _: () = assert!(!planted::ON, "planted bugs are for the simulation alone");

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return usage(&error),
    };
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

/// Help and version go to standard output; what is wrong with a command goes to standard error, as JSON if the command
/// asked for that before it went wrong.
fn usage(error: &clap::Error) -> ExitCode {
    let asked = std::env::args().collect::<Vec<_>>().windows(2).any(|pair| {
        let flag = matches!(pair[0].as_str(), "-o" | "--output");
        flag && matches!(pair[1].as_str(), "json" | "jsonl")
    });
    let environment = std::env::var("TENURE_OUTPUT").is_ok_and(|format| format.starts_with("json"));
    if error.use_stderr() && (asked || environment) {
        let text = error.to_string();
        let failure = Failure::usage(text.trim_start_matches("error: ").trim_end().to_owned());
        failure.print(true);
    } else {
        // Nobody may be reading.
        let _ = error.print();
    }
    ExitCode::from(if error.use_stderr() { Exit::Usage as u8 } else { 0 })
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
