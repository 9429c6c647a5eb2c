//! What a key may hold.
//!
//! Values are shared, and copied when one of those who have it changes it. Whatever has elements has them in an order that
//! every node has alike, and is never empty: what loses its last element takes its key with it.

use std::sync::Arc;

use super::hash::Hash;
use super::list::List;
use super::set::Set;
use super::sorted_set::SortedSet;
use super::summed::Summed;
use crate::Refusal;
use crate::digest::Feed;
use crate::limits::ELEMENT_BYTES;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    String(Arc<[u8]>),
    Hash(Arc<Summed<Hash>>),
    List(Arc<Summed<List>>),
    Set(Arc<Summed<Set>>),
    SortedSet(Arc<Summed<SortedSet>>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    String,
    Hash,
    List,
    Set,
    SortedSet,
}

impl Value {
    pub fn kind(&self) -> Kind {
        match self {
            Self::String(_) => Kind::String,
            Self::Hash(_) => Kind::Hash,
            Self::List(_) => Kind::List,
            Self::Set(_) => Kind::Set,
            Self::SortedSet(_) => Kind::SortedSet,
        }
    }

    /// The bytes of a string.
    pub fn string(&self) -> Result<&Arc<[u8]>, Refusal> {
        match self {
            Self::String(value) => Ok(value),
            _ => Err(Refusal::WrongKind),
        }
    }

    /// What it counts for against [`limits::VALUE_BYTES_MAX`](crate::limits::VALUE_BYTES_MAX): its bytes, and
    /// [`limits::ELEMENT_BYTES`](crate::limits::ELEMENT_BYTES) for each element.
    pub fn bytes(&self) -> usize {
        match self {
            Self::String(value) => value.len(),
            Self::Hash(hash) => hash.bytes(),
            Self::List(list) => list.bytes(),
            Self::Set(set) => set.bytes(),
            Self::SortedSet(set) => set.bytes(),
        }
    }

    /// What the longest of its elements counts for, where they can be popped.
    pub(crate) fn longest_element(&self) -> usize {
        let longest = match self {
            Self::String(_) | Self::Hash(_) | Self::Set(_) => None,
            Self::List(list) => list.elements().iter().map(|element| element.len()).max(),
            Self::SortedSet(set) => set.ranked().iter().map(|(_, member)| member.len()).max(),
        };
        longest.map_or(0, |bytes| ELEMENT_BYTES + bytes)
    }

    pub(crate) fn is_empty_collection(&self) -> bool {
        match self {
            Self::String(_) => false,
            Self::Hash(hash) => hash.is_empty(),
            Self::List(list) => list.elements().is_empty(),
            Self::Set(set) => set.is_empty(),
            Self::SortedSet(set) => set.ranked().is_empty(),
        }
    }

    pub(crate) fn feed(&self, feed: &mut Feed) {
        match self {
            Self::String(value) => {
                feed.bytes(value);
            }
            Self::Hash(hash) => {
                feed.u128(hash.digest());
            }
            Self::List(list) => {
                feed.u128(list.digest());
            }
            Self::Set(set) => {
                feed.u128(set.digest());
            }
            Self::SortedSet(set) => {
                feed.u128(set.digest());
            }
        }
    }
}

impl From<Arc<[u8]>> for Value {
    fn from(value: Arc<[u8]>) -> Self {
        Self::String(value)
    }
}

impl<const N: usize> From<[u8; N]> for Value {
    fn from(value: [u8; N]) -> Self {
        Self::String(value.into())
    }
}

impl From<Hash> for Value {
    fn from(hash: Hash) -> Self {
        Self::Hash(Arc::new(Summed::new(hash)))
    }
}

impl From<List> for Value {
    fn from(list: List) -> Self {
        Self::List(Arc::new(Summed::new(list)))
    }
}

impl From<Set> for Value {
    fn from(set: Set) -> Self {
        Self::Set(Arc::new(Summed::new(set)))
    }
}

impl From<SortedSet> for Value {
    fn from(set: SortedSet) -> Self {
        Self::SortedSet(Arc::new(Summed::new(set)))
    }
}
