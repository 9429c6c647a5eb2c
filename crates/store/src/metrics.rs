//! Counters that the writer keeps and anyone may read.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What the log has done and how it stands. Reads are relaxed: each number is right, two may be of different moments.
#[derive(Debug, Default)]
pub struct WalMetrics {
    /// Writes that returned durable.
    pub syncs: AtomicU64,
    /// Records written; divided by `syncs`, the size of the groups.
    pub records: AtomicU64,
    /// Bytes written, tags and padding included.
    pub bytes: AtomicU64,
    /// How long the syncs took.
    pub sync_time: SyncTimes,
    /// Requests queued or being written.
    pub queued: AtomicU64,
    /// Files that hold records.
    pub segments: AtomicU64,
    /// Bytes of all files, prepared ones included.
    pub disk_bytes: AtomicU64,
    /// Payload bytes of the entries that are there.
    pub retained_bytes: AtomicU64,
    /// Times that a segment was full before the next one was zeroed: a batch waited for that.
    pub stalls: AtomicU64,
    /// Times that the next segment could not be prepared for want of space.
    pub prepare_failures: AtomicU64,
}

/// A histogram of sync times. Election timeouts begin at 200 ms and a good disk takes 0.1 ms: the buckets span both.
#[derive(Debug, Default)]
pub struct SyncTimes {
    /// Syncs that took at most [`SyncTimes::BOUNDS_US`], each in its lowest bucket; the last one has no bound.
    pub buckets: [AtomicU64; SyncTimes::BOUNDS_US.len() + 1],
    pub sum_us: AtomicU64,
}

impl SyncTimes {
    /// Upper bounds of the buckets in microseconds.
    pub const BOUNDS_US: [u64; 17] = [
        100, 250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 512_000,
        1_024_000, 2_048_000, 4_096_000, 8_192_000,
    ];

    /// Counts one sync.
    pub fn record(&self, took: Duration) {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = Self::BOUNDS_US.partition_point(|bound| *bound < took_us);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(took_us, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_is_counted_in_its_lowest_bucket() {
        let times = SyncTimes::default();
        for took_us in [1, 100, 101, 8_192_000, 8_192_001] {
            times.record(Duration::from_micros(took_us));
        }
        let counts = times.buckets.map(|bucket| bucket.load(Ordering::Relaxed));
        assert_eq!((counts[0], counts[1], counts[16], counts[17]), (2, 1, 1, 1));
    }
}
