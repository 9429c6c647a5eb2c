//! One node in the foreground: open, serve, drain, stop.

use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use consensus::{Options, Replica, Start};
use domain::NodeId;
use futures_util::StreamExt;
use store::{HistoryIndex, Materialised, MaterialisedIndex, RealDisk, StateStore, WalOptions};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::{Config, Door};
use crate::descriptors::Clients;
use crate::telemetry::{Doors, Telemetry};
use crate::world::{self, accept, accept_any};

/// Clients that keep their connections open after a drain are cut off after this long; every request that was
/// read has been answered by then.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// Clients that have connected and not been accepted yet: after the loss of a node all of its clients come at once, and
/// whoever finds no place tries again only a second later. The kernel's own limit holds beside it.
const BACKLOG: i32 = 4096;

/// A planned stop as a whole, shorter than the supervisor's patience (`TimeoutStopSec` in `deploy/tenure.service`). What is
/// not done by then is given up as in a crash: nothing acknowledged depends on it.
const STOP_TIMEOUT: Duration = Duration::from_secs(25);

/// Runs until SIGTERM or SIGINT, then drains.
pub fn run(file: &Path) -> Result<()> {
    let config = Config::load(file)?;
    world::abort_on_panic();
    if let Some(stopwatch) = std::env::var_os(world::TEST_STOPWATCH) {
        anyhow::ensure!(
            config.is_on_loopback(),
            "{} is for tests on one machine, and this node listens on others' networks; unset it",
            world::TEST_STOPWATCH
        );
        world::follow_test_stopwatch(stopwatch.into())?;
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let served = runtime.block_on(serve(config));
    // A file that is still being read or written is of no use to anybody now.
    runtime.shutdown_background();
    served
}

/// A door with a thread of its own: what may be asked there takes long, or must be answered when the main thread is busy.
fn runtime_of(door: Door) -> Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let thread = std::thread::Builder::new().name(door.name().into());
    thread.spawn(move || runtime.block_on(std::future::pending::<()>()))?;
    Ok(handle)
}

/// On the main thread are Raft and the peers and, because waking another thread costs more than a request does, gRPC.
async fn serve(config: Config) -> Result<()> {
    let clients = Clients::allowed()?;
    let (redis_runtime, http_runtime) = (runtime_of(Door::Redis)?, runtime_of(Door::Http)?);
    // Bound first: a taken port must be known before the log is opened.
    let bind_here = |door| bind(&config, door, &Handle::current());
    let (peer_listener, api_listener) = (bind_here(Door::Peer)?, bind_here(Door::Api)?);
    let redis_listener = bind(&config, Door::Redis, &redis_runtime)?;
    let sentinel_listener = bind(&config, Door::Sentinel, &redis_runtime)?;
    let http_listener = bind(&config, Door::Http, &http_runtime)?;
    let (password, sentinel_password) = (config.redis_password()?, config.sentinel_password()?);

    let replica = Replica::start(start(&config)?).await?;
    tracing::info!(node = config.node.id, data = %config.node.data.display(), "this node has recovered");

    let (stop, stopped) = watch::channel(false);
    let (stop_peers, peers_stopped) = watch::channel(false);
    let peers = {
        let replica = replica.clone();
        tokio::spawn(
            async move { replica.serve_peers(accept_any(peer_listener), until(peers_stopped)).await },
        )
    };
    let wall_ms: api::cluster::WallClock = Arc::new(world::wall_ms);
    let incoming = accept_any(api_listener);
    let api = tokio::spawn(api::serve(replica.clone(), wall_ms.clone(), incoming, until(stopped.clone())));
    let run_id = format!("{:040x}", rand::random::<u128>());
    let keys = redis::Options {
        password,
        allow_flush: config.redis.allow_flush,
        connections_max: clients.redis,
        notify_keyspace_events: config.redis.notify_keyspace_events.clone(),
        port: port(&config, Door::Redis),
        run_id: run_id.clone(),
        ..redis::Options::default()
    };
    let master = config.sentinel.master.clone();
    let sentinel = redis::Options {
        purpose: redis::Purpose::Sentinel { master },
        password: sentinel_password,
        connections_max: clients.sentinel,
        port: port(&config, Door::Sentinel),
        run_id,
        ..redis::Options::default()
    };
    let (redis, redis_served) = serve_redis(keys, redis_listener, &replica, &redis_runtime);
    let (sentinel, sentinel_served) = serve_redis(sentinel, sentinel_listener, &replica, &redis_runtime);
    let http_metrics = Arc::new(http::Metrics::default());
    let doors = Doors { redis: redis.metrics(), sentinel: sentinel.metrics() };
    let telemetry = Telemetry::new(replica.clone(), doors, http_metrics.clone());
    let http_options =
        http::Options { metrics: http_metrics, metrics_text: Arc::new(move || telemetry.text()) };
    let leases = api::Leases::new(replica.clone());
    let orders = api::Orders::new(replica.clone(), wall_ms.clone());
    let settings = api::Config::new(replica.clone(), wall_ms.clone());
    let incoming = accept_any(http_listener);
    let http = http::serve(replica.clone(), leases, orders, settings, http_options, incoming, until(stopped));
    let http = http_runtime.spawn(http);

    world::wait_for_signal().await?;
    tracing::info!("draining");
    // Leadership first, so that what is being asked here is answered by its successor; then the doors, each
    // after its last answer; then Raft.
    let stopping = async {
        replica.drain().await;
        let _ = stop.send(true);
        let doors = async {
            tokio::join!(redis.drain(), sentinel.drain());
            let _ = redis_served.await;
            let _ = sentinel_served.await;
            let _ = api.await;
            let _ = http.await;
        };
        if tokio::time::timeout(STOP_GRACE, doors).await.is_err() {
            tracing::warn!("clients kept their connections open; cut off");
        }
        replica.shutdown().await;
        let _ = stop_peers.send(true);
        let _ = tokio::time::timeout(STOP_GRACE, peers).await;
    };
    match tokio::time::timeout(STOP_TIMEOUT, stopping).await {
        Ok(()) => tracing::info!("stopped"),
        Err(_) => tracing::warn!(limit = ?STOP_TIMEOUT, "not stopped in time; the rest is given up"),
    }
    Ok(())
}

