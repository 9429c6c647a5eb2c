//! A strategy: what trades, on which accounts, and under which lease.

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::Feed;
use crate::trading::limits::{Limits, feed_limits};
use crate::{AccountId, LeaseName, StrategyId, Symbol};

/// A strategy, as the desk has set it up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strategy {
    pub id: StrategyId,
    /// On which it may trade.
    pub accounts: BTreeSet<AccountId>,
    /// Whoever holds it trades the strategy.
    pub lease: LeaseName,
    /// Which it may trade. Empty: all.
    pub symbols: BTreeSet<Symbol>,
    pub limits: Limits,
    pub symbol_limits: BTreeMap<Symbol, Limits>,
}

impl Strategy {
    pub fn may_trade(&self, symbol: &Symbol) -> bool {
        self.symbols.is_empty() || self.symbols.contains(symbol)
    }

    pub(crate) fn feed(&self, feed: &mut Feed) {
        let Self { id, accounts, lease, symbols, limits, symbol_limits } = self;
        feed.bytes(id.as_str().as_bytes()).bytes(lease.as_str().as_bytes()).u64(accounts.len() as u64);
        for account in accounts {
            feed.bytes(account.as_str().as_bytes());
        }
        feed.u64(symbols.len() as u64);
        for symbol in symbols {
            feed.bytes(symbol.as_str().as_bytes());
        }
        feed_limits(limits, symbol_limits, feed);
    }
}
