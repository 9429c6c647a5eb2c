//! `tenure member`: a fourth node comes, votes and goes.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::cluster::Cluster;
use tests::node::NodeFile;
use tests::{suite, wait};

#[test]
fn a_fourth_node_is_added_promoted_and_removed() {
    suite::beside("members", async {
        let cluster = Cluster::start().await?;
        let cli = cluster.cli();
        let before = cli.json(&["lease", "acquire", "desk", "--holder", "alice", "--ttl", "10m"]).await?;

        let mut file = NodeFile::new(0, cluster.data().join("node4"), cluster.base_port() + 401);
        let (peer, api) = (file.peer(), file.api());
        let added =
            cli.json(&["member", "add", "--peer", &peer, "--api", &api, "--reason", "a test"]).await?;
        file.id = added["node"].as_u64().context("the new id")?;
        ensure!(file.id > 3, "an id is never used twice: {added}");
        let id = file.id.to_string();
        let learner = member(&cluster, file.id).await?.context("the new member is listed")?;
        ensure!(learner["voter"] == false && learner["peer"] == *peer, "{learner}");

        let node = file.start().await?;
        wait::until(Duration::from_secs(20), "the promotion of a learner that has caught up", || async {
            let ran = cli.run_json(&["member", "promote", &id]).await?;
            ensure!(ran.code == 0, "{ran:?}");
            Ok(Some(()))
        })
        .await?;
        let voter = member(&cluster, node.file.id).await?.context("it is a member")?;
        ensure!(voter["voter"] == true, "{voter}");

        // What was written before is read there.
        let there = tests::cli::Cli::new(std::slice::from_ref(&api));
        let lease = there.json(&["lease", "get", "desk"]).await?;
        ensure!(lease["token"] == before["token"], "{lease} at the new node");

        cli.run_json(&["member", "remove", &id]).await?.expect(2, "USAGE")?;
        cli.json(&["member", "remove", &id, "--yes"]).await?;
        ensure!(member(&cluster, node.file.id).await?.is_none(), "it is no member any more");
        cli.run_json(&["member", "remove", "99", "--yes"]).await?.expect(3, "NOT_FOUND")?;

        // The removed one disturbs nobody: the others keep their leader.
        let term = cluster.wait_ready().await?.term;
        drop(node);
        ensure!(cluster.wait_ready().await?.term == term, "an election by a removed node");

        // A new member gets a new id.
        let again = cli.json(&["member", "add", "--peer", &peer, "--api", &api]).await?;
        ensure!(again["node"].as_u64().is_some_and(|again| again.to_string() != id), "{again} after {id}");
        Ok(())
    });
}

async fn member(cluster: &Cluster, id: u64) -> Result<Option<Value>> {
    let list = cluster.cli().json(&["member", "list"]).await?;
    let members = list.as_array().context("an array")?;
    Ok(members.iter().find(|member| member["id"] == id).cloned())
}
