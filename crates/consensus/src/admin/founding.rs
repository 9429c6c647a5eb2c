//! How the group comes to be: its founders, and every later member, are given its id before anything is replicated.

use std::collections::{BTreeMap, BTreeSet};

use domain::NodeId;
use store::Identity;
use tokio::time::timeout;
use tonic::{Code, Status};
use wire::peer;

use super::Admin;
use crate::AdminError;
use crate::limits::LEADER_WAIT;
use crate::peer::Lane;
use crate::types::{Contact, Member};

impl Admin {
    /// Bootstraps the group, once: every founder is adopted, then this node writes the first membership.
    pub(crate) async fn init(&self, founders: &[Member]) -> Result<(), AdminError> {
        let refuse = |why: String| Err(AdminError::Refused(why));
        let me = self.shared.node;
        if self.raft.is_initialized().await.unwrap_or(true) {
            return refuse("this node belongs to a cluster already; init is done once".into());
        }
        if !founders.iter().any(|founder| founder.id == me) {
            return refuse(format!("node {me} was asked to init, but is not among the founders"));
        }
        let ids: BTreeSet<u64> = founders.iter().map(|founder| founder.id.0).collect();
        if ids != (1..=founders.len() as u64).collect() {
            return refuse(format!("founders are numbered from 1 without gaps; these are {ids:?}"));
        }
        let cluster_id = self.founding_id()?;
        let route = |to: NodeId| peer::Route { cluster_id: cluster_id.to_vec().into(), from: me.0, to: to.0 };
        self.adopt(&route(me)).map_err(|status| AdminError::Refused(status.message().into()))?;
        for founder in founders.iter().filter(|founder| founder.id != me) {
            let adopted = self.adopt_peer(&founder.peer, route(founder.id)).await;
            adopted.map_err(|why| {
                AdminError::Refused(format!("node {} at {}: {why}", founder.id, founder.peer))
            })?;
        }
        let members: BTreeMap<u64, Contact> =
            founders.iter().map(|founder| (founder.id.0, founder.contact())).collect();
        let initialized = self.raft.initialize(members).await;
        initialized.map_err(|error| AdminError::Refused(error.to_string()))
    }

    /// A new one, unless an init broke off: the founders adopted so far know its id.
    fn founding_id(&self) -> Result<[u8; 16], AdminError> {
        if let Some(cluster_id) = self.shared.cluster_id.get() {
            return Ok(*cluster_id);
        }
        let found = Identity::open(&*self.disk).map_err(|error| AdminError::Refused(error.to_string()))?;
        Ok(found.map_or_else(|| self.draw_id(), |identity| identity.cluster_id))
    }

    fn draw_id(&self) -> [u8; 16] {
        let half = || u128::from(self.shared.environment.random.u64());
        (half() << 64 | half()).to_be_bytes()
    }

    pub(super) async fn adopt_peer(&self, address: &str, route: peer::Route) -> Result<(), String> {
        let client = self.shared.channels.client(address, Lane::Commands);
        let mut client = client.map_err(|error| error.to_string())?;
        let adopted = timeout(LEADER_WAIT, client.adopt(peer::AdoptRequest { route: Some(route) })).await;
        match adopted {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(status)) if status.code() == Code::Unavailable => {
                Err("it cannot be reached; start it first".into())
            }
            Ok(Err(status)) => Err(status.message().into()),
            Err(_) => Err("no answer; start it first".into()),
        }
    }

    /// Makes this node a part of the cluster that asks, if it is of none: durably, before the answer.
    pub(crate) fn adopt(&self, route: &peer::Route) -> Result<(), Status> {
        let node = self.shared.node;
        let refuse = |why: String| Err(Status::failed_precondition(why));
        if route.to != node.0 {
            return refuse(format!("this is node {node}, not node {}", route.to));
        }
        let Ok(cluster_id) = <[u8; 16]>::try_from(&route.cluster_id[..]) else {
            return Err(Status::invalid_argument("a cluster id has 16 bytes"));
        };
        match self.shared.cluster_id.get() {
            Some(present) if *present == cluster_id => return Ok(()),
            Some(_) => return refuse(format!("node {node} belongs to another cluster")),
            None => {}
        }
        let identity = Identity { node_id: node.0, cluster_id, incarnation: self.draw_id() };
        identity.create(&*self.disk).map_err(|error| Status::internal(error.to_string()))?;
        self.shared.cluster_id.get_or_init(|| cluster_id);
        Ok(())
    }
}
