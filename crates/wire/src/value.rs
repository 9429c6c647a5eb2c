//! What keys hold, and what may be done to their elements.

use std::sync::Arc;

use bytes::Bytes;
use domain::{
    Alteration, Hash, HashChange, List, ListChange, Score, ScoreBound, ScoreRange, Scored, Set, SetChange,
    SortedSet, SortedSetChange, Value,
};

use crate::error::{known, required};
use crate::key::{all_bytes_of, bytes_of, value_of, values_of};
use crate::log::alter::Alteration as Kind;
use crate::log::key_row::Collection;
use crate::{DecodeError, log};

/// The bytes of a string, or the elements of anything else.
pub(crate) fn value_parts(value: &Value) -> (Bytes, Option<Collection>) {
    let collection = match value {
        Value::String(value) => return (bytes_of(value), None),
        Value::Hash(hash) => Collection::Hash(log::Hash {
            fields: hash.iter().map(|(name, value)| field(name, value)).collect(),
        }),
        Value::List(list) => Collection::List(log::List { elements: all_bytes_of(list.elements()) }),
        Value::Set(set) => Collection::Set(log::Members {
            members: set.iter().map(|(member, ())| bytes_of(member)).collect(),
        }),
        Value::SortedSet(set) => {
            Collection::SortedSet(log::SortedSet { members: set.ranked().iter().map(scored).collect() })
        }
    };
    (Bytes::new(), Some(collection))
}

/// The inverse of [`value_parts`]: a value that has two encodings would have two digests, too.
pub(crate) fn value_from(string: &Bytes, collection: Option<Collection>) -> Result<Value, DecodeError> {
    let Some(collection) = collection else { return Ok(Value::String(value_of(string))) };
    let (value, is_whole): (Value, _) = match collection {
        Collection::Hash(log::Hash { fields }) => {
            let hash: Hash = fields.iter().map(pair).collect();
            let is_whole = hash.len() == fields.len() && !hash.is_empty();
            (hash.into(), is_whole)
        }
        Collection::List(log::List { elements }) => {
            (values_of(&elements).into_iter().collect::<List>().into(), !elements.is_empty())
        }
        Collection::Set(log::Members { members }) => {
            let set: Set = members.iter().map(|member| (value_of(member), ())).collect();
            let is_whole = set.len() == members.len() && !set.is_empty();
            (set.into(), is_whole)
        }
        Collection::SortedSet(log::SortedSet { members }) => {
            let members = members.iter().map(scored_of).collect::<Result<Vec<_>, _>>()?;
            let set: SortedSet = members.iter().cloned().collect();
            let is_whole = set.ranked() == members && !members.is_empty();
            (set.into(), is_whole)
        }
    };
    if is_whole && string.is_empty() {
        Ok(value)
    } else {
        Err(DecodeError::new("KeyRow.collection", "empty, repeated, out of order, or beside a string"))
    }
}

impl From<&Alteration> for Kind {
    fn from(alteration: &Alteration) -> Self {
        match alteration {
            Alteration::Hash(change) => change.into(),
            Alteration::List(change) => change.into(),
            Alteration::Set(change) => change.into(),
            Alteration::SortedSet(change) => change.into(),
        }
    }
}

impl From<&HashChange> for Kind {
    fn from(change: &HashChange) -> Self {
        match change {
            HashChange::Set { fields, if_absent } => Self::HashSet(log::HashSet {
                fields: fields.iter().map(|(name, value)| field(name, value)).collect(),
                if_absent: *if_absent,
            }),
            HashChange::Remove { fields } => {
                Self::HashRemove(log::HashRemove { fields: all_bytes_of(fields) })
            }
            HashChange::Increment { field, by } => {
                Self::HashIncrement(log::HashIncrement { field: bytes_of(field), by: *by })
            }
        }
    }
}

impl From<&ListChange> for Kind {
    fn from(change: &ListChange) -> Self {
        match change {
            ListChange::Push { side, elements, if_present } => Self::ListPush(log::ListPush {
                side: log::Side::from(*side).into(),
                elements: all_bytes_of(elements),
                if_present: *if_present,
            }),
            ListChange::Pop { side, count } => {
                Self::ListPop(log::ListPop { side: log::Side::from(*side).into(), count: *count })
            }
            ListChange::Remove { element, count } => {
                Self::ListRemove(log::ListRemove { element: bytes_of(element), count: *count })
            }
            ListChange::Set { index, element } => {
                Self::ListSet(log::ListSet { index: *index, element: bytes_of(element) })
            }
            ListChange::Trim { start, stop } => Self::ListTrim(log::ListTrim { start: *start, stop: *stop }),
        }
    }
}

