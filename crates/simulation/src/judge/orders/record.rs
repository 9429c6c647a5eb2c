//! What happened around orders, as those saw it who asked: traders, an operator, and the exchange itself. Names are spelled
//! as the API spells them; times are nanoseconds of real time, on one clock for all.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

/// All of it, in any order but for [`Record::switches`], which one operator made one after the other.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub asked: Vec<Asked>,
    pub cancels: Vec<CancelAsked>,
    pub told: Vec<Told>,
    pub switches: Vec<Switch>,
    /// What was found of the configuration after it had been acknowledged, other than what was applied.
    pub configured_otherwise: Vec<String>,
    /// What is known after the power of all nodes was cut, before the end was told.
    pub kept: Listing,
    /// By node, after it was told.
    pub ends: Vec<(u64, Listing)>,
    pub switched: Option<Switched>,
    pub ledger: Ledger,
}

/// Orders by their ids.
pub type Listing = BTreeMap<u64, Shown>;

/// What somebody wants of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub strategy: String,
    pub key: String,
    pub account: String,
    pub trader: String,
    pub symbol: String,
    pub is_buy: bool,
    pub order_type: String,
    /// Empty of a type that has none.
    pub time_in_force: String,
    pub quantity: Decimal,
    pub price: Option<Decimal>,
    pub lease: String,
    pub token: u64,
}

/// An order was asked for: alone, in a batch, or in the place of another.
#[derive(Clone, Debug)]
pub struct Asked {
    pub node: u64,
    pub invoked_ns: u64,
    pub wanted: Wanted,
    /// In the place of another order.
    pub replaces: bool,
    pub got: Got<Order>,
}

/// An order as an answer shows it.
#[derive(Clone, Debug)]
pub struct Order {
    pub shown: Shown,
    /// The key was known, and nothing was authorised now.
    pub existing: bool,
}

#[derive(Clone, Debug)]
pub struct CancelAsked {
    pub node: u64,
    pub invoked_ns: u64,
    pub client_order_id: String,
    pub lease: String,
    pub token: u64,
    /// The serial of the cancel.
    pub got: Got<u64>,
}

/// What became of a call.
#[derive(Clone, Debug)]
pub enum Got<T> {
    Answer {
        at_ns: u64,
        value: T,
    },
    /// The log refused it, for these reasons.
    Refused {
        at_ns: u64,
        reasons: Vec<String>,
    },
    /// Certainly not executed.
    NotRun,
    Unknown,
}

/// An order as a node shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub id: u64,
    pub client_order_id: String,
    pub strategy: String,
    pub key: String,
    pub account: String,
    pub trader: String,
    pub symbol: String,
    pub is_buy: bool,
    pub order_type: String,
    /// Empty of a type that has none.
    pub time_in_force: String,
    pub quantity: Decimal,
    pub price: Option<Decimal>,
    pub lease: String,
    pub token: u64,
    pub authorized_serial: Option<u64>,
    /// What was given to sign.
    pub timestamp_ms: i64,
    pub window_ms: u64,
    pub status: String,
    pub flags: Vec<String>,
    pub filled: Decimal,
    pub fills: Fills,
    /// Of its last change.
    pub serial: u64,
}

/// By the exchange's names of the trade and of the order, quantity and price.
pub type Fills = BTreeMap<(String, String), (Decimal, Decimal)>;

/// A report of an order. It is refused if no order has that name.
#[derive(Clone, Debug)]
pub struct Told {
    pub client_order_id: String,
    pub invoked_ns: u64,
    /// The serial of the command that took it in.
    pub got: Got<u64>,
    pub said: Said,
}

/// What a report says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    pub alive: bool,
    pub filled: Decimal,
    pub fills: Fills,
    /// FILLED, CANCELED, EXPIRED or REJECTED.
    pub ended: Option<String>,
    pub unknown: bool,
    pub not_sent: bool,
    /// What became of a cancel.
    pub cancel_done: bool,
    pub cancel_refused: bool,
}

