//! What is kept for people: the history, tenures, sealed history files, digest reports.

use std::sync::Arc;

use bytes::Bytes;
use domain::command::Audit;
use domain::{HistoryRecord, LogTime, NodeId, Recorded, SealedHistory, Serial, Tenure};
use prost::Message;

use crate::error::{known, message, required, u128_of};
use crate::{DecodeError, log};

/// One record of a history file. A file holds each behind its length and checksum, which `store` adds.
pub fn encode_history_record(record: &HistoryRecord) -> Bytes {
    log::HistoryRecord::from(record).encode_to_vec().into()
}

/// The inverse of [`encode_history_record`].
pub fn decode_history_record(bytes: &[u8]) -> Result<HistoryRecord, DecodeError> {
    message::<log::HistoryRecord>("HistoryRecord", bytes)?.try_into()
}

impl From<&HistoryRecord> for log::HistoryRecord {
    fn from(record: &HistoryRecord) -> Self {
        use log::history_record::What;
        let HistoryRecord { serial, term, time, what } = record;
        let what = match what {
            Recorded::Audit(audit) => What::Audit(audit.into()),
            Recorded::Order(order) => What::Order((&**order).into()),
        };
        Self { serial: serial.0, term: *term, time_ns: time.as_ns(), what: Some(what) }
    }
}

impl TryFrom<log::HistoryRecord> for HistoryRecord {
    type Error = DecodeError;

    fn try_from(record: log::HistoryRecord) -> Result<Self, DecodeError> {
        use log::history_record::What;
        let log::HistoryRecord { serial, term, time_ns, what } = record;
        let what = match required("HistoryRecord.what", what)? {
            What::Audit(audit) => Recorded::Audit(audit.into()),
            What::Order(order) => Recorded::Order(Arc::new(order.try_into()?)),
        };
        Ok(Self { serial: Serial(serial), term, time: LogTime::from_ns(time_ns), what })
    }
}

impl From<&Audit> for log::Audit {
    fn from(audit: &Audit) -> Self {
        let Audit { wall_ms, actor, action, subject, reason } = audit.clone();
        Self { wall_ms, actor, action, subject, reason }
    }
}

impl From<log::Audit> for Audit {
    fn from(audit: log::Audit) -> Self {
        let log::Audit { wall_ms, actor, action, subject, reason } = audit;
        Self { wall_ms, actor, action, subject, reason }
    }
}

pub(crate) fn audit_of(what: &'static str, audit: Option<log::Audit>) -> Result<Box<Audit>, DecodeError> {
    Ok(Box::new(required(what, audit)?.into()))
}

impl From<&SealedHistory> for log::SealedHistory {
    fn from(sealed: &SealedHistory) -> Self {
        let SealedHistory { number, first, last, records, chain } = *sealed;
        Self { number, first: first.0, last: last.0, records, chain: u128_bytes(chain) }
    }
}

impl TryFrom<log::SealedHistory> for SealedHistory {
    type Error = DecodeError;

    fn try_from(sealed: log::SealedHistory) -> Result<Self, DecodeError> {
        let log::SealedHistory { number, first, last, records, chain } = sealed;
        let chain = u128_of("SealedHistory.chain", &chain)?;
        Ok(Self { number, first: Serial(first), last: Serial(last), records, chain })
    }
}

/// A digest or a chain as it goes into a message.
pub(crate) fn u128_bytes(value: u128) -> Bytes {
    Bytes::copy_from_slice(&value.to_be_bytes())
}

impl From<&Tenure> for log::Tenure {
    fn from(tenure: &Tenure) -> Self {
        Self {
            term: tenure.term,
            node: tenure.node.0,
            from: tenure.from.map(|node| node.0),
            cause: log::Cause::from(tenure.cause).into(),
            detected_ms: tenure.detected_ms,
            elected_ms: tenure.elected_ms,
            applied_ms: tenure.applied_ms,
            reconciled_ms: tenure.reconciled_ms,
            active_ms: tenure.active_ms,
            wall_ms: tenure.wall_ms,
        }
    }
}

impl TryFrom<log::Tenure> for Tenure {
    type Error = DecodeError;

    fn try_from(tenure: log::Tenure) -> Result<Self, DecodeError> {
        Ok(Self {
            term: tenure.term,
            node: NodeId(tenure.node),
            from: tenure.from.map(NodeId),
            cause: known::<log::Cause>("Tenure.cause", tenure.cause)?.into(),
            detected_ms: tenure.detected_ms,
            elected_ms: tenure.elected_ms,
            applied_ms: tenure.applied_ms,
            reconciled_ms: tenure.reconciled_ms,
            active_ms: tenure.active_ms,
            wall_ms: tenure.wall_ms,
        })
    }
}

impl From<domain::Cause> for log::Cause {
    fn from(cause: domain::Cause) -> Self {
        match cause {
            domain::Cause::Start => Self::Start,
            domain::Cause::Crash => Self::Crash,
            domain::Cause::Timeout => Self::Timeout,
            domain::Cause::Transfer => Self::Transfer,
            domain::Cause::Drain => Self::Drain,
        }
    }
}

impl From<log::Cause> for domain::Cause {
    fn from(cause: log::Cause) -> Self {
        match cause {
            log::Cause::Start => Self::Start,
            log::Cause::Crash => Self::Crash,
            log::Cause::Timeout => Self::Timeout,
            log::Cause::Transfer => Self::Transfer,
            log::Cause::Drain => Self::Drain,
        }
    }
}

pub(crate) fn report_digest(node: NodeId, checkpoint: u64, digest: u128) -> log::ReportDigest {
    log::ReportDigest { node: node.0, checkpoint, digest: u128_bytes(digest) }
}
