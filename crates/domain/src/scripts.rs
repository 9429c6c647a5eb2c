//! The scripts that clients have loaded, so that every node finds them by their SHA-1, until they are flushed.
//!
//! To the state a script is its bytes: whether they are a program is for whoever loads and runs them.
//!
//! Invariants of [`Scripts`]:
//! * Each script stands under the SHA-1 of its bytes, and of two with the same SHA-1 the first stays.
//! * There are never more than the limits have it, in number and in bytes. A load beyond is refused, and nothing makes room
//!   for it by itself: somebody relies on each script that was loaded.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use sha1::Digest as _;

use crate::changes::Touched;
use crate::digest::{Feed, Sum};
use crate::limits::{SCRIPT_BYTES_MAX, SCRIPTS_BYTES_MAX, SCRIPTS_MAX};
use crate::{Refusal, Serial};

/// The name of a script: the SHA-1 of its bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sha1([u8; 20]);

impl Sha1 {
    pub fn of(source: &[u8]) -> Self {
        Self(sha1::Sha1::digest(source).into())
    }

    /// Of forty hexadecimal digits in any case; `None` of anything else.
    pub fn parse(digits: &[u8]) -> Option<Self> {
        let digits: &[u8; 40] = digits.try_into().ok()?;
        let mut sha = [0; 20];
        for (place, digit) in digits.iter().enumerate() {
            let digit = u8::try_from(char::from(*digit).to_digit(16)?).ok()?;
            sha[place / 2] = sha[place / 2] << 4 | digit;
        }
        Some(Self(sha))
    }

    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl fmt::Display for Sha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A script under its name; there is none under another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    sha: Sha1,
    source: Arc<[u8]>,
}

impl Script {
    pub fn new(source: impl Into<Arc<[u8]>>) -> Self {
        let source = source.into();
        Self { sha: Sha1::of(&source), source }
    }

    pub fn sha(&self) -> Sha1 {
        self.sha
    }

    pub fn source(&self) -> &Arc<[u8]> {
        &self.source
    }
}

/// All that are loaded.
#[derive(Clone, Debug, Default)]
pub struct Scripts {
    /// Shared by the copies that are made of it.
    rows: Arc<BTreeMap<Sha1, Arc<[u8]>>>,
    bytes: usize,
    sum: Sum,
    flushed: Serial,
    pub(crate) touched: Touched<Sha1>,
}

impl Scripts {
    pub fn get(&self, sha: &Sha1) -> Option<Script> {
        self.rows.get(sha).map(|source| Script { sha: *sha, source: source.clone() })
    }

    pub fn contains(&self, sha: &Sha1) -> bool {
        self.rows.contains_key(sha)
    }

    /// In the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = Script> {
        self.rows.iter().map(|(sha, source)| Script { sha: *sha, source: source.clone() })
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Of all sources together.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// When all that had been loaded were last flushed; 0: never.
    pub fn flushed(&self) -> Serial {
        self.flushed
    }

    /// Whether it was not there before.
    pub(crate) fn load(&mut self, script: Script) -> Result<bool, Refusal> {
        if self.contains(&script.sha) {
            return Ok(false);
        }
        if script.source.len() > SCRIPT_BYTES_MAX {
            return Err(Refusal::TooLarge);
        }
        if self.len() >= SCRIPTS_MAX || self.bytes + script.source.len() > SCRIPTS_BYTES_MAX {
            return Err(Refusal::Full);
        }
        self.insert(script);
        Ok(true)
    }

    /// How many there were.
    pub(crate) fn flush(&mut self, serial: Serial) -> u64 {
        self.rows.keys().for_each(|sha| self.touched.note(sha));
        let rows = std::mem::take(&mut self.rows);
        (self.bytes, self.sum, self.flushed) = (0, Sum::default(), serial);
        rows.len() as u64
    }

    /// What an image says of them.
    pub(crate) fn restored(scripts: Vec<Script>, flushed: Serial) -> Self {
        let mut restored = Self { flushed, ..Self::default() };
        scripts.into_iter().for_each(|script| restored.insert(script));
        restored
    }

    /// The same ones, for whoever keeps no track of changes.
    pub(crate) fn shared(&self) -> Self {
        Self { rows: self.rows.clone(), touched: Touched::default(), ..*self }
    }

    fn insert(&mut self, Script { sha, source }: Script) {
        self.touched.note(&sha);
        let (row, bytes) = (hash(&source), source.len());
        if Arc::make_mut(&mut self.rows).insert(sha, source).is_none() {
            self.sum.add(row);
            self.bytes += bytes;
        }
    }

    pub(crate) fn feed(&self, feed: &mut Feed) {
        // A state of before there were any has the digest that it had then.
        if self.is_empty() && self.flushed == Serial::default() {
            return;
        }
        feed.bytes(b"scripts").u64(self.flushed.0).u64(self.len() as u64).u128(self.sum.get());
    }
}

fn hash(source: &[u8]) -> u128 {
    let mut feed = Feed::new("script");
    feed.bytes(source);
    feed.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_told_and_read_as_redis_does() {
        let sha = Sha1::of(b"return 1");
        assert_eq!(sha.to_string(), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
        assert_eq!(Sha1::parse(b"E0e1f9fabfc9d4800c877a703b823ac0578ff8dB"), Some(sha));
        for wrong in [&b""[..], b"abc", b"e0e1f9fabfc9d4800c877a703b823ac0578ff8d", &[b'a'; 41], &[b'g'; 40]]
        {
            assert_eq!(Sha1::parse(wrong), None);
        }
    }

    #[test]
    fn there_are_no_more_than_there_may_be() {
        let mut scripts = Scripts::default();
        let script = |number: usize, length: usize| {
            let mut source = number.to_be_bytes().to_vec();
            source.resize(length, b'-');
            Script::new(source)
        };
        assert_eq!(scripts.load(script(0, SCRIPT_BYTES_MAX + 1)), Err(Refusal::TooLarge));
        let longest = SCRIPTS_BYTES_MAX / SCRIPT_BYTES_MAX;
        for number in 0..longest {
            assert_eq!(scripts.load(script(number, SCRIPT_BYTES_MAX)), Ok(true));
        }
        assert_eq!(scripts.load(script(0, 8)), Err(Refusal::Full), "no byte more");
        assert_eq!(scripts.load(script(1, SCRIPT_BYTES_MAX)), Ok(false), "what is there may be loaded");
        assert_eq!(scripts.flush(Serial(7)), longest as u64);
        for number in 0..SCRIPTS_MAX {
            assert_eq!(scripts.load(script(number, 8)), Ok(true));
        }
        assert_eq!(scripts.load(script(SCRIPTS_MAX, 8)), Err(Refusal::Full), "no script more");
        assert_eq!(
            (scripts.len(), scripts.bytes(), scripts.flushed()),
            (SCRIPTS_MAX, 8 * SCRIPTS_MAX, Serial(7))
        );
    }
}
