//! A group in memory: disks, peers and clients are memory; Raft, the services and HTTP are real.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use consensus::environment::{BoxFuture, Clock, Connect, Random, Socket, Spawn};
use consensus::{Environment, Member, Options, Replica, Start, Timeouts};
use domain::NodeId;
use futures_util::Stream;
use http::Metrics;
use store::{FaultyDisk, MemoryIndex, WalOptions, Writer};
use tokio::io::{DuplexStream, duplex};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::client::{Answer, request};

/// Most of what a state is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the wall clock of a node shows, for ever.
const WALL_NS: i64 = 1_790_000_000_000_000_000;

struct TestClock(Instant);

impl Clock for TestClock {
    fn monotonic_ns(&self) -> u64 {
        self.0.elapsed().as_nanos() as u64
    }

    fn wall_ns(&self) -> i64 {
        WALL_NS
    }
}

struct Counting(AtomicU64);

impl Random for Counting {
    fn u64(&self) -> u64 {
        self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Relaxed)
    }
}

struct Tasks;

impl Spawn for Tasks {
    fn task(&self, _: &'static str, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }

    fn blocking(&self, _: &'static str, work: Box<dyn FnOnce() + Send>) {
        tokio::task::spawn_blocking(work);
    }

    fn log_writer(&self, writer: Writer) {
        std::thread::spawn(move || writer.run());
    }
}

/// Listeners by address.
#[derive(Clone, Default)]
pub(crate) struct Network(Arc<Mutex<HashMap<String, mpsc::UnboundedSender<DuplexStream>>>>);

impl Network {
    fn listen(&self, address: &str) -> Incoming {
        let (tx, rx) = mpsc::unbounded_channel();
        self.0.lock().unwrap().insert(address.into(), tx);
        Incoming(rx)
    }

    pub(crate) fn open(&self, address: &str) -> io::Result<DuplexStream> {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let (here, there) = duplex(64 * 1024);
        self.0.lock().unwrap().get(address).ok_or_else(refused)?.send(there).map_err(|_| refused())?;
        Ok(here)
    }
}

impl Connect for Network {
    fn connect(&self, address: String) -> BoxFuture<'static, io::Result<Box<dyn Socket>>> {
        let opened = self.open(&address);
        Box::pin(async move { Ok(Box::new(opened?) as Box<dyn Socket>) })
    }
}

struct Incoming(mpsc::UnboundedReceiver<DuplexStream>);

impl Stream for Incoming {
    type Item = io::Result<Box<dyn Socket>>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|socket| Some(Ok(Box::new(socket?) as Box<dyn Socket>)))
    }
}

/// A node with its doors for peers and for HTTP.
pub(crate) struct Node {
    pub(crate) replica: Replica,
    pub(crate) metrics: Arc<Metrics>,
    network: Network,
    address: String,
    stop: watch::Sender<bool>,
    pub(crate) served: JoinHandle<io::Result<()>>,
    peers: Mutex<Option<JoinHandle<()>>>,
}

