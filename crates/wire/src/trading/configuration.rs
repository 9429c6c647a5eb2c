//! Venues, accounts, strategies and limits.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::image::Configured;
use domain::orders::intent::OrderType;
use domain::orders::report::Weight;
use domain::trading::account::{Account, AccountMode};
use domain::trading::configuration::{Configuration, Draft};
use domain::trading::limits::{Limits, MessageRate};
use domain::trading::strategy::Strategy;
use domain::trading::venue::{Instrument, Venue};
use domain::{LeaseName, Symbol};

use crate::ascending::{ascending_map, ascending_set};
use crate::error::{known, required};
use crate::order::{alike, decimal_of, decimal_option_of, decimal_text, lease_name_of, parsed, tag_of};
use crate::{DecodeError, log};

alike! {
    AccountMode as AccountMode { Gateway, Direct }
    Weight as BotReports { Hint, Evidence }
}

impl From<&Draft> for log::Configuration {
    fn from(draft: &Draft) -> Self {
        let Draft { venues, accounts, strategies, day_offset_minutes } = draft;
        Self {
            venues: venues.iter().map(Into::into).collect(),
            accounts: accounts.iter().map(Into::into).collect(),
            strategies: strategies.iter().map(Into::into).collect(),
            day_offset_minutes: *day_offset_minutes,
        }
    }
}

impl TryFrom<log::Configuration> for Draft {
    type Error = DecodeError;

    fn try_from(configuration: log::Configuration) -> Result<Self, DecodeError> {
        let log::Configuration { venues, accounts, strategies, day_offset_minutes } = configuration;
        Ok(Self {
            venues: all(venues)?,
            accounts: all(accounts)?,
            strategies: all(strategies)?,
            day_offset_minutes,
        })
    }
}

fn all<T: TryFrom<L, Error = DecodeError>, L>(rows: Vec<L>) -> Result<Vec<T>, DecodeError> {
    rows.into_iter().map(TryInto::try_into).collect()
}

impl From<&Venue> for log::Venue {
    fn from(venue: &Venue) -> Self {
        let Venue { id, kind, symbols } = venue;
        Self {
            id: id.as_str().into(),
            kind: kind.as_str().into(),
            instruments: symbols.iter().map(|(symbol, it)| instrument(symbol, it)).collect(),
        }
    }
}

impl TryFrom<log::Venue> for Venue {
    type Error = DecodeError;

    fn try_from(venue: log::Venue) -> Result<Self, DecodeError> {
        let log::Venue { id, kind, instruments } = venue;
        Ok(Self {
            id: parsed("Venue.id", &id)?,
            kind: parsed("Venue.kind", &kind)?,
            symbols: ascending_map("Venue.instruments", instruments.into_iter().map(instrument_of))?,
        })
    }
}

fn instrument(symbol: &Symbol, instrument: &Instrument) -> log::Instrument {
    let Instrument { base, quote, tick, step, quantity_min, quantity_max, notional_min, .. } = instrument;
    let Instrument { order_types, reference_price, contract_size, .. } = instrument;
    log::Instrument {
        symbol: symbol.as_str().into(),
        base: base.as_str().into(),
        quote: quote.as_str().into(),
        tick: decimal_text(tick),
        step: decimal_text(step),
        quantity_min: decimal_text(quantity_min),
        quantity_max: decimal_text(quantity_max),
        notional_min: decimal_text(notional_min),
        order_types: order_types.iter().map(|it| log::OrderType::from(*it).into()).collect(),
        reference_price: reference_price.as_ref().map(decimal_text),
        contract_size: decimal_text(contract_size),
    }
}

fn instrument_of(row: log::Instrument) -> Result<(Symbol, Instrument), DecodeError> {
    let order_types = row.order_types.into_iter().map(|order_type| {
        OrderType::try_from(known::<log::OrderType>("Instrument.order_types", order_type)?)
    });
    let instrument = Instrument {
        base: parsed("Instrument.base", &row.base)?,
        quote: parsed("Instrument.quote", &row.quote)?,
        tick: decimal_of("Instrument.tick", &row.tick)?,
        step: decimal_of("Instrument.step", &row.step)?,
        quantity_min: decimal_of("Instrument.quantity_min", &row.quantity_min)?,
        quantity_max: decimal_of("Instrument.quantity_max", &row.quantity_max)?,
        notional_min: decimal_of("Instrument.notional_min", &row.notional_min)?,
        order_types: ascending_set("Instrument.order_types", order_types)?,
        reference_price: decimal_option_of("Instrument.reference_price", row.reference_price)?,
        contract_size: decimal_of("Instrument.contract_size", &row.contract_size)?,
    };
    Ok((parsed("Instrument.symbol", &row.symbol)?, instrument))
}

impl From<&Account> for log::Account {
    fn from(account: &Account) -> Self {
        let Account { id, venue, mode, lease, window_ms, bot_reports, reconciliation, .. } = account;
        let Account { limits, symbol_limits, .. } = account;
        Self {
            id: id.as_str().into(),
            venue: venue.as_str().into(),
            mode: log::AccountMode::from(*mode).into(),
            lease: lease.as_ref().map(LeaseName::to_string),
            window_ms: *window_ms,
            bot_reports: log::BotReports::from(*bot_reports).into(),
            reconciliation: *reconciliation,
            limits: Some(limits.into()),
            symbol_limits: all_limits(symbol_limits),
        }
    }
}

impl TryFrom<log::Account> for Account {
    type Error = DecodeError;

