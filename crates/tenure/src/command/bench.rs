//! `tenure bench …`: load with honest latency.
//!
//! With a rate the loop is open: a request's latency counts from when it was due, not from when it could be sent,
//! so a stall of the cluster shows in every request that it delayed. Without one it is closed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use hdrhistogram::Histogram;
use serde::Serialize;
use tonic::transport::Channel;
use wire::v1;

use super::lease::request_id;
use crate::args::{Bench, Load};
use crate::client::Client;
use crate::failure::Failure;
use crate::output::{Format, Table};

/// Longest latency that is told apart, in microseconds.
const LATENCY_MAX_US: u64 = 60_000_000;

/// The length of the leases that are taken.
const TTL_MS: u64 = 60_000;

#[derive(Serialize)]
struct Report {
    operations: u64,
    errors: u64,
    seconds: f64,
    per_second: f64,
    latency_us: Latency,
}

#[derive(Serialize)]
struct Latency {
    p50: u64,
    p90: u64,
    p99: u64,
    p999: u64,
    max: u64,
}

#[derive(Clone, Copy)]
enum Kind {
    Writes,
    Reads,
    Leases,
}

struct Tally {
    latencies: Histogram<u64>,
    errors: u64,
}

impl Tally {
    fn new() -> Self {
        let latencies =
            Histogram::new_with_max(LATENCY_MAX_US, 3).expect("the bounds are constants that fit");
        Self { latencies, errors: 0 }
    }
}

pub async fn run(client: &Client, bench: Bench, format: Format) -> Result<()> {
    let (kind, load) = match bench {
        Bench::Writes(load) => (Kind::Writes, load),
        Bench::Reads(load) => (Kind::Reads, load),
        Bench::Leases(load) => (Kind::Leases, load),
    };
    if load.clients == 0 || load.connections == 0 {
        return Err(Failure::usage("--clients and --connections are at least 1".into()).into());
    }
    let channels = connect(client, &load).await?;
    let started = Instant::now();
    let workers = (0..load.clients).map(|index| {
        let channel = channels[index % channels.len()].clone();
        tokio::spawn(work(kind, channel, index, load.clone(), started))
    });
    let workers: Vec<_> = workers.collect();
    let mut total = Tally::new();
    for worker in workers {
        let tally = worker.await??;
        total.latencies.add(&tally.latencies).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        total.errors += tally.errors;
    }
    let report = report(&total, started.elapsed());
    Ok(format.one(&report, table)?)
}

/// Connections of their own, to the nodes in turn that answer.
async fn connect(client: &Client, load: &Load) -> Result<Vec<Channel>> {
    let mut alive = Vec::new();
    for (address, status) in client.statuses(Duration::from_millis(500)).await {
        if status.is_ok() {
            alive.push(address);
        }
    }
    if alive.is_empty() {
        return Err(Failure::deadline().into());
    }
    let chosen = alive.iter().cycle().take(load.connections);
    let mut channels = Vec::new();
    for address in chosen {
        let one = Client::new(vec![address.clone()])?;
        channels.extend(one.channels().map(|(_, channel)| channel.clone()));
    }
    Ok(channels)
}

async fn work(
    kind: Kind,
    channel: Channel,
    index: usize,
    load: Load,
    started: Instant,
) -> Result<Tally, Failure> {
    let mut tally = Tally::new();
    let name = format!("bench-{}-{index}", std::process::id());
    let holder: Arc<str> = format!("bench-{}", std::process::id()).into();
    let mut leases = Client::leases(channel);
    let mut token = 0;
    if !matches!(kind, Kind::Writes) {
        token = acquire(&mut leases, &name, &holder).await.map_err(Failure::from_status)?;
    }
    let interval = load.rate.map(|rate| Duration::from_secs_f64(load.clients as f64 / rate.max(1) as f64));
    let mut due = started;
    while started.elapsed() < load.duration {
        let from = match interval {
            Some(interval) => {
                due += interval;
                tokio::time::sleep_until(due.into()).await;
                due
            }
            None => Instant::now(),
        };
        let result = match kind {
            Kind::Writes if token == 0 => acquire(&mut leases, &name, &holder).await.map(|new| token = new),
            Kind::Writes => {
                let released = release(&mut leases, &name, &holder, token).await;
                token = 0;
                released
            }
            Kind::Leases => renew(&mut leases, &name, &holder, token).await,
            Kind::Reads => leases.get(v1::GetRequest { name: name.clone() }).await.map(drop),
        };
        match result {
            Ok(()) => {
                let us = u64::try_from(from.elapsed().as_micros()).unwrap_or(LATENCY_MAX_US);
                tally.latencies.saturating_record(us.max(1));
            }
            Err(_) => tally.errors += 1,
        }
    }
    if token != 0 {
        // What is left ends by itself.
        let _ = release(&mut leases, &name, &holder, token).await;
    }
    Ok(tally)
}

type Leases = v1::lease_service_client::LeaseServiceClient<Channel>;

async fn acquire(leases: &mut Leases, name: &str, holder: &str) -> Result<u64, tonic::Status> {
    let request = v1::AcquireRequest {
        name: name.into(),
        holder: holder.into(),
        ttl_ms: TTL_MS,
        take_over: true,
        request_id: request_id(),
    };
    let lease = leases.acquire(request).await?.into_inner().lease;
    Ok(lease.and_then(|lease| lease.token).unwrap_or(0))
}

async fn renew(leases: &mut Leases, name: &str, holder: &str, token: u64) -> Result<(), tonic::Status> {
    let request = v1::RenewRequest {
        name: name.into(),
        holder: holder.into(),
        token,
        ttl_ms: None,
        request_id: request_id(),
    };
    leases.renew(request).await.map(drop)
}

async fn release(leases: &mut Leases, name: &str, holder: &str, token: u64) -> Result<(), tonic::Status> {
    let request =
        v1::ReleaseRequest { name: name.into(), holder: holder.into(), token, request_id: request_id() };
    leases.release(request).await.map(drop)
}

fn report(total: &Tally, elapsed: Duration) -> Report {
    let seconds = elapsed.as_secs_f64();
    let operations = total.latencies.len();
    let at = |quantile| total.latencies.value_at_quantile(quantile);
    Report {
        operations,
        errors: total.errors,
        seconds: (seconds * 1000.0).round() / 1000.0,
        per_second: (operations as f64 / seconds * 10.0).round() / 10.0,
        latency_us: Latency {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: total.latencies.max(),
        },
    }
}

fn table(report: &Report) -> Table {
    let head =
        ["operations", "errors", "seconds", "per_second", "p50_us", "p90_us", "p99_us", "p999_us", "max_us"];
    let mut table = Table::with_head(&head);
    let Latency { p50, p90, p99, p999, max } = report.latency_us;
    let first = [report.operations.to_string(), report.errors.to_string()];
    let second = [format!("{:.3}", report.seconds), format!("{:.1}", report.per_second)];
    let latencies = [p50, p90, p99, p999, max].map(|us| us.to_string());
    table.row(first.into_iter().chain(second).chain(latencies));
    table
}
