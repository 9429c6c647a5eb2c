//! `tenure lease …`

use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use serde::Serialize;
use wire::v1;

use crate::args::Lease;
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::output::{Format, Table, or_dash};

/// A lease as scripts read it; free: holder null.
#[derive(Serialize)]
struct View {
    name: String,
    holder: Option<String>,
    token: Option<u64>,
    ttl_ms: Option<u64>,
    remaining_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acquired: Option<bool>,
}

impl From<v1::Lease> for View {
    fn from(lease: v1::Lease) -> Self {
        let v1::Lease { name, holder, token, ttl_ms, remaining_ms } = lease;
        Self { name, holder, token, ttl_ms, remaining_ms, acquired: None }
    }
}

fn table(leases: &[View]) -> Table {
    let mut table = Table::with_head(&["name", "holder", "token", "ttl_ms", "remaining_ms"]);
    for lease in leases {
        table.row([
            lease.name.clone(),
            lease.holder.clone().unwrap_or_else(|| "(free)".into()),
            or_dash(lease.token),
            or_dash(lease.ttl_ms),
            or_dash(lease.remaining_ms),
        ]);
    }
    table
}

fn print(format: Format, lease: &View) -> std::io::Result<()> {
    format.one(lease, |lease| table(std::slice::from_ref(lease)))
}

pub async fn run(client: &Client, lease: Lease, format: Format) -> Result<()> {
    match lease {
        Lease::Acquire { name, holder, ttl, wait, take_over } => {
            acquire(client, name, holder, ttl, wait, take_over, format).await
        }
        Lease::Renew { name, holder, token, ttl } => {
            let request_id = request_id();
            let ttl_ms = ttl.map(millis);
            let request = v1::RenewRequest { name, holder, token, ttl_ms, request_id };
            let response = client.call(|c| async { Client::leases(c).renew(request.clone()).await }).await?;
            Ok(print(format, &response.lease.unwrap_or_default().into())?)
        }
        Lease::Release { name, holder, token } => {
            let request = v1::ReleaseRequest { name: name.clone(), holder, token, request_id: request_id() };
            client.call(|c| async { Client::leases(c).release(request.clone()).await }).await?;
            let free = v1::Lease { name, ..v1::Lease::default() };
            Ok(print(format, &free.into())?)
        }
        Lease::Get { name } => {
            let request = v1::GetRequest { name };
            let response = client.call(|c| async { Client::leases(c).get(request.clone()).await }).await?;
            let view: View = response.lease.unwrap_or_default().into();
            print(format, &view)?;
            if view.holder.is_none() {
                return Err(free(&view.name).into());
            }
            Ok(())
        }
        Lease::List => list(client, format).await,
        Lease::Watch { name } => watch(client, name, format).await,
        Lease::Exec(_) => unreachable!("handled before"),
    }
}

async fn acquire(
    client: &Client,
    name: String,
    holder: String,
    ttl: Duration,
    wait: Option<Duration>,
    take_over: bool,
    format: Format,
) -> Result<()> {
    let deadline = Instant::now() + wait.unwrap_or_default();
    loop {
        // A new attempt is a new request: a repeated id would only tell again what the last one did.
        let request = v1::AcquireRequest {
            name: name.clone(),
            holder: holder.clone(),
            ttl_ms: millis(ttl),
            take_over,
            request_id: request_id(),
        };
        let response = client.call(|c| async { Client::leases(c).acquire(request.clone()).await }).await?;
        let lease = response.lease.unwrap_or_default();
        let left = deadline.saturating_duration_since(Instant::now());
        if !response.acquired && !left.is_zero() {
            // Until it ends by itself, or sooner if it is released.
            let remaining = Duration::from_millis(lease.remaining_ms.unwrap_or(100).min(100));
            tokio::time::sleep(remaining.min(left)).await;
            continue;
        }
        let mut view: View = lease.into();
        view.acquired = Some(response.acquired);
        print(format, &view)?;
        if response.acquired {
            return Ok(());
        }
        let holder = view.holder.unwrap_or_default();
        let message = format!("{} is held by {holder}", view.name);
        let next = format!("tenure lease acquire {} --holder H --ttl 10s --wait 30s", view.name);
        return Err(Failure::new(Exit::Conflict, "HELD", message, &next).into());
    }
}

async fn list(client: &Client, format: Format) -> Result<()> {
    let mut leases: Vec<View> = Vec::new();
    let mut after = String::new();
    loop {
        let request = v1::ListRequest { prefix: String::new(), after: after.clone(), limit: 0 };
        let page = client.call(|c| async { Client::leases(c).list(request.clone()).await }).await?;
        leases.extend(page.leases.into_iter().map(View::from));
        if page.next_after.is_empty() {
            return Ok(format.many(&leases, table)?);
        }
        after = page.next_after;
    }
}

async fn watch(client: &Client, name: String, format: Format) -> Result<()> {
    let request = v1::WatchRequest { name };
    let mut changes = client.call(|c| async { Client::leases(c).watch(request.clone()).await }).await?;
    while let Some(change) = changes.message().await.map_err(Failure::from_status)? {
        let view: View = change.lease.unwrap_or_default().into();
        match format {
            // A stream of documents is a line each, however it was asked for.
            Format::Json | Format::Jsonl => Format::Jsonl.many(&[view], table)?,
            Format::Table => format.one(&view, |lease| {
                let mut line = Table::default();
                let holder = lease.holder.clone().unwrap_or_else(|| "(free)".into());
                line.row([lease.name.clone(), holder, or_dash(lease.token), or_dash(lease.remaining_ms)]);
                line
            })?,
        }
    }
    Ok(())
}

fn free(name: &str) -> Failure {
    let next = format!("tenure lease acquire {name} --holder H --ttl 10s");
    Failure::new(Exit::NotFound, "EXPIRED", format!("{name} is free"), &next)
}

pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A name for one request, under which it runs once however often it is sent.
pub fn request_id() -> Bytes {
    Bytes::copy_from_slice(uuid::Uuid::now_v7().as_bytes())
}