    fn try_from(account: log::Account) -> Result<Self, DecodeError> {
        let lease = account.lease.map(|lease| lease_name_of("Account.lease", &lease));
        Ok(Self {
            id: parsed("Account.id", &account.id)?,
            venue: parsed("Account.venue", &account.venue)?,
            mode: known::<log::AccountMode>("Account.mode", account.mode)?.try_into()?,
            lease: lease.transpose()?,
            window_ms: account.window_ms,
            bot_reports: known::<log::BotReports>("Account.bot_reports", account.bot_reports)?.try_into()?,
            reconciliation: account.reconciliation,
            limits: required("Account.limits", account.limits)?.try_into()?,
            symbol_limits: all_limits_of(account.symbol_limits)?,
        })
    }
}

impl From<&Strategy> for log::Strategy {
    fn from(strategy: &Strategy) -> Self {
        let Strategy { id, accounts, lease, symbols, limits, symbol_limits } = strategy;
        Self {
            id: id.as_str().into(),
            accounts: accounts.iter().map(ToString::to_string).collect(),
            lease: lease.as_str().into(),
            symbols: symbols.iter().map(ToString::to_string).collect(),
            limits: Some(limits.into()),
            symbol_limits: all_limits(symbol_limits),
        }
    }
}

impl TryFrom<log::Strategy> for Strategy {
    type Error = DecodeError;

    fn try_from(strategy: log::Strategy) -> Result<Self, DecodeError> {
        let log::Strategy { id, accounts, lease, symbols, limits, symbol_limits } = strategy;
        let accounts = accounts.iter().map(|account| parsed("Strategy.accounts", account));
        let symbols = symbols.iter().map(|symbol| parsed("Strategy.symbols", symbol));
        Ok(Self {
            id: parsed("Strategy.id", &id)?,
            accounts: ascending_set("Strategy.accounts", accounts)?,
            lease: lease_name_of("Strategy.lease", &lease)?,
            symbols: ascending_set("Strategy.symbols", symbols)?,
            limits: required("Strategy.limits", limits)?.try_into()?,
            symbol_limits: all_limits_of(symbol_limits)?,
        })
    }
}

fn all_limits(limits: &BTreeMap<Symbol, Limits>) -> Vec<log::SymbolLimits> {
    let row = |(symbol, limits): (&Symbol, &Limits)| log::SymbolLimits {
        symbol: symbol.as_str().into(),
        limits: Some(limits.into()),
    };
    limits.iter().map(row).collect()
}

fn all_limits_of(rows: Vec<log::SymbolLimits>) -> Result<BTreeMap<Symbol, Limits>, DecodeError> {
    let rows = rows.into_iter().map(|log::SymbolLimits { symbol, limits }| {
        let limits = required("SymbolLimits.limits", limits)?.try_into()?;
        Ok((parsed("SymbolLimits.symbol", &symbol)?, limits))
    });
    ascending_map("SymbolLimits", rows)
}

impl From<&Limits> for log::Limits {
    fn from(limits: &Limits) -> Self {
        let Limits { price_collar_bps, quantity_max, notional_max, position_max, .. } = limits;
        let Limits { open_orders_max, message_rate, daily_notional_max, duplicate_window_ms, .. } = limits;
        let rate = |MessageRate { count, per_ms }| log::MessageRate { count, per_ms };
        Self {
            price_collar_bps: *price_collar_bps,
            quantity_max: quantity_max.as_ref().map(decimal_text),
            notional_max: notional_max.as_ref().map(decimal_text),
            position_max: position_max.as_ref().map(decimal_text),
            open_orders_max: *open_orders_max,
            message_rate: message_rate.map(rate),
            daily_notional_max: daily_notional_max.as_ref().map(decimal_text),
            duplicate_window_ms: *duplicate_window_ms,
        }
    }
}

impl TryFrom<log::Limits> for Limits {
    type Error = DecodeError;

    fn try_from(limits: log::Limits) -> Result<Self, DecodeError> {
        let rate = |log::MessageRate { count, per_ms }| MessageRate { count, per_ms };
        Ok(Self {
            price_collar_bps: limits.price_collar_bps,
            quantity_max: decimal_option_of("Limits.quantity_max", limits.quantity_max)?,
            notional_max: decimal_option_of("Limits.notional_max", limits.notional_max)?,
            position_max: decimal_option_of("Limits.position_max", limits.position_max)?,
            open_orders_max: limits.open_orders_max,
            message_rate: limits.message_rate.map(rate),
            daily_notional_max: decimal_option_of("Limits.daily_notional_max", limits.daily_notional_max)?,
            duplicate_window_ms: limits.duplicate_window_ms,
        })
    }
}

/// What is set, as one row.
pub(crate) fn configuration_row(configured: &Configured) -> log::ConfigurationRow {
    let Configured { tag, configuration } = configured;
    log::ConfigurationRow { tag: tag.to_string(), configuration: Some((&configuration.draft()).into()) }
}

pub(crate) fn configured_of(row: log::ConfigurationRow) -> Result<Configured, DecodeError> {
    let log::ConfigurationRow { tag, configuration } = row;
    let draft: Draft = required("ConfigurationRow.configuration", configuration)?.try_into()?;
    let configuration = Configuration::try_from(draft).map_err(|problems| {
        let problem = problems.first().map(ToString::to_string).unwrap_or_default();
        DecodeError::new("ConfigurationRow.configuration", problem)
    })?;
    Ok(Configured { tag: tag_of("ConfigurationRow.tag", &tag)?, configuration: Arc::new(configuration) })
}
