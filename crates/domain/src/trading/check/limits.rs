//! The limits: each set that covers an order, one after the other.

use super::Desk;
use crate::orders::intent::{Intent, OrderType, Side};
use crate::orders::reason::{Limit, LimitScope, Reason};
use crate::trading::limits::Limits;
use crate::trading::scope::LimitKey;
use crate::trading::total::Total;
use crate::trading::venue::{Instrument, Valuation};
use crate::trading::whole::Trading;
use crate::{Decimal, LogTime};

/// What is asked for counts for so much.
#[derive(Clone, Copy)]
pub(super) struct Weight {
    messages: u64,
    /// By how many there will be more open orders.
    orders: u64,
}

impl Weight {
    pub(super) const NEW: Self = Self { messages: 1, orders: 1 };
    pub(super) const REPLACING: Self = Self { messages: 2, orders: 0 };
    pub(super) const CANCEL: Self = Self { messages: 1, orders: 0 };
}

/// What an order may cost. A buy costs no more than its price, and what never takes what rests is filled at its price; all else
/// may be filled for more, and is valued at the greatest of its price, its stop price and the market's. `None`: there is nothing
/// to value it by.
pub(super) fn valuation(
    intent: &Intent,
    instrument: &Instrument,
    market: Option<Decimal>,
) -> Option<Valuation> {
    let Intent { side, order_type, price, stop_price, .. } = intent;
    let is_capped = *side == Side::Buy || *order_type == OrderType::LimitMaker;
    let price = match price {
        Some(price) if is_capped => *price,
        _ => [reference(intent, market)?].into_iter().chain(*price).chain(*stop_price).chain(market).max()?,
    };
    Some(instrument.valuation(price))
}

/// Where the market is, or will be when the order comes to it.
fn reference(intent: &Intent, market: Option<Decimal>) -> Option<Decimal> {
    if intent.order_type.has_stop() { intent.stop_price } else { market }
}

impl Desk<'_> {
    pub(super) fn too_fast(&self, intent: &Intent, weight: Weight, now: LogTime) -> Vec<Reason> {
        let reason = |(key, limits): (LimitKey, &Limits)| {
            let rate = limits.message_rate?;
            let clock = self.trading.counters.clocks.get(&key).copied().unwrap_or_default();
            let retry_ms = rate.wait_ms(clock, weight.messages, now);
            let reason =
                Reason::MessageRate { scope: key.scope(), count: rate.count, per_ms: rate.per_ms, retry_ms };
            (retry_ms > 0).then_some(reason)
        };
        self.limits(intent).filter_map(reason).collect()
    }

    pub(super) fn too_many(&self, intent: &Intent, weight: Weight) -> Vec<Reason> {
        let reason = |(key, limits): (LimitKey, &Limits)| {
            let allowed = Decimal::from(u64::from(limits.open_orders_max?));
            let found = Decimal::from(self.exposures.open(&key).orders + weight.orders);
            passed(Limit::OpenOrders, key.scope(), Some(allowed), found.into())
        };
        self.limits(intent).filter_map(reason).collect()
    }

    pub(super) fn repeated(&self, intent: &Intent, now: LogTime) -> Vec<Reason> {
        let Some(last) = self.exposures.last_authorised(intent.terms()) else { return Vec::new() };
        let age_ms = now.as_ns().saturating_sub(last.as_ns()) / 1_000_000;
        let reason = |(key, limits): (LimitKey, &Limits)| {
            let window_ms = limits.duplicate_window_ms.filter(|window_ms| age_ms < *window_ms)?;
            Some(Reason::Duplicate { scope: key.scope(), window_ms, age_ms })
        };
        self.limits(intent).filter_map(reason).collect()
    }

    /// All that needs numbers that can be reckoned with.
    pub(super) fn too_large(
        &self,
        intent: &Intent,
        market: Option<Decimal>,
        valuation: Option<&Valuation>,
    ) -> Vec<Reason> {
        let quantity = Total::from(intent.quantity);
        let mut reasons = Vec::new();
        let mut needs_price = false;
        for (key, limits) in self.limits(intent) {
            let scope = key.scope();
            reasons.extend(passed(Limit::Quantity, scope, limits.quantity_max, quantity));
            reasons.extend(passed(Limit::Position, scope, limits.position_max, self.position(intent, &key)));
            match reference(intent, market) {
                Some(reference) => reasons.extend(outside(intent, limits, scope, reference)),
                None => needs_price |= limits.price_collar_bps.is_some() && intent.price.is_some(),
            }
            match valuation {
                Some(valuation) => {
                    let notional = valuation.notional(intent.quantity);
                    reasons.extend(passed(Limit::Notional, scope, limits.notional_max, notional));
                    let daily = self.daily_notional(&key, valuation).plus(notional);
                    reasons.extend(passed(Limit::DailyNotional, scope, limits.daily_notional_max, daily));
                }
                None => needs_price |= limits.notional_max.or(limits.daily_notional_max).is_some(),
            }
        }
        if needs_price {
            reasons.push(Reason::NoReferencePrice);
        }
        reasons
    }

    fn limits(&self, intent: &Intent) -> impl Iterator<Item = (LimitKey, &Limits)> {
        let keys = LimitKey::all(&intent.account, Some(&intent.strategy), &intent.symbol);
        keys.into_iter().filter_map(|key| self.trading.configuration.limits(&key).map(|limits| (key, limits)))
    }

    /// How far on the order's side the position will be if all that is open there is filled.
    fn position(&self, intent: &Intent, key: &LimitKey) -> Total {
        let Trading { counters, configuration, .. } = self.trading;
        let position = counters.position_of(configuration, &key.owner, &intent.symbol);
        let position = if intent.side == Side::Buy { position } else { position.negated() };
        let of_symbol = LimitKey { owner: key.owner.clone(), symbol: Some(intent.symbol.clone()) };
        position.plus(self.exposures.open(&of_symbol).on(intent.side)).plus(intent.quantity.into())
    }

    /// What was traded today and what may still be.
    fn daily_notional(&self, key: &LimitKey, valuation: &Valuation) -> Total {
        self.trading
            .counters
            .notional(key, &valuation.quote)
            .plus(self.exposures.notional(key, &valuation.quote))
    }
}

/// The price is outside the collar. What is beyond all numbers is outside none.
fn outside(intent: &Intent, limits: &Limits, scope: LimitScope, reference: Decimal) -> Option<Reason> {
    let (price, collar) = (intent.price?, u64::from(limits.price_collar_bps?));
    let highest = reference.basis_points(10_000 + collar).filter(|highest| price > *highest);
    let lowest = 10_000_u64.checked_sub(collar).and_then(|bps| reference.basis_points(bps));
    let allowed = highest.or(lowest.filter(|lowest| price < *lowest))?;
    Some(Reason::Limit { limit: Limit::PriceCollar, scope, allowed, found: price })
}

fn passed(limit: Limit, scope: LimitScope, allowed: Option<Decimal>, found: Total) -> Option<Reason> {
    let allowed = allowed.filter(|allowed| found > Total::from(*allowed))?;
    Some(Reason::Limit { limit, scope, allowed, found: found.decimal() })
}
