//! An account at a venue: who sends on it, under which lease, and what it may lose.

use std::collections::BTreeMap;

use crate::digest::Feed;
use crate::orders::report::Weight;
use crate::trading::limits::{Limits, feed_limits};
use crate::words::words;
use crate::{AccountId, LeaseName, Symbol, VenueId};

/// An account, as the desk has set it up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    pub venue: VenueId,
    pub mode: AccountMode,
    /// Under which all its strategies trade. `None`: each under its own.
    pub lease: Option<LeaseName>,
    /// How long after its authorisation an order may enter the venue, in milliseconds.
    pub window_ms: u64,
    /// What it counts for when a bot says what became of an order.
    pub bot_reports: Weight,
    /// Whether it must have been compared with its venue in the present term before anything is sent.
    pub reconciliation: bool,
    pub limits: Limits,
    pub symbol_limits: BTreeMap<Symbol, Limits>,
}

/// Who speaks to the venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccountMode {
    /// The cluster sends what bots submit.
    Gateway,
    /// Bots send what the cluster has authorised.
    Direct,
}

words! {
    AccountMode {
        Gateway => "gateway",
        Direct => "direct",
    }
}

impl AccountMode {
    /// Whether an account of this mode must be reconciled if nothing is said of it: nobody but the cluster compares what the
    /// cluster sends, and only bots know what they sent.
    pub fn reconciliation_default(self) -> bool {
        self == Self::Gateway
    }
}

impl Account {
    pub(crate) fn feed(&self, feed: &mut Feed) {
        let Self { id, venue, mode, lease, window_ms, bot_reports, reconciliation, limits, symbol_limits } =
            self;
        feed.bytes(id.as_str().as_bytes()).bytes(venue.as_str().as_bytes());
        feed.bytes(lease.as_ref().map_or("", LeaseName::as_str).as_bytes());
        feed.u64(*mode as u64).u64(*window_ms).u64(*bot_reports as u64).u64((*reconciliation).into());
        feed_limits(limits, symbol_limits, feed);
    }
}
