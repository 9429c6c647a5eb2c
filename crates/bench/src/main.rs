//! Tenure beside etcd: the same clients on three nodes of each, in turn, in one run. `cargo xtask bench etcd` starts it.
//!
//! Other work on the machine is in the figures of both; so only their ratios are worth keeping, and a run whose ratios
//! differ from round to round says nothing.
//!
//! Read in this order: [`scenario`] (what is measured and what is expected), [`load`] (the clients and their figures),
//! [`tenure`] and [`etcd`] (the two clusters), [`raw`] and [`machine`] (what they run on), [`cpu`] and [`latency`], [`row`]
//! and [`report`].

mod cpu;
mod etcd;
mod latency;
mod load;
mod machine;
mod raw;
mod report;
mod row;
mod scenario;
mod tenure;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use tokio::task::LocalSet;

use crate::etcd::Etcd;
use crate::load::{Figures, Timing};
use crate::machine::Machine;
use crate::raw::{Cost, Costs};
use crate::report::{Program, Report};
use crate::row::{Protocol, Row, median};
use crate::scenario::{SCENARIOS, Scenario};
use crate::tenure::Tenure;

const USAGE: &str = "bench ROUNDS SECONDS DATA REPORTS [SCENARIO]; `cargo xtask help` says how to start it";

/// Of which commit the program is: its version alone says little between releases.
const COMMIT: &str = "TENURE_COMMIT";

/// Of a value in etcd and in Redis, and of a lease's holder.
const VALUE_BYTES: usize = 64;

/// Of the measured time, the part that goes before it unmeasured.
const WARM_UP: u32 = 4;

/// So often a scenario is measured until no leader changes in it and no request fails.
const ATTEMPTS: usize = 3;

/// What one scenario showed, by rounds.
struct Measured {
    scenario: Scenario,
    tenure: Vec<Figures>,
    etcd: Vec<Figures>,
    redis: Vec<Figures>,
}

