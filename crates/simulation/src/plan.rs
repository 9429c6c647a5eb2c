//! What a seed means: the cluster, its load, and which faults it has to bear.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

/// Something that goes wrong now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A process dies; what it wrote stays.
    Kill,
    /// The power of some nodes goes, of all of them at times; what was not synced is lost or torn. At times a leader is
    /// killed first, and it goes where a vote has just been given.
    PowerCut,
    /// The power goes in the middle of a write.
    TornWrite,
    /// One node is cut off from all others.
    Isolate,
    /// The cluster falls into two parts.
    Halves,
    /// Two parts that only one node can reach both of.
    Bridge,
    /// Messages pass one way only.
    OneWay,
    /// Everything to and from a node waits, and then arrives: a process that stood still.
    Hold,
    /// A link loses some messages; what it carried breaks.
    Loss,
    /// Links become slow.
    Slow,
    /// A disk takes long to sync.
    SlowDisk,
    /// A write or a sync answers an error.
    DiskError,
    /// A disk is full for a while.
    DiskFull,
    /// A bit of a stopped node's files flips.
    BitFlip,
    /// A wall clock jumps.
    ClockStep,
    /// Leadership is handed over.
    Transfer,
    /// A node is drained, stopped and started again.
    Drain,
    /// A member is removed for good and another takes its place.
    Replace,
}

impl Fault {
    pub const ALL: [Self; 18] = [
        Self::Kill,
        Self::PowerCut,
        Self::TornWrite,
        Self::Isolate,
        Self::Halves,
        Self::Bridge,
        Self::OneWay,
        Self::Hold,
        Self::Loss,
        Self::Slow,
        Self::SlowDisk,
        Self::DiskError,
        Self::DiskFull,
        Self::BitFlip,
        Self::ClockStep,
        Self::Transfer,
        Self::Drain,
        Self::Replace,
    ];
}

/// Everything about a run that the seed decides beforehand.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    /// Nodes that found the cluster.
    pub nodes: u64,
    pub clients: u32,
    /// Keys that the clients share, of each kind.
    pub keys: u32,
    /// How much longer than their names values are. Only a write of several sectors can be torn.
    pub value_bytes: usize,
    /// The mean pause of a client between two requests.
    pub pause: Duration,
    pub faults: BTreeSet<Fault>,
    /// The mean pause between two faults.
    pub calm: Duration,
    /// How long faults come.
    pub safety: Duration,
    /// How long the healed cluster may take to be whole again.
    pub liveness: Duration,
    pub snapshot_entries: u64,
    pub retain_bytes: u64,
    /// What a message takes, at most and usually.
    pub latency_max: Duration,
    /// What a sync of a good disk takes. Between a promise and a sync there is room for a power cut only if that is long.
    pub sync_time: Duration,
    /// How fast the clock of a node runs against the true time, in parts per million.
    pub drift_ppm_max: i64,
    /// In every other run.
    pub trading: Option<Trading>,
}

/// Traders, and what their desk allows.
#[derive(Clone, Copy, Debug)]
pub struct Trading {
    /// Two on one strategy, or three on two of them.
    pub traders: u32,
    /// The mean pause of a trader between two acts.
    pub pause: Duration,
    /// Whether the word of a trader settles an order. Without, nothing is limited: no order would ever end.
    pub trusts_traders: bool,
    pub open_orders_max: u32,
    /// In either symbol.
    pub position_max: &'static str,
}

/// Hosts beside the founders', for members that come later.
pub const SPARES: u64 = 2;

impl Plan {
    /// Disks may do what a node must not survive.
    pub fn spoils_disks(&self) -> bool {
        let spoiling = [Fault::TornWrite, Fault::DiskError, Fault::DiskFull, Fault::PowerCut];
        spoiling.iter().any(|fault| self.faults.contains(fault))
    }

    pub fn of(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let count = random.random_range(2..=6);
        let faults = Fault::ALL.sample(&mut random, count).copied().collect();
        Self {
            seed,
            nodes: if random.random_ratio(1, 5) { 5 } else { 3 },
            clients: random.random_range(4..=8),
            keys: random.random_range(2..=6),
            pause: Duration::from_millis(random.random_range(20..=100)),
            faults,
            calm: Duration::from_millis(random.random_range(500..=4000)),
            safety: Duration::from_secs(60),
            liveness: Duration::from_secs(20),
            snapshot_entries: *[20, 50, 200, 5000].choose(&mut random).expect("there are some"),
            retain_bytes: *[1, 16 << 10, 64 << 20].choose(&mut random).expect("there are some"),
            latency_max: Duration::from_millis(*[2, 5, 20].choose(&mut random).expect("there are some")),
            drift_ppm_max: *[0, 100, 500].choose(&mut random).expect("there are some"),
            sync_time: Duration::from_micros(
                *[1500, 1500, 10_000, 40_000].choose(&mut random).expect("there are some"),
            ),
            value_bytes: *[0, 0, 1000].choose(&mut random).expect("there are some"),
            // What is newer is drawn later, so that a seed keeps what it had.
            trading: Trading::draw(&mut random),
        }
    }
}

impl Trading {
    fn draw(random: &mut StdRng) -> Option<Self> {
        let is_there = random.random_ratio(1, 2);
        let trading = Self {
            traders: random.random_range(2..=3),
            pause: Duration::from_millis(random.random_range(100..=400)),
            trusts_traders: random.random_ratio(4, 5),
            open_orders_max: random.random_range(5..=20),
            position_max: *["0.02", "0.05", "0.2"].choose(random).expect("there are some"),
        };
        is_there.then_some(trading)
    }
}
