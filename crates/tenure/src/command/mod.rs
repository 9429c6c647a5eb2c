//! The operator's commands: each asks the nodes and prints what they say.

mod bench;
mod check;
mod cluster;
pub mod config;
mod desk_file;
pub mod history;
pub mod lease;
mod order;
mod status;
pub mod switch;

use std::io::{IsTerminal, Write};

use anyhow::Result;
use clap::CommandFactory;

use self::config::Config;
use crate::args::{Args, Command, Redis, Why};
use crate::client::Client;
use crate::failure::Failure;
use wire::v1;

pub fn run(args: Args) -> Result<()> {
    match &args.command {
        Command::Completion { shell } => {
            clap_complete::generate(*shell, &mut Args::command(), "tenure", &mut std::io::stdout());
            return Ok(());
        }
        Command::Config(Config::Check { file }) => return config::check(file),
        Command::Config(Config::Schema) => return config::schema(args.output),
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run_remote(args))
}

async fn run_remote(args: Args) -> Result<()> {
    let Args { endpoints, output: format, command } = args;
    if let Command::Redis(Redis::Doctor(doctor)) = command {
        // It asks other servers than the nodes.
        return crate::doctor::run(doctor, format).await;
    }
    let client = Client::new(endpoints)?;
    match command {
        Command::Init => cluster::init(&client, format).await,
        Command::Member(member) => cluster::member(&client, member, format).await,
        Command::Leader(leader) => cluster::leader(&client, leader, format).await,
        Command::Drain { node, undo, why } => cluster::drain(&client, node, undo, why, format).await,
        Command::Status => status::run(&client, format).await,
        Command::History { since } => history::run(&client, since, format).await,
        Command::Lease(lease) => lease::run(&client, lease, format).await,
        Command::Order(order) => order::run(&client, order, format).await,
        Command::Check(check) => match check::run(&client, check, format).await? {
            0 => Ok(()),
            level => std::process::exit(level),
        },
        Command::Config(config) => config::run(&client, config, format).await,
        Command::KillSwitch(command) => switch::kill_switch(&client, command, format).await,
        Command::Mode(command) => switch::mode(&client, command, format).await,
        Command::Breaker(command) => switch::breaker(&client, command, format).await,
        Command::Bench(bench) => bench::run(&client, bench, format).await,
        Command::Dev(_)
        | Command::Node { .. }
        | Command::VenueSim(_)
        | Command::Redis(_)
        | Command::Completion { .. }
        | Command::LeaseGuard(_) => unreachable!("handled before"),
    }
}

/// The reason for the audit history, after a question where something is interrupted.
fn confirmed(why: Why, question: &str) -> Result<v1::Reason, Failure> {
    if !why.yes {
        if !std::io::stdin().is_terminal() {
            return Err(Failure::usage(format!("{question} Say --yes to do it")));
        }
        eprint!("{question} [y/N] ");
        let mut answer = String::new();
        // An unreadable answer is no yes.
        let _ = std::io::stderr().flush().and_then(|()| std::io::stdin().read_line(&mut answer).map(drop));
        if !matches!(answer.trim(), "y" | "Y" | "yes") {
            return Err(Failure::usage("not done".into()));
        }
    }
    Ok(reason(why))
}

/// The reason for the audit history.
fn reason(why: Why) -> v1::Reason {
    said(why.reason)
}

/// The same of a command that has nothing to ask.
fn said(text: String) -> v1::Reason {
    v1::Reason { actor: actor(), text }
}

/// Who types this, for the audit history.
fn actor() -> String {
    user().unwrap_or_else(|| "unknown".into())
}

/// Who types this, if the shell says.
fn user() -> Option<String> {
    std::env::var("USER").ok()
}
