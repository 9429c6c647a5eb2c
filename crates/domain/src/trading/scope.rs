//! What is covered together: by a switch, and by a limit.

use std::fmt;

use crate::digest::Feed;
use crate::orders::reason::{LimitScope, Scope};
use crate::{AccountId, StrategyId, Symbol, TraderId, VenueId};

/// What a kill switch or a mode covers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    All,
    Venue(VenueId),
    Account(AccountId),
    Strategy(StrategyId),
    Trader(TraderId),
    /// At every venue.
    Symbol(Symbol),
}

impl Subject {
    pub fn scope(&self) -> Scope {
        match self {
            Self::All => Scope::All,
            Self::Venue(_) => Scope::Venue,
            Self::Account(_) => Scope::Account,
            Self::Strategy(_) => Scope::Strategy,
            Self::Trader(_) => Scope::Trader,
            Self::Symbol(_) => Scope::Symbol,
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::All => "",
            Self::Venue(id) => id.as_str(),
            Self::Account(id) => id.as_str(),
            Self::Strategy(id) => id.as_str(),
            Self::Trader(id) => id.as_str(),
            Self::Symbol(id) => id.as_str(),
        }
    }

    pub(crate) fn feed(&self, feed: &mut Feed) {
        feed.u64(self.scope() as u64).bytes(self.name().as_bytes());
    }
}

/// `all`, or the kind and the name: `venue sim`.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str(Scope::All.as_str()),
            _ => write!(f, "{} {}", self.scope(), self.name()),
        }
    }
}

/// Who has a limit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    Account(AccountId),
    Strategy(StrategyId),
}

/// What a limit counts together: all that its owner trades, or one symbol of it. A symbol of the same name is the same at
/// every venue of a strategy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LimitKey {
    pub owner: Owner,
    pub symbol: Option<Symbol>,
}

impl LimitKey {
    /// All that count an order: four, or two if it is not known which strategy it is of.
    pub fn all(account: &AccountId, strategy: Option<&StrategyId>, symbol: &Symbol) -> Vec<Self> {
        let owners = [Some(Owner::Account(account.clone())), strategy.cloned().map(Owner::Strategy)];
        let keys = owners.into_iter().flatten().flat_map(|owner| {
            [None, Some(symbol.clone())].map(|symbol| Self { owner: owner.clone(), symbol })
        });
        keys.collect()
    }

    pub fn scope(&self) -> LimitScope {
        match (&self.owner, &self.symbol) {
            (Owner::Account(_), None) => LimitScope::Account,
            (Owner::Account(_), Some(_)) => LimitScope::AccountSymbol,
            (Owner::Strategy(_), None) => LimitScope::Strategy,
            (Owner::Strategy(_), Some(_)) => LimitScope::StrategySymbol,
        }
    }

    pub(crate) fn feed(&self, feed: &mut Feed) {
        let owner = match &self.owner {
            Owner::Account(id) => id.as_str(),
            Owner::Strategy(id) => id.as_str(),
        };
        feed.u64(self.scope() as u64).bytes(owner.as_bytes());
        feed.bytes(self.symbol.as_ref().map_or("", Symbol::as_str).as_bytes());
    }
}
