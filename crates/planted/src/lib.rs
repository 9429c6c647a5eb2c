//! Bugs that are planted on purpose: a simulation that finds none of them has proven nothing.
//!
//! A site in the code reads `if planted::is(Bug::X)`. Without the feature `on` that is the constant `false`, and nothing
//! of it stays in the program; the product asserts that [`ON`] is false. With it, at most one bug is active, chosen by `plant`
//! once at the start of a process. A bug is one that a careful author could have written, and breaks a promise that
//! clients or operators can see.

use std::fmt;
use std::str::FromStr;

/// Whether this build can plant anything.
pub const ON: bool = cfg!(feature = "on");

macro_rules! bugs {
    ($($(#[$doc:meta])* $bug:ident = $name:literal,)+) => {
        /// A bug, by the rule that it breaks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Bug {
            $($(#[$doc])* $bug,)+
        }

        impl Bug {
            pub const ALL: &[Self] = &[$(Self::$bug,)+];

            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$bug => $name,)+
                }
            }
        }
    };
}

bugs! {
    // The log, and what lies beside it.
    /// The log says that entries are durable before they are synced.
    AckBeforeSync = "ack-before-sync",
    /// A vote is answered before it is synced.
    VoteNotSynced = "vote-not-synced",
    /// Recovery cuts a good write together with the torn one behind it.
    TailCutTooMuch = "tail-cut-too-much",
    /// A snapshot counts, and the log below it goes, before its file is durable.
    PurgeBeforeSnapshot = "purge-before-snapshot",
    /// A snapshot leaves out which commands ran, and is consistent in itself.
    SnapshotWithoutOutcomes = "snapshot-without-outcomes",
    /// The state store may lead the log, and is believed whatever it holds.
    StateStoreTrusted = "state-store-trusted",

    // Reads.
    /// A read takes the result of a quorum round that began before it came.
    ReadJoinsOlderRound = "read-joins-older-round",
    /// A node that believes to lead serves reads without a quorum round.
    ServeByAge = "serve-by-age",
    /// A read looks before its index is applied.
    ReadBeforeApplied = "read-before-applied",
    /// A voter's answer to one quorum round counts for every later one of the term.
    AnswerOfAnyRound = "answer-of-any-round",
    /// A new leader takes the index of a read before it has applied an entry of its own term.
    IndexBeforeOwnEntry = "index-before-own-entry",

    // Time.
    /// The stopwatch of a term that is over goes on in the next one that this node leads.
    StopwatchGoesOn = "stopwatch-goes-on",
    /// A new leader counts on from its own stopwatch instead of the log's time.
    OwnTimeBase = "own-time-base",
    /// The stopwatch is the wall clock.
    WallClockDecides = "wall-clock-decides",

    // What a command does.
    /// Tokens are made of log indices, of which all commands of an entry share one.
    TokenFromIndex = "token-from-index",
    /// A key that another owner takes over keeps its token.
    TokenKept = "token-kept",
    /// A renewal is answered with the new end and keeps the old one.
    EndNotProlonged = "end-not-prolonged",
    /// What a command did is forgotten while copies of it are still on their way.
    OutcomesTrimmed = "outcomes-trimmed",

    // Orders.
    /// A token that was good once is good as long as anybody holds the lease.
    OldTokenTrades = "old-token-trades",
    /// A key under another token is taken for that of another order.
    PayloadHoldsToken = "payload-holds-token",
    /// What is told of an order that has ended is not taken in any more.
    LateFillIgnored = "late-fill-ignored",

    // The way of a command.
    /// A command that is sent again gets a new id.
    ForwardedUnderNewId = "forwarded-under-new-id",
    /// A sending without an answer counts as one that was refused.
    UnknownToldAsRefused = "unknown-told-as-refused",
}

/// Whether this bug is the active one.
#[cfg(not(feature = "on"))]
#[inline(always)]
pub const fn is(_: Bug) -> bool {
    false
}

/// Whether this bug is the active one.
#[cfg(feature = "on")]
pub fn is(bug: Bug) -> bool {
    ACTIVE.get() == Some(&bug)
}

#[cfg(feature = "on")]
static ACTIVE: std::sync::OnceLock<Bug> = std::sync::OnceLock::new();

/// Makes this bug the active one, for the rest of the process.
#[cfg(feature = "on")]
pub fn plant(bug: Bug) {
    assert_eq!(*ACTIVE.get_or_init(|| bug), bug, "one bug at a time");
}

/// No bug has this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown(String);

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = Bug::ALL.iter().map(|bug| bug.name()).collect();
        write!(f, "there is no bug {}; there are {}", self.0, names.join(", "))
    }
}

impl std::error::Error for Unknown {}

impl FromStr for Bug {
    type Err = Unknown;

    fn from_str(name: &str) -> Result<Self, Unknown> {
        Self::ALL.iter().copied().find(|bug| bug.name() == name).ok_or_else(|| Unknown(name.to_owned()))
    }
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_of_one_bug() {
        for bug in Bug::ALL {
            assert_eq!(bug.name().parse(), Ok(*bug));
        }
        assert!("ack".parse::<Bug>().is_err());
    }

    #[test]
    fn nothing_is_planted_by_itself() {
        assert!(!Bug::ALL.iter().any(|bug| is(*bug)));
    }
}
