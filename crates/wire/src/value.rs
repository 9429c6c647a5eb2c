//! What keys hold, and what may be done to their elements.

use std::sync::Arc;

use bytes::Bytes;
use domain::{Alteration, Hash, HashChange, List, ListChange, Value};

use crate::error::known;
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
    };
    if is_whole && string.is_empty() {
        Ok(value)
    } else {
        Err(DecodeError::new("KeyRow.collection", "empty, with an element repeated, or beside a string"))
    }
}

impl From<&Alteration> for Kind {
    fn from(alteration: &Alteration) -> Self {
        match alteration {
            Alteration::Hash(change) => change.into(),
            Alteration::List(change) => change.into(),
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
