//! The load: clients of both protocols, each asking one thing at a time, and what each was answered.

mod dialect;
mod grpc;
mod lease;
mod news;
mod orders;
mod redis;
mod resp;

use std::collections::BTreeMap;
use std::hash::Hasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use turmoil::Sim;

use self::news::News;
use self::orders::Desk;
use crate::clock::now_ns;
use crate::judge::messages::Talk;
use crate::judge::orders::{self as judged, Record};
use crate::judge::{Call, History, Operation, Outcome, Reply};
use crate::plan::Plan;
use crate::world::{Place, host};

/// A client without an answer for this long does not know what became of its call.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);

/// A call may be sent again under its id for 30 s after its first sending; the last of them needs time too.
const REPEAT_WITHIN_NS: u64 = 20_000_000_000;

/// A refused client, or one without a connection, waits so long.
const PAUSE: Duration = Duration::from_millis(100);

/// Clients that only read, one of each protocol. Whoever writes is soon stuck at a leader without a majority, and would
/// not see that it still answers.
const READERS: u32 = 2;

/// How much more often than others they ask: so that reads overlap each other.
const READERS_ARE_FASTER: u32 = 4;

/// They ask the next node after so many reads.
const READS_AT_A_NODE: u32 = 20;

/// Acknowledged operations that show that the load flows.
const FLOWING: u64 = 50;

/// What the chance of traders has of a seed.
const TRADING_SEED: u64 = 0x0dde_5eed;

/// What the clients are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Wait,
    Load,
    /// Each reads every key once more, and ends.
    LastLook,
}

/// All clients.
pub(crate) struct Clients {
    shared: Arc<Shared>,
    news: News,
    desk: Option<Arc<Desk>>,
    phase: watch::Sender<Phase>,
    /// How many operations had been acknowledged when the faults ended.
    acknowledged_before: AtomicU64,
}

struct Shared {
    plan: Arc<Plan>,
    hosts: Mutex<Vec<(u64, String)>>,
    operations: Mutex<Vec<Operation>>,
    acknowledged: AtomicU64,
    working: AtomicUsize,
}

/// Which keys there are. A name says who touches it.
#[derive(Clone, Debug)]
enum Family {
    /// Leases over gRPC alone: every command tells its place in the log.
    Lease,
    /// Leases that Redis clients look at and take too.
    Mixed,
    /// Values over Redis.
    Value,
    /// Counts over Redis.
    Count,
}

impl Family {
    fn key(&self, number: u32) -> String {
        match self {
            Self::Lease => format!("lease-{number}"),
            Self::Mixed => format!("mixed-{number}"),
            Self::Value => format!("value-{number}"),
            Self::Count => format!("count-{number}"),
        }
    }
}

/// One client, at one node after another.
struct Client {
    shared: Arc<Shared>,
    id: u32,
    random: StdRng,
    at: usize,
    /// Names its values, so that each is written once.
    count: u64,
    /// Tokens that it was given, by key.
    tokens: BTreeMap<String, u64>,
}

/// What a protocol makes of a call.
trait Protocol {
    async fn call(&mut self, host: &str, id: [u8; 16], key: &str, call: &Call) -> Answered;

    /// Whatever may still arrive on the connection is of no more use.
    fn disconnect(&mut self);

    /// Whether a call that was not answered may be sent again under its id.
    fn repeats(&self) -> bool;
}

enum Answered {
    Returned(Outcome),
    Refused,
    /// And the connection is of no more use.
    Unknown,
    /// Nothing was sent.
    Unreachable,
}

