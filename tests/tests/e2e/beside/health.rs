//! What load balancers and monitors ask over HTTP.

use anyhow::{Context, ensure};
use tests::cluster::Cluster;
use tests::{http, suite};

#[test]
fn health_says_who_leads_and_who_is_ready() {
    suite::beside("health", async {
        let cluster = Cluster::start().await?;
        let leader = cluster.wait_ready().await?.leader.context("a ready cluster has a leader")?;
        for node in [1, 2, 3] {
            let port = cluster.http(node);
            ensure!(http::code(port, "/livez").await? == 200, "/livez of node {node}");
            let ready = http::get(port, "/readyz?verbose").await?;
            ensure!(
                ready.code == 200 && !ready.body.trim().is_empty(),
                "/readyz of node {node}: {}",
                ready.body
            );
            let expected = if node == leader { 200 } else { 503 };
            for path in ["/leader", "/active"] {
                let code = http::code(port, path).await?;
                ensure!(code == expected, "{path} of node {node}, {leader} leads: {code}");
            }
            let metrics = http::get(port, "/metrics").await?;
            ensure!(
                metrics.code == 200 && metrics.body.contains("# TYPE tenure_"),
                "/metrics of node {node}"
            );
            ensure!(http::code(port, "/nonsense").await? == 404, "an unknown path");
        }
        Ok(())
    });
}

#[test]
fn leases_are_json_over_http() {
    suite::beside("leases_over_http", async {
        let cluster = Cluster::start().await?;
        cluster.cli().json(&["lease", "acquire", "desk", "--holder", "alice", "--ttl", "10m"]).await?;
        let answer = http::get(cluster.http(2), "/api/v1/leases/desk").await?;
        ensure!(answer.code == 200 && answer.body.contains("\"alice\""), "{} {}", answer.code, answer.body);
        let answer = http::get(cluster.http(3), "/api/v1/leases").await?;
        ensure!(answer.code == 200 && answer.body.contains("\"desk\""), "{} {}", answer.code, answer.body);
        Ok(())
    });
}
