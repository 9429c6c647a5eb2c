//! What leases and keys mean, one key at a time and one operation after the other. Written apart from `domain`, so
//! that a mistake there is not repeated here.
//!
//! Whoever looks from outside does not know log time. So the model lets a key with an end vanish at any moment that
//! real time allows: not before the invocation of the call that gave the end plus its length, less the drift of
//! clocks; later without a limit, for a failover prolongs it. And the token of a key that no answer has told yet is
//! *untold*: greater than all that were told before, and fixed by the first answer that shows it.

use std::fmt;
use std::sync::Arc;

use super::history::{Call, Condition, Lease, NotHeld, Reply, TimeLeft};

/// How much faster than real time a node's stopwatch may run, in millionths: what the promise of leases allows.
pub const DRIFT_PER_MILLION: u64 = 1_000;

const MILLION: u64 = 1_000_000;
const NS_PER_MS: u64 = 1_000_000;

/// The real time before which a length given by a call that was invoked at `invoked_ns` cannot be over.
pub fn earliest_end_ns(invoked_ns: u64, ttl_ms: u64) -> u64 {
    let ttl_ns = u128::from(ttl_ms) * u128::from(NS_PER_MS);
    let least_ns = ttl_ns * u128::from(MILLION - DRIFT_PER_MILLION) / u128::from(MILLION);
    invoked_ns.saturating_add(u64::try_from(least_ns).unwrap_or(u64::MAX))
}

/// One key.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct State {
    entry: Option<Entry>,
    /// The greatest token that was told; the next one is greater.
    token_last: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    value: Arc<str>,
    /// `None`: untold.
    token: Option<u64>,
    length: Option<Length>,
}

/// The length last given, and when that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Length {
    ttl_ms: u64,
    invoked_ns: u64,
}

/// What is known of the answer to a call.
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    Nothing,
    /// The lease was granted or renewed under this token.
    Granted {
        token: u64,
    },
    /// The answer of this very execution, returned at that time.
    Answered {
        reply: &'a Reply,
        at_ns: u64,
    },
    /// How things were when a call was answered that had run before.
    Looked {
        reply: &'a Reply,
        at_ns: u64,
    },
}

/// What the model answers.
enum Answer {
    Exactly(Reply),
    /// The key as it is afterwards.
    Shows(Shape),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    TimeLeft,
    Acquired,
    NotAcquired,
    Renewed,
    Inspected,
}

impl State {
    /// The state after `call`, or `None` if here it could not be answered as it was.
    pub fn step(&self, call: &Call, invoked_ns: u64, told: Told<'_>) -> Option<Self> {
        if let Told::Looked { reply, at_ns } = told {
            let answer = match reply {
                Reply::Acquired(_) => Answer::Shows(Shape::Acquired),
                Reply::NotAcquired(_) => Answer::Shows(Shape::NotAcquired),
                Reply::Renewed(_) => Answer::Shows(Shape::Renewed),
                _ => Answer::Exactly(Reply::NotHeld(self.not_held(call)?)),
            };
            let mut after = self.clone();
            return after.admits(&answer, reply, at_ns).then_some(after);
        }
        let (mut after, answer) = self.knowing(call, told).run(call, invoked_ns);
        let admitted = match told {
            Told::Nothing | Told::Looked { .. } => true,
            Told::Granted { token } => {
                matches!(answer, Answer::Shows(Shape::Acquired | Shape::Renewed)) && after.learn(token)
            }
            Told::Answered { reply, at_ns } => after.admits(&answer, reply, at_ns),
        };
        admitted.then_some(after)
    }

    /// The earliest real time at which the key may end by itself.
    pub fn earliest_end_ns(&self) -> Option<u64> {
        let length = self.entry.as_ref()?.length?;
        Some(earliest_end_ns(length.invoked_ns, length.ttl_ms))
    }

    /// The key has ended by itself, or was removed.
    #[must_use]
    pub fn ended(&self) -> Self {
        Self { entry: None, token_last: self.token_last }
    }

    /// Whether there is a key whose token no answer has told.
    pub fn is_untold(&self) -> bool {
        self.entry.as_ref().is_some_and(|entry| entry.token.is_none())
    }

    /// Whether `call` is under a token that can never be the key's again.
    pub fn is_past(&self, call: &Call) -> bool {
        let (Call::Renew { token, .. } | Call::Release { token, .. }) = call else { return false };
        let own = self.entry.as_ref().and_then(|entry| entry.token);
        *token <= self.token_last && own != Some(*token)
    }

