//! Which orders are asked for: the same of those in memory and of those in the history.

use std::collections::BTreeSet;

use crate::orders::order::{Order, Present};
use crate::orders::status::Status;
use crate::orders::table::Standing;
use crate::{AccountId, StrategyId, Symbol};

/// Of which an order must meet each that is set; what is `None`, or empty, does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub account: Option<AccountId>,
    pub strategy: Option<StrategyId>,
    pub symbol: Option<Symbol>,
    /// Any of these.
    pub statuses: BTreeSet<Status>,
    /// Of [`Order::submitted_ms`]: at or after, and before. An order without one meets neither.
    pub from_ms: Option<i64>,
    pub to_ms: Option<i64>,
}

impl Filter {
    pub fn meets(&self, order: &Order, present: Present) -> bool {
        let Self { account, strategy, symbol, statuses, from_ms, to_ms } = self;
        let within = |ms: i64| from_ms.is_none_or(|from| ms >= from) && to_ms.is_none_or(|to| ms < to);
        // First what is told by the order itself, and not by its intent or its evidence.
        (from_ms.is_none() && to_ms.is_none() || order.submitted_ms().is_some_and(within))
            && account.as_ref().is_none_or(|account| order.account() == account)
            && symbol.as_ref().is_none_or(|symbol| order.symbol() == symbol)
            && strategy.as_ref().is_none_or(|id| order.intent().is_some_and(|it| it.strategy == *id))
            && (statuses.is_empty() || statuses.contains(&order.status(present)))
    }

    /// Whether an order of the history may meet it: all of those have ended.
    pub fn may_be_history(&self) -> bool {
        self.statuses.is_empty() || self.statuses.iter().any(|status| status.is_terminal())
    }

    /// Whether an order that stands so may meet it.
    pub fn may_stand(&self, standing: Standing) -> bool {
        let is_wanted = |status: &Status| match standing.end {
            Some(end) => *status == end,
            None => !status.is_terminal(),
        };
        self.statuses.is_empty() || self.statuses.iter().any(is_wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::intent::{Intent, OrderType, Side, TimeInForce};
    use crate::orders::order::{Authorization, Denial, Sender};
    use crate::orders::table::Orders;
    use crate::orders::{OrderId, Status};
    use crate::{Decimal, LogTime, Serial, Token};

    const PRESENT: Present = Present { term: 1, now: LogTime::ZERO };

    fn order(id: u64) -> Order {
        let intent = Intent {
            key: format!("k{id}").parse().unwrap(),
            account: "main".parse().unwrap(),
            strategy: "maker".parse().unwrap(),
            algorithm: "grid".parse().unwrap(),
            trader: "ann".parse().unwrap(),
            symbol: "BTCUSDT".parse().unwrap(),
            side: Side::Buy,
            order_type: OrderType::Limit,
            time_in_force: Some(TimeInForce::Gtc),
            quantity: Decimal::ONE,
            price: Some(Decimal::ONE),
            stop_price: None,
            reduce_only: false,
            lease: crate::LeaseName::new("desk").unwrap(),
            token: Token::from_u64(1).unwrap(),
        };
        Order { recorded_ms: Some(5), ..Order::recorded(OrderId(Serial(id)), intent, LogTime::ZERO) }
    }

    #[test]
    fn every_part_of_a_filter_must_be_met() {
        let order = order(1);
        let statuses = |all: &[Status]| all.iter().copied().collect();
        type Part = (&'static str, fn() -> Filter);
        let met: [Part; 6] = [
            ("nothing", Filter::default),
            ("account", || Filter { account: "main".parse().ok(), ..Filter::default() }),
            ("strategy", || Filter { strategy: "maker".parse().ok(), ..Filter::default() }),
            ("symbol", || Filter { symbol: "BTCUSDT".parse().ok(), ..Filter::default() }),
            ("from", || Filter { from_ms: Some(5), ..Filter::default() }),
            ("to", || Filter { to_ms: Some(6), ..Filter::default() }),
        ];
        for (what, filter) in met {
            assert!(filter().meets(&order, PRESENT), "{what}");
        }
        let missed: [Part; 5] = [
            ("account", || Filter { account: "other".parse().ok(), ..Filter::default() }),
            ("strategy", || Filter { strategy: "other".parse().ok(), ..Filter::default() }),
            ("symbol", || Filter { symbol: "ETHUSDT".parse().ok(), ..Filter::default() }),
            ("from", || Filter { from_ms: Some(6), ..Filter::default() }),
            ("to", || Filter { to_ms: Some(5), ..Filter::default() }),
        ];
        for (what, filter) in missed {
            assert!(!filter().meets(&order, PRESENT), "{what}");
        }
        for (all, is_met) in [
            (&[Status::Intent][..], true),
            (&[Status::Open, Status::Intent], true),
            (&[Status::Open, Status::Filled], false),
        ] {
            let filter = Filter { statuses: statuses(all), ..Filter::default() };
            assert_eq!(filter.meets(&order, PRESENT), is_met, "{all:?}");
        }
    }

    #[test]
    fn what_was_authorised_is_of_that_time_and_what_has_none_is_in_no_span() {
        let mut order = order(1);
        let sender = Sender::Bot;
        let at = LogTime::ZERO;
        let authorization =
            Authorization { serial: Serial(2), term: 1, at, sender, wall_ms: 9, window_ms: 1 };
        order.authorize(authorization).expect("it waits");
        let within = Filter { from_ms: Some(9), to_ms: Some(10), ..Filter::default() };
        assert!(within.meets(&order, PRESENT));
        let unknown = Order { authorization: None, recorded_ms: None, ..order };
        assert!(!within.meets(&unknown, PRESENT));
        assert!(Filter::default().meets(&unknown, PRESENT));
    }

    #[test]
    fn only_what_has_ended_is_history() {
        let of = |status| Filter { statuses: [status].into(), ..Filter::default() };
        assert!(Filter::default().may_be_history());
        for status in Status::ALL {
            assert_eq!(of(status).may_be_history(), status.is_terminal());
        }
    }

    #[test]
    fn what_stands_otherwise_is_passed_over() {
        let deny = |order: &mut Order| order.deny(Denial::Withdrawn, Serial(20), LogTime::ZERO);
        let mut orders = Orders::default();
        for id in 1..=9 {
            let mut order = order(id);
            if id % 3 == 0 {
                deny(&mut order);
            }
            orders.put(order.into());
        }
        let found = |orders: &Orders, statuses: &[Status]| -> Vec<u64> {
            let filter = Filter { statuses: statuses.iter().copied().collect(), ..Filter::default() };
            let rows = orders.before(OrderId(Serial(9)), |standing| filter.may_stand(standing));
            rows.map(|row| row.id.0.0).collect()
        };
        assert_eq!(found(&orders, &[]), [8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(found(&orders, &[Status::Denied]), [6, 3]);
        assert_eq!(found(&orders, &[Status::Open]), [8, 7, 5, 4, 2, 1], "those that have not ended");
        assert_eq!(found(&orders, &[Status::Filled, Status::Rejected]), [] as [u64; 0]);
        assert!(
            orders
                .before(OrderId(Serial(9)), |standing| standing.is_settled)
                .eq([6, 3].map(|id| { orders.get(OrderId(Serial(id))).expect("it is there") }))
        );

        let mut changed = order(5);
        deny(&mut changed);
        orders.put(changed.into());
        orders.remove(OrderId(Serial(3)));
        assert_eq!(found(&orders, &[Status::Denied]), [6, 5]);
        assert_eq!(found(&orders, &[Status::Intent]), [8, 7, 4, 2, 1]);
    }
}
