//! Applied state beside the log, for a fast restart: about every second, what changed is written to the state store.
//!
//! A cache of what the log has decided, which may lag or be lost and never leads. It is read once, at start, and then
//! believed only if the log holds the very entry that it stands at and its rows have the digest that was written with
//! them. It stands in nobody's way: the machine notes which rows change, which costs little, and is asked for them
//! between two batches; when more changes than can be written with little work, the store lags, and when the state
//! gives up keeping track, it is written anew as soon as the load has dropped.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use domain::changes::Extent;
use domain::{Changes, Digest, State, TakenChanges};
use parking_lot::Mutex;
use planted::Bug;
use store::{StateStore, Stored, Wal};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use wire::StateDecoder;

use crate::limits::{
    STATE_ENTRIES_BEHIND_MAX, STATE_FINISH_TIMEOUT, STATE_REBUILD_INTERVAL, STATE_ROWS_LAST_MAX,
    STATE_ROWS_PER_WRITE_MAX, STATE_WRITE_INTERVAL,
};
use crate::machine::{decode_meta, digest_of, encode_meta};
use crate::shared::Shared;
use crate::types::{LogId, Raft, SnapshotMeta, raft_id, stored_id};

/// Where the store keeps the place of its state in the log, as a snapshot does.
const PLACE: &str = "place";
const META: &[u8] = b"meta";

/// The state that a store held, and its place in the log.
pub(crate) struct Restored {
    pub(crate) state: State,
    pub(crate) meta: SnapshotMeta,
}

/// What the machine gave of its state, at one place of the log.
pub(crate) struct Taken {
    pub(crate) last_applied: LogId,
    pub(crate) changes: TakenChanges,
    pub(crate) digest: Digest,
    pub(crate) meta: SnapshotMeta,
}

/// Reads what an earlier life of this node left, and throws away what cannot be used. No store comes back if it fails
/// even then: the node does without.
pub(crate) async fn open(
    shared: &Shared,
    wal: &Wal,
    mut store: Box<dyn StateStore>,
) -> Option<(Box<dyn StateStore>, Option<Restored>)> {
    let (wal, metrics) = (wal.clone(), shared.metrics.clone());
    let open = move || {
        let restored = read(&mut *store, &wal).or_else(|error| {
            tracing::warn!(%error, "the state store cannot be used; the state is rebuilt from snapshot and log");
            metrics.state_discarded.add(1);
            store.rebuild().map(|()| None)
        })?;
        store.confirm()?;
        Ok::<_, store::Error>((store, restored))
    };
    match shared.environment.blocking("read state store", open).await? {
        Ok((store, restored)) => {
            if let Some(restored) = &restored {
                let index = restored.meta.last_log_id.map(|id| id.index);
                tracing::info!(index, keys = restored.state.key_count(), "the state was read back");
            }
            Some((store, restored))
        }
        Err(error) => {
            tracing::error!(%error, "the state store failed; this node goes on without it");
            None
        }
    }
}

fn read(store: &mut dyn StateStore, wal: &Wal) -> io::Result<Option<Restored>> {
    let Some(Stored { last_applied, digest }) = store.load().map_err(io::Error::other)? else {
        return Ok(None);
    };
    // Ahead of the log, behind what was purged of it, or of another log: in all three the entry is not there.
    if wal.id_at(last_applied.index) != Some(last_applied) && !planted::is(Bug::StateStoreTrusted) {
        let (first, last) = (wal.first().unwrap_or_default(), wal.log_state().last.unwrap_or_default());
        return Err(io::Error::other(format!(
            "it stands at entry {last_applied}, which the log, from {first} to {last}, does not hold"
        )));
    }
    let mut decoder = StateDecoder::new();
    for table in wire::TABLES {
        scan(store, table, |value| decoder.push(value).map_err(io::Error::other))?;
    }
    let mut meta = None;
    scan(store, PLACE, |value| {
        meta = Some(decode_meta(value)?);
        Ok(())
    })?;
    let meta = meta.filter(|meta| meta.last_log_id == Some(raft_id(last_applied)));
    let meta = meta.ok_or_else(|| io::Error::other("the place of its state is not what it says"))?;
    let (image, _) = decoder.finish().map_err(io::Error::other)?;
    let digest = if planted::is(Bug::StateStoreTrusted) { digest_of(&image) } else { Digest(digest) };
    let state = State::from_image(image, digest).map_err(io::Error::other)?;
    Ok(Some(Restored { state, meta }))
}

