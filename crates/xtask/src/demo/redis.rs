//! Redis with Sentinel: a server and a Sentinel on each machine, machine 1 the master's.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::network::{MACHINES, address};
use super::site::{Process, Site, asked, until};
use super::trial::System;

const SETTINGS: &str = "appendonly yes, down-after-milliseconds 5000, quorum 2; else as shipped";

/// What a Sentinel needs to know, and the time after which a master is down: shipped are 30 s, which few who trade leave.
const SENTINEL: &str = "port 26379
sentinel monitor mymaster 10.0.0.1 6379 2
sentinel down-after-milliseconds mymaster 5000
";

const READY_WITHIN: Duration = Duration::from_secs(30);

pub(super) fn start(site: &Site) -> Result<System> {
    let directory = site.directory("redis")?;
    let mut processes = Vec::new();
    for machine in MACHINES {
        let mut server = server(site, machine);
        server
            .args(["--port", "6379", "--protected-mode", "no", "--appendonly", "yes", "--dir"])
            .arg(site.directory(&format!("redis/{machine}"))?);
        if machine != 1 {
            server.args(["--replicaof", &address(1), "6379"]);
        }
        processes.push(Process::start(&mut server, &directory.join(format!("server{machine}.log")))?);
    }
    until(READY_WITHIN, "two replicas that follow", || {
        let replication = asked(site.redis_cli(1, "6379").args(["INFO", "replication"]));
        Ok(replication.matches("state=online").count() == 2)
    })?;
    for machine in MACHINES {
        let file = directory.join(format!("sentinel{machine}.conf"));
        std::fs::write(&file, SENTINEL)?;
        let mut sentinel = server(site, machine);
        sentinel.arg(&file).arg("--sentinel");
        processes.push(Process::start(&mut sentinel, &directory.join(format!("sentinel{machine}.log")))?);
    }
    for machine in MACHINES {
        until(READY_WITHIN, "a Sentinel that knows all others", || {
            let master = asked(site.redis_cli(machine, "26379").args(["SENTINEL", "MASTER", "mymaster"]));
            let lines: Vec<&str> = master.lines().collect();
            let knows_two = |what: &str| lines.windows(2).any(|pair| pair == [what, "2"]);
            Ok(knows_two("num-slaves") && knows_two("num-other-sentinels"))
        })?;
    }
    let name = format!("Redis {} with Sentinel", version(&site.programs.redis_server)?);
    Ok(System { name, settings: SETTINGS, directory, processes })
}

fn server(site: &Site, machine: u8) -> Command {
    site.network.on(machine, &site.programs.redis_server)
}

/// Of `Redis server v=7.0.15 sha=…`.
fn version(server: &Path) -> Result<String> {
    let said = asked(Command::new(server).arg("--version"));
    let version = said.split_ascii_whitespace().find_map(|word| word.strip_prefix("v="));
    Ok(version.with_context(|| format!("the redis-server tells no version: {said}"))?.to_owned())
}
