//! What a command answered.

use domain::{Lease, Made, NodeId, Serial};

use crate::error::{known, required};
use crate::key::{all_bytes_of, bytes_of, token_of, value_of, values_of};
use crate::value::{score_of, scored, scored_of};
use crate::{DecodeError, log};

impl From<&domain::Outcome> for log::Outcome {
    fn from(outcome: &domain::Outcome) -> Self {
        outcome_parts(outcome.made, outcome.repeated, &outcome.answer)
    }
}

/// An outcome from its parts; a remembered one has no `repeated` of its own.
pub(crate) fn outcome_parts(made: Made, repeated: bool, answer: &domain::Answer) -> log::Outcome {
    let Made { serial, index, term } = made;
    log::Outcome { serial: serial.0, index, term, repeated, answer: Some(answer.into()) }
}

impl TryFrom<log::Outcome> for domain::Outcome {
    type Error = DecodeError;

    fn try_from(outcome: log::Outcome) -> Result<Self, DecodeError> {
        let log::Outcome { serial, index, term, repeated, answer } = outcome;
        let answer = required("Outcome.answer", answer)?.try_into()?;
        Ok(Self { made: Made { serial: Serial(serial), index, term }, repeated, answer })
    }
}

impl From<&domain::Answer> for log::Answer {
    fn from(answer: &domain::Answer) -> Self {
        use log::answer::Answer;
        let answer = match answer {
            domain::Answer::Done => Answer::Done(log::Done {}),
            domain::Answer::Refused(refusal) => Answer::Refused(log::Refusal::from(*refusal).into()),
            domain::Answer::Set { written, previous } => Answer::Set(log::SetAnswer {
                written: *written,
                previous: previous.as_ref().map(|value| value_answer(value.as_deref())),
            }),
            domain::Answer::Count(count) => Answer::Count(*count),
            domain::Answer::Changed(changed) => Answer::Changed(*changed),
            domain::Answer::Value(value) => Answer::Value(value_answer(value.as_deref())),
            domain::Answer::Integer(integer) => Answer::Integer(*integer),
            domain::Answer::Lease { granted, lease } => {
                Answer::Lease(log::LeaseAnswer { granted: *granted, lease: lease.as_ref().map(Into::into) })
            }
            domain::Answer::Node(node) => Answer::Node(node.0),
            domain::Answer::All(answers) => {
                Answer::All(log::AllAnswer { answers: answers.iter().map(Into::into).collect() })
            }
            domain::Answer::Values(values) => Answer::Values(log::ValuesAnswer {
                absent: values.is_none(),
                values: all_bytes_of(values.as_deref().unwrap_or_default()),
            }),
            domain::Answer::Score(score) => {
                Answer::Score(log::ScoreAnswer { score: score.map(|score| score.get()) })
            }
            domain::Answer::Scored(members) => {
                Answer::Scored(log::ScoredAnswer { members: members.iter().map(scored).collect() })
            }
            domain::Answer::Order(answer) => Answer::Order((&**answer).into()),
            domain::Answer::Trading(answer) => Answer::Trading((&**answer).into()),
            domain::Answer::Conflict => Answer::Conflict(log::Conflict {}),
        };
        Self { answer: Some(answer) }
    }
}

impl TryFrom<log::Answer> for domain::Answer {
    type Error = DecodeError;

