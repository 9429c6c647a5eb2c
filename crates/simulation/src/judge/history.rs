//! What clients asked and what they were answered, as they saw it. Recorded by whoever drives a cluster, judged by
//! the checkers; nothing here knows how a cluster works.
//!
//! Leases and keys are two views of one thing: a lease is a string key with an owner value, a token and an end. So
//! the calls of both protocols stand in one list, and a key may be touched by both.

use std::collections::BTreeMap;
use std::fmt;

/// Operations in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    pub operations: Vec<Operation>,
}

/// One call of one client, about one key. Times are nanoseconds of real time, on one clock for all clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    pub client: u32,
    /// The node that it was sent to.
    pub node: u64,
    pub key: String,
    pub call: Call,
    /// Before the first byte left, at the first sending if it was sent again under the same id.
    pub invoked_ns: u64,
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// `SET`. Without `ttl_ms` and `keep` it has no end; `keep` is `KEEPTTL`.
    Set {
        value: String,
        condition: Condition,
        ttl_ms: Option<u64>,
        keep: bool,
    },
    /// `GET`
    Get,
    /// `DEL`
    Delete,
    /// `INCR`
    Increment,
    /// The lock script that deletes a key if it has this value.
    CompareAndDelete {
        value: String,
    },
    /// The lock script that gives a key a new end if it has this value.
    CompareAndExpire {
        value: String,
        ttl_ms: u64,
    },
    /// `PTTL`
    TimeLeft,
    Acquire {
        holder: String,
        ttl_ms: u64,
        take_over: bool,
    },
    Renew {
        holder: String,
        token: u64,
        ttl_ms: Option<u64>,
    },
    Release {
        holder: String,
        token: u64,
    },
    /// `Get` of the lease service.
    Inspect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    Always,
    /// `NX`
    IfAbsent,
    /// `XX`
    IfPresent,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was executed, and this is the answer.
    Returned {
        at_ns: u64,
        reply: Reply,
        /// Of a write its place in the order of all commands; of a read: of the last command it saw. Only the
        /// lease service tells it, and not with an error.
        serial: Option<u64>,
        /// Of a write the log index of its entry; of a read: up to where the state was applied at least.
        index: Option<u64>,
        /// The node says that it had run before under the same id. The serial is of then, but a lease is shown as
        /// it is now.
        repeated: bool,
    },
    /// Certainly not executed, neither before nor after this.
    Refused { at_ns: u64 },
    /// Perhaps executed, now or later.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Of `Set`: whether the condition held.
    Written(bool),
    /// Of `Get`.
    Value(Option<String>),
    /// Of `Delete` and `CompareAndDelete`: whether a key was removed.
    Removed(bool),
    /// Of `Increment`.
    Integer(i64),
    /// Of `CompareAndExpire`.
    Changed(bool),
    /// Of `TimeLeft`.
    TimeLeft(TimeLeft),
    Acquired(Lease),
    /// Of `Acquire`: the lease as it is instead.
    NotAcquired(Option<Lease>),
    Renewed(Lease),
    Released,
    /// Of `Renew` and `Release`.
    NotHeld(NotHeld),
    /// Of `Inspect`.
    Inspected(Option<Lease>),
    /// The request itself cannot be done, as things are (`INCR` of a text, a length of 0): nothing changed.
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeLeft {
    /// -2
    Absent,
    /// -1
    Endless,
    Ms(u64),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub holder: String,
    pub token: u64,
    /// The length it was last given.
    pub ttl_ms: Option<u64>,
    pub remaining_ms: Option<u64>,
}

/// Why a renewal or a release was refused, by how things are when it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotHeld {
    /// The lease is free.
    Expired,
    /// The same holder has it under another token.
    Fenced,
    NotHolder,
}

/// A token is made of an epoch and of the serial of the command that granted it, in this many lower bits.
const TOKEN_SERIAL_BITS: u32 = 44;

/// The serial that is in a token.
pub fn serial_of_token(token: u64) -> u64 {
    token & ((1 << TOKEN_SERIAL_BITS) - 1)
}

impl History {
    /// The operations of each key, by their places in the history.
    pub fn by_key(&self) -> BTreeMap<&str, Vec<usize>> {
        let mut keys: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (place, operation) in self.operations.iter().enumerate() {
            keys.entry(&operation.key).or_default().push(place);
        }
        keys
    }
}

impl Operation {
    pub fn reply(&self) -> Option<&Reply> {
        match &self.outcome {
            Outcome::Returned { reply, .. } => Some(reply),
            Outcome::Refused { .. } | Outcome::Unknown => None,
        }
    }

    /// When its client had an answer that says what happened.
    pub fn returned_ns(&self) -> Option<u64> {
        match self.outcome {
            Outcome::Returned { at_ns, .. } => Some(at_ns),
            Outcome::Refused { .. } | Outcome::Unknown => None,
        }
    }

    pub fn serial(&self) -> Option<u64> {
        match self.outcome {
            Outcome::Returned { serial, .. } => serial,
            Outcome::Refused { .. } | Outcome::Unknown => None,
        }
    }

    /// The token that its answer shows to be, or to have been until then, this holder's.
    pub fn token_shown(&self) -> Option<(u64, &str)> {
        match (&self.call, self.reply()?) {
            (Call::Release { holder, token }, Reply::Released) => Some((*token, holder)),
            (_, reply) => reply.lease().map(|lease| (lease.token, lease.holder.as_str())),
        }
    }

