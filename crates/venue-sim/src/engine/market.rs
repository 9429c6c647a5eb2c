//! One symbol: its open orders, its book, its trades.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rust_decimal::Decimal;

use super::book::Book;
use super::event::Trade;
use super::order::{Order, OrderType, Side};
use super::position::Position;
use super::symbol::{Product, Symbol, SymbolStatus};
use crate::amount::{add, mul, sub};
use crate::limits::{AVERAGE_MINUTES, TRADES_KEPT};

/// A symbol and everything of it that is open.
///
/// Invariants: the best bid is below the best ask; every order in the book is open and working; every stop that waits
/// is open and not working.
#[derive(Clone, Debug)]
pub(crate) struct Market {
    pub(crate) product: Product,
    pub(crate) symbol: Symbol,
    pub(crate) status: SymbolStatus,
    pub(crate) open: BTreeMap<u64, Order>,
    pub(crate) book: Book,
    /// Orders that wait for their stop price.
    pub(crate) stops: BTreeSet<u64>,
    /// Open orders by account and client order id, unique among them.
    by_client_id: BTreeMap<(String, String), u64>,
    pub(crate) last_price: Decimal,
    pub(crate) trades: VecDeque<Trade>,
    /// Of futures, by account.
    pub(crate) positions: BTreeMap<String, Position>,
    /// Accounts whose position may be another than was told.
    pub(crate) moved: BTreeSet<String>,
    /// When all open orders of an account end unless it says again that it is there.
    pub(crate) countdowns: BTreeMap<String, i64>,
    order_ids: u64,
    trade_ids: u64,
    match_ids: u64,
}

impl Market {
    pub(crate) fn new(product: Product, symbol: Symbol) -> Market {
        Market {
            product,
            status: SymbolStatus::Trading,
            open: BTreeMap::new(),
            book: Book::default(),
            stops: BTreeSet::new(),
            by_client_id: BTreeMap::new(),
            last_price: symbol.opening_price,
            trades: VecDeque::new(),
            positions: BTreeMap::new(),
            moved: BTreeSet::new(),
            countdowns: BTreeMap::new(),
            order_ids: 0,
            trade_ids: 0,
            match_ids: 0,
            symbol,
        }
    }

    pub(crate) fn next_order_id(&mut self) -> u64 {
        self.order_ids += 1;
        self.order_ids
    }

    pub(crate) fn next_trade_id(&mut self) -> u64 {
        self.trade_ids += 1;
        self.trade_ids
    }

    pub(crate) fn next_match_id(&mut self) -> u64 {
        self.match_ids += 1;
        self.match_ids
    }

    pub(crate) fn admit(&mut self, order: Order) {
        self.by_client_id.insert((order.account.clone(), order.client_order_id.clone()), order.id);
        self.open.insert(order.id, order);
    }

    /// Takes a closed order out of everything.
    pub(crate) fn forget(&mut self, id: u64) -> Order {
        let order = self.open.remove(&id).expect("only an open order is closed");
        self.by_client_id.remove(&(order.account.clone(), order.client_order_id.clone()));
        self.stops.remove(&id);
        if order.order_type.has_price() {
            self.book.remove(&order);
        }
        order
    }

    /// The open order of an account with this client order id.
    pub(crate) fn find(&self, account: &str, client_order_id: &str) -> Option<&Order> {
        let id = self.by_client_id.get(&(account.to_owned(), client_order_id.to_owned()))?;
        self.open.get(id)
    }

    pub(crate) fn record(&mut self, trade: Trade) {
        self.last_price = trade.price;
        self.trades.push_back(trade);
        if self.trades.len() > TRADES_KEPT {
            self.trades.pop_front();
        }
    }

    /// The average price of the last minutes by volume, or the last price if nothing traded.
    pub(crate) fn average_price(&self, at_ms: i64) -> Decimal {
        let since = at_ms - AVERAGE_MINUTES * 60_000;
        let recent = self.trades.iter().rev().take_while(|trade| trade.at_ms >= since);
        let (quantity, quote) = recent.fold((Decimal::ZERO, Decimal::ZERO), |(quantity, quote), trade| {
            (add(quantity, trade.quantity), add(quote, trade.quote))
        });
        if quantity.is_zero() {
            return self.last_price;
        }
        quote.checked_div(quantity).expect("there is a quantity")
    }

    /// What rests at a price.
    pub(crate) fn quantity_at(&self, side: Side, price: Decimal) -> Decimal {
        let ids = self.book.ids_at(side, price);
        ids.map(|id| self.open[&id].remaining()).fold(Decimal::ZERO, add)
    }

    /// Prices and what rests there, from the best on.
    pub(crate) fn depth(&self, side: Side, levels: usize) -> Vec<(Decimal, Decimal)> {
        let prices = self.book.levels(side).take(levels);
        prices.map(|(price, _)| (price, self.quantity_at(side, price))).collect()
    }

    /// Whether a stop at `stop_price` is reached by the last price.
    pub(crate) fn is_reached(&self, order_type: OrderType, side: Side, stop_price: Decimal) -> bool {
        let is_loss = matches!(order_type, OrderType::StopLoss | OrderType::StopLossLimit);
        if is_loss == (side == Side::Buy) {
            self.last_price >= stop_price
        } else {
            self.last_price <= stop_price
        }
    }

    /// The oldest stop that is reached.
    pub(crate) fn reached(&self) -> Option<u64> {
        let reached = |id: &&u64| {
            let order = &self.open[id];
            self.is_reached(order.order_type, order.side, order.stop_price)
        };
        self.stops.iter().find(reached).copied()
    }

    /// What an order needs set aside to be accepted. `plan` is what it would do at once.
    pub(crate) fn needs(order: &Order, planned_quote: Decimal) -> Decimal {
        match order.side {
            Side::Sell => order.remaining(),
            Side::Buy if order.order_type.has_price() => mul(order.price, order.remaining()),
            Side::Buy => planned_quote,
        }
    }

    /// The asset that an order pays with.
    pub(crate) fn pays(&self, side: Side) -> &str {
        match side {
            Side::Buy => &self.symbol.quote,
            Side::Sell => &self.symbol.base,
        }
    }

    /// The asset that an order is paid with.
    pub(crate) fn gets(&self, side: Side) -> &str {
        self.pays(side.other())
    }

    /// What of `locked` is used up when `quantity` of `order` trades.
    pub(crate) fn used(product: Product, order: &Order, quantity: Decimal, quote: Decimal) -> Decimal {
        if product == Product::Futures {
            return Decimal::ZERO;
        }
        match order.side {
            Side::Sell => quantity,
            Side::Buy if order.order_type.has_price() => mul(order.price, quantity),
            Side::Buy => quote,
        }
    }

    /// Whether the book holds to its invariant.
    pub(crate) fn is_crossed(&self) -> bool {
        match (self.book.best(Side::Buy), self.book.best(Side::Sell)) {
            (Some(bid), Some(ask)) => sub(ask, bid) <= Decimal::ZERO,
            _ => false,
        }
    }
}
