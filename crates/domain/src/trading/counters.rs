//! What was traded, and how fast was sent: the counters that limits are held against. A new leader finds them as they were.
//!
//! Reports come in any order, so nothing here depends on it: positions and notionals are sums, the last trade is the greatest.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::digest::Feed;
use crate::orders::evidence::Evidence;
use crate::orders::fill::{Fill, FillKey};
use crate::orders::intent::Side;
use crate::orders::order::Order;
use crate::trading::configuration::{Configuration, Day};
use crate::trading::exposure::alter;
use crate::trading::scope::{LimitKey, Owner};
use crate::trading::total::Total;
use crate::{AccountId, Asset, Decimal, LogTime, StrategyId, Symbol, TradeId, VenueId};

/// Whose position, and of what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PositionKey {
    pub account: AccountId,
    pub symbol: Symbol,
    /// `None`: of orders that nobody here asked for.
    pub strategy: Option<StrategyId>,
}

/// A trade of a day counts for this.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotionalKey {
    pub limit: LimitKey,
    pub quote: Asset,
}

/// The greatest of them is the last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LastTrade {
    /// The venue's time, milliseconds since 1970.
    pub venue_ms: i64,
    pub trade: TradeId,
    pub price: Decimal,
}

impl LastTrade {
    /// As a report has it; of one that does not say when, the earliest.
    pub fn of(key: &FillKey, fill: &Fill) -> Self {
        Self { venue_ms: fill.venue_ms.unwrap_or(i64::MIN), trade: key.trade.clone(), price: fill.price }
    }
}

/// One fill, as it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    pub account: AccountId,
    /// `None`: of an order that nobody here asked for.
    pub strategy: Option<StrategyId>,
    pub symbol: Symbol,
    pub side: Side,
    pub quantity: Decimal,
    pub price: Decimal,
    pub venue_ms: i64,
    pub trade: TradeId,
}

/// The counters. Sums do not know what they hold: a fill that was counted before must not be counted again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Bought less sold. None of them is zero.
    pub positions: BTreeMap<PositionKey, Total>,
    /// When, at an even pace, the messages so far are over ([`rate`](super::rate)).
    pub clocks: BTreeMap<LimitKey, LogTime>,
    pub day: Day,
    /// Of what was traded since the day began. None of them is zero.
    pub notionals: BTreeMap<NotionalKey, Total>,
    pub last_trades: BTreeMap<(VenueId, Symbol), LastTrade>,
}

impl Counters {
    /// A fill that is new. Of a symbol that is not configured only the position is known.
    pub fn fill(&mut self, configuration: &Configuration, execution: &Execution) {
        self.trade(configuration, execution, Total::plus);
    }

    /// A fill that was reported, new or not: what it says of the price. Of a symbol that is not configured nobody asks for it.
    pub fn observe(
        &mut self,
        configuration: &Configuration,
        (account, symbol): (&AccountId, &Symbol),
        seen: LastTrade,
    ) {
        let Some(account) = configuration.account(account) else { return };
        if !seen.price.is_positive() || configuration.instrument(&account.venue, symbol).is_none() {
            return;
        }
        let key = (account.venue.clone(), symbol.clone());
        let last = self.last_trades.entry(key).or_insert_with(|| seen.clone());
        if seen > *last {
            *last = seen;
        }
    }

    /// As if the fill had never been counted, in positions and notionals: for one whose place another takes.
    pub fn unfill(&mut self, configuration: &Configuration, execution: &Execution) {
        self.trade(configuration, execution, Total::minus);
    }

    /// A fill that the venue took back. The position is as before it, but it was traded: the notional of the day stays.
    pub fn bust(&mut self, execution: &Execution) {
        self.shift(execution, Total::minus);
    }

