//! What a node keeps when its process ends: its disk, and beside it the state store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
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

/// A state store that outlives its process. What sled would lose with the power is lost by forgetting it all: it is
/// a cache.
#[derive(Clone, Default)]
pub(crate) struct KeptState(Arc<Mutex<MemoryState>>);

impl KeptState {
    pub(crate) fn forget(&self) {
        *self.0.lock() = MemoryState::default();
    }

    /// Loses a row and does not know it, as sled may when the power goes.
    pub(crate) fn lose_a_row(&self, random: &mut StdRng) {
        let mut store = self.0.lock();
        let mut rows = Vec::new();
        for table in wire::TABLES {
            // Neither of them fails in memory.
            let _ = store.scan(table, &mut |key, _| rows.push((table, key.to_vec())));
        }
        if let (Ok(Some(stored)), Some((table, key))) = (store.load(), rows.choose(random)) {
            let mut lost = Changes::default();
            lost.delete(table, key.clone());
            let _ = store.write(&lost, stored);
        }
    }
}

impl StateStore for KeptState {
    fn load(&mut self) -> Result<Option<Stored>, store::Error> {
        self.0.lock().load()
    }

    fn confirm(&mut self) -> Result<(), store::Error> {
        self.0.lock().confirm()
    }

    fn write(&mut self, changes: &Changes, stored: Stored) -> Result<(), store::Error> {
        self.0.lock().write(changes, stored)
    }

    fn scan(&self, tree: &str, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), store::Error> {
        self.0.lock().scan(tree, each)
    }

    fn rebuild(&mut self) -> Result<(), store::Error> {
        self.0.lock().rebuild()
    }

    fn size_on_disk(&self) -> Result<u64, store::Error> {
        self.0.lock().size_on_disk()
    }

    fn flush(&mut self) -> Result<(), store::Error> {
        self.0.lock().flush()
    }
}
