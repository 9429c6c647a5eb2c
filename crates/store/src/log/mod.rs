//! The write-ahead log: one ordered stream of entries, votes, truncations and purges, one sync for all that is queued.
//!
//! What a call promises: `append` makes entries readable at once and calls back when they are durable; `save_vote`,
//! `truncate_after` and `purge` return when they are durable; `save_committed` is a hint that rides with the next
//! sync. All of them reach the disk in the order of the calls.
//!
//! In reading order: `types` and `options`; `wal`, the handle; `window`, the log in memory; `sector` and `record`, how
//! it looks on disk; `segment`, its files; `writer`, their one owner; `recovery` and `reader`, back from disk.

mod options;
mod reader;
mod record;
mod recovery;
mod sector;
mod segment;
#[cfg(test)]
mod tests;
mod types;
mod wal;
mod window;
mod writer;

pub use options::{Crash, DiskSpace, Done, Now, Opened, WalOptions};
pub use types::{Entry, LogId, LogState, Vote};
pub use wal::Wal;
pub use writer::Writer;
