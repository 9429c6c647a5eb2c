//! What only the operator of the exchange does: the truth, and orders that no caller gave.

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::Key;
use super::segment::Segment;
use super::{PRODUCTS, Venue, Visitor, shown_balances};
use crate::amount;
use crate::api::{Act, Operation, extend, run, shown_fill, shown_order};
use crate::engine::{Command, Order, Position, Product, SymbolStatus};
use crate::fault::Fault;
use crate::house::Quoting;
use crate::identity::{ACCOUNT, API_KEY, ED25519_API_KEY, ED25519_PRIVATE_KEY, SECRET};
use crate::limits::DEPOSIT_MAX;
use crate::params::Params;

/// The body of `POST /fill`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fill {
    product: Option<String>,
    symbol: String,
    order_id: Option<u64>,
    client_order_id: Option<String>,
    /// All that is left, unless said.
    quantity: Option<String>,
}

/// The body of `POST /deposit`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deposit {
    product: Option<String>,
    asset: String,
    /// Below zero it is taken out.
    amount: String,
}

/// The body of `POST /halt`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Halt {
    /// Spot; both, where no symbol is named either.
    product: Option<String>,
    /// Every one, unless said.
    symbol: Option<String>,
    #[serde(default = "halt")]
    status: String,
}

fn halt() -> String {
    SymbolStatus::Halt.as_str().into()
}

/// The body of `POST /maintenance`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Maintenance {
    on: bool,
    /// Ends every order.
    #[serde(default)]
    expire_orders: bool,
    /// Closes every connection to a WebSocket.
    #[serde(default)]
    close_connections: bool,
}

/// The body of `POST /settings`; what is left out stays.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    memory_lag_ms: Option<u32>,
    database_lag_ms: Option<u32>,
    clock_skew_ms: Option<i32>,
    quoting: Option<bool>,
    weight_per_minute: Option<u32>,
    orders_per_10_seconds: Option<u32>,
    orders_per_day: Option<u32>,
    futures_weight_per_minute: Option<u32>,
    futures_orders_per_10_seconds: Option<u32>,
    futures_orders_per_minute: Option<u32>,
}

/// Spot, unless said.
fn product(word: Option<&str>) -> Result<Product, String> {
    let Some(word) = word else { return Ok(Product::Spot) };
    Product::parse(word).ok_or(format!("product {word:?} is neither \"spot\" nor \"futures\""))
}

fn read<'a, T: Deserialize<'a>>(body: &'a str) -> Result<T, String> {
    let body = if body.trim().is_empty() { "{}" } else { body };
    serde_json::from_str(body).map_err(|error| error.to_string())
}

impl Venue {
    /// Who trades here, with which keys, in what.
    pub fn identity(&self) -> Value {
        let names = |segment: &Segment| {
            segment.engine.symbols().map(|(symbol, _)| symbol.name.clone()).collect::<Vec<_>>()
        };
        json!({
            "account": ACCOUNT,
            "api_key": API_KEY,
            "secret": SECRET,
            "ed25519_api_key": ED25519_API_KEY,
            "ed25519_private_key": ED25519_PRIVATE_KEY,
            "symbols": names(&self.spot),
            "futures_symbols": names(&self.futures),
        })
    }

    /// The truth: every request for orders, every order, fill and balance of the account, whatever callers were told.
    pub fn ledger(&self) -> Value {
        let mut ledger = json!({
            "now_ms": self.now_ms,
            "seed": self.seed,
            "requests": self.ledger.requests(),
            "requests_forgotten": self.ledger.forgotten(),
            "faults": self.faults.list(),
        });
        extend(&mut ledger, self.truth(Product::Spot));
        let mut futures = self.truth(Product::Futures);
        let positions = self.futures.engine.positions(ACCOUNT);
        let shown = positions.map(|(symbol, position)| (symbol.to_owned(), shown_position(&position)));
        futures["positions"] = json!({ACCOUNT: serde_json::Map::from_iter(shown)});
        ledger["futures"] = futures;
        ledger
    }

    /// What really happened in one segment.
    fn truth(&self, product: Product) -> Value {
        let Segment { truth, engine, .. } = self.segment(product);
        let with_account = |order: &Order| {
            let mut value = shown_order(product, order);
            value["account"] = json!(order.account);
            value
        };
        json!({
            "orders_forgotten": truth.forgotten().orders,
            "trades_forgotten": truth.forgotten().fills,
            "orders": truth.orders().map(with_account).collect::<Vec<_>>(),
            "trades": truth.fills().map(|fill| shown_fill(product, fill)).collect::<Vec<_>>(),
            "balances": {ACCOUNT: shown_balances(engine, ACCOUNT)},
        })
    }