    /// What is new in an order: fills that came, and those whose place another has taken. As long as nobody knows which way it
    /// trades, nothing of it counts.
    pub(crate) fn change_order(
        &mut self,
        configuration: &Configuration,
        before: Option<&Order>,
        after: &Order,
    ) {
        let (old, new) = (before.map(Executions::of).unwrap_or_default(), Executions::of(after));
        for (key, fill) in old.but_for(&new) {
            let execution = old.execution(key, fill);
            if fill.is_bust {
                self.shift(&execution, Total::plus);
            } else {
                self.unfill(configuration, &execution);
            }
        }
        for (key, fill) in new.but_for(&old) {
            let execution = new.execution(key, fill);
            if fill.is_bust {
                self.bust(&execution);
            } else {
                self.fill(configuration, &execution);
            }
        }
    }

    /// Of a strategy whose position is known to be another, by the difference.
    pub fn adjust(&mut self, key: PositionKey, difference: Total) {
        alter(&mut self.positions, key, |position| position.plus(difference));
    }

    /// Messages that were sent, or refused for the record: the caller says which of those that it checked are. What was refused
    /// and not recorded, and what only the cluster or an operator sends, is not counted.
    pub fn count_messages(
        &mut self,
        configuration: &Configuration,
        (account, strategy, symbol): (&AccountId, &StrategyId, &Symbol),
        messages: u64,
        now: LogTime,
    ) {
        for key in LimitKey::all(account, Some(strategy), symbol) {
            let Some(rate) = configuration.limits(&key).and_then(|limits| limits.message_rate) else {
                continue;
            };
            let clock = self.clocks.entry(key).or_default();
            *clock = rate.count(*clock, messages, now);
        }
    }

    /// Begins a day. One that has begun already, or is over, changes nothing.
    pub fn roll(&mut self, day: Day) {
        if day > self.day {
            self.day = day;
            self.notionals.clear();
        }
    }

    /// Drops what nothing is held against any more: the clocks of limits that are gone, the trades of symbols that are.
    pub fn configured(&mut self, configuration: &Configuration) {
        let has_rate = |key: &LimitKey| configuration.limits(key).is_some_and(|it| it.message_rate.is_some());
        self.clocks.retain(|key, _| has_rate(key));
        self.last_trades.retain(|(venue, symbol), _| configuration.instrument(venue, symbol).is_some());
    }

    pub fn position(&self, key: &PositionKey) -> Total {
        self.positions.get(key).copied().unwrap_or_default()
    }

    /// Of an account, whoever traded; of a strategy, on the accounts that it may trade on.
    pub fn position_of(&self, configuration: &Configuration, owner: &Owner, symbol: &Symbol) -> Total {
        match owner {
            Owner::Account(account) => {
                let first = PositionKey { account: account.clone(), symbol: symbol.clone(), strategy: None };
                let rows = self.positions.range(first..);
                let rows = rows.take_while(|(key, _)| key.account == *account && key.symbol == *symbol);
                rows.fold(Total::ZERO, |sum, (_, position)| sum.plus(*position))
            }
            Owner::Strategy(id) => {
                let accounts = configuration.strategy(id).into_iter().flat_map(|strategy| &strategy.accounts);
                accounts.fold(Total::ZERO, |sum, account| {
                    let (account, symbol) = (account.clone(), symbol.clone());
                    sum.plus(self.position(&PositionKey { account, symbol, strategy: Some(id.clone()) }))
                })
            }
        }
    }

    /// Traded today, in this asset.
    pub fn notional(&self, limit: &LimitKey, quote: &Asset) -> Total {
        let key = NotionalKey { limit: limit.clone(), quote: quote.clone() };
        self.notionals.get(&key).copied().unwrap_or_default()
    }

    pub fn last_price(&self, venue: &VenueId, symbol: &Symbol) -> Option<Decimal> {
        self.last_trades.get(&(venue.clone(), symbol.clone())).map(|last| last.price)
    }

