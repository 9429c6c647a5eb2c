//! Limits of an account, by what must have counted when an order was authorised: what may have ended by then counts for what it
//! comes to in the end.

use std::collections::BTreeSet;

use rust_decimal::Decimal;

use super::record::{Got, Record, Shown, Told};
use super::{Desk, Limits, Rule, Wrong};

pub(super) fn examine(record: &Record, desk: &Desk, limits: Limits) -> Vec<Wrong> {
    let all = record.orders();
    let of_account = all.values().filter(|shown| shown.account == desk.account);
    let mut orders: Vec<Counted<'_>> = of_account.filter_map(|shown| Counted::of(record, shown)).collect();
    orders.sort_by_key(|order| order.serial);
    let asked = record.asked.iter().filter(|asked| asked.replaces);
    let replacements: BTreeSet<(&str, &str)> =
        asked.map(|asked| (asked.wanted.strategy.as_str(), asked.wanted.key.as_str())).collect();
    let mut wrong = Vec::new();
    for (at, order) in orders.iter().enumerate() {
        let (before, shown) = (&orders[..at], order.shown);
        let mut report = |detail: String| {
            let detail = format!("authorised at serial {} {detail}", order.serial);
            wrong.push(Wrong::new(Rule::LimitPassed, &shown.client_order_id, detail));
        };
        let open = before.iter().filter(|other| other.is_open_at(order.serial)).count() + 1;
        // One that takes the place of another counts as one with it.
        let replaces = replacements.contains(&(shown.strategy.as_str(), shown.key.as_str()));
        if open > limits.open_orders + usize::from(replaces) {
            report(format!("as open order {open}, of {} at most", limits.open_orders));
        }
        let alike = before.iter().filter(|other| other.shown.symbol == shown.symbol);
        let position = alike.map(|other| other.towards(order)).sum::<Decimal>() + shown.quantity;
        if position > limits.position {
            report(format!("to a position of {position} or more, of {} at most", limits.position));
        }
    }
    wrong
}

/// An authorised order, and from when on it may not count any more.
struct Counted<'a> {
    shown: &'a Shown,
    serial: u64,
    /// Before this it was certainly open: nothing was told of it that may have ended it.
    open_until: u64,
    /// What is filled of it in the end.
    filled: Decimal,
}

impl<'a> Counted<'a> {
    fn of(record: &Record, shown: &'a Shown) -> Option<Self> {
        let serial = shown.authorized_serial?;
        let may_end = |told: &&Told| {
            let said = &told.said;
            let ends = said.ended.is_some() || said.not_sent || said.cancel_done;
            told.client_order_id == shown.client_order_id
                && (ends || !said.filled.is_zero() || !said.fills.is_empty())
        };
        // One without an answer may have been taken in at any time.
        let told = record.told.iter().filter(|told| matches!(told.got, Got::Answer { .. } | Got::Unknown));
        let ends = told.filter(may_end).map(|told| told.got.answer().copied().unwrap_or(0));
        let open_until = ends.min().unwrap_or(u64::MAX);
        let filled = record.ledger.fills.get(&shown.client_order_id);
        let filled = filled.into_iter().flatten().map(|(_, (quantity, _))| *quantity).sum();
        Some(Self { shown, serial, open_until, filled })
    }

    fn is_open_at(&self, serial: u64) -> bool {
        serial < self.open_until
    }

    /// What it counts for at least on the way of `order`.
    fn towards(&self, order: &Self) -> Decimal {
        match (self.shown.is_buy == order.shown.is_buy, self.is_open_at(order.serial)) {
            (true, true) => self.shown.quantity,
            (true, false) => self.filled,
            (false, _) => -self.filled,
        }
    }
}
