//! openraft's state machine on our `State`: decode, apply, answer.
//!
//! Whatever cannot be decoded stops the process before it is applied: a node that skipped a command would go on
//! with another state than its peers. A history file that an entry seals is durable before the entry counts as
//! applied.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use domain::{
    Action, Answer, Command, Digest, Event, Frozen, HistoryRecord, Image, LogTime, NodeId, Outcome, Position,
    SealedHistory, Stamp, State,
};
use futures_util::{Stream, TryStreamExt};
use openraft::alias::SnapshotOf;
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder};
use planted::Bug;
use prost::Message;
use store::Wal;
use wire::{Payload, log};

use crate::materialise::{Restored, Taken};
use crate::sealed::Sealed;
use crate::shared::{Applied, Shared};
use crate::types::{
    Entry, LogId, SnapshotMeta, StoredMembership, TypeConfig, decode_membership, encode_membership, log_id,
    stored_id,
};

/// The version of what a snapshot's meta holds.
const SNAPSHOT_VERSION: u32 = 1;

pub(crate) struct Machine {
    shared: Arc<Shared>,
    snapshots: Arc<store::Snapshots>,
    sealed: Arc<Sealed>,
    last_applied: Option<LogId>,
    membership: StoredMembership,
    /// History files that the last entry sealed, until they are durable.
    unwritten: Vec<(SealedHistory, Vec<HistoryRecord>)>,
    /// What happened in the last entry, if somebody listens.
    events: Vec<Event>,
    /// Somebody takes the changes of the state.
    is_tracked: bool,
}

impl Machine {
    pub(crate) fn new(shared: Arc<Shared>, snapshots: Arc<store::Snapshots>, sealed: Arc<Sealed>) -> Self {
        Self {
            shared,
            snapshots,
            sealed,
            last_applied: None,
            membership: StoredMembership::default(),
            unwritten: Vec::new(),
            events: Vec::new(),
            is_tracked: false,
        }
    }

    /// Notes from now on which rows change, and begins with the state that a state store held, if it held one.
    pub(crate) fn track(&mut self, restored: Option<Restored>) {
        self.is_tracked = true;
        match restored {
            None => self.shared.state.write().track_changes(true),
            Some(Restored { state, meta }) => {
                self.replace(&meta, state);
                self.shared.state.write().track_changes(false);
            }
        }
    }

    /// What changed since it was last taken, and the place in the log where it is so; `None` as long as the log on
    /// this node's disk does not reach that far.
    pub(crate) fn take_changes(&mut self, wal: &Wal) -> Option<Taken> {
        let last_applied = self.last_applied?;
        let may_lead = planted::is(Bug::StateStoreTrusted);
        if !may_lead && wal.synced().is_none_or(|synced| synced.index < last_applied.index) {
            return None;
        }
        let mut state = self.shared.state.write();
        let (changes, digest) = (state.take_changes(), state.digest());
        Some(Taken { last_applied, changes, digest, meta: self.meta() })
    }

    fn apply_entry(&mut self, entry: Entry) -> Result<Vec<Outcome>, wire::DecodeError> {
        let Entry { log_id, payload } = entry;
        // Before the state shows it to anybody.
        self.shared.known.fetch_max(log_id.index, Ordering::Release);
        let outcomes = match payload {
            EntryPayload::Blank => Vec::new(),
            EntryPayload::Normal(batch) => self.apply_batch(log_id, &batch.0)?,
            EntryPayload::Membership(membership) => {
                let voters = membership.voter_ids().map(NodeId).collect();
                let learners = membership.learner_ids().map(NodeId).collect();
                let at = Position { index: log_id.index, offset: 0, term: *log_id.leader_id, stamp: None };
                self.shared.state.write().apply(at, Command::harmless(Action::Members { voters, learners }));
                self.membership = StoredMembership::new(Some(log_id), membership);
                *self.shared.membership.write() = self.membership.clone();
                Vec::new()
            }
        };
        self.last_applied = Some(log_id);
        Ok(outcomes)
    }

