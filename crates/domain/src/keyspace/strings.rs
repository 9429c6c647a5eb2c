//! What the commands do to strings.

use std::sync::Arc;

use super::{Change, Key, Keyspace};
use crate::limits::{KEYS_MAX, VALUE_BYTES_MAX};
use crate::{Answer, ExpireCondition, Expiry, KeyEvent, Refusal, Serial, SetCondition};

impl Keyspace {
    pub(crate) fn set(
        &mut self,
        change: Change,
        key: Key,
        value: Arc<[u8]>,
        condition: SetCondition,
        expiry: Expiry,
        previous: bool,
    ) -> Result<Answer, Refusal> {
        let is_present = self.entries.contains_key(&key);
        let present = || self.string(&key);
        let before = if previous { Some(present()?.cloned()) } else { None };
        let holds = match &condition {
            SetCondition::Always => true,
            SetCondition::IfAbsent => !is_present,
            SetCondition::IfPresent => is_present,
            SetCondition::IfEqual(value) => present()? == Some(value),
            SetCondition::IfNotEqual(value) => present()? != Some(value),
        };
        if holds {
            self.write(change, key, value.into(), expiry, KeyEvent::Set)?;
        }
        Ok(Answer::Set { written: holds, previous: before })
    }

    pub(crate) fn set_many(
        &mut self,
        change: Change,
        pairs: Vec<(Key, Arc<[u8]>)>,
        if_none_exist: bool,
    ) -> Result<Answer, Refusal> {
        if if_none_exist && pairs.iter().any(|(key, _)| self.entries.contains_key(key)) {
            return Ok(Answer::Changed(false));
        }
        if !pairs.iter().all(|(key, value)| key.fits() && value.len() <= VALUE_BYTES_MAX) {
            return Err(Refusal::TooLarge);
        }
        if self.len() + pairs.iter().filter(|(key, _)| !self.entries.contains_key(key)).count() > KEYS_MAX {
            return Err(Refusal::Full);
        }
        for (key, value) in pairs {
            self.write(change, key, value.into(), Expiry::Never, KeyEvent::Set)?;
        }
        Ok(Answer::Changed(true))
    }

    pub(crate) fn touch(&mut self, change: Change, key: Key, expiry: Expiry) -> Result<Answer, Refusal> {
        let value = self.string(&key)?.cloned();
        self.expire(change, key, expiry, ExpireCondition::Always, None)?;
        Ok(Answer::Value(value))
    }

    pub(crate) fn increment(&mut self, change: Change, key: Key, by: i64) -> Result<Answer, Refusal> {
        let (sum, text) = sum(self.string(&key)?, by)?;
        self.write(change, key, text.into(), Expiry::Keep, KeyEvent::IncrBy)?;
        Ok(Answer::Integer(sum))
    }

    pub(crate) fn take(&mut self, serial: Serial, key: &Key) -> Result<Answer, Refusal> {
        let value = self.string(key)?.cloned();
        self.delete(serial, key);
        Ok(Answer::Value(value))
    }

    /// The value of a key that is absent or a string.
    pub(super) fn string(&self, key: &Key) -> Result<Option<&Arc<[u8]>>, Refusal> {
        self.entries.get(key).map(|entry| entry.value.string()).transpose()
    }
}

/// A decimal integer, 0 if there is none, and `by` added to it: as a number and as a text.
pub(super) fn sum(present: Option<&Arc<[u8]>>, by: i64) -> Result<(i64, Arc<[u8]>), Refusal> {
    let present = present.map_or(Some(0), |value| decimal(value)).ok_or(Refusal::NotAnInteger)?;
    let sum = present.checked_add(by).ok_or(Refusal::Overflow)?;
    Ok((sum, sum.to_string().into_bytes().into()))
}

/// A decimal integer exactly as Redis accepts it: no sign but `-`, no leading zero, no space.
fn decimal(value: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(value).ok()?.parse().ok()?;
    (number.to_string().as_bytes() == value).then_some(number)
}
