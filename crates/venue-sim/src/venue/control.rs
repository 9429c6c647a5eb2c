//! What only the operator of the exchange does: the truth, and orders that no caller gave.

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::Key;
use super::{Venue, Visitor, shown_balances};
use crate::amount;
use crate::api::{Operation, run, wire};
use crate::engine::{Command, Order, SymbolStatus};
use crate::fault::Fault;
use crate::house::{House, Quoting};
use crate::identity::{ACCOUNT, API_KEY, ED25519_API_KEY, ED25519_PRIVATE_KEY, SECRET};
use crate::limits::DEPOSIT_MAX;
use crate::params::Params;

/// The body of `POST /fill`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fill {
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
    asset: String,
    /// Below zero it is taken out.
    amount: String,
}

/// The body of `POST /halt`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Halt {
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
}

fn read<'a, T: Deserialize<'a>>(body: &'a str) -> Result<T, String> {
    let body = if body.trim().is_empty() { "{}" } else { body };
    serde_json::from_str(body).map_err(|error| error.to_string())
}

impl Venue {
    /// Who trades here, with which keys, in what.
    pub fn identity(&self) -> Value {
        json!({
            "account": ACCOUNT,
            "api_key": API_KEY,
            "secret": SECRET,
            "ed25519_api_key": ED25519_API_KEY,
            "ed25519_private_key": ED25519_PRIVATE_KEY,
            "symbols": self.engine.symbols().map(|(symbol, _)| &symbol.name).collect::<Vec<_>>(),
        })
    }

    /// The truth: every request for orders, every order, fill and balance of the account, whatever callers were told.
    pub fn ledger(&self) -> Value {
        let with_account = |order: &Order| {
            let mut value = wire::order(order);
            value["account"] = json!(order.account);
            value
        };
        json!({
            "now_ms": self.now_ms,
            "seed": self.seed,
            "requests": self.ledger.requests(),
            "requests_forgotten": self.ledger.forgotten(),
            "orders_forgotten": self.truth.forgotten().orders,
            "trades_forgotten": self.truth.forgotten().fills,
            "orders": self.truth.orders().map(with_account).collect::<Vec<_>>(),
            "trades": self.truth.fills().map(wire::fill).collect::<Vec<_>>(),
            "balances": {ACCOUNT: shown_balances(&self.engine, ACCOUNT)},
            "faults": self.faults.list(),
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
        let found = self.engine.open_orders(&wanted.symbol).find(|order| {
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
        let outcome = self.command(command).map_err(|rejection| rejection.to_string())?;
        Ok(wire::order(&outcome.orders[0]))
    }

    /// An order of the account, as if somebody had given it by hand: parameters as of `POST /api/v3/order`, neither
    /// signed nor timed nor limited in number.
    pub fn order_by_hand(&mut self, body: &str) -> Result<Value, String> {
        let body: Value = read(body)?;
        let params = Params::from_json(Some(&body)).map_err(|refusal| refusal.msg)?;
        let visitor = Visitor { params: &params, key: Some(Key::of_operator()), session: None };
        run(self, Operation::PlaceOrder, &visitor).map_err(|refusal| refusal.msg)
    }

    pub fn deposit(&mut self, body: &str) -> Result<Value, String> {
        let Deposit { asset, amount } = read(body)?;
        let parsed = match amount.strip_prefix('-') {
            Some(positive) => amount::parse(positive).map(|amount| -amount),
            None => amount::parse(&amount),
        };
        let change = parsed.ok_or(format!("amount {amount:?} is no amount"))?;
        if change.abs() > Decimal::from(DEPOSIT_MAX) || change.scale() > amount::PLACES {
            let places = amount::PLACES;
            return Err(format!("amount {amount} is above {DEPOSIT_MAX} or has more than {places} places"));
        }
        let known = |symbol: &crate::engine::Symbol| symbol.base == asset || symbol.quote == asset;
        if !self.engine.symbols().any(|(symbol, _)| known(symbol)) {
            return Err(format!("no symbol has the asset {asset:?}"));
        }
        let command = Command::Transfer { account: ACCOUNT.into(), asset, change };
        self.command(command).map_err(|rejection| rejection.to_string())?;
        Ok(json!({"balances": shown_balances(&self.engine, ACCOUNT)}))
    }

    /// Whether symbols trade.
    pub fn halt(&mut self, body: &str) -> Result<Value, String> {
        let Halt { symbol, status } = read(body)?;
        let no_such = format!("status {status:?} is none of TRADING, HALT, BREAK, CANCEL_ONLY");
        let status = SymbolStatus::parse(&status).ok_or(no_such)?;
        for symbol in self.symbols_named(symbol)? {
            let command = Command::SetStatus { symbol, status };
            self.command(command).map_err(|rejection| rejection.to_string())?;
        }
        let shown =
            self.engine.symbols().map(|(symbol, status)| (symbol.name.clone(), json!(status.as_str())));
        Ok(json!({"symbols": serde_json::Map::from_iter(shown)}))
    }

    fn symbols_named(&self, symbol: Option<String>) -> Result<Vec<String>, String> {
        let Some(symbol) = symbol else {
            return Ok(self.engine.symbols().map(|(symbol, _)| symbol.name.clone()).collect());
        };
        let known = self.engine.symbol(&symbol).is_some();
        if known { Ok(vec![symbol]) } else { Err(format!("there is no symbol {symbol:?}")) }
    }

    /// Whether the exchange answers only for its status.
    pub fn maintain(&mut self, body: &str) -> Result<Value, String> {
        let Maintenance { on, expire_orders, close_connections } = read(body)?;
        self.in_maintenance = on;
        if on {
            self.announce_shutdown();
        }
        if expire_orders {
            for symbol in self.symbols_named(None)? {
                self.command(Command::ExpireAll { symbol }).map_err(|rejection| rejection.to_string())?;
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
        if let Some(lag_ms) = settings.memory_lag_ms {
            self.memory.lag_ms = lag_ms.into();
        }
        if let Some(lag_ms) = settings.database_lag_ms {
            self.database.lag_ms = lag_ms.into();
        }
        if let Some(skew_ms) = settings.clock_skew_ms {
            self.now_ms += i64::from(skew_ms) - self.skew_ms;
            self.skew_ms = skew_ms.into();
        }
        match settings.quoting {
            Some(true) if self.house.is_none() => {
                let chance = crate::chance::Chance::new(self.seed, super::Stream::House as u64);
                self.house = Some(House::new(Quoting::default(), chance));
            }
            Some(false) => self.stop_quoting(),
            _ => {}
        }
        let allowance = &mut self.usage.allowance;
        for (limit, wanted) in [
            (&mut allowance.weight_per_minute, settings.weight_per_minute),
            (&mut allowance.orders_per_10_seconds, settings.orders_per_10_seconds),
            (&mut allowance.orders_per_day, settings.orders_per_day),
        ] {
            *limit = wanted.unwrap_or(*limit);
        }
        let allowance = self.usage.allowance;
        Ok(json!({
            "memory_lag_ms": self.memory.lag_ms,
            "database_lag_ms": self.database.lag_ms,
            "clock_skew_ms": self.skew_ms,
            "quoting": self.house.is_some(),
            "weight_per_minute": allowance.weight_per_minute,
            "orders_per_10_seconds": allowance.orders_per_10_seconds,
            "orders_per_day": allowance.orders_per_day,
        }))
    }
}
