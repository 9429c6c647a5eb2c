//! By what an order of the history can be found.
//!
//! An index that was made by other terms than these does not find what it should: whoever changes them changes the version
//! of the index's rows, so that it is made anew.

use bytes::Bytes;
use domain::orders::filter::Filter;
use domain::orders::order::{Order, Present};
use domain::orders::status::Status;
use domain::orders::table::Row;
use domain::orders::tombstone::StrategyKey;
use domain::{LogTime, Recorded};
use store::{Indexed, Term};

const ACCOUNT: u8 = 1;
const STRATEGY: u8 = 2;
const SYMBOL: u8 = 3;
const STATUS: u8 = 4;
const KEY: u8 = 5;

/// The time of an order that has none: in no span that somebody asks for.
const NO_TIME: i64 = i64::MIN;

/// How an order of the history stands does not depend on the term or the hour: it has ended.
pub(super) const ENDED: Present = Present { term: 0, now: LogTime::ZERO };

/// The orders in a history file, record by record.
pub(super) fn orders(number: u64, records: &[Bytes]) -> Result<Vec<Option<Row>>, store::Error> {
    records.iter().map(order).collect::<Result<_, _>>().map_err(|error| {
        let (file, why) = (format!("history file {number}"), error.to_string());
        store::Error::Foreign { file, why }
    })
}

/// The order in a record of a history file; `None`: it is something else.
pub(super) fn order(record: &Bytes) -> Result<Option<Row>, wire::DecodeError> {
    Ok(match wire::decode_history_record(record)?.what {
        Recorded::Order(order) => Some(order),
        Recorded::Audit(_) => None,
    })
}

pub(super) fn describe(order: &Order) -> Indexed {
    let mut terms = vec![
        term(ACCOUNT, order.account().as_str()),
        term(SYMBOL, order.symbol().as_str()),
        status(order.status(ENDED)),
    ];
    if let Some(intent) = order.intent() {
        terms.push(term(STRATEGY, intent.strategy.as_str()));
        terms.push(key(&intent.strategy_key()));
    }
    Indexed { id: order.id.0.0, time_ms: order.submitted_ms().unwrap_or(NO_TIME), terms }
}

/// Lists of terms, of which an order that meets the filter has all of one.
pub(super) fn of(filter: &Filter) -> Vec<Vec<Term>> {
    let Filter { account, strategy, symbol, statuses, .. } = filter;
    let account = account.as_ref().map(|account| term(ACCOUNT, account.as_str()));
    let strategy = strategy.as_ref().map(|strategy| term(STRATEGY, strategy.as_str()));
    let symbol = symbol.as_ref().map(|symbol| term(SYMBOL, symbol.as_str()));
    let terms: Vec<Term> = [account, strategy, symbol].into_iter().flatten().collect();
    let is_any = Status::ALL.iter().all(|status| !status.is_terminal() || statuses.contains(status));
    if statuses.is_empty() || is_any {
        return vec![terms];
    }
    let ended = statuses.iter().filter(|status| status.is_terminal());
    ended.map(|ended| [terms.as_slice(), &[status(*ended)]].concat()).collect()
}

/// From the first until before the second.
pub(super) fn times(filter: &Filter) -> std::ops::Range<i64> {
    if filter.from_ms.is_none() && filter.to_ms.is_none() {
        return i64::MIN..i64::MAX;
    }
    filter.from_ms.unwrap_or(NO_TIME).max(NO_TIME + 1)..filter.to_ms.unwrap_or(i64::MAX)
}

pub(super) fn key((strategy, key): &StrategyKey) -> Term {
    // No name of a strategy holds a zero.
    term(KEY, &format!("{strategy}\0{key}"))
}

fn status(status: Status) -> Term {
    term(STATUS, status.as_str())
}

fn term(dimension: u8, value: &str) -> Term {
    Term { dimension, value: value.as_bytes().to_vec() }
}
