//! A run as JSON, and as a table to read.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::load::Figures;
use crate::machine::Machine;
use crate::raw::Costs;
use crate::row::{Protocol, Row};
use crate::scenario::{Goal, Operation, Place};

#[derive(Serialize)]
pub(crate) struct Report {
    /// As in `2026-11-30`, in UTC.
    pub(crate) date: String,
    pub(crate) machine: Machine,
    pub(crate) tenure: Program,
    pub(crate) etcd: Program,
    pub(crate) value_bytes: usize,
    pub(crate) rounds: usize,
    pub(crate) warm_up_seconds: f64,
    pub(crate) measured_seconds: f64,
    /// Medians over the rounds.
    pub(crate) costs: Costs,
    /// Measurements that were made again, because a leader changed or a request failed.
    pub(crate) repeated: usize,
    pub(crate) rows: Vec<Row>,
}

#[derive(Serialize)]
pub(crate) struct Program {
    pub(crate) version: String,
    pub(crate) configuration: String,
}

impl Report {
    /// Writes `etcd-DATE.md` and `etcd-DATE.json`.
    pub(crate) fn write(&self, directory: &Path) -> Result<()> {
        fs::create_dir_all(directory)?;
        let path = directory.join(format!("etcd-{}", self.date));
        fs::write(path.with_extension("md"), self.markdown()?)?;
        fs::write(path.with_extension("json"), serde_json::to_string_pretty(self)? + "\n")?;
        eprintln!("written: {}", path.with_extension("md").display());
        Ok(())
    }

    /// To be read without the JSON; `docs/benchmarks/README.md` says how.
    pub(crate) fn markdown(&self) -> Result<String> {
        let mut text = String::new();
        self.head(&mut text)?;
        self.section(&mut text, "gRPC, clients at the leader", Protocol::Grpc, Place::Leader)?;
        self.section(&mut text, "gRPC, clients spread over all nodes", Protocol::Grpc, Place::All)?;
        let redis = "Another protocol: Redis on Tenure, gRPC on etcd";
        self.section(&mut text, redis, Protocol::Redis, Place::Leader)?;
        self.processor_time(&mut text)?;
        Ok(text)
    }

    fn head(&self, text: &mut String) -> Result<()> {
        let Machine { processor, cores, memory_mib, kernel, file_system } = &self.machine;
        let Self { date, rounds, warm_up_seconds, measured_seconds, value_bytes, repeated, .. } = self;
        let Costs { sync, tcp_round_trip } = self.costs;
        writeln!(text, "# Tenure beside etcd, {date}\n")?;
        writeln!(
            text,
            "{rounds} rounds, in each of them every scenario on Tenure and then on etcd: {warm_up_seconds} s of \
             warm-up, {measured_seconds} s measured, values of {value_bytes} bytes. New clusters in each round. Figures \
             are medians over the rounds, ratios are Tenure's divided by etcd's, with their range over the \
             rounds. Measurements made again because a leader changed or a request failed: {repeated}.\n"
        )?;
        writeln!(text, "| | |\n|---|---|")?;
        writeln!(
            text,
            "| machine | {processor}, {cores} cores, {memory_mib} MiB; all nodes and clients on it |"
        )?;
        writeln!(text, "| kernel, file system | Linux {kernel}, {file_system} |")?;
        for (name, program) in [("Tenure", &self.tenure), ("etcd", &self.etcd)] {
            writeln!(text, "| {name} {} | {} |", program.version, program.configuration)?;
        }
        for (name, cost) in [("sync", sync), ("TCP round trip over loopback", tcp_round_trip)] {
            writeln!(text, "| one {name}, p50 / p99 µs | {:.0} / {:.0} |", cost.p50_us, cost.p99_us)?;
        }
        Ok(())
    }

    fn section(&self, text: &mut String, title: &str, protocol: Protocol, place: Place) -> Result<()> {
        let is_in = |row: &&Row| row.protocol == protocol && row.scenario.place == place;
        let rows: Vec<&Row> = self.rows.iter().filter(is_in).collect();
        if rows.is_empty() {
            return Ok(());
        }
        writeln!(text, "\n## {title}\n")?;
        table(text, &rows)
    }

    /// What throughput is made of where all share the cores.
    fn processor_time(&self, text: &mut String) -> Result<()> {
        writeln!(text, "\n## Processor time of one operation, µs: leader + followers + clients\n")?;
        writeln!(text, "| | Tenure | etcd |\n|---|---|---|")?;
        for row in &self.rows {
            let [tenure, etcd] = [&row.tenure, &row.etcd].map(|side| {
                let cpu = side.median.cpu_us;
                format!("{:.0} + {:.0} + {:.0}", cpu.leader, cpu.followers, cpu.clients)
            });
            writeln!(text, "| {} | {tenure} | {etcd} |", label(row))?;
        }
        Ok(())
    }
}

fn table(text: &mut String, rows: &[&Row]) -> Result<()> {
    writeln!(
        text,
        "| | Tenure /s | etcd /s | ratio | Tenure p50 / p99 µs | etcd p50 / p99 µs | ratio of p50 | goal | met |\n\
         |---|---|---|---|---|---|---|---|---|"
    )?;
    for row in rows {
        let (tenure, etcd, ratio) = (&row.tenure.median, &row.etcd.median, &row.ratio);
        writeln!(
            text,
            "| {} | {:.0} | {:.0} | {} | {} | {} | {} | {} | {} |",
            label(row),
            tenure.per_second,
            etcd.per_second,
            ranged(ratio.per_second, ratio.per_second_range),
            latency(tenure),
            latency(etcd),
            ranged(ratio.p50, ratio.p50_range),
            goal(row.scenario.goal),
            match row.met {
                Some(true) => "yes",
                Some(false) => "**no**",
                None => "",
            },
        )?;
    }
    Ok(())
}

/// As in `writes, 64 clients on 4 connections`.
fn label(row: &Row) -> String {
    let scenario = &row.scenario;
    let operation = match scenario.operation {
        Operation::Write => "writes",
        Operation::Read => "linearizable reads",
    };
    let operation = match (row.protocol, scenario.operation) {
        (Protocol::Grpc, _) => operation,
        (Protocol::Redis, Operation::Write) => "SET",
        (Protocol::Redis, Operation::Read) => "GET",
    };
    let spread = match scenario.place {
        Place::Leader => "",
        Place::All => ", spread",
    };
    match scenario.clients {
        1 => format!("{operation}, 1 client"),
        clients => format!("{operation}, {clients} clients on {} connections{spread}", scenario.connections),
    }
}

fn latency(figures: &Figures) -> String {
    format!("{:.0} / {:.0}", figures.p50_us, figures.p99_us)
}

fn ranged(ratio: f64, [least, greatest]: [f64; 2]) -> String {
    format!("**{ratio:.2}** ({least:.2} to {greatest:.2})")
}

fn goal(goal: Option<Goal>) -> String {
    match goal {
        Some(Goal::LatencyAtMost(most)) => format!("p50 at most {most}"),
        Some(Goal::ThroughputAtLeast(least)) => format!("at least {least} times"),
        None => String::new(),
    }
}
