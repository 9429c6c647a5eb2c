//! `tenure redis doctor` against Debian's redis-server, where all of its catalogue works, and against this cluster.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::cli::{Cli, Ran};
use tests::cluster::Cluster;
use tests::ports::Ports;
use tests::redis_server::RedisServer;
use tests::{figures, resp, suite};

/// What may not work here: it needs channels, or waits for an element of a list.
const MAY_FAIL: [&str; 3] = ["StackExchange.Redis", "python-redis-lock", "Redisson RLock"];

fn at(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

async fn doctor(arguments: &[&str]) -> Result<Ran> {
    Cli::new(&[]).run_json(&[&["redis", "doctor"], arguments].concat()).await
}

/// The libraries of an endpoint that do not work.
fn failing(report: &Value, endpoint: usize) -> Result<Vec<&Value>> {
    let libraries = report["endpoints"][endpoint]["libraries"].as_array().context("libraries")?;
    ensure!(libraries.len() > 35, "{} libraries", libraries.len());
    for library in libraries {
        ensure!(library["works"] == library["failed"].is_null(), "{library}");
    }
    Ok(libraries.iter().filter(|library| library["works"] == false).collect())
}

fn warned(report: &Value, what: &str) -> bool {
    let warnings = report["warnings"].as_array().map(Vec::as_slice).unwrap_or_default();
    warnings.iter().any(|warning| warning["what"].as_str().is_some_and(|said| said.contains(what)))
}

async fn leaves_nothing(port: u16) -> Result<()> {
    let left = resp::ask(port, &["KEYS", "tenure-doctor:*"]).await?;
    ensure!(left.array()?.is_empty(), "it leaves {left:?}");
    Ok(())
}

#[test]
fn everything_works_with_redis_server() {
    let Some(cli) = suite::tool("doctor_redis_server", "TENURE_REDIS_CLI") else { return };
    suite::beside("doctor_redis_server", async {
        let ports = Ports::claim()?;
        let _server = RedisServer::start_at(Path::new(&cli), ports.base, &[]).await?;
        let report = doctor(&[&at(ports.base)]).await?.expect(0, "")?.json()?;
        ensure!(failing(&report, 0)?.is_empty() && report["works"] == true, "{report:#}");
        ensure!(
            report["endpoints"][0]["server"] == "redis" && report["endpoints"][0]["resp3"] == true,
            "{report:#}"
        );
        ensure!(warned(&report, "FLUSHALL is allowed") && warned(&report, "after a restart"), "{report:#}");
        leaves_nothing(ports.base).await
    });
}

#[test]
fn a_password_is_asked_for_and_given() {
    let Some(cli) = suite::tool("doctor_password", "TENURE_REDIS_CLI") else { return };
    suite::beside("doctor_password", async {
        let ports = Ports::claim()?;
        let _server =
            RedisServer::start_at(Path::new(&cli), ports.base, &["--requirepass", "secret"]).await?;
        let address = at(ports.base);
        let only = ["--only", "redlock-py", &address];
        doctor(&only).await?.expect(4, "NOT_PERMITTED")?;
        let directory = tempfile::tempdir()?;
        let file = directory.path().join("password");
        let path = file.to_str().context("a temporary directory has a plain name")?;
        std::fs::write(&file, "wrong\n")?;
        let wrong =
            doctor(&[&only[..], &["--password-file", path]].concat()).await?.expect(4, "NOT_PERMITTED")?;
        ensure!(wrong.error()?["message"].to_string().contains("WRONGPASS"), "{wrong:?}");
        std::fs::write(&file, "secret\n")?;
        for user in [&[][..], &["--user", "default"]] {
            let report = doctor(&[&only[..], user, &["--password-file", path]].concat()).await?;
            ensure!(report.expect(0, "")?.json()?["works"] == true, "with the password");
        }
        Ok(())
    });
}

#[test]
fn locks_work_with_every_node_which_are_one() {
    suite::beside("doctor", async {
        let cluster = Cluster::start().await?;
        let all = cluster.redis_ports().map(at);
        let report = doctor(&[&all[0], &all[1], &all[2]]).await?;
        let code = report.code;
        let report = report.json()?;
        ensure!(code == i32::from(report["works"] == false), "exit code {code}");
        for endpoint in 0..3 {
            ensure!(report["endpoints"][endpoint]["server"] == "tenure", "{report:#}");
            for library in failing(&report, endpoint)? {
                let may_fail = MAY_FAIL.iter().any(|name| library["library"] == *name);
                ensure!(may_fail, "{library:#}");
            }
        }
        ensure!(
            warned(&report, "they are one endpoint") && warned(&report, "FLUSHALL is allowed"),
            "{report:#}"
        );
        figures::record("doctor", &serde_json::json!({ "failing": failing(&report, 0)? }))?;

        let some = doctor(&["--only", "redis-py,redlock,Lettuce", &all[1]]).await?.expect(0, "")?.json()?;
        ensure!(some["works"] == true && !warned(&some, "they are one endpoint"), "{some:#}");
        let none = doctor(&["--only", "no such library", &all[1]]).await?.expect(2, "USAGE")?;
        ensure!(none.stdout.is_empty(), "{none:?}");

        let sentinel = doctor(&[&at(cluster.sentinel(1))]).await?.expect(1, "INCOMPATIBLE")?.json()?;
        ensure!(warned(&sentinel, "this is a Sentinel"), "{sentinel:#}");
        doctor(&[&at(cluster.api(1))]).await?.expect(5, "UNREACHABLE")?;
        leaves_nothing(cluster.redis(3)).await
    });
}
