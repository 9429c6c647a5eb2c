//! Market streams: trades, best quotes and changes of the book, for everybody.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{Frame, PRODUCTS, Venue};
use crate::api::{futures, wire};
use crate::engine::{Depth, Engine, Product, Trade};

/// Between two messages of a depth stream, as at Binance by default.
const DEPTH_INTERVAL_MS: i64 = 1000;

/// A connection that listens to market streams.
#[derive(Clone, Debug)]
pub(crate) struct Listener {
    /// Messages are in an envelope that names their stream.
    pub(crate) is_combined: bool,
    pub(crate) streams: BTreeSet<String>,
}

/// All listeners, and what was told them last.
#[derive(Clone, Debug)]
pub(crate) struct Feed {
    product: Product,
    listeners: BTreeMap<u64, Listener>,
    frames: Vec<(u64, Frame)>,
    /// Best bid and ask with their quantities, by symbol.
    quotes: BTreeMap<String, [(Decimal, Decimal); 2]>,
    /// The last update id that was told, by symbol.
    update_ids: BTreeMap<String, u64>,
    depths_next_ms: i64,
}

/// Levels that changed, and what was told before.
#[derive(Debug)]
pub(crate) struct DepthChange<'a> {
    pub(crate) symbol: &'a str,
    /// The last update id that was told.
    pub(crate) before: u64,
    pub(crate) changes: &'a Depth,
}

impl Feed {
    pub(crate) fn new(product: Product) -> Feed {
        Feed {
            product,
            listeners: BTreeMap::new(),
            frames: Vec::new(),
            quotes: BTreeMap::new(),
            update_ids: BTreeMap::new(),
            depths_next_ms: 0,
        }
    }

    pub(crate) fn tell_trade(&mut self, trade: &Trade, now_ms: i64) {
        let symbol = trade.symbol.to_lowercase();
        match self.product {
            Product::Spot => self.tell(&format!("{symbol}@trade"), &wire::trade_message(trade, now_ms)),
            Product::Futures => {
                self.tell(&format!("{symbol}@trade"), &futures::trade_message(trade, now_ms));
                self.tell(&format!("{symbol}@aggTrade"), &futures::aggregate_message(trade, now_ms));
            }
        }
    }

    /// Tells the best quotes that are others than before.
    pub(crate) fn tell_quotes(&mut self, engine: &Engine, now_ms: i64) {
        if self.listeners.is_empty() {
            return;
        }
        for (symbol, _) in engine.symbols() {
            let depth = engine.depth(&symbol.name, 1).unwrap_or_default();
            let best = [depth.best_bid(), depth.best_ask()];
            if self.quotes.insert(symbol.name.clone(), best) == Some(best) {
                continue;
            }
            let message = match self.product {
                Product::Spot => wire::quote_message(&symbol.name, &depth),
                Product::Futures => futures::quote_message(&symbol.name, &depth, now_ms),
            };
            self.tell(&format!("{}@bookTicker", symbol.name.to_lowercase()), &message);
        }
    }

    /// Tells which levels changed, once an interval.
    pub(crate) fn tell_depths(&mut self, now_ms: i64, engine: &mut Engine) {
        if now_ms < self.depths_next_ms {
            return;
        }
        self.depths_next_ms = now_ms + DEPTH_INTERVAL_MS;
        let symbols: Vec<String> = engine.symbols().map(|(symbol, _)| symbol.name.clone()).collect();
        for symbol in symbols {
            let changes = engine.take_depth_changes(&symbol).unwrap_or_default();
            let before = self.update_ids.insert(symbol.clone(), changes.update_id).unwrap_or(0);
            if changes.bids.is_empty() && changes.asks.is_empty() {
                continue;
            }
            let change = DepthChange { symbol: &symbol, before, changes: &changes };
            let message = match self.product {
                Product::Spot => wire::depth_message(&change, now_ms),
                Product::Futures => futures::depth_message(&change, now_ms),
            };
            self.tell(&format!("{}@depth", symbol.to_lowercase()), &message);
        }
    }