/// Every value of a tree, in the order of keys, up to the first that is refused.
fn scan(store: &dyn StateStore, tree: &str, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut result = Ok(());
    let mut next = |_: &[u8], value: &[u8]| {
        if result.is_ok() {
            result = each(value);
        }
    };
    store.scan(tree, &mut next).map_err(io::Error::other)?;
    result
}

/// Keeps a state store up with the state.
pub(crate) struct Materialiser {
    shared: Arc<Shared>,
    raft: Raft,
    wal: Wal,
    store: Arc<Mutex<Box<dyn StateStore>>>,
    /// Held for the whole of a write: the next changes follow on those before.
    progress: tokio::sync::Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    /// Where the store stands.
    index: u64,
    /// Changes that the state had noted when it was last looked at.
    noted: u64,
    rebuilt: Option<Instant>,
    /// Nothing is written any more: the store refused, or this node stops.
    over: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    /// There is nothing worth a write.
    Rest,
    /// A write would cost too much now.
    Lag,
    Write,
}

impl Materialiser {
    pub(crate) fn new(shared: Arc<Shared>, raft: Raft, wal: Wal, store: Box<dyn StateStore>) -> Arc<Self> {
        let store = Arc::new(Mutex::new(store));
        Arc::new(Self { shared, raft, wal, store, progress: tokio::sync::Mutex::default() })
    }

    /// Writes about every second. Ends with the process.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut every = interval(STATE_WRITE_INTERVAL);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            let mut progress = self.progress.lock().await;
            if progress.over {
                return;
            }
            if self.shared.out_of_service() {
                return self.discard(&mut progress).await;
            }
            let extent = self.shared.state.read().extent();
            let behind = self.shared.applied.borrow().index.saturating_sub(progress.index);
            let since_rebuilt = progress.rebuilt.map(|at| at.elapsed());
            let load = extent.noted.saturating_sub(progress.noted);
            progress.noted = extent.noted;
            match plan(extent, load, behind, since_rebuilt) {
                Plan::Rest => {}
                Plan::Lag => self.shared.metrics.state_writes_put_off.add(1),
                Plan::Write => self.write(&mut progress).await,
            }
        }
    }

    /// The last write, made durable, for an orderly stop. Where it would take long it is left out: a stop that is waited
    /// for in vain ends in a kill, and the log has everything.
    pub(crate) async fn finish(&self) {
        if timeout(STATE_FINISH_TIMEOUT, self.write_last()).await.is_err() {
            tracing::warn!(limit = ?STATE_FINISH_TIMEOUT, "the state store was too slow and is left behind");
        }
    }

    async fn write_last(&self) {
        let mut progress = self.progress.lock().await;
        if progress.over {
            return;
        }
        if self.shared.out_of_service() {
            return self.discard(&mut progress).await;
        }
        progress.over = true;
        let (everything, rows) = {
            let state = self.shared.state.read();
            (state.extent().everything, state.key_count() + state.outcome_count())
        };
        if everything && rows > STATE_ROWS_LAST_MAX {
            tracing::info!(rows, "the state store lags far and is left behind");
            return;
        }
        self.write(&mut progress).await;
        let store = self.store.clone();
        let flushed =
            self.shared.environment.blocking("flush state store", move || store.lock().flush()).await;
        if let Some(Err(error)) = flushed {
            tracing::warn!(%error, "the state store was not flushed");
        }
    }

    /// This node's state is wrong. Its next life must not begin with it but with what the log says.
    async fn discard(&self, progress: &mut Progress) {
        progress.over = true;
        self.shared.metrics.state_discarded.add(1);
        let store = self.store.clone();
        let discard = move || {
            let mut store = store.lock();
            store.rebuild()?;
            store.confirm()
        };
        let discarded = self.shared.environment.blocking("discard state store", discard).await;
        if let Some(Err(error)) = discarded {
            tracing::error!(%error, "a state store that is known to be wrong could not be emptied");
        }
    }

    async fn write(&self, progress: &mut Progress) {
        let wal = self.wal.clone();
        let taken = self.raft.with_state_machine(move |machine| {
            let taken = machine.take_changes(&wal);
            Box::pin(std::future::ready(taken))
        });
        // Either Raft has stopped, or what is applied is not yet in the log of this node: the next time, then.
        let Ok(Some(taken)) = taken.await else { return };
        let (index, everything) =
            (taken.last_applied.index, matches!(taken.changes, TakenChanges::Everything(_)));
        let store = self.store.clone();
        let cluster_id = self.shared.cluster_id.get().copied().unwrap_or_default();
        let write = move || write(&mut **store.lock(), taken, cluster_id);
        match self.shared.environment.blocking("write state store", write).await {
            Some(Ok(rows)) => {
                progress.index = index;
                if everything {
                    progress.rebuilt = Some(Instant::now());
                    self.shared.metrics.state_rebuilds.add(1);
                }
                self.shared.metrics.state_rows_written.add(rows);
            }
            // What was taken is lost to the store, so it must not be given what follows.
            Some(Err(error)) => {
                tracing::error!(%error, "the state store failed; the next start rebuilds the state");
                progress.over = true;
            }
            None => progress.over = true,
        }
    }
}

