//! What a node keeps when its process ends: its disk, and beside it the state store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::seq::IteratorRandom;
use store::{Changes, FaultyDisk, MemoryState, StateStore, Stored};
use tokio::time::sleep;

/// How long a sync takes; a slow disk takes longer.
#[derive(Default)]
pub(crate) struct SyncTime(AtomicU64);

impl SyncTime {
    pub(crate) fn set(&self, time: Duration) {
        self.0.store(time.as_micros() as u64, Ordering::Relaxed);
    }

    pub(crate) async fn wait(&self) {
        sleep(Duration::from_micros(self.0.load(Ordering::Relaxed))).await;
    }
}

/// The data directory of a node.
#[derive(Clone)]
pub(crate) struct Directory {
    pub(crate) disk: FaultyDisk,
    pub(crate) state: KeptState,
}

impl Directory {
    pub(crate) fn new(seed: u64) -> Self {
        Self { disk: FaultyDisk::new(seed), state: KeptState::default() }
    }
}

/// A state store that outlives its process, and may come back from a power cut empty or, what is worse, not quite as
/// it was written.
#[derive(Clone, Default)]
pub(crate) struct KeptState(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    now: MemoryState,
    /// Tree, key and value of each row that the last write has replaced or removed.
    replaced: Vec<(String, Vec<u8>, Vec<u8>)>,
}

impl KeptState {
    pub(crate) fn forget(&self) {
        *self.0.lock() = Kept::default();
    }

    /// One row of the last write is not there, and the row before it still is: nothing but the digest tells.
    pub(crate) fn tear(&self, random: &mut StdRng) {
        let mut kept = self.0.lock();
        let mut now = BTreeMap::new();
        for table in wire::TABLES {
            let mut keep = |key: &[u8], value: &[u8]| drop(now.insert((table, key.to_vec()), value.to_vec()));
            kept.now.scan(table, &mut keep).expect("memory does not fail");
        }
        let is_stale = |(table, key, value): &&(String, Vec<u8>, Vec<u8>)| {
            now.get(&(table.as_str(), key.clone())).is_some_and(|other| other != value)
        };
        let stale = kept.replaced.iter().filter(is_stale).choose(random).cloned();
        let stored = kept.now.load().expect("memory does not fail");
        if let (Some(stored), Some((table, key, value))) = (stored, stale) {
            let mut torn = Changes::default();
            torn.put(&table, key, value);
            kept.now.write(&torn, stored).expect("it was written before");
        }
    }
}

impl StateStore for KeptState {
    fn load(&mut self) -> Result<Option<Stored>, store::Error> {
        self.0.lock().now.load()
    }

    fn confirm(&mut self) -> Result<(), store::Error> {
        self.0.lock().now.confirm()
    }

    fn write(&mut self, changes: &Changes, stored: Stored) -> Result<(), store::Error> {
        let mut kept = self.0.lock();
        kept.replaced = kept.now.replaced_by(changes);
        kept.now.write(changes, stored)
    }

    fn scan(&self, tree: &str, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), store::Error> {
        self.0.lock().now.scan(tree, each)
    }

    fn rebuild(&mut self) -> Result<(), store::Error> {
        self.0.lock().now.rebuild()
    }

    fn flush(&mut self) -> Result<(), store::Error> {
        self.0.lock().now.flush()
    }
}
