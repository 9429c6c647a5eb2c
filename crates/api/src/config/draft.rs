//! A configuration in the words of clients, and as the log takes it. What is wrong with its form is said here, what is wrong
//! with what it says by the state.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use domain::limits::WINDOW_MS_DEFAULT;
use domain::orders::report::Weight;
use domain::trading::Draft;
use domain::trading::account::{Account, AccountMode};
use domain::trading::limits::{Limits, MessageRate};
use domain::trading::strategy::Strategy;
use domain::trading::venue::{Instrument, Venue};
use domain::{Decimal, LeaseName, Symbol};
use wire::v1;

use crate::faults::Faults;
use crate::order::words::{order_type, order_type_to_wire};

/// All of it that is well formed.
pub(super) fn from_wire(configuration: &v1::Configuration, faults: &mut Faults) -> Draft {
    let v1::Configuration { venues, accounts, strategies, day_offset_minutes } = configuration;
    let mut draft = Draft { day_offset_minutes: *day_offset_minutes, ..Draft::default() };
    for it in venues {
        draft.venues.extend(venue(it, faults));
    }
    for it in accounts {
        draft.accounts.extend(account(it, faults));
    }
    for it in strategies {
        draft.strategies.extend(strategy(it, faults));
    }
    draft
}

fn venue(venue: &v1::Venue, faults: &mut Faults) -> Option<Venue> {
    let at = format!("venues.{}", venue.id);
    faults.enter(&at);
    let (id, kind) = (faults.parse("id", &venue.id), faults.parse("kind", &venue.kind));
    let mut symbols = BTreeMap::new();
    for it in &venue.symbols {
        faults.enter(format_args!("{at}.symbols.{}", it.symbol));
        let symbol = faults.parse("symbol", &it.symbol);
        if let Some((symbol, instrument)) = symbol.zip(instrument(it, faults))
            && symbols.insert(symbol, instrument).is_some()
        {
            faults.say("symbol", "there are two of it");
        }
    }
    Some(Venue { id: id?, kind: kind?, symbols })
}

fn instrument(it: &v1::Instrument, faults: &mut Faults) -> Option<Instrument> {
    let (base, quote) = (faults.parse("base", &it.base), faults.parse("quote", &it.quote));
    let (tick, step) = (faults.parse("tick", &it.tick), faults.parse("step", &it.step));
    let quantity_min = faults.parse("quantity_min", &it.quantity_min);
    let quantity_max = faults.parse("quantity_max", &it.quantity_max);
    let notional_min = faults.parse("notional_min", &it.notional_min);
    let reference_price = faults.optional("reference_price", it.reference_price.as_ref());
    let contract_size = faults.optional("contract_size", it.contract_size.as_ref());
    let order_types: Vec<_> = it
        .order_types
        .iter()
        .map(|number| order_type("order_types", v1::OrderType::try_from(*number).unwrap_or_default(), faults))
        .collect();
    Some(Instrument {
        base: base?,
        quote: quote?,
        tick: tick?,
        step: step?,
        quantity_min: quantity_min?,
        quantity_max: quantity_max?,
        notional_min: notional_min?,
        order_types: each_once("order_types", order_types, |it| it.as_str(), faults)?,
        reference_price,
        contract_size: contract_size.unwrap_or(Decimal::ONE),
    })
}

fn account(account: &v1::Account, faults: &mut Faults) -> Option<Account> {
    let at = format!("accounts.{}", account.id);
    faults.enter(&at);
    let (id, venue) = (faults.parse("id", &account.id), faults.parse("venue", &account.venue));
    let mode = match v1::AccountMode::try_from(account.mode) {
        Ok(v1::AccountMode::Gateway) => Some(AccountMode::Gateway),
        Ok(v1::AccountMode::Direct) => Some(AccountMode::Direct),
        Ok(v1::AccountMode::Unspecified) | Err(_) => {
            faults.say("mode", "must be gateway or direct");
            None
        }
    };
    let lease = account.lease.as_deref().map(|name| lease(name, faults));
    let limits_of_all = limits(account.limits.as_ref(), faults);
    let symbol_limits = symbol_limits(&at, &account.symbol_limits, faults);
    let mode = mode?;
    Some(Account {
        id: id?,
        venue: venue?,
        mode,
        lease: lease.flatten(),
        window_ms: account.window_ms.unwrap_or(WINDOW_MS_DEFAULT),
        bot_reports: if account.trust_bot_reports { Weight::Evidence } else { Weight::Hint },
        reconciliation: account.reconciliation.unwrap_or(mode.reconciliation_default()),
        limits: limits_of_all,
        symbol_limits,
    })
}

fn strategy(strategy: &v1::Strategy, faults: &mut Faults) -> Option<Strategy> {
    let at = format!("strategies.{}", strategy.id);
    faults.enter(&at);
    let id = faults.parse("id", &strategy.id);
    let accounts: Vec<_> = strategy.accounts.iter().map(|it| faults.parse("accounts", it)).collect();
    let symbols: Vec<_> = strategy.symbols.iter().map(|it| faults.parse("symbols", it)).collect();
    let accounts = each_once("accounts", accounts, |it| it, faults);
    let symbols = each_once("symbols", symbols, |it| it, faults);
    let lease = lease(&strategy.lease, faults);
    let limits_of_all = limits(strategy.limits.as_ref(), faults);
    let symbol_limits = symbol_limits(&at, &strategy.symbol_limits, faults);
    Some(Strategy {
        id: id?,
        accounts: accounts?,
        lease: lease?,
        symbols: symbols?,
        limits: limits_of_all,
        symbol_limits,
    })
}

