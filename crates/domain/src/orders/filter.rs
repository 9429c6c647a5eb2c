//! Which orders are asked for: the same of those in memory and of those in the history.

use std::collections::BTreeSet;

use crate::orders::order::{Order, Present};
use crate::orders::status::Status;
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
        account.as_ref().is_none_or(|account| order.account() == account)
            && symbol.as_ref().is_none_or(|symbol| order.symbol() == symbol)
            && strategy.as_ref().is_none_or(|id| order.intent().is_some_and(|it| it.strategy == *id))
            && (from_ms.is_none() && to_ms.is_none() || order.submitted_ms().is_some_and(within))
            && (statuses.is_empty() || statuses.contains(&order.status(present)))
    }

    /// Whether an order of the history may meet it: all of those have ended.
    pub fn may_be_history(&self) -> bool {
        self.statuses.is_empty() || self.statuses.iter().any(|status| status.is_terminal())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::intent::{Intent, OrderType, Side, TimeInForce};
    use crate::orders::order::{Authorization, Sender};
    use crate::orders::{OrderId, Status};
    use crate::{Decimal, LogTime, Serial, Token};

    const PRESENT: Present = Present { term: 1, now: LogTime::ZERO };

    fn order() -> Order {
        let intent = Intent {
            key: "k".parse().unwrap(),
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
        Order { recorded_ms: Some(5), ..Order::recorded(OrderId(Serial(1)), intent, LogTime::ZERO) }
    }

    #[test]
    fn every_part_of_a_filter_must_be_met() {
        let order = order();
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
        let mut order = order();
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
}
