//! A desk to trade at: one venue, one account and one strategy under a lease, and whatever a test adds. It does with the
//! records what whoever applies commands does with them.

use std::collections::BTreeMap;

use domain::orders::id::OrderId;
use domain::orders::intent::{Intent, OrderType, Side, TimeInForce};
use domain::orders::reason::Reason;
use domain::orders::report::Weight;
use domain::trading::account::{Account, AccountMode};
use domain::trading::counters::LastTrade;
use domain::trading::limits::Limits;
use domain::trading::strategy::Strategy;
use domain::trading::venue::{Instrument, Venue};
use domain::trading::{Cancel, Draft, Execution, Exposures, Note, Request, Trading, Valuation, Working};
use domain::{Decimal, Lease, LeaseName, LogTime, Serial, Symbol, Token};

/// A name of whatever kind.
pub(crate) fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a name")
}

pub(crate) fn decimal(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

pub(crate) fn lease_name(text: &str) -> LeaseName {
    LeaseName::new(text).expect("not empty")
}

pub(crate) fn token(number: u64) -> Token {
    Token::from_u64(number).expect("small enough")
}

pub(crate) fn note() -> Note {
    Note { actor: "ann".into(), reason: "drill".into(), serial: Serial(1), wall_ms: 0 }
}

/// An order that was authorised.
pub(crate) struct Order {
    pub(crate) intent: Intent,
    valuation: Option<Valuation>,
    at: LogTime,
    filled: Decimal,
    is_closed: bool,
    pub(crate) executions: Vec<Execution>,
}

pub(crate) struct TestDesk {
    pub(crate) draft: Draft,
    pub(crate) trading: Trading,
    pub(crate) exposures: Exposures,
    pub(crate) leases: BTreeMap<String, Lease>,
    pub(crate) orders: BTreeMap<u64, Order>,
    pub(crate) now: LogTime,
    pub(crate) term: u64,
    pub(crate) wall_ms: i64,
}

impl Default for TestDesk {
    fn default() -> Self {
        Self {
            draft: Draft::default(),
            trading: Trading::default(),
            exposures: Exposures::default(),
            leases: BTreeMap::new(),
            orders: BTreeMap::new(),
            now: LogTime::ZERO,
            term: 1,
            wall_ms: 1_764_500_000_000,
        }
    }
}

impl TestDesk {
    /// Venue `sim` with BTCUSDT at 100, account `main`, strategy `mm` under the lease `desk` with token 7, and all of it open.
    pub(crate) fn standard() -> Self {
        let mut desk = Self { draft: standard_draft(), ..Self::default() };
        desk.configure();
        desk.grant("desk", 7);
        desk.trading.reconciled.record(name("main"), desk.term);
        desk
    }

    pub(crate) fn configure(&mut self) {
        self.trading.configure(self.draft.clone()).expect("nothing is wrong with it");
    }

    pub(crate) fn grant(&mut self, lease: &str, number: u64) {
        let held = Lease {
            holder: b"bot".as_slice().into(),
            token: token(number),
            ttl_ms: Some(10_000),
            remaining_ms: Some(10_000),
        };
        self.leases.insert(lease.to_owned(), held);
    }

    /// As the order number that it has from now on.
    pub(crate) fn submit(&mut self, intent: &Intent, mode: AccountMode) -> Result<u64, Vec<Reason>> {
        let desk = self.trading.desk(&self.exposures);
        let valuation = desk.submit(intent, &self.request(&intent.lease, mode))?;
        self.count(intent, 1);
        Ok(self.open(intent, valuation))
    }

    pub(crate) fn replace(
        &mut self,
        number: u64,
        intent: &Intent,
        mode: AccountMode,
    ) -> Result<u64, Vec<Reason>> {
        let desk = self.trading.desk(&self.exposures);
        let replaced = &self.orders[&number].intent;
        let valuation = desk.replace(replaced, false, intent, &self.request(&intent.lease, mode))?;
        self.count(intent, 2);
        Ok(self.open(intent, valuation))
    }

    pub(crate) fn cancel(
        &mut self,
        number: u64,
        lease: &LeaseName,
        token: Token,
        mode: AccountMode,
    ) -> Result<(), Vec<Reason>> {
        let order = self.orders[&number].intent.clone();
        let desk = self.trading.desk(&self.exposures);
        desk.cancel(&Cancel { order: &order, lease, token }, &self.request(lease, mode))?;
        self.count(&order, 1);
        Ok(())
    }

    pub(crate) fn count(&mut self, intent: &Intent, messages: u64) {
        let Intent { account, strategy, symbol, .. } = intent;
        let Trading { counters, configuration, .. } = &mut self.trading;
        counters.count_messages(configuration, (account, strategy, symbol), messages, self.now);
    }

    pub(crate) fn execution(&self, number: u64, quantity: Decimal, price: Decimal) -> Execution {
        let order = &self.orders[&number];
        Execution {
            account: order.intent.account.clone(),
            strategy: Some(order.intent.strategy.clone()),
            symbol: order.intent.symbol.clone(),
            side: order.intent.side,
            quantity,
            price,
            venue_ms: 1,
            trade: name(&format!("{number}-{}", order.executions.len())),
        }
    }

    pub(crate) fn fill(&mut self, number: u64, execution: Execution) {
        self.changed(number, |order| {
            order.filled = order.filled.plus(execution.quantity).expect("small enough");
            order.executions.push(execution.clone());
        });
        let Trading { counters, configuration, .. } = &mut self.trading;
        counters.fill(configuration, &execution);
        let Execution { account, symbol, price, venue_ms, trade, .. } = execution;
        counters.observe(configuration, (&account, &symbol), LastTrade { venue_ms, trade, price });
    }

    /// It can be filled no more.
    pub(crate) fn close(&mut self, number: u64) {
        self.changed(number, |order| order.is_closed = true);
    }

    /// It is forgotten.
    pub(crate) fn forget(&mut self, number: u64) {
        self.close(number);
        let order = self.orders.remove(&number).expect("it is there");
        self.exposures.forget(order.intent.terms(), order.at, OrderId(Serial(number)));
    }

    fn open(&mut self, intent: &Intent, valuation: Option<Valuation>) -> u64 {
        let number = self.orders.last_key_value().map_or(1, |(last, _)| last + 1);
        let order = Order {
            intent: intent.clone(),
            valuation,
            at: self.now,
            filled: Decimal::ZERO,
            is_closed: false,
            executions: Vec::new(),
        };
        order.working().iter().for_each(|working| self.exposures.add(working));
        self.exposures.remember(intent.terms(), self.now, OrderId(Serial(number)));
        self.orders.insert(number, order);
        number
    }

    fn changed(&mut self, number: u64, change: impl FnOnce(&mut Order)) {
        let order = self.orders.get_mut(&number).expect("it is there");
        order.working().iter().for_each(|working| self.exposures.remove(working));
        change(order);
        order.working().iter().for_each(|working| self.exposures.add(working));
    }

    fn request(&self, lease: &LeaseName, mode: AccountMode) -> Request<'_> {
        Request {
            mode,
            lease: self.leases.get(lease.as_str()),
            now: self.now,
            term: self.term,
            wall_ms: self.wall_ms,
        }
    }
}

