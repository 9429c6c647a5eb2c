//! `tenure check …`: one question, one answer, for monitors.

use anyhow::Result;
use serde::Serialize;
use wire::v1;

use crate::args::Check;
use crate::client::Client;
use crate::failure::Failure;
use crate::output::{Format, Table};

/// The levels that monitoring systems know, as exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok = 0,
    Warning = 1,
    Critical = 2,
    Unknown = 3,
}

#[derive(Serialize)]
struct Answer {
    check: &'static str,
    status: Level,
    message: String,
}

/// The exit code that the answer amounts to.
pub async fn run(client: &Client, check: Check, format: Format) -> Result<i32> {
    let answer = match check {
        Check::Health => health(client).await,
        Check::Quorum => quorum(client).await,
        Check::Lease { name, holder } => lease(client, name, holder).await,
    };
    format.one(&answer, |answer| {
        let mut table = Table::default();
        let level = format!("{:?}", answer.status).to_uppercase();
        table.row([format!("{} {level}: {}", answer.check.to_uppercase(), answer.message)]);
        table
    })?;
    Ok(answer.status as i32)
}

async fn health(client: &Client) -> Answer {
    let check = "health";
    let cluster = match super::status::look(client).await {
        Ok(cluster) => cluster,
        Err(error) => return Answer { check, status: Level::Critical, message: error.to_string() },
    };
    let level = |severity| match severity {
        "critical" => Level::Critical,
        "warning" => Level::Warning,
        _ => Level::Ok,
    };
    let status = cluster.problems.iter().map(|problem| level(problem.severity)).max().unwrap_or(Level::Ok);
    let said: Vec<&str> = cluster.problems.iter().map(|problem| problem.what.as_str()).collect();
    let message =
        if said.is_empty() { format!("{} nodes, no problems", cluster.nodes.len()) } else { said.join("; ") };
    Answer { check, status, message }
}

async fn quorum(client: &Client) -> Answer {
    let check = "quorum";
    match super::status::look(client).await {
        Ok(cluster) if !cluster.quorum => {
            Answer { check, status: Level::Critical, message: "no majority answers".into() }
        }
        Ok(cluster) => {
            let status = if cluster.failure_tolerance == 0 { Level::Warning } else { Level::Ok };
            Answer { check, status, message: format!("{} more may fail", cluster.failure_tolerance) }
        }
        Err(error) => Answer { check, status: Level::Critical, message: error.to_string() },
    }
}

async fn lease(client: &Client, name: String, wanted: Option<String>) -> Answer {
    let check = "lease";
    let request = v1::GetRequest { name: name.clone() };
    let got = client.call(|c| async { Client::leases(c).get(request.clone()).await }).await;
    let answer = |status, message| Answer { check, status, message };
    match got {
        Err(Failure { message, .. }) => answer(Level::Unknown, message),
        Ok(response) => match response.lease.unwrap_or_default().holder {
            None => answer(Level::Critical, format!("{name} is free")),
            Some(holder) if wanted.as_ref().is_some_and(|wanted| *wanted != holder) => {
                answer(Level::Critical, format!("{name} is held by {holder}"))
            }
            Some(holder) => answer(Level::Ok, format!("{name} is held by {holder}")),
        },
    }
}
