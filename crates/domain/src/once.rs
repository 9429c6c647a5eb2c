//! A command sent twice runs once.
//!
//! Invariants:
//! * A name in the table ran, and its row holds what it did.
//! * A row stays until no copy of its command can still be applied: a node's own until its `valid_until`, a
//!   client's for [`CLIENT_OUTCOME_MS`] after it ran (the client repeats for 30 s, a copy lives 10 s).
//! * `bytes` is the sum of [`Remembered::bytes`] over all rows.

use std::collections::{BTreeMap, BTreeSet};

use planted::Bug;

use crate::changes::Touched;
use crate::digest::{Feed, Sum};
use crate::limits::{
    CLIENT_OUTCOME_MS, ELEMENT_BYTES, INNER_ANSWER_BYTES, OUTCOME_BYTES, OUTCOMES_BYTES_MAX, OUTCOMES_MAX,
    OUTCOMES_RESERVED,
};
use crate::shelf::{Place, Shelf, Shelved};
use crate::{Answer, LogTime, Made, Once, RequestId};

/// What a command did, until when it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    pub made: Made,
    pub answer: Answer,
    pub until: LogTime,
}

impl Remembered {
    /// What it counts for against [`OUTCOMES_BYTES_MAX`].
    pub fn bytes(&self) -> usize {
        OUTCOME_BYTES + self.answer.value_bytes()
    }
}

/// The rows stand on a shelf in the order in which they came, so that a look at all of them costs `apply` next to
/// nothing; the maps only say where.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcomes {
    rows: Shelf<(RequestId, Remembered)>,
    by_id: BTreeMap<RequestId, Place>,
    by_end: BTreeSet<(LogTime, Place)>,
    bytes: usize,
    sum: Sum,
    pub(crate) touched: Touched<RequestId>,
}

impl Outcomes {
    pub(crate) fn get(&self, id: RequestId) -> Option<&Remembered> {
        self.by_id.get(&id).map(|place| &self.rows.get(*place).1)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether so many more, which answer without a value, would be remembered. What a command answers is known only
    /// when it has run, so the last answers may exceed the limit by their values.
    pub(crate) fn has_room(&self, more: usize) -> bool {
        self.len() + more <= OUTCOMES_MAX && self.bytes + more * OUTCOME_BYTES <= OUTCOMES_BYTES_MAX
    }

    /// The same for what stops trading, which answers without a value: room is kept for it.
    pub(crate) fn has_room_for_stops(&self, more: usize) -> bool {
        self.len() + more <= OUTCOMES_MAX + OUTCOMES_RESERVED
    }

    /// All rows as they are now, in no order.
    pub(crate) fn freeze(&self) -> Shelved<(RequestId, Remembered)> {
        self.rows.freeze()
    }

    pub(crate) fn remember(&mut self, once: Once, now: LogTime, made: Made, answer: Answer) {
        let until = match once.id {
            _ if planted::is(Bug::OutcomesTrimmed) => now.plus_ms(100),
            // Nodes give a command far less than that to live; whatever they give, its copies die first.
            RequestId::Client(_) => now.plus_ms(CLIENT_OUTCOME_MS).max(once.valid_until),
            RequestId::Node { .. } => once.valid_until,
        };
        self.insert(once.id, Remembered { made, answer, until });
    }

    pub(crate) fn insert(&mut self, id: RequestId, remembered: Remembered) {
        self.touched.note(&id);
        self.sum.add(row(id, &remembered));
        self.bytes += remembered.bytes();
        let until = remembered.until;
        // Those of clients are kept four times as long: by themselves, so that neither keeps a board for the other.
        let place = self.rows.put(usize::from(matches!(id, RequestId::Client(_))), (id, remembered));
        self.by_end.insert((until, place));
        let before = self.by_id.insert(id, place);
        assert!(before.is_none(), "a command ran twice under the id {id:?}");
    }

    /// Forgets what no copy can ask for any more.
    pub(crate) fn forget_until(&mut self, now: LogTime) {
        while let Some(&(until, place)) = self.by_end.first()
            && until <= now
        {
            self.by_end.pop_first();
            let (id, remembered) = self.rows.get(place);
            self.touched.note(id);
            self.sum.remove(row(*id, remembered));
            self.bytes -= remembered.bytes();
            assert!(self.by_id.remove(id).is_some(), "both maps hold the same places");
            self.rows.remove(place);
        }
    }

    pub(crate) fn sum(&self) -> Sum {
        self.sum
    }
}

fn row(id: RequestId, remembered: &Remembered) -> u128 {
    let mut feed = Feed::new("outcome");
    match id {
        RequestId::Client(id) => feed.u64(0).u128(u128::from_be_bytes(id)),
        RequestId::Node { incarnation, sequence } => feed.u64(1).u64(incarnation).u64(sequence),
    };
    let Remembered { made, answer, until } = remembered;
    feed.u64(made.serial.0).u64(made.index).u64(made.term).u64(until.as_ns());
    answer.feed(&mut feed);
    feed.finish()
}

impl Answer {
    /// The bytes of the values or the holder in it.
    fn value_bytes(&self) -> usize {
        match self {
            Self::Set { previous: Some(Some(value)), .. } | Self::Value(Some(value)) => value.len(),
            Self::Lease { lease: Some(lease), .. } => lease.holder.len(),
            Self::Values(Some(values)) => values.iter().map(|value| ELEMENT_BYTES + value.len()).sum(),
            Self::Scored(members) => members.iter().map(|(_, member)| ELEMENT_BYTES + member.len()).sum(),
            Self::Order(answer) => answer.bytes(),
            Self::Trading(answer) => answer.bytes(),
            Self::All(answers) => {
                answers.iter().map(|answer| INNER_ANSWER_BYTES + answer.value_bytes()).sum()
            }
            _ => 0,
        }
    }

