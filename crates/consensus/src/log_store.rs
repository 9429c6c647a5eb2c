//! openraft's log on our write-ahead log.
//!
//! The contract of openraft that is kept here: an appended entry can be read when `append` returns; its callback
//! comes after the sync that covers it; a vote is durable when `save_vote` returns; the committed hint rides with
//! the next sync and never costs one of its own.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};

use futures_util::{Stream, stream};
use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use openraft::{OptionalSend, RaftLogReader};
use store::Wal;

use crate::limits::{APPLY_BYTES_MAX, REPLICATION_BYTES_MAX};
use crate::types::{
    Entry, LogId, TypeConfig, Vote, decode_entry, encode_entry, raft_id, raft_vote, stored_id, stored_vote,
};

#[derive(Clone)]
pub(crate) struct LogStore {
    wal: Wal,
}

impl LogStore {
    pub(crate) fn new(wal: Wal) -> Self {
        Self { wal }
    }

    /// The part of `range` that is in the log, as from and to (exclusive).
    fn clamp(&self, range: &impl RangeBounds<u64>) -> (u64, u64) {
        let (Some(first), Some(last)) = (self.wal.first(), self.wal.log_state().last) else { return (0, 0) };
        let from = match range.start_bound() {
            Bound::Included(from) => *from,
            Bound::Excluded(from) => from + 1,
            Bound::Unbounded => 0,
        };
        let to = match range.end_bound() {
            Bound::Included(to) => to + 1,
            Bound::Excluded(to) => *to,
            Bound::Unbounded => u64::MAX,
        };
        (from.max(first.index), to.min(last.index + 1))
    }

    fn read(&self, from: u64, to: u64, bytes_max: usize) -> io::Result<Vec<Entry>> {
        if from >= to {
            return Ok(Vec::new());
        }
        let entries = self.wal.read(from, to, bytes_max).map_err(io::Error::other)?;
        let decode =
            |entry: store::Entry| decode_entry(raft_id(entry.id), entry.payload).map_err(io::Error::other);
        entries.into_iter().map(decode).collect()
    }
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> io::Result<Vec<Entry>> {
        let (from, to) = self.clamp(&range);
        self.read(from, to, usize::MAX)
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(self.wal.log_state().vote.map(raft_vote))
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<Entry>> {
        let (from, to) = self.clamp(&(start..end));
        // Replication may ask for what was purged a moment ago: openraft holds a purge back only for streams that it
        // takes for whole. It does not check where the entries begin, and a follower must not be sent a gap; an error
        // would end this node. Of nothing it makes a request without entries, at which the peer's stream breaks off.
        let to = if from > start { from } else { to };
        // Nothing is purged in between: that happens on this thread, too.
        self.read(from, to, REPLICATION_BYTES_MAX)
    }

    /// What is to be applied, a few megabytes at a time: after a restart this can be the whole retained log.
    async fn entries_stream<R>(&mut self, range: R) -> impl Stream<Item = io::Result<Entry>> + OptionalSend
    where
        R: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let (from, to) = self.clamp(&range);
        let log = self.clone();
        let chunks = stream::unfold(Some(from), move |from| {
            let log = log.clone();
            async move {
                let from = from.filter(|from| *from < to)?;
                let chunk = log.read(from, to, APPLY_BYTES_MAX);
                let next = match &chunk {
                    Ok(entries) => entries.last().map(|entry| entry.log_id.index + 1),
                    Err(_) => None,
                };
                let items: Vec<io::Result<Entry>> = match chunk {
                    Ok(entries) => entries.into_iter().map(Ok).collect(),
                    Err(error) => vec![Err(error)],
                };
                Some((stream::iter(items), next))
            }
        });
        Box::pin(futures_util::StreamExt::flatten(chunks))
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<TypeConfig>> {
        let state = self.wal.log_state();
        let purged = state.purged.map(raft_id);
        Ok(LogState { last_purged_log_id: purged, last_log_id: state.last.map(raft_id).or(purged) })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        self.wal.save_vote(stored_vote(vote)).await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        if let Some(committed) = committed {
            self.wal.save_committed(stored_id(&committed));
        }
        Ok(())
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        Ok(self.wal.log_state().committed.map(raft_id))
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let stored =
            |entry: Entry| store::Entry { id: stored_id(&entry.log_id), payload: encode_entry(&entry) };
        let entries = entries.into_iter().map(stored).collect();
        let done = Box::new(move |result| callback.io_completed(result));
        self.wal.append(entries, done).await.map_err(io::Error::other)
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        let end = self.wal.log_state().last;
        if last.is_some_and(|last| end.is_none_or(|end| end.index <= last.index)) {
            return Ok(());
        }
        self.wal.truncate_after(last.as_ref().map(stored_id)).await
    }

    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        self.wal.purge(stored_id(&upto)).await
    }
}
