//! A cluster of `tenure dev` for one test, with ports and data of its own.
//!
//! Invariants: it signals nothing but its own processes, and none of them outlives it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::cli::{Cli, Status};
use crate::ports::Ports;
use crate::{http, process, suite, wait};

/// From the start of the binary to an active leader, on a machine that does other things too.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// From a fault's end to three ready nodes.
const HEALED_WITHIN: Duration = Duration::from_secs(60);

/// A follower that lacks at most this many entries has caught up, also under load.
const LAG_MAX: u64 = 5000;

/// How a cluster is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Leave a node that dies dead.
    pub no_restart: bool,
    /// TOML for every node's file.
    pub set: Vec<&'static str>,
    pub environment: Vec<(OsString, OsString)>,
}

pub struct Cluster {
    dev: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// From the start of the binary to its line `ready`.
    pub ready_after: Duration,
    /// What was printed up to then.
    pub announced: Vec<String>,
    data: Option<TempDir>,
    ports: Ports,
    options: Options,
    /// Nodes that were stopped by a signal and not continued.
    frozen: BTreeMap<u64, u32>,
}

impl Cluster {
    /// Three nodes, ready.
    pub async fn start() -> Result<Self> {
        Self::start_with(Options::default()).await
    }

    pub async fn start_with(options: Options) -> Result<Self> {
        let ports = Ports::claim()?;
        let data = tempfile::Builder::new().prefix("tenure-e2e-").tempdir()?;
        let (dev, lines) = spawn(&options, ports.base, data.path())?;
        let mut cluster = Self {
            dev,
            lines,
            ready_after: Duration::ZERO,
            announced: Vec::new(),
            data: Some(data),
            ports,
            options,
            frozen: BTreeMap::new(),
        };
        cluster.read_until_ready().await?;
        Ok(cluster)
    }

    /// Starts `tenure dev` again on the same data and ports, after [`Self::stop`] or a kill.
    pub async fn start_again(&mut self) -> Result<()> {
        (self.dev, self.lines) = spawn(&self.options, self.ports.base, self.data())?;
        self.announced.clear();
        self.read_until_ready().await
    }

    async fn read_until_ready(&mut self) -> Result<()> {
        let started = Instant::now();
        loop {
            let line = timeout(READY_WITHIN, self.lines.next_line()).await;
            match line.context("no line `ready` in time")?? {
                Some(line) if line.starts_with("ready") => break,
                Some(line) => self.announced.push(line),
                None => bail!("`tenure dev` ended before it was ready: {}", self.stderr()),
            }
        }
        self.ready_after = started.elapsed();
        Ok(())
    }

    /// Ends the cluster as an operator does, by SIGTERM, and says how long that took.
    pub async fn stop(&mut self) -> Result<Duration> {
        let started = Instant::now();
        process::signal(self.dev_pid()?, Signal::TERM)?;
        let status =
            timeout(Duration::from_secs(30), self.dev.wait()).await.context("no end after SIGTERM")??;
        ensure!(status.success(), "`tenure dev` ended with {status} after SIGTERM: {}", self.stderr());
        Ok(started.elapsed())
    }

    /// Kills `tenure dev` itself.
    pub async fn kill_dev(&mut self) -> Result<()> {
        process::signal(self.dev_pid()?, Signal::KILL)?;
        self.dev.wait().await?;
        Ok(())
    }

    pub fn dev_pid(&self) -> Result<u32> {
        self.dev.id().context("`tenure dev` has ended")
    }

    fn stderr(&self) -> String {
        std::fs::read_to_string(self.data().join("dev.log")).unwrap_or_default()
    }
}

// Addresses.
impl Cluster {
    pub fn base_port(&self) -> u16 {
        self.ports.base
    }

    pub fn data(&self) -> &Path {
        self.data.as_ref().map(TempDir::path).expect("it is taken only at the end")
    }

    pub fn api(&self, node: u64) -> u16 {
        self.port(node, 1)
    }

    pub fn peer(&self, node: u64) -> u16 {
        self.port(node, 2)
    }

    pub fn redis(&self, node: u64) -> u16 {
        self.port(node, 79)
    }

    pub fn sentinel(&self, node: u64) -> u16 {
        self.port(node, 69)
    }

    pub fn http(&self, node: u64) -> u16 {
        self.port(node, 80)
    }

    fn port(&self, node: u64, door: u16) -> u16 {
        self.ports.base + 100 * u16::try_from(node).expect("nodes of a test are few") + door
    }

