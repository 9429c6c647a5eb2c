//! The nodes of a run: real ones, on a host of turmoil each, over a disk, a clock and a die of the simulation's own.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use consensus::environment::{BoxFuture, Clock, Connect, Random, Socket, Spawn};
use consensus::{Change, Contact, Environment, Member, Options, Replica, Start, Timeouts};
use domain::NodeId;
use domain::command::Audit;
use futures_util::{Stream, StreamExt, stream};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use store::{MemoryIndex, WalOptions};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use turmoil::Sim;
use turmoil::net::{TcpListener, TcpStream};

use crate::clock::NodeClock;
use crate::disk::{Directory, SyncTime};
use crate::plan::Plan;

pub(crate) const API_PORT: u16 = 7101;
const PEER_PORT: u16 = 7102;
pub(crate) const REDIS_PORT: u16 = 7179;

/// How long a stopping node waits for the connections of others, as the real one does.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// Orders that wait at a node.
const ORDERS_WAITING_MAX: usize = 16;

/// The number of a host. Founders have it as their id too; a node that came later has another.
pub(crate) type Place = u64;

/// A node through all its lives.
pub(crate) struct Node {
    pub(crate) place: Place,
    /// Known from the beginning for founders, and from its admission for others.
    id: OnceLock<NodeId>,
    pub(crate) clock: NodeClock,
    pub(crate) directory: Directory,
    pub(crate) sync_time: Arc<SyncTime>,
    plan: Arc<Plan>,
    random: Mutex<StdRng>,
    life: Mutex<Life>,
}

/// The present life.
#[derive(Default)]
struct Life {
    replica: Option<Replica>,
    orders: Option<mpsc::Sender<Order>>,
    end: Option<End>,
}

/// How a life ended by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It stopped as it was told to.
    Stopped,
    /// It would not go on.
    Crashed(String),
    /// It would not start on what it found.
    Refused(String),
}

/// What an operator, standing at a node, has it do.
#[derive(Debug)]
pub(crate) enum Order {
    Found(Vec<Member>),
    Change(Change),
    /// Drain and stop.
    Stop,
}

impl Node {
    /// A founder, or one that waits to be admitted.
    pub(crate) fn new(place: Place, plan: &Arc<Plan>, random: &mut StdRng) -> Arc<Self> {
        use rand::RngExt;
        let drift = random.random_range(-plan.drift_ppm_max..=plan.drift_ppm_max);
        let sync_time = Arc::new(SyncTime::default());
        sync_time.set(plan.sync_time);
        let id = OnceLock::new();
        if place <= plan.nodes {
            id.get_or_init(|| NodeId(place));
        }
        Arc::new(Self {
            place,
            id,
            clock: NodeClock::new(drift, random.random_range(0..1 << 50)),
            directory: Directory::new(random.random()),
            sync_time,
            plan: plan.clone(),
            random: Mutex::new(StdRng::seed_from_u64(random.random())),
            life: Mutex::default(),
        })
    }

    pub(crate) fn host(&self) -> String {
        host(self.place)
    }

    pub(crate) fn id(&self) -> Option<NodeId> {
        self.id.get().copied()
    }

    /// Gives it a host of its own, and starts it.
    pub(crate) fn install(self: &Arc<Self>, sim: &mut Sim<'_>) {
        let node = self.clone();
        sim.host(self.host(), move || node.clone().live());
    }

    /// It was admitted under this id.
    pub(crate) fn admit(&self, id: NodeId) {
        self.id.get_or_init(|| id);
    }

    pub(crate) fn replica(&self) -> Option<Replica> {
        self.life.lock().replica.clone()
    }

    pub(crate) fn end(&self) -> Option<End> {
        self.life.lock().end.clone()
    }

    /// False if it does not live, or has more to do than it does.
    pub(crate) fn order(&self, order: Order) -> bool {
        self.life.lock().orders.as_ref().is_some_and(|orders| orders.try_send(order).is_ok())
    }

