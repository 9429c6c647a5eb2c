//! Durable bytes: the write-ahead log, snapshots, sealed history, the identity of a node, and, on sled,
//! applied state and an index over history.
//!
//! This crate speaks `u64` and bytes. It knows no consensus library, no encoding of commands and nothing of trading.
//! It has no thread, runtime, clock or random number of its own and never ends the process: the [`Disk`], the time and
//! `crash` are handed in, so that a simulation can hand in its own.
//!
//! In reading order:
//! * [`disk`]: what it asks of a disk; [`RealDisk`] has one, [`FaultyDisk`] fails like one;
//! * `log`: [`Wal`] and its [`Writer`], which decide what happened;
//! * `snapshot`, `history`, `identity`: files that exist whole or not at all;
//! * `state_store`, `materialised`: [`StateStore`], a cache of what the log decided, believed only after a check, on
//!   `guarded`, sled behind a marker;
//! * `index`: [`HistoryIndex`], by what the records of sealed files are found, a cache as well;
//! * [`limits`], `metrics`, `error`.
//!
//! Architecture invariant: damage is refused with file and offset, never repaired. What is cut off the end of the log
//! is a write that was never acknowledged, and can be shown to be one.

#[cfg(target_os = "linux")]
mod direct;
pub mod disk;
mod error;
mod faulty_disk;
mod guarded;
mod history;
mod identity;
mod index;
pub mod limits;
mod log;
mod materialised;
mod metrics;
mod real_disk;
mod snapshot;
mod state_store;

pub use disk::{Disk, DiskFile, OpenMode, Space};
pub use error::Error;
pub use faulty_disk::{FaultyDisk, INJECTED, Operation, Operations};
pub use history::{History, Import, Place, SealedFile};
pub use identity::{FORMAT_VERSION, Identity};
pub use index::{
    HistoryIndex, Index, IndexHit, IndexPage, IndexQuery, Indexed, MaterialisedIndex, MemoryIndex, Placed,
    Term,
};
pub use log::{Crash, DiskSpace, Done, Entry, LogId, LogState, Now, Opened, Vote, Wal, WalOptions, Writer};
pub use materialised::Materialised;
pub use metrics::{SyncTimes, WalMetrics};
pub use real_disk::RealDisk;
pub use snapshot::{Blocks, Snapshot, SnapshotWriter, Snapshots};
pub use state_store::{Changes, MemoryState, StateStore, Stored};
