//! A follower that was away for longer than the log is kept comes back by a snapshot.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use tests::cluster::{Cluster, Options};
use tests::ledger::{self, Ledger};
use tests::load::{self, Load};
use tests::resp::{self, Connection};
use tests::{figures, grpc, suite, wait};
use wire::v1::{NodeStatus, StatusRequest};

#[test]
fn a_follower_that_was_away_too_long_comes_back_by_snapshot() {
    suite::beside("snapshot", async {
        let set = vec!["raft.snapshot_entries = 200", "log.segment = \"4MiB\"", "log.retain = \"8MiB\""];
        let mut cluster =
            Cluster::start_with(Options { no_restart: false, set, ..Options::default() }).await?;
        let leader = cluster.wait_ready().await?.leader.context("a ready cluster has a leader")?;
        let away = cluster.followers().await?[0];
        let stopped_at = node_status(&cluster, away).await?.last_log;
        cluster.signal(away, Signal::STOP).await?;

        let loaded = resp::ask(cluster.redis(leader), &["SCRIPT", "LOAD", "return KEYS[1]"]).await?;
        let sha = loaded.text()?;
        // Clients of the two others, until the log that it needs is gone.
        let [one, other] = [leader, 6 - leader - away].map(|node| cluster.redis(node));
        let ports = [one, other, one];
        let load = Load::start(&load::Options {
            name: "away".into(),
            clients: 8,
            window: 16,
            value_bytes: 1,
            goes_on: false,
            ports,
        });
        let purged = wait::until(Duration::from_secs(90), "a log that begins after what it has", || async {
            let purged = node_status(&cluster, leader).await?.purged_index;
            Ok((purged > stopped_at + 1000).then_some(purged))
        })
        .await?;
        cluster.thaw(away)?;
        let back = wait::until(Duration::from_secs(60), "its return", || async {
            let status = node_status(&cluster, away).await?;
            Ok((status.snapshot_index >= purged && status.applied > purged).then_some(status))
        })
        .await?;
        let ledgers: Vec<Ledger> = load.finish().await?.into_iter().map(|account| account.ledger).collect();
        cluster.wait_ready().await?;

        // Read at the one that was away.
        let mut connection = Connection::open(cluster.redis(away)).await?;
        ledger::verify_together(&ledgers, &mut connection).await?;
        for ledger in &ledgers {
            ledger.verify(&mut connection).await?;
        }
        let said = connection.ask(&["EVALSHA", sha, "1", "found"]).await?;
        ensure!(said.text()? == "found", "a script that was loaded while it was away: {said:?}");
        let digest_index = super::status::digests_agree(&cluster.cli()).await?;
        ensure!(digest_index > stopped_at, "digests compared at {digest_index}, before it went away");
        let acknowledged: u64 = ledgers.iter().map(|ledger| ledger.acknowledged).sum();
        let figure = serde_json::json!({
            "stopped_at": stopped_at, "purged_to": purged, "snapshot_index": back.snapshot_index,
            "digests_equal_at": digest_index, "acknowledged_meanwhile": acknowledged,
        });
        figures::record("snapshot", &figure)
    });
}

async fn node_status(cluster: &Cluster, node: u64) -> Result<NodeStatus> {
    let mut client = grpc::cluster(cluster.api(node))?;
    let status = client.status(StatusRequest { quorum_wait_ms: 0 }).await?.into_inner();
    status.node.context("a status has a node")
}
