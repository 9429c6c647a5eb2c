//! `tenure config …`: who may trade, and a node's own file.

use std::path::{Path, PathBuf};

use anyhow::Result;
use api::Reason;
use clap::{Args, Subcommand};
use http::{Applied, Desk, Shown};
use serde::Serialize;
use tonic::Response;
use wire::v1;

use super::desk_file::{self, DeskFile};
use super::lease::request_id;
use super::said;
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::output::{Format, Table};

#[derive(Subcommand, Debug)]
pub enum Config {
    /// Set who may trade: all venues, accounts, strategies and limits, as a file has them. What it does not have is gone.
    Apply(Apply),
    /// Who may trade, as `apply` takes it.
    Show,
    /// Every key of the file that `apply` takes, explained, in an example that works with `tenure dev`.
    Schema,
    /// Say what is wrong with a node's own file, if anything.
    Check { file: PathBuf },
}

#[derive(Args, Debug)]
pub struct Apply {
    /// TOML, as `tenure config schema` explains it. `-`: from standard input.
    file: PathBuf,
    /// Say what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Only instead of this revision, which `config show` tells.
    #[arg(long, value_name = "REVISION")]
    expected: Option<String>,
    /// Kept in the audit history.
    #[arg(long, required_unless_present = "dry_run", default_value_if("dry_run", "true", ""))]
    reason: Option<String>,
}

/// The body of a request that sets the desk over HTTP.
#[derive(Serialize)]
struct Example {
    configuration: Desk,
}

pub async fn run(client: &Client, config: Config, format: Format) -> Result<()> {
    match config {
        Config::Apply(arguments) => apply(client, arguments, format).await,
        Config::Show => show(client, format).await,
        Config::Schema | Config::Check { .. } => unreachable!("these ask no node"),
    }
}

pub fn check(file: &Path) -> Result<()> {
    let config = crate::config::Config::load(file).map_err(|error| match DeskFile::read(file) {
        Ok(_) => {
            let message = format!("{}: this is the file of a desk, not of a node", file.display());
            let next = format!("tenure config apply {} --dry-run", file.display());
            anyhow::Error::from(Failure::new(Exit::Error, "ERROR", message, &next))
        }
        Err(_) => error.into(),
    })?;
    config.redis_password()?;
    config.sentinel_password()?;
    println!("{}: ok, node {} ({})", file.display(), config.node.id, config.name());
    Ok(())
}

/// An annotated file rather than a JSON schema: what a desk does next is to copy and change it. As JSON it is the same desk.
pub fn schema(format: Format) -> Result<()> {
    let configuration = toml::from_str(desk_file::EXAMPLE)?;
    Ok(format.one(&Example { configuration }, |_| desk_file::EXAMPLE)?)
}

async fn show(client: &Client, format: Format) -> Result<()> {
    let shown = client.call_any(|c| async { Client::config(c).show(v1::ShowRequest {}).await }).await?;
    Ok(format.one(&Shown::from(shown), desk_file::render)?)
}

async fn apply(client: &Client, arguments: Apply, format: Format) -> Result<()> {
    let Apply { file, dry_run, expected, reason } = arguments;
    let file = DeskFile::read(&file)?;
    let request = v1::ApplyRequest {
        configuration: Some(file.desk.clone().into()),
        dry_run,
        reason: Some(said(reason.unwrap_or_default())),
        request_id: request_id(),
        expected,
    };
    let call = async |channel| {
        match Client::config(channel).apply(request.clone()).await {
            // What is wrong with the file is told with its lines.
            Err(status) if api::reason_of(&status) == Some(Reason::Invalid) => Ok(Response::new(Err(status))),
            answered => answered.map(|response| response.map(Ok)),
        }
    };
    let answered = if dry_run { client.call_any(call).await? } else { client.call(call).await? };
    let response = answered.map_err(|status| {
        let all: Vec<String> = api::all_reasons(&status).into_iter().map(|(_, message)| message).collect();
        if all.is_empty() { Failure::from_status(status) } else { file.wrong(&all) }
    })?;
    Ok(format.one(&Applied::new(response, dry_run), |applied| {
        let mut table = Table::default();
        for line in &applied.changes {
            table.row([line.clone()]);
        }
        match (applied.repeated, applied.changes.is_empty()) {
            (true, _) => table.row(["it had run before"]),
            (false, true) => table.row(["nothing is different"]),
            (false, false) if dry_run => table.row(["nothing was set: it was a dry run"]),
            (false, false) => table.row([format!("set; revision {}", applied.revision)]),
        }
        table
    })?)
}
