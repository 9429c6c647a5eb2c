//! `tenure lease exec` under faults: the program is gone before another can have the lease, whoever is killed, stopped
//! or cut off, and never do two run at once.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rustix::process::Signal;
use tests::cluster::Cluster;
use tests::desk::{Desk, Kind, Run, Wrapper};
use tests::{figures, process, suite, wait};

const OPTIONS: [&str; 2] = ["--ttl", "3s"];

/// The lease, what an election and a late tick add to it, and a machine that does other things.
const SUCCEEDED_WITHIN: Duration = Duration::from_secs(20);

/// A program under a lease and its successor, who waits for it at other nodes.
struct Pair {
    cluster: Cluster,
    desk: Desk,
    first: Wrapper,
    run: Run,
    second: Wrapper,
    /// The only node that the first one knows.
    node: u64,
    node_pid: u32,
}

impl Pair {
    async fn start(kind: Kind) -> Result<Self> {
        let cluster = Cluster::start().await?;
        let desk = Desk::open()?;
        let node = cluster.followers().await?[0];
        let node_pid = cluster.pid(node).await?;
        let at = |node: u64| format!("127.0.0.1:{}", cluster.api(node));
        let first = desk.wrap(&[at(node)], &OPTIONS, &desk.bot(kind))?;
        let run = desk.nth_run(1).await?;
        let others: Vec<String> = [1, 2, 3].into_iter().filter(|other| *other != node).map(at).collect();
        let second = desk.wrap(&others, &OPTIONS, &desk.bot(Kind::Plain))?;
        second.says("waiting").await?;
        Ok(Self { cluster, desk, first, run, second, node, node_pid })
    }

    /// Cuts the first one off from every node that it knows.
    fn cut_off(&mut self) -> Result<()> {
        self.cluster.signal_pid(self.node, self.node_pid, Signal::STOP)
    }

    /// Waits for the second program, and says how long after the fault it began, and after the end of the first.
    async fn succeeded(&self, name: &str, fault: Instant) -> Result<()> {
        let run = wait::until(SUCCEEDED_WITHIN, "the successor", || async {
            let runs = self.desk.runs()?;
            Ok((runs.len() == 2).then(|| (runs[0].clone(), runs[1].clone())))
        });
        let (before, after) = run.await?;
        let figure = serde_json::json!({
            "succeeded_after_ms": figures::millis(fault.elapsed()),
            "nobody_for_ms": ((after.first - before.last) * 1000.0).round(),
        });
        ensure!(!process::is_alive(self.run.pid), "the first one lives");
        figures::record(name, &figure)
    }

    /// Ends the second, and judges all that was written.
    async fn end(mut self) -> Result<()> {
        self.second.signal(Signal::TERM)?;
        self.second.ends_with(143, SUCCEEDED_WITHIN).await?;
        ensure!(self.desk.runs()?.len() == 2, "two bots, one after the other: {:?}", self.desk.runs()?);
        ensure!(!self.desk.is_taken()?, "nothing is left");
        Ok(())
    }
}

#[test]
fn a_program_whose_nodes_are_cut_off_is_gone_before_another_has_the_lease() {
    suite::beside("exec_cut_off", async {
        // The stubborn one is killed.
        for kind in [Kind::Plain, Kind::Stubborn] {
            let mut pair = Pair::start(kind).await?;
            pair.cut_off()?;
            let cut_off = Instant::now();
            pair.succeeded(&format!("exec_cut_off_{kind:?}").to_lowercase(), cut_off).await?;
            pair.first.ends_with(76, SUCCEEDED_WITHIN).await?;
            pair.end().await?;
        }
        Ok(())
    });
}

#[test]
fn nothing_of_a_program_outlives_a_killed_wrapper() {
    suite::beside("exec_wrapper_killed", async {
        for kind in [Kind::Parent, Kind::Stubborn] {
            let pair = Pair::start(kind).await?;
            let mut all = if kind == Kind::Parent { pair.desk.started_by_bots().await? } else { Vec::new() };
            all.extend([pair.run.pid, pair.first.guard()?]);
            pair.first.signal(Signal::KILL)?;
            let killed = Instant::now();
            pair.succeeded(&format!("exec_wrapper_killed_{kind:?}").to_lowercase(), killed).await?;
            let alive: Vec<&u32> = all.iter().filter(|pid| process::is_alive(**pid)).collect();
            ensure!(alive.is_empty(), "{alive:?} of {all:?} live");
            pair.end().await?;
        }
        Ok(())
    });
}

#[test]
fn a_program_whose_wrapper_is_stopped_is_killed_in_time() {
    suite::beside("exec_wrapper_stopped", async {
        let mut pair = Pair::start(Kind::Stubborn).await?;
        pair.first.signal(Signal::STOP)?;
        let stopped = Instant::now();
        pair.succeeded("exec_wrapper_stopped", stopped).await?;
        pair.first.signal(Signal::CONT)?;
        pair.first.ends_with(76, SUCCEEDED_WITHIN).await?;
        pair.end().await
    });
}

#[test]
fn nothing_of_a_program_outlives_a_killed_guard() {
    suite::beside("exec_guard_killed", async {
        let mut pair = Pair::start(Kind::Parent).await?;
        let mut all = pair.desk.started_by_bots().await?;
        all.push(pair.run.pid);
        process::signal(pair.first.guard()?, Signal::KILL)?;
        let killed = Instant::now();
        pair.first.ends_with(1, SUCCEEDED_WITHIN).await?;
        ensure!(pair.first.said()?.contains("UNGUARDED"), "{}", pair.first.said()?);
        ensure!(!all.iter().any(|pid| process::is_alive(*pid)), "all of {all:?} ended with the guard");
        pair.succeeded("exec_guard_killed", killed).await?;
        pair.end().await
    });
}

#[test]
fn a_program_whose_guard_is_stopped_is_killed_in_time() {
    suite::beside("exec_guard_stopped", async {
        let mut pair = Pair::start(Kind::Parent).await?;
        let started = pair.desk.started_by_bots().await?;
        process::signal(pair.first.guard()?, Signal::STOP)?;
        pair.cut_off()?;
        let stopped = Instant::now();
        pair.succeeded("exec_guard_stopped", stopped).await?;
        pair.first.ends_with(76, SUCCEEDED_WITHIN).await?;
        ensure!(!started.iter().any(|pid| process::is_alive(*pid)), "what it started ended with it");
        pair.end().await
    });
}
