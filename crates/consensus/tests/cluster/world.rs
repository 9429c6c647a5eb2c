//! Several nodes in one task, under paused time: disks in memory, cables that can be cut, clocks that only move
//! when nothing else can.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use consensus::environment::{BoxFuture, Clock, Connect, Random, Socket, Spawn};
use consensus::{Contact, Environment, Member, Options, Replica, Start, Timeouts};
use domain::command::Audit;
use domain::{Action, Answer, Key, NodeId, Outcome};
use parking_lot::Mutex;
use store::{Changes, FaultyDisk, MemoryIndex, MemoryState, StateStore, Stored, WalOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, timeout};
use tokio_stream::wrappers::ReceiverStream;

/// Where the connections to a listener go.
type Accepted = mpsc::Sender<io::Result<Box<dyn Socket>>>;

/// Cables of this world; a cut one holds bytes back, as a network that loses packets does to TCP.
#[derive(Default)]
struct Wires {
    listeners: Mutex<BTreeMap<String, (u64, Accepted)>>,
    cut: watch::Sender<BTreeSet<(u64, u64)>>,
    /// What carries bytes, and for which two nodes.
    pumps: Mutex<Vec<(u64, u64, AbortHandle)>>,
}

impl Wires {
    /// Breaks every connection of a node, as the end of its process does.
    fn unplug(&self, node: u64) {
        self.listeners.lock().retain(|_, (at, _)| *at != node);
        self.pumps.lock().retain(|(from, to, pump)| {
            let concerned = *from == node || *to == node;
            if concerned {
                pump.abort();
            }
            !concerned
        });
    }

    fn connect(self: &Arc<Self>, from: u64, address: &str) -> Option<DuplexStream> {
        let (to, listener) = self.listeners.lock().get(address)?.clone();
        let (near, near_end) = duplex(256 * 1024);
        let (far, far_end) = duplex(256 * 1024);
        listener.try_send(Ok(Box::new(far))).ok()?;
        let (near_read, near_write) = tokio::io::split(near_end);
        let (far_read, far_write) = tokio::io::split(far_end);
        let there = tokio::spawn(pump(self.cut.subscribe(), (from, to), near_read, far_write));
        let back = tokio::spawn(pump(self.cut.subscribe(), (to, from), far_read, near_write));
        self.pumps.lock().extend([(from, to, there.abort_handle()), (from, to, back.abort_handle())]);
        Some(near)
    }
}

