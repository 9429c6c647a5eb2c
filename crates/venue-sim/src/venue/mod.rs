//! The whole exchange, without a socket: it is told the time and what is asked, and says what is answered and told.
//!
//! A request goes through two calls, so that a fault can come between: [`Venue::arrive`] writes it down and looks for a
//! fault, [`Venue::execute`] lets it in and carries it out. What goes out to WebSocket connections is with
//! [`Venue::take_frames`].

mod call;
mod control;
mod feed;
mod listen_key;
mod segment;
mod session;
mod stream;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub use call::{Arrival, Body, Call, Reply};
pub(crate) use call::{Scheme, Visitor};
pub(crate) use feed::DepthChange;
pub use segment::Listing;
pub use session::Frame;
pub(crate) use session::{Logon, Subscription};

use crate::candle::Candles;
use crate::chance::Chance;
use crate::engine::{Command, Engine, NewOrder, Outcome, Product, Rejection};
use crate::fault::Faults;
use crate::house::Quoting;
use crate::identity::{DEPOSITS, FUTURES_DEPOSITS};
use crate::ledger::Ledger;
use crate::rate::Allowance;
use crate::refusal::Refusal;
use crate::view::View;
use listen_key::ListenKeys;
use segment::{Audience, Segment};

/// What an exchange begins with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Decides the house's prices, what it makes up (client order ids), and faults that are left to chance.
    pub seed: u64,
    pub spot: Listing,
    pub futures: Listing,
    /// How the house quotes; without, nobody does.
    pub quoting: Option<Quoting>,
    /// How much later than the engine the queries of orders, open orders and the account know.
    pub memory_lag_ms: i64,
    /// The same of the listings of orders and trades.
    pub database_lag_ms: i64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            seed: 0,
            spot: Listing::spot(),
            futures: Listing::futures(),
            quoting: Some(Quoting::default()),
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
    ListenKeys = 4,
    FuturesHouse = 5,
}

impl Stream {
    fn of_house(product: Product) -> Stream {
        match product {
            Product::Spot => Stream::House,
            Product::Futures => Stream::FuturesHouse,
        }
    }

    fn chance(self, seed: u64) -> Chance {
        Chance::new(seed, self as u64)
    }
}

const PRODUCTS: [Product; 2] = [Product::Spot, Product::Futures];

/// The exchange.
#[derive(Debug)]
pub struct Venue {
    seed: u64,
    /// By its own clock.
    now_ms: i64,
    /// How far its clock is ahead of the one that it is told.
    skew_ms: i64,
    in_maintenance: bool,
    names: Chance,
    faults: Faults,
    ledger: Ledger,
    /// Since when there are candles.
    begun_ms: i64,
    spot: Segment,
    futures: Segment,
    /// Who listens to accounts of spot, and of futures.
    sessions: session::Sessions,
    listen_keys: ListenKeys,
}

impl Venue {
    /// `now_ms` is the wall clock, in milliseconds since 1970.
    pub fn new(options: Options, now_ms: i64) -> Venue {
        let seed = options.seed;
        let lags_ms = [options.memory_lag_ms, options.database_lag_ms];
        let mut venue = Venue {
            seed,
            now_ms,
            skew_ms: 0,
            in_maintenance: false,
            names: Stream::Names.chance(seed),
            faults: Faults::new(Stream::Faults.chance(seed)),
            ledger: Ledger::default(),
            begun_ms: now_ms,
            spot: Segment::new(Product::Spot, options.spot, lags_ms),
            futures: Segment::new(Product::Futures, options.futures, lags_ms),
            sessions: session::Sessions::default(),
            listen_keys: ListenKeys::new(Stream::ListenKeys.chance(seed)),
        };
        venue.spot.endow(now_ms, &DEPOSITS);
        venue.futures.endow(now_ms, &FUTURES_DEPOSITS);
        if let Some(quoting) = options.quoting {
            venue.quote(quoting);
        }
        venue.advance(now_ms);
        venue
    }

    /// Time has come so far: the house quotes, countdowns end, what was held back is told. Never goes back.
    pub fn advance(&mut self, now_ms: i64) {
        self.now_ms = self.now_ms.max(now_ms + self.skew_ms);
        for key in self.listen_keys.take_ended(self.now_ms) {
            let event = json!({"e": "listenKeyExpired", "E": self.now_ms, "listenKey": key});
            self.futures.feed.tell(&key, &event);
        }
        for product in PRODUCTS {
            let own_ms = self.now_ms;
            self.segment_mut(product).advance(now_ms, own_ms);
            self.spread(product);
        }
        self.spot.tell_due(self.now_ms, Audience::Sessions(&mut self.sessions));
        self.futures.tell_due(self.now_ms, Audience::KeyHolders(&self.listen_keys));
        for product in PRODUCTS {
            let own_ms = self.now_ms;
            let Segment { feed, engine, .. } = self.segment_mut(product);
            feed.tell_depths(own_ms, engine);
        }
    }

