//! The one door: propose commands, read the state, watch, and change the group.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::command::Audit;
use domain::{Action, Interest, NodeId, Outcome, RequestId, Serial, State, Tenure};
use futures_util::{Stream, StreamExt};
use openraft::ServerState;
use openraft::async_runtime::watch::WatchReceiver;
use planted::Bug;
use store::{Disk, HistoryIndex, Identity, Snapshots, StateStore, Wal, WalOptions};
use tokio::time::{sleep, timeout};
use wire::peer::peer_service_server::PeerServiceServer;

use crate::admin::{self, Admin};
use crate::environment::{Environment, Socket};
use crate::housekeeping::keep_house;
use crate::incoming::Incoming;
use crate::journal::Heard;
use crate::limits::{
    BATCH_BYTES_MAX, BATCH_COMMANDS_MAX, KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, OUTCOME_WAIT,
    PEER_MESSAGE_BYTES_MAX, RESET_STREAMS_MAX,
};
use crate::log_store::LogStore;
use crate::machine::Machine;
use crate::materialise::{self, Materialiser};
use crate::metrics::Metrics;
use crate::once::{Naming, named};
use crate::options::Options;
use crate::peer::{Network, Peer};
use crate::reads::{Reading, Reads};
use crate::rounds::Rounds;
use crate::router::Router;
use crate::sealed::Sealed;
use crate::sequencer::Sequencer;
use crate::shared::Shared;
use crate::status::{Role, Status};
use crate::types::{Contact, Member, Raft};
use crate::watch::{StandingWatch, Watch};
use crate::{AdminError, Archive, Change, Error, ProposeError, ReadError, leadership, ticks, watchdog};

/// A node of the group, as the rest of this process sees it. Cheap to clone; may be used from any runtime.
#[derive(Clone)]
pub struct Replica {
    shared: Arc<Shared>,
    raft: Raft,
    wal: Wal,
    snapshots: Arc<Snapshots>,
    sequencer: Sequencer,
    router: Router,
    reads: Reads,
    naming: Naming,
    admin: Admin,
    sealed: Arc<Sealed>,
    materialiser: Option<Arc<Materialiser>>,
    disk_low: Arc<AtomicBool>,
}

/// What a node starts from.
pub struct Start {
    pub node: NodeId,
    /// Where others reach this node; shown in its status before it is a member.
    pub contact: Contact,
    pub disk: Arc<dyn Disk>,
    pub wal: WalOptions,
    /// Where applied state is kept for a fast restart; without one, a start reads the last snapshot and the log.
    pub state_store: Option<Box<dyn StateStore>>,
    /// Where the closed orders in the history are indexed; without one, none of them is told here.
    pub history_index: Option<Box<dyn HistoryIndex>>,
    pub options: Options,
    pub environment: Environment,
}

