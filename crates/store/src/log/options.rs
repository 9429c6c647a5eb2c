//! What a log is opened with, and what it says about its disk.

use super::sector::SECTOR_BYTES;
use crate::error::{Error, check_size};
use crate::limits;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Told once, when the sync that covers an append has returned, or with the error that stopped the writer. Runs on
/// the writer's thread: it hands a message on and returns.
pub type Done = Box<dyn FnOnce(io::Result<()>) + Send>;

/// Ends the process; the string says why. Called when the disk has failed: what it holds is then not known.
pub type Crash = Arc<dyn Fn(&str) + Send + Sync>;

/// Time since any fixed point, for the histogram of sync times. The log decides nothing by it.
pub type Now = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Sizes of a log. The defaults are those of [`crate::limits`].
#[derive(Clone)]
pub struct WalOptions {
    /// Directory below the root of the disk.
    pub directory: String,
    /// Size of new segments, a multiple of 512.
    pub segment_bytes: u64,
    /// Recent entries kept in memory.
    pub window_bytes: usize,
    /// Bytes that may wait for the writer before `append` waits.
    pub queue_bytes_max: usize,
    /// Appends that may wait for the writer before `append` waits.
    pub queue_appends_max: usize,
    /// Payload bytes that [`crate::Wal::purgeable`] leaves in the log.
    pub retain_bytes: u64,
    /// Free disk below which [`crate::Wal::disk_space`] says that it is low.
    pub reserve_bytes: u64,
    /// Clock for the histogram of sync times; without one it stays empty.
    pub now: Option<Now>,
}

impl Default for WalOptions {
    fn default() -> Self {
        WalOptions {
            directory: "wal".to_owned(),
            segment_bytes: limits::SEGMENT_BYTES,
            window_bytes: limits::WINDOW_BYTES,
            queue_bytes_max: limits::QUEUE_BYTES_MAX,
            queue_appends_max: limits::QUEUE_APPENDS_MAX,
            retain_bytes: limits::RETAIN_BYTES,
            reserve_bytes: limits::RESERVE_BYTES,
            now: None,
        }
    }
}

impl WalOptions {
    /// Refuses sizes that the format cannot hold.
    pub(super) fn check(&self) -> Result<(), Error> {
        let bytes = self.segment_bytes;
        assert!(bytes.is_multiple_of(SECTOR_BYTES as u64), "a segment is made of whole sectors");
        assert!(bytes >= limits::SEGMENT_BYTES_MIN, "a segment has room for its head and some entries");
        assert!(self.queue_appends_max > 0 && self.queue_bytes_max > 0, "a queue has room");
        check_size("a segment of the log", bytes, limits::SEGMENT_BYTES_MAX)?;
        check_size("the queue of the log", self.queue_bytes_max as u64, u64::from(u32::MAX))
    }
}

/// Room on the disk, and whether the reserve has been touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    pub available_bytes: u64,
    pub total_bytes: u64,
    pub reserve_bytes: u64,
}

impl DiskSpace {
    /// True when new writes are to be refused: what is left is for releases, cancels and a snapshot.
    pub fn is_low(&self) -> bool {
        self.available_bytes < self.reserve_bytes
    }
}

/// How [`crate::Wal::open`] found the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// There was none. On a node that has voted before, that is a loss: the caller compares with its identity.
    pub created: bool,
    /// The writer had stopped on request and nothing was written since.
    pub closed_cleanly: bool,
    /// Sectors of a write that power interrupted, which were cut. None of it had been acknowledged.
    pub cut_sectors: u64,
}
