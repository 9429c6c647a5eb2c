//! A node's own file: addresses, profile, data, security. What must not differ between nodes is not here but in
//! the log.

use std::fmt;
use std::net::{IpAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use consensus::{Contact, Timeouts};
use serde::{Deserialize, Deserializer};

/// One node's file, as TOML. Unknown keys are refused: a misspelt one would silently not count.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub node: Node,
    #[serde(default)]
    pub listen: Addresses,
    #[serde(default)]
    pub advertise: Addresses,
    #[serde(default)]
    pub redis: Redis,
    #[serde(default)]
    pub sentinel: Sentinel,
    #[serde(default)]
    pub raft: Raft,
    #[serde(default)]
    pub log: Log,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// From 1 for founders; for a later member the id that `tenure member add` printed. Never used twice.
    pub id: u64,
    /// Shown to people. Default: `node` and the id.
    pub name: Option<String>,
    /// The data directory. One node, one directory.
    pub data: PathBuf,
    /// Allows listening off loopback without certificates, on a network that nobody else is on.
    #[serde(default)]
    pub insecure: bool,
}

/// HOST:PORT for each door. In `[listen]` what to bind; in `[advertise]` what others use, by default the same. A Sentinel that
/// is not mentioned is where the Redis door is, at its own port.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Addresses {
    pub api: Option<String>,
    pub peer: Option<String>,
    pub redis: Option<String>,
    pub sentinel: Option<String>,
    pub http: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    /// A file that holds the password, as Redis's `requirepass`.
    pub password_file: Option<PathBuf>,
    /// Whether FLUSHALL and FLUSHDB work.
    #[serde(default)]
    pub allow_flush: bool,
    /// Which events of keys become messages, by Redis's letters, until `CONFIG SET` changes it.
    #[serde(default)]
    pub notify_keyspace_events: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sentinel {
    /// The name under which clients ask for the master. The same on every node.
    pub master: String,
    /// A file that holds the password, as Sentinel's `requirepass`.
    pub password_file: Option<PathBuf>,
}

impl Default for Sentinel {
    fn default() -> Self {
        Self { master: "mymaster".into(), password_file: None }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Raft {
    pub profile: Profile,
    /// For the profile `wan`: the round trip between the farthest two nodes.
    pub round_trip: Span,
    /// A snapshot is taken after so many entries.
    pub snapshot_entries: u64,
    /// Or after so much log, or as much as the last snapshot has if that is more.
    pub snapshot_bytes: Size,
}

impl Default for Raft {
    fn default() -> Self {
        Self {
            profile: Profile::Lan,
            round_trip: Span(Duration::ZERO),
            snapshot_entries: 50_000,
            snapshot_bytes: Size(64 << 20),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    Lan,
    Robust,
    Wan,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// Size of a segment of the write-ahead log.
    pub segment: Size,
    /// How much log stays for followers that were away.
    pub retain: Size,
    /// Free disk below which only what frees something is accepted.
    pub reserve: Size,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            segment: Size(store::limits::SEGMENT_BYTES),
            retain: Size(store::limits::RETAIN_BYTES),
            reserve: Size(store::limits::RESERVE_BYTES),
        }
    }
}

/// A length of time, written like "400ms" or "3s".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let parsed = humantime::parse_duration(&text);
        parsed
            .map(Self)
            .map_err(|_| serde::de::Error::custom(format!("{text:?} is not a duration like \"400ms\"")))
    }
}

/// Units of a size, the smallest first.
const SIZE_UNITS: [(&str, u64); 5] =
    [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

/// A number of bytes, written like "64MiB".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl std::str::FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let factor = match unit.trim() {
            "" => Some(1),
            unit => SIZE_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, bytes)| *bytes),
        };
        let bytes =
            number.parse::<u64>().ok().zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
        bytes.map(Self).ok_or_else(|| format!("{text:?} is not a size like \"64MiB\" (KiB, MiB, GiB, TiB)"))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Half a segment holds the largest entry.