    fn apply_batch(&mut self, id: LogId, payload: &[u8]) -> Result<Vec<Outcome>, wire::DecodeError> {
        let Payload::Batch { stamp, commands } = wire::decode_payload(payload)? else {
            unreachable!("only batches are proposed as commands")
        };
        let mut outcomes = Vec::with_capacity(commands.len());
        let mut checkpoint = None;
        let mut active = false;
        let mut state = self.shared.state.write();
        let ended_before = state.keys_ended();
        for (offset, command) in (0..).zip(commands) {
            if command.action == Action::Checkpoint {
                checkpoint = Some((id.index, state.digest()));
            }
            let at = Position { index: id.index, offset, term: *id.leader_id, stamp: Some(stamp) };
            let acquire = matches!(command.action, Action::Acquire { .. });
            let renew = matches!(command.action, Action::Renew { .. });
            active |= command.action.is_activity();
            let outcome = state.apply(at, command);
            self.count(&outcome, acquire, renew);
            outcomes.push(outcome);
        }
        let commands = outcomes.len() as u64;
        let ended = state.keys_ended() - ended_before;
        let next_end = state.next_end();
        // Before the state shows it to anybody.
        self.shared.scripts_flushed.store(state.scripts().flushed().0, Ordering::Release);
        self.unwritten = state.take_unwritten_history();
        self.sealed.archive().note(&self.unwritten);
        self.events = state.take_events();
        drop(state);
        self.shared.next_end.send_if_modified(|seen| std::mem::replace(seen, next_end) != next_end);
        self.shared.metrics.commands_applied.add(commands);
        self.shared.metrics.entries_active.add(u64::from(active));
        self.shared.metrics.keys_expired.add(ended);
        if checkpoint.is_some() {
            self.shared.checkpoint.send_replace(checkpoint);
        }
        Ok(outcomes)
    }

    fn count(&self, outcome: &Outcome, acquire: bool, renew: bool) {
        let metrics = &self.shared.metrics;
        if outcome.repeated {
            metrics.commands_repeated.add(1);
            return;
        }
        match outcome.answer {
            Answer::Lease { granted: false, .. } => metrics.leases_refused.add(1),
            Answer::Lease { .. } if acquire => metrics.leases_granted.add(1),
            Answer::Lease { .. } if renew => metrics.leases_renewed.add(1),
            Answer::Lease { .. } => metrics.leases_released.add(1),
            _ => {}
        }
    }

    /// Tells whoever waits for it, and whoever listens to what happened.
    fn publish_applied(&mut self) {
        if let Some(id) = self.last_applied {
            self.shared.journal.put(id.index, std::mem::take(&mut self.events));
            self.shared.applied.send_replace(Applied { term: *id.leader_id, index: id.index });
        }
    }

    fn meta(&self) -> SnapshotMeta {
        SnapshotMeta { last_log_id: self.last_applied, last_membership: self.membership.clone() }
    }

    /// Takes over a state that was read from a snapshot or a state store.
    fn replace(&mut self, meta: &SnapshotMeta, mut state: State) {
        if self.is_tracked {
            state.track_changes(true);
        }
        self.shared.known.fetch_max(meta.last_log_id.map_or(0, |id| id.index), Ordering::Release);
        let mut present = self.shared.state.write();
        let interest = present.interest();
        self.shared.scripts_flushed.store(state.scripts().flushed().0, Ordering::Release);
        state.listen(interest);
        *present = state;
        drop(present);
        if !interest.is_none() {
            self.shared.journal.lose();
        }
        self.last_applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        *self.shared.membership.write() = self.membership.clone();
        self.publish_applied();
    }
}

