//! `WATCH`, `MULTI` and `EXEC` of redis-py through every node, while the leader is killed underneath. The program and its
//! judge are in `clients/python`.

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

/// Few enough that tellers meet.
const ACCOUNTS: usize = 6;
const TELLERS: usize = 6;

const KILLS: usize = 5;

/// From one leader to the end of the next: several hundred moves.
const BETWEEN_KILLS: Duration = Duration::from_millis(1500);

/// From the end of the last kill to the last word.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

#[test]
fn no_money_is_lost_or_made_while_leaders_are_killed() {
    let Some(python) = suite::tool("transactions", "TENURE_PYTHON") else { return };
    suite::beside("transactions", async {
        let mut cluster = Cluster::start().await?;
        let ports = cluster.redis_ports().map(|port| port.to_string()).join(",");
        let seed =
            u32::from_le_bytes(*uuid::Uuid::now_v7().as_bytes().last_chunk().context("sixteen bytes")?);
        let mut command = Command::new(python);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/python/transactions.py"));
        command.args([&ports, &ACCOUNTS.to_string(), &TELLERS.to_string(), &seed.to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
        let tellers = command.spawn().context("python cannot be run")?;
        let kills = suite::times(KILLS);
        for _ in 0..kills {
            sleep(BETWEEN_KILLS).await;
            let leader = cluster.wait_ready().await?.leader.context("a ready cluster has a leader")?;
            let pid = cluster.pid(leader).await?;
            cluster.signal_pid(leader, pid, Signal::KILL)?;
        }
        cluster.wait_ready().await?;
        sleep(BETWEEN_KILLS).await;
        let (mut seen, ended_well) = said(tellers).await.with_context(|| format!("seed {seed}"))?;
        seen["kills"] = kills.into();
        figures::record("transactions", &seen)?;
        ensure!(seen["wrong"] == serde_json::json!([]), "{seen:#}");
        ensure!(ended_well, "it ended badly: {seen:#}");
        for what in ["moves", "conflicts", "audits"] {
            ensure!(seen[what].as_u64() > Some(20), "inconclusive, too few {what}: {seen:#}");
        }
        Ok(())
    });
}

/// Tells the tellers to end, and what they have to say.
async fn said(mut tellers: Child) -> Result<(Value, bool)> {
    drop(tellers.stdin.take());
    let output = timeout(ENDS_WITHIN, tellers.wait_with_output()).await;
    let output = output.with_context(|| format!("no end within {ENDS_WITHIN:?}"))??;
    let said = String::from_utf8(output.stdout)?;
    Ok((serde_json::from_str(said.trim()).with_context(|| said.clone())?, output.status.success()))
}
