//! Rows that may be long, in parts: what is set of who may trade, what has been counted, and orders with many fills. A store
//! holds values of a limited length, and a snapshot blocks of one.

use bytes::{Bytes, BytesMut};
use domain::image::{Configured, TradingRecords};
use domain::orders::Order;
use prost::Message;

use crate::error::{known, message};
use crate::log::{LongRow, LongRowKind};
use crate::trading::configuration::configuration_row;
use crate::trading::record::trading_row;
use crate::{DecodeError, log};

/// Longest part, in bytes: with its name and what goes around it, below what a state store takes.
pub(crate) const PART_BYTES: usize = 60 * 1024;

/// Most parts that a row was ever seen to need, and twice as many: as far as old ones are looked for.
pub(crate) const PARTS_MAX: u32 = 64;

pub(crate) fn configuration_parts(configured: &Configured) -> impl Iterator<Item = LongRow> + use<> {
    parts(LongRowKind::Configuration, 0, configuration_row(configured).encode_to_vec())
}

pub(crate) fn trading_parts(records: &TradingRecords) -> impl Iterator<Item = LongRow> + use<> {
    parts(LongRowKind::Trading, 0, trading_row(records).encode_to_vec())
}

pub(crate) fn order_parts(order: &Order) -> impl Iterator<Item = LongRow> + use<> {
    parts(LongRowKind::Order, order.id.0.0, log::OrderRow::from(order).encode_to_vec())
}

fn parts(kind: LongRowKind, id: u64, whole: Vec<u8>) -> impl Iterator<Item = LongRow> + use<> {
    let whole = Bytes::from(whole);
    let count = whole.len().div_ceil(PART_BYTES).max(1);
    let parts = u32::try_from(count).expect("a row is no longer than memory");
    (0..parts).map(move |part| {
        let from = part as usize * PART_BYTES;
        let bytes = whole.slice(from..whole.len().min(from + PART_BYTES));
        LongRow { kind: kind.into(), id, part, parts, bytes }
    })
}

/// A row whose parts have all come.
pub(crate) enum Whole {
    Configuration(log::ConfigurationRow),
    Trading(log::TradingRow),
    Order(Box<log::OrderRow>),
}

/// Puts the parts of one row after the other together.
#[derive(Debug, Default)]
pub(crate) struct LongDecoder {
    /// Of the row whose parts are coming: kind, id and number of parts, and how many have come.
    open: Option<(LongRowKind, u64, u32, u32)>,
    bytes: BytesMut,
    last: Option<LongRowKind>,
}

impl LongDecoder {
    /// The row, with its last part.
    pub(crate) fn push(&mut self, row: LongRow) -> Result<Option<Whole>, DecodeError> {
        let LongRow { kind, id, part, parts, bytes } = row;
        let kind = known::<LongRowKind>("LongRow.kind", kind)?;
        let expected = self.open.unwrap_or((kind, id, parts, 0));
        // Of orders there are many; of the others one each.
        let follows = self.last < Some(kind) || kind == LongRowKind::Order;
        if expected != (kind, id, parts, part) || part >= parts || !follows {
            return Err(DecodeError::new("LongRow", "out of place"));
        }
        self.bytes.extend_from_slice(&bytes);
        if part + 1 < parts {
            self.open = Some((kind, id, parts, part + 1));
            return Ok(None);
        }
        (self.open, self.last) = (None, Some(kind));
        let whole = self.bytes.split();
        Ok(Some(match kind {
            LongRowKind::Unspecified => return Err(DecodeError::new("LongRow.kind", "unspecified")),
            LongRowKind::Configuration => Whole::Configuration(message("ConfigurationRow", &whole)?),
            LongRowKind::Trading => Whole::Trading(message("TradingRow", &whole)?),
            LongRowKind::Order => {
                let row: log::OrderRow = message("OrderRow", &whole)?;
                if row.id != id {
                    return Err(DecodeError::new("OrderRow.id", "not that of its parts"));
                }
                Whole::Order(Box::new(row))
            }
        }))
    }

    /// No row is left open.
    pub(crate) fn finish(&self) -> Result<(), DecodeError> {
        if self.open.is_none() { Ok(()) } else { Err(DecodeError::new("LongRow", "parts are missing")) }
    }
}
