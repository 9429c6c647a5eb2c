//! What commands did, for whoever listens on this node: messages that were published, and what happened to which key.
//!
//! Not part of what the log decided: no digest covers it, an image does not carry it, and a state that nobody listens to
//! notes nothing. Each function of the keyspace names what it does, by Redis's own words; the shell hands it out.

use std::fmt;
use std::mem::take;
use std::ops::{BitOr, BitOrAssign};
use std::sync::Arc;

use crate::Key;

/// Something that happened, in the order of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Published(Published),
    Key { key: Key, what: KeyEvent },
}

/// A message to whoever has subscribed to its channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    pub channel: Arc<[u8]>,
    pub message: Arc<[u8]>,
    /// The channel is one of `SSUBSCRIBE`, which have names of their own.
    pub sharded: bool,
}

impl Event {
    /// What it takes in memory, about.
    pub fn bytes(&self) -> usize {
        const EACH: usize = 64;
        EACH + match self {
            Self::Published(Published { channel, message, .. }) => channel.len() + message.len(),
            Self::Key { key, .. } => key.name.len(),
        }
    }
}

/// Every word of [`KeyEvent`] once: variant, Redis's word, class.
macro_rules! key_events {
    ($($variant:ident $word:literal $class:ident),* $(,)?) => {
        /// What happened to a key.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum KeyEvent { $($variant),* }

        impl KeyEvent {
            /// Redis's word for it.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            pub fn class(self) -> Classes {
                match self { $(Self::$variant => Classes::$class),* }
            }
        }
    };
}

key_events! {
    New "new" NEW,
    Del "del" GENERIC,
    Expire "expire" GENERIC,
    Persist "persist" GENERIC,
    Expired "expired" EXPIRED,
    RenameFrom "rename_from" GENERIC,
    RenameTo "rename_to" GENERIC,
    CopyTo "copy_to" GENERIC,
    Set "set" STRING,
    IncrBy "incrby" STRING,
    HSet "hset" HASH,
    HDel "hdel" HASH,
    HIncrBy "hincrby" HASH,
    LPush "lpush" LIST,
    RPush "rpush" LIST,
    LPop "lpop" LIST,
    RPop "rpop" LIST,
    LRem "lrem" LIST,
    LSet "lset" LIST,
    LTrim "ltrim" LIST,
    SAdd "sadd" SET,
    SRem "srem" SET,
    ZAdd "zadd" SORTED_SET,
    ZIncr "zincr" SORTED_SET,
    ZRem "zrem" SORTED_SET,
    ZRemRangeByScore "zremrangebyscore" SORTED_SET,
    ZRemRangeByRank "zremrangebyrank" SORTED_SET,
    ZPopMin "zpopmin" SORTED_SET,
    ZPopMax "zpopmax" SORTED_SET,
}

/// Kinds of key events, as `notify-keyspace-events` names them.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Classes(u16);

impl Classes {
    pub const NONE: Self = Self(0);
    /// `g`
    pub const GENERIC: Self = Self(1);
    /// `$`
    pub const STRING: Self = Self(1 << 1);
    /// `l`
    pub const LIST: Self = Self(1 << 2);
    /// `s`
    pub const SET: Self = Self(1 << 3);
    /// `h`
    pub const HASH: Self = Self(1 << 4);
    /// `z`
    pub const SORTED_SET: Self = Self(1 << 5);
    /// `x`
    pub const EXPIRED: Self = Self(1 << 6);
    /// `n`
    pub const NEW: Self = Self(1 << 7);

    pub fn holds(self, class: Self) -> bool {
        self.0 & class.0 != 0
    }
}

impl BitOr for Classes {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Classes {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

impl fmt::Debug for Classes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Classes({:b})", self.0)
    }
}

/// What whoever listens wants to hear of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    pub messages: bool,
    pub keys: Classes,
}

impl Interest {
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}

/// What has happened since it was last taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Events {
    pub(crate) interest: Interest,
    noted: Vec<Event>,
}

impl Events {
    pub(crate) fn publish(&mut self, published: Published) {
        if self.interest.messages {
            self.noted.push(Event::Published(published));
        }
    }

    pub(crate) fn note(&mut self, key: &Key, what: KeyEvent) {
        if self.interest.keys.holds(what.class()) {
            self.noted.push(Event::Key { key: key.clone(), what });
        }
    }

    pub(crate) fn take(&mut self) -> Vec<Event> {
        take(&mut self.noted)
    }
}