    pub fn redis_ports(&self) -> [u16; 3] {
        [1, 2, 3].map(|node| self.redis(node))
    }

    pub fn endpoints(&self) -> Vec<String> {
        [1, 2, 3].map(|node| format!("127.0.0.1:{}", self.api(node))).to_vec()
    }

    pub fn cli(&self) -> Cli {
        Cli::new(&self.endpoints())
    }

    /// Commands that reach only one node.
    pub fn cli_at(&self, node: u64) -> Cli {
        Cli::new(&[format!("127.0.0.1:{}", self.api(node))])
    }
}

// What it is doing.
impl Cluster {
    pub async fn status(&self) -> Result<Status> {
        self.cli().status().await
    }

    /// The leader, once there is one.
    pub async fn leader(&self) -> Result<u64> {
        wait::until(HEALED_WITHIN, "a leader", || async { Ok(self.status().await?.leader) }).await
    }

    /// Two nodes that do not lead.
    pub async fn followers(&self) -> Result<Vec<u64>> {
        let leader = self.leader().await?;
        Ok([1, 2, 3].into_iter().filter(|node| *node != leader).collect())
    }

    /// Process ids by node.
    pub async fn pids(&self) -> Result<BTreeMap<u64, u32>> {
        let status = self.status().await?;
        let pids: BTreeMap<u64, u32> =
            status.nodes.iter().filter_map(|node| Some((node.id, node.pid?))).collect();
        Ok(pids)
    }

    pub async fn pid(&self, node: u64) -> Result<u32> {
        self.pids().await?.get(&node).copied().with_context(|| format!("node {node} does not answer"))
    }

    /// All three answer, agree on an active leader, have caught up and say that they are ready.
    pub async fn wait_ready(&self) -> Result<Status> {
        all_ready(&self.cli(), [1, 2, 3].map(|node| self.http(node))).await
    }
}

// Faults.
impl Cluster {
    /// Sends a signal to a node.
    pub async fn signal(&mut self, node: u64, signal: Signal) -> Result<()> {
        let pid = self.pid(node).await?;
        self.signal_pid(node, pid, signal)
    }

    /// The same when the process id is known: nothing is asked between the decision and the signal.
    pub fn signal_pid(&mut self, node: u64, pid: u32, signal: Signal) -> Result<()> {
        match signal {
            Signal::STOP => drop(self.frozen.insert(node, pid)),
            Signal::CONT => drop(self.frozen.remove(&node)),
            _ => {}
        }
        process::signal(pid, signal)
    }

    /// Wakes a node that was frozen.
    pub fn thaw(&mut self, node: u64) -> Result<()> {
        let pid = *self.frozen.get(&node).with_context(|| format!("node {node} is not frozen"))?;
        self.signal_pid(node, pid, Signal::CONT)
    }
}

/// What [`Cluster::wait_ready`] waits for, of three nodes however they were started.
pub async fn all_ready(cli: &Cli, http_ports: [u16; 3]) -> Result<Status> {
    wait::until(HEALED_WITHIN, "three ready nodes", || async {
        let status = cli.status().await?;
        let caught_up = |lag: Option<u64>| lag.is_some_and(|lag| lag <= LAG_MAX);
        let all = status.nodes.len() == 3 && status.nodes.iter().all(|n| n.reachable && caught_up(n.lag));
        if !all || status.active.is_none() {
            bail!("not ready: {status:?}");
        }
        for port in http_ports {
            let answer = http::get(port, "/readyz").await?;
            ensure!(answer.code == 200, "/readyz at {port}: {} {}", answer.code, answer.body);
        }
        Ok(Some(status))
    })
    .await
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Its nodes end with it, frozen ones too.
        let _ = self.dev.start_kill();
        if let Some(data) = self.data.take() {
            suite::used(data);
        }
    }
}

fn spawn(options: &Options, base_port: u16, data: &Path) -> Result<(Child, Lines<BufReader<ChildStdout>>)> {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(log_file(data))?;
    let mut command = Command::new(suite::binary());
    command.arg("dev").arg("--base-port").arg(base_port.to_string()).arg("--data").arg(data);
    if options.no_restart {
        command.arg("--no-restart");
    }
    for set in &options.set {
        command.arg("--set").arg(set);
    }
    command.envs(options.environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
    let mut dev = command.spawn().context("`tenure dev` cannot be started")?;
    let stdout = dev.stdout.take().context("standard output was asked for")?;
    Ok((dev, BufReader::new(stdout).lines()))
}

fn log_file(data: &Path) -> PathBuf {
    data.join("dev.log")
}
