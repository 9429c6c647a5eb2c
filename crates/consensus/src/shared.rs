//! What the tasks of one node share.

use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use domain::{Digest, Integrity, LogTime, NodeId, State};
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;
use wire::peer;

use crate::clock::LogClock;
use crate::environment::Environment;
use crate::journal::Journal;
use crate::metrics::Metrics;
use crate::options::Options;
use crate::peer::Channels;
use crate::types::{Contact, StoredMembership};

/// How far the state machine has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Applied {
    pub(crate) term: u64,
    pub(crate) index: u64,
}

/// Who leads, as this node believes. Nothing may be served or started on this belief alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Leadership {
    pub(crate) term: u64,
    pub(crate) leader: Option<NodeId>,
    /// This node leads and its clock runs: it may stamp entries.
    pub(crate) stamping: bool,
}

/// What keeps this node from serving, whoever leads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Withdrawal {
    pub(crate) draining: bool,
    pub(crate) out_of_service: bool,
}

pub(crate) struct Shared {
    pub(crate) node: NodeId,
    /// Drawn at every start; with a count it names the commands that enter here.
    pub(crate) life: u64,
    pub(crate) environment: Environment,
    pub(crate) options: Options,
    /// Set once, by init or by being adopted as a member.
    pub(crate) cluster_id: OnceLock<[u8; 16]>,
    pub(crate) contact: Contact,
    pub(crate) state: RwLock<State>,
    pub(crate) membership: RwLock<StoredMembership>,
    pub(crate) applied: watch::Sender<Applied>,
    /// What happened in what was applied, if somebody listens.
    pub(crate) journal: Journal,
    /// A snapshot takes the place of the state: nothing is applied meanwhile, and that may take long.
    pub(crate) installing: AtomicBool,
    /// The last index that anybody can know to be decided by this node: from its state, or as its follower.
    pub(crate) known: AtomicU64,
    /// When the scripts that clients had loaded were last flushed, as applied here.
    pub(crate) scripts_flushed: AtomicU64,
    /// The highest index that this node, as the leader, gave a follower that waits until it has applied it.
    pub(crate) awaited: watch::Sender<u64>,
    pub(crate) leadership: watch::Sender<Leadership>,
    /// When the next key ends by itself.
    pub(crate) next_end: watch::Sender<Option<LogTime>>,
    /// The latest checkpoint applied here, and the digest of the state just before it.
    pub(crate) checkpoint: watch::Sender<Option<(u64, Digest)>>,
    pub(crate) clock: LogClock,
    pub(crate) channels: Channels,
    pub(crate) signs: Signs,
    /// Who last refused to take over from this node, or gave no answer.
    pub(crate) transfer_refused: watch::Sender<Option<NodeId>>,
    /// This node serves its peers no longer: their streams end after what they have begun.
    pub(crate) stopping: watch::Sender<bool>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) withdrawal: watch::Sender<Withdrawal>,
}

impl Shared {
    pub(crate) fn new(
        node: NodeId,
        contact: Contact,
        cluster_id: Option<[u8; 16]>,
        options: Options,
        environment: Environment,
    ) -> Arc<Self> {
        let once = OnceLock::new();
        if let Some(cluster_id) = cluster_id {
            once.get_or_init(|| cluster_id);
        }
        Arc::new(Self {
            node,
            life: environment.random.u64(),
            cluster_id: once,
            contact,
            state: RwLock::default(),
            membership: RwLock::default(),
            applied: watch::Sender::default(),
            journal: Journal::default(),
            installing: AtomicBool::default(),
            known: AtomicU64::new(0),
            scripts_flushed: AtomicU64::new(0),
            awaited: watch::Sender::default(),
            leadership: watch::Sender::default(),
            next_end: watch::Sender::default(),
            checkpoint: watch::Sender::default(),
            clock: LogClock::new(environment.clock.clone()),
            channels: Channels::new(environment.connect.clone()),
            signs: Signs::default(),
            transfer_refused: watch::Sender::default(),
            stopping: watch::Sender::default(),
            metrics: Arc::default(),
            withdrawal: watch::Sender::default(),
            options,
            environment,
        })
    }

