//! The locks of Redis libraries that people use, as they come: each at every node, and held while the leader is killed.

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use tests::cluster::Cluster;
use tests::contest::{self, Contest, GIVE_UP, Interpreter, Verdict};
use tests::{figures, suite};

#[test]
fn locks_of_redis_libraries_hold_while_the_leader_is_killed() {
    // Those of Rust take a minute to build: `cargo xtask clients` has them too.
    let programs = contest::programs("libraries", |program| {
        program.interpreter != Interpreter::None("TENURE_RUST_CLIENTS")
    });
    if programs.is_empty() {
        return;
    }
    suite::beside("libraries", async {
        let mut cluster = Cluster::start().await?;
        let mut contest = Contest::start(&cluster, &programs).await?;
        let leader = cluster.leader().await?;
        // The holders' own node goes, then another.
        for holders in [leader, leader % 3 + 1] {
            kill_under(&mut cluster, &mut contest, holders).await?;
        }
        let verdicts = contest.finish().await?;
        figures::record("libraries", &serde_json::to_value(&verdicts)?)?;
        check(&verdicts)
    });
}

/// Kills the leader while the contenders of one node hold every lock; afterwards all contend again.
pub(crate) async fn kill_under(cluster: &mut Cluster, contest: &mut Contest, holders: u64) -> Result<()> {
    contest.keep(holders).await.with_context(|| format!("holders at node {holders}"))?;
    let leader = cluster.wait_ready().await?.leader.context("a ready cluster has a leader")?;
    let pid = cluster.pid(leader).await?;
    let killed = contest::now();
    cluster.signal_pid(leader, pid, Signal::KILL)?;
    let what = || format!("holders at node {holders}, node {leader} killed");
    contest.kept_since(holders, killed).await.with_context(what)?;
    cluster.wait_ready().await?;
    contest.pass(holders).await.with_context(what)
}

/// No library did less than hold its lock through every kill, but for those that give up of themselves.
pub(crate) fn check(verdicts: &[Verdict]) -> Result<()> {
    for verdict in verdicts {
        let kept = verdict.kills > 0 && verdict.kept_through == verdict.kills;
        ensure!(kept || GIVE_UP.contains(&verdict.library), "not held through every kill: {verdict:?}");
    }
    Ok(())
}