fn lease(name: &str, faults: &mut Faults) -> Option<LeaseName> {
    let lease = LeaseName::new(name);
    if lease.is_none() {
        faults.say("lease", "must be the name of a lease");
    }
    lease
}

/// A list of what may stand there once: of two that are the same, one was meant to be another.
fn each_once<T: Ord + Clone, D: Display + ?Sized>(
    field: &str,
    all: Vec<Option<T>>,
    in_words: impl Fn(&T) -> &D,
    faults: &mut Faults,
) -> Option<BTreeSet<T>> {
    let mut each = BTreeSet::new();
    for it in all.iter().flatten() {
        if !each.insert(it.clone()) {
            faults.say(field, format_args!("{} is there twice", in_words(it)));
        }
    }
    (!all.contains(&None)).then_some(each)
}

fn symbol_limits(at: &str, by_symbol: &[v1::SymbolLimits], faults: &mut Faults) -> BTreeMap<Symbol, Limits> {
    let mut all = BTreeMap::new();
    for v1::SymbolLimits { symbol, limits: of_symbol } in by_symbol {
        faults.enter(format_args!("{at}.symbol_limits.{symbol}"));
        let of_symbol = limits(of_symbol.as_ref(), faults);
        if let Some(symbol) = faults.parse("symbol", symbol)
            && all.insert(symbol, of_symbol).is_some()
        {
            faults.say("symbol", "there are two of it");
        }
    }
    all
}

fn limits(limits: Option<&v1::Limits>, faults: &mut Faults) -> Limits {
    let Some(it) = limits else { return Limits::default() };
    let rate = |rate: v1::MessageRate| MessageRate { count: rate.count, per_ms: rate.per_ms };
    Limits {
        price_collar_bps: it.price_collar_bps,
        quantity_max: faults.optional("quantity_max", it.quantity_max.as_ref()),
        notional_max: faults.optional("notional_max", it.notional_max.as_ref()),
        position_max: faults.optional("position_max", it.position_max.as_ref()),
        open_orders_max: it.open_orders_max,
        message_rate: it.message_rate.map(rate),
        daily_notional_max: faults.optional("daily_notional_max", it.daily_notional_max.as_ref()),
        duplicate_window_ms: it.duplicate_window_ms,
    }
}

pub(super) fn to_wire(draft: &Draft) -> v1::Configuration {
    v1::Configuration {
        venues: draft.venues.iter().map(venue_to_wire).collect(),
        accounts: draft.accounts.iter().map(account_to_wire).collect(),
        strategies: draft.strategies.iter().map(strategy_to_wire).collect(),
        day_offset_minutes: draft.day_offset_minutes,
    }
}

fn venue_to_wire(venue: &Venue) -> v1::Venue {
    let symbols = venue.symbols.iter().map(|(symbol, it)| v1::Instrument {
        symbol: symbol.to_string(),
        base: it.base.to_string(),
        quote: it.quote.to_string(),
        tick: it.tick.to_string(),
        step: it.step.to_string(),
        quantity_min: it.quantity_min.to_string(),
        quantity_max: it.quantity_max.to_string(),
        notional_min: it.notional_min.to_string(),
        order_types: it.order_types.iter().map(|it| order_type_to_wire(*it).into()).collect(),
        reference_price: text(it.reference_price),
        contract_size: Some(it.contract_size.to_string()),
    });
    v1::Venue { id: venue.id.to_string(), kind: venue.kind.to_string(), symbols: symbols.collect() }
}

fn account_to_wire(account: &Account) -> v1::Account {
    let mode = match account.mode {
        AccountMode::Gateway => v1::AccountMode::Gateway,
        AccountMode::Direct => v1::AccountMode::Direct,
    };
    v1::Account {
        id: account.id.to_string(),
        venue: account.venue.to_string(),
        mode: mode.into(),
        lease: account.lease.as_ref().map(ToString::to_string),
        window_ms: Some(account.window_ms),
        trust_bot_reports: account.bot_reports == Weight::Evidence,
        reconciliation: Some(account.reconciliation),
        limits: Some(limits_to_wire(&account.limits)),
        symbol_limits: symbol_limits_to_wire(&account.symbol_limits),
    }
}

fn strategy_to_wire(strategy: &Strategy) -> v1::Strategy {
    v1::Strategy {
        id: strategy.id.to_string(),
        accounts: strategy.accounts.iter().map(ToString::to_string).collect(),
        lease: strategy.lease.to_string(),
        symbols: strategy.symbols.iter().map(ToString::to_string).collect(),
        limits: Some(limits_to_wire(&strategy.limits)),
        symbol_limits: symbol_limits_to_wire(&strategy.symbol_limits),
    }
}

fn symbol_limits_to_wire(by_symbol: &BTreeMap<Symbol, Limits>) -> Vec<v1::SymbolLimits> {
    let of_symbol = |(symbol, limits): (&Symbol, &Limits)| {
        let limits = Some(limits_to_wire(limits));
        v1::SymbolLimits { symbol: symbol.to_string(), limits }
    };
    by_symbol.iter().map(of_symbol).collect()
}

fn limits_to_wire(limits: &Limits) -> v1::Limits {
    let rate = |MessageRate { count, per_ms }| v1::MessageRate { count, per_ms };
    v1::Limits {
        price_collar_bps: limits.price_collar_bps,
        quantity_max: text(limits.quantity_max),
        notional_max: text(limits.notional_max),
        position_max: text(limits.position_max),
        open_orders_max: limits.open_orders_max,
        message_rate: limits.message_rate.map(rate),
        daily_notional_max: text(limits.daily_notional_max),
        duplicate_window_ms: limits.duplicate_window_ms,
    }
}

fn text(number: Option<Decimal>) -> Option<String> {
    number.map(|number| number.to_string())
}
