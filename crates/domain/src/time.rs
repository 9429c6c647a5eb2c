//! The clock of the log.
//!
//! A leader reads the log time after applying its own term's blank entry, starts a stopwatch, and stamps each
//! entry. Log time therefore never runs backwards, never jumps with a wall clock, and stands still while there
//! is no leader: a failover lengthens a lease by its own length and never shortens one.

use std::fmt;

/// Nanoseconds of log time since the cluster's first leader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogTime(u64);

const NS_PER_MS: u64 = 1_000_000;

impl LogTime {
    pub const ZERO: Self = Self(0);
    pub const MAX: Self = Self(u64::MAX);

    pub const fn from_ns(ns: u64) -> Self {
        Self(ns)
    }

    pub const fn from_ms(ms: u64) -> Self {
        Self(ms.saturating_mul(NS_PER_MS))
    }

    pub const fn as_ns(self) -> u64 {
        self.0
    }

    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms.saturating_mul(NS_PER_MS)))
    }

    #[must_use]
    pub const fn plus_ns(self, ns: u64) -> Self {
        Self(self.0.saturating_add(ns))
    }

    /// Milliseconds from `now` to this instant, rounded up, so that a lease that lives never shows 0 and a
    /// client never believes in more time than there is by more than the rounding.
    pub const fn remaining_ms(self, now: Self) -> u64 {
        self.0.saturating_sub(now.0).div_ceil(NS_PER_MS)
    }
}

/// What the wall clock of a leader showed when the clock of the log stood at zero, reckoned from one look at both. By it an
/// instant is told that the same leader made a length of; for people, it decides nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WallZero(i64);

impl WallZero {
    /// From both at the same moment, the wall clock in nanoseconds since 1970.
    pub fn new(wall_ns: i64, time: LogTime) -> Self {
        Self(wall_ns.saturating_sub_unsigned(time.0))
    }

    pub const fn from_ns(ns: i64) -> Self {
        Self(ns)
    }

    pub const fn as_ns(self) -> i64 {
        self.0
    }

    /// Milliseconds since 1970 at this log time. A length is made from whole milliseconds, rounded down, and so is this: the
    /// parts of one that were lost then are lost here.
    pub fn wall_ms(self, time: LogTime) -> i64 {
        self.0.saturating_add_unsigned(time.0).div_euclid(NS_PER_MS.cast_signed())
    }
}

impl fmt::Display for LogTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}s", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

/// The time that a leader put on an entry, and the term it led. A stamp of another term than the entry's was
/// measured by a leader that no longer led when its entry was committed: it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub term: u64,
    pub time: LogTime,
}

/// Where in the log a command stands. `offset` counts the commands of one entry from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub index: u64,
    pub offset: u32,
    pub term: u64,
    pub stamp: Option<Stamp>,
}
