//! Three nodes, each on a disk of its own whose power can be cut.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tests::chance::Chance;
use tests::cli::{Cli, Status};
use tests::node::{Node, NodeFile};
use tests::ports::Ports;
use tests::power::{Disk, Place, Switch};
use tests::resp::Connection;
use tests::{cluster, grpc, wait};
use tokio::time::{sleep, timeout};
use wire::v1::{NodeStatus, StatusRequest};

pub(super) const NODES: [u64; 3] = [1, 2, 3];

/// Log, snapshots and state of any run here, several times.
const DISK_BYTES: u64 = 512 << 20;

/// The smallest files: segments, snapshots and purges all the time.
const SETTINGS: &str = "[raft]\nsnapshot_entries = 500\nsnapshot_bytes = \"1MiB\"\n[redis]\nallow_flush = true\n\
                        [log]\nsegment = \"4MiB\"\nretain = \"8MiB\"\nreserve = \"32MiB\"\n";

/// A node without a disk goes on for so long at most before its process is killed.
const LINGERS_MAX_MS: u64 = 200;

const LEADER_WITHIN: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(3);

/// Longer than an idle node takes; a busy one is not waited for.
const STATUS_WITHIN: Duration = Duration::from_millis(200);

/// Audit records that seal a file of history.
const FLUSHES: usize = 4100;

/// What became of the processes.
#[derive(Default)]
pub(super) struct Lives {
    pub(super) power_losses: u64,
    /// Ended by themselves before they were killed.
    pub(super) ended_alone: u64,
    pub(super) restarts: u64,
    /// Started once more, because the state store's library had given up on what it found.
    pub(super) second_starts: u64,
}

pub(super) struct Site {
    /// First to go: a disk in use cannot be unmounted. `None` while a node is down.
    nodes: [Option<Node>; 3],
    /// Bytes of each node's log before its present life.
    said_before: [usize; 3],
    files: Vec<NodeFile>,
    disks: Vec<Disk>,
    switch: Switch,
    pub(super) lives: Lives,
    _ports: Ports,
    _place: Place,
}

impl Site {
    /// Founds a group that has a file of every kind on every disk.
    pub(super) async fn found() -> Result<Self> {
        let place = Place::claim()?;
        let ports = Ports::claim()?;
        let (mut disks, mut files) = (Vec::new(), Vec::new());
        for node in NODES {
            let disk = Disk::make(&place, &format!("node{node}"), DISK_BYTES).await?;
            let first_port = ports.base + 100 * u16::try_from(node)? + 1;
            let mut file = NodeFile::new(node, disk.path().to_owned(), first_port);
            file.settings = SETTINGS.into();
            disks.push(disk);
            files.push(file);
        }
        let switch = Switch::new()?;
        let lives = Lives::default();
        let nodes = [None, None, None];
        let mut site =
            Self { nodes, said_before: [0; 3], files, disks, switch, lives, _ports: ports, _place: place };
        for node in NODES {
            site.launch(node)?;
        }
        site.answer(&NODES).await?;
        site.cli().json(&["init"]).await?;
        site.ready().await?;
        site.seal_history().await?;
        Ok(site)
    }

    pub(super) fn cli(&self) -> Cli {
        Cli::new(&self.files.iter().map(NodeFile::api).collect::<Vec<_>>())
    }

    pub(super) fn redis_ports(&self) -> [u16; 3] {
        NODES.map(|node| self.redis_port(node))
    }

    pub(super) fn redis_port(&self, node: u64) -> u16 {
        self.files[index(node)].redis_port()
    }

    pub(super) fn data(&self, node: u64) -> PathBuf {
        self.files[index(node)].data.clone()
    }

    /// All that the node's processes have said.
    pub(super) fn log(&self, node: u64) -> Result<String> {
        Ok(std::fs::read_to_string(self.files[index(node)].log())?)
    }

    pub(super) async fn ready(&self) -> Result<Status> {
        let http_ports = NODES.map(|node| self.files[index(node)].http_port());
        cluster::all_ready(&self.cli(), http_ports).await
    }

    pub(super) async fn status(&self, node: u64) -> Result<NodeStatus> {
        let mut client = grpc::cluster(self.files[index(node)].first_port)?;
        let status = timeout(STATUS_WITHIN, client.status(StatusRequest { quorum_wait_ms: 0 })).await;
        status.context("no answer")??.into_inner().node.context("a status has a node")
    }

