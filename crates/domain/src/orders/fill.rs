//! Fills: what was traded of an order, one by one. A bust is a fill of its own that takes another back; nothing is ever deleted.

use std::collections::BTreeMap;

use crate::digest::Feed;
use crate::limits::{FILL_BYTES, FILLS_PER_ORDER_MAX};
use crate::orders::join::{either, least};
use crate::{Asset, Decimal, Digest, TradeId, VenueOrderId};

/// Which fill, within an order: that is of one account and one symbol. The venue's name of the order belongs to it, because
/// both sides of a trade with oneself have one trade id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FillKey {
    pub trade: TradeId,
    pub venue_order_id: VenueOrderId,
}

/// One trade of an order, or one that was taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fill {
    /// Above zero, also of a bust.
    pub quantity: Decimal,
    pub price: Decimal,
    /// The venue took back a trade of this quantity and price.
    pub is_bust: bool,
    /// `None`: not said yet.
    pub commission: Option<Commission>,
    /// Whether the order rested; `None`: not said yet.
    pub maker: Option<bool>,
    /// Milliseconds since 1970 by the venue's clock, the earliest that was said.
    pub venue_ms: Option<i64>,
}

/// What a trade cost; less than zero is what the venue paid.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Commission {
    pub amount: Decimal,
    pub asset: Asset,
}

/// All fills of an order that one side told of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fills {
    /// The [`FILLS_PER_ORDER_MAX`] least keys.
    pub by_key: BTreeMap<FillKey, Fill>,
    /// One fill was told of in two ways, or there were more than are kept.
    pub conflict: bool,
}

impl Fills {
    /// Whether anything was new.
    pub fn join(&mut self, other: &Self) -> bool {
        let mut changed = either(&mut self.conflict, other.conflict);
        for (key, fill) in &other.by_key {
            changed |= self.add(key, fill);
        }
        changed
    }

    /// What is beyond the limit sets the same flag as a fill told of in two ways: whether a fill differed that is no longer
    /// kept depends on what came first, and the flag must not.
    pub(super) fn add(&mut self, key: &FillKey, fill: &Fill) -> bool {
        if let Some(known) = self.by_key.get_mut(key) {
            let before = known.clone();
            let conflict = known.join(fill);
            return either(&mut self.conflict, conflict) || *known != before;
        }
        let is_full = self.by_key.len() == FILLS_PER_ORDER_MAX;
        if is_full && self.by_key.last_key_value().is_some_and(|(last, _)| last < key) {
            return either(&mut self.conflict, true);
        }
        self.by_key.insert(key.clone(), fill.clone());
        if is_full {
            self.by_key.pop_last();
            self.conflict = true;
        }
        true
    }

    /// The quantity of all trades, of those too that were taken back.
    pub fn traded(&self) -> Decimal {
        self.sum(|fill| !fill.is_bust)
    }

    /// The quantity that was taken back.
    pub fn busted(&self) -> Decimal {
        self.sum(|fill| fill.is_bust)
    }

    /// In the order of the keys, so that a sum too long for its digits is rounded alike on every node.
    fn sum(&self, counts: impl Fn(&Fill) -> bool) -> Decimal {
        let counted = self.by_key.values().filter(|fill| counts(fill));
        counted.fold(Decimal::ZERO, |sum, fill| sum.saturating_plus(fill.quantity))
    }

    /// By quantity, of what was not taken back. `None` without such, and if a number on the way is beyond what 96 bits hold.
    pub fn average_price(&self) -> Option<Decimal> {
        let mut notional = Decimal::ZERO;
        for fill in self.by_key.values() {
            let part = fill.quantity.times(fill.price)?;
            notional = notional.plus(if fill.is_bust { part.negated() } else { part })?;
        }
        let quantity = self.traded().minus(self.busted())?;
        quantity.is_positive().then(|| notional.divided_by(quantity))?
    }

    /// Of every fill: what a tombstone keeps when the fills are gone.
    pub fn digest(&self) -> Digest {
        let mut feed = Feed::new("fills");
        self.feed(&mut feed);
        Digest(feed.finish())
    }

