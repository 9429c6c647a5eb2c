//! Three nodes without a supervisor: one that ends by itself stays ended, and is found.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tests::cli::{Cli, Status};
use tests::node::{Node, NodeFile, tail};
use tests::ports::Ports;
use tests::process::Frozen;
use tests::processors::{Processors, Share};
use tests::{cluster, grpc, http, process, suite, wait};
use wire::v1::{NodeStatus, StatusRequest};

use super::Setting;

pub(super) const NODES: [u64; 3] = [1, 2, 3];

/// The smallest segments, and a reserve that any test machine has.
const LOG: &str = "[log]\nsegment = \"4MiB\"\nreserve = \"64MiB\"\n";

const LEADER_WITHIN: Duration = Duration::from_secs(30);

/// What only a node says that ends by itself.
const LAST_WORDS: [&str; 2] = ["panicked at", "this node cannot go on"];

/// What one process has done, by its own count.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) built: u64,
    pub(super) installed: u64,
    pub(super) sent: u64,
}

pub(super) struct Site {
    /// First to go: the cgroup of a process that runs cannot be removed. `None` while a node is down.
    nodes: [Option<Node>; 3],
    processors: Processors,
    files: Vec<NodeFile>,
    /// Of every process, the last that was read.
    counts: BTreeMap<u32, Counts>,
    _ports: Ports,
    data: Option<TempDir>,
}

impl Site {
    /// A new group.
    pub(super) async fn found(setting: Setting) -> Result<Self> {
        let Setting { snapshot_entries, retain_mib, .. } = setting;
        let ports = Ports::claim()?;
        let data = tempfile::Builder::new().prefix("tenure-soak-").tempdir()?;
        let mut files = Vec::new();
        for node in NODES {
            let first_port = ports.base + 100 * u16::try_from(node)? + 1;
            let mut file = NodeFile::new(node, data.path().join(format!("node{node}")), first_port);
            file.settings =
                format!("{LOG}retain = \"{retain_mib}MiB\"\n[raft]\nsnapshot_entries = {snapshot_entries}\n");
            files.push(file);
        }
        let processors = Processors::claim()?;
        let mut site = Self {
            nodes: [None, None, None],
            processors,
            files,
            counts: BTreeMap::new(),
            _ports: ports,
            data: Some(data),
        };
        for node in NODES {
            site.launch(node)?;
        }
        for node in NODES {
            site.answers(node).await?;
        }
        site.cli().json(&["init"]).await?;
        site.ready().await?;
        Ok(site)
    }

    /// After a good round: nothing of it stays.
    pub(super) async fn end(mut self) -> Result<()> {
        for node in NODES {
            self.kill(node).await?;
        }
        self.data.take().context("it ends once")?.close()?;
        Ok(())
    }

    pub(super) fn cli(&self) -> Cli {
        Cli::new(&self.files.iter().map(NodeFile::api).collect::<Vec<_>>())
    }

    pub(super) fn redis_ports(&self) -> [u16; 3] {
        NODES.map(|node| self.files[index(node)].redis_port())
    }

    /// By what means a part of a processor is given.
    pub(super) fn quota(&self) -> String {
        self.processors.quota()
    }
}

// What it is doing.
impl Site {
    /// Three ready nodes, or why one of them will never be.
    pub(super) async fn ready(&mut self) -> Result<Status> {
        let http_ports = NODES.map(|node| self.files[index(node)].http_port());
        let ready = cluster::all_ready(&self.cli(), http_ports).await;
        self.check_all_run()?;
        ready
    }

    /// Nobody has ended but by our hand, nor said that it must.
    pub(super) fn check_all_run(&mut self) -> Result<()> {
        for file in &self.files {
            let log = std::fs::read_to_string(file.log())?;
            let last = log.lines().find(|line| LAST_WORDS.iter().any(|words| line.contains(words)));
            ensure!(last.is_none(), "node {} says {last:?}", file.id);
        }
        for node in self.nodes.iter_mut().flatten() {
            ensure!(!node.has_ended()?, "node {} ended by itself: {}", node.file.id, tail(&node.file.log()));
        }
        Ok(())
    }

    pub(super) async fn leader(&self) -> Result<u64> {
        wait::until(LEADER_WITHIN, "a leader", || async { Ok(self.cli().status().await?.leader) }).await
    }

    pub(super) async fn status(&self, node: u64) -> Result<NodeStatus> {
        let mut client = grpc::cluster(self.files[index(node)].first_port)?;
        let status = client.status(StatusRequest { quorum_wait_ms: 0 }).await?;
        status.into_inner().node.context("a status has a node")
    }

    /// Memory in use, in bytes, of the node that uses most.
    pub(super) fn resident_bytes_max(&self) -> Result<u64> {
        let mut most = 0;
        for pid in self.pids()? {
            most = most.max(process::resident_bytes(pid)?);
        }
        Ok(most)
    }

    /// Reads what each process has counted; it is lost with the process.
    pub(super) async fn read_counts(&mut self) -> Result<()> {
        for node in NODES {
            let metrics = http::get(self.files[index(node)].http_port(), "/metrics").await?.body;
            let count = |what| http::metric(&metrics, &format!("tenure_raft_snapshots_{what}_total"));
            let counts =
                Counts { built: count("built")?, installed: count("installed")?, sent: count("sent")? };
            let pid = self.running(node)?.pid()?;
            self.counts.insert(pid, counts);
        }
        Ok(())
    }

    /// Of all processes together, up to the last reading of each.
    pub(super) fn counts(&self) -> Counts {
        let add = |sum: Counts, one: &Counts| Counts {
            built: sum.built + one.built,
            installed: sum.installed + one.installed,
            sent: sum.sent + one.sent,
        };
        self.counts.values().fold(Counts::default(), add)
    }

    fn pids(&self) -> Result<Vec<u32>> {
        self.nodes.iter().flatten().map(Node::pid).collect()
    }

    fn running(&mut self, node: u64) -> Result<&mut Node> {
        self.nodes[index(node)].as_mut().with_context(|| format!("node {node} is down"))
    }
}

// What is done to it.
impl Site {
    pub(super) fn give(&mut self, share: Share) -> Result<()> {
        let pids = self.pids()?;
        self.processors.give(share, &pids)
    }

    pub(super) fn freeze(&mut self, node: u64) -> Result<Frozen> {
        self.running(node)?.freeze()
    }

    pub(super) async fn kill(&mut self, node: u64) -> Result<()> {
        let running = self.nodes[index(node)].take().with_context(|| format!("node {node} is down"))?;
        let (file, had_ended) = running.end().await?;
        ensure!(!had_ended, "node {node} ended by itself: {}", tail(&file.log()));
        Ok(())
    }

    /// By SIGTERM.
    pub(super) async fn stop(&mut self, node: u64) -> Result<()> {
        let running = self.nodes[index(node)].take().with_context(|| format!("node {node} is down"))?;
        running.stop().await.with_context(|| format!("node {node}"))?;
        Ok(())
    }

    pub(super) fn launch(&mut self, node: u64) -> Result<()> {
        let running = self.files[index(node)].clone().launch()?;
        self.processors.join(running.pid()?)?;
        self.nodes[index(node)] = Some(running);
        Ok(())
    }

    pub(super) async fn answers(&mut self, node: u64) -> Result<()> {
        self.running(node)?.answers().await.with_context(|| format!("node {node} did not come back"))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(data) = self.data.take() {
            suite::used(data);
        }
    }
}

fn index(node: u64) -> usize {
    usize::try_from(node - 1).expect("nodes are few")
}
