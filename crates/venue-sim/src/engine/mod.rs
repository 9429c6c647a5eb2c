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
mod position;
mod rejection;
mod symbol;

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

pub use account::HOUSE;
pub use event::{Balance, Cause, Event, Execution, Fill, Prevention, Report, Trade};
pub use look::Depth;
pub use order::{
    ExpiryReason, NewOrder, Order, OrderStatus, OrderType, SelfTradePrevention, Side, Terms, TimeInForce,
    WorkingType,
};
pub use position::{LEVERAGE_DEFAULT, LEVERAGE_MAX, Margin, Position};
pub use rejection::{Breach, Rejection};
pub use symbol::{PercentBySide, Product, Range, Symbol, SymbolStatus};

use account::Account;
use floor::Floor;
use market::Market;

use crate::word::words;

/// The id of cancels that a countdown makes.
const COUNTDOWN: &str = "countdown";

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
    /// 0.02 % and 0.05 %, as of an account of futures at Binance without a discount.
    pub fn futures() -> Commission {
        Commission { maker: Decimal::new(2, 4), taker: Decimal::new(5, 4) }
    }

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
    /// All open orders of an account on a symbol end then, unless another of these comes before; nothing ends it.
    Countdown {
        account: String,
        symbol: String,
        until_ms: Option<i64>,
    },
    /// Time has come so far: what was counted down to ends. A halted market takes no cancels; its orders end later.
    Elapse,
    /// How many times its margin a position may be worth.
    SetLeverage {
        account: String,
        symbol: String,
        leverage: u32,
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
/// Invariant: of each asset, what the accounts have and what the exchange kept is what was paid in; of futures, less what
/// their positions were opened for.
#[derive(Clone, Debug)]
pub struct Engine {
    product: Product,
    markets: BTreeMap<String, Market>,
    accounts: BTreeMap<String, Account>,
    fees: BTreeMap<String, Decimal>,
    commission: Commission,
    report_ids: u64,
    events: Vec<Event>,
}

impl Engine {
    pub fn new(product: Product, symbols: Vec<Symbol>, accounts: &[&str], commission: Commission) -> Engine {
        // On margin, a loss may be greater than what there is: nobody is liquidated here.
        let may_owe = |name: &str| name == HOUSE || product == Product::Futures;
        let named = |name: &&str| (name.to_string(), Account::new(may_owe(name)));
        let market = |symbol: Symbol| (symbol.name.clone(), Market::new(product, symbol));
        Engine {
            product,
            markets: symbols.into_iter().map(market).collect(),
            accounts: accounts.iter().chain(&[HOUSE]).map(named).collect(),
            fees: BTreeMap::new(),
            commission,
            report_ids: 0,
            events: Vec::new(),
        }
    }

    /// Carries out a command at an instant, in milliseconds since 1970.
    pub fn apply(&mut self, at_ms: i64, command: Command) -> Result<Outcome, Rejection> {
        let first = self.events.len();
        let cause = match &command {
            Command::Transfer { change, .. } => Cause::Transfer(*change),
            _ => Cause::Order,
        };
        let ids = self.carry_out(at_ms, command);
        self.tell_accounts(at_ms, cause);
        ids.map(|ids| self.outcome(first, &ids))
    }

    fn carry_out(&mut self, at_ms: i64, command: Command) -> Result<Vec<u64>, Rejection> {
        match command {
            Command::Place(new) => {
                let symbol = new.symbol.clone();
                Ok(vec![self.on_floor(&symbol, at_ms, |floor| floor.place(new))??])
            }
            Command::Cancel { account, symbol, which, cancel_id, restriction } => {
                let id = self.cancellable(&account, &symbol, &which, restriction)?;
                self.on_floor(&symbol, at_ms, |floor| floor.cancel(id, cancel_id))?;
                Ok(vec![id])
            }
            Command::CancelAll { account, symbol, cancel_id } => {
                self.closable(&symbol)?;
                let ids = self.on_floor(&symbol, at_ms, |floor| floor.cancel_all(&account, &cancel_id))?;
                if ids.is_empty() { Err(Rejection::UnknownOrder) } else { Ok(ids) }
            }
            Command::Countdown { account, symbol, until_ms } => {
                let countdowns = &mut self.market_mut(&symbol)?.countdowns;
                match until_ms {
                    Some(until_ms) => countdowns.insert(account, until_ms),
                    None => countdowns.remove(&account),
                };
                Ok(Vec::new())
            }
            Command::Elapse => Ok(self.elapse(at_ms)),
            Command::SetLeverage { account, symbol, leverage } => {
                let position = self.market_mut(&symbol)?.positions.entry(account.clone()).or_default();
                let before = std::mem::replace(&mut position.leverage, leverage);
                if leverage < before && self.available(&account).is_sign_negative() {
                    self.market_mut(&symbol)?.positions.entry(account).or_default().leverage = before;
                    return Err(Rejection::InsufficientMargin);
                }
                self.events.push(Event::Leverage { account, at_ms, symbol, leverage });
                Ok(Vec::new())
            }
            Command::Fill { symbol, order_id, quantity } => {
                self.on_floor(&symbol, at_ms, |floor| floor.fill(order_id, quantity))?;
                Ok(vec![order_id])
            }
            Command::ExpireAll { symbol } => self.on_floor(&symbol, at_ms, |floor| {
                let ids: Vec<u64> = floor.market.open.keys().copied().collect();
                for id in &ids {
                    floor.expire(*id, ExpiryReason::ExchangeCanceled);
                }
                ids
            }),
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

    /// Ends the orders of everybody whose countdown is over.
    fn elapse(&mut self, at_ms: i64) -> Vec<u64> {
        let is_over = |until_ms: &i64| *until_ms <= at_ms;
        let over = |market: &Market| -> Vec<String> {
            let over = market.countdowns.iter().filter(|(_, until_ms)| is_over(until_ms));
            over.map(|(account, _)| account.clone()).collect()
        };
        let names: Vec<String> = self.markets.keys().cloned().collect();
        let mut ids = Vec::new();
        for symbol in names.iter().filter(|symbol| self.closable(symbol).is_ok()).cloned().collect::<Vec<_>>()
        {
            let ended = self.on_floor(&symbol, at_ms, |floor| {
                let accounts = over(floor.market);
                floor.market.countdowns.retain(|_, until_ms| !is_over(until_ms));
                accounts.iter().flat_map(|account| floor.cancel_all(account, COUNTDOWN)).collect::<Vec<_>>()
            });
            ids.extend(ended.into_iter().flatten());
        }
        ids
    }

    fn transfer(&mut self, at_ms: i64, account: &str, asset: &str, change: Decimal) -> Result<(), Rejection> {
        let name = account.to_owned();
        let is_there = match self.product {
            Product::Spot => true,
            Product::Futures => self.available(account) >= -change,
        };
        let account = self.accounts.get_mut(account).ok_or(Rejection::InsufficientBalance)?;
        if change.is_sign_negative() && !(is_there && account.can_lock(asset, -change)) {
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

    /// Does something on one market, with what it needs of the rest of the engine.
    fn on_floor<T>(
        &mut self,
        symbol: &str,
        at_ms: i64,
        act: impl FnOnce(&mut Floor<'_>) -> T,
    ) -> Result<T, Rejection> {
        let (name, mut market) = self.markets.remove_entry(symbol).ok_or(Rejection::NoSuchSymbol)?;
        let done = act(&mut Floor {
            market: &mut market,
            others: &self.markets,
            accounts: &mut self.accounts,
            fees: &mut self.fees,
            commission: self.commission,
            report_ids: &mut self.report_ids,
            events: &mut self.events,
            at_ms,
        });
        self.markets.insert(name, market);
        Ok(done)
    }

    /// Tells of each account what has changed.
    fn tell_accounts(&mut self, at_ms: i64, cause: Cause) {
        let mut moved: BTreeMap<String, Vec<(String, Position)>> = BTreeMap::new();
        for (symbol, market) in &mut self.markets {
            for account in std::mem::take(&mut market.moved) {
                let position = market.position(&account);
                moved.entry(account).or_default().push((symbol.clone(), position));
            }
        }
        for (name, account) in &mut self.accounts {
            let balances = account.take_changed();
            let positions = moved.remove(name).unwrap_or_default();
            if !balances.is_empty() || !positions.is_empty() {
                self.events.push(Event::Account { account: name.clone(), at_ms, cause, balances, positions });
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
