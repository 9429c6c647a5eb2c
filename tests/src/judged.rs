//! A program of a foreign client with a judge of its own, at work through every node while leaders are killed underneath.
//! Both are in `clients/python`.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::cluster::Cluster;
use crate::{figures, suite};

const KILLS: usize = 5;

/// From one leader to the end of the next: several hundred of whatever is done.
const BETWEEN_KILLS: Duration = Duration::from_millis(1500);

/// From the end of the last kill to the last word.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// Of each thing that must have happened, more than this: otherwise nothing was shown.
const ENOUGH: u64 = 20;

/// Runs `clients/python/NAME.py` on a new cluster. Its arguments are the Redis ports, `arguments` and a seed; it works until
/// its input ends and then prints what it has seen, with all that was `wrong`. What is named in `happened` it must have seen
/// often. Returns all of it.
pub async fn program(name: &str, python: OsString, arguments: &[String], happened: &[&str]) -> Result<Value> {
    let mut cluster = Cluster::start().await?;
    let ports = cluster.redis_ports().map(|port| port.to_string()).join(",");
    let seed = u32::from_le_bytes(*uuid::Uuid::now_v7().as_bytes().last_chunk().context("sixteen bytes")?);
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("clients/python/{name}.py")));
    command.arg(ports).args(arguments).arg(seed.to_string());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
    let program = command.spawn().context("python cannot be run")?;
    let kills = suite::times(KILLS);
    for _ in 0..kills {
        sleep(BETWEEN_KILLS).await;
        let leader = cluster.wait_ready().await?.leader.context("a ready cluster has a leader")?;
        let pid = cluster.pid(leader).await?;
        cluster.signal_pid(leader, pid, Signal::KILL)?;
    }
    cluster.wait_ready().await?;
    sleep(BETWEEN_KILLS).await;
    let (mut seen, ended_well) = said(program).await.with_context(|| format!("seed {seed}"))?;
    seen["kills"] = kills.into();
    figures::record(name, &seen)?;
    ensure!(seen["wrong"] == serde_json::json!([]), "{seen:#}");
    ensure!(ended_well, "it ended badly: {seen:#}");
    for what in happened {
        ensure!(seen[what].as_u64() > Some(ENOUGH), "inconclusive, too few {what}: {seen:#}");
    }
    Ok(seen)
}

/// Tells the program to end, and what it has to say.
async fn said(mut program: Child) -> Result<(Value, bool)> {
    drop(program.stdin.take());
    let output = timeout(ENDS_WITHIN, program.wait_with_output()).await;
    let output = output.with_context(|| format!("no end within {ENDS_WITHIN:?}"))??;
    let said = String::from_utf8(output.stdout)?;
    Ok((serde_json::from_str(said.trim()).with_context(|| said.clone())?, output.status.success()))
}
