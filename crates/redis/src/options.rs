//! What the operator decides about this edge.

use crate::limits;

#[derive(Clone, Debug)]
pub struct Options {
    /// Redis's `requirepass`: without it every client is the default user.
    pub password: Option<String>,
    /// `FLUSHALL` and `FLUSHDB` work. Off in a deployment: one typing error would release every lease.
    pub allow_flush: bool,
    pub connections_max: usize,
    /// The port that clients were told, for `INFO`.
    pub port: u16,
    /// Names this life of the process in `INFO`; forty hexadecimal digits, as clients expect.
    pub run_id: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            password: None,
            allow_flush: false,
            connections_max: limits::CONNECTIONS_MAX,
            port: 6379,
            run_id: "0".repeat(40),
        }
    }
}