const SEGMENT_MIN: Size = Size(4 << 20);

/// Least log between two snapshots.
const SNAPSHOT_MIN: Size = Size(1 << 20);

/// What is wrong with a file, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{}: it cannot be read", file.display())]
    Unreadable { file: PathBuf, source: std::io::Error },
    #[error("{}: {why}", file.display())]
    Wrong { file: PathBuf, why: String },
}

/// The five doors of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    Api,
    Peer,
    Redis,
    Sentinel,
    Http,
}

impl Door {
    pub const ALL: [Self; 5] = [Self::Api, Self::Peer, Self::Redis, Self::Sentinel, Self::Http];

    /// The port of a deployed node.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Api => 7101,
            Self::Peer => 7102,
            Self::Redis => 6379,
            Self::Sentinel => 26379,
            Self::Http => 7180,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Peer => "peer",
            Self::Redis => "redis",
            Self::Sentinel => "sentinel",
            Self::Http => "http",
        }
    }

    fn of(self, addresses: &Addresses) -> Option<&String> {
        match self {
            Self::Api => addresses.api.as_ref(),
            Self::Peer => addresses.peer.as_ref(),
            Self::Redis => addresses.redis.as_ref(),
            Self::Sentinel => addresses.sentinel.as_ref(),
            Self::Http => addresses.http.as_ref(),
        }
    }
}

