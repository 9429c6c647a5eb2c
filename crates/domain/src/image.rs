//! The state laid out flat, for snapshots and restarts: what `State` holds, without what can be computed from it.

use std::sync::Arc;

use crate::checkpoint::Checkpoint;
use crate::history::HistoryRecord;
use crate::once::Remembered;
use crate::orders::Tag;
use crate::orders::table::Row;
use crate::orders::tombstone::{StrategyKey, Tombstone};
use crate::shelf::Shelved;
use crate::trading::configuration::Configuration;
use crate::trading::counters::Counters;
use crate::trading::reconciled::Reconciled;
use crate::trading::switch::Switches;
use crate::{
    Digest, Entry, Epoch, Key, LogTime, Members, RequestId, Script, SealedHistory, Serial, Tenure, Traces,
};

/// Everything in a `State`. [`State::image`](crate::State::image) and
/// [`State::from_image`](crate::State::from_image) are inverse, and keep the digest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    pub epoch: Epoch,
    pub serial: Serial,
    pub now: LogTime,
    pub keys: Vec<(Key, Entry)>,
    /// `None` before the first transaction with a guard.
    pub traces: Option<Traces>,
    pub outcomes: Vec<(RequestId, Remembered)>,
    pub members: Members,
    pub tenures: Vec<Tenure>,
    pub checkpoint: Checkpoint,
    pub sealed: Vec<SealedHistory>,
    pub tail: Vec<HistoryRecord>,
    pub chain: u128,
    pub scripts: Vec<Script>,
    /// When all that had been loaded were last flushed; 0: never.
    pub scripts_flushed: Serial,
    /// `None` before the first configuration.
    pub configured: Option<Configured>,
    pub trading: TradingRecords,
    pub orders: Vec<Row>,
    pub tombstones: Vec<(StrategyKey, Tombstone)>,
}

/// What has been set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configured {
    pub tag: Tag,
    pub configuration: Arc<Configuration>,
}

/// What has been switched, reconciled and counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TradingRecords {
    pub switches: Switches,
    pub reconciled: Reconciled,
    pub counters: Counters,
}

/// A state as it was at one moment, to be laid out while `apply` goes on.
#[derive(Clone, Debug)]
pub struct Frozen {
    /// All but the outcomes, of which there may be ten times as many as of everything else.
    pub(crate) image: Image,
    pub(crate) outcomes: Shelved<(RequestId, Remembered)>,
}

impl Frozen {
    pub fn image(self) -> Image {
        let mut outcomes: Vec<_> = self.outcomes.rows().cloned().collect();
        outcomes.sort_unstable_by_key(|(id, _)| *id);
        Image { outcomes, ..self.image }
    }
}

/// An image whose parts do not fit each other, or whose digest is not the one recorded with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongDigest {
    pub recorded: Digest,
    pub computed: Digest,
}

impl std::fmt::Display for WrongDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the state has digest {} but {} was recorded with it", self.computed, self.recorded)
    }
}

impl std::error::Error for WrongDigest {}
