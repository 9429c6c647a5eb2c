//! Foreign clients, current and unmodified: each connects, takes a key, and leaves as its own documentation says.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tests::cluster::Cluster;
use tests::{figures, suite};
use tokio::process::Command;

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn redis_py_shakes_hands() {
    let Some(python) = suite::tool("redis_py", "TENURE_PYTHON") else { return };
    suite::beside("redis_py", async {
        let cluster = Cluster::start().await?;
        let mut command = Command::new(python);
        command.arg(program("python/handshake.py")).arg(cluster.redis(1).to_string());
        figures::record("redis_py", &serde_json::from_str(&run(command).await?)?)
    });
}

#[test]
fn ioredis_shakes_hands() {
    node("ioredis");
}

#[test]
fn node_redis_shakes_hands() {
    node("node-redis");
}

fn node(library: &str) {
    let name = library.replace('-', "_");
    let Some(modules) = suite::tool(&name, "TENURE_NODE_MODULES") else { return };
    suite::beside(&name, async {
        let cluster = Cluster::start().await?;
        let mut command = Command::new("node");
        command.env("NODE_PATH", modules).arg(program("node/handshake.js"));
        command.args([library, &cluster.redis(2).to_string()]);
        figures::record(&name, &serde_json::from_str(&run(command).await?)?)
    });
}

#[test]
fn redis_cli_shakes_hands() {
    let Some(cli) = suite::tool("redis_cli", "TENURE_REDIS_CLI") else { return };
    suite::beside("redis_cli", async {
        let cluster = Cluster::start().await?;
        let port = cluster.redis(3).to_string();
        let ask = async |arguments: &[&str]| {
            let mut command = Command::new(&cli);
            command.args(["-p", &port]).args(arguments);
            Ok::<_, anyhow::Error>(run(command).await?.trim().to_owned())
        };
        ensure!(ask(&["PING"]).await? == "PONG", "PING");
        // The line that `tenure dev` tells a newcomer to try.
        let try_this = ["SET", "leader", "bot-1", "NX", "PX", "60000"];
        ensure!(ask(&try_this).await? == "OK", "the first takes it");
        ensure!(ask(&try_this).await?.is_empty(), "the second does not");
        for protocol in ["-2", "-3"] {
            ensure!(ask(&[protocol, "GET", "leader"]).await? == "bot-1", "GET");
            let info = ask(&[protocol, "LEASE.INFO", "leader"]).await?;
            ensure!(["owner", "bot-1", "token", "pttl"].iter().all(|word| info.contains(word)), "{info}");
        }
        let compare =
            "if redis.call('get',KEYS[1]) == ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end";
        ensure!(ask(&["EVAL", compare, "1", "leader", "bot-2"]).await? == "0", "another may not");
        ensure!(ask(&["EVAL", compare, "1", "leader", "bot-1"]).await? == "1", "the holder may");
        let error = ask(&["SET", "leader", "x", "NONSENSE"]).await?;
        ensure!(error.contains("ERR syntax error"), "{error}");
        Ok(())
    });
}

fn program(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name)
}

/// What a program prints; it must end well.
async fn run(mut command: Command) -> Result<String> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(LIMIT, command.output()).await.context("it does not end")??;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {said}");
    Ok(String::from_utf8(output.stdout)?)
}