async fn pump(
    mut cut: watch::Receiver<BTreeSet<(u64, u64)>>,
    way: (u64, u64),
    mut from: tokio::io::ReadHalf<DuplexStream>,
    mut to: tokio::io::WriteHalf<DuplexStream>,
) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count) = from.read(&mut bytes).await {
        if count == 0 || cut.wait_for(|cut| !cut.contains(&way)).await.is_err() {
            return;
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

struct Cable {
    from: u64,
    alive: Arc<AtomicBool>,
    wires: Arc<Wires>,
}

impl Connect for Cable {
    fn connect(&self, address: String) -> BoxFuture<'static, io::Result<Box<dyn Socket>>> {
        let (from, wires, alive) = (self.from, self.wires.clone(), self.alive.clone());
        Box::pin(async move {
            let socket = alive.load(Ordering::Relaxed).then(|| wires.connect(from, &address)).flatten();
            socket
                .map(|socket| Box::new(socket) as Box<dyn Socket>)
                .ok_or(io::ErrorKind::ConnectionRefused.into())
        })
    }
}

/// Time that stands still while anything can run.
struct Paused {
    since: Instant,
    /// By how much its wall clock is fast.
    fast_ns: i64,
}

impl Clock for Paused {
    fn monotonic_ns(&self) -> u64 {
        self.since.elapsed().as_nanos() as u64
    }

    fn wall_ns(&self) -> i64 {
        1_700_000_000_000_000_000 + self.fast_ns + self.since.elapsed().as_nanos() as i64
    }
}

struct Counted(AtomicU64);

impl Random for Counted {
    fn u64(&self) -> u64 {
        self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
    }
}

/// The tasks of one node, ended together when it is killed.
struct Tasks {
    running: Arc<Mutex<JoinSet<()>>>,
    stuck: Arc<Mutex<Stuck>>,
}

/// Work with files that begins and does not end.
#[derive(Default)]
struct Stuck {
    name: Option<&'static str>,
    work: Vec<Box<dyn FnOnce() + Send>>,
}

impl Spawn for Tasks {
    fn task(&self, _name: &'static str, task: BoxFuture<'static, ()>) {
        self.running.lock().spawn(task);
    }

    fn blocking(&self, name: &'static str, work: Box<dyn FnOnce() + Send>) {
        let mut stuck = self.stuck.lock();
        if stuck.name == Some(name) {
            return stuck.work.push(work);
        }
        drop(stuck);
        work();
    }

    fn log_writer(&self, writer: store::Writer) {
        self.running.lock().spawn(writer.run_async(async || ()));
    }
}

/// A state store that outlives the node, as a directory does.
#[derive(Clone, Default)]
pub struct Kept(Arc<Mutex<MemoryState>>);

impl Kept {
    /// Where it stands; 0 if it holds nothing.
    pub fn index(&self) -> u64 {
        self.stored().map_or(0, |stored| stored.last_applied.index)
    }

    pub fn stored(&self) -> Option<Stored> {
        self.0.lock().load().expect("memory does not fail")
    }

    /// What it holds now, as a store of its own.
    pub fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.0.lock().clone())))
    }

    /// The values of a tree.
    pub fn values(&self, tree: &str) -> Vec<Vec<u8>> {
        let mut values = Vec::new();
        self.0.lock().scan(tree, &mut |_, value| values.push(value.to_vec())).expect("memory does not fail");
        values
    }

    /// Writes behind everyone's back.
    pub fn tamper(&self, changes: &Changes, stored: Stored) {
        self.0.lock().write(changes, stored).expect("memory does not fail");
    }
}

impl StateStore for Kept {
    fn load(&mut self) -> Result<Option<Stored>, store::Error> {
        self.0.lock().load()
    }

    fn confirm(&mut self) -> Result<(), store::Error> {
        self.0.lock().confirm()
    }

    fn write(&mut self, changes: &Changes, stored: Stored) -> Result<(), store::Error> {
        self.0.lock().write(changes, stored)
    }

    fn scan(&self, tree: &str, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), store::Error> {
        self.0.lock().scan(tree, each)
    }

    fn rebuild(&mut self) -> Result<(), store::Error> {
        self.0.lock().rebuild()
    }

    fn flush(&mut self) -> Result<(), store::Error> {
        self.0.lock().flush()
    }
}

pub struct Node {
    pub replica: Replica,
    tasks: Arc<Mutex<JoinSet<()>>>,
    alive: Arc<AtomicBool>,
    stop: oneshot::Sender<()>,
    stopped: oneshot::Receiver<()>,
}

pub struct World {
    wires: Arc<Wires>,
    pub disks: BTreeMap<u64, FaultyDisk>,
    stores: BTreeMap<u64, Kept>,
    pub nodes: BTreeMap<u64, Node>,
    origin: Instant,
    random: Arc<Counted>,
    stuck: Arc<Mutex<Stuck>>,
    pub snapshot_entries: u64,
    pub snapshot_bytes: u64,
    pub retain_bytes: u64,
    /// Nodes are given a state store.
    pub keeps_state: bool,
}

pub fn key(name: &str) -> Key {
    Key::new(0, name.as_bytes())
}

pub fn audit() -> Audit {
    let text = |text: &str| text.to_owned();
    Audit { wall_ms: 0, actor: text("test"), action: text("test"), subject: text(""), reason: text("") }
}

impl World {
    /// `founders` nodes, founded, with a leader.
    pub async fn founded(founders: u64) -> Self {
        let mut world = Self::new();
        world.found(founders).await;
        world
    }