    /// `{"faults": [FAULT…]}` → their ids.
    pub fn arm(&mut self, body: &str) -> Result<Value, String> {
        let body: Value = read(body)?;
        let list = body["faults"].as_array().ok_or("a body {\"faults\": […]} is expected")?;
        let faults: Result<Vec<Fault>, String> = list
            .iter()
            .enumerate()
            .map(|(place, fault)| Fault::parse(fault).map_err(|error| format!("faults[{place}]: {error}")))
            .collect();
        Ok(json!({"ids": self.faults.arm(faults?)?}))
    }

    /// What waits, and what was met.
    pub fn armed(&self) -> Value {
        json!({"faults": self.faults.list()})
    }

    /// Forgets all faults, or those of a name.
    pub fn disarm(&mut self, name: Option<&str>) -> Value {
        json!({"forgotten": self.faults.disarm(name)})
    }

    /// A resting order trades with the house.
    pub fn fill(&mut self, body: &str) -> Result<Value, String> {
        let wanted: Fill = read(body)?;
        let product = product(wanted.product.as_deref())?;
        let found = self.engine(product).open_orders(&wanted.symbol).find(|order| {
            let by_id = wanted.order_id.is_none_or(|id| id == order.id);
            let by_name = wanted.client_order_id.as_ref().is_none_or(|id| *id == order.client_order_id);
            order.account == ACCOUNT && by_id && by_name
        });
        if wanted.order_id.is_none() && wanted.client_order_id.is_none() {
            return Err("order_id or client_order_id says which order is filled".into());
        }
        let order = found.ok_or("there is no such open order")?;
        if !order.is_working {
            return Err("the order waits for its stop price; it is not in the book".into());
        }
        let quantity = match &wanted.quantity {
            Some(text) => amount::parse(text).ok_or(format!("quantity {text:?} is no amount"))?,
            None => order.remaining(),
        };
        if quantity.is_zero() || quantity > order.remaining() {
            return Err(format!("quantity is not between 0 and {}", amount::show(order.remaining())));
        }
        let command = Command::Fill { symbol: wanted.symbol, order_id: order.id, quantity };
        let outcome = self.command(product, command).map_err(|rejection| rejection.to_string())?;
        Ok(shown_order(product, &outcome.orders[0]))
    }

    /// An order of the account, as if somebody had given it by hand: parameters as of `POST /api/v3/order`, neither
    /// signed nor timed nor limited in number.
    pub fn order_by_hand(&mut self, body: &str) -> Result<Value, String> {
        let mut body: Value = read(body)?;
        let word = body.as_object_mut().and_then(|body| body.remove("product"));
        let product = product(word.as_ref().and_then(Value::as_str))?;
        let params = Params::from_json(Some(&body)).map_err(|refusal| refusal.msg)?;
        let visitor = Visitor { product, params: &params, key: Some(Key::of_operator()), session: None };
        let operation = match product {
            Product::Spot => Operation::PlaceOrder,
            Product::Futures => Operation::Futures(Act::PlaceOrder),
        };
        run(self, operation, &visitor).map_err(|refusal| refusal.msg)
    }

    pub fn deposit(&mut self, body: &str) -> Result<Value, String> {
        let Deposit { product: word, asset, amount } = read(body)?;
        let product = product(word.as_deref())?;
        let parsed = match amount.strip_prefix('-') {
            Some(positive) => amount::parse(positive).map(|amount| -amount),
            None => amount::parse(&amount),
        };
        let change = parsed.ok_or(format!("amount {amount:?} is no amount"))?;
        if change.abs() > Decimal::from(DEPOSIT_MAX) || change.scale() > amount::PLACES {
            let places = amount::PLACES;
            return Err(format!("amount {amount} is above {DEPOSIT_MAX} or has more than {places} places"));
        }
        let is_spot = product == Product::Spot;
        let known =
            |symbol: &crate::engine::Symbol| (is_spot && symbol.base == asset) || symbol.quote == asset;
        if !self.engine(product).symbols().any(|(symbol, _)| known(symbol)) {
            return Err(format!("no symbol has the asset {asset:?}"));
        }
        let command = Command::Transfer { account: ACCOUNT.into(), asset, change };
        self.command(product, command).map_err(|rejection| rejection.to_string())?;
        Ok(json!({"balances": shown_balances(self.engine(product), ACCOUNT)}))
    }