impl From<&SetChange> for Kind {
    fn from(change: &SetChange) -> Self {
        match change {
            SetChange::Add { members } => Self::SetAdd(log::SetAdd { members: all_bytes_of(members) }),
            SetChange::Remove { members } => {
                Self::SetRemove(log::SetRemove { members: all_bytes_of(members) })
            }
        }
    }
}

impl From<&SortedSetChange> for Kind {
    fn from(change: &SortedSetChange) -> Self {
        match change {
            SortedSetChange::Add { members, condition, counts_changed } => {
                Self::SortedSetAdd(log::SortedSetAdd {
                    members: members.iter().map(scored).collect(),
                    condition: log::ScoreCondition::from(*condition).into(),
                    counts_changed: *counts_changed,
                })
            }
            SortedSetChange::Increment { member, by, condition } => {
                Self::SortedSetIncrement(log::SortedSetIncrement {
                    member: bytes_of(member),
                    by: by.get(),
                    condition: log::ScoreCondition::from(*condition).into(),
                })
            }
            SortedSetChange::Remove { members } => {
                Self::SortedSetRemove(log::SortedSetRemove { members: all_bytes_of(members) })
            }
            SortedSetChange::RemoveByScore { range: ScoreRange { min, max } } => {
                let (min, max) = (Some((*min).into()), Some((*max).into()));
                Self::SortedSetRemoveByScore(log::SortedSetRemoveByScore { min, max })
            }
            SortedSetChange::RemoveByRank { start, stop } => {
                Self::SortedSetRemoveByRank(log::SortedSetRemoveByRank { start: *start, stop: *stop })
            }
            SortedSetChange::Pop { greatest, count } => {
                Self::SortedSetPop(log::SortedSetPop { greatest: *greatest, count: *count })
            }
        }
    }
}

impl TryFrom<Kind> for Alteration {
    type Error = DecodeError;

    fn try_from(kind: Kind) -> Result<Self, DecodeError> {
        Ok(match kind {
            Kind::HashSet(log::HashSet { fields, if_absent }) => {
                Self::Hash(HashChange::Set { fields: fields.iter().map(pair).collect(), if_absent })
            }
            Kind::HashRemove(log::HashRemove { fields }) => {
                Self::Hash(HashChange::Remove { fields: values_of(&fields) })
            }
            Kind::HashIncrement(log::HashIncrement { field, by }) => {
                Self::Hash(HashChange::Increment { field: value_of(&field), by })
            }
            Kind::ListPush(log::ListPush { side, elements, if_present }) => Self::List(ListChange::Push {
                side: known::<log::Side>("ListPush.side", side)?.into(),
                elements: values_of(&elements),
                if_present,
            }),
            Kind::ListPop(log::ListPop { side, count }) => {
                Self::List(ListChange::Pop { side: known::<log::Side>("ListPop.side", side)?.into(), count })
            }
            Kind::ListRemove(log::ListRemove { element, count }) => {
                Self::List(ListChange::Remove { element: value_of(&element), count })
            }
            Kind::ListSet(log::ListSet { index, element }) => {
                Self::List(ListChange::Set { index, element: value_of(&element) })
            }
            Kind::ListTrim(log::ListTrim { start, stop }) => Self::List(ListChange::Trim { start, stop }),
            Kind::SetAdd(log::SetAdd { members }) => {
                Self::Set(SetChange::Add { members: values_of(&members) })
            }
            Kind::SetRemove(log::SetRemove { members }) => {
                Self::Set(SetChange::Remove { members: values_of(&members) })
            }
            Kind::SortedSetAdd(log::SortedSetAdd { members, condition, counts_changed }) => {
                Self::SortedSet(SortedSetChange::Add {
                    members: members.iter().map(scored_of).collect::<Result<_, _>>()?,
                    condition: known::<log::ScoreCondition>("SortedSetAdd.condition", condition)?.into(),
                    counts_changed,
                })
            }
            Kind::SortedSetIncrement(log::SortedSetIncrement { member, by, condition }) => {
                Self::SortedSet(SortedSetChange::Increment {
                    member: value_of(&member),
                    by: score_of(by)?,
                    condition: known::<log::ScoreCondition>("SortedSetIncrement.condition", condition)?
                        .into(),
                })
            }
            Kind::SortedSetRemove(log::SortedSetRemove { members }) => {
                Self::SortedSet(SortedSetChange::Remove { members: values_of(&members) })
            }
            Kind::SortedSetRemoveByScore(log::SortedSetRemoveByScore { min, max }) => {
                let min = required("SortedSetRemoveByScore.min", min)?.try_into()?;
                let max = required("SortedSetRemoveByScore.max", max)?.try_into()?;
                Self::SortedSet(SortedSetChange::RemoveByScore { range: ScoreRange { min, max } })
            }
            Kind::SortedSetRemoveByRank(log::SortedSetRemoveByRank { start, stop }) => {
                Self::SortedSet(SortedSetChange::RemoveByRank { start, stop })
            }
            Kind::SortedSetPop(log::SortedSetPop { greatest, count }) => {
                Self::SortedSet(SortedSetChange::Pop { greatest, count })
            }
        })
    }
}

