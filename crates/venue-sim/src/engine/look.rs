//! What can be seen of the engine.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use super::{
    Balance, Commission, Engine, Margin, NewOrder, Order, Position, Rejection, Side, Symbol, SymbolStatus,
    Trade, filter,
};
use crate::amount::{add, sub};

/// Prices and what rests there, each side from its best price on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Depth {
    pub update_id: u64,
    pub bids: Vec<(Decimal, Decimal)>,
    pub asks: Vec<(Decimal, Decimal)>,
}

impl Depth {
    /// Price and quantity; zero where there is none.
    pub fn best_bid(&self) -> (Decimal, Decimal) {
        self.bids.first().copied().unwrap_or_default()
    }

    /// See [`Depth::best_bid`].
    pub fn best_ask(&self) -> (Decimal, Decimal) {
        self.asks.first().copied().unwrap_or_default()
    }
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

    /// What an account holds, by symbol; of futures.
    pub fn positions(&self, account: &str) -> impl Iterator<Item = (&str, Position)> {
        self.markets.iter().map(move |(symbol, market)| (symbol.as_str(), market.position(account)))
    }

    /// What an account must have for its positions and orders on a symbol.
    pub fn margin(&self, account: &str, symbol: &str) -> Margin {
        self.markets.get(symbol).map(|market| market.margin(account, None)).unwrap_or_default()
    }

    /// What an account may still use, or take out.
    pub fn available(&self, account: &str) -> Decimal {
        let margins = self.markets.values().map(|market| market.margin(account, None));
        let all = margins.fold(Margin::default(), |sum, margin| sum.and(&margin));
        let wallet = self.accounts.get(account).into_iter().flat_map(|account| account.balances().values());
        let wallet = wallet.fold(Decimal::ZERO, |sum, balance| add(sum, balance.free));
        sub(add(wallet, all.unrealized), all.initial())
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

    /// What there is of each asset: with the accounts, and kept by the exchange, less what positions were opened for.
    pub fn supply(&self) -> BTreeMap<String, Decimal> {
        let mut supply = self.fees.clone();
        for market in self.markets.values() {
            for position in market.positions.values() {
                let sum = supply.entry(market.symbol.quote.clone()).or_default();
                *sum = sub(*sum, position.cost);
            }
        }
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