    /// Who leads, by its own account and that of the highest term among those who are up.
    pub(super) async fn leader(&self) -> Result<u64> {
        wait::until(LEADER_WITHIN, "a leader", || async {
            let mut leaders = Vec::new();
            for node in NODES.into_iter().filter(|node| self.nodes[index(*node)].is_some()) {
                let Ok(status) = self.status(node).await else { continue };
                leaders.extend((status.leader == Some(node)).then_some((status.term, node)));
            }
            Ok(leaders.into_iter().max().map(|(_, node)| node))
        })
        .await
    }

    /// The moment at which a node of these begins to lead, closely.
    pub(super) async fn elected(&self, among: &[u64]) -> Result<u64> {
        let look = async {
            loop {
                for node in among {
                    if self.status(*node).await.is_ok_and(|status| status.leader == Some(*node)) {
                        return *node;
                    }
                }
                sleep(LOOK).await;
            }
        };
        timeout(LEADER_WITHIN, look).await.context("nobody was elected")
    }
}

// Power, and processes.
impl Site {
    /// The power of these nodes goes, all in the same moment; their processes a little later.
    pub(super) async fn cut(&mut self, nodes: &[u64], chance: &mut Chance) -> Result<()> {
        let disks: Vec<&Disk> = nodes.iter().map(|node| &self.disks[index(*node)]).collect();
        self.switch.cut(&disks).await?;
        self.lives.power_losses += nodes.len() as u64;
        // What it says without a disk must be as true as what it said before.
        if chance.one_in(2) {
            sleep(chance.millis(0, LINGERS_MAX_MS)).await;
        }
        for node in nodes {
            self.lives.ended_alone += u64::from(self.stop(*node).await?);
        }
        Ok(())
    }

    /// Ends a process at once, and says whether it had ended by itself.
    pub(super) async fn stop(&mut self, node: u64) -> Result<bool> {
        let running = self.nodes[index(node)].take().with_context(|| format!("node {node} is down"))?;
        Ok(running.end().await?.1)
    }

    /// Gives these their power again. Their processes are not started.
    pub(super) async fn restore(&self, nodes: &[u64]) -> Result<()> {
        for node in nodes {
            self.disks[index(*node)].restore().await.with_context(|| format!("the disk of node {node}"))?;
        }
        Ok(())
    }

    pub(super) fn launch(&mut self, node: u64) -> Result<()> {
        self.said_before[index(node)] = self.log(node).map_or(0, |log| log.len());
        self.nodes[index(node)] = Some(self.files[index(node)].clone().launch()?);
        self.lives.restarts += 1;
        Ok(())
    }

    /// Until these answer. One that ends instead has refused its disk, unless it was the state store's library that
    /// panicked: the store is a cache, and the next start makes it anew, as under any supervisor.
    pub(super) async fn answer(&mut self, nodes: &[u64]) -> Result<()> {
        for node in nodes {
            let first = self.answer_of(*node).await;
            if first.is_err() && self.has_ended(*node)? && self.has_panicked_in_state_store(*node)? {
                self.stop(*node).await?;
                self.launch(*node)?;
                self.lives.second_starts += 1;
                self.answer_of(*node).await?;
            } else {
                first?;
            }
        }
        Ok(())
    }

    async fn answer_of(&mut self, node: u64) -> Result<()> {
        let running = self.nodes[index(node)].as_mut().with_context(|| format!("node {node} is down"))?;
        running.answers().await.with_context(|| format!("node {node} did not come back"))
    }

    pub(super) fn has_panicked_in_state_store(&self, node: u64) -> Result<bool> {
        let log = self.log(node)?;
        let said = &log[self.said_before[index(node)]..];
        Ok(said.lines().any(|line| line.contains("panicked at") && line.contains("/sled-")))
    }

    pub(super) fn has_ended(&mut self, node: u64) -> Result<bool> {
        self.nodes[index(node)].as_mut().with_context(|| format!("node {node} is down"))?.has_ended()
    }

    /// Everyone who is down comes back.
    pub(super) async fn start(&mut self, nodes: &[u64]) -> Result<()> {
        for node in nodes {
            self.launch(*node)?;
        }
        self.answer(nodes).await
    }
}

impl Site {
    async fn seal_history(&self) -> Result<()> {
        let mut redis = Connection::open(self.redis_port(1)).await?;
        redis.ask(&["SELECT", "15"]).await?;
        for _ in 0..FLUSHES {
            redis.push(&[b"FLUSHDB"]);
        }
        redis.flush().await?;
        for _ in 0..FLUSHES {
            let reply = redis.next().await?;
            ensure!(reply.is_ok(), "{reply:?}");
        }
        Ok(())
    }
}

fn index(node: u64) -> usize {
    usize::try_from(node - 1).expect("nodes are few")
}