/// A node that belongs to no cluster yet.
pub(crate) async fn start(id: u64, network: &Network, disk: &FaultyDisk) -> Node {
    let environment = Environment {
        clock: Arc::new(TestClock(Instant::now())),
        random: Arc::new(Counting(AtomicU64::new(id << 32))),
        connect: Arc::new(network.clone()),
        spawn: Arc::new(Tasks),
        crash: Arc::new(|reason| eprintln!("a node cannot go on: {reason}")),
    };
    let options = Options {
        timeouts: Timeouts::LAN,
        snapshot_entries: 10_000,
        snapshot_bytes: 64 * 1024 * 1024,
        version: "0.0.0-test".into(),
        pid: 4711,
    };
    let wal = WalOptions {
        segment_bytes: 4 * 1024 * 1024,
        reserve_bytes: 8 * 1024 * 1024,
        ..WalOptions::default()
    };
    let contact = member(id).contact();
    let disk = disk.mount();
    let history_index = Some(Box::<MemoryIndex>::default() as _);
    let start = Start {
        node: NodeId(id),
        contact,
        disk,
        wal,
        state_store: None,
        history_index,
        options,
        environment,
    };
    let replica = Replica::start(start).await.unwrap();

    let (stop, stopped) = watch::channel(false);
    let peers = (replica.clone(), network.listen(&format!("peer{id}")), until(stopped.clone()));
    let peers = tokio::spawn(async move { peers.0.serve_peers(peers.1, peers.2).await.unwrap() });
    let metrics = Arc::new(Metrics::default());
    let options = http::Options {
        metrics_text: Arc::new(|| {
            "# HELP tenure_test Test.\n# TYPE tenure_test gauge\ntenure_test 1\n".into()
        }),
        metrics: metrics.clone(),
    };
    let address = format!("http{id}");
    let leases = api::Leases::new(replica.clone());
    let orders = api::Orders::new(replica.clone(), Arc::new(|| WALL_NS / 1_000_000));
    let config = api::Config::new(replica.clone(), Arc::new(|| WALL_NS / 1_000_000));
    let (doors, incoming) = (replica.clone(), network.listen(&address));
    let served = tokio::spawn(http::serve(doors, leases, orders, config, options, incoming, until(stopped)));
    Node { replica, metrics, network: network.clone(), address, stop, served, peers: Mutex::new(Some(peers)) }
}

/// A cluster of one, with a leader.
pub(crate) async fn single() -> Node {
    let node = start(1, &Network::default(), &FaultyDisk::new(1)).await;
    node.replica.init(&[member(1)]).await.unwrap();
    node.wait_for_active().await;
    node
}

/// A cluster of two: either alone has no quorum. The one that leads comes first.
pub(crate) async fn pair() -> (Node, Node) {
    let network = Network::default();
    let first = start(1, &network, &FaultyDisk::new(1)).await;
    let second = start(2, &network, &FaultyDisk::new(2)).await;
    first.replica.init(&[member(1), member(2)]).await.unwrap();
    let leader = first.wait_for_active().await;
    if leader == NodeId(1) { (first, second) } else { (second, first) }
}

pub(crate) fn member(id: u64) -> Member {
    Member {
        id: NodeId(id),
        name: format!("node{id}"),
        peer: format!("peer{id}"),
        api: format!("api{id}"),
        redis: format!("redis{id}"),
        sentinel: format!("sentinel{id}"),
        http: format!("http{id}"),
        voter: true,
    }
}

async fn until(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

impl Node {
    pub(crate) async fn wait_for_active(&self) -> NodeId {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok(reading) = self.replica.read().await
                && let Some(active) = reading.active()
            {
                return active;
            }
            assert!(Instant::now() < deadline, "no node became active: {:?}", self.replica.status());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn open(&self) -> DuplexStream {
        self.network.open(&self.address).unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n")).await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.post_as("content-type: application/json\r\n", path, body).await
    }

    pub(crate) async fn post_as(&self, headers: &str, path: &str, body: &str) -> Answer {
        let length = body.len();
        let head = format!("POST {path} HTTP/1.1\r\nhost: node\r\nconnection: close\r\n{headers}");
        self.send(&format!("{head}content-length: {length}\r\n\r\n{body}")).await
    }

    pub(crate) async fn put(&self, path: &str, body: &str) -> Answer {
        let length = body.len();
        let head = format!("PUT {path} HTTP/1.1\r\nhost: node\r\nconnection: close\r\n");
        let head = format!("{head}content-type: application/json\r\ncontent-length: {length}\r\n");
        self.send(&format!("{head}\r\n{body}")).await
    }

    pub(crate) async fn send(&self, bytes: &str) -> Answer {
        request(self.open(), bytes).await
    }

    /// The doors close; what is being answered is answered.
    pub(crate) fn stop(&self) {
        self.stop.send(true).unwrap();
    }

    /// The end of the node, as its peers see it.
    pub(crate) async fn kill(&self) {
        self.stop();
        self.replica.shutdown().await;
        // Until its door for peers is shut, it confirms to them, and rightly, that it follows.
        let peers = self.peers.lock().unwrap().take().expect("a node ends once");
        peers.await.unwrap();
    }
}
