//! `tenure config …`: who may trade, and a node's own file.

use std::path::{Path, PathBuf};

use anyhow::Result;
use api::Reason;
use clap::{Args, Subcommand};
use http::{Applied, Desk, Shown};
use serde::Serialize;
use tonic::Response;
use wire::v1;

use super::confirmed;
use super::desk_file::{self, DeskFile};
use super::lease::request_id;
use crate::args::Why;
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
    /// Only instead of this revision, which `config show` tells. Default: the one of the file's first line, if it says one as `show` does;
    /// otherwise the one that stands when the command begins.
    #[arg(long, value_name = "REVISION")]
    expected: Option<String>,
    /// Kept in the audit history.
    #[arg(long, required_unless_present = "dry_run", default_value_if("dry_run", "true", ""))]
    reason: Option<String>,
    /// Do not ask before anything is taken away.
    #[arg(long)]
    yes: bool,
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
    Ok(format.one(&Shown::from(shown(client).await?), desk_file::render)?)
}

pub(super) async fn shown(client: &Client) -> Result<v1::ShowResponse, Failure> {
    client.call_any(|c| async { Client::config(c).show(v1::ShowRequest {}).await }).await
}

/// What is told beforehand is what happens: what was looked at is what is replaced, or nothing is.
async fn apply(client: &Client, arguments: Apply, format: Format) -> Result<()> {
    let Apply { file, dry_run, expected, reason, yes } = arguments;
    let file = DeskFile::read(&file)?;
    let of_file = file.revision().filter(|_| expected.is_none());
    let expected = match expected.or_else(|| of_file.map(|revision| revision.to_string())) {
        Some(expected) => expected,
        None => shown(client).await?.revision,
    };
    let mut request = v1::ApplyRequest {
        configuration: Some(file.desk.clone().into()),
        dry_run: true,
        reason: None,
        request_id: request_id(),
        expected: Some(expected),
    };
    let outdated = |failure: Failure| match of_file {
        Some(_) if failure.reason == Reason::StaleRevision.name() => file.outdated(),
        _ => failure,
    };
    let tried = send(client, &file, &request).await.map_err(outdated)?;
    for warning in file.warnings() {
        eprintln!("tenure: warning: {warning}");
    }
    if dry_run {
        return print(format, &Applied::new(tried, true));
    }
    let gone: Vec<&str> =
        tried.changes.iter().map(String::as_str).filter(|it| it.starts_with("- ")).collect();
    let why = Why { reason: reason.unwrap_or_default(), yes };
    request.reason = Some(match gone.is_empty() {
        true => super::reason(why),
        false => confirmed(why, &format!("{}\nThis is not in the file. Take it away?", gone.join("\n")))?,
    });
    request.dry_run = false;
    let response = send(client, &file, &request).await.map_err(outdated)?;
    print(format, &Applied::new(response, false))
}

async fn send(
    client: &Client,
    file: &DeskFile,
    request: &v1::ApplyRequest,
) -> Result<v1::ApplyResponse, Failure> {
    let call = async |channel| {
        match Client::config(channel).apply(request.clone()).await {
            // What is wrong with the file is told with its lines.
            Err(status) if api::reason_of(&status) == Some(Reason::Invalid) => Ok(Response::new(Err(status))),
            answered => answered.map(|response| response.map(Ok)),
        }
    };
    let answered = if request.dry_run { client.call_any(call).await? } else { client.call(call).await? };
    answered.map_err(|status| {
        let all: Vec<String> = api::all_reasons(&status).into_iter().map(|(_, message)| message).collect();
        if all.is_empty() { Failure::from_status(status) } else { file.wrong(&all) }
    })
}

fn print(format: Format, applied: &Applied) -> Result<()> {
    Ok(format.one(applied, |applied| {
        let mut table = Table::default();
        for line in &applied.changes {
            table.row([line.clone()]);
        }
        match (applied.repeated, applied.changes.is_empty()) {
            (true, _) => table.row(["it had run before"]),
            (false, true) => table.row(["nothing is different"]),
            (false, false) if applied.dry_run => table.row(["nothing was set: it was a dry run"]),
            (false, false) => table.row([format!("set; revision {}", applied.revision)]),
        }
        table
    })?)
}
