//! Limits on requests of an address and on orders of an account.
//!
//! Intervals begin on the clock, as at Binance: a minute at its first second, a day at midnight UTC.

use std::collections::BTreeMap;

use crate::limits::{
    BAN_MS_MAX, BAN_MS_MIN, ORDERS_PER_10_SECONDS, ORDERS_PER_DAY, VIOLATIONS_BEFORE_BAN, WEIGHT_PER_MINUTE,
};
use crate::refusal::Refusal;

const MINUTE_MS: i64 = 60_000;
/// The intervals in which orders are counted: length, `interval`, `intervalNum`, the suffix of the header.
pub(crate) const ORDER_INTERVALS: [(i64, &str, u32, &str); 2] =
    [(10_000, "SECOND", 10, "10s"), (24 * 3600 * 1000, "DAY", 1, "1d")];

/// How much is allowed.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    pub weight_per_minute: u32,
    pub orders_per_10_seconds: u32,
    pub orders_per_day: u32,
}

impl Default for Allowance {
    fn default() -> Allowance {
        Allowance {
            weight_per_minute: WEIGHT_PER_MINUTE,
            orders_per_10_seconds: ORDERS_PER_10_SECONDS,
            orders_per_day: ORDERS_PER_DAY,
        }
    }
}

impl Allowance {
    pub(crate) fn orders(&self) -> [u32; 2] {
        [self.orders_per_10_seconds, self.orders_per_day]
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
        for ((count, limit), (length_ms, unit, number, _)) in
            counts.iter_mut().zip(limits).zip(ORDER_INTERVALS)
        {
            if *count.at(at_ms, length_ms) >= limit {
                let interval = format!("{number} {unit}");
                return Err(Refusal::too_many_orders(limit, &interval, next(at_ms, length_ms)));
            }
        }
        for (count, (length_ms, ..)) in counts.iter_mut().zip(ORDER_INTERVALS) {
            *count.at(at_ms, length_ms) += 1;
        }
        Ok(())
    }

    /// An order had its first fill: it does not count as unfilled any longer.
    pub(crate) fn filled(&mut self, account: &str, at_ms: i64) {
        for (count, (length_ms, ..)) in
            self.accounts.entry(account.into()).or_default().iter_mut().zip(ORDER_INTERVALS)
        {
            let count = count.at(at_ms, length_ms);
            *count = count.saturating_sub(1);
        }
    }

    pub(crate) fn orders(&mut self, account: &str, at_ms: i64) -> [u32; 2] {
        let counts = self.accounts.entry(account.into()).or_default();
        std::array::from_fn(|place| *counts[place].at(at_ms, ORDER_INTERVALS[place].0))
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
