//! Tenure under measurement: three nodes as they are by default, and its two kinds of clients.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use tests::cli::Cli;
use tests::node::{Node, NodeFile};
use tests::ports::Ports;
use tests::resp::{Connection, Value};
use tests::{cluster, grpc};
use tonic::transport::Channel;
use wire::v1::lease_service_client::LeaseServiceClient;
use wire::v1::{GetRequest, NodeStatus, StatusRequest};

use crate::cpu::Processes;
use crate::load::{self, Client, Figures, Timing};
use crate::scenario::{CLIENTS_MAX, Operation, Scenario};
use crate::{key, value};

/// A day: no lease ends while it is measured.
const TTL_MS: u64 = 24 * 60 * 60 * 1000;

pub(crate) const CONFIGURATION: &str = "defaults: profile lan (heartbeat 50 ms, election 200 to 400 ms), segments of 64 MiB, \
                                 a snapshot every 50,000 entries or 64 MiB";

pub(crate) struct Tenure {
    nodes: Vec<Node>,
    /// Of the lease of each client.
    tokens: Vec<u64>,
    _ports: Ports,
}

impl Tenure {
    /// A new group with a lease and a Redis key for each client.
    pub(crate) async fn start(directory: &Path) -> Result<Self> {
        let ports = Ports::claim()?;
        let mut nodes = Vec::new();
        for id in 1..=3 {
            let first_port = ports.base + 100 * u16::try_from(id)? + 1;
            let mut file = NodeFile::new(id, directory.join(format!("tenure{id}")), first_port);
            // What nobody set is what is measured.
            file.settings.clear();
            nodes.push(file.start().await?);
        }
        let cli = Cli::new(&nodes.iter().map(|node| node.file.api()).collect::<Vec<_>>());
        cli.json(&["init"]).await?;
        let http_ports = [0, 1, 2].map(|node: usize| nodes[node].file.http_port());
        cluster::all_ready(&cli, http_ports).await?;
        let mut tenure = Self { nodes, tokens: Vec::new(), _ports: ports };
        tenure.prepare().await?;
        Ok(tenure)
    }

    async fn prepare(&mut self) -> Result<()> {
        let mut leases = grpc::leases(self.nodes[0].file.first_port)?;
        let mut redis = Connection::open(self.nodes[0].file.redis_port()).await?;
        for client in 0..CLIENTS_MAX {
            let granted = leases.acquire(grpc::acquire(&key(client), &value(), TTL_MS)).await?;
            self.tokens.push(grpc::token(granted.get_ref())?);
            redis.ask(&["SET", &key(client), &value()]).await?;
        }
        Ok(())
    }

    pub(crate) async fn version(&self) -> Result<String> {
        Ok(self.status().await?.version)
    }

    pub(crate) async fn measure(&self, scenario: &Scenario, timing: Timing) -> Result<Figures> {
        let leader = self.leader().await?;
        let ports: Vec<u16> = self.nodes.iter().map(|node| node.file.first_port).collect();
        let channels = load::connect(&scenario.at(&ports, leader), scenario.connections)?;
        let client = |client: usize| LeaseClient {
            leases: LeaseServiceClient::new(channels[client % channels.len()].clone()),
            operation: scenario.operation,
            name: key(client),
            holder: value(),
            token: self.tokens[client],
        };
        let clients = (0..scenario.clients).map(client).collect();
        let figures = load::measure(clients, timing, &self.processes(leader)?).await?;
        ensure!(self.leader().await? == leader, "Tenure's leader has changed");
        Ok(figures)
    }

    pub(crate) async fn measure_redis(&self, scenario: &Scenario, timing: Timing) -> Result<Figures> {
        let leader = self.leader().await?;
        let ports: Vec<u16> = self.nodes.iter().map(|node| node.file.redis_port()).collect();
        let ports = scenario.at(&ports, leader);
        let mut clients = Vec::new();
        for client in 0..scenario.clients {
            let connection = Connection::open(ports[client % ports.len()]).await?;
            let operation = scenario.operation;
            clients.push(RedisClient { connection, operation, key: key(client), value: value() });
        }
        let figures = load::measure(clients, timing, &self.processes(leader)?).await?;
        ensure!(self.leader().await? == leader, "Tenure's leader has changed");
        Ok(figures)
    }

    /// Ends the nodes: their directories can go.
    pub(crate) async fn end(self) -> Result<()> {
        for node in self.nodes {
            node.kill().await?;
        }
        Ok(())
    }

    /// Its index.
    async fn leader(&self) -> Result<usize> {
        let leader = self.status().await?.leader.context("Tenure has no leader")?;
        Ok(usize::try_from(leader)? - 1)
    }

    async fn status(&self) -> Result<NodeStatus> {
        let mut client = grpc::cluster(self.nodes[0].file.first_port)?;
        let status = client.status(StatusRequest { quorum_wait_ms: 0 }).await?.into_inner();
        status.node.context("a status has a node")
    }

    fn processes(&self, leader: usize) -> Result<Processes> {
        let pids = self.nodes.iter().map(Node::pid).collect::<Result<_>>()?;
        Ok(Processes::new(pids, leader))
    }
}

/// A holder, whose name is the value. A write renews its lease.
struct LeaseClient {
    leases: LeaseServiceClient<Channel>,
    operation: Operation,
    name: String,
    holder: String,
    token: u64,
}

impl Client for LeaseClient {
    async fn call(&mut self) -> Result<()> {
        match self.operation {
            Operation::Write => {
                self.leases.renew(grpc::renew(&self.name, &self.holder, self.token)).await?;
            }
            Operation::Read => {
                let got = self.leases.get(GetRequest { name: self.name.clone() }).await?.into_inner();
                let holder = got.lease.and_then(|lease| lease.holder);
                ensure!(holder.as_ref() == Some(&self.holder), "{} is held by {holder:?}", self.name);
            }
        }
        Ok(())
    }
}

struct RedisClient {
    connection: Connection,
    operation: Operation,
    key: String,
    value: String,
}

impl Client for RedisClient {
    async fn call(&mut self) -> Result<()> {
        let reply = match self.operation {
            Operation::Write => self.connection.call(&["SET", &self.key, &self.value]).await?,
            Operation::Read => self.connection.call(&["GET", &self.key]).await?,
        };
        match (self.operation, &reply) {
            (Operation::Write, reply) if reply.is_ok() => Ok(()),
            (Operation::Read, Value::Bulk(bytes)) if bytes == self.value.as_bytes() => Ok(()),
            _ => bail!("{:?} of {}: {reply:?}", self.operation, self.key),
        }
    }
}
