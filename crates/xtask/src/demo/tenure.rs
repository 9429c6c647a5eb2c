//! Three Tenure nodes, from the files in `cluster`, machine 1 the leader's.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::network::{MACHINES, address};
use super::site::{Process, Site, asked, until};
use super::trial::System;
use crate::run::root;

const SETTINGS: &str = "the files in cluster/";

const READY_WITHIN: Duration = Duration::from_secs(30);

pub(super) fn start(site: &Site) -> Result<System> {
    let directory = site.directory("tenure")?;
    let mut processes = Vec::new();
    for machine in MACHINES {
        let file = directory.join(format!("node{machine}.toml"));
        std::fs::write(
            &file,
            settings(machine, &directory.join(machine.to_string()).display().to_string())?,
        )?;
        let mut node = site.network.on(machine, &site.programs.tenure);
        node.arg("node").arg("--config").arg(file);
        processes.push(Process::start(&mut node, &directory.join(format!("node{machine}.log")))?);
    }
    until(READY_WITHIN, "three nodes that found a group", || {
        Ok(!asked(&mut cli(site, &["init"])).is_empty())
    })?;
    until(READY_WITHIN, "node 1 as the leader", || {
        let status: Value = serde_json::from_str(&asked(&mut cli(site, &["status"]))).unwrap_or_default();
        if status["active"].as_u64().is_some_and(|active| active != 1) {
            asked(&mut cli(site, &["leader", "transfer", "--to", "1", "--yes"]));
        }
        Ok(status["active"] == 1 && status["failure_tolerance"] == 1)
    })?;
    let said = asked(Command::new(&site.programs.tenure).arg("--version"));
    let version = said.trim().strip_prefix("tenure ").with_context(|| format!("no version: {said}"))?;
    Ok(System { name: format!("Tenure {version}"), settings: SETTINGS, directory, processes })
}

/// A machine's file, but for where its data is.
fn settings(machine: u8, data: &str) -> Result<String> {
    let file = root().join(format!("cluster/node{machine}.toml"));
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let line = "data = \"/var/lib/tenure\"";
    ensure!(text.contains(line), "{} has no line {line}", file.display());
    Ok(text.replace(line, &format!("data = {data:?}")))
}

fn cli(site: &Site, arguments: &[&str]) -> Command {
    let endpoints = MACHINES.map(|machine| format!("{}:7101", address(machine))).join(",");
    let mut cli = site.network.on(1, &site.programs.tenure);
    cli.args(["--output", "json", "--endpoints", &endpoints]).args(arguments);
    cli
}
