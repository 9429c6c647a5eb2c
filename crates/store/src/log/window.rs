//! The log in memory: an index of every live entry, and the recent entries themselves.
//!
//! Entries are readable here before they are durable. The same type is filled by appends and by recovery, so a
//! restart cannot read the log in another way than the process that wrote it.

use super::record::Span;
use super::{Entry, LogId};
use crate::error::Error;
use bytes::Bytes;
use std::collections::VecDeque;

/// Where an entry stands on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) segment: u64,
    /// Span in bytes of body from the start of the segment.
    pub(crate) span: Span,
}

/// One live entry.
#[derive(Clone, Copy, Debug)]
struct Slot {
    term: u64,
    /// Tells an entry from one with the same index that replaced it while the writer was busy with it.
    ticket: u64,
    /// Payload bytes of the log up to and including this entry, counted from an arbitrary start.
    bytes_upto: u64,
    /// None until it is durable.
    place: Option<Place>,
}

/// An entry, or where to find it.
#[derive(Debug)]
pub(crate) enum Found {
    Here(Entry),
    OnDisk { id: LogId, place: Place },
}

/// The live entries.
///
/// Invariants:
/// * indices are contiguous from `first`, terms never fall;
/// * `recent` is a suffix of `slots`; what is not in it has a place on disk;
/// * everything live is above `purged`.
#[derive(Debug)]
pub(crate) struct Window {
    purged: Option<LogId>,
    /// Last of the entries that the head of the oldest segment speaks of but whose segments are gone. Only during
    /// recovery: records that follow must purge or truncate them all.
    hole: Option<LogId>,
    first: u64,
    /// The count of [`Slot::bytes_upto`] just before `first`.
    bytes_before_first: u64,
    slots: VecDeque<Slot>,
    recent: VecDeque<Bytes>,
    recent_bytes: usize,
    recent_bytes_max: usize,
}

impl Window {
    pub(crate) fn new(recent_bytes_max: usize) -> Window {
        Window {
            purged: None,
            hole: None,
            first: 0,
            bytes_before_first: 0,
            slots: VecDeque::new(),
            recent: VecDeque::new(),
            recent_bytes: 0,
            recent_bytes_max,
        }
    }

    /// Starts from the head of the oldest segment.
    pub(crate) fn start_at(&mut self, purged: Option<LogId>, last: Option<LogId>) {
        self.purged = purged;
        self.hole = last.filter(|last| above(last.index, purged));
    }

    /// An index whose entry ought to be there and is not.
    pub(crate) fn hole(&self) -> Option<LogId> {
        self.hole
    }

    pub(crate) fn purged(&self) -> Option<LogId> {
        self.purged
    }

    /// The last entry, or what was purged if none is left.
    pub(crate) fn last(&self) -> Option<LogId> {
        let last =
            self.slots.back().map(|slot| LogId { term: slot.term, index: self.first + self.len() - 1 });
        last.or(self.hole).or(self.purged)
    }

    /// The last entry that is durable, or what was purged. The writer takes entries in order, so those that are not
    /// durable yet are the last ones.
    pub(crate) fn synced(&self) -> Option<LogId> {
        let durable = self.slots.partition_point(|slot| slot.place.is_some()) as u64;
        let last = durable.checked_sub(1).and_then(|at| self.id_at(self.first + at));
        last.or(self.purged)
    }

    /// The first live entry.
    pub(crate) fn first(&self) -> Option<LogId> {
        self.slots.front().map(|slot| LogId { term: slot.term, index: self.first })
    }

    /// The id at an index: of a live entry, or of the last purged one.
    pub(crate) fn id_at(&self, index: u64) -> Option<LogId> {
        match self.purged {
            Some(purged) if purged.index == index => Some(purged),
            _ => self.slot(index).map(|slot| LogId { term: slot.term, index }),
        }
    }

    /// Refuses what would leave a gap, overlap, or let a term fall. An empty log takes any index above the purged one:
    /// after a snapshot was installed the next entry follows that.
    pub(crate) fn check_append(&self, entries: &[Entry]) -> Result<(), Error> {
        let mut before = if self.slots.is_empty() { self.hole } else { self.last() };
        for entry in entries {
            let id = entry.id;
            let follows = match before {
                Some(before) => id.index == before.index + 1 && id.term >= before.term,
                None => above(id.index, self.purged),
            };
            if !follows {
                let last = before.or(self.purged).map_or("nothing".to_owned(), |id| id.to_string());
                return Err(Error::OutOfOrder { why: format!("entry {id} does not follow {last}") });
            }
            before = Some(id);
        }
        Ok(())
    }

    /// Adds an entry that [`Window::check_append`] has passed.
    pub(crate) fn append(&mut self, entry: Entry, ticket: u64, place: Option<Place>) {
        if self.slots.is_empty() {
            self.first = entry.id.index;
        }
        assert_eq!(entry.id.index, self.first + self.len(), "entries are appended in order");
        let bytes_upto = self.bytes_before(self.slots.len()) + entry.payload.len() as u64;
        self.slots.push_back(Slot { term: entry.id.term, ticket, bytes_upto, place });
        self.recent_bytes += entry.payload.len();
        self.recent.push_back(entry.payload);
        self.evict();
    }

