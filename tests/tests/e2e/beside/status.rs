//! `tenure status`: within two seconds, from whatever lives.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use tests::cli::Cli;
use tests::cluster::{Cluster, Options};
use tests::{figures, grpc, suite, wait};
use wire::v1;

const LIMIT: Duration = Duration::from_secs(2);

#[test]
fn status_answers_within_two_seconds_from_whatever_lives() {
    suite::beside("status_whatever_lives", async {
        let mut cluster = Cluster::start_with(Options { no_restart: true, ..Options::default() }).await?;
        let all = cluster.cli().run_json(&["status"]).await?.expect(0, "")?;
        let value = all.json()?;
        for key in
            ["cluster_id", "term", "leader", "active", "quorum", "failure_tolerance", "problems", "nodes"]
        {
            ensure!(!value[key].is_null(), "{key} is missing in {value}");
        }
        for key in [
            "id",
            "name",
            "role",
            "reachable",
            "api",
            "peer",
            "redis",
            "sentinel",
            "http",
            "last_log",
            "committed",
        ] {
            ensure!(!value["nodes"][0][key].is_null(), "nodes[].{key} is missing in {value}");
        }
        for key in ["applied", "lag", "version", "pid"] {
            ensure!(!value["nodes"][0][key].is_null(), "nodes[].{key} is missing in {value}");
        }
        ensure!(value["problems"] == serde_json::json!([]) && value["failure_tolerance"] == 1, "{value}");

        // A frozen node is the slowest to tell from a dead one: it takes connections and answers nothing.
        let follower = cluster.followers().await?[0];
        cluster.signal(follower, Signal::STOP).await?;
        let frozen = cluster.cli().run_json(&["status"]).await?.expect(0, "")?;
        ensure!(frozen.took < LIMIT, "{:?} with a frozen node", frozen.took);
        let status = cluster.status().await?;
        ensure!(status.quorum && status.failure_tolerance == 0 && !status.problems.is_empty(), "{status:?}");
        for problem in &status.problems {
            for key in ["severity", "what", "since", "next"] {
                ensure!(problem.get(key).is_some(), "a problem has {key}: {problem}");
            }
        }
        cluster.thaw(follower)?;

        // The majority killed: full output, and exit 5.
        for node in cluster.followers().await? {
            cluster.signal(node, Signal::KILL).await?;
        }
        let alone = cluster.cli().run_json(&["status"]).await?;
        ensure!(alone.took < LIMIT, "{:?} without a quorum", alone.took);
        let alone = alone.expect(5, "NO_QUORUM")?;
        let value = alone.json()?;
        ensure!(
            value["leader"].is_null() && value["active"].is_null() && value["quorum"] == false,
            "{value}"
        );
        ensure!(value["nodes"].as_array().is_some_and(|nodes| nodes.len() == 3), "{value}");
        let people = cluster.cli().run(&["status"]).await?;
        ensure!(
            people.code == 5 && people.stdout.contains("node1") && people.stdout.contains("critical"),
            "{people:?}"
        );

        // None at all.
        let last =
            cluster.status().await?.nodes.into_iter().find(|node| node.reachable).context("one lives")?;
        cluster.signal_pid(last.id, last.pid.context("its pid")?, Signal::KILL)?;
        let none = cluster.cli().run_json(&["status"]).await?;
        ensure!(none.took < LIMIT && none.code == 5, "{none:?}");
        figures::record(
            "status",
            &serde_json::json!({
                "frozen_ms": figures::millis(frozen.took), "no_quorum_ms": figures::millis(alone.took),
                "none_ms": figures::millis(none.took),
            }),
        )
    });
}

#[test]
fn without_a_quorum_nothing_is_done_and_that_is_said() {
    suite::beside("no_quorum", async {
        let mut cluster = Cluster::start_with(Options { no_restart: true, ..Options::default() }).await?;
        let followers = cluster.followers().await?;
        let leader = cluster.leader().await?;
        for node in followers {
            cluster.signal(node, Signal::KILL).await?;
        }
        let cli = cluster.cli_at(leader);
        // A write that the old leader may still take has an unknown outcome, never a failure; once it knows better,
        // it was certainly not executed.
        let acquire = ["lease", "acquire", "desk", "--holder", "alice", "--ttl", "10s"];
        let first = cli.run_json(&acquire).await?;
        ensure!(first.code == 5 || first.code == 7, "{first:?}");
        let second = cli.run_json(&acquire).await?;
        second.expect(5, "NO_QUORUM")?;
        cli.run_json(&["lease", "get", "desk"]).await?.expect(5, "NO_QUORUM")?;
        Ok(())
    });
}

#[test]
fn a_follower_forwards_and_every_reply_says_where_it_is_from() {
    suite::beside("headers", async {
        let cluster = Cluster::start().await?;
        let status = cluster.status().await?;
        let mut last = 0;
        for node in [1, 2, 3] {
            let mut leases = grpc::leases(cluster.api(node))?;
            let reply =
                leases.acquire(grpc::acquire(&format!("desk-{node}"), "alice", 60_000)).await?.into_inner();
            let header = reply.header.clone().context("a header")?;
            ensure!(
                Some(&header.cluster_id) == status.cluster_id.as_ref() && header.node == node,
                "{header:?}"
            );
            ensure!(header.term >= 1 && header.log_index >= 1 && header.serial > last, "{header:?}");
            last = header.serial;
            let read = leases.get(v1::GetRequest { name: format!("desk-{node}") }).await?.into_inner();
            let read = read.header.context("a header")?;
            ensure!(read.serial >= last && read.log_index >= header.log_index, "{read:?} after {header:?}");
        }
        Ok(())
    });
}

#[test]
fn digests_of_three_nodes_agree() {
    suite::beside("digests", async {
        let cluster = Cluster::start().await?;
        cluster.cli().json(&["lease", "acquire", "desk", "--holder", "alice", "--ttl", "60s"]).await?;
        digests_agree(&cluster.cli()).await.map(drop)
    });
}

/// Waits for a checkpoint that all three have reported, and compares.
pub(crate) async fn digests_agree(cli: &Cli) -> Result<u64> {
    wait::until(Duration::from_secs(40), "a checkpoint at the same index on three nodes", || async {
        let nodes = cli.status().await?.nodes;
        let indices: Vec<_> = nodes.iter().map(|node| node.digest_index).collect();
        let Some(Some(index)) = indices.first().copied() else { return Ok(None) };
        if indices.iter().any(|other| *other != Some(index)) {
            return Ok(None);
        }
        let digest = nodes[0].digest.clone().context("a digest")?;
        // Not an error to be tried again: a difference is the end of the test.
        assert!(nodes.iter().all(|node| node.digest.as_ref() == Some(&digest)), "digests differ: {nodes:?}");
        Ok(Some(index))
    })
    .await
}
