//! What may be done to a lease: taken if it is free, kept and given back by its holder.

use std::sync::Arc;

use planted::Bug;

use super::{Change, Entry, Key, Keyspace, Lease, end_of};
use crate::limits::TTL_MS_MAX;
use crate::{Answer, Expiry, KeyEvent, LogTime, Refusal, Token};

impl Keyspace {
    pub(crate) fn acquire(
        &mut self,
        change: Change,
        key: Key,
        holder: Arc<[u8]>,
        ttl_ms: u64,
        take_over: bool,
    ) -> Result<Answer, Refusal> {
        // All that can be refused is refused before the old lease is removed.
        let ttl_ms = i64::try_from(ttl_ms).map_err(|_| Refusal::InvalidTtl)?;
        if !(1..=TTL_MS_MAX).contains(&ttl_ms) {
            return Err(Refusal::InvalidTtl);
        }
        if let Some(entry) = self.entries.get(&key) {
            let lease = entry.lease(change.now)?;
            if !(take_over && lease.holder == holder) {
                return Ok(Answer::Lease { granted: false, lease: Some(lease) });
            }
            // The same holder again: without the old entry, the write below grants a new token.
            let fenced = self.remove(change.serial, &key).expect("it was just read");
            assert!(fenced.token < Token::new(change.epoch, change.serial), "a token went back on {key:?}");
        }
        self.write(change, key.clone(), holder.into(), Expiry::InMs(ttl_ms), KeyEvent::Set)?;
        Ok(Answer::Lease { granted: true, lease: self.lease(&key, change.now)? })
    }

    pub(crate) fn renew(
        &mut self,
        change: Change,
        key: Key,
        holder: &[u8],
        token: Option<Token>,
        ttl_ms: Option<u64>,
    ) -> Result<Answer, Refusal> {
        let Some(entry) = self.held(&key, holder, token)? else {
            return Ok(Answer::Lease { granted: false, lease: self.lease(&key, change.now)? });
        };
        let expiry = match ttl_ms.or(entry.ttl_ms) {
            Some(0) => return Err(Refusal::InvalidTtl),
            Some(ttl_ms) => Expiry::InMs(i64::try_from(ttl_ms).map_err(|_| Refusal::InvalidTtl)?),
            None => Expiry::Keep,
        };
        let (end, ttl_ms) = end_of(expiry, change.now, entry)?;
        let entry = Entry { end, ttl_ms, revision: change.serial, ..entry.clone() };
        let lease = entry.lease(change.now)?;
        if !planted::is(Bug::EndNotProlonged) {
            self.put_back(change, key, entry);
        }
        Ok(Answer::Lease { granted: true, lease: Some(lease) })
    }

    pub(crate) fn release(
        &mut self,
        change: Change,
        key: &Key,
        holder: &[u8],
        token: Option<Token>,
    ) -> Result<Answer, Refusal> {
        let granted = self.held(key, holder, token)?.is_some();
        if granted {
            self.delete(change.serial, key);
        }
        Ok(Answer::Lease { granted, lease: self.lease(key, change.now)? })
    }

    pub(crate) fn lease(&self, key: &Key, now: LogTime) -> Result<Option<Lease>, Refusal> {
        self.entries.get(key).map(|entry| entry.lease(now)).transpose()
    }

    fn held(&self, key: &Key, holder: &[u8], token: Option<Token>) -> Result<Option<&Entry>, Refusal> {
        let Some(entry) = self.entries.get(key) else { return Ok(None) };
        let held = entry.is_held_by(holder)? && token.is_none_or(|token| token == entry.token);
        Ok(held.then_some(entry))
    }
}