impl RaftStateMachine<TypeConfig> for Machine {
    type SnapshotData = store::Snapshot;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        Ok((self.last_applied, self.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<TypeConfig>>> + Unpin + OptionalSend,
    {
        while let Some((entry, responder)) = entries.try_next().await? {
            let outcomes = match self.apply_entry(entry) {
                Ok(outcomes) => outcomes,
                Err(error) => {
                    self.shared.crash(&format!("a log entry cannot be applied: {error}"));
                    return Err(io::Error::other(error));
                }
            };
            if !self.unwritten.is_empty() {
                self.sealed.write(std::mem::take(&mut self.unwritten)).await?;
            }
            if let Some(responder) = responder {
                responder.send(outcomes);
            }
            self.publish_applied();
        }
        Ok(())
    }

    async fn try_create_snapshot_builder(&mut self, _force: bool) -> Option<Builder> {
        Some(self.get_snapshot_builder().await)
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        let state = self.shared.state.read();
        Builder {
            shared: self.shared.clone(),
            snapshots: self.snapshots.clone(),
            frozen: Some(state.freeze()),
            digest: state.digest(),
            meta: self.meta(),
        }
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: store::Snapshot) -> io::Result<()> {
        let snapshots = self.snapshots.clone();
        let read = move || {
            keep(&snapshots, &snapshot)?;
            read_state(&snapshot)
        };
        self.shared.installing.store(true, Ordering::Relaxed);
        let read = self.shared.environment.blocking("read snapshot", read).await;
        let state = read.ok_or_else(|| io::Error::other("the process is stopping"))??;
        self.replace(meta, state);
        self.shared.installing.store(false, Ordering::Relaxed);
        self.sealed.look_again();
        self.shared.metrics.snapshots_installed.add(1);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<SnapshotOf<TypeConfig, store::Snapshot>>> {
        let Some(snapshot) = self.snapshots.latest().map_err(io::Error::other)? else { return Ok(None) };
        let meta = decode_meta(&snapshot.meta)?;
        Ok(Some(openraft::Snapshot { meta, snapshot }))
    }
}

/// Writes the state as it was at one place of the log, while the machine goes on.
pub(crate) struct Builder {
    shared: Arc<Shared>,
    snapshots: Arc<store::Snapshots>,
    /// Taken by the one build.
    frozen: Option<Frozen>,
    digest: Digest,
    meta: SnapshotMeta,
}

impl RaftSnapshotBuilder<TypeConfig> for Builder {
    type SnapshotData = store::Snapshot;

    async fn build_snapshot(&mut self) -> io::Result<SnapshotOf<TypeConfig, store::Snapshot>> {
        let frozen = self.frozen.take().expect("a builder builds once");
        let digest = self.digest;
        let meta = self.meta.clone();
        let id = meta.last_log_id.unwrap_or_else(|| log_id(0, 0));
        let encoded = encode_meta(&meta, self.shared.cluster_id.get().copied().unwrap_or_default());
        let snapshots = self.snapshots.clone();
        let write = move || -> Result<store::Snapshot, store::Error> {
            let mut writer = snapshots.create(stored_id(&id))?;
            let (mut image, mut digest) = (frozen.image(), digest);
            if planted::is(Bug::SnapshotWithoutOutcomes) {
                image.outcomes.clear();
                digest = digest_of(&image);
            }
            for block in wire::encode_state(&image, digest) {
                writer.write_block(&block)?;
            }
            writer.finish(&encoded)
        };
        let written = self.shared.environment.blocking("write snapshot", write).await;
        let snapshot = match written {
            Some(Ok(snapshot)) => snapshot,
            Some(Err(error)) => return Err(io::Error::other(error)),
            None => return Err(io::Error::other("the process is stopping")),
        };
        self.shared.metrics.snapshots_built.add(1);
        Ok(openraft::Snapshot { meta, snapshot })
    }
}

/// Of [`Bug::SnapshotWithoutOutcomes`] and [`Bug::StateStoreTrusted`].
pub(crate) fn digest_of(image: &Image) -> Digest {
    State::from_image(image.clone(), Digest(0)).map_or_else(|wrong| wrong.computed, |state| state.digest())
}

/// Makes sure that a snapshot is among this node's own files: what was installed must be there after a restart.
fn keep(snapshots: &store::Snapshots, snapshot: &store::Snapshot) -> io::Result<()> {
    if snapshots.ids().map_err(io::Error::other)?.contains(&snapshot.id) {
        return Ok(());
    }
    let mut writer = snapshots.create(snapshot.id).map_err(io::Error::other)?;
    for block in snapshot.blocks() {
        writer.write_block(&block.map_err(io::Error::other)?).map_err(io::Error::other)?;
    }
    writer.finish(&snapshot.meta).map_err(io::Error::other)?;
    Ok(())
}

fn read_state(snapshot: &store::Snapshot) -> io::Result<State> {
    let mut decoder = wire::StateDecoder::new();
    for block in snapshot.blocks() {
        decoder.push(&block.map_err(io::Error::other)?).map_err(io::Error::other)?;
    }
    let (image, digest) = decoder.finish().map_err(io::Error::other)?;
    State::from_image(image, digest).map_err(io::Error::other)
}

pub(crate) fn encode_meta(meta: &SnapshotMeta, cluster_id: [u8; 16]) -> Bytes {
    let membership_id = meta.last_membership.log_id();
    let encoded = log::SnapshotMeta {
        version: SNAPSHOT_VERSION,
        last_term: meta.last_log_id.map_or(0, |id| *id.leader_id),
        last_index: meta.last_log_id.map_or(0, |id| id.index),
        membership_term: membership_id.map(|id| *id.leader_id),
        membership_index: membership_id.map(|id| id.index),
        membership: Some(encode_membership(meta.last_membership.membership())),
        cluster_id: Bytes::copy_from_slice(&cluster_id),
    };
    encoded.encode_to_vec().into()
}

pub(crate) fn decode_meta(encoded: &[u8]) -> io::Result<SnapshotMeta> {
    let meta = log::SnapshotMeta::decode(encoded).map_err(io::Error::other)?;
    if meta.version != SNAPSHOT_VERSION {
        return Err(io::Error::other(format!(
            "the snapshot has format {}, this program knows {SNAPSHOT_VERSION}: start a newer program",
            meta.version
        )));
    }
    let membership = meta.membership.unwrap_or_default();
    let membership = decode_membership(&membership).map_err(io::Error::other)?;
    let membership_id =
        meta.membership_term.zip(meta.membership_index).map(|(term, index)| log_id(term, index));
    Ok(SnapshotMeta {
        last_log_id: (meta.last_index > 0).then(|| log_id(meta.last_term, meta.last_index)),
        last_membership: StoredMembership::new(membership_id, membership),
    })
}

/// The stamp of a batch that a leader of `term` makes at `time`.
pub(crate) fn stamped(term: u64, time: LogTime, commands: Vec<Command>) -> Bytes {
    wire::encode_payload(&Payload::Batch { stamp: Stamp { term, time }, commands })
}
