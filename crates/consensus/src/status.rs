//! What a node knows about itself and the group.

use std::collections::BTreeMap;

use domain::{Digest, NodeId};

use crate::types::{Contact, Member};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Leader,
    Follower,
    Candidate,
    Learner,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Self::Leader => "leader",
            Self::Follower => "follower",
            Self::Candidate => "candidate",
            Self::Learner => "learner",
        }
    }
}

/// A node's own view. Leadership in it is a belief; [`Replica::read`](crate::Replica::read) proves it.
#[derive(Clone, Debug)]
pub struct Status {
    pub node: NodeId,
    pub contact: Contact,
    /// `None`: the node waits to be founded or adopted.
    pub cluster_id: Option<[u8; 16]>,
    pub role: Role,
    /// The newest term whose vote is durable here; it never goes back.
    pub term: u64,
    /// Of this term.
    pub leader: Option<NodeId>,
    pub last_log: u64,
    pub committed: u64,
    pub applied: u64,
    /// Last index of the newest snapshot, and of what was purged.
    pub snapshot: u64,
    pub purged: u64,
    /// Of the state just before the checkpoint at this index.
    pub digest: Option<(u64, Digest)>,
    /// On a leader: how far each peer's log matches.
    pub replication: Option<BTreeMap<NodeId, Option<u64>>>,
    pub members: Vec<Member>,
    pub draining: bool,
    pub out_of_service: bool,
    pub disk_low: bool,
    pub log_bytes: u64,
    pub commands_waiting: usize,
    pub version: String,
    pub pid: u32,
}
