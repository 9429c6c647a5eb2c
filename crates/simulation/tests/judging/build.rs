//! Histories by hand: times in milliseconds, tokens of epoch 0, so that a token is the serial of its grant.

use simulation::judge::{Call, Condition, History, Lease, Operation, Outcome, Reply};

pub(crate) fn history(operations: impl IntoIterator<Item = Operation>) -> History {
    History { operations: operations.into_iter().collect() }
}

/// A call on key `k`, answered.
pub(crate) fn done(client: u32, from_ms: u64, to_ms: u64, call: Call, reply: Reply) -> Operation {
    let outcome =
        Outcome::Returned { at_ns: to_ms * 1_000_000, reply, serial: None, index: None, repeated: false };
    Operation { client, node: 1, key: "k".to_owned(), call, invoked_ns: from_ms * 1_000_000, outcome }
}

/// A call on key `k` without an answer.
pub(crate) fn unknown(client: u32, from_ms: u64, call: Call) -> Operation {
    let outcome = Outcome::Unknown;
    Operation { client, node: 1, key: "k".to_owned(), call, invoked_ns: from_ms * 1_000_000, outcome }
}

pub(crate) trait With {
    fn at(self, serial: u64) -> Self;
    fn index(self, index: u64) -> Self;
    fn again(self) -> Self;
    fn key(self, key: &str) -> Self;
}

impl With for Operation {
    fn at(mut self, place: u64) -> Self {
        if let Outcome::Returned { serial, .. } = &mut self.outcome {
            *serial = Some(place);
        }
        self
    }

    fn index(mut self, place: u64) -> Self {
        if let Outcome::Returned { index, .. } = &mut self.outcome {
            *index = Some(place);
        }
        self
    }

    fn again(mut self) -> Self {
        if let Outcome::Returned { repeated, .. } = &mut self.outcome {
            *repeated = true;
        }
        self
    }

    fn key(mut self, key: &str) -> Self {
        key.clone_into(&mut self.key);
        self
    }
}

pub(crate) fn set(value: &str) -> Call {
    Call::Set { value: value.to_owned(), condition: Condition::Always, ttl_ms: None, keep: false }
}

/// A lock over Redis: `SET NX PX`.
pub(crate) fn lock(value: &str, ttl_ms: u64) -> Call {
    let (value, condition) = (value.to_owned(), Condition::IfAbsent);
    Call::Set { value, condition, ttl_ms: Some(ttl_ms), keep: false }
}

pub(crate) fn unlock(value: &str) -> Call {
    Call::CompareAndDelete { value: value.to_owned() }
}

pub(crate) fn value(value: &str) -> Reply {
    Reply::Value(Some(value.to_owned()))
}

pub(crate) const ABSENT: Reply = Reply::Value(None);
pub(crate) const FREE: Reply = Reply::Inspected(None);

pub(crate) fn acquire(holder: &str, ttl_ms: u64) -> Call {
    Call::Acquire { holder: holder.to_owned(), ttl_ms, take_over: false }
}

pub(crate) fn take_over(holder: &str, ttl_ms: u64) -> Call {
    Call::Acquire { holder: holder.to_owned(), ttl_ms, take_over: true }
}

pub(crate) fn renew(holder: &str, token: u64) -> Call {
    Call::Renew { holder: holder.to_owned(), token, ttl_ms: None }
}

pub(crate) fn release(holder: &str, token: u64) -> Call {
    Call::Release { holder: holder.to_owned(), token }
}

/// A lease of 1000 ms.
pub(crate) fn lease(holder: &str, token: u64, remaining_ms: u64) -> Lease {
    let holder = holder.to_owned();
    Lease { holder, token, ttl_ms: Some(1_000), remaining_ms: Some(remaining_ms) }
}

pub(crate) fn acquired(holder: &str, token: u64) -> Reply {
    Reply::Acquired(lease(holder, token, 1_000))
}

pub(crate) fn renewed(holder: &str, token: u64) -> Reply {
    Reply::Renewed(lease(holder, token, 1_000))
}

pub(crate) fn held(holder: &str, token: u64, remaining_ms: u64) -> Reply {
    Reply::Inspected(Some(lease(holder, token, remaining_ms)))
}