    /// Tells everybody who listens to a stream.
    pub(crate) fn tell(&mut self, stream: &str, message: &Value) {
        let listening = self.listeners.iter().filter(|(_, listener)| listener.streams.contains(stream));
        self.frames.extend(listening.map(|(id, listener)| {
            let text = if listener.is_combined {
                json!({"stream": stream, "data": message}).to_string()
            } else {
                message.to_string()
            };
            (*id, Frame::Text(text))
        }));
    }

    pub(crate) fn announce_shutdown(&mut self, now_ms: i64) {
        let message = json!({"e": "serverShutdown", "E": now_ms});
        let combined = json!({"stream": "!serverShutdown", "data": message});
        self.frames.extend(self.listeners.iter().map(|(id, listener)| {
            let message = if listener.is_combined { &combined } else { &message };
            (*id, Frame::Text(message.to_string()))
        }));
    }

    /// Closes whoever listens to a stream.
    pub(crate) fn close(&mut self, stream: &str) {
        let listens = |listener: &Listener| listener.streams.contains(stream);
        let closed: Vec<u64> =
            self.listeners.iter().filter(|(_, listener)| listens(listener)).map(|(id, _)| *id).collect();
        self.listeners.retain(|_, listener| !listens(listener));
        self.frames.extend(closed.into_iter().map(|id| (id, Frame::Close)));
    }

    pub(crate) fn close_all(&mut self) {
        let ids = std::mem::take(&mut self.listeners).into_keys();
        self.frames.extend(ids.map(|id| (id, Frame::Close)));
    }

    pub(crate) fn leave(&mut self, id: u64) {
        self.listeners.remove(&id);
    }

    pub(crate) fn take_frames(&mut self) -> Vec<(u64, Frame)> {
        std::mem::take(&mut self.frames)
    }
}

impl Venue {
    /// A connection to the market streams was made: its id. `streams` are names as `btcusdt@trade`, of futures listen
    /// keys too; one that there is not says nothing, as at Binance.
    pub fn listen(&mut self, now_ms: i64, product: Product, is_combined: bool, streams: &[&str]) -> u64 {
        self.advance(now_ms);
        let id = self.new_connection();
        let streams = streams.iter().map(|stream| (*stream).to_owned()).collect();
        self.segment_mut(product).feed.listeners.insert(id, Listener { is_combined, streams });
        id
    }

    /// A message of a listener, and what is answered.
    pub fn instruct(&mut self, id: u64, text: &str) -> Value {
        let Ok(request) = serde_json::from_str::<Value>(text) else {
            return json!({"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"});
        };
        let request_id = request["id"].clone();
        let is_there = |product: &Product| self.segment(*product).feed.listeners.contains_key(&id);
        let Some(product) = PRODUCTS.into_iter().find(is_there) else { return Value::Null };
        let Some(listener) = self.segment_mut(product).feed.listeners.get_mut(&id) else {
            return Value::Null;
        };
        let names = request["params"].as_array().into_iter().flatten();
        let names = names.filter_map(Value::as_str).map(str::to_owned);
        let result = match request["method"].as_str() {
            Some("SUBSCRIBE") => {
                listener.streams.extend(names);
                Value::Null
            }
            Some("UNSUBSCRIBE") => {
                for name in names {
                    listener.streams.remove(&name);
                }
                Value::Null
            }
            Some("LIST_SUBSCRIPTIONS") => json!(listener.streams),
            Some("SET_PROPERTY") => match request["params"][1].as_bool() {
                Some(is_combined) => {
                    listener.is_combined = is_combined;
                    Value::Null
                }
                None => return json!({"code": 1, "msg": "Invalid value type: expected Boolean"}),
            },
            Some("GET_PROPERTY") => json!(listener.is_combined),
            _ => {
                return json!({"code": 2, "msg": "Invalid request: unknown variant, expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`", "id": request_id});
            }
        };
        json!({"result": result, "id": request_id})
    }
}