    /// Whether symbols trade.
    pub fn halt(&mut self, body: &str) -> Result<Value, String> {
        let Halt { product: word, symbol, status } = read(body)?;
        let no_such = format!("status {status:?} is none of TRADING, HALT, BREAK, CANCEL_ONLY");
        let status = SymbolStatus::parse(&status).ok_or(no_such)?;
        let products = match (&word, &symbol) {
            (None, None) => PRODUCTS.to_vec(),
            _ => vec![product(word.as_deref())?],
        };
        for product in products {
            for symbol in self.symbols_named(product, symbol.as_deref())? {
                let command = Command::SetStatus { symbol, status };
                self.command(product, command).map_err(|rejection| rejection.to_string())?;
            }
        }
        let shown = |segment: &Segment| {
            let symbols = segment.engine.symbols();
            let shown = symbols.map(|(symbol, status)| (symbol.name.clone(), json!(status.as_str())));
            serde_json::Map::from_iter(shown)
        };
        Ok(json!({"symbols": shown(&self.spot), "futures_symbols": shown(&self.futures)}))
    }

    fn symbols_named(&self, product: Product, symbol: Option<&str>) -> Result<Vec<String>, String> {
        let engine = self.engine(product);
        let Some(symbol) = symbol else {
            return Ok(engine.symbols().map(|(symbol, _)| symbol.name.clone()).collect());
        };
        match engine.symbol(symbol) {
            Some(symbol) => Ok(vec![symbol.name.clone()]),
            None => Err(format!("there is no symbol {symbol:?}")),
        }
    }

    /// Whether the exchange answers only for its status.
    pub fn maintain(&mut self, body: &str) -> Result<Value, String> {
        let Maintenance { on, expire_orders, close_connections } = read(body)?;
        self.in_maintenance = on;
        if on {
            self.announce_shutdown();
        }
        if expire_orders {
            for product in PRODUCTS {
                for symbol in self.symbols_named(product, None)? {
                    let command = Command::ExpireAll { symbol };
                    self.command(product, command).map_err(|rejection| rejection.to_string())?;
                }
            }
        }
        if close_connections {
            self.close_all();
        }
        Ok(json!({"maintenance": on}))
    }

    /// Lags, clock, quoting and limits.
    pub fn set(&mut self, body: &str) -> Result<Value, String> {
        let settings: Settings = read(body)?;
        for product in PRODUCTS {
            let Segment { memory, database, .. } = self.segment_mut(product);
            memory.lag_ms = settings.memory_lag_ms.map_or(memory.lag_ms, i64::from);
            database.lag_ms = settings.database_lag_ms.map_or(database.lag_ms, i64::from);
        }
        if let Some(skew_ms) = settings.clock_skew_ms {
            self.now_ms += i64::from(skew_ms) - self.skew_ms;
            self.skew_ms = skew_ms.into();
        }
        match settings.quoting {
            Some(true) if self.spot.house.is_none() => self.quote(Quoting::default()),
            Some(false) => self.stop_quoting(),
            _ => {}
        }
        for (allowance, weight, orders_10s, orders_longer) in [
            (
                &mut self.spot.usage.allowance,
                settings.weight_per_minute,
                settings.orders_per_10_seconds,
                settings.orders_per_day,
            ),
            (
                &mut self.futures.usage.allowance,
                settings.futures_weight_per_minute,
                settings.futures_orders_per_10_seconds,
                settings.futures_orders_per_minute,
            ),
        ] {
            allowance.weight_per_minute = weight.unwrap_or(allowance.weight_per_minute);
            allowance.orders_per_10_seconds = orders_10s.unwrap_or(allowance.orders_per_10_seconds);
            allowance.orders_per_longer = orders_longer.unwrap_or(allowance.orders_per_longer);
        }
        let (spot, futures) = (self.allowance(Product::Spot), self.allowance(Product::Futures));
        Ok(json!({
            "memory_lag_ms": self.spot.memory.lag_ms,
            "database_lag_ms": self.spot.database.lag_ms,
            "clock_skew_ms": self.skew_ms,
            "quoting": self.spot.house.is_some(),
            "weight_per_minute": spot.weight_per_minute,
            "orders_per_10_seconds": spot.orders_per_10_seconds,
            "orders_per_day": spot.orders_per_longer,
            "futures_weight_per_minute": futures.weight_per_minute,
            "futures_orders_per_10_seconds": futures.orders_per_10_seconds,
            "futures_orders_per_minute": futures.orders_per_longer,
        }))
    }
}

/// A position as the ledger shows it.
fn shown_position(position: &Position) -> Value {
    json!({
        "quantity": amount::show(position.quantity),
        "entry_price": amount::show(position.entry_price()),
        "realized": amount::show(position.realized),
        "leverage": position.leverage,
    })
}