    /// Its process is gone.
    pub(crate) fn bury(&self) {
        *self.life.lock() = Life::default();
    }

    /// One life, from its disk to its end; then the host stands empty until it is ended.
    pub(crate) async fn live(self: Arc<Self>) -> turmoil::Result {
        let id = self.id().expect("only who was admitted is installed");
        let (orders, received) = mpsc::channel(ORDERS_WAITING_MAX);
        *self.life.lock() = Life { replica: None, orders: Some(orders), end: None };
        let end = match self.serve(id, received).await {
            Ok(()) => End::Stopped,
            Err(error) => End::Refused(format!("{error:#}")),
        };
        {
            let mut life = self.life.lock();
            tracing::info!(node = %id, ?end, "a life has ended");
            life.replica = None;
            life.end.get_or_insert(end);
        }
        std::future::pending().await
    }

    async fn serve(self: &Arc<Self>, id: NodeId, mut orders: mpsc::Receiver<Order>) -> anyhow::Result<()> {
        let peers = listen(PEER_PORT).await?;
        let api = listen(API_PORT).await?;
        let clients = listen(REDIS_PORT).await?;
        let replica = Replica::start(self.start(id)).await?;
        self.life.lock().replica = Some(replica.clone());

        let (stop, stopped) = watch::channel(false);
        let (stop_peers, peers_stopped) = watch::channel(false);
        let peers = tokio::spawn({
            let replica = replica.clone();
            async move { replica.serve_peers(accept(peers).map(any), until(peers_stopped)).await }
        });
        let wall_ms: api::cluster::WallClock = Arc::new({
            let node = self.clone();
            move || node.clock.wall_ms()
        });
        let incoming = accept(api).map(any);
        let api = tokio::spawn(api::serve(replica.clone(), wall_ms.clone(), incoming, until(stopped)));
        let redis = redis::Server::new(
            replica.clone(),
            redis::Environment {
                wall_ms,
                spawn: Arc::new(|task| drop(tokio::spawn(task))),
                aside: Arc::new(|work| work()),
                // A script has its steps: time stands still while it runs.
                clock: Arc::new(|| Duration::ZERO),
                monotonic: Arc::new(|| Duration::ZERO),
                sleep: Arc::new(|time| Box::pin(tokio::time::sleep(time))),
            },
            redis::Options { allow_flush: false, port: REDIS_PORT, ..redis::Options::default() },
        );
        let redis_served = tokio::spawn({
            let redis = redis.clone();
            async move { redis.serve(accept(clients).map(accepted)).await }
        });

        while let Some(order) = orders.recv().await {
            match order {
                Order::Found(members) => {
                    if let Err(error) = replica.init(&members).await {
                        tracing::info!(%error, "founding");
                    }
                }
                Order::Change(change) => {
                    let replica = replica.clone();
                    let audit = audit(self.clock.wall_ms());
                    tokio::spawn(async move {
                        let changed = replica.change(change.clone(), audit).await;
                        tracing::info!(?change, ?changed, "changed");
                    });
                }
                Order::Stop => break,
            }
        }
        replica.drain().await;
        let _ = stop.send(true);
        let doors = async {
            redis.drain().await;
            let _ = redis_served.await;
            let _ = api.await;
        };
        // Whoever is cut off never closes its side.
        let _ = timeout(STOP_GRACE, doors).await;
        replica.shutdown().await;
        let _ = stop_peers.send(true);
        let _ = timeout(STOP_GRACE, peers).await;
        Ok(())
    }

