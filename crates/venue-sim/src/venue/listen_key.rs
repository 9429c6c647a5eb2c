//! Keys by which an account of futures is listened to.

use std::collections::BTreeMap;

use serde_json::Value;

use super::feed::Feed;
use super::stream::Listeners;
use crate::chance::Chance;
use crate::limits::LISTEN_KEY_MS_MAX;

/// How long a key is, as at Binance.
const LETTERS: usize = 64;

/// One key of each account that asked for one. It ends unless it is asked for again.
#[derive(Clone, Debug)]
pub(crate) struct ListenKeys {
    chance: Chance,
    keys: BTreeMap<String, ListenKey>,
}

#[derive(Clone, Debug)]
struct ListenKey {
    key: String,
    until_ms: i64,
}

impl ListenKeys {
    pub(crate) fn new(chance: Chance) -> ListenKeys {
        ListenKeys { chance, keys: BTreeMap::new() }
    }

    /// The key of the account, for longer; a new one if it has none.
    pub(crate) fn start(&mut self, account: &str, now_ms: i64) -> String {
        if let Some(key) = self.keep(account, now_ms) {
            return key;
        }
        let key = self.chance.letters(LETTERS);
        let until_ms = now_ms + LISTEN_KEY_MS_MAX;
        self.keys.insert(account.into(), ListenKey { key: key.clone(), until_ms });
        key
    }

    /// The key of the account, for longer.
    pub(crate) fn keep(&mut self, account: &str, now_ms: i64) -> Option<String> {
        let kept = self.keys.get_mut(account)?;
        kept.until_ms = now_ms + LISTEN_KEY_MS_MAX;
        Some(kept.key.clone())
    }

    pub(crate) fn end(&mut self, account: &str) {
        self.keys.remove(account);
    }

    /// Keys that nobody asked for any longer: they are none now.
    pub(crate) fn take_ended(&mut self, now_ms: i64) -> Vec<String> {
        let is_over = |key: &ListenKey| key.until_ms <= now_ms;
        let ended = self.keys.values().filter(|key| is_over(key)).map(|key| key.key.clone()).collect();
        self.keys.retain(|_, key| !is_over(key));
        ended
    }

    /// Who listens by the present keys on a feed.
    pub(crate) fn listeners<'a>(&'a self, feed: &'a mut Feed) -> KeyHolders<'a> {
        KeyHolders { keys: &self.keys, feed }
    }
}

/// Connections that name the key of an account among their streams.
pub(crate) struct KeyHolders<'a> {
    keys: &'a BTreeMap<String, ListenKey>,
    feed: &'a mut Feed,
}

impl Listeners for KeyHolders<'_> {
    fn tell(&mut self, account: &str, event: &Value) {
        if let Some(key) = self.keys.get(account) {
            self.feed.tell(&key.key, event);
        }
    }

    fn close(&mut self, account: &str) {
        if let Some(key) = self.keys.get(account) {
            self.feed.close(&key.key);
        }
    }
}