    /// Whether it was over before `other` began.
    pub fn precedes(&self, other: &Self) -> bool {
        self.returned_ns().is_some_and(|at_ns| at_ns < other.invoked_ns)
    }

    /// Whether it may have changed its key: not a read, and no answer that says otherwise.
    pub fn may_have_changed(&self) -> bool {
        match &self.outcome {
            Outcome::Refused { .. } => false,
            Outcome::Unknown => !self.call.is_read(),
            // A repetition is answered with how things are, not with what it did.
            Outcome::Returned { repeated: true, .. } => !self.call.is_read(),
            Outcome::Returned { reply, .. } => !reply.denies(&self.call),
        }
    }
}

impl Call {
    pub fn is_read(&self) -> bool {
        matches!(self, Self::Get | Self::TimeLeft | Self::Inspect)
    }

    /// Whether it is one of the lease service.
    pub fn is_of_leases(&self) -> bool {
        matches!(self, Self::Acquire { .. } | Self::Renew { .. } | Self::Release { .. } | Self::Inspect)
    }
}

impl Reply {
    /// Whether this answer to `call` says that nothing was changed.
    pub fn denies(&self, call: &Call) -> bool {
        let no = matches!(
            self,
            Self::Written(false)
                | Self::Removed(false)
                | Self::Changed(false)
                | Self::NotAcquired(_)
                | Self::NotHeld(_)
                | Self::Failed
        );
        no || call.is_read()
    }

    /// The lease that it shows.
    pub fn lease(&self) -> Option<&Lease> {
        match self {
            Self::Acquired(lease) | Self::Renewed(lease) => Some(lease),
            Self::NotAcquired(lease) | Self::Inspected(lease) => lease.as_ref(),
            _ => None,
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set { value, condition, ttl_ms, keep } => {
                write!(f, "set {value}")?;
                f.write_str(match condition {
                    Condition::Always => "",
                    Condition::IfAbsent => " if absent",
                    Condition::IfPresent => " if present",
                })?;
                ttl_ms.map_or(Ok(()), |ttl_ms| write!(f, " for {ttl_ms} ms"))?;
                f.write_str(if *keep { " keeping its end" } else { "" })
            }
            Self::Get => f.write_str("get"),
            Self::Delete => f.write_str("delete"),
            Self::Increment => f.write_str("increment"),
            Self::CompareAndDelete { value } => write!(f, "delete if {value}"),
            Self::CompareAndExpire { value, ttl_ms } => write!(f, "expire in {ttl_ms} ms if {value}"),
            Self::TimeLeft => f.write_str("time left"),
            Self::Acquire { holder, ttl_ms, take_over } => {
                let verb = if *take_over { "take over" } else { "acquire" };
                write!(f, "{verb} for {holder}, {ttl_ms} ms")
            }
            Self::Renew { holder, token, ttl_ms } => {
                write!(f, "renew for {holder}, token {token}")?;
                ttl_ms.map_or(Ok(()), |ttl_ms| write!(f, ", {ttl_ms} ms"))
            }
            Self::Release { holder, token } => write!(f, "release by {holder}, token {token}"),
            Self::Inspect => f.write_str("inspect"),
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Written(true) => f.write_str("written"),
            Self::Written(false) => f.write_str("not written"),
            Self::Value(Some(value)) => f.write_str(value),
            Self::Value(None) => f.write_str("absent"),
            Self::Removed(true) => f.write_str("removed"),
            Self::Removed(false) => f.write_str("not removed"),
            Self::Integer(integer) => integer.fmt(f),
            Self::Changed(true) => f.write_str("changed"),
            Self::Changed(false) => f.write_str("not changed"),
            Self::TimeLeft(TimeLeft::Absent) => f.write_str("absent"),
            Self::TimeLeft(TimeLeft::Endless) => f.write_str("endless"),
            Self::TimeLeft(TimeLeft::Ms(ms)) => write!(f, "{ms} ms left"),
            Self::Acquired(lease) => write!(f, "acquired: {lease}"),
            Self::NotAcquired(Some(lease)) => write!(f, "not acquired: {lease}"),
            Self::NotAcquired(None) => f.write_str("not acquired: free"),
            Self::Renewed(lease) => write!(f, "renewed: {lease}"),
            Self::Released => f.write_str("released"),
            Self::NotHeld(NotHeld::Expired) => f.write_str("not held: free"),
            Self::NotHeld(NotHeld::Fenced) => f.write_str("not held: fenced"),
            Self::NotHeld(NotHeld::NotHolder) => f.write_str("not held: another has it"),
            Self::Inspected(Some(lease)) => lease.fmt(f),
            Self::Inspected(None) => f.write_str("free"),
            Self::Failed => f.write_str("failed"),
        }
    }
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, token {}", self.holder, self.token)?;
        match (self.remaining_ms, self.ttl_ms) {
            (Some(remaining_ms), Some(ttl_ms)) => write!(f, ", {remaining_ms} of {ttl_ms} ms"),
            (None, None) => f.write_str(", endless"),
            (remaining_ms, ttl_ms) => write!(f, ", {remaining_ms:?} of {ttl_ms:?} ms"),
        }
    }
}
