//! What may still be traded: the open orders, summed by whatever a limit may count together.
//!
//! It follows from the orders in memory and is built again from them, so it is in no digest and no image. Who changes an order
//! takes away what it counted for before, and adds what it counts for after.

use std::collections::{BTreeMap, BTreeSet};

use crate::orders::id::OrderId;
use crate::orders::intent::Side;
use crate::orders::order::Order;
use crate::trading::counters::PositionKey;
use crate::trading::scope::LimitKey;
use crate::trading::total::Total;
use crate::trading::venue::Valuation;
use crate::{AccountId, Asset, Decimal, LogTime, Serial, StrategyId, Symbol};

/// What an order counts for while it may still be filled, from its authorisation on.
#[derive(Clone, Copy, Debug)]
pub struct Working<'a> {
    pub account: &'a AccountId,
    /// `None`: nobody here asked for it.
    pub strategy: Option<&'a StrategyId>,
    pub symbol: &'a Symbol,
    pub side: Side,
    /// What is not yet in the positions: the quantity, or once it is known to be closed the quantity filled, less the fills
    /// that have been counted. Never below zero.
    pub remaining: Decimal,
    /// Whether the venue may still fill it. What is closed counts until its fills are here, but not as an open order.
    pub is_open: bool,
    /// That of its authorisation. `None`: it has none, and no notional.
    pub valuation: Option<&'a Valuation>,
}

/// A sum of open orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Open {
    pub buy: Total,
    pub sell: Total,
    pub orders: u64,
}

/// The sums.
///
/// Invariants: no row is without an order; adding and removing are inverse.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exposures {
    own: BTreeMap<PositionKey, Open>,
    open: BTreeMap<LimitKey, Open>,
    notional: BTreeMap<(LimitKey, Asset), Total>,
    /// When which terms were authorised.
    authorised: BTreeSet<(u128, LogTime, OrderId)>,
}

impl Exposures {
    pub fn add(&mut self, order: &Working<'_>) {
        self.sum(order, Open::plus, Total::plus);
    }

    /// What was added, as it was then.
    pub fn remove(&mut self, order: &Working<'_>) {
        self.sum(order, Open::minus, Total::minus);
    }

    /// An order, by whatever it counts for.
    pub(crate) fn add_order(&mut self, order: &Order) {
        if let Some(working) = order.working() {
            self.add(&working);
        }
        if let (Some(authorization), Some(intent)) = (&order.authorization, order.intent()) {
            self.remember(intent.terms(), authorization.at, order.id);
        }
    }

    /// An order that was added, as it was then.
    pub(crate) fn remove_order(&mut self, order: &Order) {
        if let Some(working) = order.working() {
            self.remove(&working);
        }
        if let (Some(authorization), Some(intent)) = (&order.authorization, order.intent()) {
            self.forget(intent.terms(), authorization.at, order.id);
        }
    }

    /// Remembers an order by what it would trade ([`Intent::terms`](crate::orders::intent::Intent::terms)), as long as it is in
    /// memory.
    pub fn remember(&mut self, terms: u128, at: LogTime, order: OrderId) {
        self.authorised.insert((terms, at, order));
    }

    pub fn forget(&mut self, terms: u128, at: LogTime, order: OrderId) {
        self.authorised.remove(&(terms, at, order));
    }

    /// Of one strategy on one account, in one symbol.
    pub fn own(&self, key: &PositionKey) -> Open {
        self.own.get(key).copied().unwrap_or_default()
    }

    pub fn open(&self, key: &LimitKey) -> Open {
        self.open.get(key).copied().unwrap_or_default()
    }

    /// In this asset.
    pub fn notional(&self, key: &LimitKey, quote: &Asset) -> Total {
        self.notional.get(&(key.clone(), quote.clone())).copied().unwrap_or_default()
    }

    /// When the last order of these terms was authorised.
    pub fn last_authorised(&self, terms: u128) -> Option<LogTime> {
        let first = (terms, LogTime::ZERO, OrderId(Serial(0)));
        let last = (terms, LogTime::MAX, OrderId(Serial(u64::MAX)));
        self.authorised.range(first..=last).next_back().map(|(_, at, _)| *at)
    }

