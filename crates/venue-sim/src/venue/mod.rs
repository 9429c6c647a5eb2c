//! The whole exchange, without a socket: it is told the time and what is asked, and says what is answered and told.
//!
//! A request goes through two calls, so that a fault can come between: [`Venue::arrive`] writes it down and looks for a
//! fault, [`Venue::execute`] lets it in and carries it out. What goes out to WebSocket connections is with
//! [`Venue::take_frames`].

mod call;
mod control;
mod feed;
mod session;
mod stream;

use std::collections::BTreeMap;
use std::sync::Arc;

use rust_decimal::Decimal;
use serde_json::Value;

pub use call::{Arrival, Body, Call, Reply};
pub(crate) use call::{Scheme, Visitor};
pub use session::Frame;
pub(crate) use session::{Logon, Subscription};

use crate::candle::Candles;
use crate::chance::Chance;
use crate::engine::{Command, Commission, Engine, Event, NewOrder, Outcome, Rejection, Symbol};
use crate::fault::Faults;
use crate::house::{House, Quoting, withdrawal};
use crate::identity::{ACCOUNT, DEPOSITS};
use crate::ledger::Ledger;
use crate::rate::{Allowance, Usage};
use crate::refusal::Refusal;
use crate::view::{Lagging, View, is_of_house};

/// What an exchange begins with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Decides the house's prices, what it makes up (client order ids), and faults that are left to chance.
    pub seed: u64,
    pub symbols: Vec<Symbol>,
    pub commission: Commission,
    /// How the house quotes; without, nobody does.
    pub quoting: Option<Quoting>,
    pub allowance: Allowance,
    /// How much later than the engine the queries of orders, open orders and the account know.
    pub memory_lag_ms: i64,
    /// The same of the listings of orders and trades.
    pub database_lag_ms: i64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            seed: 0,
            symbols: vec![Symbol::btcusdt(), Symbol::ethusdt()],
            commission: Commission::default(),
            quoting: Some(Quoting::default()),
            allowance: Allowance::default(),
            memory_lag_ms: 0,
            database_lag_ms: 0,
        }
    }
}

/// Who draws of the seed.
enum Stream {
    House = 1,
    Faults = 2,
    Names = 3,
}

/// The exchange.
#[derive(Debug)]
pub struct Venue {
    seed: u64,
    /// By its own clock.
    now_ms: i64,
    /// How far its clock is ahead of the one that it is told.
    skew_ms: i64,
    in_maintenance: bool,
    engine: Engine,
    house: Option<House>,
    names: Chance,
    usage: Usage,
    faults: Faults,
    ledger: Ledger,
    /// Since when there are candles.
    begun_ms: i64,
    candles: Candles,
    truth: View,
    memory: Lagging,
    database: Lagging,
    sessions: session::Sessions,
    stream: stream::UserStream,
    feed: feed::Feed,
}

impl Venue {
    /// `now_ms` is the wall clock, in milliseconds since 1970.
    pub fn new(options: Options, now_ms: i64) -> Venue {
        let chance = |stream: Stream| Chance::new(options.seed, stream as u64);
        let mut venue = Venue {
            seed: options.seed,
            now_ms,
            skew_ms: 0,
            in_maintenance: false,
            engine: Engine::new(options.symbols, &[ACCOUNT], options.commission),
            house: options.quoting.map(|quoting| House::new(quoting, chance(Stream::House))),
            names: chance(Stream::Names),
            usage: Usage::new(options.allowance),
            faults: Faults::new(chance(Stream::Faults)),
            ledger: Ledger::default(),
            begun_ms: now_ms,
            candles: Candles::default(),
            truth: View::new(),
            memory: Lagging::new(options.memory_lag_ms),
            database: Lagging::new(options.database_lag_ms),
            sessions: session::Sessions::default(),
            stream: stream::UserStream::default(),
            feed: feed::Feed::default(),
        };
        for (asset, amount) in DEPOSITS {
            let change = Decimal::from(amount);
            let deposit = Command::Transfer { account: ACCOUNT.into(), asset: asset.into(), change };
            venue.engine.apply(now_ms, deposit).expect("anybody may pay in");
        }
        // What the account begins with is known from the beginning.
        for event in venue.engine.take_events() {
            let event = Arc::new(event);
            venue.truth.learn(&event);
            venue.memory.tell(i64::MIN / 2, &event);
            venue.database.tell(i64::MIN / 2, &event);
        }
        venue.advance(now_ms);
        venue
    }