    /// An entry is durable, and from now on found here. Ignored if it was truncated or purged meanwhile.
    pub(crate) fn place(&mut self, index: u64, ticket: u64, place: Place) {
        let at = index.wrapping_sub(self.first) as usize;
        if let Some(slot) = self.slots.get_mut(at).filter(|slot| slot.ticket == ticket) {
            slot.place = Some(place);
        }
    }

    /// Drops recent entries beyond the limit; those that are not durable yet stay.
    pub(crate) fn evict(&mut self) {
        while self.recent_bytes > self.recent_bytes_max {
            let oldest = self.slots.len() - self.recent.len();
            if self.slots.get(oldest).is_none_or(|slot| slot.place.is_none()) {
                return;
            }
            let payload = self.recent.pop_front().map_or(0, |payload| payload.len());
            self.recent_bytes -= payload;
        }
    }

    /// Drops the entries after `id`, all of them for `None`.
    pub(crate) fn truncate_after(&mut self, id: Option<LogId>) {
        let end = id.map_or(0, |id| id.index.saturating_add(1));
        while self.slots.len() as u64 > end.saturating_sub(self.first) {
            self.slots.pop_back();
            if let Some(payload) = self.recent.pop_back() {
                self.recent_bytes -= payload.len();
            }
        }
        if self.hole.is_some_and(|hole| hole.index >= end) {
            self.hole = id.filter(|id| above(id.index, self.purged));
        }
    }

    /// Drops the entries up to `id`, which may lie beyond the last one.
    pub(crate) fn purge(&mut self, id: LogId) {
        while !self.slots.is_empty() && self.first <= id.index {
            if self.slots.len() == self.recent.len()
                && let Some(payload) = self.recent.pop_front()
            {
                self.recent_bytes -= payload.len();
            }
            self.bytes_before_first = self.bytes_before(1);
            self.slots.pop_front();
            self.first += 1;
        }
        if above(id.index, self.purged) {
            self.purged = Some(id);
        }
        self.hole = self.hole.filter(|hole| hole.index > id.index);
    }

    /// Entries `from..to`, at least one and as many as `bytes_max` allows.
    pub(crate) fn find(&self, from: u64, to: u64, bytes_max: usize) -> Result<Vec<Found>, Error> {
        let mut found = Vec::new();
        let mut bytes = 0;
        for index in from..to {
            let slot = self.slot(index).ok_or(Error::Missing { index })?;
            let at = (index - self.first) as usize;
            bytes += slot.bytes_upto - self.bytes_before(at);
            if !found.is_empty() && bytes > bytes_max as u64 {
                break;
            }
            let id = LogId { term: slot.term, index };
            let oldest = self.slots.len() - self.recent.len();
            found.push(match (at.checked_sub(oldest), slot.place) {
                (Some(recent), _) => Found::Here(Entry { id, payload: self.recent[recent].clone() }),
                (None, Some(place)) => Found::OnDisk { id, place },
                (None, None) => unreachable!("an entry that is not durable is never evicted"),
            });
        }
        Ok(found)
    }

    /// Payload bytes of the live entries.
    pub(crate) fn bytes(&self) -> u64 {
        self.slots.back().map_or(0, |last| last.bytes_upto - self.bytes_before(0))
    }

    /// Payload bytes of the live entries after `index`.
    pub(crate) fn bytes_after(&self, index: u64) -> u64 {
        let covered = index.saturating_add(1).saturating_sub(self.first).min(self.len());
        self.slots.back().map_or(0, |last| last.bytes_upto - self.bytes_before(covered as usize))
    }

    /// Up to where one may purge so that at least `bytes_min` stay.
    pub(crate) fn purgeable(&self, bytes_min: u64) -> Option<LogId> {
        let keep_above = self.slots.back()?.bytes_upto.checked_sub(bytes_min)?;
        let count = self.slots.partition_point(|slot| slot.bytes_upto <= keep_above);
        let slot = self.slots.get(count.checked_sub(1)?)?;
        Some(LogId { term: slot.term, index: self.first + count as u64 - 1 })
    }

    fn slot(&self, index: u64) -> Option<&Slot> {
        self.slots.get(usize::try_from(index.checked_sub(self.first)?).ok()?)
    }

    fn bytes_before(&self, at: usize) -> u64 {
        at.checked_sub(1).map_or(self.bytes_before_first, |before| self.slots[before].bytes_upto)
    }

    fn len(&self) -> u64 {
        self.slots.len() as u64
    }
}

/// Indices decide, not ids: a snapshot of an older term may replace entries of a newer one that were never committed.
pub(super) fn above(index: u64, id: Option<LogId>) -> bool {
    id.is_none_or(|id| index > id.index)
}
