//! `tenure history`: every change of leadership, with its phases.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use wire::v1;

use crate::client::Client;
use crate::output::{Format, Table, or_dash};
use crate::world::wall_ms;

#[derive(Serialize)]
struct Change {
    term: u64,
    from: Option<u64>,
    to: u64,
    cause: &'static str,
    detected_ms: u64,
    elected_ms: u64,
    applied_ms: u64,
    reconciled_ms: u64,
    active_ms: u64,
    total_ms: u64,
    at: String,
}

impl From<v1::Tenure> for Change {
    fn from(tenure: v1::Tenure) -> Self {
        let cause = match tenure.cause() {
            v1::Cause::Start | v1::Cause::Unspecified => "start",
            v1::Cause::Crash => "crash",
            v1::Cause::Timeout => "timeout",
            v1::Cause::Transfer => "transfer",
            v1::Cause::Drain => "drain",
        };
        Self {
            term: tenure.term,
            from: tenure.from,
            to: tenure.to,
            cause,
            detected_ms: tenure.detected_ms,
            elected_ms: tenure.elected_ms,
            applied_ms: tenure.applied_ms,
            reconciled_ms: tenure.reconciled_ms,
            active_ms: tenure.active_ms,
            total_ms: tenure.active_ms,
            at: rfc3339(tenure.at_unix_ms),
        }
    }
}

/// Wall time in UTC, to the millisecond.
pub fn rfc3339(unix_ms: i64) -> String {
    let since = Duration::from_millis(u64::try_from(unix_ms).unwrap_or(0));
    humantime::format_rfc3339_millis(std::time::UNIX_EPOCH + since).to_string()
}

pub async fn run(client: &Client, since: Duration, format: Format) -> Result<()> {
    let since_unix_ms = wall_ms().saturating_sub(i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
    let request = v1::HistoryRequest { since_unix_ms };
    let response = client.call(|c| async { Client::cluster(c).history(request).await }).await?;
    let changes: Vec<Change> = response.tenures.into_iter().map(Change::from).collect();
    Ok(format.many(&changes, |changes| {
        let head =
            ["at", "term", "from", "to", "cause", "detected_ms", "elected_ms", "applied_ms", "active_ms"];
        let mut table = Table::with_head(&head);
        for change in changes {
            table.row([
                change.at.clone(),
                change.term.to_string(),
                or_dash(change.from),
                change.to.to_string(),
                change.cause.into(),
                change.detected_ms.to_string(),
                change.elected_ms.to_string(),
                change.applied_ms.to_string(),
                change.active_ms.to_string(),
            ]);
        }
        table
    })?)
}