impl Order {
    fn working(&self) -> Option<Working<'_>> {
        let remaining = self.intent.quantity.minus(self.filled).filter(|it| it.is_positive())?;
        (!self.is_closed).then_some(Working {
            account: &self.intent.account,
            strategy: Some(&self.intent.strategy),
            symbol: &self.intent.symbol,
            side: self.intent.side,
            remaining,
            is_open: true,
            valuation: self.valuation.as_ref(),
        })
    }
}

pub(crate) fn instrument() -> Instrument {
    Instrument {
        base: name("BTC"),
        quote: name("USDT"),
        tick: decimal("0.01"),
        step: decimal("0.001"),
        quantity_min: decimal("0.001"),
        quantity_max: decimal("1000"),
        notional_min: decimal("10"),
        order_types: OrderType::ALL.into(),
        reference_price: Some(decimal("100")),
        contract_size: Decimal::ONE,
    }
}

pub(crate) fn account(id: &str, venue: &str) -> Account {
    Account {
        id: name(id),
        venue: name(venue),
        mode: AccountMode::Gateway,
        lease: None,
        window_ms: 2000,
        bot_reports: Weight::Hint,
        reconciliation: true,
        limits: Limits::default(),
        symbol_limits: BTreeMap::new(),
    }
}

pub(crate) fn strategy(id: &str, account: &str, lease: &str) -> Strategy {
    Strategy {
        id: name(id),
        accounts: [name(account)].into(),
        lease: lease_name(lease),
        symbols: [].into(),
        limits: Limits::default(),
        symbol_limits: BTreeMap::new(),
    }
}

pub(crate) fn standard_draft() -> Draft {
    let symbol: Symbol = name("BTCUSDT");
    Draft {
        venues: vec![Venue { id: name("sim"), kind: name("sim"), symbols: [(symbol, instrument())].into() }],
        accounts: vec![account("main", "sim")],
        strategies: vec![strategy("mm", "main", "desk")],
        day_offset_minutes: 0,
    }
}

/// Buys 1 BTCUSDT at 100.
pub(crate) fn intent() -> Intent {
    Intent {
        key: name("k1"),
        account: name("main"),
        strategy: name("mm"),
        algorithm: name("quoter"),
        trader: name("ann"),
        symbol: name("BTCUSDT"),
        side: Side::Buy,
        order_type: OrderType::Limit,
        time_in_force: Some(TimeInForce::Gtc),
        quantity: decimal("1"),
        price: Some(decimal("100")),
        stop_price: None,
        reduce_only: false,
        lease: lease_name("desk"),
        token: token(7),
    }
}