    fn trade(
        &mut self,
        configuration: &Configuration,
        execution: &Execution,
        change: impl Fn(Total, Total) -> Total,
    ) {
        self.shift(execution, &change);
        let Execution { account, strategy, symbol, quantity, price, .. } = execution;
        let venue = configuration.account(account).map(|account| &account.venue);
        let Some(instrument) = venue.and_then(|venue| configuration.instrument(venue, symbol)) else {
            return;
        };
        let valuation = instrument.valuation(*price);
        for limit in LimitKey::all(account, strategy.as_ref(), symbol) {
            let key = NotionalKey { limit, quote: valuation.quote.clone() };
            alter(&mut self.notionals, key, |sum| change(sum, valuation.notional(*quantity)));
        }
    }

    fn shift(&mut self, execution: &Execution, change: impl Fn(Total, Total) -> Total) {
        let Execution { account, strategy, symbol, side, quantity, .. } = execution;
        let quantity = Total::from(*quantity);
        let bought = if *side == Side::Buy { quantity } else { quantity.negated() };
        let key =
            PositionKey { account: account.clone(), symbol: symbol.clone(), strategy: strategy.clone() };
        alter(&mut self.positions, key, |position| change(position, bought));
    }

    pub(crate) fn feed(&self, feed: &mut Feed) {
        let Self { positions, clocks, day, notionals, last_trades } = self;
        feed.i64(day.0);
        for len in [positions.len(), clocks.len(), notionals.len(), last_trades.len()] {
            feed.u64(len as u64);
        }
        for (PositionKey { account, symbol, strategy }, position) in positions {
            feed.bytes(account.as_str().as_bytes()).bytes(symbol.as_str().as_bytes());
            feed.bytes(strategy.as_ref().map_or("", StrategyId::as_str).as_bytes());
            position.feed(feed);
        }
        for (key, clock) in clocks {
            key.feed(feed);
            feed.u64(clock.as_ns());
        }
        for (NotionalKey { limit, quote }, notional) in notionals {
            limit.feed(feed);
            feed.bytes(quote.as_str().as_bytes());
            notional.feed(feed);
        }
        for ((venue, symbol), LastTrade { venue_ms, trade, price }) in last_trades {
            feed.bytes(venue.as_str().as_bytes()).bytes(symbol.as_str().as_bytes());
            feed.i64(*venue_ms).bytes(trade.as_str().as_bytes());
            price.feed(feed);
        }
    }
}

/// The fills of an order as they count; none of one of which nobody knows which way it trades.
#[derive(Default)]
struct Executions<'a> {
    order: Option<(&'a Order, Side)>,
    fills: Option<Cow<'a, Evidence>>,
}

impl<'a> Executions<'a> {
    fn of(order: &'a Order) -> Self {
        let side = order.side();
        Self { order: side.map(|side| (order, side)), fills: side.map(|_| order.evidence()) }
    }

    /// Those that are not, or not so, in the other.
    fn but_for<'b>(&'b self, other: &'b Self) -> impl Iterator<Item = (&'b FillKey, &'b Fill)> {
        let is_same_way = self.side() == other.side();
        let fills = self.fills.as_deref().map(|evidence| &evidence.fills.by_key);
        let others = other.fills.as_deref().map(|evidence| &evidence.fills.by_key);
        let is_there = move |key: &FillKey, fill: &Fill| {
            is_same_way && others.is_some_and(|others| others.get(key) == Some(fill))
        };
        fills.into_iter().flatten().filter(move |(key, fill)| !is_there(key, fill))
    }

    fn side(&self) -> Option<Side> {
        self.order.map(|(_, side)| side)
    }

    fn execution(&self, key: &FillKey, fill: &Fill) -> Execution {
        let (order, side) = self.order.expect("only an order with a side has executions");
        Execution {
            account: order.account().clone(),
            strategy: order.intent().map(|intent| intent.strategy.clone()),
            symbol: order.symbol().clone(),
            side,
            quantity: fill.quantity,
            price: fill.price,
            venue_ms: fill.venue_ms.unwrap_or_default(),
            trade: key.trade.clone(),
        }
    }
}
