//! The words of the log: ids, votes, entries, and the state that records add up to.

use super::record::Record;
use super::window::above;
use bytes::Bytes;
use std::fmt;

/// Term and index of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId {
    pub term: u64,
    pub index: u64,
}

impl fmt::Display for LogId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}", self.term, self.index)
    }
}

/// Whom this node votes for in a term; `committed` once a majority did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vote {
    pub term: u64,
    pub node: u64,
    pub committed: bool,
}

/// An entry of the log. What the payload means is not known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub id: LogId,
    pub payload: Bytes,
}

/// What the log amounts to, entries aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogState {
    /// Everything up to here is gone.
    pub purged: Option<LogId>,
    /// The last entry, or `purged` when none is left.
    pub last: Option<LogId>,
    pub vote: Option<Vote>,
    /// A hint, possibly old, never beyond `last` after a restart.
    pub committed: Option<LogId>,
}

impl LogState {
    /// What a record changes. The writer follows what it writes with this, recovery what it reads.
    pub(super) fn apply(&mut self, record: &Record) {
        match record {
            Record::Append(entry) => self.last = Some(entry.id),
            Record::Vote(vote) => self.vote = Some(*vote),
            Record::Committed(id) => self.committed = Some(*id),
            Record::TruncateAfter(id) => {
                let kept = id.filter(|id| above(id.index, self.purged)).or(self.purged);
                if self.last.is_some_and(|last| above(last.index, kept)) {
                    self.last = kept;
                }
            }
            Record::PurgeUpto(id) => {
                if above(id.index, self.purged) {
                    self.purged = Some(*id);
                }
                if self.last.is_none_or(|last| last.index <= id.index) {
                    self.last = self.purged;
                }
            }
            Record::SegmentHead(_) | Record::Mark { .. } => {}
        }
    }
}
