//! What the operator decides about this edge.

use crate::limits;

/// What a door is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// Leases and keys.
    #[default]
    Keys,
    /// Telling clients where they are, under the name of this master.
    Sentinel { master: String },
}

#[derive(Clone, Debug)]
pub struct Options {
    pub purpose: Purpose,
    /// Redis's `requirepass`: without it every client is the default user.
    pub password: Option<String>,
    /// `FLUSHALL` and `FLUSHDB` work. Off in a deployment: one typing error would release every lease.
    pub allow_flush: bool,
    pub connections_max: usize,
    /// Redis's `notify-keyspace-events`, until `CONFIG SET` changes it.
    pub notify_keyspace_events: String,
    /// The port that clients were told, for `INFO`.
    pub port: u16,
    /// Names this life of the process in `INFO`; forty hexadecimal digits, as clients expect.
    pub run_id: String,
}

impl Purpose {
    /// As Redis calls it.
    pub(crate) fn mode(&self) -> &'static str {
        match self {
            Self::Keys => "standalone",
            Self::Sentinel { .. } => "sentinel",
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            purpose: Purpose::Keys,
            password: None,
            allow_flush: false,
            notify_keyspace_events: String::new(),
            connections_max: limits::CONNECTIONS_MAX,
            port: 6379,
            run_id: "0".repeat(40),
        }
    }
}
