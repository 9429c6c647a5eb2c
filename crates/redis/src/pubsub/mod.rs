//! Subscriptions to channels, and the handing out of what is published and of what happens to keys.
//!
//! A message goes through the log, so that it reaches every node, in one order and after everything that was decided before
//! it. Each node hands it to its own subscribers: from the journal of the group to the [`hub`], from there to the
//! [`mailbox`] of each connection, which takes it when its client has room. A client that does not read loses its connection
//! and holds up nobody. No message is left out in silence: where one is missing, those who listen are disconnected, so that
//! they subscribe again and look.
//!
//! Read in this order: [`subscriptions`] (what a connection has asked for), [`hub`] (who wants what), [`mailbox`] (what is on
//! its way to a client), [`notify`] (events of keys as messages), [`source`] (where all of it comes from).

pub(crate) mod hub;
pub(crate) mod mailbox;
pub(crate) mod notify;
pub(crate) mod source;
pub(crate) mod subscriptions;

use std::sync::Arc;

/// A channel or a pattern.
pub(crate) type Name = Arc<[u8]>;

/// Three kinds of names that one may subscribe to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    Channels,
    Patterns,
    /// Channels of Redis Cluster. Here they go the way of all others, but keep names of their own.
    Shards,
}

impl Family {
    pub(crate) const ALL: [Self; 3] = [Self::Channels, Self::Patterns, Self::Shards];

    fn subscribe(self) -> &'static str {
        match self {
            Self::Channels => "subscribe",
            Self::Patterns => "psubscribe",
            Self::Shards => "ssubscribe",
        }
    }

    fn unsubscribe(self) -> &'static str {
        match self {
            Self::Channels => "unsubscribe",
            Self::Patterns => "punsubscribe",
            Self::Shards => "sunsubscribe",
        }
    }
}