    fn try_from(answer: log::Answer) -> Result<Self, DecodeError> {
        use log::answer::Answer;
        Ok(match required("Answer.answer", answer.answer)? {
            Answer::Done(log::Done {}) => Self::Done,
            Answer::Refused(refusal) => {
                Self::Refused(known::<log::Refusal>("Answer.refused", refusal)?.try_into()?)
            }
            Answer::Set(log::SetAnswer { written, previous }) => {
                Self::Set { written, previous: previous.map(|value| value.value.as_ref().map(value_of)) }
            }
            Answer::Count(count) => Self::Count(count),
            Answer::Changed(changed) => Self::Changed(changed),
            Answer::Value(value) => Self::Value(value.value.as_ref().map(value_of)),
            Answer::Integer(integer) => Self::Integer(integer),
            Answer::Lease(log::LeaseAnswer { granted, lease }) => {
                Self::Lease { granted, lease: lease.map(TryInto::try_into).transpose()? }
            }
            Answer::Node(node) => Self::Node(NodeId(node)),
            Answer::All(log::AllAnswer { answers }) => {
                Self::All(answers.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?)
            }
            Answer::Values(log::ValuesAnswer { absent, values }) => match (absent, values) {
                (false, values) => Self::Values(Some(values_of(&values))),
                (true, none) if none.is_empty() => Self::Values(None),
                (true, _) => return Err(DecodeError::new("ValuesAnswer.values", "of an absent key")),
            },
            Answer::Score(log::ScoreAnswer { score }) => Self::Score(score.map(score_of).transpose()?),
            Answer::Scored(log::ScoredAnswer { members }) => {
                Self::Scored(members.iter().map(scored_of).collect::<Result<_, _>>()?)
            }
            Answer::Order(answer) => Self::Order(Box::new(answer.try_into()?)),
            Answer::Trading(answer) => Self::Trading(Box::new(answer.try_into()?)),
            Answer::Conflict(log::Conflict {}) => Self::Conflict,
        })
    }
}

fn value_answer(value: Option<&[u8]>) -> log::ValueAnswer {
    log::ValueAnswer { value: value.map(bytes_of) }
}

impl From<&Lease> for log::Lease {
    fn from(lease: &Lease) -> Self {
        let Lease { holder, token, ttl_ms, remaining_ms } = lease;
        Self { holder: bytes_of(holder), token: token.as_u64(), ttl_ms: *ttl_ms, remaining_ms: *remaining_ms }
    }
}

impl TryFrom<log::Lease> for Lease {
    type Error = DecodeError;

    fn try_from(lease: log::Lease) -> Result<Self, DecodeError> {
        let log::Lease { holder, token, ttl_ms, remaining_ms } = lease;
        Ok(Self { holder: value_of(&holder), token: token_of("Lease.token", token)?, ttl_ms, remaining_ms })
    }
}

impl From<domain::Refusal> for log::Refusal {
    fn from(refusal: domain::Refusal) -> Self {
        match refusal {
            domain::Refusal::StaleStamp => Self::StaleStamp,
            domain::Refusal::Late => Self::Late,
            domain::Refusal::Overload => Self::Overload,
            domain::Refusal::Full => Self::Full,
            domain::Refusal::NotAnInteger => Self::NotAnInteger,
            domain::Refusal::Overflow => Self::Overflow,
            domain::Refusal::TooLarge => Self::TooLarge,
            domain::Refusal::InvalidTtl => Self::InvalidTtl,
            domain::Refusal::WallClock => Self::WallClock,
            domain::Refusal::NotOnKeys => Self::NotOnKeys,
            domain::Refusal::WrongKind => Self::WrongKind,
            domain::Refusal::NoSuchKey => Self::NoSuchKey,
            domain::Refusal::OutOfRange => Self::OutOfRange,
            domain::Refusal::NotANumber => Self::NotANumber,
        }
    }
}

impl TryFrom<log::Refusal> for domain::Refusal {
    type Error = DecodeError;

    fn try_from(refusal: log::Refusal) -> Result<Self, DecodeError> {
        Ok(match refusal {
            log::Refusal::Unspecified => return Err(DecodeError::new("Answer.refused", "without a reason")),
            log::Refusal::StaleStamp => Self::StaleStamp,
            log::Refusal::Late => Self::Late,
            log::Refusal::Overload => Self::Overload,
            log::Refusal::Full => Self::Full,
            log::Refusal::NotAnInteger => Self::NotAnInteger,
            log::Refusal::Overflow => Self::Overflow,
            log::Refusal::TooLarge => Self::TooLarge,
            log::Refusal::InvalidTtl => Self::InvalidTtl,
            log::Refusal::WallClock => Self::WallClock,
            log::Refusal::NotOnKeys => Self::NotOnKeys,
            log::Refusal::WrongKind => Self::WrongKind,
            log::Refusal::NoSuchKey => Self::NoSuchKey,
            log::Refusal::OutOfRange => Self::OutOfRange,
            log::Refusal::NotANumber => Self::NotANumber,
        })
    }
}