    pub(super) fn feed(&self, feed: &mut Feed) {
        feed.u64(self.conflict.into()).u64(self.by_key.len() as u64);
        for (key, fill) in &self.by_key {
            feed.bytes(key.trade.as_str().as_bytes()).bytes(key.venue_order_id.as_str().as_bytes());
            fill.feed(feed);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let texts = self.by_key.iter().map(|(key, fill)| {
            let asset = fill.commission.as_ref().map_or(0, |commission| commission.asset.as_str().len());
            key.trade.as_str().len() + key.venue_order_id.as_str().len() + asset
        });
        self.by_key.len() * FILL_BYTES + texts.sum::<usize>()
    }
}

impl Fill {
    /// Field by field the lesser of what was said; true if two things were said of one field. Answers and streams of a venue
    /// differ in when they say that it was, and that is no contradiction.
    fn join(&mut self, other: &Self) -> bool {
        let conflict = (self.is_bust, self.quantity, self.price)
            != (other.is_bust, other.quantity, other.price)
            || differ(&self.commission, &other.commission)
            || differ(&self.maker, &other.maker);
        self.is_bust = self.is_bust.min(other.is_bust);
        self.quantity = self.quantity.min(other.quantity);
        self.price = self.price.min(other.price);
        least(&mut self.commission, &other.commission);
        least(&mut self.maker, &other.maker);
        least(&mut self.venue_ms, &other.venue_ms);
        conflict
    }

    /// No less than the encoded size of the fill in a report.
    pub(super) fn told_bytes(&self, key: &FillKey) -> usize {
        let asset = self.commission.as_ref().map_or(0, |commission| commission.asset.as_str().len());
        // Three decimals, a time, and what goes around them.
        key.trade.as_str().len() + key.venue_order_id.as_str().len() + asset + 176
    }

    fn feed(&self, feed: &mut Feed) {
        self.quantity.feed(feed);
        self.price.feed(feed);
        feed.u64(self.is_bust.into()).u64(self.commission.is_some().into());
        if let Some(Commission { amount, asset }) = &self.commission {
            amount.feed(feed);
            feed.bytes(asset.as_str().as_bytes());
        }
        feed.option(self.maker.map(u64::from)).option(self.venue_ms.map(i64::cast_unsigned));
    }
}

fn differ<T: PartialEq>(mine: &Option<T>, other: &Option<T>) -> bool {
    mine.as_ref().zip(other.as_ref()).is_some_and(|(mine, other)| mine != other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> FillKey {
        FillKey { trade: format!("{number:04}").parse().unwrap(), venue_order_id: "v1".parse().unwrap() }
    }

    fn fill(quantity: &str, price: &str) -> Fill {
        Fill {
            quantity: quantity.parse().unwrap(),
            price: price.parse().unwrap(),
            is_bust: false,
            commission: None,
            maker: None,
            venue_ms: None,
        }
    }

    #[test]
    fn what_was_not_said_before_is_added_and_contradicts_nothing() {
        let mut fills = Fills::default();
        assert!(fills.add(&key(1), &fill("1.0", "100")));
        assert!(!fills.add(&key(1), &fill("1.00", "100")), "the same number");
        let told = Fill { maker: Some(true), venue_ms: Some(7), ..fill("1", "100") };
        assert!(fills.add(&key(1), &told));
        assert!(!fills.add(&key(1), &Fill { venue_ms: Some(8), ..told.clone() }));
        assert_eq!((fills.by_key.get(&key(1)), fills.conflict), (Some(&told), false));
        assert!(fills.add(&key(1), &Fill { maker: Some(false), ..told }));
        assert!(fills.conflict);
    }

    #[test]
    fn the_average_is_of_what_was_not_taken_back() {
        let mut fills = Fills::default();
        assert_eq!(fills.average_price(), None);
        fills.add(&key(1), &fill("1", "100"));
        fills.add(&key(2), &fill("3", "200"));
        assert_eq!(fills.average_price(), Some("175".parse().unwrap()));
        fills.add(&key(3), &Fill { is_bust: true, ..fill("3", "200") });
        assert_eq!(fills.average_price(), Some("100".parse().unwrap()));
        fills.add(&key(4), &Fill { is_bust: true, ..fill("1", "100") });
        assert_eq!(fills.average_price(), None);
        assert_eq!((fills.traded(), fills.busted()), ("4".parse().unwrap(), "4".parse().unwrap()));
    }

    #[test]
    fn more_fills_than_are_kept_are_the_same_whatever_came_first() {
        let numbers = || 0..FILLS_PER_ORDER_MAX + 2;
        let (mut forth, mut back) = (Fills::default(), Fills::default());
        // One that is not kept differs, and is the last to come or the first.
        forth.add(&key(FILLS_PER_ORDER_MAX), &fill("2", "1"));
        numbers().for_each(|number| _ = forth.add(&key(number), &fill("1", "1")));
        numbers().rev().for_each(|number| _ = back.add(&key(number), &fill("1", "1")));
        back.add(&key(FILLS_PER_ORDER_MAX), &fill("2", "1"));
        assert_eq!(forth, back);
        assert_eq!((forth.by_key.len(), forth.conflict), (FILLS_PER_ORDER_MAX, true));
        assert!(!forth.join(&back));
    }
}
