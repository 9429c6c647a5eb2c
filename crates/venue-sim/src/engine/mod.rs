//! The matching engine: orders by price and then by time, balances, trades. Pure: it is told the time and does no I/O.
//!
//! [`Engine::apply`] is the one place where something changes. It is total: what the exchange would refuse is a
//! [`Rejection`]. What happened, in order, is with [`Engine::take_events`].

mod account;
mod book;
mod event;
mod filter;
mod floor;
mod look;
mod market;
mod order;
mod plan;
mod rejection;
mod symbol;

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

pub use account::HOUSE;
pub use event::{Balance, Event, Execution, Fill, Prevention, Report, Trade};
pub use look::Depth;
pub use order::{
    ExpiryReason, NewOrder, Order, OrderStatus, OrderType, SelfTradePrevention, Side, TimeInForce,
};
pub use rejection::Rejection;
pub use symbol::{PercentBySide, Range, Symbol, SymbolStatus};

use account::Account;
use floor::Floor;
use market::Market;

use crate::word::words;

/// What the exchange keeps of what an order is paid with.
#[derive(Clone, Copy, Debug)]
pub struct Commission {
    pub maker: Decimal,
    pub taker: Decimal,
}

impl Default for Commission {
    /// 0.1 % each, as of an account at Binance without a discount.
    fn default() -> Commission {
        Commission { maker: Decimal::new(1, 3), taker: Decimal::new(1, 3) }
    }
}

impl Commission {
    fn rate(&self, account: &str, is_maker: bool) -> Decimal {
        match (account, is_maker) {
            (HOUSE, _) => Decimal::ZERO,
            (_, true) => self.maker,
            (_, false) => self.taker,
        }
    }
}

words! {
    /// In which state an order must be for a cancel to be wanted.
    CancelRestriction {
        OnlyNew = "ONLY_NEW",
        OnlyPartiallyFilled = "ONLY_PARTIALLY_FILLED",
    }
}

/// An order of an account, by one id or by both, which then must belong together.
#[derive(Clone, Debug, Default)]
pub struct Which {
    pub order_id: Option<u64>,
    pub client_order_id: Option<String>,
}

/// What can be done.
#[derive(Clone, Debug)]
pub enum Command {
    Place(NewOrder),
    Cancel {
        account: String,
        symbol: String,
        which: Which,
        /// The client order id of the cancel itself.
        cancel_id: String,
        restriction: Option<CancelRestriction>,
    },
    /// Every open order of an account on a symbol.
    CancelAll {
        account: String,
        symbol: String,
        cancel_id: String,
    },
    /// A resting order trades with the house at its own price.
    Fill {
        symbol: String,
        order_id: u64,
        quantity: Decimal,
    },
    /// The exchange ends every order on a symbol, the house's too.
    ExpireAll {
        symbol: String,
    },
    SetStatus {
        symbol: String,
        status: SymbolStatus,
    },
    /// Money comes into an account or, below zero, leaves it.
    Transfer {
        account: String,
        asset: String,
        change: Decimal,
    },
}

/// The orders that a command was about, as they were at its end, and their fills within it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    pub orders: Vec<Order>,
    pub fills: Vec<Fill>,
}

/// All markets and all accounts.
///
/// Invariant: of each asset, what the accounts have and what the exchange kept is what was paid in.
#[derive(Clone, Debug, Default)]
pub struct Engine {
    markets: BTreeMap<String, Market>,
    accounts: BTreeMap<String, Account>,
    fees: BTreeMap<String, Decimal>,
    commission: Commission,
    report_ids: u64,
    events: Vec<Event>,
}

impl Engine {
    pub fn new(symbols: Vec<Symbol>, accounts: &[&str], commission: Commission) -> Engine {
        let named = |name: &&str| (name.to_string(), Account::new(name));
        Engine {
            markets: symbols.into_iter().map(|symbol| (symbol.name.clone(), Market::new(symbol))).collect(),
            accounts: accounts.iter().chain(&[HOUSE]).map(named).collect(),
            commission,
            ..Engine::default()
        }
    }

    /// Carries out a command at an instant, in milliseconds since 1970.
    pub fn apply(&mut self, at_ms: i64, command: Command) -> Result<Outcome, Rejection> {
        let first = self.events.len();
        let ids = self.carry_out(at_ms, command);
        self.tell_positions(at_ms);
        ids.map(|ids| self.outcome(first, &ids))
    }