impl Replica {
    /// Opens the data directory, recovers, and starts to take part. To be called on the runtime that Raft is to
    /// run on. A node without a cluster waits to be founded or adopted.
    pub async fn start(start: Start) -> Result<Self, Error> {
        let Start { node, contact, disk, wal, state_store, history_index, options, environment } = start;
        let identity = Identity::open(&*disk)?;
        if let Some(identity) = &identity
            && identity.node_id != node.0
        {
            return Err(Error::ForeignNode { found: NodeId(identity.node_id), configured: node });
        }
        let (wal, writer) = Wal::open(disk.clone(), wal, environment.crash.clone())?;
        if identity.is_some() && wal.opened().created {
            return Err(Error::LogLost { node });
        }
        if wal.entry_bytes_max() < 2 * BATCH_BYTES_MAX {
            let (max, least) = (wal.entry_bytes_max(), 2 * BATCH_BYTES_MAX);
            return Err(Error::Options(format!(
                "segments hold entries of {max} bytes, at least {least} are needed"
            )));
        }
        environment.spawn.log_writer(writer);
        let snapshots = Arc::new(Snapshots::open(disk.clone())?);
        let config = options.raft_config()?;
        let cluster_id = identity.map(|identity| identity.cluster_id);
        let shared = Shared::new(node, contact, cluster_id, options, environment);

        let sealed = Sealed::open(shared.clone(), disk.clone(), history_index)?;
        let mut machine = Machine::new(shared.clone(), snapshots.clone(), sealed.clone());
        let mut state_store = match state_store {
            Some(store) => materialise::open(&shared, &wal, store).await,
            None => None,
        };
        if let Some((_, restored)) = &mut state_store {
            machine.track(restored.take());
        }
        let network = Network::new(shared.clone(), wal.clone());
        let log = LogStore::new(wal.clone());
        let raft = Raft::new(node.0, Arc::new(config), network, log, machine).await;
        let raft = raft.map_err(|fatal| Error::Raft(fatal.to_string()))?;

        let materialiser =
            state_store.map(|(store, _)| Materialiser::new(shared.clone(), raft.clone(), wal.clone(), store));
        let sequencer = Sequencer::start(shared.clone(), raft.clone());
        let router = Router::start(shared.clone(), sequencer.clone());
        let reads = Reads::start(shared.clone(), Rounds::new(shared.clone(), raft.clone(), wal.clone()));
        let naming = Naming::default();
        let disk_low = Arc::new(AtomicBool::new(false));
        let admin = Admin {
            shared: shared.clone(),
            raft: raft.clone(),
            router: router.clone(),
            naming: naming.clone(),
            disk,
        };
        let task = |name, task| shared.environment.spawn.task(name, task);
        task("leadership", Box::pin(leadership::follow(shared.clone(), raft.clone(), sequencer.clone())));
        task("apply watchdog", Box::pin(watchdog::watch_apply(shared.clone(), raft.clone())));
        task("ticks", Box::pin(ticks::tick(shared.clone(), sequencer.clone())));
        task("checkpoints", Box::pin(ticks::checkpoint(shared.clone(), sequencer.clone())));
        task("trading day", Box::pin(ticks::roll_day(shared.clone(), sequencer.clone())));
        task("digest reports", Box::pin(ticks::report_digest(shared.clone(), router.clone())));
        task(
            "housekeeping",
            Box::pin(keep_house(
                shared.clone(),
                raft.clone(),
                wal.clone(),
                snapshots.clone(),
                admin.clone(),
                disk_low.clone(),
            )),
        );
        task("members", Box::pin(admin.clone().tend_members()));
        task("history", Box::pin(sealed.clone().keep_complete()));
        task("history index", Box::pin(sealed.archive().clone().keep_indexed(reads.clone())));
        if let Some(materialiser) = &materialiser {
            task("state store", Box::pin(materialiser.clone().run()));
        }
        Ok(Self {
            shared,
            raft,
            wal,
            snapshots,
            sequencer,
            router,
            reads,
            naming,
            admin,
            sealed,
            materialiser,
            disk_low,
        })
    }

    /// Answers peers until `stop` is done, then ends their streams after what they have begun. To be called on the runtime that Raft runs on.
    pub async fn serve_peers(
        &self,
        incoming: impl Stream<Item = std::io::Result<Box<dyn Socket>>> + Send + Unpin,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<(), tonic::transport::Error> {
        let peer = Peer {
            shared: self.shared.clone(),
            raft: self.raft.clone(),
            wal: self.wal.clone(),
            sequencer: self.sequencer.clone(),
            reads: self.reads.clone(),
            snapshots: self.snapshots.clone(),
            admin: self.admin.clone(),
            sealed: self.sealed.clone(),
            receiving: tokio::sync::Mutex::default(),
        };
        let service = PeerServiceServer::new(peer)
            .max_decoding_message_size(PEER_MESSAGE_BYTES_MAX)
            .max_encoding_message_size(PEER_MESSAGE_BYTES_MAX);
        let incoming = incoming.map(|socket| socket.map(Incoming));
        let stop = async {
            stop.await;
            self.shared.stopping.send_replace(true);
        };
        tonic::transport::Server::builder()
            .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
            .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
            // Heartbeats that a busy node answers too late are reset by their sender; that is no attack.
            .http2_max_pending_accept_reset_streams(Some(RESET_STREAMS_MAX))
            .initial_stream_window_size(1024 * 1024)
            .initial_connection_window_size(4 * 1024 * 1024)
            .add_service(service)
            .serve_with_incoming_shutdown(incoming, stop)
            .await
    }
}

// Proposing and reading.
impl Replica {
    /// Proposes the actions in this order through whichever node leads, and returns what became of each, in the
    /// same order. Waits for a leader, [`LEADER_WAIT`](crate::limits::LEADER_WAIT) at most.
    pub async fn propose(&self, actions: Vec<Action>) -> Vec<Result<Outcome, ProposeError>> {
        if let Err(error) = self.admit(&actions) {
            return vec![Err(error); actions.len()];
        }
        let commands: Vec<_> =
            actions.into_iter().map(|action| self.naming.name(&self.shared, action)).collect();
        if commands.len() <= BATCH_COMMANDS_MAX {
            return self.router.send(commands).await;
        }
        let mut results = Vec::with_capacity(commands.len());
        for part in commands.chunks(BATCH_COMMANDS_MAX) {
            results.extend(self.router.send(part.to_vec()).await);
        }
        results
    }

