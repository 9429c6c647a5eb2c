//! What can be known of accounts from what the engine told: at once, or later, as from a server's memory or from a
//! database.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::engine::{Balance, Event, Execution, Fill, HOUSE, Order, Position};
use crate::limits::HISTORY_ROWS_MAX;

/// Orders, fills and balances of all accounts but the house.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    orders: BTreeMap<(String, u64), Order>,
    /// The newest order of an account with a client order id.
    by_client_id: BTreeMap<(String, String, String), u64>,
    /// By symbol, trade and order: a self-trade is two fills.
    fills: BTreeMap<(String, u64, u64), Fill>,
    accounts: BTreeMap<String, Holdings>,
    open: BTreeSet<(String, u64)>,
    /// Closed orders that are kept, and fills.
    rows_max: usize,
    /// Places of closed orders and of fills, from the oldest on.
    closed: VecDeque<(String, u64)>,
    filled: VecDeque<(String, u64, u64)>,
    forgotten: Forgotten,
}

/// What there was and is not kept any longer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Forgotten {
    pub(crate) orders: u64,
    pub(crate) fills: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Holdings {
    pub(crate) updated_ms: i64,
    pub(crate) balances: BTreeMap<String, Balance>,
    /// By symbol.
    pub(crate) positions: BTreeMap<String, Position>,
}

impl View {
    pub(crate) fn new() -> View {
        View { rows_max: HISTORY_ROWS_MAX, ..View::default() }
    }

    pub(crate) fn learn(&mut self, event: &Event) {
        match event {
            Event::Report(report) if report.execution != Execution::Rejected => {
                self.learn_order(&report.order);
                if let Some(fill) = &report.fill {
                    self.learn_fill(fill);
                }
            }
            Event::Account { account, at_ms, balances, positions, .. } => {
                let holdings = self.accounts.entry(account.clone()).or_default();
                holdings.updated_ms = *at_ms;
                holdings.balances.extend(balances.iter().cloned());
                holdings.positions.extend(positions.iter().cloned());
            }
            Event::Leverage { account, symbol, leverage, .. } => {
                let holdings = self.accounts.entry(account.clone()).or_default();
                holdings.positions.entry(symbol.clone()).or_default().leverage = *leverage;
            }
            Event::Report(_) | Event::Transfer { .. } | Event::Trade(_) => {}
        }
    }

    fn learn_order(&mut self, order: &Order) {
        let newest = self.by_client_id.entry(names(order)).or_default();
        *newest = order.id.max(*newest);
        let place = (order.symbol.clone(), order.id);
        self.orders.insert(place.clone(), order.clone());
        if order.status.is_open() {
            self.open.insert(place);
            return;
        }
        self.open.remove(&place);
        self.closed.push_back(place);
        if self.closed.len() > self.rows_max {
            let oldest = self.closed.pop_front().and_then(|place| self.orders.remove(&place));
            let oldest = oldest.expect("an order closes once, and is kept until then");
            if self.by_client_id.get(&names(&oldest)) == Some(&oldest.id) {
                self.by_client_id.remove(&names(&oldest));
            }
            self.forgotten.orders += 1;
        }
    }

    fn learn_fill(&mut self, fill: &Fill) {
        let place = (fill.symbol.clone(), fill.trade_id, fill.order_id);
        self.fills.insert(place.clone(), fill.clone());
        self.filled.push_back(place);
        if self.filled.len() > self.rows_max {
            self.filled.pop_front().and_then(|place| self.fills.remove(&place));
            self.forgotten.fills += 1;
        }
    }

    pub(crate) fn forgotten(&self) -> Forgotten {
        self.forgotten
    }

    pub(crate) fn order(&self, symbol: &str, id: u64) -> Option<&Order> {
        self.orders.get(&(symbol.to_owned(), id))
    }

    pub(crate) fn find(&self, account: &str, symbol: &str, client_order_id: &str) -> Option<&Order> {
        let names = (account.to_owned(), symbol.to_owned(), client_order_id.to_owned());
        self.order(symbol, *self.by_client_id.get(&names)?)
    }

    /// Open ones, by symbol and id.
    pub(crate) fn open_orders(&self) -> impl Iterator<Item = &Order> {
        self.open.iter().map(|place| &self.orders[place])
    }

    /// By symbol and id.
    pub(crate) fn orders(&self) -> impl Iterator<Item = &Order> {
        self.orders.values()
    }

