//! `kill -9` of the leader under load: nothing acknowledged is lost, nothing runs twice, and it is soon over.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use tests::cluster::Cluster;
use tests::ledger::{self, Ledger};
use tests::load::{Load, Options, RETURN_UNDER_LOAD};
use tests::resp::Connection;
use tests::{figures, suite};
use tokio::task::JoinSet;

const IN_FLIGHT_MIN: usize = 1000;

const MEDIAN_MAX: Duration = Duration::from_secs(1);
const WORST_MAX: Duration = Duration::from_secs(2);

#[test]
fn the_leader_is_killed_twenty_times() {
    suite::alone("leader_killed", async {
        let mut cluster = Cluster::start().await?;
        let mut recoveries = Vec::new();
        let mut ready_again = Vec::new();
        let mut in_flight_min = usize::MAX;
        let mut books: Vec<Ledger> = Vec::new();
        for round in 0..suite::times(20) {
            let leader = cluster.wait_ready().await?.leader.context("a ready cluster has a leader")?;
            let pid = cluster.pid(leader).await?;
            let mut load = Load::start(&Options::full(format!("kill{round}"), cluster.redis_ports()));
            let mut probes = Vec::new();
            for node in cluster.followers().await? {
                probes.push(Connection::open(cluster.redis(node)).await?);
            }
            in_flight_min = in_flight_min.min(load.run_until(5000, IN_FLIGHT_MIN).await?);
            let killed = Instant::now();
            cluster.signal_pid(leader, pid, Signal::KILL)?;
            recoveries.push(next_acknowledged(probes, round, killed).await?);
            load.run_until(1000, 0).await?;
            if round.is_multiple_of(RETURN_UNDER_LOAD) {
                cluster.wait_ready().await?;
                ready_again.push(killed.elapsed());
            }
            let ledgers: Vec<Ledger> =
                load.finish().await?.into_iter().map(|account| account.ledger).collect();
            cluster.wait_ready().await?;
            verify(&cluster, &ledgers).await.with_context(|| format!("round {round}"))?;
            books.extend(ledgers);
        }
        // Once more, everything, where it is now.
        verify_kept(&cluster, &books).await?;
        let tokens = ledger::verify_tokens(&books)?;
        let (median, worst) = figures::median_and_worst(&recoveries);
        let sum = |what: fn(&Ledger) -> u64| books.iter().map(what).sum::<u64>();
        let figure = serde_json::json!({
            "kills": recoveries.len(), "median_ms": figures::millis(median), "worst_ms": figures::millis(worst),
            "ready_again_worst_ms": figures::millis(figures::median_and_worst(&ready_again).1),
            "in_flight_min": in_flight_min, "acknowledged": sum(|l| l.acknowledged), "unknown": sum(|l| l.unknown),
            "refused": sum(|l| l.refused), "overtaken": sum(|l| l.overtaken), "tokens": tokens,
            "all_ms": recoveries.iter().map(|d| figures::millis(*d)).collect::<Vec<_>>(),
        });
        figures::record("leader_killed", &figure)?;
        ensure!(median < MEDIAN_MAX, "median {median:?}");
        ensure!(worst < WORST_MAX, "worst {worst:?}");
        Ok(())
    });
}

/// From the kill to the first reply to a write that was sent after it, at any node that lives.
async fn next_acknowledged(probes: Vec<Connection>, round: usize, killed: Instant) -> Result<Duration> {
    let mut asking = JoinSet::new();
    for (index, mut probe) in probes.into_iter().enumerate() {
        asking.spawn(async move {
            let key = format!("probe:{round}:{index}");
            // A node may answer that it certainly did nothing; then it is asked again, as any client would.
            while probe.call(&["SET", &key, "1"]).await?.error().is_some() {}
            anyhow::Ok(killed.elapsed())
        });
    }
    asking.join_next().await.context("two nodes are asked")??
}

/// What the clients of one round were promised.
async fn verify(cluster: &Cluster, ledgers: &[Ledger]) -> Result<()> {
    let mut connection = Connection::open(cluster.redis(1)).await?;
    ledger::verify_together(ledgers, &mut connection).await?;
    verify_kept(cluster, ledgers).await
}

async fn verify_kept(cluster: &Cluster, ledgers: &[Ledger]) -> Result<()> {
    for (index, ledger) in ledgers.iter().enumerate() {
        let node = index as u64 % 3 + 1;
        let mut connection = Connection::open(cluster.redis(node)).await?;
        ledger.verify(&mut connection).await.with_context(|| format!("read at node {node}"))?;
    }
    Ok(())
}
