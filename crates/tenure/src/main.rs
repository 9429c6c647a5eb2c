//! `tenure`: the daemon, the cluster of a newcomer, and the operator's commands.

#![allow(unreachable_pub, reason = "in a binary `pub` says what a module offers to the others")]

mod args;
mod client;
mod command;
mod config;
mod descriptors;
mod dev;
mod doctor;
mod exec;
mod failure;
mod node;
mod output;
mod telemetry;
mod venue_sim;
mod world;

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;
use tracing_subscriber::EnvFilter;

use crate::args::{Args, Command, Lease};
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
    let format = args.output;
    let done = |()| ExitCode::SUCCESS;
    let result = match &args.command {
        Command::Node { config, end_with } => run_node(config, *end_with).map(done),
        Command::Dev(dev) => dev::run(dev).map(done),
        Command::VenueSim(exchange) => venue_sim::run(exchange).map(done),
        Command::Lease(Lease::Exec(exec)) => exec::run(exec, &args.endpoints, format),
        Command::LeaseGuard(guard) => exec::run_guard(guard, format),
        _ => command::run(args).map(done),
    };
    let error = match result {
        Ok(code) => return code,
        Err(error) => error,
    };
    let failure = error.downcast::<Failure>().unwrap_or_else(|error| {
        let message = format!("{error:#}");
        Failure::new(Exit::Error, "ERROR", message, "tenure --help")
    });
    failure.print(format.is_json());
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
fn run_node(config: &Path, end_with: Option<u32>) -> anyhow::Result<()> {
    if let Some(parent) = end_with {
        world::end_with_parent(parent)?;
    }
    node::run(config)
}