    /// Of one symbol, from an id on.
    pub(crate) fn orders_from(&self, symbol: &str, id: u64) -> impl DoubleEndedIterator<Item = &Order> {
        let range = (symbol.to_owned(), id)..=(symbol.to_owned(), u64::MAX);
        self.orders.range(range).map(|(_, order)| order)
    }

    pub(crate) fn fills(&self) -> impl Iterator<Item = &Fill> {
        self.fills.values()
    }

    /// Of one symbol, from a trade id on.
    pub(crate) fn fills_from(&self, symbol: &str, trade_id: u64) -> impl DoubleEndedIterator<Item = &Fill> {
        let range = (symbol.to_owned(), trade_id, 0)..=(symbol.to_owned(), u64::MAX, u64::MAX);
        self.fills.range(range).map(|(_, fill)| fill)
    }

    pub(crate) fn holdings(&self, account: &str) -> Option<&Holdings> {
        self.accounts.get(account)
    }
}

fn names(order: &Order) -> (String, String, String) {
    (order.account.clone(), order.symbol.clone(), order.client_order_id.clone())
}

/// A view that learns everything some time later.
#[derive(Clone, Debug)]
pub(crate) struct Lagging {
    pub(crate) lag_ms: i64,
    view: View,
    /// What is not known yet, and from when on it is.
    pending: VecDeque<(i64, Arc<Event>)>,
}

impl Lagging {
    pub(crate) fn new(lag_ms: i64) -> Lagging {
        Lagging { lag_ms, view: View::new(), pending: VecDeque::new() }
    }

    pub(crate) fn tell(&mut self, at_ms: i64, event: &Arc<Event>) {
        self.pending.push_back((at_ms + self.lag_ms, event.clone()));
    }

    /// What is known at an instant.
    pub(crate) fn at(&mut self, at_ms: i64) -> &View {
        while self.pending.front().is_some_and(|(due_ms, _)| *due_ms <= at_ms) {
            let (_, event) = self.pending.pop_front().expect("there is a first one");
            self.view.learn(&event);
        }
        &self.view
    }
}

/// Whether an event is of the house alone, which nobody asks for.
pub(crate) fn is_of_house(event: &Event) -> bool {
    match event {
        Event::Report(report) => report.order.account == HOUSE,
        Event::Account { account, .. }
        | Event::Leverage { account, .. }
        | Event::Transfer { account, .. } => account == HOUSE,
        Event::Trade(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{
        Command, Commission, Engine, NewOrder, OrderType, Product, SelfTradePrevention, Side, Symbol, Terms,
        TimeInForce,
    };

    fn place(engine: &mut Engine, side: Side) {
        let limit = NewOrder {
            account: "a".into(),
            symbol: "BTCUSDT".into(),
            client_order_id: "same".into(),
            side,
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::Gtc,
            price: 60_000.into(),
            quantity: 1.into(),
            quote_quantity: 0.into(),
            stop_price: 0.into(),
            self_trade_prevention: SelfTradePrevention::None,
            strategy_id: None,
            strategy_type: None,
            terms: Terms::default(),
        };
        let other = NewOrder { account: HOUSE.into(), side: side.other(), ..limit.clone() };
        for order in [limit, other] {
            engine.apply(0, Command::Place(order)).unwrap();
        }
    }

    #[test]
    fn the_oldest_closed_orders_and_fills_are_forgotten_and_counted() {
        let mut engine = Engine::new(Product::Spot, vec![Symbol::btcusdt()], &["a"], Commission::default());
        for asset in ["BTC", "USDT"] {
            let deposit =
                Command::Transfer { account: "a".into(), asset: asset.into(), change: 1_000_000.into() };
            engine.apply(0, deposit).unwrap();
        }
        let mut view = View { rows_max: 2, ..View::default() };
        for side in [Side::Buy, Side::Sell, Side::Buy] {
            place(&mut engine, side);
        }
        for event in engine.take_events().iter().filter(|event| !is_of_house(event)) {
            view.learn(event);
        }
        let kept: Vec<u64> = view.orders().map(|order| order.id).collect();
        assert_eq!(kept, [3, 5]);
        assert_eq!(view.fills().map(|fill| fill.order_id).collect::<Vec<_>>(), kept);
        assert_eq!((view.forgotten().orders, view.forgotten().fills), (1, 1));
        assert_eq!(view.find("a", "BTCUSDT", "same").map(|order| order.id), Some(5));
        assert_eq!(view.open_orders().count(), 0);
    }
}
