//! Ends the process when there is something to apply and nothing moves: openraft does not report a dead end in the task
//! of the state machine, and a node that votes but does not apply is worse than none. A snapshot that takes the place of
//! the state may take longer.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use tokio::time::{MissedTickBehavior, interval};

use crate::limits::{APPLY_STUCK_TIMEOUT, SNAPSHOT_INSTALL_TIMEOUT};
use crate::shared::Shared;
use crate::types::Raft;

const LOOK: Duration = Duration::from_secs(1);

pub(crate) async fn watch_apply(shared: Arc<Shared>, raft: Raft) {
    let metrics = raft.metrics();
    let mut every = interval(LOOK);
    // A process that did not run for a time has missed looks, and they are not made up for: only time in which it could
    // have applied something counts.
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut progress = Progress::default();
    loop {
        every.tick().await;
        let committed = metrics.borrow_watched().local_committed.map_or(0, |id| id.index);
        let applied = shared.applied.borrow().index;
        let limit = match shared.installing.load(Ordering::Relaxed) {
            true => SNAPSHOT_INSTALL_TIMEOUT,
            false => APPLY_STUCK_TIMEOUT,
        };
        if progress.is_stuck(applied, committed, limit) {
            return shared.crash(&format!(
                "nothing was applied for {limit:?}: at index {applied}, committed is {committed}"
            ));
        }
    }
}

#[derive(Default)]
struct Progress {
    applied: u64,
    /// Looks since something moved or there was nothing to do.
    still: u64,
}

impl Progress {
    fn is_stuck(&mut self, applied: u64, committed: u64, limit: Duration) -> bool {
        let is_still = applied == self.applied && applied < committed;
        self.applied = applied;
        self.still = if is_still { self.still + 1 } else { 0 };
        self.still > limit.as_secs() / LOOK.as_secs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[test]
    fn only_work_that_does_not_move_is_stuck() {
        let stuck_at = |applied, committed, limit| {
            let mut progress = Progress::default();
            (0..1000).find(|_| progress.is_stuck(applied, committed, limit))
        };
        assert_eq!(stuck_at(7, 8, LIMIT), Some(11), "the first look saw it move");
        assert_eq!(stuck_at(7, 8, 2 * LIMIT), Some(21));
        assert_eq!(stuck_at(8, 8, LIMIT), None, "nothing to do");
    }

    #[test]
    fn whatever_moves_begins_anew() {
        let mut progress = Progress::default();
        for applied in 1..=5 {
            for _ in 0..=10 {
                assert!(!progress.is_stuck(applied, 100, LIMIT), "at {applied}");
            }
        }
        assert!(progress.is_stuck(5, 100, LIMIT));
    }
}