    /// The key has this token; `false` if it cannot.
    pub fn learn(&mut self, token: u64) -> bool {
        let Some(entry) = &mut self.entry else { return false };
        match entry.token {
            Some(own) => own == token,
            None if token > self.token_last => {
                entry.token = Some(token);
                self.token_last = token;
                true
            }
            None => false,
        }
    }

    /// A success under a token tells that it is the key's.
    fn knowing(&self, call: &Call, told: Told<'_>) -> Self {
        let mut state = self.clone();
        let succeeded = match told {
            Told::Granted { .. } => true,
            Told::Answered { reply, .. } => matches!(reply, Reply::Renewed(_) | Reply::Released),
            Told::Nothing | Told::Looked { .. } => false,
        };
        if let Call::Renew { token, .. } | Call::Release { token, .. } = call
            && succeeded
            && self.is_untold()
        {
            state.learn(*token);
        }
        state
    }

    fn run(&self, call: &Call, invoked_ns: u64) -> (Self, Answer) {
        let length = |ttl_ms| Length { ttl_ms, invoked_ns };
        match call {
            Call::Set { value, condition, ttl_ms, keep } => {
                let holds = match condition {
                    Condition::Always => true,
                    Condition::IfAbsent => self.entry.is_none(),
                    Condition::IfPresent => self.entry.is_some(),
                };
                if !holds {
                    return self.unchanged(Reply::Written(false));
                }
                let kept = self.entry.as_ref().and_then(|entry| entry.length).filter(|_| *keep);
                let after = self.written(value, ttl_ms.map(length).or(kept));
                (after, Answer::Exactly(Reply::Written(true)))
            }
            Call::Get => {
                self.unchanged(Reply::Value(self.entry.as_ref().map(|entry| entry.value.to_string())))
            }
            Call::Delete => (self.ended(), Answer::Exactly(Reply::Removed(self.entry.is_some()))),
            Call::Increment => self.incremented(),
            Call::CompareAndDelete { value } => match self.with_value(value) {
                Some(_) => (self.ended(), Answer::Exactly(Reply::Removed(true))),
                None => self.unchanged(Reply::Removed(false)),
            },
            Call::CompareAndExpire { value, ttl_ms } => match self.with_value(value) {
                None => self.unchanged(Reply::Changed(false)),
                // As in Redis, a length of nothing ends it at once.
                Some(_) if *ttl_ms == 0 => (self.ended(), Answer::Exactly(Reply::Changed(true))),
                Some(entry) => {
                    let entry = Entry { length: Some(length(*ttl_ms)), ..entry.clone() };
                    (self.with(entry), Answer::Exactly(Reply::Changed(true)))
                }
            },
            Call::TimeLeft => (self.clone(), Answer::Shows(Shape::TimeLeft)),
            Call::Acquire { ttl_ms: 0, .. } => self.unchanged(Reply::Failed),
            Call::Acquire { holder, ttl_ms, take_over } => {
                let present = self.entry.as_ref();
                if present.is_some_and(|entry| !(*take_over && *entry.value == **holder)) {
                    return (self.clone(), Answer::Shows(Shape::NotAcquired));
                }
                let after = self.ended().written(holder, Some(length(*ttl_ms)));
                (after, Answer::Shows(Shape::Acquired))
            }
            Call::Renew { ttl_ms, .. } => match (self.not_held(call), ttl_ms, &self.entry) {
                (None, Some(0), _) => self.unchanged(Reply::Failed),
                (None, _, Some(entry)) => {
                    let ttl_ms = ttl_ms.or(entry.length.map(|length| length.ttl_ms));
                    let entry = Entry { length: ttl_ms.map(length), ..entry.clone() };
                    (self.with(entry), Answer::Shows(Shape::Renewed))
                }
                (why, ..) => self.unchanged(Reply::NotHeld(why.unwrap_or(NotHeld::Expired))),
            },
            Call::Release { .. } => match self.not_held(call) {
                None => (self.ended(), Answer::Exactly(Reply::Released)),
                Some(why) => self.unchanged(Reply::NotHeld(why)),
            },
            Call::Inspect => (self.clone(), Answer::Shows(Shape::Inspected)),
        }
    }

    fn unchanged(&self, reply: Reply) -> (Self, Answer) {
        (self.clone(), Answer::Exactly(reply))
    }

    fn with(&self, entry: Entry) -> Self {
        Self { entry: Some(entry), token_last: self.token_last }
    }