    fn sum(
        &mut self,
        order: &Working<'_>,
        change: impl Fn(Open, Open) -> Open,
        change_total: impl Fn(Total, Total) -> Total,
    ) {
        let Working { account, strategy, symbol, side, remaining, is_open, valuation } = *order;
        let one = Open::of(side, remaining.into(), is_open.into());
        let key =
            PositionKey { account: account.clone(), symbol: symbol.clone(), strategy: strategy.cloned() };
        alter(&mut self.own, key, |open| change(open, one));
        for key in LimitKey::all(account, strategy, symbol) {
            if let Some(valuation) = valuation {
                let notional = valuation.notional(remaining);
                let key = (key.clone(), valuation.quote.clone());
                alter(&mut self.notional, key, |sum| change_total(sum, notional));
            }
            alter(&mut self.open, key, |open| change(open, one));
        }
    }
}

impl Open {
    fn of(side: Side, remaining: Total, orders: u64) -> Self {
        match side {
            Side::Buy => Self { buy: remaining, sell: Total::ZERO, orders },
            Side::Sell => Self { buy: Total::ZERO, sell: remaining, orders },
        }
    }

    pub fn on(self, side: Side) -> Total {
        match side {
            Side::Buy => self.buy,
            Side::Sell => self.sell,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            buy: self.buy.plus(other.buy),
            sell: self.sell.plus(other.sell),
            orders: self.orders + other.orders,
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            buy: self.buy.minus(other.buy),
            sell: self.sell.minus(other.sell),
            orders: self.orders.checked_sub(other.orders).expect("what is removed was added"),
        }
    }
}

/// A row that comes to nothing is gone.
pub(crate) fn alter<K: Ord + Clone, V: Copy + Default + PartialEq>(
    rows: &mut BTreeMap<K, V>,
    key: K,
    change: impl FnOnce(V) -> V,
) {
    let value = change(rows.get(&key).copied().unwrap_or_default());
    if value == V::default() {
        rows.remove(&key);
    } else {
        rows.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_and_removed_leaves_nothing() {
        let (account, strategy, symbol) =
            ("main".parse().unwrap(), "mm".parse().unwrap(), "BTCUSDT".parse().unwrap());
        let decimal = |text: &str| text.parse::<Decimal>().unwrap();
        let valuation =
            Valuation { price: decimal("0.1"), contract_size: Decimal::ONE, quote: "USDT".parse().unwrap() };
        let order = |side, remaining: &str, valuation| Working {
            account: &account,
            strategy: Some(&strategy),
            symbol: &symbol,
            side,
            remaining: decimal(remaining),
            is_open: true,
            valuation,
        };
        let mut exposures = Exposures::default();
        let orders = [
            order(Side::Buy, "99999999999999999999", Some(&valuation)),
            order(Side::Sell, "0.000000000000000001", Some(&valuation)),
            order(Side::Buy, "0", None),
        ];
        for order in &orders {
            exposures.add(order);
        }
        let all = LimitKey::all(&account, Some(&strategy), &symbol);
        assert_eq!(all.len(), 4);
        for key in &all {
            assert_eq!(exposures.open(key).orders, 3);
            assert_eq!(exposures.open(key).on(Side::Sell), decimal("0.000000000000000001").into());
            let notional = exposures.notional(key, &valuation.quote);
            assert_eq!(notional.to_string(), "9999999999999999999.900000000000000001", "rounded up");
        }
        for order in &orders {
            exposures.remove(order);
        }
        assert_eq!(exposures, Exposures::default());
    }

    #[test]
    fn the_last_of_the_same_terms_counts() {
        let mut exposures = Exposures::default();
        let (early, late) = (LogTime::from_ms(1), LogTime::from_ms(2));
        exposures.remember(7, late, OrderId(Serial(2)));
        exposures.remember(7, early, OrderId(Serial(1)));
        exposures.remember(8, LogTime::MAX, OrderId(Serial(3)));
        assert_eq!(exposures.last_authorised(7), Some(late));
        exposures.forget(7, late, OrderId(Serial(2)));
        assert_eq!(exposures.last_authorised(7), Some(early));
        assert_eq!(exposures.last_authorised(6), None);
    }
}
