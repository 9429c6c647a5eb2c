//! As many clients as a node takes, nearly all of them idle, beside a thousand that hold leases: nobody is sent away below
//! the limit, nobody waits longer for them, no lease is lost and nobody is elected.
//!
//! The idle are all at the leader. It does everyone's work, so there they would be in most people's way.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use serde_json::json;
use tests::cluster::Cluster;
use tests::crowd::{CHANNEL, Crowd};
use tests::resp::Connection;
use tests::{figures, http, process, suite, wait};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};

/// What one node takes.
const CLIENTS_MAX: usize = 10_000;

/// All but the probe and the operator.
const IDLE: usize = CLIENTS_MAX - 2;

/// They hold a lease each, at the other nodes.
const BUSY: usize = 1000;
const LEASE: Duration = Duration::from_secs(3);
const RENEWED_EVERY: Duration = Duration::from_millis(500);

/// One too many, again and again.
const REFUSED: usize = 100;

/// More than this program's connections, and what a node, which inherits the limit, wants for as many clients.
const OPEN_FILES: u64 = CLIENTS_MAX as u64 + 4096;

/// How long locks are looked at, without the idle and beside them.
const LOOK: Duration = Duration::from_secs(3);

/// What an idle client may cost a node: no more than the few kilobytes of its tasks and tables.
const IDLE_BYTES_MAX: u64 = 8 * 1024;

/// A lock beside the idle may take so many times as long as without them, and a little more.
const MEDIAN_RATIO_MAX: u32 = 2;
const MEDIAN_SLACK: Duration = Duration::from_millis(2);
/// The worst one, also while all come, are told something, or go at once: shorter than the leases that are held meanwhile.
/// Whoever comes is a process of this machine, too, and takes most of it for a second.
const WORST_RATIO_MAX: u32 = 3;
const WORST_SLACK: Duration = Duration::from_secs(2);

/// For whatever ten thousand clients do at once.
const ALL_WITHIN: Duration = Duration::from_secs(20);

/// A node with ten thousand idle clients stops as fast as any.
const STOPS_WITHIN: Duration = Duration::from_secs(5);

#[test]
fn ten_thousand_idle_clients_are_in_nobodys_way() {
    suite::alone("connections", async {
        process::allow_open_files(OPEN_FILES)?;
        let mut cluster = Cluster::start().await?;
        let founded = cluster.wait_ready().await?;
        let leader = founded.leader.context("a ready cluster has a leader")?;
        let (port, pid) = (cluster.redis(leader), cluster.pid(leader).await?);
        let others = cluster.followers().await?;
        let busy = Busy::start(&others.iter().map(|node| cluster.redis(*node)).collect::<Vec<_>>()).await?;
        let probe = Probe::open(port)?;
        let mut operator = Connection::open(port).await?;
        let mut figure = json!({ "idle": IDLE, "busy": BUSY });

        let ((), without) = probe.during(look()).await?;
        let resident = process::resident_bytes(pid)?;
        let (mut crowd, coming) = probe.during(Crowd::gather(port, IDLE)).await?;
        let ((), beside) = probe.during(look()).await?;
        let each = process::resident_bytes(pid)?.saturating_sub(resident) / IDLE as u64;
        figure["idle_bytes"] = each.into();

        let (mut phases, limit) = (vec![("coming", coming)], worst(&without) * WORST_RATIO_MAX + WORST_SLACK);
        let ((), refusing) = probe.during(all_are_refused(port)).await?;
        phases.push(("refused", refusing));
        let (listed, listing) = probe.during(async { operator.ask(&["CLIENT", "LIST"]).await }).await?;
        ensure!(listed.text()?.lines().count() == CLIENTS_MAX, "the list of clients is not whole");
        phases.push(("listed", listing));
        let (heard, telling) = probe.during(tell(&mut operator, &mut crowd)).await?;
        ensure!(heard == IDLE / 4, "{heard} have heard it");
        phases.push(("told", telling));
        let going = async {
            drop(crowd);
            connected(&cluster, leader, 2).await
        };
        let ((), going) = probe.during(going).await?;
        phases.push(("going", going));

        for (name, taken) in [("without", &without), ("beside", &beside)] {
            figure[name] = told(taken);
        }
        for (name, taken) in &phases {
            figure[name] = told(taken);
        }
        let now = cluster.status().await?;
        ensure!((now.term, now.leader) == (founded.term, founded.leader), "an election: {now:?}");

        let again = within(Crowd::gather(port, IDLE)).await?;
        let stopped = Instant::now();
        cluster.signal_pid(leader, pid, Signal::TERM)?;
        within(again.is_dismissed()).await?;
        wait::until(ALL_WITHIN, "the end of the node", || async {
            Ok((!process::is_alive(pid)).then_some(()))
        })
        .await?;
        let stopped = stopped.elapsed();
        figure["stopped_ms"] = figures::millis(stopped).into();
        // Where they go then.
        let moved = Instant::now();
        let crowd = within(Crowd::gather(cluster.redis(others[0]), CLIENTS_MAX - BUSY)).await?;
        figure["moved_ms"] = figures::millis(moved.elapsed()).into();
        cluster.wait_ready().await?;
        drop(crowd);
        figure["renewals"] = within(busy.finish()).await?.into();
        figures::record("connections", &figure)?;

        ensure!(each <= IDLE_BYTES_MAX, "{each} bytes for each idle client");
        let (usual, now) = (median(&without), median(&beside));
        ensure!(now <= usual * MEDIAN_RATIO_MAX + MEDIAN_SLACK, "a lock takes {now:?} instead of {usual:?}");
        for (name, taken) in phases.iter().chain([&("beside", beside)]) {
            let worst = worst(taken);
            ensure!(worst <= limit, "{name}: a lock took {worst:?}, more than {limit:?}");
        }
        ensure!(stopped <= STOPS_WITHIN, "stopped only after {stopped:?}");
        Ok(())
    });
}