impl Config {
    /// Reads and checks a file.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { file: file.to_owned(), source };
        let text = std::fs::read_to_string(file).map_err(unreadable)?;
        Self::parse(&text).map_err(|why| ConfigError::Wrong { file: file.to_owned(), why })
    }

    pub fn parse(text: &str) -> Result<Self, String> {
        let config: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        config.check()?;
        Ok(config)
    }

    /// Relations between the settings.
    fn check(&self) -> Result<(), String> {
        if self.node.id == 0 {
            return Err("node.id is 0; founders are numbered from 1".into());
        }
        if self.raft.profile == Profile::Wan && self.raft.round_trip.0.is_zero() {
            return Err(
                "raft.profile = \"wan\" needs raft.round_trip, measured between the farthest two nodes"
                    .into(),
            );
        }
        if self.raft.profile != Profile::Wan && !self.raft.round_trip.0.is_zero() {
            return Err("raft.round_trip counts only with raft.profile = \"wan\"".into());
        }
        if self.raft.snapshot_entries == 0 {
            return Err("raft.snapshot_entries is 0; 50000 is the default".into());
        }
        if self.raft.snapshot_bytes.0 < SNAPSHOT_MIN.0 {
            return Err(format!(
                "raft.snapshot_bytes is {}; at least {SNAPSHOT_MIN}, or a busy node does little else",
                self.raft.snapshot_bytes
            ));
        }
        // Redis's own characters for one: a client would not find its way to any other.
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if self.sentinel.master.is_empty() || !self.sentinel.master.chars().all(named) {
            return Err(format!(
                "sentinel.master is {:?}; a name is of letters, digits and \".-_\"",
                self.sentinel.master
            ));
        }
        if self.log.segment.0 < SEGMENT_MIN.0 {
            return Err(format!(
                "log.segment is {}; at least {SEGMENT_MIN}, so that every entry fits",
                self.log.segment
            ));
        }
        if self.log.retain.0 < 2 * self.log.segment.0 {
            return Err("log.retain must hold at least two segments (log.segment)".into());
        }
        if !redis::knows_events(&self.redis.notify_keyspace_events) {
            return Err("redis.notify_keyspace_events has a letter that is none of Ag$lshzxeKEtmdn".into());
        }
        for door in Door::ALL {
            let listen = self.listen(door);
            let ip = host_ip(&listen)
                .ok_or_else(|| format!("listen.{}: {listen:?} is not HOST:PORT", door.name()))?;
            let advertise = self.advertise(door);
            let advertised = host_ip(&advertise);
            if advertised.is_some_and(|ip| ip.is_unspecified()) {
                return Err(format!(
                    "advertise.{} would be {advertise:?}, which nobody can connect to; set it to this machine's address",
                    door.name()
                ));
            }
            let (guard, guarded) = match door {
                Door::Redis => ("redis.password_file", self.redis.password_file.is_some()),
                Door::Sentinel => ("sentinel.password_file", self.sentinel.password_file.is_some()),
                Door::Api | Door::Peer | Door::Http => ("certificates", false),
            };
            if !ip.is_loopback() && !guarded && !self.node.insecure {
                return Err(format!(
                    "listen.{} = {listen:?} is open to the network without {guard}; listen on 127.0.0.1, or set \
                     node.insecure = true on a network that nobody else is on",
                    door.name(),
                ));
            }
        }
        let is_loopback = |address: &str| host_ip(address).is_some_and(|ip| ip.is_loopback());
        let (sentinel, redis) = (self.advertise(Door::Sentinel), self.advertise(Door::Redis));
        if self.advertise.sentinel.is_none() && is_loopback(&sentinel) && !is_loopback(&redis) {
            return Err(format!(
                "advertise.sentinel would be {sentinel:?}, where clients of {redis:?} find another machine's or none; listen \
                 where listen.redis does, or set advertise.sentinel"
            ));
        }
        Ok(())
    }

    pub fn listen(&self, door: Door) -> String {
        let default = || match door {
            Door::Sentinel => beside(&self.listen(Door::Redis)),
            _ => format!("127.0.0.1:{}", door.default_port()),
        };
        door.of(&self.listen).cloned().unwrap_or_else(default)
    }

    pub fn advertise(&self, door: Door) -> String {
        let default = || match door {
            Door::Sentinel if self.listen.sentinel.is_none() => beside(&self.advertise(Door::Redis)),
            _ => self.listen(door),
        };
        door.of(&self.advertise).cloned().unwrap_or_else(default)
    }

    /// Nobody beyond this machine can reach it.
    pub fn is_on_loopback(&self) -> bool {
        Door::ALL.into_iter().all(|door| host_ip(&self.listen(door)).is_some_and(|ip| ip.is_loopback()))
    }

    pub fn name(&self) -> String {
        self.node.name.clone().unwrap_or_else(|| format!("node{}", self.node.id))
    }

    pub fn contact(&self) -> Contact {
        Contact {
            name: self.name(),
            peer: self.advertise(Door::Peer),
            api: self.advertise(Door::Api),
            redis: self.advertise(Door::Redis),
            sentinel: self.advertise(Door::Sentinel),
            http: self.advertise(Door::Http),
        }
    }

    pub fn timeouts(&self) -> Timeouts {
        match self.raft.profile {
            Profile::Lan => Timeouts::LAN,
            Profile::Robust => Timeouts::ROBUST,
            Profile::Wan => Timeouts::wan(self.raft.round_trip.0),
        }
    }

    /// The Redis password, if one is set.
    pub fn redis_password(&self) -> Result<Option<String>, ConfigError> {
        password(self.redis.password_file.as_deref())
    }

    /// That of the Sentinel.
    pub fn sentinel_password(&self) -> Result<Option<String>, ConfigError> {
        password(self.sentinel.password_file.as_deref())
    }
}

/// Where the Sentinel of a Redis door is.
fn beside(redis: &str) -> String {
    let host = redis.rsplit_once(':').map_or(redis, |(host, _)| host);
    format!("{host}:{}", Door::Sentinel.default_port())
}

/// The first line of a file.
fn password(file: Option<&Path>) -> Result<Option<String>, ConfigError> {
    let Some(file) = file else { return Ok(None) };
    let text = std::fs::read_to_string(file)
        .map_err(|source| ConfigError::Unreadable { file: file.to_owned(), source })?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        let why = "it is empty; put the password in it".into();
        return Err(ConfigError::Wrong { file: file.to_owned(), why });
    }
    Ok(Some(password.to_owned()))
}

