//! One of the two markets of the exchange, spot or futures: its engine, who quotes there, what is known of it, and who
//! listens.

use std::sync::Arc;

use rust_decimal::Decimal;

use super::feed::Feed;
use super::listen_key::ListenKeys;
use super::session::Sessions;
use super::stream::UserStream;
use crate::candle::Candles;
use crate::chance::Chance;
use crate::engine::{Command, Commission, Engine, Event, Product, Symbol};
use crate::fault::Faults;
use crate::house::{House, Quoting, withdrawal};
use crate::identity::ACCOUNT;
use crate::rate::{Allowance, Usage};
use crate::view::{Lagging, View, is_of_house};

/// What a segment begins with.
#[derive(Clone, Debug)]
pub struct Listing {
    pub symbols: Vec<Symbol>,
    pub commission: Commission,
    pub allowance: Allowance,
}

impl Listing {
    pub fn spot() -> Listing {
        Listing {
            symbols: vec![Symbol::btcusdt(), Symbol::ethusdt()],
            commission: Commission::default(),
            allowance: Allowance::default(),
        }
    }

    pub fn futures() -> Listing {
        Listing {
            symbols: Symbol::futures(),
            commission: Commission::futures(),
            allowance: Allowance::futures(),
        }
    }
}

/// Who hears of accounts.
pub(crate) enum Audience<'a> {
    Sessions(&'a mut Sessions),
    /// They are among the listeners of the segment's own feed.
    KeyHolders(&'a ListenKeys),
}

#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) engine: Engine,
    pub(crate) house: Option<House>,
    pub(crate) usage: Usage,
    pub(crate) candles: Candles,
    pub(crate) truth: View,
    pub(crate) memory: Lagging,
    pub(crate) database: Lagging,
    pub(crate) stream: UserStream,
    pub(crate) feed: Feed,
}

impl Segment {
    pub(crate) fn new(product: Product, listing: Listing, lags_ms: [i64; 2]) -> Segment {
        let [memory_lag_ms, database_lag_ms] = lags_ms;
        Segment {
            engine: Engine::new(product, listing.symbols, &[ACCOUNT], listing.commission),
            house: None,
            usage: Usage::new(listing.allowance),
            candles: Candles::default(),
            truth: View::new(),
            memory: Lagging::new(memory_lag_ms),
            database: Lagging::new(database_lag_ms),
            stream: UserStream::new(product),
            feed: Feed::new(product),
        }
    }

    /// What the account begins with: known from the beginning.
    pub(crate) fn endow(&mut self, now_ms: i64, deposits: &[(&str, i64)]) {
        for (asset, amount) in deposits {
            let change = Decimal::from(*amount);
            let deposit = Command::Transfer { account: ACCOUNT.into(), asset: (*asset).into(), change };
            self.engine.apply(now_ms, deposit).expect("anybody may pay in");
        }
        for event in self.engine.take_events() {
            let event = Arc::new(event);
            self.truth.learn(&event);
            self.memory.tell(i64::MIN / 2, &event);
            self.database.tell(i64::MIN / 2, &event);
        }
    }

    pub(crate) fn symbols(&self) -> Vec<Symbol> {
        self.engine.symbols().map(|(symbol, _)| symbol.clone()).collect()
    }

    pub(crate) fn quote(&mut self, quoting: Quoting, chance: Chance) {
        self.house = Some(House::new(quoting, chance));
    }

    /// The house takes its quotes back, and quotes no more.
    pub(crate) fn stop_quoting(&mut self, now_ms: i64) {
        self.house = None;
        for symbol in self.symbols() {
            // A market that is closed keeps them.
            let _refused = self.engine.apply(now_ms, withdrawal(&symbol));
        }
    }

    /// Time has come so far. `told_ms` is the clock that the exchange is told, `now_ms` its own.
    pub(crate) fn advance(&mut self, told_ms: i64, now_ms: i64) {
        self.engine.apply(now_ms, Command::Elapse).expect("time may always pass");
        if !self.house.as_mut().is_some_and(|house| house.is_due(told_ms)) {
            return;
        }
        for symbol in self.symbols() {
            let quotes = self.house.as_mut().map(|house| house.quotes(&symbol)).unwrap_or_default();
            for command in quotes {
                // A market that is closed takes none; the first time there is nothing to withdraw.
                let _refused = self.engine.apply(now_ms, command);
            }
        }
    }

    /// Passes on what the engine tells.
    pub(crate) fn spread(&mut self, now_ms: i64, faults: &mut Faults, mut audience: Audience<'_>) {
        for event in self.engine.take_events() {
            if let Event::Trade(trade) = &event {
                self.candles.learn(trade);
                self.feed.tell_trade(trade, now_ms);
                continue;
            }
            if is_of_house(&event) {
                continue;
            }
            self.count_fill(now_ms, &event);
            let event = Arc::new(event);
            self.truth.learn(&event);
            self.memory.tell(now_ms, &event);
            self.database.tell(now_ms, &event);
            let Segment { stream, engine, feed, .. } = self;
            match &mut audience {
                Audience::Sessions(sessions) => stream.tell(now_ms, &event, engine, faults, *sessions),
                Audience::KeyHolders(keys) => {
                    stream.tell(now_ms, &event, engine, faults, &mut keys.listeners(feed));
                }
            }
        }
        self.feed.tell_quotes(&self.engine, now_ms);
    }

    /// Tells of accounts what was held back until now.
    pub(crate) fn tell_due(&mut self, now_ms: i64, audience: Audience<'_>) {
        match audience {
            Audience::Sessions(sessions) => self.stream.tell_due(now_ms, sessions),
            Audience::KeyHolders(keys) => {
                self.stream.tell_due(now_ms, &mut keys.listeners(&mut self.feed));
            }
        }
    }

    /// An order with its first fill is no unfilled order any longer.
    fn count_fill(&mut self, now_ms: i64, event: &Event) {
        if let Event::Report(report) = event
            && let Some(fill) = &report.fill
            && fill.quantity == report.order.executed
        {
            self.usage.filled(&fill.account, now_ms);
        }
    }
}
