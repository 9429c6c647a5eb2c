//! The operator's commands, run as an operator's script runs them.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;
use tokio::process::Command;

use crate::suite;

/// No command may take longer; one that does has failed.
const LIMIT: Duration = Duration::from_secs(40);

/// Runs commands against some endpoints.
#[derive(Clone, Debug)]
pub struct Cli {
    endpoints: String,
}

/// What a command did.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

/// `tenure status -o json`.
#[derive(Clone, Debug, Deserialize)]
pub struct Status {
    pub cluster_id: Option<String>,
    pub term: u64,
    pub leader: Option<u64>,
    pub active: Option<u64>,
    pub quorum: bool,
    pub failure_tolerance: u64,
    pub problems: Vec<Value>,
    pub nodes: Vec<NodeStatus>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct NodeStatus {
    pub id: u64,
    pub role: Option<String>,
    pub reachable: bool,
    pub applied: Option<u64>,
    pub lag: Option<u64>,
    pub digest: Option<String>,
    pub digest_index: Option<u64>,
    pub pid: Option<u32>,
}

impl Cli {
    pub fn new(endpoints: &[String]) -> Self {
        Self { endpoints: endpoints.join(",") }
    }

    /// Runs a command to its end.
    pub async fn run(&self, arguments: &[&str]) -> Result<Ran> {
        let mut command = Command::new(suite::binary());
        command.args(arguments).env("TENURE_ENDPOINTS", &self.endpoints);
        // As if nobody had set anything.
        for name in ["TENURE_OUTPUT", "TENURE_TRADER", "USER"] {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).kill_on_drop(true);
        let started = Instant::now();
        let output = tokio::time::timeout(LIMIT, command.output()).await;
        let output = output.with_context(|| format!("{arguments:?} did not end within {LIMIT:?}"))??;
        Ok(Ran {
            code: output.status.code().with_context(|| format!("{arguments:?} ended by a signal"))?,
            stdout: String::from_utf8(output.stdout)?,
            stderr: String::from_utf8(output.stderr)?,
            took: started.elapsed(),
        })
    }

    /// Runs a command with `-o json` that must succeed.
    pub async fn json(&self, arguments: &[&str]) -> Result<Value> {
        let ran = self.run_json(arguments).await?;
        ensure!(ran.code == 0, "{arguments:?}: {ran:?}");
        ran.json()
    }

    /// Runs a command with `-o json`.
    pub async fn run_json(&self, arguments: &[&str]) -> Result<Ran> {
        self.run(&[&["-o", "json"], arguments].concat()).await
    }

    /// The cluster now, whatever its state.
    pub async fn status(&self) -> Result<Status> {
        let ran = self.run_json(&["status"]).await?;
        serde_json::from_str(&ran.stdout).with_context(|| format!("{ran:?}"))
    }
}

impl Ran {
    /// What it printed.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("no JSON on standard output: {self:?}"))
    }

    /// The error that it printed: four keys, and `reasons` if more than one is told at once.
    pub fn error(&self) -> Result<Value> {
        let last = self.stderr.lines().last().unwrap_or_default();
        let error: Value = serde_json::from_str(last).with_context(|| format!("no JSON error: {self:?}"))?;
        let keys = error.as_object().into_iter().flat_map(|error| error.keys());
        let count = keys.filter(|key| *key != "reasons").count();
        ensure!(count == 4, "an error has code, reason, message and next: {error}");
        ensure!(error["code"] == self.code, "the exit code is in the error: {self:?}");
        for key in ["reason", "message", "next"] {
            ensure!(error[key].as_str().is_some_and(|text| !text.is_empty()), "{key} is empty in {error}");
        }
        Ok(error)
    }

    /// That it ended with `code` and, unless that is 0, with an error of this reason.
    pub fn expect(self, code: i32, reason: &str) -> Result<Self> {
        ensure!(self.code == code, "exit code {} instead of {code}: {self:?}", self.code);
        if code != 0 {
            let error = self.error()?;
            ensure!(error["reason"] == reason, "reason {} instead of {reason}", error["reason"]);
        }
        Ok(self)
    }
}