    /// As [`World::founded`], after its sizes were set.
    pub async fn found(&mut self, founders: u64) {
        for id in 1..=founders {
            self.start(id).await;
        }
        let members: Vec<Member> = (1..=founders).map(member).collect();
        self.nodes[&1].replica.init(&members).await.expect("founded");
        self.leader().await;
    }

    pub fn new() -> Self {
        Self {
            wires: Arc::default(),
            disks: BTreeMap::new(),
            stores: BTreeMap::new(),
            nodes: BTreeMap::new(),
            origin: Instant::now(),
            random: Arc::new(Counted(AtomicU64::new(1))),
            stuck: Arc::default(),
            snapshot_entries: 50_000,
            snapshot_bytes: 64 << 20,
            retain_bytes: 64 << 20,
            keeps_state: true,
        }
    }

    /// Starts a node on its disk, which is new the first time.
    pub async fn start(&mut self, id: u64) {
        self.start_at(id, id).await;
    }

    /// As [`World::start`], at the addresses that `member(address)` has.
    pub async fn start_at(&mut self, id: u64, address: u64) {
        let disk = self.disks.entry(id).or_insert_with(|| FaultyDisk::new(id)).mount();
        let tasks: Arc<Mutex<JoinSet<()>>> = Arc::default();
        let alive = Arc::new(AtomicBool::new(true));
        let environment = Environment {
            clock: Arc::new(Paused { since: self.origin, fast_ns: 1_234_567_890 * id as i64 }),
            random: self.random.clone(),
            connect: Arc::new(Cable { from: id, alive: alive.clone(), wires: self.wires.clone() }),
            spawn: Arc::new(Tasks { running: tasks.clone(), stuck: self.stuck.clone() }),
            crash: Arc::new(move |why| panic!("node {id} crashed: {why}")),
        };
        let wal = WalOptions {
            segment_bytes: 4 << 20,
            retain_bytes: self.retain_bytes,
            reserve_bytes: 0,
            ..WalOptions::default()
        };
        let options = Options {
            timeouts: Timeouts::LAN,
            snapshot_entries: self.snapshot_entries,
            snapshot_bytes: self.snapshot_bytes,
            version: "test".into(),
            pid: 0,
        };
        let contact = member(address).contact();
        let store = self.store(id);
        let state_store = self.keeps_state.then(|| Box::new(store) as Box<dyn StateStore>);
        let history_index = Some(Box::<MemoryIndex>::default() as _);
        let start =
            Start { node: NodeId(id), contact, disk, wal, state_store, history_index, options, environment };
        let replica = Replica::start(start).await.expect("started");
        let (sockets, incoming) = mpsc::channel(64);
        self.wires.listeners.lock().insert(format!("peer{address}"), (id, sockets));
        let served = replica.clone();
        let (stop, stopping) = oneshot::channel::<()>();
        let (done, stopped) = oneshot::channel();
        tasks.lock().spawn(async move {
            let stop = async { stopping.await.unwrap_or(()) };
            let served = served.serve_peers(ReceiverStream::new(incoming), stop).await;
            served.expect("peers are served");
            let _ = done.send(());
        });
        self.nodes.insert(id, Node { replica, tasks, alive, stop, stopped });
    }

    /// Ends a node as SIGTERM does.
    pub async fn stop(&mut self, id: u64) {
        let node = self.nodes.remove(&id).expect("it runs");
        node.replica.drain().await;
        node.replica.shutdown().await;
        let _ = node.stop.send(());
        node.stopped.await.expect("peers are served to the end");
        node.alive.store(false, Ordering::Relaxed);
        self.wires.unplug(id);
        node.tasks.lock().abort_all();
    }

    /// From now on work of this name does not end, at any node; `None`: what begins ends.
    pub fn hold_up(&self, name: Option<&'static str>) {
        self.stuck.lock().name = name;
    }

    /// Ends a node as `kill -9` does, with what its kernel had not synced still there.
    pub async fn kill(&mut self, id: u64) {
        let node = self.nodes.remove(&id).expect("it runs");
        node.alive.store(false, Ordering::Relaxed);
        self.wires.unplug(id);
        self.disks[&id].kill();
        node.tasks.lock().abort_all();
        // openraft's own tasks are not ours to end: it ends them itself, without a disk that still listens.
        let _ = timeout(Duration::from_secs(5), node.replica.halt()).await;
    }

