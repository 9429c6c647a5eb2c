//! etcd under measurement: three nodes as they are by default, and its client.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use tests::ports::Ports;
use tests::{grpc, wait};
use tokio::process::{Child, Command};
use tonic::transport::Channel;

use self::proto::kv_client::KvClient;
use self::proto::maintenance_client::MaintenanceClient;
use self::proto::{PutRequest, RangeRequest, StatusRequest, StatusResponse};
use crate::cpu::Processes;
use crate::load::{self, Client, Figures, Timing};
use crate::scenario::{CLIENTS_MAX, Operation, Scenario};
use crate::{key, value};

/// The program; `cargo xtask bench etcd` says where it is.
const PROGRAM: &str = "TENURE_ETCD";

/// From its start to a leader that all know.
const READY_WITHIN: Duration = Duration::from_secs(30);

pub(crate) const CONFIGURATION: &str = "defaults: heartbeat 100 ms, election 1000 ms, a snapshot every 100,000 entries, \
                                 no compaction; log level error";

#[allow(clippy::all, unreachable_pub, unused_qualifications)]
mod proto {
    tonic::include_proto!("etcdserverpb");
}

pub(crate) struct Etcd {
    nodes: Vec<Child>,
    client_ports: Vec<u16>,
    _ports: Ports,
}

impl Etcd {
    /// A new cluster with a key for each client.
    pub(crate) async fn start(directory: &Path) -> Result<Self> {
        let program = std::env::var_os(PROGRAM).with_context(|| format!("{PROGRAM} is not set"))?;
        let ports = Ports::claim()?;
        let (mut nodes, mut client_ports) = (Vec::new(), Vec::new());
        for id in 1..=3 {
            nodes.push(spawn(&program, directory, ports.base, id)?);
            client_ports.push(client_port(ports.base, id));
        }
        let etcd = Self { nodes, client_ports, _ports: ports };
        wait::until(READY_WITHIN, "etcd's leader", || async {
            for node in 0..etcd.nodes.len() {
                ensure!(etcd.status(node).await?.leader != 0, "node {node} knows no leader");
            }
            Ok(Some(()))
        })
        .await?;
        etcd.prepare().await?;
        Ok(etcd)
    }

    async fn prepare(&self) -> Result<()> {
        let mut client = KvClient::new(grpc::channel(self.client_ports[0])?);
        for index in 0..CLIENTS_MAX {
            client.put(PutRequest { key: key(index).into(), value: value().into() }).await?;
        }
        Ok(())
    }

    pub(crate) async fn version(&self) -> Result<String> {
        Ok(self.status(0).await?.version)
    }

    pub(crate) async fn measure(&self, scenario: &Scenario, timing: Timing) -> Result<Figures> {
        let leader = self.leader().await?;
        let ports = scenario.at(&self.client_ports, leader);
        let channels = load::connect(&ports, scenario.connections)?;
        let client = |client: usize| EtcdClient {
            kv: KvClient::new(channels[client % channels.len()].clone()),
            operation: scenario.operation,
            key: key(client).into(),
            value: value().into(),
        };
        let clients = (0..scenario.clients).map(client).collect();
        let figures = load::measure(clients, timing, &self.processes(leader)?).await?;
        ensure!(self.leader().await? == leader, "etcd's leader has changed");
        Ok(figures)
    }

    /// Ends the nodes: their directories can go.
    pub(crate) async fn end(mut self) -> Result<()> {
        for node in &mut self.nodes {
            node.kill().await?;
        }
        Ok(())
    }

    /// Its index: the one that knows itself to be it.
    async fn leader(&self) -> Result<usize> {
        for node in 0..self.nodes.len() {
            let status = self.status(node).await?;
            if status.header.is_some_and(|header| header.member_id == status.leader) {
                return Ok(node);
            }
        }
        bail!("etcd has no leader")
    }

    async fn status(&self, node: usize) -> Result<StatusResponse> {
        let mut client = MaintenanceClient::new(grpc::channel(self.client_ports[node])?);
        Ok(client.status(StatusRequest {}).await?.into_inner())
    }

    fn processes(&self, leader: usize) -> Result<Processes> {
        let pids = self.nodes.iter().map(|node| node.id().context("a node of etcd has ended"));
        Ok(Processes::new(pids.collect::<Result<_>>()?, leader))
    }
}

/// A node that ends with us, also when we are killed: its parent is our first thread.
fn spawn(program: &OsStr, directory: &Path, base: u16, id: u16) -> Result<Child> {
    let client = format!("http://127.0.0.1:{}", client_port(base, id));
    let peer = |id| format!("http://127.0.0.1:{}", client_port(base, id) + 1);
    let cluster: Vec<String> = (1..=3).map(|id| format!("etcd{id}={}", peer(id))).collect();
    let name = format!("etcd{id}");
    let log = std::fs::File::create(directory.join(&name).with_extension("log"))?;
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command.args(["--name", &name, "--data-dir"]).arg(directory.join(&name));
    command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
    command.args(["--listen-peer-urls", &peer(id), "--initial-advertise-peer-urls", &peer(id)]);
    command.args(["--initial-cluster", &cluster.join(","), "--initial-cluster-state", "new"]);
    command.args(["--logger", "zap", "--log-level", "error"]);
    // etcd takes settings from there, too.
    command.env_clear();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
    command.spawn().context("setpriv (Debian: util-linux) cannot be run")
}

fn client_port(base: u16, id: u16) -> u16 {
    base + 100 * id + 1
}

struct EtcdClient {
    kv: KvClient<Channel>,
    operation: Operation,
    key: Bytes,
    value: Bytes,
}

impl Client for EtcdClient {
    async fn call(&mut self) -> Result<()> {
        match self.operation {
            Operation::Write => {
                self.kv.put(PutRequest { key: self.key.clone(), value: self.value.clone() }).await?;
            }
            Operation::Read => {
                let request = RangeRequest { key: self.key.clone(), serializable: false };
                let got = self.kv.range(request).await?.into_inner();
                let is_it = got.kvs.first().is_some_and(|pair| pair.value == self.value);
                ensure!(is_it, "{:?} is {:?}", self.key, got.kvs);
            }
        }
        Ok(())
    }
}
