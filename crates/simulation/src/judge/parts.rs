//! What an operation is made of, for the checkers that look for an order.
//!
//! Most are one part. An answer of the lease service to a command that had run before is two: the run, of which is
//! told at most whether it granted, and a later look at the lease. A refused renewal does not say whether it had run
//! before, so a run may precede its look. A refused operation has no part, and neither has a read without an answer.

use super::history::{Call, Operation, Outcome, Reply};
use super::model::{State, Told};

#[derive(Debug)]
pub(crate) struct Part<'a> {
    /// The place of its operation in the history.
    pub(crate) operation: usize,
    pub(crate) call: &'a Call,
    pub(crate) told: Told<'a>,
    pub(crate) invoked_ns: u64,
    /// `None`: it may take effect at any time after, or never.
    pub(crate) returned_ns: Option<u64>,
    /// Its place in the order of all commands; of a look it is not known.
    pub(crate) serial: Option<u64>,
    pub(crate) duty: Duty,
    /// It can never change its key, so there is no reason to wait once it fits.
    pub(crate) only_looks: bool,
    /// It belongs to this run of the same operation; if that must be done, it comes first.
    pub(crate) follows: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duty {
    Must,
    May,
}

impl Part<'_> {
    pub(crate) fn step(&self, state: &State) -> Option<State> {
        state.step(self.call, self.invoked_ns, self.told)
    }

    pub(crate) fn must(&self) -> bool {
        self.duty == Duty::Must
    }
}

/// The parts of these operations of one key, in the order of their invocations.
pub(crate) fn parts<'a>(operations: &'a [Operation], places: &[usize]) -> Vec<Part<'a>> {
    let mut places = places.to_vec();
    places.sort_by_key(|place| operations[*place].invoked_ns);
    let mut parts = Vec::with_capacity(places.len());
    for place in places {
        add(&mut parts, place, &operations[place]);
    }
    parts
}

fn add<'a>(parts: &mut Vec<Part<'a>>, place: usize, operation: &'a Operation) {
    let call = &operation.call;
    let part = |told, duty| Part {
        operation: place,
        call,
        told,
        invoked_ns: operation.invoked_ns,
        returned_ns: operation.returned_ns(),
        serial: operation.serial(),
        duty,
        only_looks: false,
        follows: None,
    };
    let (reply, at_ns, repeated) = match &operation.outcome {
        Outcome::Refused { .. } => return,
        Outcome::Unknown if call.is_read() => return,
        Outcome::Unknown => return parts.push(part(Told::Nothing, Duty::May)),
        Outcome::Returned { reply, at_ns, repeated, .. } => (reply, *at_ns, *repeated),
    };
    let (run, duty) = match reply {
        Reply::Acquired(lease) | Reply::Renewed(lease) if repeated => {
            (Told::Granted { token: lease.token }, Duty::Must)
        }
        Reply::NotAcquired(_) if repeated => (Told::Nothing, Duty::Must),
        // A refusal has no place in the order, where what must have run would need one.
        Reply::NotHeld(_) if repeated => (Told::Nothing, Duty::May),
        _ => {
            let only_looks = reply.denies(call);
            return parts.push(Part { only_looks, ..part(Told::Answered { reply, at_ns }, Duty::Must) });
        }
    };
    let before = parts.len();
    parts.push(part(run, duty));
    let look = part(Told::Looked { reply, at_ns }, Duty::Must);
    parts.push(Part { only_looks: true, serial: None, follows: Some(before), ..look });
}
