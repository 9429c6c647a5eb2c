//! Limits on requests of an address and on orders of an account.
//!
//! Intervals begin on the clock, as at Binance: a minute at its first second, a day at midnight UTC.

use std::collections::BTreeMap;

use crate::limits::{
    BAN_MS_MAX, BAN_MS_MIN, FUTURES_ORDERS_PER_10_SECONDS, FUTURES_ORDERS_PER_MINUTE,
    FUTURES_WEIGHT_PER_MINUTE, ORDERS_PER_10_SECONDS, ORDERS_PER_DAY, VIOLATIONS_BEFORE_BAN,
    WEIGHT_PER_MINUTE,
};
use crate::refusal::Refusal;

const MINUTE_MS: i64 = 60_000;

/// An interval in which orders are counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OrderInterval {
    pub(crate) length_ms: i64,
    /// `interval` and `intervalNum`.
    pub(crate) unit: &'static str,
    pub(crate) number: u32,
    /// The header that tells the count.
    pub(crate) header: &'static str,
}

const TEN_SECONDS: OrderInterval =
    OrderInterval { length_ms: 10_000, unit: "SECOND", number: 10, header: "x-mbx-order-count-10s" };
const ONE_MINUTE: OrderInterval =
    OrderInterval { length_ms: MINUTE_MS, unit: "MINUTE", number: 1, header: "x-mbx-order-count-1m" };
const ONE_DAY: OrderInterval =
    OrderInterval { length_ms: 24 * 3600 * 1000, unit: "DAY", number: 1, header: "x-mbx-order-count-1d" };

/// How much is allowed.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    pub weight_per_minute: u32,
    pub orders_per_10_seconds: u32,
    /// A day; of futures a minute.
    pub orders_per_longer: u32,
    longer: OrderInterval,
}

impl Default for Allowance {
    fn default() -> Allowance {
        Allowance {
            weight_per_minute: WEIGHT_PER_MINUTE,
            orders_per_10_seconds: ORDERS_PER_10_SECONDS,
            orders_per_longer: ORDERS_PER_DAY,
            longer: ONE_DAY,
        }
    }
}

impl Allowance {
    /// As of futures at Binance.
    pub fn futures() -> Allowance {
        Allowance {
            weight_per_minute: FUTURES_WEIGHT_PER_MINUTE,
            orders_per_10_seconds: FUTURES_ORDERS_PER_10_SECONDS,
            orders_per_longer: FUTURES_ORDERS_PER_MINUTE,
            longer: ONE_MINUTE,
        }
    }

    /// How many orders may come in each interval.
    pub(crate) fn orders(&self) -> [(OrderInterval, u32); 2] {
        [(TEN_SECONDS, self.orders_per_10_seconds), (self.longer, self.orders_per_longer)]
    }
}

/// What each address and each account has used.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) allowance: Allowance,
    addresses: BTreeMap<String, Address>,
    accounts: BTreeMap<String, [Count; 2]>,
}

/// A count within the interval that has this number.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    interval: i64,
    count: u32,
}

