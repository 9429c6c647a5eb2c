//! The state in a snapshot: one head, then a row for each key, outcome, tenure, sealed history file, record of the history's
//! open end and script, then what is set of who may trade, what has been switched and counted, and a row for each order and each
//! tombstone of one, in that order, each behind its length, packed into blocks.
//!
//! What is decoded has its rows in order, none twice and none missing. Whether it is the state that was encoded
//! is for [`domain::State::from_image`] to say, by the digest that came with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use domain::image::TradingRecords;
use domain::once::Remembered;
use domain::orders::Order;
use domain::orders::tombstone::StrategyKey;
use domain::{
    Checkpoint, Digest, Entry, Epoch, Image, Key, LogTime, Members, NodeId, Outcome, RequestId, RowCounts,
    Script, Serial,
};
use prost::Message;

use crate::ascending::{ascending, ascending_set};
use crate::error::{required, u128_of};
use crate::key::{bytes_of, key_of, token_of, value_of};
use crate::log::row::Row;
use crate::long::{LongDecoder, Whole, configuration_parts, order_parts, trading_parts};
use crate::order::row::{tombstone_of, tombstone_row};
use crate::outcome::outcome_parts;
use crate::record::{report_digest, u128_bytes};
use crate::trading::configuration::configured_of;
use crate::trading::record::trading_of;
use crate::value::{value_from, value_parts};
use crate::{DecodeError, log};

/// A block is closed before the row that would make it longer than this, so only a row that is longer by itself
/// makes a longer block. Large enough that the cost of a block is lost in its bytes; small enough for one message.
pub const BLOCK_BYTES: usize = 256 * 1024;

/// The blocks of a snapshot of `image`, made one at a time.
pub fn encode_state(image: &Image, digest: Digest) -> impl Iterator<Item = Bytes> + Send + '_ {
    let head = std::iter::once_with(move || Row::Head(head(image, image.into(), digest)));
    let keys = image.keys.iter().map(|(key, entry)| Row::Key(key_row(key, entry)));
    let outcomes = image.outcomes.iter().map(|(id, row)| Row::Outcome(outcome_row(*id, row)));
    let tenures = image.tenures.iter().map(|tenure| Row::Tenure(tenure.into()));
    let sealed = image.sealed.iter().map(|sealed| Row::Sealed(sealed.into()));
    let records = image.tail.iter().map(|record| Row::Record(record.into()));
    let scripts = image.scripts.iter().map(|script| Row::Script(script_row(script)));
    let of_leases =
        head.chain(keys).chain(outcomes).chain(tenures).chain(sealed).chain(records).chain(scripts);
    let configured = image.configured.iter().flat_map(configuration_parts);
    let trading = Some(&image.trading).filter(|records| **records != TradingRecords::default());
    let trading = trading.into_iter().flat_map(trading_parts);
    let orders = image.orders.iter().flat_map(|order| order_parts(order));
    let tombstones = image.tombstones.iter().map(|(key, row)| Row::Tombstone(tombstone_row(key, row)));
    let long = configured.chain(trading).chain(orders).map(Row::Long);
    pack(of_leases.chain(long).chain(tombstones))
}

fn pack(rows: impl Iterator<Item = Row> + Send) -> impl Iterator<Item = Bytes> + Send {
    let mut rows = rows.map(|row| log::Row { row: Some(row) }).peekable();
    std::iter::from_fn(move || {
        let mut block = BytesMut::new();
        while let Some(row) = rows.next_if(|row| block.is_empty() || block.len() + framed(row) <= BLOCK_BYTES)
        {
            row.encode_length_delimited(&mut block).expect("a BytesMut grows as needed");
        }
        (!block.is_empty()).then(|| block.freeze())
    })
}

fn framed(row: &log::Row) -> usize {
    let length = row.encoded_len();
    length + prost::length_delimiter_len(length)
}

pub(crate) fn head(image: &Image, counts: RowCounts, digest: Digest) -> log::Head {
    let Members { voters, learners, known } = &image.members;
    let Checkpoint { index, reports } = &image.checkpoint;
    let ids = |nodes: &BTreeSet<NodeId>| nodes.iter().map(|node| node.0).collect();
    log::Head {
        epoch: image.epoch.get().into(),
        serial: image.serial.0,
        now_ns: image.now.as_ns(),
        digest: u128_bytes(digest.0),
        voters: ids(voters),
        learners: ids(learners),
        known: ids(known),
        checkpoint_index: *index,
        reports: reports.iter().map(|(node, digest)| report_digest(*node, *index, *digest)).collect(),
        history_chain: u128_bytes(image.chain),
        counts: Some(row_counts(counts)),
        traces: image.traces.as_ref().map(Into::into),
        scripts_flushed: image.scripts_flushed.0,
    }
}

