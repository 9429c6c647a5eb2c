//! Wall clocks that jump and run at the wrong speed while leases live: no lease ends early, no token goes back.
//!
//! Each node gets a wall clock of its own from libfaketime, which reads a file for every call; the stopwatch that
//! leases are measured with is left alone, as no time daemon steers it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::cli::Cli;
use tests::node::{Node, NodeFile};
use tests::ports::Ports;
use tests::resp::{Connection, Value as Reply};
use tests::{figures, suite, wait};

const LEASE: Duration = Duration::from_secs(3);

/// What each node's clock shows in one step of the test: ahead, behind, or at the wrong speed.
const STEPS: [[&str; 3]; 6] = [
    ["+0", "+0", "+0"],
    ["+3600", "+0", "-3600"],
    ["-3600", "+3600", "+0"],
    ["+0 x1.5", "+0 x0.5", "+3600 x1.2"],
    ["+3600 x0.8", "-3600 x1.5", "-3600 x0.5"],
    ["-3600", "-3600", "-3600"],
];

#[test]
fn stepped_and_slewed_wall_clocks_end_no_lease_early() {
    let Some(library) = suite::tool("wall_clocks", "TENURE_FAKETIME") else { return };
    suite::beside("wall_clocks", async {
        let ports = Ports::claim()?;
        let directory = tempfile::Builder::new().prefix("tenure-e2e-").tempdir()?;
        let clock = |id: u64| directory.path().join(format!("clock{id}"));
        set_clocks(clock, STEPS[0])?;
        let mut nodes: Vec<Node> = Vec::new();
        for id in 1..=3 {
            let first = ports.base + 100 * u16::try_from(id)? + 1;
            let mut file = NodeFile::new(id, directory.path().join(format!("node{id}")), first);
            file.environment = environment(&library, clock(id));
            nodes.push(file.start().await?);
        }
        let cli = Cli::new(&nodes.iter().map(|node| node.file.api()).collect::<Vec<_>>());
        cli.json(&["init"]).await?;
        wait::until(Duration::from_secs(20), "an active leader", || async { Ok(cli.status().await?.active) })
            .await?;
        let ports: Vec<u16> = nodes.iter().map(|node| node.file.redis_port()).collect();

        let mut last_token = 0;
        let mut lengths = Vec::new();
        for (step, clocks) in STEPS.into_iter().enumerate() {
            // Every second step also moves leadership, to a clock that says something else.
            if step % 2 == 1 {
                cli.json(&["leader", "transfer", "--yes"]).await?;
            }
            let (length, token) = hold(&ports, step, || set_clocks(clock, clocks)).await?;
            ensure!(
                length >= LEASE.mul_f64(0.999),
                "step {step}: a lease of {LEASE:?} ended after {length:?}"
            );
            ensure!(token > last_token, "step {step}: token {token} after {last_token}");
            (last_token, _) = (token, lengths.push(figures::millis(length)));
        }
        let shown = nodes_clocks_differ(&cli).await?;
        let figure = serde_json::json!({
            "lease_ms": figures::millis(LEASE), "ended_after_ms": lengths, "clock_shown_off_by_s": shown,
        });
        figures::record("wall_clocks", &figure)?;
        drop(nodes);
        suite::used(directory);
        Ok(())
    });
}

fn environment(library: &OsString, clock: PathBuf) -> Vec<(OsString, OsString)> {
    vec![
        ("LD_PRELOAD".into(), library.clone()),
        ("FAKETIME_TIMESTAMP_FILE".into(), clock.into_os_string()),
        ("FAKETIME_DONT_FAKE_MONOTONIC".into(), "1".into()),
        ("FAKETIME_NO_CACHE".into(), "1".into()),
    ]
}

fn set_clocks(clock: impl Fn(u64) -> PathBuf, clocks: [&str; 3]) -> Result<()> {
    for (id, text) in (1..).zip(clocks) {
        // Whole or not at all: a node may read it at any moment.
        let new = clock(id).with_extension("new");
        std::fs::write(&new, text)?;
        std::fs::rename(new, clock(id))?;
    }
    Ok(())
}

/// Takes a lease, renews it once, lets the clocks jump, and gives the time from the sending of the renewal to its
/// end, and its token.
async fn hold(ports: &[u16], step: usize, jump: impl Fn() -> Result<()>) -> Result<(Duration, i64)> {
    let length = LEASE.as_millis().to_string();
    let mut holder = Connection::open(ports[step % ports.len()]).await?;
    let grant = holder.ask(&["LEASE.ACQUIRE", "desk", "holder", "PX", &length]).await?;
    let token = grant.array()?[1].integer()?;
    let sent = Instant::now();
    let renewed = holder.ask(&["LEASE.RENEW", "desk", "holder", "PX", &length]).await?;
    ensure!(renewed.array()?[1].integer()? == token, "a renewal changed the token: {renewed:?}");
    jump()?;
    let mut reader = Connection::open(ports[(step + 1) % ports.len()]).await?;
    let deadline = sent + 3 * LEASE;
    loop {
        let reply = reader.ask(&["LEASE.TOKEN", "desk", "holder"]).await?;
        if reply == Reply::Null {
            return Ok((sent.elapsed(), token));
        }
        ensure!(reply == Reply::Integer(token), "the token changed: {reply:?}");
        ensure!(Instant::now() < deadline, "the lease does not end");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// That the fault was there: the wall time in the history is an hour off for the last steps.
async fn nodes_clocks_differ(cli: &Cli) -> Result<i64> {
    cli.json(&["leader", "transfer", "--yes"]).await?;
    let off = wait::until(Duration::from_secs(10), "a change of leadership at a wrong wall time", || async {
        let history = cli.json(&["history"]).await?;
        let last = history.as_array().and_then(|all| all.last()).cloned().context("a history")?;
        let off = seconds_off(&last)?;
        Ok((off.abs() > 3000).then_some(off))
    })
    .await?;
    Ok(off)
}

/// How far the time of a change lies from this machine's, in seconds, within a day.
fn seconds_off(change: &Value) -> Result<i64> {
    let at = change["at"].as_str().context("a change has a time")?;
    let clock = at.split_once('T').context("RFC 3339")?.1;
    let part =
        |from: usize| clock.get(from..from + 2).context("RFC 3339")?.parse::<i64>().context("a number");
    let told = part(0)? * 3600 + part(3)? * 60 + part(6)?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    let now = i64::try_from(now % 86_400)?;
    Ok((told - now + 86_400 + 43_200) % 86_400 - 43_200)
}