async fn within<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(ALL_WITHIN, work).await.context("it does not end")?
}

/// A client that takes a lock and gives it back, again and again. It has a thread of its own: in that of the others it would
/// measure how long this program takes for ten thousand connections.
struct Probe(TcpStream);

impl Probe {
    fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ALL_WITHIN))?;
        Ok(Self(stream))
    }

    /// How long each lock took while the work went on.
    async fn during<T>(&self, work: impl Future<Output = Result<T>>) -> Result<(T, Vec<Duration>)> {
        let is_done = Arc::new(AtomicBool::new(false));
        let (stream, until) = (self.0.try_clone()?, is_done.clone());
        let locks = spawn_blocking(move || lock_until(stream, &until));
        let done = within(work).await;
        is_done.store(true, Ordering::Relaxed);
        Ok((done?, locks.await??))
    }
}

fn lock_until(mut stream: TcpStream, is_done: &AtomicBool) -> Result<Vec<Duration>> {
    let mut taken = Vec::new();
    while !is_done.load(Ordering::Relaxed) {
        let started = Instant::now();
        for (request, reply) in LOCK {
            stream.write_all(request)?;
            let mut said = vec![0; reply.len()];
            stream.read_exact(&mut said)?;
            ensure!(said == reply, "{} instead of {}", said.escape_ascii(), reply.escape_ascii());
        }
        taken.push(started.elapsed());
    }
    Ok(taken)
}

/// As Redis's documentation says.
const LOCK: [(&[u8], &[u8]); 2] = [
    (b"SET probe me NX PX 10000\r\n", b"+OK\r\n"),
    (
        b"EVAL \"if redis.call('get',KEYS[1]) == ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end\" 1 probe me\r\n",
        b":1\r\n",
    ),
];

const CONNECTIONS: &str = "tenure_resp_connections{door=\"redis\"}";

async fn look() -> Result<()> {
    sleep(LOOK).await;
    Ok(())
}

/// In Redis's words, and then the connection ends.
async fn all_are_refused(port: u16) -> Result<()> {
    let mut coming = JoinSet::new();
    for _ in 0..REFUSED {
        coming.spawn(async move {
            let mut one = Connection::open(port).await?;
            let said = one.next().await?;
            ensure!(said.error() == Some("ERR max number of clients reached"), "{said:?}");
            ensure!(one.next().await.is_err(), "it is still connected");
            Ok(())
        });
    }
    while let Some(refused) = coming.join_next().await {
        refused??;
    }
    Ok(())
}

async fn tell(operator: &mut Connection, crowd: &mut Crowd) -> Result<usize> {
    operator.ask(&["PUBLISH", CHANNEL, "news"]).await?;
    crowd.hear("news").await
}

/// Until so many clients are connected to the node.
async fn connected(cluster: &Cluster, node: u64, count: u64) -> Result<()> {
    wait::until(ALL_WITHIN, "the end of the others", || async {
        let metrics = http::get(cluster.http(node), "/metrics").await?.body;
        Ok((http::metric(&metrics, CONNECTIONS)? == count).then_some(()))
    })
    .await
}

/// Clients that hold a lease each for as long as they are here.
struct Busy {
    stop: Arc<AtomicBool>,
    holders: JoinSet<Result<u64>>,
}

impl Busy {
    async fn start(ports: &[u16]) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut holders = JoinSet::new();
        for number in 0..BUSY {
            let connection = Connection::open(ports[number % ports.len()]).await?;
            holders.spawn(hold(connection, number, stop.clone()));
        }
        Ok(Self { stop, holders })
    }

    /// All renewals together.
    async fn finish(mut self) -> Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        let mut renewals = 0;
        while let Some(held) = self.holders.join_next().await {
            renewals += held??;
        }
        Ok(renewals)
    }
}

/// Renews a lease until it is told to stop; the lease is never lost.
async fn hold(mut connection: Connection, number: usize, stop: Arc<AtomicBool>) -> Result<u64> {
    let (name, length) = (format!("busy:{number}"), LEASE.as_millis().to_string());
    // Not all at the same moment.
    sleep(RENEWED_EVERY.mul_f64(number as f64 / BUSY as f64)).await;
    let granted = connection.ask(&["LEASE.ACQUIRE", &name, "me", "PX", &length]).await?;
    let mut renewals = 0;
    while !stop.load(Ordering::Relaxed) {
        sleep(RENEWED_EVERY).await;
        let renewed = connection.ask(&["LEASE.RENEW", &name, "me", "PX", &length]).await?;
        ensure!(renewed == granted, "{name} was lost: {renewed:?} after {granted:?}");
        renewals += 1;
    }
    Ok(renewals)
}

fn told(taken: &[Duration]) -> serde_json::Value {
    let millis = |duration| figures::millis(duration);
    json!({ "locks": taken.len(), "median_ms": millis(median(taken)), "worst_ms": millis(worst(taken)) })
}

fn median(taken: &[Duration]) -> Duration {
    figures::median_and_worst(taken).0
}

fn worst(taken: &[Duration]) -> Duration {
    figures::median_and_worst(taken).1
}