fn row_counts(counts: RowCounts) -> log::RowCounts {
    let RowCounts { keys, outcomes, tenures, sealed, audits, scripts, orders, tombstones } = counts;
    log::RowCounts {
        keys: keys as u64,
        outcomes: outcomes as u64,
        tenures: tenures as u64,
        sealed: sealed as u64,
        audits: audits as u64,
        scripts: scripts as u64,
        orders: orders as u64,
        tombstones: tombstones as u64,
    }
}

pub(crate) fn key_row(key: &Key, entry: &Entry) -> log::KeyRow {
    let Entry { value, token, revision, end, ttl_ms } = entry;
    let (value, collection) = value_parts(value);
    log::KeyRow {
        key: Some(key.into()),
        value,
        token: token.as_u64(),
        revision: revision.0,
        end_ns: end.map(LogTime::as_ns),
        ttl_ms: *ttl_ms,
        collection,
    }
}

pub(crate) fn outcome_row(id: RequestId, row: &Remembered) -> log::OutcomeRow {
    let Remembered { made, answer, until } = row;
    let outcome = Some(outcome_parts(*made, false, answer));
    log::OutcomeRow { id: Some(id.into()), outcome, until_ns: until.as_ns() }
}

pub(crate) fn script_row(script: &Script) -> log::ScriptRow {
    log::ScriptRow { source: bytes_of(script.source()) }
}

/// Puts an image together again, block by block. After an error it is of no more use.
///
/// Invariants:
/// * The head comes first and once; the kinds of row after it come in their order.
/// * Keys, the ids of outcomes and of orders, the names of scripts and the keys of tombstones strictly ascend, so that none can
///   stand for two rows.
/// * No two orders have one key.
#[derive(Debug, Default)]
pub struct StateDecoder {
    /// What the head said; `None` before it.
    head: Option<(Digest, log::RowCounts)>,
    /// The place of the last row's kind.
    rank: u8,
    long: LongDecoder,
    order_keys: BTreeSet<StrategyKey>,
    image: Image,
}

impl StateDecoder {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next block: whole rows, as [`encode_state`] packed them.
    pub fn push(&mut self, mut block: &[u8]) -> Result<(), DecodeError> {
        while !block.is_empty() {
            let row = log::Row::decode_length_delimited(&mut block)
                .map_err(|source| DecodeError::Unreadable { what: "Row", source })?;
            self.row(required("Row.row", row.row)?)?;
        }
        Ok(())
    }

    /// The image, and the digest that it must have.
    pub fn finish(self) -> Result<(Image, Digest), DecodeError> {
        let (digest, announced) = required("Head", self.head)?;
        self.long.finish()?;
        let found = row_counts((&self.image).into());
        if found != announced {
            return Err(DecodeError::new("Head.counts", format!("{announced:?} announced, {found:?} found")));
        }
        Ok((self.image, digest))
    }

    fn row(&mut self, row: Row) -> Result<(), DecodeError> {
        let rank = rank(&row);
        if self.head.is_none() != matches!(row, Row::Head(_)) || rank < self.rank {
            return Err(DecodeError::new("Row", "out of place"));
        }
        self.rank = rank;
        match row {
            Row::Head(head) => self.take_head(head)?,
            Row::Key(row) => {
                let (key, entry) = key_entry(row)?;
                ascending("KeyRow.key", self.image.keys.last().map(|(key, _)| key), &key)?;
                self.image.keys.push((key, entry));
            }
            Row::Outcome(row) => {
                let (id, remembered) = remembered(row)?;
                ascending("OutcomeRow.id", self.image.outcomes.last().map(|(id, _)| id), &id)?;
                self.image.outcomes.push((id, remembered));
            }
            Row::Tenure(tenure) => self.image.tenures.push(tenure.try_into()?),
            Row::Sealed(sealed) => self.image.sealed.push(sealed.try_into()?),
            Row::Record(record) => self.image.tail.push(record.try_into()?),
            Row::Script(log::ScriptRow { source }) => {
                let script = Script::new(value_of(&source));
                ascending("ScriptRow", self.image.scripts.last().map(Script::sha).as_ref(), &script.sha())?;
                self.image.scripts.push(script);
            }
            Row::Long(part) => {
                if let Some(whole) = self.long.push(part)? {
                    self.take_whole(whole)?;
                }
            }
            Row::Tombstone(row) => {
                let (key, tombstone) = tombstone_of(row)?;
                ascending("TombstoneRow.key", self.image.tombstones.last().map(|(key, _)| key), &key)?;
                self.image.tombstones.push((key, tombstone));
            }
        }
        Ok(())
    }

