//! `tenure leader`, `drain` and `history`.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use serde_json::Value;
use tests::cluster::Cluster;
use tests::{suite, wait};

#[test]
fn leadership_is_handed_over_and_history_tells_it() {
    suite::beside("leader_transfer", async {
        let cluster = Cluster::start().await?;
        let cli = cluster.cli();
        let old = cluster.leader().await?;
        let shown = cli.json(&["leader", "show"]).await?;
        ensure!(shown["node"] == old, "{shown}");
        cli.run_json(&["leader", "transfer"]).await?.expect(2, "USAGE")?;

        let next = cluster.followers().await?[0];
        let to = next.to_string();
        let done = cli.json(&["leader", "transfer", "--to", &to, "--yes", "--reason", "a test"]).await?;
        let leads = cluster.leader().await?;
        ensure!(
            done["node"] == next && leads == next,
            "asked for {next} after {old}, told {done}, {leads} leads"
        );
        let change = last_change(&cluster, next).await?;
        ensure!(change["cause"] == "transfer" && change["from"] == old && change["to"] == next, "{change}");

        let missing = cli.run_json(&["leader", "transfer", "--to", "9", "--yes"]).await?;
        missing.expect(3, "NOT_FOUND")?;
        Ok(())
    });
}

#[test]
fn a_drained_node_leads_nothing_until_the_drain_is_undone() {
    suite::beside("drain", async {
        let cluster = Cluster::start().await?;
        let cli = cluster.cli();
        let old = cluster.leader().await?;
        let id = old.to_string();
        cli.run_json(&["drain", &id]).await?.expect(2, "USAGE")?;
        cli.json(&["drain", &id, "--yes", "--reason", "maintenance"]).await?;
        let next = wait::until(Duration::from_secs(10), "another leader", || async {
            Ok(cluster.status().await?.leader.filter(|leader| *leader != old))
        })
        .await?;
        let change = last_change(&cluster, next).await?;
        ensure!(change["cause"] == "drain" && change["from"] == old, "{change}");
        let problems = cluster.status().await?.problems;
        ensure!(
            problems.iter().any(|p| p["what"].as_str().is_some_and(|w| w.contains("draining"))),
            "{problems:?}"
        );

        // Not even when it is asked to.
        let asked = cli.run_json(&["leader", "transfer", "--to", &id, "--yes"]).await?;
        ensure!(asked.code != 0, "a draining node took leadership: {asked:?}");

        cli.json(&["drain", &id, "--undo"]).await?;
        wait::until(Duration::from_secs(10), "leadership back at the node", || async {
            let done = cli.run_json(&["leader", "transfer", "--to", &id, "--yes"]).await?;
            Ok((done.code == 0).then_some(()))
        })
        .await?;
        ensure!(cluster.leader().await? == old, "it leads again");
        ensure!(cluster.wait_ready().await?.problems.is_empty(), "no problem is left");
        Ok(())
    });
}

/// The last change of leadership, once it is told that `to` is active.
async fn last_change(cluster: &Cluster, to: u64) -> Result<Value> {
    let change = wait::until(Duration::from_secs(10), "the change in the history", || async {
        let history = cluster.cli().json(&["history"]).await?;
        let last = history.as_array().and_then(|changes| changes.last()).cloned();
        Ok(last.filter(|change| change["to"] == to))
    })
    .await?;
    let mut before = 0;
    for key in ["detected_ms", "elected_ms", "applied_ms", "reconciled_ms", "active_ms"] {
        let offset = change[key].as_u64().with_context(|| format!("{key} is missing in {change}"))?;
        ensure!(offset >= before, "{key} lies before the phase before it: {change}");
        before = offset;
    }
    ensure!(
        change["total_ms"].is_u64() && change["at"].as_str().is_some_and(|at| at.ends_with('Z')),
        "{change}"
    );
    Ok(change)
}

#[test]
fn a_planned_stop_of_the_leader_is_told_as_a_drain() {
    suite::beside("planned_stop", async {
        let mut cluster = Cluster::start().await?;
        let old = cluster.leader().await?;
        cluster.signal(old, Signal::TERM).await?;
        let next = wait::until(Duration::from_secs(10), "another leader", || async {
            Ok(cluster.status().await?.leader.filter(|leader| *leader != old))
        })
        .await?;
        let change = last_change(&cluster, next).await?;
        ensure!(change["cause"] == "drain" && change["from"] == old, "{change}");
        Ok(())
    });
}