    /// Time has come so far: the house quotes, what was held back is told. Never goes back.
    pub fn advance(&mut self, now_ms: i64) {
        self.now_ms = self.now_ms.max(now_ms + self.skew_ms);
        if self.house.as_mut().is_some_and(|house| house.is_due(now_ms)) {
            let symbols: Vec<Symbol> = self.engine.symbols().map(|(symbol, _)| symbol.clone()).collect();
            for symbol in symbols {
                let quotes = self.house.as_mut().map(|house| house.quotes(&symbol)).unwrap_or_default();
                for command in quotes {
                    // A market that is closed takes none; the first time there is nothing to withdraw.
                    let _refused = self.engine.apply(self.now_ms, command);
                }
            }
            self.spread();
        }
        self.stream.tell_due(self.now_ms, &mut self.sessions);
        self.feed.tell_depths(self.now_ms, &mut self.engine);
    }

    /// By the clock of the exchange.
    pub(crate) fn now_ms(&self) -> i64 {
        self.now_ms
    }

    pub(crate) fn is_in_maintenance(&self) -> bool {
        self.in_maintenance
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn memory(&mut self) -> &View {
        self.memory.at(self.now_ms)
    }

    pub(crate) fn database(&mut self) -> &View {
        self.database.at(self.now_ms)
    }

    pub(crate) fn candles(&self) -> &Candles {
        &self.candles
    }

    pub(crate) fn begun_ms(&self) -> i64 {
        self.begun_ms
    }

    pub(crate) fn allowance(&self) -> Allowance {
        self.usage.allowance
    }

    pub(crate) fn order_counts(&mut self, account: &str) -> [u32; 2] {
        self.usage.orders(account, self.now_ms)
    }

    pub(crate) fn count_order(&mut self, account: &str) -> Result<(), Refusal> {
        self.usage.count_order(account, self.now_ms)
    }

    pub(crate) fn draw_client_order_id(&mut self) -> String {
        self.names.client_order_id()
    }

    /// Whether an order passes the filters.
    pub(crate) fn examine(&self, order: &NewOrder) -> Result<(), Rejection> {
        self.engine.examine(self.now_ms, order)
    }

    /// Has the engine do something, and tells everybody what happened.
    pub(crate) fn command(&mut self, command: Command) -> Result<Outcome, Rejection> {
        let outcome = self.engine.apply(self.now_ms, command);
        self.spread();
        outcome
    }

    /// Passes on what the engine tells.
    fn spread(&mut self) {
        for event in self.engine.take_events() {
            if let Event::Trade(trade) = &event {
                self.candles.learn(trade);
                self.feed.tell_trade(trade, self.now_ms);
                continue;
            }
            if is_of_house(&event) {
                continue;
            }
            self.count_fill(&event);
            let event = Arc::new(event);
            self.truth.learn(&event);
            self.memory.tell(self.now_ms, &event);
            self.database.tell(self.now_ms, &event);
            self.stream.tell(self.now_ms, &event, &mut self.faults, &mut self.sessions);
        }
        self.feed.tell_quotes(&self.engine);
    }

    /// An order with its first fill is no unfilled order any longer.
    fn count_fill(&mut self, event: &Event) {
        if let Event::Report(report) = event
            && let Some(fill) = &report.fill
            && fill.quantity == report.order.executed
        {
            self.usage.filled(&fill.account, self.now_ms);
        }
    }

    fn stop_quoting(&mut self) {
        self.house = None;
        let symbols: Vec<Symbol> = self.engine.symbols().map(|(symbol, _)| symbol.clone()).collect();
        for symbol in symbols {
            // A market that is closed keeps them.
            let _refused = self.engine.apply(self.now_ms, withdrawal(&symbol));
        }
        self.spread();
    }

    /// What goes out to connections now, in order.
    pub fn take_frames(&mut self) -> Vec<(u64, Frame)> {
        let mut frames = self.sessions.take_frames();
        frames.extend(self.feed.take_frames());
        frames
    }
}

/// Balances by name, as the ledger shows them.
fn shown_balances(engine: &Engine, account: &str) -> BTreeMap<String, Value> {
    let shown = |balance: crate::engine::Balance| {
        serde_json::json!({
            "free": crate::amount::show(balance.free),
            "locked": crate::amount::show(balance.locked),
        })
    };
    engine.balances(account).into_iter().map(|(asset, balance)| (asset, shown(balance))).collect()
}
