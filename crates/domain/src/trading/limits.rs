//! Pre-trade limits. An account and a strategy each have a set of them, and one more for each symbol that they name; an order
//! is held to all that cover it.

use std::collections::BTreeMap;

use crate::digest::Feed;
use crate::{Decimal, Symbol};

/// A set of limits; what is `None` is not limited.
///
/// Notionals are in the quote asset of the symbol: a limit of 1000 allows 1000 of each quote asset. Positions are in the
/// symbol's quantity, symbol by symbol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// How far the price of an order may be from the reference price, either way, in hundredths of a percent of it.
    pub price_collar_bps: Option<u32>,
    /// Of an order.
    pub quantity_max: Option<Decimal>,
    /// Of an order.
    pub notional_max: Option<Decimal>,
    /// Long or short, if all that is open on its side were filled.
    pub position_max: Option<Decimal>,
    /// Orders that may still be filled, whether the venue has them or not.
    pub open_orders_max: Option<u32>,
    pub message_rate: Option<MessageRate>,
    /// Of what was traded since the day began, and of what may still be.
    pub daily_notional_max: Option<Decimal>,
    /// How long after an order the same may not be authorised again under another key, in milliseconds.
    pub duplicate_window_ms: Option<u64>,
}

/// Orders and cancels: never more than `count` in any `per_ms` milliseconds. A replace is two.
///
/// One instant is all that is kept of the past, so what is allowed is divided: half of it, and one, may come at once, and the
/// others, at even distances, after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageRate {
    pub count: u32,
    pub per_ms: u64,
}

impl Limits {
    pub(crate) fn feed(&self, feed: &mut Feed) {
        let Self { price_collar_bps, quantity_max, notional_max, position_max, open_orders_max, .. } = self;
        for number in [quantity_max, notional_max, position_max, &self.daily_notional_max] {
            Decimal::feed_option(*number, feed);
        }
        feed.option(price_collar_bps.map(u64::from)).option(open_orders_max.map(u64::from));
        feed.option(self.message_rate.map(|rate| rate.count.into()));
        feed.option(self.message_rate.map(|rate| rate.per_ms)).option(self.duplicate_window_ms);
    }
}

pub(crate) fn feed_limits(limits: &Limits, symbol_limits: &BTreeMap<Symbol, Limits>, feed: &mut Feed) {
    limits.feed(feed);
    feed.u64(symbol_limits.len() as u64);
    for (symbol, limits) in symbol_limits {
        feed.bytes(symbol.as_str().as_bytes());
        limits.feed(feed);
    }
}
