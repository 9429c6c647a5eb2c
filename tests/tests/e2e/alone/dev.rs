//! `tenure dev`: a newcomer's first minute.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tests::cluster::Cluster;
use tests::{figures, process, suite, wait};

#[test]
fn dev_is_ready_within_five_seconds() {
    suite::alone("dev_ready", async {
        let mut taken = Vec::new();
        for _ in 0..suite::times(5) {
            let cluster = Cluster::start().await?;
            taken.push(cluster.ready_after);
            let announced = cluster.announced.join("\n");
            for port in [cluster.redis(1), cluster.api(2), cluster.http(3)] {
                ensure!(announced.contains(&port.to_string()), "port {port} is not announced: {announced}");
            }
        }
        let (median, worst) = figures::median_and_worst(&taken);
        let figure = serde_json::json!({
            "starts": taken.len(), "median_ms": figures::millis(median), "worst_ms": figures::millis(worst),
        });
        figures::record("dev_ready", &figure)?;
        ensure!(worst < Duration::from_secs(5), "ready only after {worst:?}");
        Ok(())
    });
}

#[test]
fn two_of_them_run_side_by_side() {
    suite::alone("dev_side_by_side", async {
        let (one, other) = (Cluster::start().await?, Cluster::start().await?);
        let held = one.cli().json(&["lease", "acquire", "desk", "--holder", "alice", "--ttl", "10m"]).await?;
        ensure!(held["acquired"] == true, "{held}");
        other.cli().run_json(&["lease", "get", "desk"]).await?.expect(3, "EXPIRED")?;
        ensure!(one.status().await?.cluster_id != other.status().await?.cluster_id, "two clusters");
        Ok(())
    });
}

#[test]
fn sigterm_ends_every_node_and_the_data_stays() {
    suite::alone("dev_sigterm", async {
        let mut cluster = Cluster::start().await?;
        let before =
            cluster.cli().json(&["lease", "acquire", "desk", "--holder", "alice", "--ttl", "10m"]).await?;
        let id = cluster.status().await?.cluster_id;
        let pids = cluster.pids().await?;
        let took = cluster.stop().await?;
        ensure!(pids.len() == 3 && pids.values().all(|pid| !process::is_alive(*pid)), "all ended: {pids:?}");
        cluster.start_again().await?;
        let after = cluster.cli().json(&["lease", "get", "desk"]).await?;
        ensure!(after["token"] == before["token"] && after["holder"] == "alice", "{after}");
        ensure!(cluster.status().await?.cluster_id == id, "the same cluster");
        figures::record("dev_sigterm", &serde_json::json!({ "stop_ms": figures::millis(took) }))
    });
}

#[test]
fn the_nodes_end_with_a_killed_dev() {
    suite::alone("dev_killed", async {
        let mut cluster = Cluster::start().await?;
        let pids = cluster.pids().await?;
        let killed = Instant::now();
        cluster.kill_dev().await?;
        all_gone(pids.values().copied().collect()).await?;
        let figure = serde_json::json!({ "ended_after_ms": figures::millis(killed.elapsed()) });
        figures::record("dev_killed", &figure)?;
        cluster.start_again().await?;
        Ok(())
    });
}

#[test]
fn a_taken_port_is_told_by_its_number() {
    suite::alone("dev_taken_port", async {
        let cluster = Cluster::start().await?;
        let base = cluster.base_port().to_string();
        let second = cluster.cli().run(&["dev", "--base-port", &base]).await?;
        let port = cluster.api(1).to_string();
        ensure!(second.code == 1 && second.stderr.contains(&port), "{second:?}");
        ensure!(second.stderr.contains("--base-port"), "what to do instead: {}", second.stderr);
        Ok(())
    });
}

#[test]
fn a_node_that_dies_is_started_again() {
    suite::alone("dev_restart", async {
        let mut cluster = Cluster::start().await?;
        let pid = cluster.pid(2).await?;
        cluster.signal_pid(2, pid, rustix::process::Signal::KILL)?;
        all_gone(vec![pid]).await?;
        let killed = Instant::now();
        cluster.wait_ready().await?;
        ensure!(killed.elapsed() >= Duration::from_millis(1900), "as systemd would, after two seconds");
        ensure!(cluster.pid(2).await? != pid, "a new process");
        Ok(())
    });
}

async fn all_gone(pids: Vec<u32>) -> Result<()> {
    wait::until(Duration::from_secs(5), "the end of the processes", || async {
        Ok(pids.iter().all(|pid| !process::is_alive(*pid)).then_some(()))
    })
    .await
}
