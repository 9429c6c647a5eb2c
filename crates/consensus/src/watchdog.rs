//! Ends the process when there is something to apply and nothing moves: openraft does not report a dead end in the task
//! of the state machine, and a node that votes but does not apply is worse than none.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use tokio::time::{MissedTickBehavior, interval};

use crate::limits::APPLY_STUCK_TIMEOUT;
use crate::shared::Shared;
use crate::types::Raft;

const LOOK: Duration = Duration::from_secs(1);

/// How many looks in a row find nothing moved before the node is stuck.
const STILL_MAX: u64 = APPLY_STUCK_TIMEOUT.as_secs() / LOOK.as_secs();

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
        let is_installing = shared.installing.load(Ordering::Relaxed);
        if progress.is_stuck(applied, committed, is_installing) {
            return shared.crash(&format!(
                "nothing was applied for {APPLY_STUCK_TIMEOUT:?}: at index {applied}, committed is {committed}"
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
    fn is_stuck(&mut self, applied: u64, committed: u64, is_installing: bool) -> bool {
        let is_still = applied == self.applied && applied < committed && !is_installing;
        self.applied = applied;
        self.still = if is_still { self.still + 1 } else { 0 };
        self.still > STILL_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At which of so many equal looks it is found to be stuck.
    fn stuck_after(looks: u64, applied: u64, committed: u64, is_installing: bool) -> Option<u64> {
        let mut progress = Progress::default();
        (0..looks).find(|_| progress.is_stuck(applied, committed, is_installing))
    }

    #[test]
    fn only_work_that_does_not_move_is_stuck() {
        assert_eq!(stuck_after(100, 7, 8, false), Some(STILL_MAX + 1));
        assert_eq!(stuck_after(100, 8, 8, false), None, "nothing to do");
        assert_eq!(stuck_after(100, 7, 8, true), None, "a large snapshot takes long to read");
    }

    #[test]
    fn whatever_moves_begins_anew() {
        let mut progress = Progress::default();
        for applied in 1..=5 {
            for _ in 0..=STILL_MAX {
                assert!(!progress.is_stuck(applied, 100, false), "at {applied}");
            }
        }
        assert!(progress.is_stuck(5, 100, false));
    }
}
