//! Which accounts are known to be as they are at their venue.

use std::collections::BTreeMap;

use crate::AccountId;
use crate::digest::Feed;

/// The last term in which each account was reconciled. A change of leadership is a new term, and closes all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reconciled {
    pub terms: BTreeMap<AccountId, u64>,
}

impl Reconciled {
    /// In this term, and none since.
    pub fn is_in(&self, account: &AccountId, term: u64) -> bool {
        self.terms.get(account) == Some(&term)
    }

    /// The greatest term counts, so a repetition is harmless.
    pub fn record(&mut self, account: AccountId, term: u64) {
        let last = self.terms.entry(account).or_default();
        *last = term.max(*last);
    }

    /// Drops the accounts that are no longer `kept`.
    pub fn retain(&mut self, kept: impl Fn(&AccountId) -> bool) {
        self.terms.retain(|account, _| kept(account));
    }

    pub(crate) fn feed(&self, feed: &mut Feed) {
        feed.u64(self.terms.len() as u64);
        for (account, term) in &self.terms {
            feed.bytes(account.as_str().as_bytes()).u64(*term);
        }
    }
}
