//! redlock-py is given the nodes as three masters: it never has its majority, and a node says why. The program is in `clients`.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tests::cluster::Cluster;
use tests::{http, suite};
use tokio::process::Command;
use tokio::time::timeout;

/// More than a node wants to see before it says something.
const TRIES: u64 = 10;

const ENDS_WITHIN: Duration = Duration::from_secs(60);

const HINT: &str = "they are one endpoint";
const SIGHTINGS: &str = "tenure_resp_redlock_sightings_total";

#[test]
fn whoever_takes_the_nodes_for_three_redlock_masters_is_told() {
    let Some(python) = suite::tool("three_masters", "TENURE_PYTHON") else { return };
    suite::beside("three_masters", async {
        let cluster = Cluster::start().await?;
        let leader = cluster.wait_ready().await?.leader.context("a ready cluster has a leader")?;
        // The leader last, as it knows best of what the others were given.
        let mut order = cluster.followers().await?;
        order.push(leader);
        let ports: Vec<String> = order.iter().map(|node| cluster.redis(*node).to_string()).collect();
        let mut command = Command::new(python);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/python/three_masters.py"));
        command.args([ports.join(","), TRIES.to_string()]).kill_on_drop(true);
        let said = timeout(ENDS_WITHIN, command.output()).await.context("it does not end")??;
        let taken = String::from_utf8(said.stdout)?;
        ensure!(said.status.success() && taken.trim() == "0", "it took {taken:?}");
        for node in &order[1..] {
            let metrics = http::get(cluster.http(*node), "/metrics").await?.body;
            let sightings = http::metric(&metrics, SIGHTINGS)?;
            ensure!(sightings >= TRIES / 2, "node {node} has seen only {sightings} of {TRIES}");
            ensure!(hints(&cluster, *node)? == 1, "node {node} says so once");
        }
        ensure!(hints(&cluster, order[0])? == 0, "nothing was refused at the first");
        Ok(())
    });
}

/// How often a node has said so.
fn hints(cluster: &Cluster, node: u64) -> Result<usize> {
    let log = std::fs::read_to_string(cluster.data().join(format!("node{node}.log")))?;
    Ok(log.lines().filter(|line| line.contains(HINT)).count())
}
