//! All three killed at once and started again: everything acknowledged is there, and no read goes back.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use tests::cluster::Cluster;
use tests::ledger::{self, Ledger};
use tests::load::{Load, Options};
use tests::resp::{Connection, Value};
use tests::{figures, suite, wait};

#[test]
fn all_three_are_killed_twenty_times() {
    suite::alone("all_killed", async {
        let mut cluster = Cluster::start().await?;
        let mut books: Vec<Ledger> = Vec::new();
        let mut outages = Vec::new();
        for round in 0..suite::times(20) {
            cluster.wait_ready().await?;
            let pids = cluster.pids().await?;
            let name = format!("all{round}");
            let ports = cluster.redis_ports();
            let mut load =
                Load::start(&Options { name, clients: 12, window: 32, value_bytes: 1, goes_on: true, ports });
            load.run_until(3000, 0).await?;
            let seen = read_counter(cluster.redis(1), round).await?;
            let killed = Instant::now();
            for (node, pid) in &pids {
                cluster.signal_pid(*node, *pid, Signal::KILL)?;
            }
            // Each node is asked from its first moment on, and answers never less than was seen before.
            let (one, two, three) = tokio::join!(
                first_read(cluster.redis(1), round),
                first_read(cluster.redis(2), round),
                first_read(cluster.redis(3), round)
            );
            let first = [one?, two?, three?];
            outages.push(killed.elapsed());
            ensure!(first.iter().all(|read| *read >= seen), "{first:?} read after {seen}");
            let mut last = *first.iter().max().context("three were read")?;
            for node in [1, 2, 3, 1, 2, 3] {
                let now = read_counter(cluster.redis(node), round).await?;
                ensure!(now >= last, "node {node} read {now} after {last}");
                last = now;
            }
            cluster.wait_ready().await?;
            load.run_until(500, 0).await?;
            let ledgers: Vec<Ledger> =
                load.finish().await?.into_iter().map(|account| account.ledger).collect();
            let mut connection = Connection::open(cluster.redis(2)).await?;
            ledger::verify_together(&ledgers, &mut connection).await?;
            verify(&cluster, &ledgers).await.with_context(|| format!("round {round}"))?;
            books.extend(ledgers);
        }
        verify(&cluster, &books).await?;
        let tokens = ledger::verify_tokens(&books)?;
        let (median, worst) = figures::median_and_worst(&outages);
        let sum = |what: fn(&Ledger) -> u64| books.iter().map(what).sum::<u64>();
        let figure = serde_json::json!({
            "kills": outages.len(), "acknowledged": sum(|l| l.acknowledged), "unknown": sum(|l| l.unknown),
            "tokens": tokens, "median_outage_ms": figures::millis(median), "worst_outage_ms": figures::millis(worst),
        });
        figures::record("all_killed", &figure)
    });
}

async fn verify(cluster: &Cluster, ledgers: &[Ledger]) -> Result<()> {
    for (index, ledger) in ledgers.iter().enumerate() {
        let mut connection = Connection::open(cluster.redis(index as u64 % 3 + 1)).await?;
        ledger.verify(&mut connection).await?;
    }
    Ok(())
}

/// The first read that a node answers after it was started again.
async fn first_read(port: u16, round: usize) -> Result<i64> {
    wait::until(Duration::from_secs(30), "the first read after a restart", || async {
        Ok(Some(read_counter(port, round).await?))
    })
    .await
}

async fn read_counter(port: u16, round: usize) -> Result<i64> {
    let mut connection = Connection::open(port).await?;
    match connection.ask(&["GET", &format!("together:all{round}")]).await? {
        Value::Null => Ok(0),
        count => count.integer(),
    }
}