    fn take_whole(&mut self, whole: Whole) -> Result<(), DecodeError> {
        match whole {
            Whole::Configuration(row) => self.image.configured = Some(configured_of(row)?),
            Whole::Trading(row) => self.image.trading = trading_of(row)?,
            Whole::Order(row) => {
                let order = Order::try_from(*row)?;
                let last = self.image.orders.last().map(|order| order.id);
                ascending("OrderRow.id", last.as_ref(), &order.id)?;
                if order.strategy_key().is_some_and(|key| !self.order_keys.insert(key)) {
                    return Err(DecodeError::new("OrderRow.intent", "the key stands for another order"));
                }
                self.image.orders.push(Arc::new(order));
            }
        }
        Ok(())
    }

    fn take_head(&mut self, head: log::Head) -> Result<(), DecodeError> {
        let mut reports = BTreeMap::new();
        for log::ReportDigest { node, checkpoint, digest } in head.reports {
            if checkpoint != head.checkpoint_index {
                return Err(DecodeError::new("Head.reports", "of another checkpoint"));
            }
            ascending("Head.reports", reports.last_key_value().map(|(node, _)| node), &NodeId(node))?;
            reports.insert(NodeId(node), u128_of("ReportDigest.digest", &digest)?);
        }
        self.head =
            Some((Digest(u128_of("Head.digest", &head.digest)?), required("Head.counts", head.counts)?));
        self.image = Image {
            epoch: epoch_of("Head.epoch", head.epoch)?,
            serial: Serial(head.serial),
            now: LogTime::from_ns(head.now_ns),
            traces: head.traces.map(TryInto::try_into).transpose()?,
            scripts_flushed: Serial(head.scripts_flushed),
            members: Members {
                voters: nodes("Head.voters", head.voters)?,
                learners: nodes("Head.learners", head.learners)?,
                known: nodes("Head.known", head.known)?,
            },
            checkpoint: Checkpoint { index: head.checkpoint_index, reports },
            chain: u128_of("Head.history_chain", &head.history_chain)?,
            ..Image::default()
        };
        Ok(())
    }
}

pub(crate) fn epoch_of(what: &'static str, epoch: u32) -> Result<Epoch, DecodeError> {
    let known = u16::try_from(epoch).ok().and_then(Epoch::new);
    known.ok_or_else(|| DecodeError::new(what, format!("{epoch} is too great")))
}

fn rank(row: &Row) -> u8 {
    match row {
        Row::Head(_) => 0,
        Row::Key(_) => 1,
        Row::Outcome(_) => 2,
        Row::Tenure(_) => 3,
        Row::Sealed(_) => 4,
        Row::Record(_) => 5,
        Row::Script(_) => 6,
        Row::Long(_) => 7,
        Row::Tombstone(_) => 8,
    }
}

fn nodes(what: &'static str, ids: Vec<u64>) -> Result<BTreeSet<NodeId>, DecodeError> {
    ascending_set(what, ids.into_iter().map(|id| Ok(NodeId(id))))
}

fn key_entry(row: log::KeyRow) -> Result<(Key, Entry), DecodeError> {
    let log::KeyRow { key, value, token, revision, end_ns, ttl_ms, collection } = row;
    let entry = Entry {
        value: value_from(&value, collection)?,
        token: token_of("KeyRow.token", token)?,
        revision: Serial(revision),
        end: end_ns.map(LogTime::from_ns),
        ttl_ms,
    };
    Ok((key_of("KeyRow.key", key)?, entry))
}

fn remembered(row: log::OutcomeRow) -> Result<(RequestId, Remembered), DecodeError> {
    let log::OutcomeRow { id, outcome, until_ns } = row;
    let Outcome { made, repeated, answer } = required("OutcomeRow.outcome", outcome)?.try_into()?;
    if repeated {
        return Err(DecodeError::new("OutcomeRow.outcome", "a repetition is not remembered"));
    }
    let remembered = Remembered { made, answer, until: LogTime::from_ns(until_ns) };
    Ok((required("OutcomeRow.id", id)?.try_into()?, remembered))
}
