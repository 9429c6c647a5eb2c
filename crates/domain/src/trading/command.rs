//! What may be asked of the records of trading, and what is answered.

use crate::command::Audit;
use crate::digest::Feed;
use crate::limits::{ELEMENT_BYTES, NAME_BYTES_MAX};
use crate::orders::id::Tag;
use crate::orders::reason::Mode;
use crate::trading::configuration::{Day, Draft, Problem, Revision};
use crate::trading::scope::Subject;
use crate::trading::switch::Switched;
use crate::{AccountId, VenueId};

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TradingAction {
    /// Set all venues, accounts and strategies. The first tag that is set stays. If a revision is expected, only instead of
    /// that one: who looked at another does not overwrite what somebody else has set since.
    Configure { draft: Draft, expected: Option<Revision>, tag: Tag, audit: Box<Audit> },
    /// Allow no orders, or allow them again.
    SetKillSwitch { subject: Subject, engaged: bool, audit: Box<Audit> },
    /// How much trading is allowed. More than what stands only with a reason.
    SetMode { subject: Subject, mode: Mode, audit: Box<Audit> },
    /// Force the breaker of a venue open, or let it be.
    SetBreaker { venue: VenueId, forced_open: bool, audit: Box<Audit> },
    /// An account has been compared with its venue, in this term.
    RecordReconciled { account: AccountId, term: u64 },
    /// Begin a day.
    RollDay(Day),
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TradingAnswer {
    /// So many lines has the difference, and this is what stands now.
    Configured {
        changes: u64,
        revision: Revision,
    },
    /// Nothing was set. The first of what is wrong, at most [`PROBLEMS_MAX`](crate::limits::PROBLEMS_MAX).
    Misconfigured {
        problems: Vec<Problem>,
    },
    Switched(Switched),
    /// There is nothing of this name that could be switched, and nothing of it is.
    Unknown,
    /// Nothing was set: another configuration stands than was expected.
    Stale,
    /// Nothing was switched: it would let more through than what stands, and nobody says why.
    Unexplained,
}

impl TradingAction {
    /// It switches off, or to a mode that allows less than all.
    pub fn stops(&self) -> bool {
        match self {
            Self::SetKillSwitch { engaged, .. } => *engaged,
            Self::SetMode { mode, .. } => *mode != Mode::Normal,
            Self::SetBreaker { forced_open, .. } => *forced_open,
            Self::Configure { .. } | Self::RecordReconciled { .. } | Self::RollDay(_) => false,
        }
    }

    /// No less than its encoded size.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Configure { draft, audit, .. } => draft.bytes() + size_of::<Revision>() + audit.bytes(),
            Self::SetKillSwitch { audit, .. }
            | Self::SetMode { audit, .. }
            | Self::SetBreaker { audit, .. } => 2 * NAME_BYTES_MAX + audit.bytes(),
            Self::RecordReconciled { account, .. } => account.as_str().len(),
            Self::RollDay(_) => 0,
        }
    }

    /// Whether it is to be done also when the disk runs low: what stops trading, and what the cluster itself does.
    pub fn frees(&self) -> bool {
        !matches!(self, Self::Configure { .. })
    }
}

impl TradingAnswer {
    /// What its texts count for in memory.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Misconfigured { problems } => {
                problems.iter().map(|Problem { at, what }| ELEMENT_BYTES + at.len() + what.len()).sum()
            }
            Self::Configured { .. } | Self::Switched(_) | Self::Unknown | Self::Stale | Self::Unexplained => {
                0
            }
        }
    }

    pub(crate) fn feed(&self, feed: &mut Feed) {
        match self {
            Self::Configured { changes, revision } => _ = feed.u64(0).u64(*changes).u128(revision.0),
            Self::Misconfigured { problems } => {
                feed.u64(1).u64(problems.len() as u64);
                for Problem { at, what } in problems {
                    feed.bytes(at.as_bytes()).bytes(what.as_bytes());
                }
            }
            Self::Switched(switched) => _ = feed.u64(2).u64(*switched as u64),
            Self::Unknown => _ = feed.u64(3),
            Self::Stale => _ = feed.u64(4),
            Self::Unexplained => _ = feed.u64(5),
        }
    }
}
