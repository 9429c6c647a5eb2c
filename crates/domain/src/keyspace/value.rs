//! What a key may hold.
//!
//! Values are shared, and copied when one of those who have it changes it. Whatever has elements has them in an order that
//! every node has alike, and is never empty: what loses its last element takes its key with it.

use std::sync::Arc;

use super::hash::Hash;
use super::list::List;
use crate::Refusal;
use crate::digest::Feed;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    String(Arc<[u8]>),
    Hash(Arc<Hash>),
    List(Arc<List>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    String,
    Hash,
    List,
}

impl Value {
    pub fn kind(&self) -> Kind {
        match self {
            Self::String(_) => Kind::String,
            Self::Hash(_) => Kind::Hash,
            Self::List(_) => Kind::List,
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
        }
    }

    pub(crate) fn is_empty_collection(&self) -> bool {
        match self {
            Self::String(_) => false,
            Self::Hash(hash) => hash.is_empty(),
            Self::List(list) => list.elements().is_empty(),
        }
    }

    pub(crate) fn feed(&self, feed: &mut Feed) {
        match self {
            Self::String(value) => {
                feed.bytes(value);
            }
            Self::Hash(hash) => {
                feed.u64(1).u64(hash.len() as u64);
                for (field, value) in hash.iter() {
                    feed.bytes(field).bytes(value);
                }
            }
            Self::List(list) => {
                feed.u64(2).u64(list.elements().len() as u64);
                for element in list.elements() {
                    feed.bytes(element);
                }
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
        Self::Hash(Arc::new(hash))
    }
}

impl From<List> for Value {
    fn from(list: List) -> Self {
        Self::List(Arc::new(list))
    }
}