    pub(crate) fn segment(&self, product: Product) -> &Segment {
        match product {
            Product::Spot => &self.spot,
            Product::Futures => &self.futures,
        }
    }

    pub(crate) fn segment_mut(&mut self, product: Product) -> &mut Segment {
        match product {
            Product::Spot => &mut self.spot,
            Product::Futures => &mut self.futures,
        }
    }

    /// By the clock of the exchange.
    pub(crate) fn now_ms(&self) -> i64 {
        self.now_ms
    }

    pub(crate) fn is_in_maintenance(&self) -> bool {
        self.in_maintenance
    }

    pub(crate) fn engine(&self, product: Product) -> &Engine {
        &self.segment(product).engine
    }

    pub(crate) fn memory(&mut self, product: Product) -> &View {
        let now_ms = self.now_ms;
        self.segment_mut(product).memory.at(now_ms)
    }

    pub(crate) fn database(&mut self, product: Product) -> &View {
        let now_ms = self.now_ms;
        self.segment_mut(product).database.at(now_ms)
    }

    pub(crate) fn candles(&self, product: Product) -> &Candles {
        &self.segment(product).candles
    }

    pub(crate) fn begun_ms(&self) -> i64 {
        self.begun_ms
    }

    pub(crate) fn allowance(&self, product: Product) -> Allowance {
        self.segment(product).usage.allowance
    }

    pub(crate) fn order_counts(&mut self, product: Product, account: &str) -> [u32; 2] {
        let now_ms = self.now_ms;
        self.segment_mut(product).usage.orders(account, now_ms)
    }

    pub(crate) fn count_order(&mut self, visitor: &Visitor<'_>) -> Result<(), Refusal> {
        let now_ms = self.now_ms;
        self.segment_mut(visitor.product).usage.count_order(visitor.account(), now_ms)
    }

    pub(crate) fn draw_client_order_id(&mut self) -> String {
        self.names.client_order_id()
    }

    pub(crate) fn listen_keys(&mut self) -> &mut ListenKeys {
        &mut self.listen_keys
    }

    /// Whether an order passes the filters.
    pub(crate) fn examine(&self, product: Product, order: &NewOrder) -> Result<(), Rejection> {
        self.engine(product).examine(self.now_ms, order)
    }

    /// Has the engine do something, and tells everybody what happened.
    pub(crate) fn command(&mut self, product: Product, command: Command) -> Result<Outcome, Rejection> {
        let now_ms = self.now_ms;
        let outcome = self.segment_mut(product).engine.apply(now_ms, command);
        self.spread(product);
        outcome
    }

    fn spread(&mut self, product: Product) {
        let (segment, audience) = match product {
            Product::Spot => (&mut self.spot, Audience::Sessions(&mut self.sessions)),
            Product::Futures => (&mut self.futures, Audience::KeyHolders(&self.listen_keys)),
        };
        segment.spread(self.now_ms, &mut self.faults, audience);
    }

    fn quote(&mut self, quoting: Quoting) {
        let seed = self.seed;
        for product in PRODUCTS {
            let chance = Stream::of_house(product).chance(seed);
            self.segment_mut(product).quote(quoting, chance);
        }
    }

    fn stop_quoting(&mut self) {
        let now_ms = self.now_ms;
        for product in PRODUCTS {
            self.segment_mut(product).stop_quoting(now_ms);
            self.spread(product);
        }
    }

    /// What goes out to connections now, in order.
    pub fn take_frames(&mut self) -> Vec<(u64, Frame)> {
        let mut frames = self.sessions.take_frames();
        frames.extend(self.spot.feed.take_frames());
        frames.extend(self.futures.feed.take_frames());
        frames
    }
}

/// Balances by name, as the ledger shows them.
fn shown_balances(engine: &Engine, account: &str) -> BTreeMap<String, Value> {
    let shown = |balance: crate::engine::Balance| {
        json!({
            "free": crate::amount::show(balance.free),
            "locked": crate::amount::show(balance.locked),
        })
    };
    engine.balances(account).into_iter().map(|(asset, balance)| (asset, shown(balance))).collect()
}