/// Serves a door that speaks the Redis protocol.
fn serve_redis(
    options: redis::Options,
    listener: TcpListener,
    replica: &Replica,
    runtime: &Handle,
) -> (redis::Server<Replica>, JoinHandle<()>) {
    let (beside, started) = (runtime.clone(), std::time::Instant::now());
    let environment = redis::Environment {
        wall_ms: Arc::new(world::wall_ms),
        spawn: Arc::new(|task| drop(tokio::spawn(task))),
        aside: Arc::new(move |work| drop(beside.spawn_blocking(work))),
        clock: Arc::new(world::thread_time),
        monotonic: Arc::new(move || started.elapsed()),
        sleep: Arc::new(|time| Box::pin(tokio::time::sleep(time))),
    };
    let server = redis::Server::new(replica.clone(), environment, options);
    let serving = server.clone();
    let served = async move { serving.serve(accept(listener).map(as_accepted)).await };
    (server, runtime.spawn(served))
}

/// The port that others use, for those who ask.
fn port(config: &Config, door: Door) -> u16 {
    let address = config.advertise(door);
    let port = address.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    port.unwrap_or_else(|| door.default_port())
}

fn as_accepted(socket: std::io::Result<TcpStream>) -> std::io::Result<redis::Accepted<TcpStream>> {
    let stream = socket?;
    Ok(redis::Accepted { peer: stream.peer_addr()?, local: stream.local_addr()?, stream })
}

fn bind(config: &Config, door: Door, runtime: &Handle) -> Result<TcpListener> {
    let address = config.listen(door);
    let listener = std::net::TcpListener::bind(&address).with_context(|| {
        format!("listen.{} = {address:?} cannot be bound; is another node running?", door.name())
    })?;
    rustix::net::listen(&listener, BACKLOG)?;
    listener.set_nonblocking(true)?;
    let _entered = runtime.enter();
    Ok(TcpListener::from_std(listener)?)
}

fn start(config: &Config) -> Result<Start> {
    // Whoever can read the log can read every lease and its token.
    let mut directory = std::fs::DirBuilder::new();
    directory.recursive(true).mode(0o700);
    directory
        .create(&config.node.data)
        .with_context(|| format!("node.data = {:?} cannot be made", config.node.data))?;
    let disk = Arc::new(RealDisk::open(&config.node.data)?);
    let origin = std::time::Instant::now();
    let wal = WalOptions {
        segment_bytes: config.log.segment.0,
        retain_bytes: config.log.retain.0,
        reserve_bytes: config.log.reserve.0,
        now: Some(Arc::new(move || origin.elapsed())),
        ..WalOptions::default()
    };
    let options = Options {
        timeouts: config.timeouts(),
        snapshot_entries: config.raft.snapshot_entries,
        snapshot_bytes: config.raft.snapshot_bytes.0,
        version: env!("CARGO_PKG_VERSION").into(),
        pid: std::process::id(),
    };
    Ok(Start {
        node: NodeId(config.node.id),
        contact: config.contact(),
        disk,
        wal,
        state_store: state_store(&config.node.data.join("sled")),
        history_index: history_index(&config.node.data.join("history-index")),
        options,
        environment: world::environment(Handle::current()),
    })
}

/// A node starts without it, only slower.
fn state_store(path: &Path) -> Option<Box<dyn StateStore>> {
    match Materialised::open(path) {
        Ok(store) => Some(Box::new(store)),
        Err(error) => {
            tracing::error!(%error, path = %path.display(), "the state store cannot be opened");
            None
        }
    }
}

/// A node starts without it, and then tells nothing of its history.
fn history_index(path: &Path) -> Option<Box<dyn HistoryIndex>> {
    match MaterialisedIndex::open(path) {
        Ok(index) => Some(Box::new(index)),
        Err(error) => {
            tracing::error!(%error, path = %path.display(), "the index over history cannot be opened");
            None
        }
    }
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // A dropped sender means that the process is ending anyway.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