    fn carry_out(&mut self, at_ms: i64, command: Command) -> Result<Vec<u64>, Rejection> {
        match command {
            Command::Place(new) => Ok(vec![self.floor(&new.symbol.clone(), at_ms)?.place(new)?]),
            Command::Cancel { account, symbol, which, cancel_id, restriction } => {
                let id = self.cancellable(&account, &symbol, &which, restriction)?;
                self.floor(&symbol, at_ms)?.cancel(id, cancel_id);
                Ok(vec![id])
            }
            Command::CancelAll { account, symbol, cancel_id } => {
                self.cancel_all(at_ms, &account, &symbol, &cancel_id)
            }
            Command::Fill { symbol, order_id, quantity } => {
                self.floor(&symbol, at_ms)?.fill(order_id, quantity);
                Ok(vec![order_id])
            }
            Command::ExpireAll { symbol } => {
                let mut floor = self.floor(&symbol, at_ms)?;
                let ids: Vec<u64> = floor.market.open.keys().copied().collect();
                for id in &ids {
                    floor.expire(*id, ExpiryReason::ExchangeCanceled);
                }
                Ok(ids)
            }
            Command::SetStatus { symbol, status } => {
                self.market_mut(&symbol)?.status = status;
                Ok(Vec::new())
            }
            Command::Transfer { account, asset, change } => {
                self.transfer(at_ms, &account, &asset, change)?;
                Ok(Vec::new())
            }
        }
    }

    fn cancellable(
        &self,
        account: &str,
        symbol: &str,
        which: &Which,
        restriction: Option<CancelRestriction>,
    ) -> Result<u64, Rejection> {
        let market = self.closable(symbol)?;
        let by_client_id = |id: &String| market.find(account, id);
        let found = match which.order_id {
            Some(id) => market.open.get(&id),
            None => which.client_order_id.as_ref().and_then(by_client_id),
        };
        let named = |order: &&Order| {
            let named = which.client_order_id.as_ref().is_none_or(|id| *id == order.client_order_id);
            order.account == account && named
        };
        let order = found.filter(named).ok_or(Rejection::UnknownOrder)?;
        let wanted = match restriction {
            None => true,
            Some(CancelRestriction::OnlyNew) => order.status == OrderStatus::New,
            Some(CancelRestriction::OnlyPartiallyFilled) => order.status == OrderStatus::PartiallyFilled,
        };
        if wanted { Ok(order.id) } else { Err(Rejection::CancelRestricted) }
    }

    fn cancel_all(
        &mut self,
        at_ms: i64,
        account: &str,
        symbol: &str,
        cancel_id: &str,
    ) -> Result<Vec<u64>, Rejection> {
        let own = self.closable(symbol)?.open.values().filter(|order| order.account == account);
        let ids: Vec<u64> = own.map(|order| order.id).collect();
        if ids.is_empty() {
            return Err(Rejection::UnknownOrder);
        }
        for id in &ids {
            self.floor(symbol, at_ms)?.cancel(*id, cancel_id.into());
        }
        Ok(ids)
    }

    fn transfer(&mut self, at_ms: i64, account: &str, asset: &str, change: Decimal) -> Result<(), Rejection> {
        let name = account.to_owned();
        let account = self.accounts.get_mut(account).ok_or(Rejection::InsufficientBalance)?;
        if change.is_sign_negative() && !account.can_lock(asset, -change) {
            return Err(Rejection::InsufficientBalance);
        }
        if change.is_sign_negative() {
            account.withdraw(asset, -change);
        } else {
            account.receive(asset, change);
        }
        self.events.push(Event::Transfer { account: name, at_ms, asset: asset.into(), change });
        Ok(())
    }

    /// A market whose orders may be cancelled now.
    fn closable(&self, symbol: &str) -> Result<&Market, Rejection> {
        let market = self.markets.get(symbol).ok_or(Rejection::NoSuchSymbol)?;
        match market.status {
            SymbolStatus::Trading | SymbolStatus::CancelOnly => Ok(market),
            SymbolStatus::Halt | SymbolStatus::Break => Err(Rejection::MarketClosed),
        }
    }

    fn market_mut(&mut self, symbol: &str) -> Result<&mut Market, Rejection> {
        self.markets.get_mut(symbol).ok_or(Rejection::NoSuchSymbol)
    }

    fn floor(&mut self, symbol: &str, at_ms: i64) -> Result<Floor<'_>, Rejection> {
        Ok(Floor {
            market: self.markets.get_mut(symbol).ok_or(Rejection::NoSuchSymbol)?,
            accounts: &mut self.accounts,
            fees: &mut self.fees,
            commission: self.commission,
            report_ids: &mut self.report_ids,
            events: &mut self.events,
            at_ms,
        })
    }

    fn tell_positions(&mut self, at_ms: i64) {
        for (name, account) in &mut self.accounts {
            let balances = account.take_changed();
            if !balances.is_empty() {
                self.events.push(Event::Position { account: name.clone(), at_ms, balances });
            }
        }
    }

    /// What the events from `first` on say of these orders.
    fn outcome(&self, first: usize, ids: &[u64]) -> Outcome {
        let mut orders: BTreeMap<u64, Order> = BTreeMap::new();
        let mut fills = Vec::new();
        let wanted: BTreeSet<&u64> = ids.iter().collect();
        for event in &self.events[first..] {
            let Event::Report(report) = event else { continue };
            if wanted.contains(&report.order.id) {
                orders.insert(report.order.id, report.order.clone());
                fills.extend(report.fill.clone());
            }
        }
        Outcome { orders: orders.into_values().collect(), fills }
    }

    /// What happened since this was last asked.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }
}