/// Something was switched, or it was asked for.
#[derive(Clone, Debug)]
pub struct Switch {
    pub what: What,
    pub subject: Subject,
    /// Engaged, open, or a mode that is not the normal one; else it was taken back.
    pub on: bool,
    pub invoked_ns: u64,
    /// The serial of the command.
    pub got: Got<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    Kill,
    ReduceOnly,
    CancelOnly,
    Halted,
    Breaker,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    All,
    Venue(String),
    Account(String),
    Strategy(String),
    Trader(String),
    Symbol(String),
}

/// All switches that stand otherwise than by default.
pub type Switched = BTreeSet<(What, Subject)>;

/// What really happened at the exchange.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub orders: Vec<Entered>,
    pub fills: BTreeMap<String, Fills>,
}

/// An order that entered the exchange.
#[derive(Clone, Debug)]
pub struct Entered {
    pub client_order_id: String,
    /// The exchange's name of it.
    pub venue_order_id: String,
    pub symbol: String,
    pub is_buy: bool,
    pub order_type: String,
    pub quantity: Decimal,
    pub price: Option<Decimal>,
    pub executed: Decimal,
    pub status: String,
    /// By the exchange's clock.
    pub created_ms: i64,
}

impl What {
    pub fn is_mode(self) -> bool {
        matches!(self, Self::ReduceOnly | Self::CancelOnly | Self::Halted)
    }

    /// The same for all that take each other's place.
    pub fn kind(self) -> Self {
        if self.is_mode() { Self::Halted } else { self }
    }
}

impl<T> Got<T> {
    pub fn answer(&self) -> Option<&T> {
        match self {
            Self::Answer { value, .. } => Some(value),
            Self::Refused { .. } | Self::NotRun | Self::Unknown => None,
        }
    }

    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Got<U> {
        match self {
            Self::Answer { at_ns, value } => Got::Answer { at_ns, value: change(value) },
            Self::Refused { at_ns, reasons } => Got::Refused { at_ns, reasons },
            Self::NotRun => Got::NotRun,
            Self::Unknown => Got::Unknown,
        }
    }

    /// Whether this is among the reasons of its refusal.
    pub fn is_refused_for(&self, reason: &str) -> bool {
        matches!(self, Self::Refused { reasons, .. } if reasons.iter().any(|it| it == reason))
    }
}

impl Wanted {
    /// Whether a key stands for the same order in both: whoever asks for it, under whichever token.
    pub fn is_like(&self, other: &Self) -> bool {
        let Self { token, .. } = self;
        Self { token: *token, ..other.clone() } == *self
    }

    /// Whether an order is what was asked for.
    pub fn is(&self, shown: &Shown) -> bool {
        (&self.strategy, &self.key, &self.account, &self.trader, &self.symbol)
            == (&shown.strategy, &shown.key, &shown.account, &shown.trader, &shown.symbol)
            && (self.is_buy, &self.order_type, &self.time_in_force)
                == (shown.is_buy, &shown.order_type, &shown.time_in_force)
            && (self.quantity, self.price) == (shown.quantity, shown.price)
    }
}

impl Shown {
    pub fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|it| it == flag)
    }

    pub fn has_ended(&self) -> bool {
        has_ended(&self.status)
    }
}

/// Whether no trade is awaited in this status.
pub fn has_ended(status: &str) -> bool {
    matches!(status, "DENIED" | "FILLED" | "CANCELED" | "EXPIRED" | "REJECTED" | "NEVER_PLACED")
}

impl Record {
    /// Every order that any answer or the first listing shows, as the latest of them does.
    pub fn orders(&self) -> Listing {
        let mut orders = self.kept.clone();
        for order in self.asked.iter().filter_map(|asked| asked.got.answer()) {
            orders.entry(order.shown.id).or_insert_with(|| order.shown.clone());
        }
        orders
    }
}
