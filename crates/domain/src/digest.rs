//! A fingerprint of the whole state, cheap enough to keep up to date with every command.
//!
//! The large tables (keys, remembered outcomes) each keep a `Sum` of the hashes of their rows, changed by a
//! row at a time; the rest is small and hashed when asked. Two nodes at the same index with different digests
//! have diverged.

use std::fmt;

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// Most rows are no longer, and hashing many small pieces costs more than hashing their bytes.
const GATHERED_BYTES_MAX: usize = 512;

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
pub(crate) struct Feed {
    gathered: [u8; GATHERED_BYTES_MAX],
    gathered_bytes: usize,
    /// Of what came before, if not all of it could be gathered.
    hash: Option<Xxh3>,
}

impl Feed {
    /// `domain` separates hashes of different kinds of row.
    pub(crate) fn new(domain: &str) -> Self {
        let mut feed = Self { gathered: [0; GATHERED_BYTES_MAX], gathered_bytes: 0, hash: None };
        feed.bytes(domain.as_bytes());
        feed
    }

    pub(crate) fn u64(&mut self, value: u64) -> &mut Self {
        self.put(&value.to_le_bytes())
    }

    pub(crate) fn i64(&mut self, value: i64) -> &mut Self {
        self.put(&value.to_le_bytes())
    }

    pub(crate) fn u128(&mut self, value: u128) -> &mut Self {
        self.put(&value.to_le_bytes())
    }

    pub(crate) fn option(&mut self, value: Option<u64>) -> &mut Self {
        match value {
            Some(value) => self.u64(1).u64(value),
            None => self.u64(0),
        }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.u64(bytes.len() as u64).put(bytes)
    }

    pub(crate) fn finish(&self) -> u128 {
        let rest = &self.gathered[..self.gathered_bytes];
        match self.hash.clone() {
            None => xxh3_128(rest),
            Some(mut hash) => {
                hash.update(rest);
                hash.digest128()
            }
        }
    }

    fn put(&mut self, bytes: &[u8]) -> &mut Self {
        if bytes.len() > GATHERED_BYTES_MAX - self.gathered_bytes {
            let hash = self.hash.get_or_insert_with(Xxh3::new);
            hash.update(&self.gathered[..std::mem::take(&mut self.gathered_bytes)]);
            if bytes.len() > GATHERED_BYTES_MAX {
                hash.update(bytes);
                return self;
            }
        }
        let end = self.gathered_bytes + bytes.len();
        self.gathered[self.gathered_bytes..end].copy_from_slice(bytes);
        self.gathered_bytes = end;
        self
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Kept digests were made of a hash that was fed piece by piece.
    #[test]
    fn what_is_gathered_gives_the_hash_of_the_bytes() {
        for length in [0, 1, 8, GATHERED_BYTES_MAX - 24, GATHERED_BYTES_MAX, GATHERED_BYTES_MAX + 1, 5000] {
            let row = vec![7; length];
            let (mut feed, mut hash) = (Feed::new("row"), Xxh3::new());
            hash.update(&3_u64.to_le_bytes());
            hash.update(b"row");
            for number in 0..3_u64 {
                feed.u64(number).bytes(&row);
                hash.update(&number.to_le_bytes());
                hash.update(&(length as u64).to_le_bytes());
                hash.update(&row);
            }
            assert_eq!(feed.finish(), hash.digest128(), "{length} bytes");
            feed.u64(9);
            hash.update(&9_u64.to_le_bytes());
            assert_eq!(feed.finish(), hash.digest128(), "{length} bytes and one more number");
        }
    }
}