fn field(name: &[u8], value: &[u8]) -> log::Field {
    log::Field { name: bytes_of(name), value: bytes_of(value) }
}

fn pair(field: &log::Field) -> (Arc<[u8]>, Arc<[u8]>) {
    (value_of(&field.name), value_of(&field.value))
}

impl From<domain::Side> for log::Side {
    fn from(side: domain::Side) -> Self {
        match side {
            domain::Side::Left => Self::Left,
            domain::Side::Right => Self::Right,
        }
    }
}

impl From<log::Side> for domain::Side {
    fn from(side: log::Side) -> Self {
        match side {
            log::Side::Left => Self::Left,
            log::Side::Right => Self::Right,
        }
    }
}

pub(crate) fn scored((score, member): &Scored) -> log::ScoredMember {
    log::ScoredMember { score: score.get(), member: bytes_of(member) }
}

pub(crate) fn scored_of(scored: &log::ScoredMember) -> Result<Scored, DecodeError> {
    Ok((score_of(scored.score)?, value_of(&scored.member)))
}

pub(crate) fn score_of(number: f64) -> Result<Score, DecodeError> {
    Score::new(number).ok_or_else(|| DecodeError::new("score", "not a number"))
}

impl From<ScoreBound> for log::ScoreBound {
    fn from(bound: ScoreBound) -> Self {
        Self { score: bound.score.get(), excluded: bound.excluded }
    }
}

impl TryFrom<log::ScoreBound> for ScoreBound {
    type Error = DecodeError;

    fn try_from(bound: log::ScoreBound) -> Result<Self, DecodeError> {
        Ok(Self { score: score_of(bound.score)?, excluded: bound.excluded })
    }
}

impl From<domain::ScoreCondition> for log::ScoreCondition {
    fn from(condition: domain::ScoreCondition) -> Self {
        match condition {
            domain::ScoreCondition::Always => Self::Always,
            domain::ScoreCondition::IfAbsent => Self::IfAbsent,
            domain::ScoreCondition::IfPresent => Self::IfPresent,
            domain::ScoreCondition::IfGreater => Self::IfGreater,
            domain::ScoreCondition::IfLess => Self::IfLess,
            domain::ScoreCondition::IfPresentAndGreater => Self::IfPresentAndGreater,
            domain::ScoreCondition::IfPresentAndLess => Self::IfPresentAndLess,
        }
    }
}

impl From<log::ScoreCondition> for domain::ScoreCondition {
    fn from(condition: log::ScoreCondition) -> Self {
        match condition {
            log::ScoreCondition::Always => Self::Always,
            log::ScoreCondition::IfAbsent => Self::IfAbsent,
            log::ScoreCondition::IfPresent => Self::IfPresent,
            log::ScoreCondition::IfGreater => Self::IfGreater,
            log::ScoreCondition::IfLess => Self::IfLess,
            log::ScoreCondition::IfPresentAndGreater => Self::IfPresentAndGreater,
            log::ScoreCondition::IfPresentAndLess => Self::IfPresentAndLess,
        }
    }
}
