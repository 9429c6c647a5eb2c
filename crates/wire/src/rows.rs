//! The rows of a snapshot one at a time, for a store that keeps each under a key of its own.
//!
//! Read back table by table as [`TABLES`] has them, and each in the order of its keys, the values are a snapshot
//! again: [`StateDecoder`](crate::StateDecoder) takes them as blocks.

use domain::orders::tombstone::StrategyKey;
use domain::{Changes, Digest, Key, RequestId};
use prost::Message;

use crate::image::{head, key_row, outcome_row, script_row};
use crate::log;
use crate::log::row::Row;
use crate::long::{PARTS_MAX, configuration_parts, order_parts, trading_parts};
use crate::order::row::tombstone_row;

const HEAD: &str = "head";
const KEYS: &str = "keys";
const OUTCOMES: &str = "outcomes";
const TENURES: &str = "tenures";
const SEALED: &str = "sealed";
const AUDITS: &str = "audits";
const SCRIPTS: &str = "scripts";
const CONFIGURATION: &str = "configuration";
const TRADING: &str = "trading";
const ORDERS: &str = "orders";
const TOMBSTONES: &str = "tombstones";

/// The tables, in the order of the rows of a snapshot.
pub const TABLES: [&str; 11] =
    [HEAD, KEYS, OUTCOMES, TENURES, SEALED, AUDITS, SCRIPTS, CONFIGURATION, TRADING, ORDERS, TOMBSTONES];

/// What a store is to keep under a key of one of the [`TABLES`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRow {
    pub table: &'static str,
    pub key: Vec<u8>,
    /// `None`: the row is gone.
    pub value: Option<Vec<u8>>,
}

/// The rows that changed, and the head, which always does: it holds the digest of the state that they lead to.
pub fn encode_changes(changes: &Changes, digest: Digest) -> impl Iterator<Item = StoredRow> + '_ {
    let head = Row::Head(head(&changes.single, changes.counts, digest));
    let keys = changes.keys.iter().map(|(key, entry)| {
        stored(KEYS, key_bytes(key), entry.as_ref().map(|entry| Row::Key(key_row(key, entry))))
    });
    let outcomes = changes.outcomes.iter().map(|(id, row)| {
        stored(OUTCOMES, id_bytes(*id), row.as_ref().map(|row| Row::Outcome(outcome_row(*id, row))))
    });
    let tenures = changes.tenures.iter().map(|(term, tenure)| {
        stored(TENURES, ordered(*term), tenure.as_ref().map(|tenure| Row::Tenure(tenure.into())))
    });
    let sealed = changes
        .sealed
        .iter()
        .map(|file| stored(SEALED, ordered(file.number), Some(Row::Sealed(file.into()))));
    let audits = changes.audits.iter().map(|(serial, record)| {
        stored(AUDITS, ordered(serial.0), record.as_ref().map(|record| Row::Record(record.into())))
    });
    let scripts = changes.scripts.iter().map(|(sha, script)| {
        stored(SCRIPTS, sha.as_bytes().into(), script.as_ref().map(|script| Row::Script(script_row(script))))
    });
    // Nothing of before is there where everything is written anew, and the parts of an order never become fewer.
    let old_parts = if changes.everything { 0 } else { PARTS_MAX };
    let configured = changes.configured.iter();
    let configured =
        configured.flat_map(move |it| long(CONFIGURATION, 0, configuration_parts(it), old_parts));
    let trading = changes.trading.iter();
    let trading = trading.flat_map(move |it| long(TRADING, 0, trading_parts(it), old_parts));
    let orders = changes.orders.iter().flat_map(|(id, order)| match order {
        Some(order) => long(ORDERS, id.0.0, order_parts(order), 0),
        None => long(ORDERS, id.0.0, std::iter::empty(), PARTS_MAX),
    });
    let tombstones = changes.tombstones.iter().map(|(key, row)| {
        let row = row.as_ref().map(|row| Row::Tombstone(tombstone_row(key, row)));
        stored(TOMBSTONES, strategy_key_bytes(key), row)
    });
    std::iter::once(stored(HEAD, Vec::new(), Some(head)))
        .chain(keys)
        .chain(outcomes)
        .chain(tenures)
        .chain(sealed)
        .chain(audits)
        .chain(scripts)
        .chain(configured)
        .chain(trading)
        .chain(orders)
        .chain(tombstones)
}

/// The parts of a row, in place of up to so many that it had before.
fn long(
    table: &'static str,
    id: u64,
    parts: impl Iterator<Item = log::LongRow>,
    old_parts: u32,
) -> Vec<StoredRow> {
    let rows = parts.map(|part| stored(table, part_key(id, part.part), Some(Row::Long(part))));
    let mut rows: Vec<StoredRow> = rows.collect();
    let written = u32::try_from(rows.len()).expect("a row is no longer than memory");
    rows.extend((written..old_parts).map(|part| stored(table, part_key(id, part), None)));
    rows
}

fn part_key(id: u64, part: u32) -> Vec<u8> {
    [&id.to_be_bytes()[..], &part.to_be_bytes()].concat()
}

fn stored(table: &'static str, key: Vec<u8>, row: Option<Row>) -> StoredRow {
    let value = row.map(|row| log::Row { row: Some(row) }.encode_length_delimited_to_vec());
    StoredRow { table, key, value }
}

// Keys are compared as bytes, and must then have the order of what they stand for.

fn key_bytes(key: &Key) -> Vec<u8> {
    [&[key.database], &key.name[..]].concat()
}

fn id_bytes(id: RequestId) -> Vec<u8> {
    match id {
        RequestId::Client(id) => [&[0], &id[..]].concat(),
        RequestId::Node { incarnation, sequence } => {
            [&[1], &incarnation.to_be_bytes()[..], &sequence.to_be_bytes()].concat()
        }
    }
}

/// No name holds the byte between the two.
fn strategy_key_bytes((strategy, key): &StrategyKey) -> Vec<u8> {
    [strategy.as_str().as_bytes(), &[0], key.as_str().as_bytes()].concat()
}

fn ordered(number: u64) -> Vec<u8> {
    number.to_be_bytes().into()
}