impl Count {
    fn at(&mut self, at_ms: i64, length_ms: i64) -> &mut u32 {
        let interval = at_ms.div_euclid(length_ms);
        if self.interval != interval {
            *self = Count { interval, count: 0 };
        }
        &mut self.count
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Address {
    weight: Count,
    violations: Count,
    banned_until_ms: i64,
    bans: u32,
}

impl Usage {
    pub(crate) fn new(allowance: Allowance) -> Usage {
        Usage { allowance, ..Usage::default() }
    }

    /// Counts a request, or says until when there are none.
    pub(crate) fn charge(&mut self, address: &str, at_ms: i64, weight: u32) -> Result<(), Refusal> {
        let limit = self.allowance.weight_per_minute;
        let address = self.addresses.entry(address.into()).or_default();
        if at_ms < address.banned_until_ms {
            return Err(Refusal::banned(address.banned_until_ms));
        }
        let used = address.weight.at(at_ms, MINUTE_MS);
        *used += weight;
        if *used <= limit {
            return Ok(());
        }
        let violations = address.violations.at(at_ms, MINUTE_MS);
        *violations += 1;
        if *violations <= VIOLATIONS_BEFORE_BAN {
            return Err(Refusal::too_much_weight(limit, next(at_ms, MINUTE_MS)));
        }
        let ban_ms = BAN_MS_MIN.saturating_mul(1 << address.bans.min(16)).min(BAN_MS_MAX);
        address.bans += 1;
        address.banned_until_ms = at_ms + ban_ms;
        Err(Refusal::banned(address.banned_until_ms))
    }

    pub(crate) fn weight(&mut self, address: &str, at_ms: i64) -> u32 {
        *self.addresses.entry(address.into()).or_default().weight.at(at_ms, MINUTE_MS)
    }

    /// Counts an order, or says which interval has no room for it.
    pub(crate) fn count_order(&mut self, account: &str, at_ms: i64) -> Result<(), Refusal> {
        let limits = self.allowance.orders();
        let counts = self.accounts.entry(account.into()).or_default();
        for (count, (interval, limit)) in counts.iter_mut().zip(limits) {
            if *count.at(at_ms, interval.length_ms) >= limit {
                let name = format!("{} {}", interval.number, interval.unit);
                return Err(Refusal::too_many_orders(limit, &name, next(at_ms, interval.length_ms)));
            }
        }
        for (count, (interval, _)) in counts.iter_mut().zip(limits) {
            *count.at(at_ms, interval.length_ms) += 1;
        }
        Ok(())
    }

    /// An order had its first fill: it does not count as unfilled any longer.
    pub(crate) fn filled(&mut self, account: &str, at_ms: i64) {
        let limits = self.allowance.orders();
        let counts = self.accounts.entry(account.into()).or_default();
        for (count, (interval, _)) in counts.iter_mut().zip(limits) {
            let count = count.at(at_ms, interval.length_ms);
            *count = count.saturating_sub(1);
        }
    }

    pub(crate) fn orders(&mut self, account: &str, at_ms: i64) -> [u32; 2] {
        let limits = self.allowance.orders();
        let counts = self.accounts.entry(account.into()).or_default();
        std::array::from_fn(|place| *counts[place].at(at_ms, limits[place].0.length_ms))
    }
}

/// When the interval ends.
fn next(at_ms: i64, length_ms: i64) -> i64 {
    (at_ms.div_euclid(length_ms) + 1) * length_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_much_weight_is_refused_until_the_minute_ends_and_then_banned() {
        let mut usage = Usage::default();
        usage.charge("a", 61_000, WEIGHT_PER_MINUTE).unwrap();
        let refusal = usage.charge("a", 62_000, 1).unwrap_err();
        assert_eq!((refusal.status, refusal.code, refusal.retry_at_ms), (429, -1003, Some(120_000)));
        usage.charge("b", 62_000, 1).unwrap();
        for _ in 1..VIOLATIONS_BEFORE_BAN {
            assert_eq!(usage.charge("a", 63_000, 1).unwrap_err().status, 429);
        }
        let refusal = usage.charge("a", 64_000, 1).unwrap_err();
        assert_eq!((refusal.status, refusal.retry_at_ms), (418, Some(64_000 + BAN_MS_MIN)));
        assert_eq!(usage.charge("a", 64_000 + BAN_MS_MIN - 1, 1).unwrap_err().status, 418);
        usage.charge("a", 64_000 + BAN_MS_MIN, 1).unwrap();
    }

    #[test]
    fn unfilled_orders_are_counted_in_each_interval() {
        let mut usage = Usage::default();
        for _ in 0..ORDERS_PER_10_SECONDS {
            usage.count_order("sim", 5_000).unwrap();
        }
        let refusal = usage.count_order("sim", 5_000).unwrap_err();
        assert_eq!(refusal.msg, "Too many new orders; current limit is 100 orders per 10 SECOND.");
        usage.filled("sim", 6_000);
        usage.count_order("sim", 7_000).unwrap();
        assert_eq!(usage.orders("sim", 10_000), [0, ORDERS_PER_10_SECONDS]);
    }
}
