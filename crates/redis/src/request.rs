//! The arguments of a request, taken one after the other.
//!
//! How many there must be at least is checked against the table of commands before a handler sees them; an
//! argument that is missing all the same is a syntax error, as in Redis.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use domain::Key;
use domain::limits::{KEY_BYTES_MAX, KEYS_PER_COMMAND_MAX, VALUE_BYTES_MAX};

use crate::Error;
use crate::codec::decode;
use crate::plan::VIRTUAL_PREFIX;

#[derive(Debug)]
pub(crate) struct Arguments(VecDeque<Bytes>);

impl Arguments {
    pub(crate) fn new(arguments: impl IntoIterator<Item = Bytes>) -> Self {
        Self(arguments.into_iter().collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn peek(&self) -> Option<&Bytes> {
        self.0.front()
    }

    pub(crate) fn take(&mut self) -> Result<Bytes, Error> {
        self.0.pop_front().ok_or(Error::Syntax)
    }

    pub(crate) fn take_last(&mut self) -> Result<Bytes, Error> {
        self.0.pop_back().ok_or(Error::Syntax)
    }

    /// Nothing may be left.
    pub(crate) fn finish(&self) -> Result<(), Error> {
        if self.is_empty() { Ok(()) } else { Err(Error::Syntax) }
    }

    /// Takes the next argument if it is this word, in any case.
    pub(crate) fn word(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|next| next.eq_ignore_ascii_case(word.as_bytes()));
        if found {
            self.0.pop_front();
        }
        found
    }

    pub(crate) fn text(&mut self) -> Result<String, Error> {
        Ok(String::from_utf8_lossy(&self.take()?).into_owned())
    }

    pub(crate) fn integer(&mut self) -> Result<i64, Error> {
        decode::integer(&self.take()?).ok_or(Error::NotAnInteger)
    }

    /// A key to be looked at.
    pub(crate) fn key(&mut self, database: u8) -> Result<Key, Error> {
        let name = self.take()?;
        if name.len() > KEY_BYTES_MAX {
            return Err(Error::KeyTooLong);
        }
        Ok(Key::new(database, &*name))
    }

    /// A key to be changed.
    pub(crate) fn own_key(&mut self, database: u8) -> Result<Key, Error> {
        let key = self.key(database)?;
        if key.name.starts_with(VIRTUAL_PREFIX) { Err(Error::VirtualKey) } else { Ok(key) }
    }

    /// All that is left, as keys to be looked at.
    pub(crate) fn keys(&mut self, database: u8) -> Result<Vec<Key>, Error> {
        self.few()?;
        (0..self.len()).map(|_| self.key(database)).collect()
    }

    /// All that is left, as keys to be changed.
    pub(crate) fn own_keys(&mut self, database: u8) -> Result<Vec<Key>, Error> {
        self.few()?;
        (0..self.len()).map(|_| self.own_key(database)).collect()
    }

    /// A value to be kept, or compared with one.
    pub(crate) fn value(&mut self) -> Result<Arc<[u8]>, Error> {
        let value = self.take()?;
        if value.len() > VALUE_BYTES_MAX { Err(Error::ValueTooLong) } else { Ok(value[..].into()) }
    }

    /// All that is left, as values.
    pub(crate) fn values(&mut self) -> Result<Vec<Arc<[u8]>>, Error> {
        (0..self.len()).map(|_| self.value()).collect()
    }

    fn few(&self) -> Result<(), Error> {
        if self.len() > KEYS_PER_COMMAND_MAX { Err(Error::TooManyKeys) } else { Ok(()) }
    }
}

impl IntoIterator for Arguments {
    type Item = Bytes;
    type IntoIter = std::collections::vec_deque::IntoIter<Bytes>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
