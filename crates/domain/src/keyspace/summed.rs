//! Elements with what they sum up to, reckoned when they change: the row of a key is hashed at every change of its end,
//! and what it takes is looked at before every command.

use std::ops::Deref;

use crate::digest::Feed;

/// What a hash, a list, a set and a sorted set have in common.
pub trait Elements {
    /// What they count for against [`limits::VALUE_BYTES_MAX`](crate::limits::VALUE_BYTES_MAX).
    fn bytes(&self) -> usize;

    fn digest(&self) -> u128;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summed<E> {
    // Compared first: what differs mostly differs here.
    digest: u128,
    bytes: usize,
    elements: E,
}

impl<E: Elements> Summed<E> {
    pub fn new(elements: E) -> Self {
        Self { digest: elements.digest(), bytes: elements.bytes(), elements }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn digest(&self) -> u128 {
        self.digest
    }

    pub(super) fn change<T>(&mut self, change: impl FnOnce(&mut E) -> T) -> T {
        let done = change(&mut self.elements);
        (self.digest, self.bytes) = (self.elements.digest(), self.elements.bytes());
        done
    }
}

impl<E: Elements + Default> Default for Summed<E> {
    fn default() -> Self {
        Self::new(E::default())
    }
}

impl<E> Deref for Summed<E> {
    type Target = E;

    fn deref(&self) -> &E {
        &self.elements
    }
}

/// The digest of elements in their order, each fed as it says.
pub(super) fn digest_of<T>(
    kind: &str,
    elements: impl ExactSizeIterator<Item = T>,
    each: impl Fn(&mut Feed, T),
) -> u128 {
    let mut feed = Feed::new(kind);
    feed.u64(elements.len() as u64);
    for element in elements {
        each(&mut feed, element);
    }
    feed.finish()
}
