//! What the connections of one node share.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::Serial;
use parking_lot::{Mutex, MutexGuard};

use crate::clients::Clients;
use crate::command::{self, Table};
use crate::group::Standing;
use crate::lane::Lanes;
use crate::metrics::Metrics;
use crate::options::{Options, Purpose};
use crate::pubsub::hub::{Hub, Listen};
use crate::pubsub::notify::Notify;
use crate::redlock::Redlock;
use crate::script::Cache;
use crate::sentinel::{self, Vigil};
use crate::server::{Environment, Sleep, Spawn};
use crate::turns::Turns;

/// The wall clock, in milliseconds since 1970: for people, `TIME` and audit. It decides nothing.
pub type WallClock = Arc<dyn Fn() -> i64 + Send + Sync>;

pub(crate) struct Node {
    pub(crate) options: Options,
    pub(crate) commands: Table,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clients: Arc<Clients>,
    scripts: Mutex<Cache>,
    /// Says of a script that is new whether it is Lua.
    pub(crate) compiler: Mutex<lua::Engine>,
    pub(crate) lanes: Lanes,
    pub(crate) turns: Turns,
    seeds: AtomicU64,
    pub(crate) wall_ms: WallClock,
    pub(crate) started_ms: i64,
    pub(crate) hub: Arc<Hub>,
    /// Of a Sentinel.
    pub(crate) vigil: Vigil,
    pub(crate) monotonic: lua::Clock,
    pub(crate) sleep: Sleep,
    pub(crate) spawn: Spawn,
    pub(crate) redlock: Redlock,
    standing: Box<dyn Fn() -> Standing + Send + Sync>,
    scripts_flushed: Box<dyn Fn() -> Serial + Send + Sync>,
}

/// What a node asks of the group without waiting.
pub(crate) struct Seams {
    pub(crate) standing: Box<dyn Fn() -> Standing + Send + Sync>,
    pub(crate) listen: Listen,
    pub(crate) scripts_flushed: Box<dyn Fn() -> Serial + Send + Sync>,
}

impl Node {
    pub(crate) fn new(options: Options, environment: &Environment, seams: Seams) -> Self {
        let Seams { standing, listen, scripts_flushed } = seams;
        let commands = match options.purpose {
            Purpose::Keys => command::COMMANDS,
            Purpose::Sentinel { .. } => sentinel::COMMANDS,
        };
        let metrics = Arc::new(Metrics::new(commands));
        // A word that is none was refused with the file that it stands in.
        let notify = Notify::parse(&options.notify_keyspace_events).unwrap_or_default();
        let Environment { wall_ms, spawn, aside, clock, monotonic, sleep } = environment;
        Self {
            hub: Arc::new(Hub::new(notify, listen, metrics.clone())),
            options,
            commands,
            metrics,
            clients: Arc::new(Clients::new(commands)),
            scripts: Mutex::default(),
            compiler: Mutex::new(lua::Engine::new(clock.clone(), lua::Limits::default())),
            lanes: Lanes::new(aside, clock),
            turns: Turns::default(),
            seeds: AtomicU64::new(0),
            started_ms: wall_ms(),
            wall_ms: wall_ms.clone(),
            vigil: Vigil::new(monotonic()),
            monotonic: monotonic.clone(),
            sleep: sleep.clone(),
            spawn: spawn.clone(),
            redlock: Redlock::default(),
            standing,
            scripts_flushed,
        }
    }

    /// How the group looks from here, without asking anybody.
    pub(crate) fn standing(&self) -> Standing {
        (self.standing)()
    }

    /// What this node remembers of scripts: nothing of before the last flush that was applied here.
    pub(crate) fn scripts(&self) -> MutexGuard<'_, Cache> {
        let mut scripts = self.scripts.lock();
        scripts.flushed_at((self.scripts_flushed)());
        scripts
    }

    /// Another one for each script, and for each command that draws: what one draws by chance, such as a token, no other does.
    pub(crate) fn seed(&self) -> u32 {
        let mut hasher = DefaultHasher::new();
        (&self.options.run_id, self.seeds.fetch_add(1, Ordering::Relaxed)).hash(&mut hasher);
        (hasher.finish() >> 32) as u32
    }

    pub(crate) fn now_ms(&self) -> i64 {
        (self.wall_ms)()
    }
}
