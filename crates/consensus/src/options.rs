//! What an operator may set, and what follows from it for openraft.

use std::time::Duration;

use openraft::{Config, SnapshotPolicy};

use crate::Error;
use crate::limits::{REPLICATION_ENTRIES_MAX, SNAPSHOT_INSTALL_TIMEOUT};

/// How a node takes part in the group.
#[derive(Clone, Debug)]
pub struct Options {
    pub timeouts: Timeouts,
    /// A snapshot is taken after this many entries.
    pub snapshot_entries: u64,
    /// A snapshot is taken after this many bytes of log, or as many as the last snapshot has if that is more.
    pub snapshot_bytes: u64,
    /// Version of the program, shown in the status.
    pub version: String,
    /// Process id, shown in the status.
    pub pid: u32,
}

/// When a silent leader is missed. A follower stands for election after `election_max` plus a random time between
/// `election_min` and `election_max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    pub heartbeat: Duration,
    pub election_min: Duration,
    pub election_max: Duration,
}

impl Timeouts {
    /// One room, one switch. Measured: 0.5 to 0.7 s from a kill to the next write.
    pub const LAN: Self = Self::from_ms(50, 200, 400);
    /// Busy or virtual machines with pauses of some 100 ms.
    pub const ROBUST: Self = Self::from_ms(100, 400, 800);

    pub const fn from_ms(heartbeat: u64, election_min: u64, election_max: u64) -> Self {
        Self {
            heartbeat: Duration::from_millis(heartbeat),
            election_min: Duration::from_millis(election_min),
            election_max: Duration::from_millis(election_max),
        }
    }

    /// For sites apart: ten round trips for an election, as etcd advises, and never below [`Timeouts::LAN`].
    pub fn wan(round_trip: Duration) -> Self {
        let heartbeat = round_trip.max(Self::LAN.heartbeat);
        let election_min = (round_trip * 10).max(heartbeat * 4);
        Self { heartbeat, election_min, election_max: election_min * 2 }
    }
}

impl Options {
    /// Entries below the last snapshot are kept as long as the log's own limit in bytes allows, so openraft is
    /// told never to purge by itself; `housekeeping` does.
    pub(crate) fn raft_config(&self) -> Result<Config, Error> {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let Timeouts { heartbeat, election_min, election_max } = self.timeouts;
        let config = Config {
            cluster_name: "tenure".into(),
            heartbeat_interval: ms(heartbeat),
            election_timeout_min: ms(election_min),
            election_timeout_max: ms(election_max),
            enable_pre_vote: Some(true),
            // A restarted leader has lost its stopwatch and its promises in flight: it must be elected again.
            enable_leader_restore: Some(false),
            allow_log_reversion: None,
            quorum_loss_probe_interval: Some(2 * ms(election_max)),
            broadcast_submitted_on_append: Some(true),
            heartbeat_min_interval: Some(0),
            max_payload_entries: REPLICATION_ENTRIES_MAX,
            max_append_entries: Some(4096),
            backoff: "50ms".into(),
            snapshot_policy: SnapshotPolicy::LogsSinceLast(self.snapshot_entries),
            max_in_snapshot_log_to_keep: u64::MAX / 2,
            replication_lag_threshold: u64::MAX / 2,
            install_snapshot_timeout: ms(SNAPSHOT_INSTALL_TIMEOUT),
            ..Config::default()
        };
        config.validate().map_err(|error| Error::Options(error.to_string()))
    }
}
