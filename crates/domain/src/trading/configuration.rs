//! All venues, accounts and strategies of a desk, replaced as a whole and checked as a whole.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::digest::Feed;
use crate::limits::{NAME_BYTES_MAX, RECORD_BYTES};
use crate::trading::account::Account;
use crate::trading::limits::Limits;
use crate::trading::scope::{LimitKey, Owner, Subject};
use crate::trading::strategy::Strategy;
use crate::trading::venue::{Instrument, Venue};
use crate::{AccountId, StrategyId, Symbol, VenueId};

mod draft;

/// A configuration as it came in, with whatever is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    pub venues: Vec<Venue>,
    pub accounts: Vec<Account>,
    pub strategies: Vec<Strategy>,
    /// By how many minutes the trading day is ahead of that of UTC. It is a fixed distance, because rules of summer time change
    /// and differ between the tables of machines.
    pub day_offset_minutes: i32,
}

impl Draft {
    /// No less than its encoded size.
    pub(crate) fn bytes(&self) -> usize {
        let limits = |by_symbol: &BTreeMap<Symbol, Limits>| (1 + by_symbol.len()) * RECORD_BYTES;
        let venues = self.venues.iter().map(|venue| (1 + venue.symbols.len()) * 2 * RECORD_BYTES);
        let accounts = self.accounts.iter().map(|account| {
            let lease = account.lease.as_ref().map_or(0, |lease| lease.as_str().len());
            RECORD_BYTES + lease + limits(&account.symbol_limits)
        });
        let strategies = self.strategies.iter().map(|strategy| {
            let names = strategy.accounts.len() + strategy.symbols.len();
            let names = names * (NAME_BYTES_MAX + 4) + strategy.lease.as_str().len();
            RECORD_BYTES + names + limits(&strategy.symbol_limits)
        });
        venues.sum::<usize>() + accounts.sum::<usize>() + strategies.sum::<usize>()
    }
}

/// What is wrong with a draft, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// As in `strategies.mm.symbol_limits.BTCUSDT.quantity_max`. Empty: in the whole.
    pub at: String,
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.at.is_empty() { f.write_str(&self.what) } else { write!(f, "{}: {}", self.at, self.what) }
    }
}

impl std::error::Error for Problem {}

/// Which configuration it is: the same for the same, and another for any other. What is set back to what it was has its old
/// revision again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revision(pub u128);

/// 32 hexadecimal digits.
impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Why a text is no revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotARevision;

impl fmt::Display for NotARevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a revision: 32 hexadecimal digits")
    }
}

impl std::error::Error for NotARevision {}

impl FromStr for Revision {
    type Err = NotARevision;

    fn from_str(text: &str) -> Result<Self, NotARevision> {
        // The parser alone would also take a sign, and fewer digits.
        let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = is_hex.then(|| u128::from_str_radix(text, 16).ok()).flatten();
        number.map(Self).ok_or(NotARevision)
    }
}

/// A day of the desk, by its number since 1970-01-01.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub i64);

/// A configuration with which nothing is wrong. It does not change; there is another one then.
///
/// Invariants are what [`Draft::check`] finds the want of: every name that is named is that of a record, every number is one
/// that can be reckoned with, and nobody has two names or two records one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    venues: BTreeMap<VenueId, Venue>,
    accounts: BTreeMap<AccountId, Account>,
    strategies: BTreeMap<StrategyId, Strategy>,
    day_offset_minutes: i32,
    /// Of all of it: thousands of records are fed once, and not at each look.
    fingerprint: u128,
}

/// No venue, no account, no strategy: nobody may trade.
impl Default for Configuration {
    fn default() -> Self {
        Self::try_from(Draft::default()).expect("nothing is wrong with nothing")
    }
}

impl TryFrom<Draft> for Configuration {
    type Error = Vec<Problem>;

