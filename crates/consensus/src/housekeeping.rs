//! What a node does now and then: purge the log below its snapshot, let the log writer use idle time, watch the
//! room on the disk, and stand back from elections while its state is in doubt.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use store::{Snapshots, Wal};
use tokio::time::{MissedTickBehavior, interval};

use crate::admin::Admin;
use crate::shared::Shared;
use crate::types::Raft;

/// How often the log's writer is offered idle time.
const LOG_TICK: Duration = Duration::from_millis(100);

/// Log ticks between two looks at the slow things.
const SLOW_TICKS: u64 = 20;

pub(crate) async fn keep_house(
    shared: Arc<Shared>,
    raft: Raft,
    wal: Wal,
    snapshots: Arc<Snapshots>,
    admin: Admin,
    disk_low: Arc<AtomicBool>,
) {
    let mut every = interval(LOG_TICK);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for tick in 0_u64.. {
        every.tick().await;
        wal.tick();
        let out_of_service = shared.out_of_service();
        raft.runtime_config().elect(!out_of_service && !shared.is_draining());
        if tick.is_multiple_of(SLOW_TICKS) {
            take_snapshot(&shared, &raft, &wal, &snapshots).await;
            purge(&raft, &wal).await;
            watch_disk(&wal, &disk_low);
            if out_of_service && shared.leadership.borrow().leader == Some(shared.node) {
                tracing::error!("this leader's state differs from the majority's: it hands leadership over");
                // Tried again at the next slow tick.
                let _ = admin.hand_over(None).await;
            }
        }
    }
}

/// A start reads the last snapshot and the log after it. The log may grow to the set limit and to the size of the
/// snapshot: so neither reading nor writing costs more than twice what one of them does.
async fn take_snapshot(shared: &Shared, raft: &Raft, wal: &Wal, snapshots: &Snapshots) {
    let snapshot = raft.metrics().borrow_watched().snapshot.map_or(0, |id| id.index);
    let behind = wal.bytes_after(snapshot);
    if behind <= shared.options.snapshot_bytes {
        return;
    }
    match snapshots.latest() {
        Ok(latest) if latest.as_ref().is_some_and(|latest| latest.raw_bytes() >= behind) => {}
        // Ignored while one is being taken. An error means that the core has stopped, which others notice.
        Ok(_) => drop(raft.trigger().snapshot().await),
        Err(error) => tracing::error!(%error, "the last snapshot cannot be read"),
    }
}

/// Retention is by bytes: a follower that was away comes back by the log as long as the log's limit allows. Entries
/// differ in size, so when bytes could go that no snapshot covers yet, one is taken.
async fn purge(raft: &Raft, wal: &Wal) {
    let Some(purgeable) = wal.purgeable() else { return };
    let snapshot = raft.metrics().borrow_watched().snapshot.map_or(0, |id| id.index);
    // An error here means that the core has stopped, which others notice.
    if snapshot < purgeable.index {
        let _ = raft.trigger().snapshot().await;
    }
    if snapshot > 0 {
        let _ = raft.trigger().purge_log(snapshot.min(purgeable.index)).await;
    }
}

fn watch_disk(wal: &Wal, disk_low: &AtomicBool) {
    match wal.disk_space() {
        Ok(space) => {
            if space.is_low() && !disk_low.swap(space.is_low(), Ordering::Relaxed) {
                tracing::error!(
                    available_bytes = space.available_bytes,
                    reserve_bytes = space.reserve_bytes,
                    "the disk is almost full: only commands that free something are accepted"
                );
            }
            disk_low.store(space.is_low(), Ordering::Relaxed);
        }
        Err(error) => tracing::warn!(%error, "the free space of the disk cannot be read"),
    }
}
