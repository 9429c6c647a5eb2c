//! Switches, reconciled accounts and counters.

use domain::image::TradingRecords;
use domain::orders::reason::Mode;
use domain::trading::configuration::Day;
use domain::trading::counters::{Counters, LastTrade, NotionalKey, PositionKey};
use domain::trading::reconciled::Reconciled;
use domain::trading::scope::{LimitKey, Owner, Subject};
use domain::trading::switch::{Note, Switches};
use domain::trading::total::Total;
use domain::{LogTime, Serial, StrategyId, Symbol};

use crate::ascending::ascending_map;
use crate::error::{known, required};
use crate::order::{decimal_of, decimal_text, parsed, parsed_option};
use crate::{DecodeError, log};

impl From<&Subject> for log::Subject {
    fn from(subject: &Subject) -> Self {
        let name = match subject {
            Subject::All => String::new(),
            Subject::Venue(id) => id.to_string(),
            Subject::Account(id) => id.to_string(),
            Subject::Strategy(id) => id.to_string(),
            Subject::Trader(id) => id.to_string(),
            Subject::Symbol(id) => id.to_string(),
        };
        Self { scope: log::SwitchScope::from(subject.scope()).into(), name }
    }
}

impl TryFrom<log::Subject> for Subject {
    type Error = DecodeError;

    fn try_from(subject: log::Subject) -> Result<Self, DecodeError> {
        let log::Subject { scope, name } = subject;
        Ok(match known::<log::SwitchScope>("Subject.scope", scope)? {
            log::SwitchScope::Unspecified => return Err(DecodeError::new("Subject.scope", "unspecified")),
            log::SwitchScope::All if name.is_empty() => Self::All,
            log::SwitchScope::All => return Err(DecodeError::new("Subject.name", "all has none")),
            log::SwitchScope::Venue => Self::Venue(parsed("Subject.name", &name)?),
            log::SwitchScope::Account => Self::Account(parsed("Subject.name", &name)?),
            log::SwitchScope::Strategy => Self::Strategy(parsed("Subject.name", &name)?),
            log::SwitchScope::Trader => Self::Trader(parsed("Subject.name", &name)?),
            log::SwitchScope::Symbol => Self::Symbol(parsed("Subject.name", &name)?),
        })
    }
}

pub(crate) fn mode_of(mode: i32) -> Result<Mode, DecodeError> {
    known::<log::TradingMode>("TradingMode", mode)?.try_into()
}

pub(crate) fn subject_of(what: &'static str, subject: Option<log::Subject>) -> Result<Subject, DecodeError> {
    required(what, subject)?.try_into()
}

impl From<&Note> for log::Note {
    fn from(note: &Note) -> Self {
        let Note { actor, reason, serial, wall_ms } = note;
        Self { actor: actor.clone(), reason: reason.clone(), serial: serial.0, wall_ms: *wall_ms }
    }
}

fn note_of(note: Option<log::Note>) -> Result<Note, DecodeError> {
    let log::Note { actor, reason, serial, wall_ms } = required("Note", note)?;
    Ok(Note { actor, reason, serial: Serial(serial), wall_ms })
}

impl From<&LimitKey> for log::LimitKey {
    fn from(key: &LimitKey) -> Self {
        use log::limit_key::Owner as Kind;
        let LimitKey { owner, symbol } = key;
        let owner = match owner {
            Owner::Account(id) => Kind::Account(id.to_string()),
            Owner::Strategy(id) => Kind::Strategy(id.to_string()),
        };
        Self { owner: Some(owner), symbol: symbol.as_ref().map(Symbol::to_string) }
    }
}

fn limit_key_of(key: Option<log::LimitKey>) -> Result<LimitKey, DecodeError> {
    use log::limit_key::Owner as Kind;
    let log::LimitKey { owner, symbol } = required("LimitKey", key)?;
    let owner = match required("LimitKey.owner", owner)? {
        Kind::Account(id) => Owner::Account(parsed("LimitKey.account", &id)?),
        Kind::Strategy(id) => Owner::Strategy(parsed("LimitKey.strategy", &id)?),
    };
    Ok(LimitKey { owner, symbol: parsed_option("LimitKey.symbol", symbol)? })
}

