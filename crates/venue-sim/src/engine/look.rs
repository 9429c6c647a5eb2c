//! What can be seen of the engine.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use super::{
    Balance, Commission, Engine, NewOrder, Order, Rejection, Side, Symbol, SymbolStatus, Trade, filter,
};
use crate::amount::add;

/// Prices and what rests there, each side from its best price on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Depth {
    pub update_id: u64,
    pub bids: Vec<(Decimal, Decimal)>,
    pub asks: Vec<(Decimal, Decimal)>,
}

impl Engine {
    pub fn symbols(&self) -> impl Iterator<Item = (&Symbol, SymbolStatus)> {
        self.markets.values().map(|market| (&market.symbol, market.status))
    }

    pub fn symbol(&self, name: &str) -> Option<&Symbol> {
        self.markets.get(name).map(|market| &market.symbol)
    }

    pub fn commission(&self) -> Commission {
        self.commission
    }

    /// Whether an order passes the filters.
    pub fn examine(&self, at_ms: i64, new: &NewOrder) -> Result<(), Rejection> {
        let market = self.markets.get(&new.symbol).ok_or(Rejection::NoSuchSymbol)?;
        filter::check(new, market, at_ms)
    }

    /// Open orders on a symbol, by id.
    pub fn open_orders(&self, symbol: &str) -> impl Iterator<Item = &Order> {
        self.markets.get(symbol).into_iter().flat_map(|market| market.open.values())
    }

    pub fn balances(&self, account: &str) -> BTreeMap<String, Balance> {
        self.accounts.get(account).map(|account| account.balances().clone()).unwrap_or_default()
    }

    pub fn last_price(&self, symbol: &str) -> Option<Decimal> {
        self.markets.get(symbol).map(|market| market.last_price)
    }

    pub fn average_price(&self, symbol: &str, at_ms: i64) -> Option<Decimal> {
        self.markets.get(symbol).map(|market| market.average_price(at_ms))
    }

    /// The last trades, from the oldest on.
    pub fn trades(&self, symbol: &str) -> impl DoubleEndedIterator<Item = &Trade> {
        self.markets.get(symbol).into_iter().flat_map(|market| &market.trades)
    }

    pub fn depth(&self, symbol: &str, levels: usize) -> Option<Depth> {
        let market = self.markets.get(symbol)?;
        Some(Depth {
            update_id: market.book.update_id(),
            bids: market.depth(Side::Buy, levels),
            asks: market.depth(Side::Sell, levels),
        })
    }

    /// The levels that changed since this was last asked, with what rests there now.
    pub fn take_depth_changes(&mut self, symbol: &str) -> Option<Depth> {
        let market = self.markets.get_mut(symbol)?;
        let mut depth = Depth { update_id: market.book.update_id(), ..Depth::default() };
        for (side, price) in market.book.take_changed() {
            let level = (price, market.quantity_at(side, price));
            match side {
                Side::Buy => depth.bids.push(level),
                Side::Sell => depth.asks.push(level),
            }
        }
        Some(depth)
    }

    /// What there is of each asset: with the accounts, and kept by the exchange.
    pub fn supply(&self) -> BTreeMap<String, Decimal> {
        let mut supply = self.fees.clone();
        for (asset, balance) in self.accounts.values().flat_map(|account| account.balances()) {
            let sum = supply.entry(asset.clone()).or_default();
            *sum = add(*sum, add(balance.free, balance.locked));
        }
        supply
    }

    /// Symbols whose best bid is not below their best ask: there must be none.
    pub fn crossed(&self) -> BTreeSet<&str> {
        let crossed = self.markets.iter().filter(|(_, market)| market.is_crossed());
        crossed.map(|(name, _)| name.as_str()).collect()
    }
}
