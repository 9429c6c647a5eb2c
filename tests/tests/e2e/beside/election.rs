//! The Redis documentation's election, through redis-py. The program and its judge are in `clients/python`.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::cluster::Cluster;
use tests::{figures, suite};
use tokio::process::Command;

/// 200 hand-overs and the start of the clients take about a minute.
const LIMIT: Duration = Duration::from_secs(240);

const TURNS: usize = 100;

#[test]
fn the_documented_election_holds_with_redis_py() {
    election("election_sync", "sync");
}

#[test]
fn the_documented_election_holds_with_asyncio_redis_py() {
    election("election_asyncio", "asyncio");
}

fn election(name: &str, kind: &str) {
    let Some(python) = suite::tool(name, "TENURE_PYTHON") else { return };
    suite::beside(name, async {
        let cluster = Cluster::start().await?;
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/python/election.py");
        let ports = cluster.redis_ports().map(|port| port.to_string()).join(",");
        let seed =
            u32::from_le_bytes(*uuid::Uuid::now_v7().as_bytes().last_chunk().context("sixteen bytes")?);
        let mut command = Command::new(python);
        command.arg(program).args([kind, &ports, &suite::times(TURNS).to_string(), &seed.to_string()]);
        command.stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true);
        let output = tokio::time::timeout(LIMIT, command.output()).await;
        let output = output.with_context(|| format!("seed {seed}: no end within {LIMIT:?}"))??;
        let said = String::from_utf8(output.stdout)?;
        let seen: Value =
            serde_json::from_str(said.trim()).with_context(|| format!("seed {seed}: {said}"))?;
        figures::record(name, &seen)?;
        verdict(&seen, output.status.success())
    });
}

fn verdict(seen: &Value, ended_well: bool) -> Result<()> {
    ensure!(seen["wrong"] == serde_json::json!([]), "{seen:#}");
    ensure!(ended_well, "it ended badly: {seen:#}");
    Ok(())
}