impl Clients {
    pub(crate) fn start(plan: &Arc<Plan>, sim: &mut Sim<'static>, random: &mut StdRng) -> Self {
        let shared = Arc::new(Shared {
            plan: plan.clone(),
            hosts: Mutex::default(),
            operations: Mutex::default(),
            acknowledged: AtomicU64::new(0),
            working: AtomicUsize::new(
                (plan.clients + READERS) as usize + usize::from(plan.trading.is_some()),
            ),
        });
        let (phase, phases) = watch::channel(Phase::Wait);
        let client = |id| Client {
            shared: shared.clone(),
            id,
            random: StdRng::seed_from_u64(random.random()),
            at: id as usize,
            count: 0,
            tokens: BTreeMap::new(),
        };
        let all: Vec<Client> = (1..=plan.clients + READERS).map(client).collect();
        let (loaded, news) = (Arc::default(), News::new(shared.clone()));
        let (people, chance) = (news.clone(), StdRng::seed_from_u64(random.random()));
        let desk = plan.trading.map(|trading| Desk::new(trading, shared.clone()));
        // Its chance is of its own, so that what others draw stays as it was.
        let trade = trade(desk.clone(), phases.clone(), StdRng::seed_from_u64(plan.seed ^ TRADING_SEED));
        // One host for all: each costs time at every step, and no fault concerns them.
        sim.client("clients", async move {
            let work = all.into_iter().map(async |client| match client.id % 2 {
                0 => client.work(phases.clone(), redis::Redis::new(Arc::clone(&loaded))).await,
                _ => client.work(phases.clone(), lease::Leases::default()).await,
            });
            tokio::join!(join_all(work), people.work(phases.clone(), chance), trade);
            Ok(())
        });
        Self { shared, news, desk, phase, acknowledged_before: AtomicU64::new(0) }
    }

    /// The nodes that a client may be configured with.
    pub(crate) fn know(&self, places: &[Place]) {
        let mut hosts = self.shared.hosts.lock();
        if !hosts.iter().map(|(place, _)| place).eq(places) {
            *hosts = places.iter().map(|place| (*place, host(*place))).collect();
        }
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    /// From now on counts what [`Clients::flow`] asks.
    pub(crate) fn mark(&self) {
        let acknowledged = self.shared.acknowledged.load(Ordering::Relaxed);
        self.acknowledged_before.store(acknowledged, Ordering::Relaxed);
    }

    /// Clients are answered again.
    pub(crate) fn flow(&self) -> bool {
        let before = self.acknowledged_before.load(Ordering::Relaxed);
        self.shared.acknowledged.load(Ordering::Relaxed) >= before + FLOWING
    }

    pub(crate) fn are_done(&self) -> bool {
        self.shared.working.load(Ordering::Relaxed) == 0
    }

    /// What was said and heard.
    pub(crate) fn talk(&self) -> Talk {
        self.news.talk()
    }

    /// What happened around orders, and what that is held to; in runs that have any.
    pub(crate) fn orders(&self) -> Option<(Record, judged::Desk)> {
        self.desk.as_ref().map(|desk| (desk.record(), desk.terms()))
    }

    /// What they were answered.
    pub(crate) fn history(&self) -> History {
        History { operations: self.shared.operations.lock().clone() }
    }
}

async fn trade(desk: Option<Arc<Desk>>, phases: watch::Receiver<Phase>, random: StdRng) {
    if let Some(desk) = desk {
        desk.clone().work(phases, random).await;
        desk.leave();
    }
}

/// A number that two equal runs share.
pub(crate) fn trace(history: &History, talk: &Talk, orders: Option<&Record>) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    hasher.write(format!("{history:?} {talk:?} {orders:?}").as_bytes());
    hasher.finish()
}

impl Client {
    async fn work(mut self, mut phases: watch::Receiver<Phase>, mut protocol: impl Protocol + Calls) {
        loop {
            let phase = *phases.borrow_and_update();
            match phase {
                Phase::Wait => drop(phases.changed().await),
                Phase::Load => {
                    let reads_only = self.id > self.shared.plan.clients;
                    let (key, call) =
                        if reads_only { self.look(&protocol) } else { protocol.next(&mut self) };
                    self.perform(&mut protocol, key, call).await;
                    let faster = if reads_only { READERS_ARE_FASTER } else { 1 };
                    let pause = (self.shared.plan.pause / faster).as_micros() as u64;
                    sleep(Duration::from_micros(self.random.random_range(0..=2 * pause))).await;
                }
                Phase::LastLook => {
                    for (key, call) in protocol.last(&self.shared.plan) {
                        while !self.perform(&mut protocol, key.clone(), call.clone()).await {}
                    }
                    self.shared.working.fetch_sub(1, Ordering::Relaxed);
                    return;
                }
            }
        }
    }

