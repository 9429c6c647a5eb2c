//! One `tenure node` started by hand from a file, for what `tenure dev` never does: a fourth node, a foreign
//! directory, a clock of its own.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::process::Frozen;
use crate::{grpc, process, suite, wait};
use wire::v1::StatusRequest;

/// From the start of the process to its first answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// A node that must refuse to start has this long to do so.
const REFUSES_WITHIN: Duration = Duration::from_secs(20);

/// From SIGTERM to the end of the process.
const STOPS_WITHIN: Duration = Duration::from_secs(30);

/// Small files, and a reserve that any test machine has.
const LOG: &str = "[log]\nsegment = \"16MiB\"\nreserve = \"64MiB\"\n";

/// Where a node is and what it listens on.
#[derive(Clone, Debug)]
pub struct NodeFile {
    pub id: u64,
    pub data: PathBuf,
    /// Its API; the others follow it as in `tenure dev`.
    pub first_port: u16,
    /// TOML behind the addresses.
    pub settings: String,
    pub environment: Vec<(OsString, OsString)>,
}

pub struct Node {
    pub file: NodeFile,
    child: Child,
}

impl NodeFile {
    pub fn new(id: u64, data: PathBuf, first_port: u16) -> Self {
        Self { id, data, first_port, settings: LOG.into(), environment: Vec::new() }
    }

    pub fn api(&self) -> String {
        format!("127.0.0.1:{}", self.first_port)
    }

    pub fn peer(&self) -> String {
        format!("127.0.0.1:{}", self.first_port + 1)
    }

    pub fn redis_port(&self) -> u16 {
        self.first_port + 78
    }

    pub fn sentinel_port(&self) -> u16 {
        self.first_port + 68
    }

    pub fn http_port(&self) -> u16 {
        self.first_port + 79
    }

    /// Writes the file beside the data, where the log goes too.
    fn write(&self) -> Result<PathBuf> {
        let Self { id, data, settings, .. } = self;
        let (redis, sentinel, http) = (self.redis_port(), self.sentinel_port(), self.http_port());
        let text = format!(
            "[node]\nid = {id}\ndata = {data:?}\n[listen]\napi = \"{}\"\npeer = \"{}\"\nredis = \"127.0.0.1:{redis}\"\n\
             sentinel = \"127.0.0.1:{sentinel}\"\nhttp = \"127.0.0.1:{http}\"\n{settings}",
            self.api(),
            self.peer(),
        );
        let path = data.with_extension("toml");
        std::fs::write(&path, text)?;
        Ok(path)
    }

    pub fn log(&self) -> PathBuf {
        self.data.with_extension("log")
    }

    fn spawn(&self) -> Result<Child> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log())?;
        let mut command = Command::new(suite::binary());
        command.arg("node").arg("--config").arg(self.write()?).stdin(Stdio::null()).stdout(Stdio::null());
        command.arg("--end-with").arg(std::process::id().to_string());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stderr(log).kill_on_drop(true).spawn().context("the node cannot be started")
    }

    /// Starts the node and waits until it answers.
    pub async fn start(self) -> Result<Node> {
        let mut node = self.launch()?;
        node.answers().await?;
        Ok(node)
    }

    /// Starts the node and waits for nothing.
    pub fn launch(self) -> Result<Node> {
        Ok(Node { child: self.spawn()?, file: self })
    }

    /// Starts a node that must refuse to run, and gives what it says.
    pub async fn refused(self) -> Result<String> {
        let before = std::fs::metadata(self.log()).map(|log| log.len()).unwrap_or(0);
        let mut child = self.spawn()?;
        let ended = timeout(REFUSES_WITHIN, child.wait()).await;
        let said = std::fs::read_to_string(self.log())?;
        let said = said.get(usize::try_from(before)?..).unwrap_or_default().to_owned();
        let status = ended.with_context(|| format!("it runs although it must not: {said}"))??;
        ensure!(!status.success(), "it ended without an error: {said}");
        Ok(said)
    }
}

impl Node {
    pub fn pid(&self) -> Result<u32> {
        self.child.id().context("the node has ended")
    }

    /// Waits for the first answer.
    pub async fn answers(&mut self) -> Result<()> {
        let client = grpc::cluster(self.file.first_port)?;
        let answered = wait::until(ANSWERS_WITHIN, "the node's first answer", || {
            let mut client = client.clone();
            let ended = self.child.try_wait();
            async move {
                if ended?.is_some() {
                    return Ok(Some(false));
                }
                client.status(StatusRequest { quorum_wait_ms: 0 }).await?;
                Ok(Some(true))
            }
        })
        .await?;
        ensure!(answered, "the node ended: {}", tail(&self.file.log()));
        Ok(())
    }

    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Ends the node at once if it has not ended by itself, and says whether it had.
    pub async fn end(mut self) -> Result<(NodeFile, bool)> {
        let had_ended = self.has_ended()?;
        if !had_ended {
            self.child.kill().await?;
        }
        Ok((self.file, had_ended))
    }

    /// Ends the node as an operator does, by SIGTERM. It must end well.
    pub async fn stop(mut self) -> Result<NodeFile> {
        process::signal(self.pid()?, Signal::TERM)?;
        let status = timeout(STOPS_WITHIN, self.child.wait()).await;
        let status = status.with_context(|| format!("no end within {STOPS_WITHIN:?} after SIGTERM"))??;
        ensure!(status.success(), "it ended with {status} after SIGTERM: {}", tail(&self.file.log()));
        Ok(self.file)
    }

    pub fn freeze(&self) -> Result<Frozen> {
        process::freeze(self.pid()?)
    }

    /// Ends the node at once.
    pub async fn kill(mut self) -> Result<NodeFile> {
        self.child.kill().await?;
        Ok(self.file)
    }
}

/// The end of a log.
pub fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(5).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
