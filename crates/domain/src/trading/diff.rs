//! What one configuration changes in another, for the operator who applies it and for the audit.

use std::collections::BTreeMap;
use std::fmt;

use crate::orders::report::Weight;
use crate::trading::account::Account;
use crate::trading::configuration::Configuration;
use crate::trading::limits::Limits;
use crate::trading::strategy::Strategy;
use crate::trading::venue::Instrument;
use crate::{Decimal, LeaseName, Symbol};

/// One line of a difference: a record that came or went, with all that it says, or a field of one that is another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// As in `accounts.main` or `accounts.main.symbol_limits.BTCUSDT.quantity_max`.
    pub at: String,
    /// `None`: there was no such record.
    pub from: Option<String>,
    /// `None`: there is no such record any more.
    pub to: Option<String>,
}

/// `+` what came, `-` what went, `~` what is another.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, from, to } = self;
        match (from, to) {
            (Some(from), Some(to)) => write!(f, "~ {at}: {from} -> {to}"),
            (Some(from), None) => write!(f, "- {at}: {from}"),
            (None, to) => write!(f, "+ {at}: {}", to.as_deref().unwrap_or_default()),
        }
    }
}

/// Numbers in one form, so that another way to write one is no difference.
type Fields = Vec<(&'static str, String)>;

impl Configuration {
    /// What is different in `new`, in the order of names.
    pub fn diff(&self, new: &Self) -> Vec<Change> {
        let (old, new) = (self.records(), new.records());
        let mut changes = Vec::new();
        for (at, from) in &old {
            match new.get(at) {
                Some(to) => changes.extend(fields_changed(at, from, to)),
                None => changes.push(Change { at: at.clone(), from: Some(line(from)), to: None }),
            }
        }
        let came = new.iter().filter(|(at, _)| !old.contains_key(*at));
        changes.extend(came.map(|(at, to)| Change { at: at.clone(), from: None, to: Some(line(to)) }));
        changes.sort_by(|one, other| one.at.cmp(&other.at));
        changes
    }

    fn records(&self) -> BTreeMap<String, Fields> {
        let day = vec![("day_offset_minutes", self.day_offset_minutes().to_string())];
        let mut records = BTreeMap::from([(String::new(), day)]);
        for venue in self.venues() {
            let at = format!("venues.{}", venue.id);
            let symbols = venue.symbols.iter();
            records.extend(symbols.map(|(symbol, it)| (format!("{at}.symbols.{symbol}"), it.fields())));
            records.insert(at, vec![("kind", venue.kind.to_string())]);
        }
        for account in self.accounts() {
            let at = format!("accounts.{}", account.id);
            records.extend(limits(&at, &account.limits, &account.symbol_limits));
            records.insert(at, account.fields());
        }
        for strategy in self.strategies() {
            let at = format!("strategies.{}", strategy.id);
            records.extend(limits(&at, &strategy.limits, &strategy.symbol_limits));
            records.insert(at, strategy.fields());
        }
        records
    }
}

fn fields_changed(at: &str, from: &Fields, to: &Fields) -> Vec<Change> {
    // Both are of one kind of record, so they have the same fields.
    let pairs = from.iter().zip(to).filter(|(from, to)| from != to);
    let change = |((name, from), (_, to)): (&(&str, String), &(&str, String))| Change {
        at: if at.is_empty() { (*name).to_owned() } else { format!("{at}.{name}") },
        from: Some(from.clone()),
        to: Some(to.clone()),
    };
    pairs.map(change).collect()
}

/// What a record says, without what is not set.
fn line(fields: &Fields) -> String {
    let set = fields.iter().filter(|(_, value)| value != NONE);
    set.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
}

const NONE: &str = "none";

fn or_none(value: Option<impl fmt::Display>) -> String {
    value.map_or(NONE.to_owned(), |value| value.to_string())
}

fn names(names: impl IntoIterator<Item = impl fmt::Display>) -> String {
    names.into_iter().map(|name| name.to_string()).collect::<Vec<_>>().join(" ")
}

/// A record for each that limits anything.
fn limits(at: &str, all: &Limits, by_symbol: &BTreeMap<Symbol, Limits>) -> Vec<(String, Fields)> {
    let by_symbol = by_symbol.iter().map(|(symbol, it)| (format!("{at}.symbol_limits.{symbol}"), it));
    let sets = std::iter::once((format!("{at}.limits"), all)).chain(by_symbol);
    let limiting = sets.filter(|(_, limits)| **limits != Limits::default());
    limiting.map(|(at, limits)| (at, limits.fields())).collect()
}

impl Instrument {
    fn fields(&self) -> Fields {
        let Self { base, quote, tick, step, quantity_min, quantity_max, notional_min, .. } = self;
        let Self { order_types, reference_price, contract_size, .. } = self;
        vec![
            ("base", base.to_string()),
            ("quote", quote.to_string()),
            ("tick", tick.shortest().to_string()),
            ("step", step.shortest().to_string()),
            ("quantity_min", quantity_min.shortest().to_string()),
            ("quantity_max", quantity_max.shortest().to_string()),
            ("notional_min", notional_min.shortest().to_string()),
            ("order_types", names(order_types.iter().map(|it| it.as_str()))),
            ("reference_price", or_none(reference_price.map(Decimal::shortest))),
            ("contract_size", contract_size.shortest().to_string()),
        ]
    }
}

impl Account {
    fn fields(&self) -> Fields {
        let Self { id: _, venue, mode, lease, window_ms, bot_reports, reconciliation, .. } = self;
        vec![
            ("venue", venue.to_string()),
            ("mode", mode.to_string()),
            ("lease", or_none(lease.as_ref())),
            ("window_ms", window_ms.to_string()),
            ("trust_bot_reports", (*bot_reports == Weight::Evidence).to_string()),
            ("reconciliation", reconciliation.to_string()),
        ]
    }
}

impl Strategy {
    fn fields(&self) -> Fields {
        let Self { id: _, accounts, lease, symbols, limits: _, symbol_limits: _ } = self;
        let symbols = if symbols.is_empty() { "all".to_owned() } else { names(symbols) };
        vec![("accounts", names(accounts)), ("lease", LeaseName::to_string(lease)), ("symbols", symbols)]
    }
}

impl Limits {
    fn fields(&self) -> Fields {
        let Self { price_collar_bps, quantity_max, notional_max, position_max, .. } = self;
        let Self { open_orders_max, message_rate, daily_notional_max, duplicate_window_ms, .. } = self;
        let rate = message_rate.map(|rate| format!("{} per {} ms", rate.count, rate.per_ms));
        vec![
            ("price_collar_bps", or_none(*price_collar_bps)),
            ("quantity_max", or_none(quantity_max.map(Decimal::shortest))),
            ("notional_max", or_none(notional_max.map(Decimal::shortest))),
            ("position_max", or_none(position_max.map(Decimal::shortest))),
            ("open_orders_max", or_none(*open_orders_max)),
            ("message_rate", or_none(rate)),
            ("daily_notional_max", or_none(daily_notional_max.map(Decimal::shortest))),
            ("duplicate_window_ms", or_none(*duplicate_window_ms)),
        ]
    }
}
