//! What happened, for people and audits: acts and closed orders, appended to files that are sealed and never change again.
//!
//! Where a file ends is a function of the log alone, so that the files are the same bytes on every node. `State`
//! holds the open tail and the chained hash of each sealed file; the shell writes a file when it is sealed.

use std::sync::Arc;

use crate::changes::Touched;
use crate::command::Audit;
use crate::digest::Feed;
use crate::limits::{HISTORY_BYTES_PER_FILE, HISTORY_RECORDS_PER_FILE, HISTORY_TAIL_RECORD_BYTES_MAX};
use crate::orders::Order;
use crate::{LogTime, Serial};

/// One thing that happened, with the place in the log that proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryRecord {
    pub serial: Serial,
    pub term: u64,
    pub time: LogTime,
    pub what: Recorded,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// An act of an operator or of the cluster itself.
    Audit(Audit),
    /// An order that is closed, or was denied.
    Order(Arc<Order>),
}

/// A file that will not change again. `chain` covers its records and, through the chain of the file before,
/// everything older.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedHistory {
    /// From 1.
    pub number: u64,
    pub first: Serial,
    pub last: Serial,
    pub records: u64,
    pub chain: u128,
}

/// The chain after these records, if it was `previous` before them: what a sealed file that comes from elsewhere must
/// give. The first file's predecessor has 0.
pub fn chain<'a>(previous: u128, records: impl IntoIterator<Item = &'a HistoryRecord>) -> u128 {
    records.into_iter().fold(previous, |chain, record| {
        let mut feed = Feed::new(record.what.kind());
        record.feed(&mut feed);
        feed.u128(chain).finish()
    })
}

#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    pub(crate) sealed: Vec<SealedHistory>,
    pub(crate) tail: Vec<HistoryRecord>,
    pub(crate) tail_bytes: usize,
    pub(crate) chain: u128,
    /// Sealed since the shell last asked; not part of the state's meaning, so not of its digest.
    pub(crate) unwritten: Vec<(SealedHistory, Vec<HistoryRecord>)>,
    /// By number.
    pub(crate) sealed_touched: Touched<u64>,
    pub(crate) tail_touched: Touched<Serial>,
}

impl History {
    pub(crate) fn append(&mut self, record: HistoryRecord) {
        self.chain = chain(self.chain, [&record]);
        self.tail_touched.note(&record.serial);
        let record_bytes = record.bytes();
        self.tail_bytes += record_bytes;
        self.tail.push(record);
        let is_long = record_bytes > HISTORY_TAIL_RECORD_BYTES_MAX;
        if is_long || self.tail.len() >= HISTORY_RECORDS_PER_FILE || self.tail_bytes >= HISTORY_BYTES_PER_FILE
        {
            self.seal();
        }
    }

    fn seal(&mut self) {
        let records = std::mem::take(&mut self.tail);
        self.tail_bytes = 0;
        let (Some(first), Some(last)) = (records.first(), records.last()) else { return };
        let sealed = SealedHistory {
            number: self.sealed.len() as u64 + 1,
            first: first.serial,
            last: last.serial,
            records: records.len() as u64,
            chain: self.chain,
        };
        for record in &records {
            self.tail_touched.note(&record.serial);
        }
        self.sealed_touched.note(&sealed.number);
        self.sealed.push(sealed);
        self.unwritten.push((sealed, records));
    }

    /// A record of the open tail.
    pub(crate) fn get(&self, serial: Serial) -> Option<&HistoryRecord> {
        self.tail.binary_search_by_key(&serial, |record| record.serial).ok().map(|at| &self.tail[at])
    }

    /// A sealed file, by its number.
    pub(crate) fn sealed(&self, number: u64) -> Option<&SealedHistory> {
        self.sealed.get(usize::try_from(number.checked_sub(1)?).ok()?)
    }

    pub(crate) fn feed(&self, feed: &mut Feed) {
        feed.u128(self.chain).u64(self.sealed.len() as u64).u64(self.tail.len() as u64);
        for sealed in &self.sealed {
            feed.u64(sealed.number).u64(sealed.first.0).u64(sealed.last.0);
            feed.u64(sealed.records).u128(sealed.chain);
        }
        for record in &self.tail {
            record.feed(feed);
        }
    }
}

impl HistoryRecord {
    pub(crate) fn bytes(&self) -> usize {
        match &self.what {
            Recorded::Audit(Audit { actor, action, subject, reason, .. }) => {
                32 + actor.len() + action.len() + subject.len() + reason.len()
            }
            Recorded::Order(order) => order.bytes(),
        }
    }

    fn feed(&self, feed: &mut Feed) {
        feed.u64(self.serial.0).u64(self.term).u64(self.time.as_ns());
        match &self.what {
            Recorded::Audit(Audit { wall_ms, actor, action, subject, reason }) => {
                feed.i64(*wall_ms);
                for text in [actor, action, subject, reason] {
                    feed.bytes(text.as_bytes());
                }
            }
            Recorded::Order(order) => _ = feed.u128(order.digest().0),
        }
    }
}

impl Recorded {
    fn kind(&self) -> &'static str {
        match self {
            Self::Audit(_) => "audit",
            Self::Order(_) => "order",
        }
    }
}
