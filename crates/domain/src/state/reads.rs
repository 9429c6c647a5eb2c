//! What others read of the state, and what it tells whoever listens.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::State;
use crate::checkpoint::{Checkpoint, Integrity};
use crate::command::Audit;
use crate::keyspace::{Entry, Key, KeyCounts, Lease};
use crate::orders::Tag;
use crate::orders::table::Orders;
use crate::trading::Trading;
use crate::trading::exposure::Exposures;
use crate::{
    Epoch, Event, Guard, HistoryRecord, Interest, LogTime, Members, NodeId, Recorded, Refusal, RequestId,
    Scripts, SealedHistory, Serial, Tenure,
};

// Reads.
impl State {
    pub fn get(&self, key: &Key) -> Option<&Entry> {
        self.keys.get(key)
    }

    /// The lease of that name at the log time `clock`, which a leader's live clock may have moved past
    /// [`State::now`]: the number shrinks, but the lease is there until the log ends it. A key that is no string is none.
    pub fn lease(&self, key: &Key, clock: LogTime) -> Result<Option<Lease>, Refusal> {
        self.keys.lease(key, clock)
    }

    /// Whether what a transaction would rely on is still so.
    pub fn holds(&self, guard: &Guard) -> bool {
        // A look that has not taken place yet is none.
        guard.as_of() <= self.serial && self.keys.holds(guard)
    }

    /// Whether it is known of keys that are absent when they went.
    pub fn is_traced(&self) -> bool {
        self.keys.traces.is_some()
    }

    /// Every key, in the order of (database, name).
    pub fn keys(&self) -> impl Iterator<Item = (&Key, &Entry)> {
        self.keys.iter()
    }

    /// The keys of one database from a name on, in the order of names: to look at many in several steps.
    pub fn keys_from(&self, database: u8, from: Bound<&[u8]>) -> impl Iterator<Item = (&Key, &Entry)> {
        self.keys.range(database, from)
    }

    /// What is in each database that ever had a key.
    pub fn counts(&self) -> &BTreeMap<u8, KeyCounts> {
        self.keys.counts()
    }

    pub fn key_count(&self) -> usize {
        self.keys.len()
    }

    /// Keys that end by themselves.
    pub fn ending_count(&self) -> usize {
        self.keys.ending()
    }

    /// When the next key ends by itself, or the next order has waited enough.
    pub fn next_end(&self) -> Option<LogTime> {
        let hold = self.orders.next_hold_end().map(|(until, _)| until);
        self.keys.next_end().into_iter().chain(hold).min()
    }

    /// Keys that ended by themselves since this state was made.
    pub fn keys_ended(&self) -> u64 {
        self.keys_ended
    }

    /// Those that clients have loaded.
    pub fn scripts(&self) -> &Scripts {
        &self.scripts
    }

    /// Those that are in memory.
    pub fn orders(&self) -> &Orders {
        &self.orders
    }

    pub fn trading(&self) -> &Trading {
        &self.trading
    }

    /// What may still be traded.
    pub fn exposures(&self) -> &Exposures {
        &self.exposures
    }

    /// What tells the orders of this cluster from those of any other, since the first configuration.
    pub fn tag(&self) -> Option<Tag> {
        self.tag
    }

    pub fn outcome_count(&self) -> usize {
        self.outcomes.len()
    }

    /// What the remembered outcomes count for against
    /// [`limits::OUTCOMES_BYTES_MAX`](crate::limits::OUTCOMES_BYTES_MAX).
    pub fn outcome_bytes(&self) -> usize {
        self.outcomes.bytes()
    }

    /// Whether so many more outcomes would be remembered, as far as can be told before the commands have run.
    pub fn has_room_for_outcomes(&self, more: usize) -> bool {
        self.outcomes.has_room(more)
    }

    /// The same for commands that stop trading.
    pub fn has_room_for_stops(&self, more: usize) -> bool {
        self.outcomes.has_room_for_stops(more)
    }

    /// Whether a command ran under this name, and would be answered with what it did then.
    pub fn remembers(&self, id: RequestId) -> bool {
        self.outcomes.get(id).is_some()
    }

    pub fn now(&self) -> LogTime {
        self.now
    }

    pub fn serial(&self) -> Serial {
        self.serial
    }

    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub fn members(&self) -> &Members {
        &self.members
    }

    pub fn tenures(&self) -> impl DoubleEndedIterator<Item = &Tenure> {
        self.tenures.iter()
    }

    /// The last record of tenure. Its node is active only while its term is the cluster's.
    pub fn tenure(&self) -> Option<&Tenure> {
        self.tenures.last()
    }

    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    pub fn integrity(&self, node: NodeId) -> Integrity {
        self.checkpoint.integrity(node, &self.members)
    }

    pub fn sealed_history(&self) -> &[SealedHistory] {
        &self.history.sealed
    }

    /// The audit records that are not yet in a sealed file.
    pub fn history_tail(&self) -> &[HistoryRecord] {
        &self.history.tail
    }

    /// The last act in the open end of the history.
    pub fn last_audit(&self) -> Option<&Audit> {
        self.history.tail.iter().rev().find_map(|record| match &record.what {
            Recorded::Audit(audit) => Some(audit),
            Recorded::Order(_) => None,
        })
    }

    /// The history files sealed since the last call, for the shell to write.
    pub fn take_unwritten_history(&mut self) -> Vec<(SealedHistory, Vec<HistoryRecord>)> {
        std::mem::take(&mut self.history.unwritten)
    }
}

// For whoever listens.
impl State {
    pub fn interest(&self) -> Interest {
        self.keys.events.interest
    }

    /// Begins or ends to note what happens.
    pub fn listen(&mut self, interest: Interest) {
        self.keys.events.interest = interest;
    }

    /// What has happened since the last call, in the order of the log.
    pub fn take_events(&mut self) -> Vec<Event> {
        self.keys.events.take()
    }
}
