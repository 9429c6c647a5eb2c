//! A desk as people and scripts write it: venues, accounts and strategies by their names. The same words in JSON and in TOML,
//! and in the paths by which the service says what is wrong (`venues.sim.symbols.BTCUSDT.tick`).
//!
//! Only the form is checked here; what a service must know to say is left to it, so that it tells everything at once.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use wire::v1;

/// Everything that is set of who may trade.
///
/// All of it must be there, though the maps may be empty: an empty file would otherwise take everything away, and one without the
/// offset would move the day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Desk {
    day_offset_minutes: i32,
    venues: Named<Venue>,
    accounts: Named<Account>,
    strategies: Named<Strategy>,
}

/// Records by their names. A name that stands twice is refused, which a plain map would not do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
struct Named<T>(BTreeMap<String, T>);

/// Digits in quotes: no binary fraction is ever read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
struct Number(String);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Venue {
    #[serde(default)]
    kind: String,
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    symbols: Named<Instrument>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Instrument {
    #[serde(default)]
    base: String,
    #[serde(default)]
    quote: String,
    #[serde(default)]
    tick: Number,
    #[serde(default)]
    step: Number,
    #[serde(default)]
    quantity_min: Number,
    #[serde(default)]
    quantity_max: Number,
    #[serde(default)]
    notional_min: Number,
    #[serde(default)]
    order_types: Vec<OrderType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference_price: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contract_size: Option<Number>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum OrderType {
    Limit,
    LimitMaker,
    Market,
    StopLoss,
    StopLossLimit,
    TakeProfit,
    TakeProfitLimit,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Account {
    #[serde(default)]
    venue: String,
    mode: Option<AccountMode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window_ms: Option<u64>,
    #[serde(default)]
    trust_bot_reports: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reconciliation: Option<bool>,
    #[serde(default, skip_serializing_if = "Limits::are_none")]
    limits: Limits,
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    symbol_limits: Named<Limits>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AccountMode {
    Gateway,
    Direct,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Strategy {
    #[serde(default)]
    accounts: Vec<String>,
    #[serde(default)]
    lease: String,
    #[serde(default)]
    symbols: Vec<String>,
    #[serde(default, skip_serializing_if = "Limits::are_none")]
    limits: Limits,
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    symbol_limits: Named<Limits>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    #[serde(skip_serializing_if = "Option::is_none")]
    price_collar_bps: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity_max: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notional_max: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position_max: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    open_orders_max: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_rate: Option<MessageRate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    daily_notional_max: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicate_window_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MessageRate {
    count: u32,
    per_ms: u64,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Named<T> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn into_wire<W>(self, record: impl Fn(String, T) -> W) -> Vec<W> {
        self.0.into_iter().map(|(name, it)| record(name, it)).collect()
    }

    fn from_wire<W>(records: Vec<W>, record: impl Fn(W) -> (String, T)) -> Self {
        Self(records.into_iter().map(record).collect())
    }
}

impl Limits {
    fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Records<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Records<T> {
            type Value = Named<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("records by their names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<T>, A::Error> {
                let mut records = BTreeMap::new();
                while let Some((name, record)) = map.next_entry::<String, T>()? {
                    if records.contains_key(&name) {
                        return Err(A::Error::custom(format!("there are two of the name {name:?}")));
                    }
                    records.insert(name, record);
                }
                Ok(Named(records))
            }
        }

        from.deserialize_map(Records(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Digits;

        impl Visitor<'_> for Digits {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal in quotes, such as \"0.015\"")
            }

            fn visit_str<E: Error>(self, digits: &str) -> Result<Number, E> {
                Ok(Number(digits.to_owned()))
            }
        }

        from.deserialize_str(Digits)
    }
}

impl From<Desk> for v1::Configuration {
    fn from(desk: Desk) -> Self {
        let Desk { day_offset_minutes, venues, accounts, strategies } = desk;
        Self {
            venues: venues.into_wire(|id, Venue { kind, symbols }| v1::Venue {
                id,
                kind,
                symbols: symbols.into_wire(Instrument::into_wire),
            }),
            accounts: accounts.into_wire(Account::into_wire),
            strategies: strategies.into_wire(Strategy::into_wire),
            day_offset_minutes,
        }
    }
}

/// What a service has shown.
impl From<v1::Configuration> for Desk {
    fn from(configuration: v1::Configuration) -> Self {
        let v1::Configuration { venues, accounts, strategies, day_offset_minutes } = configuration;
        let venue = |v1::Venue { id, kind, symbols }| {
            (id, Venue { kind, symbols: Named::from_wire(symbols, Instrument::from_wire) })
        };
        Self {
            day_offset_minutes,
            venues: Named::from_wire(venues, venue),
            accounts: Named::from_wire(accounts, Account::from_wire),
            strategies: Named::from_wire(strategies, Strategy::from_wire),
        }
    }
}

impl Instrument {
    fn into_wire(symbol: String, it: Self) -> v1::Instrument {
        let order_types = it.order_types.into_iter().map(|it| v1::OrderType::from(it).into());
        v1::Instrument {
            symbol,
            base: it.base,
            quote: it.quote,
            tick: it.tick.0,
            step: it.step.0,
            quantity_min: it.quantity_min.0,
            quantity_max: it.quantity_max.0,
            notional_min: it.notional_min.0,
            order_types: order_types.collect(),
            reference_price: digits(it.reference_price),
            contract_size: digits(it.contract_size),
        }
    }

    fn from_wire(it: v1::Instrument) -> (String, Self) {
        let order_types = it.order_types().filter_map(OrderType::from_wire).collect();
        let instrument = Self {
            base: it.base,
            quote: it.quote,
            tick: Number(it.tick),
            step: Number(it.step),
            quantity_min: Number(it.quantity_min),
            quantity_max: Number(it.quantity_max),
            notional_min: Number(it.notional_min),
            order_types,
            reference_price: it.reference_price.map(Number),
            contract_size: it.contract_size.map(Number),
        };
        (it.symbol, instrument)
    }
}

impl Account {
    fn into_wire(id: String, it: Self) -> v1::Account {
        let mode = match it.mode {
            None => v1::AccountMode::Unspecified,
            Some(AccountMode::Gateway) => v1::AccountMode::Gateway,
            Some(AccountMode::Direct) => v1::AccountMode::Direct,
        };
        v1::Account {
            id,
            venue: it.venue,
            mode: mode.into(),
            lease: it.lease,
            window_ms: it.window_ms,
            trust_bot_reports: it.trust_bot_reports,
            reconciliation: it.reconciliation,
            limits: Some(it.limits.into()),
            symbol_limits: symbol_limits(it.symbol_limits),
        }
    }

    fn from_wire(it: v1::Account) -> (String, Self) {
        let mode = match it.mode() {
            v1::AccountMode::Unspecified => None,
            v1::AccountMode::Gateway => Some(AccountMode::Gateway),
            v1::AccountMode::Direct => Some(AccountMode::Direct),
        };
        let account = Self {
            venue: it.venue,
            mode,
            lease: it.lease,
            window_ms: it.window_ms,
            trust_bot_reports: it.trust_bot_reports,
            reconciliation: it.reconciliation,
            limits: it.limits.unwrap_or_default().into(),
            symbol_limits: symbol_limits_from_wire(it.symbol_limits),
        };
        (it.id, account)
    }
}

impl Strategy {
    fn into_wire(id: String, it: Self) -> v1::Strategy {
        let Self { accounts, lease, symbols, limits, symbol_limits: by_symbol } = it;
        let (limits, symbol_limits) = (Some(limits.into()), symbol_limits(by_symbol));
        v1::Strategy { id, accounts, lease, symbols, limits, symbol_limits }
    }

    fn from_wire(it: v1::Strategy) -> (String, Self) {
        let v1::Strategy { id, accounts, lease, symbols, limits, symbol_limits } = it;
        let limits = limits.unwrap_or_default().into();
        let symbol_limits = symbol_limits_from_wire(symbol_limits);
        (id, Self { accounts, lease, symbols, limits, symbol_limits })
    }
}

impl From<OrderType> for v1::OrderType {
    fn from(order_type: OrderType) -> Self {
        match order_type {
            OrderType::Limit => Self::Limit,
            OrderType::LimitMaker => Self::LimitMaker,
            OrderType::Market => Self::Market,
            OrderType::StopLoss => Self::StopLoss,
            OrderType::StopLossLimit => Self::StopLossLimit,
            OrderType::TakeProfit => Self::TakeProfit,
            OrderType::TakeProfitLimit => Self::TakeProfitLimit,
        }
    }
}

impl OrderType {
    fn from_wire(order_type: v1::OrderType) -> Option<Self> {
        Some(match order_type {
            v1::OrderType::Unspecified => return None,
            v1::OrderType::Limit => Self::Limit,
            v1::OrderType::LimitMaker => Self::LimitMaker,
            v1::OrderType::Market => Self::Market,
            v1::OrderType::StopLoss => Self::StopLoss,
            v1::OrderType::StopLossLimit => Self::StopLossLimit,
            v1::OrderType::TakeProfit => Self::TakeProfit,
            v1::OrderType::TakeProfitLimit => Self::TakeProfitLimit,
        })
    }
}

impl From<Limits> for v1::Limits {
    fn from(it: Limits) -> Self {
        Self {
            price_collar_bps: it.price_collar_bps,
            quantity_max: digits(it.quantity_max),
            notional_max: digits(it.notional_max),
            position_max: digits(it.position_max),
            open_orders_max: it.open_orders_max,
            message_rate: it
                .message_rate
                .map(|MessageRate { count, per_ms }| v1::MessageRate { count, per_ms }),
            daily_notional_max: digits(it.daily_notional_max),
            duplicate_window_ms: it.duplicate_window_ms,
        }
    }
}

impl From<v1::Limits> for Limits {
    fn from(it: v1::Limits) -> Self {
        Self {
            price_collar_bps: it.price_collar_bps,
            quantity_max: it.quantity_max.map(Number),
            notional_max: it.notional_max.map(Number),
            position_max: it.position_max.map(Number),
            open_orders_max: it.open_orders_max,
            message_rate: it
                .message_rate
                .map(|v1::MessageRate { count, per_ms }| MessageRate { count, per_ms }),
            daily_notional_max: it.daily_notional_max.map(Number),
            duplicate_window_ms: it.duplicate_window_ms,
        }
    }
}

fn digits(number: Option<Number>) -> Option<String> {
    number.map(|Number(digits)| digits)
}

fn symbol_limits(by_symbol: Named<Limits>) -> Vec<v1::SymbolLimits> {
    by_symbol.into_wire(|symbol, limits| v1::SymbolLimits { symbol, limits: Some(limits.into()) })
}

fn symbol_limits_from_wire(by_symbol: Vec<v1::SymbolLimits>) -> Named<Limits> {
    Named::from_wire(by_symbol, |it| (it.symbol, it.limits.unwrap_or_default().into()))
}
