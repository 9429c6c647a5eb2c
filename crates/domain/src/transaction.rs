//! Several actions as one command, done only if what they rely on is still so.
//!
//! Whoever looks at the state, decides and then writes has decided on something old. A guard says what was looked at and
//! when; a transaction whose guards hold does what it would have done at that moment.
//!
//! Invariants of [`Traces`]:
//! * Of every key that went since they began, the removal of its bucket is that or a later one.
//! * Of every database that something happened in since they began, the last change is known.

use std::collections::BTreeMap;

use crate::digest::Feed;
use crate::limits::TRACE_BUCKETS;
use crate::{Key, Serial};

/// What a transaction relies on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Nothing has happened to this key since the state stood at that serial: a key that came and went again is no
    /// longer what it was.
    Key { key: Key, as_of: Serial },
    /// Nothing has happened to any key of this database.
    Database { database: u8, as_of: Serial },
}

impl Guard {
    pub fn as_of(&self) -> Serial {
        match self {
            Self::Key { as_of, .. } | Self::Database { as_of, .. } => *as_of,
        }
    }

    /// The bytes of its variable parts.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Key { key, .. } => 16 + key.name.len(),
            Self::Database { .. } => 16,
        }
    }
}

/// What is left of changes that leave no row: a key that is absent does not tell whether it was there a moment ago.
///
/// They are kept from the first transaction with a guard on, and never grow beyond a fixed size: keys share buckets, so
/// that a guard may fail although nothing happened to its key, but never holds although something did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// When they began. What happened before is not known.
    pub since: Serial,
    /// When a key of a bucket last went.
    pub removals: BTreeMap<u16, Serial>,
    /// When something last happened in a database.
    pub databases: BTreeMap<u8, Serial>,
}

impl Traces {
    pub(crate) fn new(since: Serial) -> Self {
        Self { since, ..Self::default() }
    }

    pub(crate) fn note_change(&mut self, key: &Key, serial: Serial) {
        self.databases.insert(key.database, serial);
    }

    pub(crate) fn note_removal(&mut self, key: &Key, serial: Serial) {
        self.note_change(key, serial);
        self.removals.insert(bucket(key), serial);
    }

    /// Whether a key that is absent was not there since `as_of`, for all that is known.
    pub(crate) fn absent_since(&self, key: &Key, as_of: Serial) -> bool {
        as_of >= self.since && self.removals.get(&bucket(key)).is_none_or(|removal| *removal <= as_of)
    }

    pub(crate) fn database_since(&self, database: u8, as_of: Serial) -> bool {
        as_of >= self.since && self.databases.get(&database).is_none_or(|change| *change <= as_of)
    }

    pub(crate) fn feed(&self, feed: &mut Feed) {
        let Self { since, removals, databases } = self;
        feed.u64(since.0).u64(removals.len() as u64);
        for (bucket, serial) in removals {
            feed.u64((*bucket).into()).u64(serial.0);
        }
        feed.u64(databases.len() as u64);
        for (database, serial) in databases {
            feed.u64((*database).into()).u64(serial.0);
        }
    }
}

fn bucket(key: &Key) -> u16 {
    let mut feed = Feed::new("trace");
    feed.u64(key.database.into()).bytes(&key.name);
    u16::try_from(feed.finish() % u128::from(TRACE_BUCKETS)).expect("there are fewer buckets than that")
}