    fn start(self: &Arc<Self>, id: NodeId) -> Start {
        let plan = &self.plan;
        let crash = {
            let node = self.clone();
            move |reason: &str| {
                tracing::info!(node = %id, reason, "a node ends itself");
                node.life.lock().end.get_or_insert(End::Crashed(reason.to_owned()));
                // It has no process any more that could write. If it was for want of power, that comes back later.
                if !node.directory.disk.has_lost_power() {
                    node.directory.disk.kill();
                }
            }
        };
        Start {
            node: id,
            contact: contact(self.place),
            disk: self.directory.disk.mount(),
            wal: WalOptions {
                segment_bytes: 4 << 20,
                retain_bytes: plan.retain_bytes,
                reserve_bytes: 0,
                ..WalOptions::default()
            },
            state_store: Some(Box::new(self.directory.state.clone())),
            // Made anew at every start, as after a crash that took it.
            history_index: Some(Box::<MemoryIndex>::default()),
            options: Options {
                timeouts: Timeouts::LAN,
                snapshot_entries: plan.snapshot_entries,
                snapshot_bytes: 1 << 20,
                version: "simulation".into(),
                pid: 0,
            },
            environment: Environment {
                clock: Arc::new(Borrowed(self.clone())),
                random: Arc::new(Borrowed(self.clone())),
                connect: Arc::new(Tcp),
                spawn: Arc::new(Tasks(self.sync_time.clone())),
                crash: Arc::new(crash),
            },
        }
    }
}

/// Clock and die of a node.
struct Borrowed(Arc<Node>);

impl Clock for Borrowed {
    fn monotonic_ns(&self) -> u64 {
        self.0.clock.monotonic_ns()
    }

    fn wall_ns(&self) -> i64 {
        self.0.clock.wall_ns()
    }
}

impl Random for Borrowed {
    fn u64(&self) -> u64 {
        self.0.random.lock().next_u64()
    }
}

struct Tcp;

impl Connect for Tcp {
    fn connect(&self, address: String) -> BoxFuture<'static, io::Result<Box<dyn Socket>>> {
        Box::pin(async move { Ok(Box::new(TcpStream::connect(address).await?) as Box<dyn Socket>) })
    }
}

/// Everything on the one thread of the host; what blocks a real node takes time here.
struct Tasks(Arc<SyncTime>);

impl Spawn for Tasks {
    fn task(&self, _name: &'static str, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }

    fn blocking(&self, _name: &'static str, work: Box<dyn FnOnce() + Send>) {
        let sync_time = self.0.clone();
        tokio::spawn(async move {
            sync_time.wait().await;
            work();
        });
    }

    fn log_writer(&self, writer: store::Writer) {
        let sync_time = self.0.clone();
        tokio::spawn(writer.run_async(move || {
            let sync_time = sync_time.clone();
            async move { sync_time.wait().await }
        }));
    }
}

pub(crate) async fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((IpAddr::V4(Ipv4Addr::UNSPECIFIED), port)).await
}

pub(crate) fn accept(listener: TcpListener) -> impl Stream<Item = io::Result<TcpStream>> + Send + Unpin {
    Box::pin(stream::unfold(listener, async |listener| {
        let accepted = listener.accept().await.map(|(socket, _)| socket);
        Some((accepted, listener))
    }))
}

fn any(socket: io::Result<TcpStream>) -> io::Result<Box<dyn Socket>> {
    Ok(Box::new(socket?))
}

fn accepted(socket: io::Result<TcpStream>) -> io::Result<redis::Accepted<TcpStream>> {
    let stream = socket?;
    Ok(redis::Accepted { peer: stream.peer_addr()?, local: stream.local_addr()?, stream })
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // A dropped sender means that the host is ending anyway.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

pub(crate) fn host(place: Place) -> String {
    format!("node{place}")
}

pub(crate) fn contact(place: Place) -> Contact {
    let at = |port: u16| format!("{}:{port}", host(place));
    Contact {
        name: host(place),
        peer: at(PEER_PORT),
        api: at(API_PORT),
        redis: at(REDIS_PORT),
        sentinel: at(26379),
        http: at(7180),
    }
}

pub(crate) fn founder(place: Place) -> Member {
    contact(place).member(NodeId(place), true)
}

fn audit(wall_ms: i64) -> Audit {
    let text = |text: &str| text.to_owned();
    Audit {
        wall_ms,
        actor: text("simulation"),
        action: text("change"),
        subject: text(""),
        reason: text("fault"),
    }
}