/// What has been switched, reconciled and counted, as one row.
pub(crate) fn trading_row(records: &TradingRecords) -> log::TradingRow {
    let TradingRecords { switches, reconciled, counters } = records;
    let Switches { kills, modes, breakers } = switches;
    let Counters { positions, clocks, day, notionals, last_trades } = counters;
    let kill = |(subject, note): (&Subject, &Note)| log::KillRow {
        subject: Some(subject.into()),
        note: Some(note.into()),
    };
    let mode = |(subject, (mode, note)): (&Subject, &(Mode, Note))| log::ModeRow {
        subject: Some(subject.into()),
        mode: log::TradingMode::from(*mode).into(),
        note: Some(note.into()),
    };
    let position = |(key, position): (&PositionKey, &Total)| log::PositionRow {
        account: key.account.to_string(),
        symbol: key.symbol.to_string(),
        strategy: key.strategy.as_ref().map(StrategyId::to_string),
        position: position.to_string(),
    };
    let notional = |(key, notional): (&NotionalKey, &Total)| log::NotionalRow {
        limit: Some((&key.limit).into()),
        quote: key.quote.to_string(),
        notional: notional.to_string(),
    };
    let clock = |(key, clock): (&LimitKey, &LogTime)| log::ClockRow {
        limit: Some(key.into()),
        clock_ns: clock.as_ns(),
    };
    log::TradingRow {
        kills: kills.iter().map(kill).collect(),
        modes: modes.iter().map(mode).collect(),
        breakers: breakers
            .iter()
            .map(|(venue, note)| log::BreakerRow { venue: venue.to_string(), note: Some(note.into()) })
            .collect(),
        reconciled: reconciled
            .terms
            .iter()
            .map(|(account, term)| log::RecordReconciled { account: account.to_string(), term: *term })
            .collect(),
        day: day.0,
        positions: positions.iter().map(position).collect(),
        clocks: clocks.iter().map(clock).collect(),
        notionals: notionals.iter().map(notional).collect(),
        last_trades: last_trades
            .iter()
            .map(|((venue, symbol), last)| log::LastTradeRow {
                venue: venue.to_string(),
                symbol: symbol.to_string(),
                venue_ms: last.venue_ms,
                trade: last.trade.to_string(),
                price: decimal_text(&last.price),
            })
            .collect(),
    }
}

pub(crate) fn trading_of(row: log::TradingRow) -> Result<TradingRecords, DecodeError> {
    let kills = row
        .kills
        .into_iter()
        .map(|log::KillRow { subject, note }| Ok((subject_of("KillRow.subject", subject)?, note_of(note)?)));
    let modes = row.modes.into_iter().map(|log::ModeRow { subject, mode, note }| {
        Ok((subject_of("ModeRow.subject", subject)?, (mode_of(mode)?, note_of(note)?)))
    });
    let breakers = row
        .breakers
        .into_iter()
        .map(|log::BreakerRow { venue, note }| Ok((parsed("BreakerRow.venue", &venue)?, note_of(note)?)));
    let switches = Switches {
        kills: ascending_map("TradingRow.kills", kills)?,
        modes: ascending_map("TradingRow.modes", modes)?,
        breakers: ascending_map("TradingRow.breakers", breakers)?,
    };
    let terms = row.reconciled.into_iter().map(|log::RecordReconciled { account, term }| {
        Ok((parsed("RecordReconciled.account", &account)?, term))
    });
    let reconciled = Reconciled { terms: ascending_map("TradingRow.reconciled", terms)? };
    let positions = row.positions.into_iter().map(|row| {
        let key = PositionKey {
            account: parsed("PositionRow.account", &row.account)?,
            symbol: parsed("PositionRow.symbol", &row.symbol)?,
            strategy: parsed_option("PositionRow.strategy", row.strategy)?,
        };
        Ok((key, parsed("PositionRow.position", &row.position)?))
    });
    let clocks = row
        .clocks
        .into_iter()
        .map(|log::ClockRow { limit, clock_ns }| Ok((limit_key_of(limit)?, LogTime::from_ns(clock_ns))));
    let notionals = row.notionals.into_iter().map(|log::NotionalRow { limit, quote, notional }| {
        let key = NotionalKey { limit: limit_key_of(limit)?, quote: parsed("NotionalRow.quote", &quote)? };
        Ok((key, parsed("NotionalRow.notional", &notional)?))
    });
    let last_trades = row.last_trades.into_iter().map(|row| {
        let log::LastTradeRow { venue, symbol, venue_ms, trade, price } = row;
        let last = LastTrade {
            venue_ms,
            trade: parsed("LastTradeRow.trade", &trade)?,
            price: decimal_of("LastTradeRow.price", &price)?,
        };
        Ok(((parsed("LastTradeRow.venue", &venue)?, parsed("LastTradeRow.symbol", &symbol)?), last))
    });
    let counters = Counters {
        positions: ascending_map("TradingRow.positions", positions)?,
        clocks: ascending_map("TradingRow.clocks", clocks)?,
        day: Day(row.day),
        notionals: ascending_map("TradingRow.notionals", notionals)?,
        last_trades: ascending_map("TradingRow.last_trades", last_trades)?,
    };
    Ok(TradingRecords { switches, reconciled, counters })
}
