//! What openraft is told about us. No type of openraft leaves this crate.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bytes::Bytes;
use domain::{NodeId, Outcome};
use openraft::alias::{EntryOf, LogIdOf, SnapshotMetaOf, StoredMembershipOf, VoteOf};
use openraft::impls::leader_id_std;
use openraft::vote::RaftLeaderId;
use openraft::{EntryPayload, Membership};
use wire::{DecodeError, Payload, log};

use crate::machine::Machine;

openraft::declare_raft_types!(
    pub(crate) TypeConfig:
        D = Batch,
        R = Vec<Outcome>,
        NodeId = u64,
        Node = Contact,
        Term = u64,
        // One leader per term: then a bare term tells leaders apart, in stamps and in `with_leader`.
        LeaderId = leader_id_std::LeaderId<u64, u64>,
);

pub(crate) type Raft = openraft::Raft<TypeConfig, Machine>;
pub(crate) type LogId = LogIdOf<TypeConfig>;
pub(crate) type Vote = VoteOf<TypeConfig>;
pub(crate) type Entry = EntryOf<TypeConfig>;
pub(crate) type StoredMembership = StoredMembershipOf<TypeConfig>;
pub(crate) type SnapshotMeta = SnapshotMetaOf<TypeConfig>;

/// A batch of commands with its stamp, encoded once where it was proposed: the same bytes go to the log, over
/// the wire, and into `apply`.
#[derive(Clone)]
pub(crate) struct Batch(pub(crate) Bytes);

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "batch of {} bytes", self.0.len())
    }
}

/// Where a member is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    pub name: String,
    pub peer: String,
    pub api: String,
    pub redis: String,
    /// Empty for a member of before there was one.
    pub sentinel: String,
    pub http: String,
}

/// A member of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub id: NodeId,
    pub name: String,
    pub peer: String,
    pub api: String,
    pub redis: String,
    pub sentinel: String,
    pub http: String,
    /// Learners receive the log and do not vote.
    pub voter: bool,
}

impl Contact {
    /// A member that is reached here.
    pub fn member(self, id: NodeId, voter: bool) -> Member {
        let Self { name, peer, api, redis, sentinel, http } = self;
        Member { id, name, peer, api, redis, sentinel, http, voter }
    }
}

impl Member {
    pub fn contact(&self) -> Contact {
        let Self { name, peer, api, redis, sentinel, http, .. } = self.clone();
        Contact { name, peer, api, redis, sentinel, http }
    }
}

pub(crate) fn committed_leader(term: u64) -> openraft::alias::CommittedLeaderIdOf<TypeConfig> {
    // The node is not part of the committed form: in standard Raft the term says it all.
    leader_id_std::LeaderId::<u64, u64>::new(term, 0).to_committed()
}

pub(crate) fn log_id(term: u64, index: u64) -> LogId {
    LogId::new(committed_leader(term), index)
}

pub(crate) fn stored_id(id: &LogId) -> store::LogId {
    store::LogId { term: *id.leader_id, index: id.index }
}

pub(crate) fn raft_id(id: store::LogId) -> LogId {
    log_id(id.term, id.index)
}

pub(crate) fn stored_vote(vote: &Vote) -> store::Vote {
    store::Vote { term: vote.leader_id.term, node: vote.leader_id.voted_for, committed: vote.committed }
}

pub(crate) fn raft_vote(vote: store::Vote) -> Vote {
    if vote.committed { Vote::new_committed(vote.term, vote.node) } else { Vote::new(vote.term, vote.node) }
}

/// The bytes that stand for an entry in the log and on the wire.
pub(crate) fn encode_entry(entry: &Entry) -> Bytes {
    match &entry.payload {
        EntryPayload::Blank => wire::encode_payload(&Payload::Blank),
        EntryPayload::Normal(batch) => batch.0.clone(),
        EntryPayload::Membership(membership) => {
            wire::encode_payload(&Payload::Membership(encode_membership(membership)))
        }
    }
}

pub(crate) fn decode_entry(id: LogId, payload: Bytes) -> Result<Entry, DecodeError> {
    let payload = match wire::payload_kind(&payload)? {
        wire::PayloadKind::Batch => EntryPayload::Normal(Batch(payload)),
        wire::PayloadKind::Blank => EntryPayload::Blank,
        wire::PayloadKind::Membership => match wire::decode_payload(&payload)? {
            Payload::Membership(membership) => EntryPayload::Membership(decode_membership(&membership)?),
            other => unreachable!("the kind said membership, the bytes say {other:?}"),
        },
    };
    Ok(Entry { log_id: id, payload })
}

pub(crate) fn encode_membership(membership: &Membership<u64, Contact>) -> log::Membership {
    let configs = membership.get_joint_config().iter();
    log::Membership {
        configs: configs.map(|config| log::NodeSet { ids: config.iter().copied().collect() }).collect(),
        nodes: membership.nodes().map(|(id, contact)| encode_contact(*id, contact)).collect(),
    }
}

pub(crate) fn decode_membership(
    membership: &log::Membership,
) -> Result<Membership<u64, Contact>, DecodeError> {
    let configs: Vec<BTreeSet<u64>> =
        membership.configs.iter().map(|config| config.ids.iter().copied().collect()).collect();
    let nodes: BTreeMap<u64, Contact> =
        membership.nodes.iter().map(|node| (node.id, decode_contact(node))).collect();
    let invalid = |why| DecodeError::Malformed { what: "Membership", why };
    Membership::new(configs, nodes).map_err(|error| invalid(error.to_string()))
}

pub(crate) fn encode_contact(id: u64, contact: &Contact) -> log::Node {
    let Contact { name, peer, api, redis, sentinel, http } = contact.clone();
    log::Node { id, name, peer, api, redis, sentinel, http }
}

pub(crate) fn decode_contact(node: &log::Node) -> Contact {
    let log::Node { name, peer, api, redis, sentinel, http, .. } = node.clone();
    Contact { name, peer, api, redis, sentinel, http }
}
