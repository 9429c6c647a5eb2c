//! Keys and leases. A lease is a string key with an owner value and an end; the Redis shim and the gRPC lease
//! service are two views of the same keys. A key may hold another kind of value, too; it is no lease then.
//!
//! Read in this order: [`value`] (what a key may hold), then what is done to keys of any kind (here), to [`strings`], to
//! [`leases`], and to what has elements: [`alteration`], [`hash`], [`list`], [`set`] and [`sorted_set`] with what they
//! are made of, [`named`], [`span`] and [`score`].
//!
//! Invariants:
//! * `due` holds exactly the keys that have an end, each at its end.
//! * `counts` is what a count of every key of a database gives.
//! * A key that was due at `now` is gone: a read never meets a key that should have ended.
//! * The token of a key changes when the key appears or its value changes, and only then.

pub mod alteration;
pub mod hash;
mod leases;
pub mod list;
pub mod named;
pub mod score;
pub mod set;
pub mod sorted_set;
pub mod span;
mod strings;
pub mod summed;
pub mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use planted::Bug;

use crate::changes::Touched;
use crate::digest::{Feed, Sum};
use crate::events::{Events, KeyEvent};
use crate::keyspace::value::Kind;
use crate::limits::{DATABASES, KEY_BYTES_MAX, KEYS_MAX, TTL_MS_MAX, VALUE_BYTES_MAX};
use crate::{Answer, Epoch, ExpireCondition, Expiry, Guard, LogTime, Refusal, Serial, Token, Traces, Value};

/// A key in one of the databases.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub database: u8,
    pub name: Arc<[u8]>,
}

impl Key {
    pub fn new(database: u8, name: impl Into<Arc<[u8]>>) -> Self {
        Self { database, name: name.into() }
    }

    pub(crate) fn fits(&self) -> bool {
        self.database < DATABASES && self.name.len() <= KEY_BYTES_MAX
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.database, self.name.escape_ascii())
    }
}

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub value: Value,
    /// Of the command that made the key present or changed its value.
    pub token: Token,
    /// Of the command that last changed value or end.
    pub revision: Serial,
    /// When it ends by itself; `None`: never.
    pub end: Option<LogTime>,
    /// The length it was last given, in milliseconds.
    pub ttl_ms: Option<u64>,
}

/// A lease as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub holder: Arc<[u8]>,
    pub token: Token,
    /// `None`: it has no end.
    pub ttl_ms: Option<u64>,
    pub remaining_ms: Option<u64>,
}

impl Entry {
    /// This key as a lease, at the log time `now`, if it is a string.
    pub fn lease(&self, now: LogTime) -> Result<Lease, Refusal> {
        let holder = self.value.string()?.clone();
        let Self { token, ttl_ms, .. } = *self;
        Ok(Lease { holder, token, ttl_ms, remaining_ms: self.remaining_ms(now) })
    }

    /// Whether its value is this one, if it is a string.
    pub(crate) fn is_held_by(&self, holder: &[u8]) -> Result<bool, Refusal> {
        Ok(**self.value.string()? == *holder)
    }

    /// What is left of it at the log time `now`, if it ends; what lives has at least 1 ms left.
    pub fn remaining_ms(&self, now: LogTime) -> Option<u64> {
        self.end.map(|end| end.remaining_ms(now).max(1))
    }
}

/// What is in one database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyCounts {
    pub keys: usize,
    /// Keys that end by themselves.
    pub ending: usize,
    /// Of names and values, with what elements count for.
    pub bytes: usize,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Keyspace {
    entries: BTreeMap<Key, Entry>,
    due: BTreeSet<(LogTime, Key)>,
    counts: BTreeMap<u8, KeyCounts>,
    sum: Sum,
    /// Of what leaves no row, if anybody asks for it.
    pub(crate) traces: Option<Traces>,
    pub(crate) touched: Touched<Key>,
    /// What happens to keys, and what is published between.
    pub(crate) events: Events,
}