    /// Proposes one action under an id that the client chose. Repeated within 30 s it runs once.
    pub async fn propose_as(&self, id: [u8; 16], action: Action) -> Result<Outcome, ProposeError> {
        self.admit(std::slice::from_ref(&action))?;
        let command = named(&self.shared, RequestId::Client(id), action);
        self.router.send(vec![command]).await.pop().unwrap_or(Err(ProposeError::Unknown))
    }

    fn admit(&self, actions: &[Action]) -> Result<(), ProposeError> {
        if actions.iter().map(Action::bytes).sum::<usize>() + 64 * actions.len() > BATCH_BYTES_MAX {
            return Err(ProposeError::TooLarge);
        }
        if self.disk_low.load(Ordering::Relaxed) && !actions.iter().all(Action::frees) {
            return Err(ProposeError::DiskLow);
        }
        if self.shared.out_of_service() {
            return Err(ProposeError::OutOfService);
        }
        Ok(())
    }

    /// A linearizable look at the state: a quorum round that began after this call, then everything up to its
    /// read index is applied here.
    pub async fn read(&self) -> Result<Reading, ReadError> {
        if self.shared.out_of_service() {
            return Err(ReadError::OutOfService);
        }
        let round = self.reads.round(false).await?;
        let index = if planted::is(Bug::ReadBeforeApplied) { 0 } else { round.index };
        let applied = timeout(OUTCOME_WAIT, self.shared.wait_applied(index)).await;
        applied.map_err(|_| ReadError::NoQuorum)?;
        // What was applied meanwhile may have shown that this node is wrong.
        if self.shared.out_of_service() {
            return Err(ReadError::OutOfService);
        }
        Ok(Reading::new(self.shared.clone(), round))
    }

    /// The closed orders in the history of this node.
    pub fn archive(&self) -> &Arc<Archive> {
        self.sealed.archive()
    }

    /// The state as applied here, without any proof that it is the newest: for status and metrics only.
    pub fn local(&self) -> parking_lot::RwLockReadGuard<'_, State> {
        self.shared.state.read()
    }
}

// The group.
impl Replica {
    pub fn node(&self) -> NodeId {
        self.shared.node
    }

    /// Drawn when the group was founded; `None` before this node is a part of one.
    pub fn cluster_id(&self) -> Option<[u8; 16]> {
        self.shared.cluster_id.get().copied()
    }

    /// Bootstraps the group, once, through this node.
    pub async fn init(&self, founders: &[Member]) -> Result<(), AdminError> {
        self.admin.init(founders).await
    }

    /// An operator's change, made through whichever node it must be made at. Returns the node concerned: the new
    /// member, or the new leader.
    pub async fn change(&self, change: Change, audit: Audit) -> Result<NodeId, AdminError> {
        self.admin.change(change, audit).await
    }

    pub fn members(&self) -> Vec<Member> {
        self.admin.members()
    }

    /// Changes of leadership, oldest first, as recorded in the state here.
    pub fn tenures(&self) -> Vec<Tenure> {
        self.shared.state.read().tenures().cloned().collect()
    }

    /// Ticks whenever something was applied here, and whenever [`Replica::watch_standing`] does.
    pub fn watch(&self) -> Watch {
        Watch::new(&self.shared)
    }

    /// Begins or ends to note what happens in the log. Of everything applied here after the index that it gives,
    /// [`Replica::hear`] will tell what is of interest; of what was applied before, perhaps.
    pub fn listen(&self, interest: Interest) -> u64 {
        let mut state = self.shared.state.write();
        state.listen(interest);
        // The state may be one entry ahead of this: what is in doubt is told.
        self.shared.applied.borrow().index
    }

    /// What has happened here since the last call, as soon as there is something; for one caller, who may give up waiting.
    pub async fn hear(&self) -> Heard {
        self.shared.journal.take().await
    }

    /// When all scripts were last flushed, as far as this node has applied the log: for what it remembers of scripts itself.
    pub fn scripts_flushed(&self) -> Serial {
        Serial(self.shared.scripts_flushed.load(Ordering::Acquire))
    }

    /// Ticks whenever the leader changed, or this node began or ended to drain, or went out of service.
    pub fn watch_standing(&self) -> StandingWatch {
        StandingWatch::new(&self.shared)
    }

