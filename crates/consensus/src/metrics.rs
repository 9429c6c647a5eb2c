//! Counts of this crate, read by whoever exports them.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    pub fn set(&self, to: u64) {
        self.0.store(to, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
pub struct Metrics {
    /// Commands that entered here and got an outcome.
    pub proposals_executed: Counter,
    /// … were certainly not executed.
    pub proposals_refused: Counter,
    /// … may or may not have been executed.
    pub proposals_unknown: Counter,
    /// Batches sent again, to a new leader or over a new connection.
    pub proposals_resent: Counter,
    /// Entries that this node proposed as leader, and the commands in them.
    pub entries_proposed: Counter,
    pub commands_proposed: Counter,
    /// Entries applied that held more than the cluster's own housekeeping.
    pub entries_active: Counter,
    /// Commands applied, and of those the repetitions.
    pub commands_applied: Counter,
    pub commands_repeated: Counter,
    /// Quorum rounds made for reads, and the reads that shared them.
    pub read_rounds: Counter,
    pub reads: Counter,
    pub reads_failed: Counter,
    pub leases_granted: Counter,
    pub leases_renewed: Counter,
    pub leases_released: Counter,
    pub leases_refused: Counter,
    /// Keys that ended by themselves.
    pub keys_expired: Counter,
    /// Changes of leader that this node saw.
    pub leader_changes: Counter,
    pub snapshots_built: Counter,
    pub snapshots_installed: Counter,
    pub snapshots_sent: Counter,
    /// Sealed history files that this node wrote when the log sealed them, and that it got from a peer instead.
    pub history_files_written: Counter,
    pub history_files_fetched: Counter,
    /// Those that the state names and that were not here at the last look.
    pub history_files_missing: Gauge,
    /// Those of which the orders cannot be found by the index over them yet.
    pub history_files_unindexed: Gauge,
    /// Rows written to the state store.
    pub state_rows_written: Counter,
    /// Seconds in which the state store was left behind because too much changed.
    pub state_writes_put_off: Counter,
    /// Times that the whole state was written to it.
    pub state_rebuilds: Counter,
    /// Times that what it held was thrown away: at a start, because it could not be used, or because this node's state
    /// is wrong.
    pub state_discarded: Counter,
    /// Requests of peers that were refused because they were meant for another cluster or node, or damaged.
    pub peer_requests_refused: Counter,
}
