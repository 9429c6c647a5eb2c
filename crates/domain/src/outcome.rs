//! What [`State::apply`](crate::State::apply) answers.

use std::sync::Arc;

use crate::orders::command::OrderAnswer;
use crate::trading::command::TradingAnswer;
use crate::{Lease, NodeId, Score, Scored, Serial};

/// The answer to a command, and where it was first made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Where the command first ran. Only an outcome made in the sender's present term may start an act.
    pub made: Made,
    /// The command had run before, under the same id: this is what it did then.
    pub repeated: bool,
    pub answer: Answer,
}

/// The position at which a command ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    pub serial: Serial,
    pub index: u64,
    pub term: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was done and there is nothing to tell.
    Done,
    /// It was not done, and nothing changed.
    Refused(Refusal),
    /// Whether a conditional write took place; `previous` when it was asked for.
    Set {
        written: bool,
        previous: Option<Option<Arc<[u8]>>>,
    },
    /// How many keys, elements of one, or scripts were concerned.
    Count(u64),
    /// Whether the condition held, or it was not so before.
    Changed(bool),
    /// A value, or none because the key is absent.
    Value(Option<Arc<[u8]>>),
    Integer(i64),
    /// Elements that were taken, or none because the key is absent.
    Values(Option<Vec<Arc<[u8]>>>),
    /// The score of a member, or none because it did not get it.
    Score(Option<Score>),
    /// Members that were taken, with their scores.
    Scored(Vec<Scored>),
    /// Whether a lease was acquired, renewed or released, and who holds it now (`None`: it is free).
    Lease {
        granted: bool,
        lease: Option<Lease>,
    },
    /// The id that was reserved.
    Node(NodeId),
    /// What became of what was asked of an order.
    Order(Box<OrderAnswer>),
    /// What became of what was asked of who may trade.
    Trading(Box<TradingAnswer>),
    /// What each action of a transaction answered.
    All(Vec<Answer>),
    /// A guard of the transaction did not hold, and nothing was done.
    Conflict,
}

impl Answer {
    /// Whoever is told this is shown what stands: the node that was asked must have applied it. What an order is in the moment in
    /// which it is authorised is known from the answer, and of what is refused there is nothing to show.
    pub fn is_shown(&self) -> bool {
        let is_enough = |answer: &OrderAnswer| {
            matches!(
                answer,
                OrderAnswer::Authorized { .. } | OrderAnswer::Denied { .. } | OrderAnswer::Refused { .. }
            )
        };
        match self {
            Self::Order(answer) => !is_enough(answer),
            Self::All(answers) => answers.iter().any(|answer| matches!(answer, Self::Order(_))),
            _ => false,
        }
    }
}

/// Why nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its entry was stamped by a leader of another term.
    StaleStamp,
    /// Applied after its `valid_until`. If it was sent more than once, an earlier sending may have run.
    Late,
    /// As many outcomes are remembered as may be: [`limits::OUTCOMES_MAX`](crate::limits::OUTCOMES_MAX), or
    /// [`limits::OUTCOMES_BYTES_MAX`](crate::limits::OUTCOMES_BYTES_MAX).
    Overload,
    /// More keys than [`limits::KEYS_MAX`](crate::limits::KEYS_MAX), or more scripts than
    /// [`limits::SCRIPTS_MAX`](crate::limits::SCRIPTS_MAX) or [`limits::SCRIPTS_BYTES_MAX`](crate::limits::SCRIPTS_BYTES_MAX).
    Full,
    /// The value is not a decimal integer of 64 bits.
    NotAnInteger,
    /// The result would not fit 64 bits.
    Overflow,
    /// A key, value, script, text or list is longer than its limit, or a database does not exist.
    TooLarge,
    /// The length of a lease or of an expiry is out of range.
    InvalidTtl,
    /// A wall-clock end that no leader turned into a length.
    WallClock,
    /// There is no key to be renamed, or to be changed in place.
    NoSuchKey,
    /// A transaction holds an action that neither is on keys, scripts or orders nor publishes.
    NotOnKeys,
    /// The key holds another kind of value than the action is on.
    WrongKind,
    /// There is no element in that place.
    OutOfRange,
    /// The sum of the scores is not a number: they are infinity and its opposite.
    NotANumber,
}

impl Outcome {
    /// The serials that applying it took, besides those of keys that ended by themselves.
    pub fn serials(&self) -> u64 {
        match &self.answer {
            Answer::All(answers) if !self.repeated => 1 + answers.len() as u64,
            _ => 1,
        }
    }
}