    /// What a client asks that only reads.
    fn look(&mut self, protocol: &impl Calls) -> (String, Call) {
        if self.random.random_ratio(1, READS_AT_A_NODE) {
            self.at += 1;
        }
        let all = protocol.last(&self.shared.plan);
        all.choose(&mut self.random).expect("there are keys").clone()
    }

    /// False if it was not answered.
    async fn perform(&mut self, protocol: &mut (impl Protocol + Calls), key: String, call: Call) -> bool {
        let invoked_ns = now_ns();
        let id = self.random.random();
        let mut may_have_run = false;
        let outcome = loop {
            let (_, host) = self.node();
            let answered = timeout(ANSWER_WITHIN, protocol.call(&host, id, &key, &call)).await;
            match answered.unwrap_or(Answered::Unknown) {
                Answered::Returned(outcome) => break outcome,
                Answered::Unknown => may_have_run = true,
                Answered::Refused if !may_have_run => break Outcome::Refused { at_ns: now_ns() },
                Answered::Unreachable if !may_have_run => {
                    self.move_on().await;
                    return false;
                }
                Answered::Refused | Answered::Unreachable => {}
            }
            protocol.disconnect();
            if !protocol.repeats() || now_ns() - invoked_ns > REPEAT_WITHIN_NS {
                break Outcome::Unknown;
            }
            self.move_on().await;
        };
        let (node, _) = self.node();
        let operation = Operation { client: self.id, node, key, call, invoked_ns, outcome };
        let is_answered = operation.reply().is_some();
        if is_answered {
            self.shared.acknowledged.fetch_add(1, Ordering::Relaxed);
            protocol.learn(&mut self.tokens, &operation);
        }
        tracing::debug!(?operation, "answered");
        self.shared.operations.lock().push(operation);
        if !is_answered {
            self.move_on().await;
        }
        is_answered
    }

    fn node(&self) -> (u64, String) {
        let hosts = self.shared.hosts.lock();
        hosts[self.at % hosts.len()].clone()
    }

    async fn move_on(&mut self) {
        self.at = self.random.random_range(0..1 << 16);
        sleep(PAUSE).await;
    }

    fn key(&mut self, families: &[Family]) -> (Family, String) {
        let family = families.choose(&mut self.random).expect("there are some").clone();
        let key = family.key(self.random.random_range(1..=self.shared.plan.keys));
        (family, key)
    }

    fn fresh(&mut self) -> String {
        self.count += 1;
        self.latest()
    }

    /// The last value that it wrote, or tried to.
    fn latest(&self) -> String {
        let padding = ".".repeat(self.shared.plan.value_bytes);
        format!("c{}-{}{padding}", self.id, self.count)
    }
}

/// What the clients of a protocol ask for.
trait Calls {
    fn next(&self, client: &mut Client) -> (String, Call);

    /// One look at every key.
    fn last(&self, plan: &Plan) -> Vec<(String, Call)>;

    fn learn(&self, tokens: &mut BTreeMap<String, u64>, operation: &Operation);
}

fn returned(reply: Reply, place: Option<(u64, u64, bool)>) -> Answered {
    let (serial, index, repeated) = match place {
        Some((serial, index, repeated)) => (Some(serial), Some(index), repeated),
        None => (None, None, false),
    };
    Answered::Returned(Outcome::Returned { at_ns: now_ns(), reply, serial, index, repeated })
}
