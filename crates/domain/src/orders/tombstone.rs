//! What is left of an order when it has gone to the history: its key, so that the same order is never placed again.
//!
//! Invariants of `Tombstones`:
//! * A key that says when it was made is refused by its age ([`KEY_AGE_MS_MAX`](crate::limits::KEY_AGE_MS_MAX)) long before its tombstone goes
//!   ([`TOMBSTONE_MS`]): the difference is what a wall clock may be wrong by. Any other key stays for ever.
//! * There are never more than [`TOMBSTONES_MAX`](crate::limits::TOMBSTONES_MAX). One more order is refused before it is recorded.

use std::collections::{BTreeMap, BTreeSet};

use crate::changes::Touched;
use crate::digest::{Feed, Sum};
use crate::limits::TOMBSTONE_MS;
use crate::orders::id::OrderId;
use crate::{Decimal, Digest, LogTime, OrderKey, StrategyId};

/// A key, in the strategy that it belongs to.
pub type StrategyKey = (StrategyId, OrderKey);

/// An order that is history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// Of what was asked for.
    pub payload: u128,
    pub order: OrderId,
    pub filled: Decimal,
    /// Of its fills.
    pub fills: Digest,
    /// `None`: the key does not say how old it is.
    pub until: Option<LogTime>,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tombstones {
    rows: BTreeMap<StrategyKey, Tombstone>,
    by_end: BTreeSet<(LogTime, StrategyKey)>,
    sum: Sum,
    pub(crate) touched: Touched<StrategyKey>,
}

/// Until when the tombstone of a key stands that becomes one now.
pub(crate) fn until(key: &OrderKey, now: LogTime) -> Option<LogTime> {
    key.made_ms().map(|_| now.plus_ms(TOMBSTONE_MS))
}

impl Tombstones {
    pub(crate) fn get(&self, key: &StrategyKey) -> Option<&Tombstone> {
        self.rows.get(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&StrategyKey, &Tombstone)> {
        self.rows.iter()
    }

    pub(crate) fn insert(&mut self, key: StrategyKey, tombstone: Tombstone) {
        self.touched.note(&key);
        self.sum.add(row(&key, &tombstone));
        if let Some(until) = tombstone.until {
            self.by_end.insert((until, key.clone()));
        }
        let before = self.rows.insert(key, tombstone);
        assert!(before.is_none(), "a key stands for one order");
    }

    /// Forgets those whose keys have long been refused by their age.
    pub(crate) fn forget_until(&mut self, now: LogTime) {
        while self.by_end.first().is_some_and(|(until, _)| *until <= now) {
            let (_, key) = self.by_end.pop_first().expect("it was just looked at");
            let tombstone = self.rows.remove(&key).expect("both hold the same keys");
            self.touched.note(&key);
            self.sum.remove(row(&key, &tombstone));
        }
    }

    pub(crate) fn feed(&self, feed: &mut Feed) {
        feed.u64(self.rows.len() as u64).u128(self.sum.get());
    }
}

fn row((strategy, key): &StrategyKey, tombstone: &Tombstone) -> u128 {
    let Tombstone { payload, order, filled, fills, until } = tombstone;
    let mut feed = Feed::new("tombstone");
    feed.bytes(strategy.as_str().as_bytes()).bytes(key.as_str().as_bytes());
    feed.u128(*payload).u64(order.0.0).u128(fills.0).option(until.map(LogTime::as_ns));
    filled.feed(&mut feed);
    feed.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Serial;
    use crate::limits::{KEY_AGE_MS_MAX, KEY_AHEAD_MS_MAX};

    fn key(text: &str) -> OrderKey {
        text.parse().unwrap()
    }

    #[test]
    fn a_tombstone_outlives_the_age_of_its_key() {
        assert!(i64::try_from(TOMBSTONE_MS).unwrap() >= KEY_AGE_MS_MAX + KEY_AHEAD_MS_MAX);
        let mut tombstones = Tombstones::default();
        let strategy: StrategyId = "s".parse().unwrap();
        let now = LogTime::from_ms(5);
        for (number, text) in [(1, "1764534000000-1"), (2, "k1")] {
            let until = until(&key(text), now);
            let fills = Digest::default();
            let order = OrderId(Serial(number));
            let tombstone = Tombstone { payload: 0, order, filled: Decimal::ZERO, fills, until };
            tombstones.insert((strategy.clone(), key(text)), tombstone);
        }
        let end = now.plus_ms(TOMBSTONE_MS);
        tombstones.forget_until(LogTime::from_ns(end.as_ns() - 1));
        assert_eq!(tombstones.len(), 2);
        tombstones.forget_until(end);
        tombstones.forget_until(LogTime::MAX);
        assert_eq!(tombstones.iter().map(|((_, key), _)| key.as_str()).collect::<Vec<_>>(), ["k1"]);
    }
}
