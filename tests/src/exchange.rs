//! `tenure venue-sim` as a process of its own.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::ports::Ports;
use crate::suite;

const STARTS_WITHIN: Duration = Duration::from_secs(10);

/// A simulated exchange that runs until this is dropped.
pub struct Exchange {
    ports: Ports,
    _process: Child,
}

impl Exchange {
    pub async fn start() -> Result<Exchange> {
        let ports = Ports::claim()?;
        let mut command = Command::new(suite::binary());
        let at = |offset| format!("127.0.0.1:{}", ports.base + offset);
        command.args(["venue-sim", "--listen", &at(900), "--control", &at(901)]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().context("`tenure venue-sim` cannot be started")?;
        let stdout = process.stdout.take().context("standard output was asked for")?;
        let mut lines = BufReader::new(stdout).lines();
        let ready = async {
            while let Some(line) = lines.next_line().await? {
                if line == "ready" {
                    return Ok(());
                }
            }
            anyhow::bail!("`tenure venue-sim` ended before it was ready")
        };
        timeout(STARTS_WITHIN, ready).await.context("`tenure venue-sim` is not ready in time")??;
        Ok(Exchange { ports, _process: process })
    }

    /// For clients.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports.base + 900)
    }

    /// For its operator.
    pub fn control(&self) -> String {
        format!("127.0.0.1:{}", self.ports.base + 901)
    }
}
