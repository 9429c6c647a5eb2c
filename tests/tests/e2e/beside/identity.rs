//! Which directory a node may run on: its own, alone, and never an empty one under a used id.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use tests::cluster::{Cluster, Options};
use tests::node::NodeFile;
use tests::ports::Ports;
use tests::{suite, wait};

#[test]
fn two_nodes_on_one_directory_are_refused() {
    suite::beside("one_directory", async {
        let cluster = Cluster::start().await?;
        let ports = Ports::claim()?;
        let copy = link_beside(&cluster, 1, "second")?;
        let said = NodeFile::new(1, copy, ports.base + 101).refused().await?;
        ensure!(said.contains("node1") && said.contains("use"), "the directory and why: {said}");
        let status = cluster.wait_ready().await?;
        ensure!(status.problems.is_empty(), "the first lives on: {status:?}");
        Ok(())
    });
}

#[test]
fn a_foreign_directory_is_refused() {
    suite::beside("foreign_directory", async {
        let options = Options { no_restart: true, ..Options::default() };
        let mut cluster = Cluster::start_with(options).await?;
        let pid = cluster.pid(2).await?;
        cluster.signal_pid(2, pid, Signal::KILL)?;
        gone(pid).await?;
        let ports = Ports::claim()?;
        let directory = link_beside(&cluster, 2, "foreign")?;
        let said = NodeFile::new(3, directory, ports.base + 101).refused().await?;
        ensure!(said.contains("node 2") && said.contains("3"), "both ids: {said}");
        Ok(())
    });
}

#[test]
fn a_node_of_another_cluster_is_refused_by_the_members() {
    suite::beside("foreign_cluster", async {
        let options = Options { no_restart: true, ..Options::default() };
        let mut ours = Cluster::start_with(options.clone()).await?;
        let mut theirs = Cluster::start_with(options).await?;
        ours.cli().json(&["lease", "acquire", "desk", "--holder", "alice", "--ttl", "10m"]).await?;
        let leader = ours.leader().await?;
        let follower = ours.followers().await?[0];
        for cluster in [&mut ours, &mut theirs] {
            let pid = cluster.pid(follower).await?;
            cluster.signal_pid(follower, pid, Signal::KILL)?;
            gone(pid).await?;
        }
        // Their directory under our member's address and id.
        let directory = link_beside(&theirs, follower, "foreign")?;
        let file = NodeFile::new(follower, directory, ours.api(follower));
        let node = file.start().await?;
        // It is never taken for the member that it is not: the group goes on with two, and its state stays out.
        let status = ours.cli_at(leader).status().await?;
        ensure!(status.leader == Some(leader), "{status:?}");
        let status = ours.status().await?;
        ensure!(!status.problems.is_empty(), "a stranger at a member's address is a problem: {status:?}");
        let lease = ours.cli_at(leader).json(&["lease", "get", "desk"]).await?;
        ensure!(lease["holder"] == "alice", "{lease}");
        drop(node);
        Ok(())
    });
}

#[test]
fn a_wiped_member_is_not_taken_back_and_that_is_seen() {
    suite::beside("wiped_member", async {
        let options = Options { no_restart: true, ..Options::default() };
        let mut cluster = Cluster::start_with(options).await?;
        cluster.cli().json(&["lease", "acquire", "desk", "--holder", "alice", "--ttl", "10m"]).await?;
        let follower = cluster.followers().await?[0];
        let pid = cluster.pid(follower).await?;
        cluster.signal_pid(follower, pid, Signal::KILL)?;
        gone(pid).await?;
        let data = cluster.data().join(format!("node{follower}"));
        std::fs::remove_dir_all(&data)?;
        let file = NodeFile::new(follower, data, cluster.api(follower));
        let log = file.log();
        // It may refuse to run or run without belonging to the group; it must not vote with an empty memory.
        let node = file.start().await;
        let problem = wait::until(Duration::from_secs(20), "the problem in the status", || async {
            let status = cluster.status().await?;
            let name = format!("node{follower}");
            let problem = status.problems.iter().find(|problem| problem["what"].to_string().contains(&name));
            Ok(problem.cloned())
        })
        .await?;
        ensure!(problem["next"].as_str().is_some_and(|next| !next.is_empty()), "{problem}");
        let status = cluster.status().await?;
        ensure!(status.failure_tolerance == 0, "an empty member counts for nothing: {status:?}");

        // With one of the two others gone there is no majority, whatever the empty one says.
        let other =
            cluster.followers().await?.into_iter().find(|node| *node != follower).context("another")?;
        cluster.signal(other, Signal::KILL).await?;
        let refused = cluster.cli().run_json(&["lease", "get", "desk"]).await?;
        ensure!(
            refused.code == 5,
            "an empty member voted: {refused:?}; its log: {}",
            tests::node::tail(&log)
        );
        drop(node);
        Ok(())
    });
}

/// The directory of a node under another path, for a second node's file and log beside it.
fn link_beside(cluster: &Cluster, node: u64, name: &str) -> Result<std::path::PathBuf> {
    let place = cluster.data().join(name);
    std::fs::create_dir(&place)?;
    let link = place.join(format!("node{node}"));
    std::os::unix::fs::symlink(cluster.data().join(format!("node{node}")), &link)?;
    Ok(link)
}

async fn gone(pid: u32) -> Result<()> {
    wait::until(Duration::from_secs(5), "the end of a killed process", || async {
        Ok((!tests::process::is_alive(pid)).then_some(()))
    })
    .await
}
