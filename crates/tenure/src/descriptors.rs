//! How many files this process may have open, and how many clients that leaves room for.
//!
//! Every connection is an open file. With none left the log could not begin its next file and no peer could connect, so
//! these come first and the clients of Redis and Sentinel get the rest. Those of gRPC have no limit yet.

use anyhow::{Context, Result};
use redis::limits::CONNECTIONS_MAX;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For all but the clients of Redis and Sentinel: HTTP takes up to [`http::limits::CONNECTIONS_MAX`], the rest is for peers,
/// gRPC, the log and its neighbours.
const OTHERS: u64 = 2048;

const _: () = assert!(OTHERS as usize > http::limits::CONNECTIONS_MAX);

/// Fewer than so many clients are no deployment but a mistake.
const CLIENTS_MIN: u64 = 64;

/// What a Sentinel has of the room at least: an eighth. Its clients stay for a moment, or keep one connection.
const SENTINEL_SHARE: u64 = 8;

/// Clients that each of the two doors may have at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clients {
    pub redis: usize,
    pub sentinel: usize,
}

impl Clients {
    const MAX: Self = Self { redis: CONNECTIONS_MAX, sentinel: CONNECTIONS_MAX };

    /// As many as there may be, after this process has been allowed as many open files as that needs, if it can.
    pub fn allowed() -> Result<Self> {
        let files = raise(OTHERS + (Self::MAX.redis + Self::MAX.sentinel) as u64)?;
        let clients = Self::within(files).with_context(|| {
            format!(
                "this process may have {files} files open and needs {}; raise its limit (LimitNOFILE, ulimit -Hn)",
                OTHERS + CLIENTS_MIN
            )
        })?;
        if clients != Self::MAX {
            let Self { redis, sentinel } = clients;
            tracing::warn!(
                files,
                redis,
                sentinel,
                "the limit of open files (LimitNOFILE) allows few clients"
            );
        }
        Ok(clients)
    }

    fn within(files: u64) -> Option<Self> {
        let room = files.checked_sub(OTHERS).filter(|room| *room >= CLIENTS_MIN)?;
        let at_most = |max: usize, room: u64| usize::try_from(room).unwrap_or(max).min(max);
        let redis = at_most(Self::MAX.redis, room - room / SENTINEL_SHARE);
        Some(Self { redis, sentinel: at_most(Self::MAX.sentinel, room - redis as u64) })
    }
}

/// Sees to it that so many files may be open, or as many as can be had; how many that is.
fn raise(wanted: u64) -> Result<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let (current, possible) = (current.unwrap_or(u64::MAX), wanted.min(maximum.unwrap_or(u64::MAX)));
    if current >= possible {
        return Ok(current);
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(possible), maximum })
        .with_context(|| format!("the limit of open files cannot be raised from {current} to {possible}"))?;
    Ok(possible)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_get_what_is_left() {
        let within = |files| Clients::within(files).map(|clients| (clients.redis, clients.sentinel));
        assert_eq!(within(u64::MAX), Some((10_000, 10_000)));
        assert_eq!(within(22_048), Some((10_000, 10_000)));
        assert_eq!(within(20_000), Some((10_000, 7952)));
        assert_eq!(within(4096), Some((1792, 256)));
        assert_eq!(within(2112), Some((56, 8)));
        assert_eq!(within(2111), None);
        assert_eq!(within(0), None);
    }

    #[test]
    fn what_is_allowed_already_stays() {
        let now = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        assert_eq!(raise(1).unwrap(), now);
    }
}
