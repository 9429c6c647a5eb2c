//! The clocks of a node: both run a little too fast or too slow, and the wall clock jumps.

use std::sync::atomic::{AtomicI64, Ordering};

use consensus::environment::Clock;

/// Milliseconds since 1970 when a run begins.
const EPOCH_MS: i64 = 1_700_000_000_000;

/// Nanoseconds that the simulation has run.
pub(crate) fn now_ns() -> u64 {
    turmoil::sim_elapsed().map_or(0, |elapsed| elapsed.as_nanos() as u64)
}

/// Milliseconds since 1970 by the clock that is never wrong.
pub(crate) fn true_ms() -> i64 {
    EPOCH_MS + (now_ns() / 1_000_000) as i64
}

pub(crate) struct NodeClock {
    drift_ppm: i64,
    /// What the monotonic clock showed when the run began: that of a machine says nothing about another's.
    boot_ns: u64,
    wall_offset_ms: AtomicI64,
}

impl NodeClock {
    pub(crate) fn new(drift_ppm: i64, boot_ns: u64) -> Self {
        Self { drift_ppm, boot_ns, wall_offset_ms: AtomicI64::new(0) }
    }

    /// The wall clock jumps.
    pub(crate) fn step(&self, by_ms: i64) {
        self.wall_offset_ms.fetch_add(by_ms, Ordering::Relaxed);
    }

    fn run_ns(&self) -> u64 {
        let true_ns = i128::from(now_ns());
        (true_ns + true_ns * i128::from(self.drift_ppm) / 1_000_000) as u64
    }
}

impl Clock for NodeClock {
    fn monotonic_ns(&self) -> u64 {
        self.boot_ns + self.run_ns()
    }

    fn wall_ns(&self) -> i64 {
        (EPOCH_MS + self.wall_offset_ms.load(Ordering::Relaxed)) * 1_000_000 + self.run_ns() as i64
    }
}
