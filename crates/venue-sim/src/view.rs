//! What can be known of accounts from what the engine told: at once, or later, as from a server's memory or from a
//! database.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::engine::{Balance, Event, Fill, HOUSE, Order};

/// Orders, fills and balances of all accounts but the house.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    orders: BTreeMap<(String, u64), Order>,
    /// The newest order of an account with a client order id.
    by_client_id: BTreeMap<(String, String, String), u64>,
    /// By symbol, trade and order: a self-trade is two fills.
    fills: BTreeMap<(String, u64, u64), Fill>,
    accounts: BTreeMap<String, Holdings>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Holdings {
    pub(crate) updated_ms: i64,
    pub(crate) balances: BTreeMap<String, Balance>,
}

impl View {
    pub(crate) fn learn(&mut self, event: &Event) {
        match event {
            Event::Report(report) if report.execution != crate::engine::Execution::Rejected => {
                let order = &report.order;
                let names = (order.account.clone(), order.symbol.clone(), order.client_order_id.clone());
                let newest = self.by_client_id.entry(names).or_default();
                *newest = order.id.max(*newest);
                self.orders.insert((order.symbol.clone(), order.id), order.clone());
                if let Some(fill) = &report.fill {
                    let place = (fill.symbol.clone(), fill.trade_id, fill.order_id);
                    self.fills.insert(place, fill.clone());
                }
            }
            Event::Position { account, at_ms, balances } => {
                let holdings = self.accounts.entry(account.clone()).or_default();
                holdings.updated_ms = *at_ms;
                holdings.balances.extend(balances.iter().cloned());
            }
            Event::Report(_) | Event::Transfer { .. } | Event::Trade(_) => {}
        }
    }

    pub(crate) fn order(&self, symbol: &str, id: u64) -> Option<&Order> {
        self.orders.get(&(symbol.to_owned(), id))
    }

    pub(crate) fn find(&self, account: &str, symbol: &str, client_order_id: &str) -> Option<&Order> {
        let names = (account.to_owned(), symbol.to_owned(), client_order_id.to_owned());
        self.order(symbol, *self.by_client_id.get(&names)?)
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

/// A view that learns everything some time later.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lagging {
    pub(crate) lag_ms: i64,
    view: View,
    /// What is not known yet, and from when on it is.
    pending: VecDeque<(i64, Arc<Event>)>,
}

impl Lagging {
    pub(crate) fn new(lag_ms: i64) -> Lagging {
        Lagging { lag_ms, ..Lagging::default() }
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
        Event::Position { account, .. } | Event::Transfer { account, .. } => account == HOUSE,
        Event::Trade(_) => false,
    }
}
