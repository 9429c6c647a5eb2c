//! `tenure bench …`: load with honest latency.
//!
//! With a rate the loop is open: a request's latency counts from when it was due, not from when it could be sent,
//! so a stall of the cluster shows in every request that it delayed. Without one it is closed.

use std::time::{Duration, Instant};

use anyhow::Result;
use hdrhistogram::Histogram;
use serde::Serialize;
use tonic::Status;
use tonic::transport::Channel;

use crate::args::{Bench, Load};
use crate::client::Client;
use crate::failure::Failure;
use crate::output::{Format, Table};
use leases::{Kind, LeaseWork};
use orders::OrderWork;

mod desk;
mod leases;
mod orders;

/// Longest latency that is told apart, in microseconds.
const LATENCY_MAX_US: u64 = 60_000_000;

/// What one client asks for, again and again.
enum Work {
    Leases(Box<LeaseWork>),
    Orders(Box<OrderWork>),
}

impl Work {
    async fn once(&mut self) -> Result<(), Status> {
        match self {
            Self::Leases(work) => work.once().await,
            Self::Orders(work) => work.once().await,
        }
    }
}

/// What all clients together saw.
struct Tally {
    latencies: Histogram<u64>,
    errors: u64,
    /// One of them, for whoever wonders.
    error: Option<Status>,
    took: Duration,
}

impl Tally {
    fn new() -> Self {
        let latencies =
            Histogram::new_with_max(LATENCY_MAX_US, 3).expect("the bounds are constants that fit");
        Self { latencies, errors: 0, error: None, took: Duration::ZERO }
    }

    fn add(&mut self, other: Self) -> Result<()> {
        self.latencies.add(&other.latencies).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        self.errors += other.errors;
        self.error = self.error.take().or(other.error);
        Ok(())
    }

    fn complain(&self, what: &str) {
        if let Some(error) = &self.error {
            eprintln!("tenure: {} errors of {what}, one of them: {}", self.errors, error.message());
        }
    }
}

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

pub async fn run(client: &Client, bench: Bench, format: Format) -> Result<()> {
    let (kind, load) = match bench {
        Bench::Writes(load) => (Kind::Writes, load),
        Bench::Reads(load) => (Kind::Reads, load),
        Bench::Leases(load) => (Kind::Leases, load),
        Bench::Orders(asked) => return orders::run(client, asked, format).await,
    };
    let channels = connect(client, &load).await?;
    let work = leases::work(kind, &channels, &load).await?;
    let (work, tally) = drive(work, &load, load.duration).await?;
    leases::end(work).await;
    tally.complain(kind.name());
    let report = Report::from(&tally);
    Ok(format.one(&report, |report| {
        let mut table = Table::with_head(&COLUMNS);
        table.row(cells(report));
        table
    })?)
}

/// Connections of their own, to the nodes in turn that answer.
async fn connect(client: &Client, load: &Load) -> Result<Vec<Channel>, Failure> {
    if load.clients == 0 || load.connections == 0 {
        return Err(Failure::usage("--clients and --connections are at least 1".into()));
    }
    let mut alive = Vec::new();
    for (address, status) in client.statuses(Duration::from_millis(500)).await {
        if status.is_ok() {
            alive.push(address);
        }
    }
    if alive.is_empty() {
        return Err(Failure::deadline());
    }
    let chosen = alive.iter().cycle().take(load.connections);
    let mut channels = Vec::new();
    for address in chosen {
        let one = Client::new(vec![address.clone()])?;
        channels.extend(one.channels().map(|(_, channel)| channel.clone()));
    }
    Ok(channels)
}

/// Lets all of them work at once for as long, and gives them back.
async fn drive(work: Vec<Work>, load: &Load, length: Duration) -> Result<(Vec<Work>, Tally)> {
    let apart = load.rate.map(|rate| Duration::from_secs_f64(1.0 / rate.max(1) as f64));
    let started = Instant::now();
    let working = work.into_iter().zip(1..).map(|(work, turn)| {
        // One after the other, not all at once and then nobody.
        let due = apart.map(|apart| (apart * turn, apart * load.clients as u32));
        tokio::spawn(repeat(work, started, length, due))
    });
    let working: Vec<_> = working.collect();
    let (mut work, mut total) = (Vec::new(), Tally::new());
    for working in working {
        let (done, tally) = working.await?;
        work.push(done);
        total.add(tally)?;
    }
    total.took = started.elapsed();
    Ok((work, total))
}

/// Works for as long; `due`: after so long from the start, and then every so long.
async fn repeat(
    mut work: Work,
    started: Instant,
    length: Duration,
    mut due: Option<(Duration, Duration)>,
) -> (Work, Tally) {
    let mut tally = Tally::new();
    while started.elapsed() < length {
        let from = match &mut due {
            Some((after, interval)) => {
                let from = started + *after;
                *after += *interval;
                tokio::time::sleep_until(from.into()).await;
                from
            }
            None => Instant::now(),
        };
        match work.once().await {
            Ok(()) => {
                let us = u64::try_from(from.elapsed().as_micros()).unwrap_or(LATENCY_MAX_US);
                tally.latencies.saturating_record(us.max(1));
            }
            Err(error) => {
                tally.errors += 1;
                tally.error.get_or_insert(error);
            }
        }
    }
    (work, tally)
}

impl From<&Tally> for Report {
    fn from(total: &Tally) -> Self {
        let seconds = total.took.as_secs_f64();
        let operations = total.latencies.len();
        let at = |quantile| total.latencies.value_at_quantile(quantile);
        Self {
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
}

const COLUMNS: [&str; 9] =
    ["operations", "errors", "seconds", "per_second", "p50_us", "p90_us", "p99_us", "p999_us", "max_us"];

fn cells(report: &Report) -> impl Iterator<Item = String> + use<> {
    let Latency { p50, p90, p99, p999, max } = report.latency_us;
    let first = [report.operations.to_string(), report.errors.to_string()];
    let second = [format!("{:.3}", report.seconds), format!("{:.1}", report.per_second)];
    let latencies = [p50, p90, p99, p999, max].map(|us| us.to_string());
    first.into_iter().chain(second).chain(latencies)
}
