//! Every library's lock, with its holders at each node, while that node's leader or another's is killed: `cargo xtask
//! clients`.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use tests::cluster::Cluster;
use tests::contest::{self, Contest};
use tests::suite;

use crate::beside::libraries::{check, kill_under};

#[test]
fn every_library_holds_its_locks() {
    let programs = contest::programs("clients", |_| true);
    suite::asked("clients", "TENURE_CLIENTS", |results| async move {
        ensure!(programs.len() == contest::PROGRAMS.len(), "some of the libraries are not installed");
        let mut cluster = Cluster::start().await?;
        let mut contest = Contest::start(&cluster, &programs).await?;
        for holders in [1, 2, 3] {
            for leader in [holders, holders % 3 + 1] {
                lead(&cluster, leader).await?;
                kill_under(&mut cluster, &mut contest, holders).await?;
                eprintln!("clients: holders at node {holders}, node {leader} killed");
            }
        }
        let verdicts = contest.finish().await?;
        let results = PathBuf::from(results);
        std::fs::write(&results, format!("{:#}\n", serde_json::to_value(&verdicts)?))
            .with_context(|| results.display().to_string())?;
        check(&verdicts)
    });
}

/// Hands leadership to a node, unless it has it.
async fn lead(cluster: &Cluster, node: u64) -> Result<()> {
    if cluster.wait_ready().await?.leader == Some(node) {
        return Ok(());
    }
    let to = node.to_string();
    let transfer = ["leader", "transfer", "--to", &to, "--yes", "--reason", "its turn to be killed"];
    cluster.cli().json(&transfer).await?;
    ensure!(cluster.wait_ready().await?.leader == Some(node), "node {node} does not lead");
    Ok(())
}