    pub fn is_draining(&self) -> bool {
        self.shared.is_draining()
    }

    /// What this node knows now, without a quorum.
    pub fn status(&self) -> Status {
        let members = admin::members(&self.shared);
        let (applied, digest) = (*self.shared.applied.borrow(), *self.shared.checkpoint.borrow());
        let out_of_service = self.shared.out_of_service();
        let metrics = self.raft.metrics();
        let seen = metrics.borrow_watched();
        let index = |id: Option<crate::types::LogId>| id.map_or(0, |id| id.index);
        // What the core says of itself is old while it waits for a slow disk; the log is asked itself.
        let log = self.wal.log_state();
        // A term counts once the vote in it is durable: before that a power cut undoes it, and nobody was told.
        let term = seen.current_term.min(self.wal.synced_term());
        let leader = seen.current_leader.filter(|_| seen.current_term == term);
        Status {
            node: self.shared.node,
            contact: self.shared.contact.clone(),
            cluster_id: self.shared.cluster_id.get().copied(),
            role: match seen.state {
                ServerState::Leader => Role::Leader,
                ServerState::Candidate => Role::Candidate,
                ServerState::Follower => Role::Follower,
                ServerState::Learner | ServerState::Shutdown => Role::Learner,
            },
            term,
            leader: leader.map(NodeId),
            last_log: log.last.or(log.purged).map_or(0, |id| id.index),
            committed: index(seen.local_committed),
            applied: applied.index,
            snapshot: index(seen.snapshot),
            purged: log.purged.map_or(0, |id| id.index),
            digest,
            replication: seen.replication.as_ref().map(|replication| {
                replication.iter().map(|(id, matching)| (NodeId(*id), matching.map(|id| id.index))).collect()
            }),
            members,
            draining: self.shared.is_draining(),
            out_of_service,
            disk_low: self.disk_low.load(Ordering::Relaxed),
            log_bytes: self.wal.retained_bytes(),
            commands_waiting: self.router.waiting(),
            version: self.shared.options.version.clone(),
            pid: self.shared.options.pid,
        }
    }

    pub fn metrics(&self) -> Arc<Metrics> {
        self.shared.metrics.clone()
    }

    pub fn log_metrics(&self) -> Arc<store::WalMetrics> {
        self.wal.metrics()
    }
}

// Stopping.
impl Replica {
    /// First half of a planned stop: stand for no election and hand leadership over. What entered here goes on
    /// and is answered, through the new leader.
    pub async fn drain(&self) {
        self.shared.set_draining(true);
        self.raft.runtime_config().elect(false);
        let leads = self.shared.leadership.borrow().leader == Some(self.shared.node);
        if leads && self.members().iter().filter(|member| member.voter).count() > 1 {
            let audit = Audit {
                wall_ms: self.shared.environment.clock.wall_ms(),
                actor: format!("node {}", self.shared.node),
                action: "drain".into(),
                subject: self.shared.node.to_string(),
                reason: "planned stop".into(),
            };
            let _ = self.propose(vec![Action::Audit(Box::new(audit))]).await;
            if let Err(error) = self.admin.hand_over(None).await {
                tracing::warn!(%error, "leadership was not handed over");
            }
        }
    }

    /// Ends Raft without any courtesy, as a crash would; for whoever simulates one.
    pub async fn halt(&self) {
        // What it says of its end is of no interest: it was not meant to end well.
        let _ = self.raft.shutdown().await;
    }

    /// Second half: wait until everything that entered here is answered, then stop Raft and close the log.
    pub async fn shutdown(&self) {
        // A hand-over to this node may have been under way when it began to drain.
        let leads = self.shared.leadership.borrow().leader == Some(self.shared.node);
        if leads && self.members().iter().filter(|member| member.voter).count() > 1 {
            let _ = self.admin.hand_over(None).await;
        }
        let answered = async {
            while self.router.waiting() > 0 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        if timeout(OUTCOME_WAIT, answered).await.is_err() {
            tracing::warn!(commands = self.router.waiting(), "stopping with commands unanswered");
        }
        if let Some(materialiser) = &self.materialiser {
            materialiser.finish().await;
        }
        self.sealed.archive().finish().await;
        if let Err(error) = self.raft.shutdown().await {
            tracing::warn!(%error, "Raft did not stop cleanly");
        }
        if let Err(error) = self.wal.close().await {
            tracing::warn!(%error, "the log was not closed cleanly");
        }
    }
}
