//! `tenure lease exec` while leaders are killed: elections must fit into a lease, so that it has the machine to itself.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustix::process::Signal;
use tests::cluster::Cluster;
use tests::desk::{Desk, Kind};
use tests::{suite, wait};

/// Where no lease may be lost: an election fits into it with room.
const LEASE: Duration = Duration::from_secs(6);
const OPTIONS: [&str; 2] = ["--ttl", "6s"];

/// The lease, and what an election and a late tick add to it.
const SUCCEEDED_WITHIN: Duration = Duration::from_secs(20);

#[test]
fn a_program_goes_on_when_the_leader_is_killed() {
    suite::alone("exec_leader_killed", async {
        let mut cluster = Cluster::start().await?;
        let desk = Desk::open()?;
        let mut first = desk.wrap(&cluster.endpoints(), &OPTIONS, &desk.bot(Kind::Plain))?;
        desk.nth_run(1).await?;
        let mut second = desk.wrap(&cluster.endpoints(), &OPTIONS, &desk.bot(Kind::Plain))?;
        second.says("waiting").await?;
        for _ in 0..suite::times(3).max(2) {
            let leader = cluster.wait_ready().await?.leader.context("a ready cluster has a leader")?;
            cluster.signal(leader, Signal::KILL).await?;
            let killed = Instant::now();
            // Longer than a lease that nobody renews.
            wait::until(SUCCEEDED_WITHIN, "the same bot, two leases later", || async {
                let runs = desk.runs()?;
                ensure!(runs.len() == 1, "the bot did not go on: {runs:?}\n{}", first.said()?);
                Ok((killed.elapsed() > LEASE * 2).then_some(()))
            })
            .await?;
        }
        first.signal(Signal::TERM)?;
        first.ends_with(143, SUCCEEDED_WITHIN).await?;
        desk.nth_run(2).await?;
        second.signal(Signal::TERM)?;
        second.ends_with(143, SUCCEEDED_WITHIN).await?;
        ensure!(desk.runs()?.len() == 2 && !desk.is_taken()?, "one after the other");
        Ok(())
    });
}