/// The moment and the name of the change that a command makes.
#[derive(Clone, Copy)]
pub(crate) struct Change {
    pub(crate) now: LogTime,
    pub(crate) epoch: Epoch,
    pub(crate) serial: Serial,
}

// Reads, and the one pair of functions that keeps the fields together.
impl Keyspace {
    pub(crate) fn get(&self, key: &Key) -> Option<&Entry> {
        self.entries.get(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Key, &Entry)> {
        self.entries.iter()
    }

    /// The keys of a database from a name on, in the order of names.
    pub(crate) fn range(&self, database: u8, from: Bound<&[u8]>) -> impl Iterator<Item = (&Key, &Entry)> {
        let from = match from {
            Bound::Unbounded => Bound::Included(Key::new(database, [])),
            from => from.map(|name| Key::new(database, name)),
        };
        let here = move |(key, _): &(&Key, &Entry)| key.database == database;
        self.entries.range((from, Bound::Unbounded)).take_while(here)
    }

    pub(crate) fn counts(&self) -> &BTreeMap<u8, KeyCounts> {
        &self.counts
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn next_end(&self) -> Option<LogTime> {
        self.due.first().map(|(end, _)| *end)
    }

    pub(crate) fn ending(&self) -> usize {
        self.due.len()
    }

    pub(crate) fn sum(&self) -> Sum {
        self.sum
    }

    /// The next key that is due at `now`, in the order of (end, database, name).
    pub(crate) fn due(&self, now: LogTime) -> Option<Key> {
        let (end, key) = self.due.first()?;
        (*end <= now).then(|| key.clone())
    }

    /// Whether nothing has happened, for all that is known.
    pub(crate) fn holds(&self, guard: &Guard) -> bool {
        let traced = |holds: &dyn Fn(&Traces) -> bool| self.traces.as_ref().is_some_and(holds);
        match guard {
            Guard::Key { key, as_of } => match self.entries.get(key) {
                Some(entry) => entry.revision <= *as_of,
                None => traced(&|traces| traces.absent_since(key, *as_of)),
            },
            Guard::Database { database, as_of } => traced(&|traces| traces.database_since(*database, *as_of)),
        }
    }

    /// Keeps traces from now on.
    pub(crate) fn trace(&mut self, since: Serial) {
        self.traces.get_or_insert_with(|| Traces::new(since));
    }

    pub(crate) fn insert(&mut self, key: Key, entry: Entry) {
        self.take_out(&key);
        self.touched.note(&key);
        if let Some(traces) = &mut self.traces {
            traces.note_change(&key, entry.revision);
        }
        self.sum.add(row(&key, &entry));
        let counts = self.counts.entry(key.database).or_default();
        counts.keys += 1;
        counts.ending += usize::from(entry.end.is_some());
        counts.bytes += key.name.len() + entry.value.bytes();
        if let Some(end) = entry.end {
            self.due.insert((end, key.clone()));
        }
        self.entries.insert(key, entry);
    }

    pub(crate) fn remove(&mut self, serial: Serial, key: &Key) -> Option<Entry> {
        let entry = self.take_out(key)?;
        self.touched.note(key);
        if let Some(traces) = &mut self.traces {
            traces.note_removal(key, serial);
        }
        Some(entry)
    }

    /// Removes a key because somebody asked for it.
    pub(crate) fn delete(&mut self, serial: Serial, key: &Key) -> Option<Entry> {
        let entry = self.remove(serial, key)?;
        self.events.note(key, KeyEvent::Del);
        Some(entry)
    }

    /// Removes a key because its end has come.
    pub(crate) fn end(&mut self, serial: Serial, key: &Key) {
        if self.remove(serial, key).is_some() {
            self.events.note(key, KeyEvent::Expired);
        }
    }

    fn take_out(&mut self, key: &Key) -> Option<Entry> {
        let entry = self.entries.remove(key)?;
        self.sum.remove(row(key, &entry));
        let counts = self.counts.get_mut(&key.database).expect("it has this key");
        counts.keys -= 1;
        counts.ending -= usize::from(entry.end.is_some());
        counts.bytes -= key.name.len() + entry.value.bytes();
        if let Some(end) = entry.end {
            let was_due = self.due.remove(&(end, key.clone()));
            assert!(was_due, "{key:?} ends at {end} but is not due");
        }
        Some(entry)
    }

    pub(crate) fn flush(&mut self, serial: Serial, database: Option<u8>) -> u64 {
        let gone: Vec<Key> = self
            .entries
            .keys()
            .filter(|key| database.is_none_or(|database| key.database == database))
            .cloned()
            .collect();
        for key in &gone {
            self.remove(serial, key);
        }
        gone.len() as u64
    }
}

// What the commands do to keys of any kind.
impl Keyspace {
    pub(crate) fn remove_many(
        &mut self,
        serial: Serial,
        keys: &[Key],
        holder: Option<&[u8]>,
    ) -> Result<Answer, Refusal> {
        let mut held = Vec::new();
        for key in keys {
            if let Some(entry) = self.entries.get(key)
                && holder.map_or(Ok(true), |holder| entry.is_held_by(holder))?
            {
                held.push(key);
            }
        }
        let removed = held.into_iter().filter(|key| self.delete(serial, key).is_some());
        Ok(Answer::Count(removed.count() as u64))
    }

    pub(crate) fn expire(
        &mut self,
        change: Change,
        key: Key,
        expiry: Expiry,
        condition: ExpireCondition,
        holder: Option<&[u8]>,
    ) -> Result<Answer, Refusal> {
        let Some(entry) = self.entries.get(&key) else { return Ok(Answer::Changed(false)) };
        if !holder.map_or(Ok(true), |holder| entry.is_held_by(holder))? {
            return Ok(Answer::Changed(false));
        }
        let before = entry.end;
        let (after, ttl_ms) = end_of(expiry, change.now, entry)?;
        // No end counts as infinitely late.
        let order = after.unwrap_or(LogTime::MAX).cmp(&before.unwrap_or(LogTime::MAX));
        let holds = match condition {
            ExpireCondition::Always => true,
            ExpireCondition::HasNoEnd => before.is_none(),
            ExpireCondition::HasEnd => before.is_some(),
            ExpireCondition::Later => order.is_gt(),
            ExpireCondition::Earlier => order.is_lt(),
            ExpireCondition::HasEndAndLater => before.is_some() && order.is_gt(),
            ExpireCondition::HasEndAndEarlier => before.is_some() && order.is_lt(),
        };
        // `PERSIST` on a key that has no end changes nothing and says so.
        let changes = holds && !(before.is_none() && after.is_none());
        if changes {
            let entry = Entry { end: after, ttl_ms, revision: change.serial, ..entry.clone() };
            self.put_back(change, key, entry);
        }
        Ok(Answer::Changed(changes))
    }

    pub(crate) fn copy(
        &mut self,
        change: Change,
        from: &Key,
        to: Key,
        if_absent: bool,
        moves: bool,
    ) -> Result<Answer, Refusal> {
        if !to.fits() {
            return Err(Refusal::TooLarge);
        }
        let entry = match self.entries.get(from) {
            Some(entry) => entry.clone(),
            None if moves => return Err(Refusal::NoSuchKey),
            None => return Ok(Answer::Changed(false)),
        };
        let is_there = self.entries.contains_key(&to);
        if if_absent && is_there {
            return Ok(Answer::Changed(false));
        }
        if *from == to {
            return Ok(Answer::Changed(true));
        }
        if moves {
            self.remove(change.serial, from);
        } else if !is_there && self.len() >= KEYS_MAX {
            return Err(Refusal::Full);
        }
        // As in Redis, where whatever was there before goes without a word.
        self.events.note(&to, KeyEvent::New);
        if moves {
            self.events.note(from, KeyEvent::RenameFrom);
        }
        self.events.note(&to, if moves { KeyEvent::RenameTo } else { KeyEvent::CopyTo });
        let Change { epoch, serial, .. } = change;
        self.insert(to, Entry { token: Token::new(epoch, serial), revision: serial, ..entry });
        Ok(Answer::Changed(true))
    }

    /// `what` is the word for it.
    fn write(
        &mut self,
        change: Change,
        key: Key,
        value: Value,
        expiry: Expiry,
        what: KeyEvent,
    ) -> Result<(), Refusal> {
        if !key.fits() || value.bytes() > VALUE_BYTES_MAX {
            return Err(Refusal::TooLarge);
        }
        let Change { now, epoch, serial } = change;
        let entry = match self.entries.get(&key) {
            Some(entry) => {
                let keeps = entry.value == value || planted::is(Bug::TokenKept);
                let token = if keeps { entry.token } else { Token::new(epoch, serial) };
                let (end, ttl_ms) = end_of(expiry, now, entry)?;
                Entry { value, token, revision: serial, end, ttl_ms }
            }
            None if self.len() >= KEYS_MAX => return Err(Refusal::Full),
            None => {
                let token = Token::new(epoch, serial);
                let fresh = Entry { value, token, revision: serial, end: None, ttl_ms: None };
                let (end, ttl_ms) = end_of(expiry, now, &fresh)?;
                Entry { end, ttl_ms, ..fresh }
            }
        };
        if !self.entries.contains_key(&key) {
            self.events.note(&key, KeyEvent::New);
        }
        self.events.note(&key, what);
        if entry.end.is_some() && expiry != Expiry::Keep {
            self.events.note(&key, KeyEvent::Expire);
        }
        match entry.end {
            Some(end) if end <= now => {
                self.remove(serial, &key);
                self.events.note(&key, KeyEvent::Expired);
            }
            _ => self.insert(key, entry),
        }
        Ok(())
    }

    /// Gives a key that is there another end. If that is not after the present, the key is gone at once, as in Redis.
    fn put_back(&mut self, change: Change, key: Key, entry: Entry) {
        let had_end = self.entries.get(&key).is_some_and(|before| before.end.is_some());
        match entry.end {
            Some(end) if end <= change.now => return drop(self.delete(change.serial, &key)),
            Some(_) => self.events.note(&key, KeyEvent::Expire),
            None if had_end => self.events.note(&key, KeyEvent::Persist),
            None => {}
        }
        self.insert(key, entry);
    }
}

/// The end and the length that `expiry` gives to `entry`.
fn end_of(expiry: Expiry, now: LogTime, entry: &Entry) -> Result<(Option<LogTime>, Option<u64>), Refusal> {
    let ms = match expiry {
        Expiry::Keep => return Ok((entry.end, entry.ttl_ms)),
        Expiry::Never => return Ok((None, None)),
        Expiry::AtWallMs(_) => return Err(Refusal::WallClock),
        Expiry::InMs(ms) => ms,
        Expiry::LaterByMs(ms) => {
            let left = entry.end.map_or(0, |end| end.remaining_ms(now));
            ms.checked_add_unsigned(left).ok_or(Refusal::InvalidTtl)?
        }
    };
    if ms > TTL_MS_MAX {
        return Err(Refusal::InvalidTtl);
    }
    match u64::try_from(ms) {
        Ok(ms) => Ok((Some(now.plus_ms(ms)), Some(ms))),
        Err(_) => Ok((Some(now), None)),
    }
}

fn row(key: &Key, entry: &Entry) -> u128 {
    // A string has the digest that it had before there was anything else.
    let mut feed = Feed::new(if entry.value.kind() == Kind::String { "key" } else { "collection" });
    feed.u64(key.database.into()).bytes(&key.name);
    entry.value.feed(&mut feed);
    feed.u64(entry.token.as_u64()).u64(entry.revision.0);
    feed.option(entry.end.map(LogTime::as_ns)).option(entry.ttl_ms);
    feed.finish()
}