struct Run {
    timing: Timing,
    measured: Vec<Measured>,
    costs: Vec<Costs>,
    /// Of Tenure and of etcd.
    versions: (String, String),
    repeated: usize,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match bench(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn bench(arguments: &[&str]) -> Result<()> {
    let (rounds, seconds, data, reports, only) = match arguments {
        [rounds, seconds, data, reports] => (rounds, seconds, data, reports, None),
        [rounds, seconds, data, reports, only] => (rounds, seconds, data, reports, Some(only)),
        _ => bail!("{USAGE}"),
    };
    let rounds: usize = rounds.parse().context("ROUNDS")?;
    let seconds: u64 = seconds.parse().context("SECONDS")?;
    ensure!(rounds > 0 && seconds > 0, "nothing to measure: {USAGE}");
    let is_wanted = |scenario: &Scenario| only.is_none_or(|only| scenario.name() == *only);
    let scenarios: Vec<Scenario> = SCENARIOS.into_iter().filter(is_wanted).collect();
    let names = SCENARIOS.map(|scenario| scenario.name()).join(", ");
    ensure!(!scenarios.is_empty(), "there is no such scenario; there are {names}");

    let measured = Duration::from_secs(seconds);
    let run = Run::new(scenarios, Timing { warm_up: measured / WARM_UP, measured });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = LocalSet::new().block_on(&runtime, run.rounds(rounds, Path::new(data)))?;
    println!("{}", report.markdown()?);
    report.write(Path::new(reports))
}

impl Run {
    fn new(scenarios: Vec<Scenario>, timing: Timing) -> Self {
        let measured = |scenario| Measured { scenario, tenure: vec![], etcd: vec![], redis: vec![] };
        let measured = scenarios.into_iter().map(measured).collect();
        Self { timing, measured, costs: Vec::new(), versions: Default::default(), repeated: 0 }
    }

    async fn rounds(mut self, rounds: usize, place: &Path) -> Result<Report> {
        std::fs::create_dir_all(place)?;
        let machine = Machine::of(place)?;
        for round in 1..=rounds {
            eprintln!("round {round} of {rounds}");
            // Both on one file system, and gone before the next round fills it.
            let data = tempfile::tempdir_in(place)?;
            if let Err(error) = self.round(data.path()).await {
                return Err(error.context(format!("data and logs kept in {}", data.keep().display())));
            }
        }
        Ok(self.report(machine, rounds))
    }

    async fn round(&mut self, data: &Path) -> Result<()> {
        self.costs.push(raw::costs(data)?);
        let tenure = Tenure::start(data).await?;
        let etcd = Etcd::start(data).await?;
        self.versions = (tenure.version().await?, etcd.version().await?);
        let timing = self.timing;
        for measured in &mut self.measured {
            let scenario = measured.scenario;
            let of_tenure = undisturbed(&mut self.repeated, || tenure.measure(&scenario, timing));
            measured.tenure.push(of_tenure.await?);
            let of_etcd = undisturbed(&mut self.repeated, || etcd.measure(&scenario, timing));
            measured.etcd.push(of_etcd.await?);
            if scenario.redis {
                let scenario = scenario.over_redis();
                let of_redis = undisturbed(&mut self.repeated, || tenure.measure_redis(&scenario, timing));
                measured.redis.push(of_redis.await?);
            }
            let last = |figures: &[Figures]| figures.last().map_or(0.0, |figures| figures.per_second);
            let (of_tenure, of_etcd) = (last(&measured.tenure), last(&measured.etcd));
            eprintln!("{}: Tenure {of_tenure:.0}/s, etcd {of_etcd:.0}/s", scenario.name());
        }
        tenure.end().await?;
        etcd.end().await
    }

    fn report(self, machine: Machine, rounds: usize) -> Report {
        let mut rows = Vec::new();
        for measured in &self.measured {
            let Measured { scenario, tenure, etcd, redis } = measured;
            rows.push(Row::new(*scenario, Protocol::Grpc, tenure, etcd));
            if scenario.redis {
                rows.push(Row::new(scenario.over_redis(), Protocol::Redis, redis, etcd));
            }
        }
        let (tenure, etcd) = self.versions;
        let commit = std::env::var(COMMIT).unwrap_or_else(|_| "of an unknown commit".into());
        let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        Report {
            date: now.chars().take_while(|character| *character != 'T').collect(),
            machine,
            tenure: Program {
                version: format!("{tenure} ({commit})"),
                configuration: tenure::CONFIGURATION.into(),
            },
            etcd: Program { version: etcd, configuration: etcd::CONFIGURATION.into() },
            value_bytes: VALUE_BYTES,
            rounds,
            warm_up_seconds: self.timing.warm_up.as_secs_f64(),
            measured_seconds: self.timing.measured.as_secs_f64(),
            costs: Costs {
                sync: medians(self.costs.iter().map(|costs| costs.sync)),
                tcp_round_trip: medians(self.costs.iter().map(|costs| costs.tcp_round_trip)),
            },
            repeated: self.repeated,
            rows,
        }
    }
}

/// Measures again what was disturbed, and counts that.
async fn undisturbed(repeated: &mut usize, measure: impl AsyncFn() -> Result<Figures>) -> Result<Figures> {
    for _ in 1..ATTEMPTS {
        match measure().await {
            Ok(figures) => return Ok(figures),
            Err(error) => eprintln!("measured again: {error:#}"),
        }
        *repeated += 1;
    }
    measure().await
}

fn medians(costs: impl Iterator<Item = Cost> + Clone) -> Cost {
    Cost {
        p50_us: median(costs.clone().map(|cost| cost.p50_us)),
        p99_us: median(costs.map(|cost| cost.p99_us)),
    }
}

/// The key, or the lease, of a client.
fn key(client: usize) -> String {
    format!("bench-{client:03}")
}

fn value() -> String {
    "v".repeat(VALUE_BYTES)
}