/// The address of HOST:PORT if HOST is an address or a name that resolves.
fn host_ip(address: &str) -> Option<IpAddr> {
    address.to_socket_addrs().ok()?.next().map(|address| address.ip())
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = SIZE_UNITS.iter().rev().find(|(_, bytes)| self.0 > 0 && self.0.is_multiple_of(*bytes));
        match unit {
            Some((name, bytes)) => write!(f, "{}{name}", self.0 / bytes),
            None => f.write_str("0B"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "[node]\nid = 1\ndata = \"/tmp/x\"\n";

    fn refused(more: &str) -> String {
        Config::parse(&format!("{LEAST}{more}")).expect_err("refused")
    }

    #[test]
    fn defaults_are_loopback_and_the_documented_ports() {
        let config = Config::parse(LEAST).unwrap();
        assert_eq!(config.listen(Door::Api), "127.0.0.1:7101");
        assert_eq!(config.contact().redis, "127.0.0.1:6379");
        assert_eq!(config.contact().sentinel, "127.0.0.1:26379");
        assert_eq!(config.sentinel.master, "mymaster");
        assert_eq!(config.name(), "node1");
        assert_eq!(config.timeouts(), Timeouts::LAN);
    }

    #[test]
    fn a_sentinel_is_where_the_keys_are() {
        let contact =
            |more: &str| Config::parse(&format!("{LEAST}insecure = true\n{more}")).map(|it| it.contact());
        assert_eq!(contact("[listen]\nredis = \"10.0.0.1:7\"").unwrap().sentinel, "10.0.0.1:26379");
        let behind = "[listen]\nredis = \"0.0.0.0:7\"\n[advertise]\nredis = \"10.0.0.9:8\"";
        assert_eq!(contact(behind).unwrap().sentinel, "10.0.0.9:26379");
        let elsewhere = "[listen]\nredis = \"10.0.0.1:7\"\nsentinel = \"10.0.0.2:9\"";
        assert_eq!(contact(elsewhere).unwrap().sentinel, "10.0.0.2:9");
        let lost = "[listen]\nredis = \"10.0.0.1:7\"\nsentinel = \"127.0.0.1:26379\"";
        assert!(contact(lost).unwrap_err().contains("advertise.sentinel"));
        let told = format!("{lost}\n[advertise]\nsentinel = \"10.0.0.1:26379\"");
        assert_eq!(contact(&told).unwrap().sentinel, "10.0.0.1:26379");
        let closed = format!("{lost}\n[advertise]\nsentinel = \"127.0.0.1:26379\"");
        assert_eq!(contact(&closed).unwrap().sentinel, "127.0.0.1:26379");
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(refused("datta = 1").contains("datta"));
        assert!(refused("[log]\nsegment = \"64Mb\"").contains("64MiB"));
        assert!(refused("[raft]\nprofile = \"wan\"").contains("round_trip"));
        assert!(refused("[raft]\nprofile = \"fast\"").contains("fast"));
        assert!(refused("[listen]\napi = \"7101\"").contains("listen.api"));
        assert!(refused("[sentinel]\nmaster = \"my master\"").contains("sentinel.master"));
        assert!(refused("[listen]\nsentinel = \"10.0.0.1:26379\"").contains("sentinel.password_file"));
        assert!(refused("[listen]\napi = \"0.0.0.0:7101\"").contains("advertise.api"));
        let open = refused("[listen]\napi = \"0.0.0.0:7101\"\n[advertise]\napi = \"10.0.0.1:7101\"");
        assert!(open.contains("insecure"), "{open}");
        assert!(Config::parse("[node]\nid = 0\ndata = \"x\"").unwrap_err().contains("node.id"));
    }

    #[test]
    fn sizes_are_binary() {
        assert_eq!("64MiB".parse(), Ok(Size(64 << 20)));
        assert_eq!("7".parse(), Ok(Size(7)));
        assert!("99999999999999GiB".parse::<Size>().is_err());
        assert!("MiB".parse::<Size>().is_err());
    }
}