    /// Replaces the disk of a node by an empty one.
    pub fn wipe(&mut self, id: u64) {
        self.disks.insert(id, FaultyDisk::new(id));
        self.stores.remove(&id);
    }

    /// The state store of a node, which is empty the first time.
    pub fn store(&mut self, id: u64) -> Kept {
        self.stores.entry(id).or_default().clone()
    }

    /// Replaces the state store of a node by an empty one.
    pub fn forget(&mut self, id: u64) {
        self.stores.remove(&id);
    }

    pub fn replace_store(&mut self, id: u64, store: Kept) {
        self.stores.insert(id, store);
    }

    /// Cuts a node off from every other, both ways.
    pub fn isolate(&self, id: u64) {
        let others: Vec<u64> = self.disks.keys().copied().filter(|other| *other != id).collect();
        self.wires
            .cut
            .send_modify(|cut| cut.extend(others.iter().flat_map(|other| [(id, *other), (*other, id)])));
    }

    /// Holds back what `from` sends to `to` until [`World::heal`] or [`World::release`].
    pub fn hold(&self, from: u64, to: u64) {
        self.wires.cut.send_modify(|cut| {
            cut.insert((from, to));
        });
    }

    pub fn release(&self, from: u64, to: u64) {
        self.wires.cut.send_modify(|cut| {
            cut.remove(&(from, to));
        });
    }

    /// Breaks what is open between two nodes, with what was on its way; they may open new connections.
    pub fn break_connections(&self, a: u64, b: u64) {
        self.wires.pumps.lock().retain(|(from, to, pump)| {
            let concerned = [(a, b), (b, a)].contains(&(*from, *to));
            if concerned {
                pump.abort();
            }
            !concerned
        });
    }

    /// From now on nobody can open a connection to a node; those that are open stay.
    pub fn refuse_connections(&self, to: u64) {
        self.wires.listeners.lock().retain(|_, (at, _)| *at != to);
    }

    pub fn heal(&self) {
        self.wires.cut.send_modify(BTreeSet::clear);
    }

    pub fn replica(&self, id: u64) -> &Replica {
        &self.nodes[&id].replica
    }

    /// The node that a quorum round proves to lead, as soon as there is one.
    pub async fn leader(&self) -> u64 {
        self.leader_among(&self.nodes.keys().copied().collect::<Vec<_>>()).await
    }

    pub async fn leader_among(&self, ids: &[u64]) -> u64 {
        let proven = async {
            loop {
                for id in ids {
                    if let Ok(reading) = self.replica(*id).read().await
                        && reading.active().is_some()
                    {
                        return reading.leader.0;
                    }
                }
                // A group of one answers at once, and time stands still while anything can run.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(Duration::from_secs(30), proven).await.expect("a leader within 30 s")
    }

    pub async fn propose(&self, at: u64, action: Action) -> Outcome {
        let mut results = self.replica(at).propose(vec![action]).await;
        results.pop().expect("one result").expect("an outcome")
    }

    pub async fn increment(&self, at: u64, name: &str) -> i64 {
        match self.propose(at, Action::Increment { key: key(name), by: 1 }).await.answer {
            Answer::Integer(value) => value,
            answer => panic!("{answer:?}"),
        }
    }

    /// Every node has applied the same and has the same digest.
    pub async fn agree(&self) {
        let agreed = async {
            loop {
                let seen: BTreeSet<_> = self
                    .nodes
                    .values()
                    .map(|node| (node.replica.status().applied, node.replica.local().digest()))
                    .collect();
                if seen.len() == 1 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(60), agreed).await.expect("equal digests within 60 s");
    }
}

pub fn member(id: u64) -> Member {
    let at = |door: &str| format!("{door}{id}");
    Contact {
        name: at("node"),
        peer: at("peer"),
        api: at("api"),
        redis: at("redis"),
        sentinel: at("sentinel"),
        http: at("http"),
    }
    .member(NodeId(id), true)
}