    fn try_from(draft: Draft) -> Result<Self, Vec<Problem>> {
        let problems = draft.check();
        if !problems.is_empty() {
            return Err(problems);
        }
        let Draft { venues, accounts, strategies, day_offset_minutes } = draft;
        let mut configuration = Self {
            venues: venues.into_iter().map(|it| (it.id.clone(), it)).collect(),
            accounts: accounts.into_iter().map(|it| (it.id.clone(), it)).collect(),
            strategies: strategies.into_iter().map(|it| (it.id.clone(), it)).collect(),
            day_offset_minutes,
            fingerprint: 0,
        };
        configuration.fingerprint = configuration.reckon();
        Ok(configuration)
    }
}

impl Configuration {
    /// Whence it came, in the order of names.
    pub fn draft(&self) -> Draft {
        Draft {
            venues: self.venues.values().cloned().collect(),
            accounts: self.accounts.values().cloned().collect(),
            strategies: self.strategies.values().cloned().collect(),
            day_offset_minutes: self.day_offset_minutes,
        }
    }

    pub fn venues(&self) -> impl Iterator<Item = &Venue> {
        self.venues.values()
    }

    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    pub fn strategies(&self) -> impl Iterator<Item = &Strategy> {
        self.strategies.values()
    }

    pub fn venue(&self, id: &VenueId) -> Option<&Venue> {
        self.venues.get(id)
    }

    pub fn account(&self, id: &AccountId) -> Option<&Account> {
        self.accounts.get(id)
    }

    pub fn strategy(&self, id: &StrategyId) -> Option<&Strategy> {
        self.strategies.get(id)
    }

    pub fn instrument(&self, venue: &VenueId, symbol: &Symbol) -> Option<&Instrument> {
        self.venues.get(venue)?.symbols.get(symbol)
    }

    pub fn revision(&self) -> Revision {
        Revision(self.fingerprint)
    }

    pub fn day_offset_minutes(&self) -> i32 {
        self.day_offset_minutes
    }

    /// The limits that stand at this place, if any do.
    pub fn limits(&self, key: &LimitKey) -> Option<&Limits> {
        let (all, by_symbol) = match &key.owner {
            Owner::Account(id) => self.accounts.get(id).map(|it| (&it.limits, &it.symbol_limits))?,
            Owner::Strategy(id) => self.strategies.get(id).map(|it| (&it.limits, &it.symbol_limits))?,
        };
        key.symbol.as_ref().map_or(Some(all), |symbol| by_symbol.get(symbol))
    }

    /// Whether there is what a switch would cover, so that a slip of the hand is told to whoever switches. Traders are not
    /// configured: anybody may be one.
    pub fn knows(&self, subject: &Subject) -> bool {
        match subject {
            Subject::All | Subject::Trader(_) => true,
            Subject::Venue(id) => self.venues.contains_key(id),
            Subject::Account(id) => self.accounts.contains_key(id),
            Subject::Strategy(id) => self.strategies.contains_key(id),
            Subject::Symbol(symbol) => self.venues.values().any(|venue| venue.symbols.contains_key(symbol)),
        }
    }

    /// The desk's day at an instant of a wall clock, in milliseconds since 1970. The leader names it in the command that begins
    /// it.
    pub fn day_at(&self, wall_ms: i64) -> Day {
        let offset_ms = i64::from(self.day_offset_minutes) * 60 * 1000;
        Day(wall_ms.saturating_add(offset_ms).div_euclid(24 * 60 * 60 * 1000))
    }

    pub(crate) fn feed(&self, feed: &mut Feed) {
        feed.u128(self.fingerprint);
    }

    /// The revision. It is part of the format of the log: a command says by it which configuration it replaces, so two releases that
    /// reckoned differently would do different things at the same entry. Another way to feed any record is another format.
    fn reckon(&self) -> u128 {
        let mut feed = Feed::new("configuration");
        let Self { venues, accounts, strategies, day_offset_minutes, fingerprint: _ } = self;
        feed.i64((*day_offset_minutes).into());
        for len in [venues.len(), accounts.len(), strategies.len()] {
            feed.u64(len as u64);
        }
        venues.values().for_each(|it| it.feed(&mut feed));
        accounts.values().for_each(|it| it.feed(&mut feed));
        strategies.values().for_each(|it| it.feed(&mut feed));
        feed.finish()
    }
}