fn plan(extent: Extent, load: u64, behind: u64, since_rebuilt: Option<Duration>) -> Plan {
    let rebuilt_lately = since_rebuilt.is_some_and(|since| since < STATE_REBUILD_INTERVAL);
    if load > STATE_ROWS_PER_WRITE_MAX || extent.everything && rebuilt_lately {
        Plan::Lag
    } else if !extent.everything && extent.rows == 0 && behind < STATE_ENTRIES_BEHIND_MAX {
        Plan::Rest
    } else {
        Plan::Write
    }
}

/// Returns the number of rows.
fn write(store: &mut dyn StateStore, taken: Taken, cluster_id: [u8; 16]) -> Result<u64, store::Error> {
    let Taken { last_applied, changes, digest, meta } = taken;
    let changes = Changes::from(changes);
    let mut rows = store::Changes::default();
    for row in wire::encode_changes(&changes, digest) {
        match row.value {
            Some(value) => rows.put(row.table, row.key, value),
            None => rows.delete(row.table, row.key),
        }
    }
    rows.put(PLACE, META, encode_meta(&meta, cluster_id));
    let stored = Stored { last_applied: stored_id(&last_applied), digest: digest.0 };
    if changes.everything {
        store.rebuild()?;
        store.write(&rows, stored)?;
        store.confirm()?;
    } else {
        store.write(&rows, stored)?;
    }
    Ok(rows.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_waits_for_the_load_and_is_worth_its_cost() {
        const FEW: Extent = Extent { noted: 0, rows: 9, everything: false };
        const NONE: Extent = Extent { noted: 0, rows: 0, everything: false };
        const ALL: Extent = Extent { noted: 0, rows: 0, everything: true };
        let lately = Some(Duration::from_secs(1));
        let long_ago = Some(STATE_REBUILD_INTERVAL);
        for (extent, load, behind, since_rebuilt, expected) in [
            (FEW, 9, 1, lately, Plan::Write),
            (FEW, STATE_ROWS_PER_WRITE_MAX, 1, None, Plan::Write),
            (FEW, STATE_ROWS_PER_WRITE_MAX + 1, 1, None, Plan::Lag),
            (NONE, 0, 0, None, Plan::Rest),
            (NONE, 0, STATE_ENTRIES_BEHIND_MAX - 1, None, Plan::Rest),
            (NONE, 0, STATE_ENTRIES_BEHIND_MAX, None, Plan::Write),
            (ALL, 0, 0, None, Plan::Write),
            (ALL, 0, 0, long_ago, Plan::Write),
            (ALL, 0, 0, lately, Plan::Lag),
            (ALL, STATE_ROWS_PER_WRITE_MAX + 1, 0, None, Plan::Lag),
        ] {
            let plan = plan(extent, load, behind, since_rebuilt);
            assert_eq!(plan, expected, "{extent:?} {load} {behind} {since_rebuilt:?}");
        }
    }
}