    fn with_value(&self, value: &str) -> Option<&Entry> {
        self.entry.as_ref().filter(|entry| *entry.value == *value)
    }

    /// The token stays with the value.
    fn written(&self, value: &str, length: Option<Length>) -> Self {
        let entry = match self.with_value(value) {
            Some(entry) => Entry { length, ..entry.clone() },
            None => Entry { value: value.into(), token: None, length },
        };
        self.with(entry)
    }

    /// An absent key counts as 0; what is there must be a decimal integer, and it keeps its end.
    fn incremented(&self) -> (Self, Answer) {
        let present = match &self.entry {
            None => Some(0),
            Some(entry) => entry.value.parse::<i64>().ok().filter(|n| n.to_string() == *entry.value),
        };
        let Some(sum) = present.and_then(|present| present.checked_add(1)) else {
            return self.unchanged(Reply::Failed);
        };
        let length = self.entry.as_ref().and_then(|entry| entry.length);
        (self.written(&sum.to_string(), length), Answer::Exactly(Reply::Integer(sum)))
    }

    /// Why a renewal or a release is refused; `None` if it is not.
    fn not_held(&self, call: &Call) -> Option<NotHeld> {
        let (Call::Renew { holder, token, .. } | Call::Release { holder, token }) = call else {
            return None;
        };
        match &self.entry {
            None => Some(NotHeld::Expired),
            Some(entry) if *entry.value != **holder => Some(NotHeld::NotHolder),
            Some(entry) if entry.token != Some(*token) => Some(NotHeld::Fenced),
            Some(_) => None,
        }
    }

    /// Whether `reply` is this answer; a token that it tells for the first time is learned.
    fn admits(&mut self, answer: &Answer, reply: &Reply, at_ns: u64) -> bool {
        let shape = match answer {
            Answer::Exactly(own) => return own == reply,
            Answer::Shows(shape) => *shape,
        };
        match (shape, reply) {
            (Shape::TimeLeft, Reply::TimeLeft(left)) => match (left, &self.entry) {
                (TimeLeft::Absent, entry) => entry.is_none(),
                (TimeLeft::Endless, entry) => entry.as_ref().is_some_and(|entry| entry.length.is_none()),
                (TimeLeft::Ms(ms), entry) => {
                    let length = entry.as_ref().and_then(|entry| entry.length);
                    length.is_some_and(|length| length.may_leave(*ms, at_ns))
                }
            },
            (Shape::Acquired, Reply::Acquired(lease)) | (Shape::Renewed, Reply::Renewed(lease)) => {
                self.is(Some(lease), at_ns)
            }
            (Shape::NotAcquired, Reply::NotAcquired(lease)) | (Shape::Inspected, Reply::Inspected(lease)) => {
                self.is(lease.as_ref(), at_ns)
            }
            _ => false,
        }
    }

    fn is(&mut self, lease: Option<&Lease>, at_ns: u64) -> bool {
        let (Some(entry), Some(lease)) = (&self.entry, lease) else {
            return self.entry.is_none() && lease.is_none();
        };
        let time_fits = match (entry.length, lease.remaining_ms) {
            (Some(length), Some(ms)) => length.may_leave(ms, at_ns),
            (None, None) => true,
            _ => false,
        };
        let ttl_ms = entry.length.map(|length| length.ttl_ms);
        *entry.value == *lease.holder && ttl_ms == lease.ttl_ms && time_fits && self.learn(lease.token)
    }
}

impl Length {
    /// Whether a read that returned at `at_ns` may have told this remaining time: never more than the length, never
    /// less than what the fastest clock leaves, and at least 1 ms of what lives.
    fn may_leave(self, remaining_ms: u64, at_ns: u64) -> bool {
        let real_ns = u128::from(at_ns.saturating_sub(self.invoked_ns));
        let log_ns = real_ns * u128::from(MILLION) / u128::from(MILLION - DRIFT_PER_MILLION);
        let over_ms = u64::try_from(log_ns.div_ceil(u128::from(NS_PER_MS))).unwrap_or(u64::MAX);
        let least_ms = self.ttl_ms.saturating_sub(over_ms).max(1);
        (least_ms..=self.ttl_ms).contains(&remaining_ms)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(entry) = &self.entry else { return f.write_str("absent") };
        f.write_str(&entry.value)?;
        entry.token.map_or(Ok(()), |token| write!(f, ", token {token}"))?;
        entry.length.map_or(Ok(()), |length| write!(f, ", {} ms", length.ttl_ms))
    }
}
