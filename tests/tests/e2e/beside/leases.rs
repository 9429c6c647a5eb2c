//! `tenure lease …`: the verbs, their JSON and their exit codes.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tests::cli::Cli;
use tests::cluster::Cluster;
use tests::{grpc, suite};
use wire::v1;

#[test]
fn lease_verbs_have_the_documented_json_and_exit_codes() {
    suite::beside("lease_verbs", async {
        let cluster = Cluster::start().await?;
        let cli = cluster.cli();

        let free = cli.run_json(&["lease", "get", "desk"]).await?.expect(3, "EXPIRED")?;
        let nothing =
            json!({"name": "desk", "holder": null, "token": null, "ttl_ms": null, "remaining_ms": null});
        ensure!(free.json()? == nothing, "a free lease: {}", free.stdout);

        let granted = acquire(&cli, "alice").await?;
        ensure!(
            granted.0 && granted.1["holder"] == "alice" && granted.1["ttl_ms"] == 60_000,
            "{}",
            granted.1
        );
        let token = granted.1["token"].as_u64().context("a token")?;
        let remaining = granted.1["remaining_ms"].as_u64().context("a remaining time")?;
        ensure!((1..=60_000).contains(&remaining), "{remaining} ms remain");

        // Refused to another and to the same holder, with the present lease as data.
        for holder in ["bob", "alice"] {
            let (acquired, lease) = acquire(&cli, holder).await?;
            ensure!(!acquired && lease["holder"] == "alice" && lease["token"] == token, "{lease}");
        }

        // A take-over fences the token before it.
        let take = ["lease", "acquire", "desk", "--holder", "alice", "--ttl", "60s", "--take-over"];
        let taken = cli.json(&take).await?;
        let newer = taken["token"].as_u64().context("a token")?;
        ensure!(newer > token, "a take-over's token {newer} after {token}");
        let bob = ["lease", "acquire", "desk", "--holder", "bob", "--ttl", "60s", "--take-over"];
        cli.run_json(&bob).await?.expect(6, "HELD")?;

        let renew = |token: u64| {
            let cli = cli.clone();
            async move {
                let token = token.to_string();
                cli.run_json(&[
                    "lease", "renew", "desk", "--holder", "alice", "--token", &token, "--ttl", "30s",
                ])
                .await
            }
        };
        renew(token).await?.expect(6, "FENCED")?;
        let renewed = renew(newer).await?.expect(0, "")?.json()?;
        ensure!(renewed["token"] == newer && renewed["ttl_ms"] == 30_000, "{renewed}");
        let newer = newer.to_string();
        let other = ["lease", "renew", "desk", "--holder", "bob", "--token", &newer];
        cli.run_json(&other).await?.expect(6, "NOT_HOLDER")?;

        let list = cli.json(&["lease", "list"]).await?;
        ensure!(list.as_array().is_some_and(|all| all.len() == 1 && all[0]["name"] == "desk"), "{list}");
        let lines = cli.run(&["-o", "jsonl", "lease", "list"]).await?;
        ensure!(serde_json::from_str::<Value>(lines.stdout.trim())?["name"] == "desk", "{lines:?}");
        let table = cli.run(&["lease", "list"]).await?;
        ensure!(table.stdout.contains("alice") && !table.stdout.contains('\x1b'), "{table:?}");

        let token = token.to_string();
        let stale = ["lease", "release", "desk", "--holder", "alice", "--token", &token];
        cli.run_json(&stale).await?.expect(6, "FENCED")?;
        let release = ["lease", "release", "desk", "--holder", "alice", "--token", &newer];
        cli.run_json(&release).await?.expect(0, "")?;
        cli.run_json(&release).await?.expect(3, "EXPIRED")?;
        cli.run_json(&["lease", "get", "desk"]).await?.expect(3, "EXPIRED")?;
        Ok(())
    });
}

async fn acquire(cli: &Cli, holder: &str) -> Result<(bool, Value)> {
    let ran = cli.run_json(&["lease", "acquire", "desk", "--holder", holder, "--ttl", "60s"]).await?;
    let lease = ran.json()?;
    let acquired = lease["acquired"].as_bool().context("`acquired` is told")?;
    ran.expect(if acquired { 0 } else { 6 }, "HELD")?;
    Ok((acquired, lease))
}

#[test]
fn lease_acquire_waits_for_a_release() {
    suite::beside("lease_wait", async {
        let cluster = Cluster::start().await?;
        let cli = cluster.cli();
        let held = cli.json(&["lease", "acquire", "desk", "--holder", "alice", "--ttl", "60s"]).await?;
        let token = held["token"].to_string();
        let wait = ["lease", "acquire", "desk", "--holder", "bob", "--ttl", "10s", "--wait", "200ms"];
        let refused = cli.run_json(&wait).await?.expect(6, "HELD")?;
        ensure!(refused.took >= Duration::from_millis(200), "waited {:?}", refused.took);
        let wait = ["lease", "acquire", "desk", "--holder", "bob", "--ttl", "10s", "--wait", "20s"];
        let release = ["lease", "release", "desk", "--holder", "alice", "--token", &token];
        let (won, released) = tokio::join!(cli.json(&wait), cli.json(&release));
        released?;
        ensure!(won?["holder"] == "bob", "the waiting one has it");
        Ok(())
    });
}

#[test]
fn lease_watch_tells_every_change() {
    suite::beside("lease_watch", async {
        let cluster = Cluster::start().await?;
        let mut leases = grpc::leases(cluster.api(2))?;
        let mut changes = leases.watch(v1::WatchRequest { name: "desk".into() }).await?.into_inner();
        let mut next = async || -> Result<Option<String>> {
            let change = tokio::time::timeout(Duration::from_secs(10), changes.message()).await;
            let change = change.context("no change was told")??.context("the stream ended")?;
            Ok(change.lease.context("a change has a lease")?.holder)
        };
        ensure!(next().await?.is_none(), "free at first");
        let mut other = grpc::leases(cluster.api(3))?;
        other.acquire(grpc::acquire("desk", "alice", 300)).await?;
        ensure!(next().await?.as_deref() == Some("alice"), "then held");
        ensure!(next().await?.is_none(), "then free again, by itself");
        Ok(())
    });
}

#[test]
fn a_repeated_request_runs_once() {
    suite::beside("repeated_request", async {
        let cluster = Cluster::start().await?;
        let request = grpc::acquire("desk", "alice", 60_000);
        let first = grpc::leases(cluster.api(1))?.acquire(request.clone()).await?.into_inner();
        let again = grpc::leases(cluster.api(2))?.acquire(request).await?.into_inner();
        ensure!(again.header.context("a header")?.repeated, "the second is a repetition");
        ensure!(
            again.acquired && again.lease.map(|l| l.token) == first.lease.map(|l| l.token),
            "the same grant"
        );
        Ok(())
    });
}
