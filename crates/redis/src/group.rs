//! The seam to the Raft group: what this edge asks of it, and nothing more.
//!
//! It is a trait so that the loop of a connection can be tested against a state in memory.

use std::future::Future;

use consensus::Heard;
use domain::{Action, Answer, Interest, NodeId, Serial};
use futures_util::stream::BoxStream;

use crate::error::Failure;
use crate::plan::View;

pub trait Group: Clone + Send + Sync + 'static {
    type Reading: Look;

    /// Proposes the actions in this order; the results come in the same order.
    fn propose(&self, actions: Vec<Action>) -> impl Future<Output = Vec<Result<Answer, Failure>>> + Send;

    /// One quorum round that begins after this call.
    fn read(&self) -> impl Future<Output = Result<Self::Reading, Failure>> + Send;

    /// Begins or ends to note what happens in the log here. Everything applied after the index that it gives is told by
    /// [`Group::hear`], if it is of interest.
    fn listen(&self, interest: Interest) -> u64;

    /// What has happened since the last call, as soon as there is something; for one caller, who may give up waiting.
    fn hear(&self) -> impl Future<Output = Heard> + Send;

    /// When all scripts were last flushed, as far as is known here without asking anybody. A look never shows a later flush.
    fn scripts_flushed(&self) -> Serial;

    /// What this node believes, without asking anybody.
    fn standing(&self) -> Standing;

    /// Ticks whenever that may have changed.
    fn changes(&self) -> BoxStream<'static, ()>;

    /// Ticks whenever something has been applied here.
    fn applied(&self) -> BoxStream<'static, ()>;
}

/// What a quorum round allows to look at, as often as needed.
pub trait Look: Send + Sync {
    /// `look` must be brief: nothing is applied meanwhile.
    fn look<T>(&self, look: impl FnOnce(&View<'_>) -> T) -> T;
}

/// How the group looks from one node. A belief: nothing may be decided by it.
#[derive(Clone, Debug)]
pub struct Standing {
    /// This node, and the group that it belongs to once that is founded.
    pub node: NodeId,
    pub cluster_id: Option<[u8; 16]>,
    /// It is neither on its way out nor out of service.
    pub serves: bool,
    pub role: &'static str,
    pub leader: Option<NodeId>,
    pub term: u64,
    pub voters: usize,
    /// Where each member serves this protocol.
    pub addresses: Vec<(NodeId, Addresses)>,
}

/// HOST:PORT of both doors; empty if the group does not know it.
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    pub redis: String,
    pub sentinel: String,
}

impl Standing {
    pub(crate) fn address(&self, node: NodeId) -> Option<&str> {
        self.addresses.iter().find(|(id, _)| *id == node).map(|(_, at)| at.redis.as_str())
    }
}
