//! A fingerprint of the whole state, cheap enough to keep up to date with every command.
//!
//! The large tables (keys, remembered outcomes) each keep a `Sum` of the hashes of their rows, changed by a
//! row at a time; the rest is small and hashed when asked. Two nodes at the same index with different digests
//! have diverged.

use std::fmt;

use xxhash_rust::xxh3::Xxh3;

/// 128 bits over everything in `State`. Not a defence against an adversary; against rot and bugs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest(pub u128);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Bytes on their way into a hash. Every variable part goes in with its length, so that no two different
/// states feed the same bytes.
pub(crate) struct Feed(Xxh3);

impl Feed {
    /// `domain` separates hashes of different kinds of row.
    pub(crate) fn new(domain: &str) -> Self {
        let mut feed = Self(Xxh3::new());
        feed.bytes(domain.as_bytes());
        feed
    }

    pub(crate) fn u64(&mut self, value: u64) -> &mut Self {
        self.0.update(&value.to_le_bytes());
        self
    }

    pub(crate) fn i64(&mut self, value: i64) -> &mut Self {
        self.0.update(&value.to_le_bytes());
        self
    }

    pub(crate) fn u128(&mut self, value: u128) -> &mut Self {
        self.0.update(&value.to_le_bytes());
        self
    }

    pub(crate) fn option(&mut self, value: Option<u64>) -> &mut Self {
        match value {
            Some(value) => self.u64(1).u64(value),
            None => self.u64(0),
        }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.u64(bytes.len() as u64);
        self.0.update(bytes);
        self
    }

    pub(crate) fn finish(&self) -> u128 {
        self.0.digest128()
    }
}

/// An order-free sum of row hashes: adding and removing a row are inverse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum(u128);

impl Sum {
    pub(crate) fn add(&mut self, row: u128) {
        self.0 = self.0.wrapping_add(row);
    }

    pub(crate) fn remove(&mut self, row: u128) {
        self.0 = self.0.wrapping_sub(row);
    }

    pub(crate) fn get(self) -> u128 {
        self.0
    }
}
