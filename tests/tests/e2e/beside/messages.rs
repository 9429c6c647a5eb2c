//! `PUBLISH` and `SUBSCRIBE` of redis-py through every node, while the leader is killed underneath: in order, once, and none
//! missed by whoever stayed connected. The program and its judge are in `clients/python`.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use serde_json::Value;
use tests::cluster::Cluster;
use tests::{figures, suite};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

const KILLS: usize = 5;

/// From one leader to the end of the next: several hundred messages.
const BETWEEN_KILLS: Duration = Duration::from_millis(1500);

/// From the end of the last kill to the last word.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

#[test]
fn every_message_comes_once_and_in_order_while_leaders_are_killed() {
    let Some(python) = suite::tool("messages", "TENURE_PYTHON") else { return };
    suite::beside("messages", async {
        let mut cluster = Cluster::start().await?;
        let ports = cluster.redis_ports().map(|port| port.to_string()).join(",");
        let seed =
            u32::from_le_bytes(*uuid::Uuid::now_v7().as_bytes().last_chunk().context("sixteen bytes")?);
        let mut command = Command::new(python);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/python/messages.py"));
        command.args([&ports, &seed.to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
        let speakers = command.spawn().context("python cannot be run")?;
        let kills = suite::times(KILLS);
        for _ in 0..kills {
            sleep(BETWEEN_KILLS).await;
            let leader = cluster.wait_ready().await?.leader.context("a ready cluster has a leader")?;
            let pid = cluster.pid(leader).await?;
            cluster.signal_pid(leader, pid, Signal::KILL)?;
        }
        cluster.wait_ready().await?;
        sleep(BETWEEN_KILLS).await;
        let (mut seen, ended_well) = said(speakers).await.with_context(|| format!("seed {seed}"))?;
        seen["kills"] = kills.into();
        figures::record("messages", &seen)?;
        ensure!(seen["wrong"] == serde_json::json!([]), "{seen:#}");
        ensure!(ended_well, "it ended badly: {seen:#}");
        for what in ["published", "heard", "looks"] {
            ensure!(seen[what].as_u64() > Some(20), "inconclusive, too few {what}: {seen:#}");
        }
        ensure!(seen["lives"].as_u64() > Some(3), "nobody's connection ended: {seen:#}");
        Ok(())
    });
}

/// Tells the speakers to end, and what they have to say.
async fn said(mut speakers: Child) -> Result<(Value, bool)> {
    drop(speakers.stdin.take());
    let output = timeout(ENDS_WITHIN, speakers.wait_with_output()).await;
    let output = output.with_context(|| format!("no end within {ENDS_WITHIN:?}"))??;
    let said = String::from_utf8(output.stdout)?;
    Ok((serde_json::from_str(said.trim()).with_context(|| said.clone())?, output.status.success()))
}
