//! Changes of what a key's elements are: decided in `apply`, so that nobody who changes them has to look first, and no two
//! who do are in each other's way.

use std::sync::Arc;

use super::hash::{Hash, HashChange};
use super::list::{List, ListChange};
use super::set::{Set, SetChange};
use super::sorted_set::{SortedSet, SortedSetChange};
use super::{Change, Key, Keyspace, Value};
use crate::limits::ELEMENT_BYTES;
use crate::{Answer, Expiry, KeyEvent, Refusal};

/// A change of a hash, a list, a set or a sorted set. On an absent key it is done to an empty one; a key that loses its last element is gone. Its
/// end stays what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alteration {
    Hash(HashChange),
    List(ListChange),
    Set(SetChange),
    SortedSet(SortedSetChange),
}

/// Of the longest number of 64 bits.
const INTEGER_BYTES_MAX: usize = 20;

/// What an alteration has done to a copy.
pub(super) struct Altered {
    pub(super) answer: Answer,
    /// Something was written, if only what was there already: the key has a new revision.
    pub(super) written: bool,
}

impl Altered {
    /// So many elements were concerned.
    pub(super) fn some(count: usize) -> Self {
        Self { answer: Answer::Count(count as u64), written: count > 0 }
    }
}

impl Keyspace {
    /// Alters a copy, so that nothing has happened when it is refused.
    pub(crate) fn alter(
        &mut self,
        change: Change,
        key: Key,
        alteration: Alteration,
    ) -> Result<Answer, Refusal> {
        let what = alteration.word();
        let mut value = match self.entries.get(&key) {
            Some(entry) => entry.value.clone(),
            None => alteration.empty(),
        };
        let Altered { answer, written } = match (&mut value, alteration) {
            (Value::Hash(hash), Alteration::Hash(change)) => {
                Arc::make_mut(hash).change(|hash| hash.alter(change))?
            }
            (Value::List(list), Alteration::List(change)) => {
                Arc::make_mut(list).change(|list| list.alter(change))?
            }
            (Value::Set(set), Alteration::Set(change)) => Arc::make_mut(set).change(|set| set.alter(change)),
            (Value::SortedSet(set), Alteration::SortedSet(change)) => {
                Arc::make_mut(set).change(|set| set.alter(change))?
            }
            _ => return Err(Refusal::WrongKind),
        };
        if written && value.is_empty_collection() {
            self.events.note(&key, what);
            self.delete(change.serial, &key);
        } else if written {
            self.write(change, key, value, Expiry::Keep, what)?;
        }
        Ok(answer)
    }
}

impl Alteration {
    fn word(&self) -> KeyEvent {
        match self {
            Self::Hash(change) => change.word(),
            Self::List(change) => change.word(),
            Self::Set(change) => change.word(),
            Self::SortedSet(change) => change.word(),
        }
    }

    /// Whether it may make a key present.
    pub(crate) fn makes(&self) -> bool {
        match self {
            Self::Hash(change) => change.makes(),
            Self::List(change) => change.makes(),
            Self::Set(change) => change.makes(),
            Self::SortedSet(change) => change.makes(),
        }
    }

    /// Whether it frees rather than fills.
    pub(crate) fn frees(&self) -> bool {
        match self {
            Self::Hash(change) => change.frees(),
            Self::List(change) => change.frees(),
            Self::Set(change) => change.frees(),
            Self::SortedSet(change) => change.frees(),
        }
    }

    /// How many elements it tells at most, which are gone then.
    pub(crate) fn pops(&self) -> u64 {
        match self {
            Self::List(ListChange::Pop { count, .. })
            | Self::SortedSet(SortedSetChange::Pop { count, .. }) => *count,
            _ => 0,
        }
    }

    /// The most by which the value can grow; and about what the change takes itself.
    pub(crate) fn bytes(&self) -> usize {
        self.elements().sum()
    }

    /// The longest element that the value can get by it.
    pub(crate) fn longest(&self) -> usize {
        self.elements().max().unwrap_or_default()
    }

    /// What the elements that it names count for.
    fn elements(&self) -> impl Iterator<Item = usize> {
        let texts = match self {
            Self::Hash(change) => change.texts(),
            Self::List(change) => change.texts(),
            Self::Set(change) => change.texts(),
            Self::SortedSet(change) => change.texts(),
        };
        let number = matches!(self, Self::Hash(HashChange::Increment { .. })).then_some(INTEGER_BYTES_MAX);
        texts.map(|text| ELEMENT_BYTES + text.len()).chain(number)
    }

    fn empty(&self) -> Value {
        match self {
            Self::Hash(_) => Hash::default().into(),
            Self::List(_) => List::default().into(),
            Self::Set(_) => Set::default().into(),
            Self::SortedSet(_) => SortedSet::default().into(),
        }
    }
}