    fn feed(&self, feed: &mut Feed) {
        match self {
            Self::Done => feed.u64(0),
            Self::Refused(refusal) => feed.u64(1).u64(*refusal as u64),
            Self::Set { written, previous } => {
                feed.u64(2).u64(u64::from(*written));
                match previous {
                    None => feed.u64(0),
                    Some(None) => feed.u64(1),
                    Some(Some(value)) => feed.u64(2).bytes(value),
                }
            }
            Self::Count(count) => feed.u64(3).u64(*count),
            Self::Changed(changed) => feed.u64(4).u64(u64::from(*changed)),
            Self::Value(None) => feed.u64(5),
            Self::Value(Some(value)) => feed.u64(6).bytes(value),
            Self::Integer(integer) => feed.u64(7).i64(*integer),
            Self::Lease { granted, lease } => {
                feed.u64(8).u64(u64::from(*granted));
                match lease {
                    None => feed.u64(0),
                    Some(lease) => feed
                        .u64(1)
                        .bytes(&lease.holder)
                        .u64(lease.token.as_u64())
                        .option(lease.ttl_ms)
                        .option(lease.remaining_ms),
                }
            }
            Self::Node(node) => feed.u64(9).u64(node.0),
            Self::All(answers) => {
                feed.u64(10).u64(answers.len() as u64);
                answers.iter().for_each(|answer| answer.feed(feed));
                feed
            }
            Self::Conflict => feed.u64(11),
            Self::Order(answer) => {
                answer.feed(feed.u64(17));
                feed
            }
            Self::Trading(answer) => {
                answer.feed(feed.u64(18));
                feed
            }
            Self::Values(None) => feed.u64(12),
            Self::Values(Some(values)) => {
                values.iter().fold(feed.u64(13).u64(values.len() as u64), |feed, value| feed.bytes(value))
            }
            Self::Score(None) => feed.u64(14),
            Self::Score(Some(score)) => feed.u64(15).u64(score.get().to_bits()),
            Self::Scored(members) => {
                members.iter().fold(feed.u64(16).u64(members.len() as u64), |feed, (score, member)| {
                    feed.u64(score.get().to_bits()).bytes(member)
                })
            }
        };
    }
}