    /// What every request to `target` begins with.
    pub(crate) fn route(&self, target: u64) -> peer::Route {
        let cluster_id = self.cluster_id.get().copied().unwrap_or_default();
        peer::Route { cluster_id: Bytes::copy_from_slice(&cluster_id), from: self.node.0, to: target }
    }

    /// Where the peer port of a member is, as the latest membership applied here says.
    pub(crate) fn peer_address(&self, node: NodeId) -> Option<String> {
        self.membership.read().get_node(&node.0).map(|contact| contact.peer.clone())
    }

    pub(crate) fn crash(&self, reason: &str) {
        (self.environment.crash)(reason);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.withdrawal.borrow().draining
    }

    pub(crate) fn set_draining(&self, draining: bool) {
        self.withdrawal.send_modify(|withdrawal| withdrawal.draining = draining);
    }

    /// This node's state is known to be wrong: it serves nobody and never leads. Known once, known for good: the
    /// next checkpoint begins with no reports, which proves nothing.
    pub(crate) fn out_of_service(&self) -> bool {
        let is_wrong = self.state.read().integrity(self.node) == Integrity::Minority;
        if is_wrong
            && self.withdrawal.send_if_modified(|seen| !std::mem::replace(&mut seen.out_of_service, true))
        {
            tracing::error!(node = %self.node, "this node's state differs from the majority's: it is out of service");
            // Whoever listens here has been told what may not have happened.
            self.journal.lose();
        }
        self.withdrawal.borrow().out_of_service
    }

    /// Waits until this node serves its peers no longer.
    pub(crate) fn stopped(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut stopping = self.stopping.subscribe();
        // A dropped sender means that the node is gone.
        async move { drop(stopping.wait_for(|stopping| *stopping).await) }
    }

    /// A follower is told of `index`, and waits until it has applied so much.
    pub(crate) fn await_there(&self, index: u64) {
        self.awaited.send_if_modified(|highest| {
            let rises = index > *highest;
            *highest = index.max(*highest);
            rises
        });
    }

    /// Waits until the state holds everything up to `index`.
    pub(crate) async fn wait_applied(&self, index: u64) {
        let mut applied = self.applied.subscribe();
        // The sender lives in `self`, so the wait can only end by the condition.
        applied.wait_for(|applied| applied.index >= index).await.expect("the sender is in self");
    }
}

/// The last signs of life of a leader, as this node saw them: where the time of a failover is counted from.
#[derive(Default)]
pub(crate) struct Signs(Mutex<LastSigns>);

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LastSigns {
    pub(crate) leader: Option<NodeId>,
    /// When it was last heard, on the monotonic clock.
    pub(crate) heard_ns: u64,
    /// Its stream of entries has ended since.
    pub(crate) broken: bool,
    /// When it asked this node to take over. It may go on for a moment and be heard after that.
    pub(crate) handed_over_ns: Option<u64>,
}

impl Signs {
    pub(crate) fn heard(&self, leader: u64, now_ns: u64) {
        let mut signs = self.0.lock();
        let leader = Some(NodeId(leader));
        let handed_over_ns = signs.handed_over_ns.filter(|_| signs.leader == leader);
        *signs = LastSigns { leader, heard_ns: now_ns, broken: false, handed_over_ns };
    }

    pub(crate) fn broken(&self, leader: u64) {
        let mut signs = self.0.lock();
        if signs.leader == Some(NodeId(leader)) {
            signs.broken = true;
        }
    }

    pub(crate) fn handed_over(&self, now_ns: u64) {
        self.0.lock().handed_over_ns = Some(now_ns);
    }

    pub(crate) fn get(&self) -> LastSigns {
        *self.0.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leader_that_has_asked_for_its_successor_may_be_heard_after_that() {
        let signs = Signs::default();
        signs.heard(1, 10);
        signs.handed_over(20);
        signs.heard(1, 30);
        assert_eq!(signs.get().handed_over_ns, Some(20));
        signs.heard(2, 40);
        assert_eq!(signs.get().handed_over_ns, None);
    }
}
