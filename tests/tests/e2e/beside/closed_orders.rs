//! Closed orders go to the history a day after they were settled, and every node tells them from there: one that was restarted, and
//! one that lacked all of it and came back by a snapshot.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use serde_json::{Value, json};
use tests::cluster::{Cluster, Options};
use tests::resp::Connection;
use tests::trading::{self, Asked, Days};
use tests::{figures, grpc, http, process, suite, wait};
use tokio::time::timeout;
use wire::v1;

/// Orders of the form that runs with all tests; `cargo xtask orders` has more.
const ORDERS: usize = 3000;

/// Times that each query is asked at each node.
const ROUNDS: usize = 20;

/// A query takes at most so long, in the form that has the machine to itself.
pub(crate) const QUERY_MAX: Duration = Duration::from_millis(50);

/// For a step of the longest form.
const STEP: Duration = Duration::from_secs(900);

/// Bytes of each write that fills the log.
const FILLER_BYTES: usize = 16 * 1024;

#[test]
fn every_node_tells_all_closed_orders_from_its_history() {
    suite::beside("closed_orders", async {
        let (figure, _) = run(ORDERS).await?;
        figures::record("closed_orders", &figure)
    });
}

/// What it measured, and the slowest query.
pub(crate) async fn run(count: usize) -> Result<(Value, Duration)> {
    let directory = tempfile::Builder::new().prefix("tenure-days-").tempdir()?;
    let days = Days::new(directory.path())?;
    let set = vec!["log.segment = \"4MiB\"", "log.retain = \"8MiB\""];
    let environment = vec![(trading::TEST_STOPWATCH.into(), days.file().into())];
    let mut cluster = Cluster::start_with(Options { set, environment, ..Options::default() }).await?;
    cluster.wait_ready().await?;
    let ports = [1, 2, 3].map(|node| cluster.api(node));
    let empty = memory_mib(&cluster).await?;

    let token = trading::open_desk(ports[0]).await?;
    let began = Instant::now();
    let authorized = trading::authorize(&ports, token, 0..count).await?;
    let authorize_s = began.elapsed().as_secs_f64();
    let open = memory_mib(&cluster).await?;
    let began = Instant::now();
    trading::close(&ports, &authorized).await?;
    let close_s = began.elapsed().as_secs_f64();
    // Closed by itself after all others, it goes to the history after them.
    let number = trading::next_authorized(count);
    let last = trading::authorize(&ports, token, number..number + 1).await?;
    trading::close(&ports, &last).await?;
    let (last, total) = (last[0].1, count + 1);
    let closed = memory_mib(&cluster).await?;
    let (in_memory, list_memory) = trading::all(ports[0]).await?;
    ensure!(in_memory.len() == total, "{} orders are told of {total}", in_memory.len());
    let middle_ms = in_memory[total / 2].submitted_at_ms.context("it has a time")?;
    let asked = trading::queries(&in_memory[total / 2], middle_ms);
    let queries_memory = measure(&asked, &ports).await?;

    // One is away while all of it goes.
    let leader = cluster.leader().await?;
    let away = cluster.followers().await?[0];
    let stopped_at = node_status(&cluster, away).await?.last_log;
    cluster.signal(away, Signal::STOP).await?;
    let there: Vec<u64> = [1, 2, 3].into_iter().filter(|node| *node != away).collect();
    days.pass(1)?;
    let began = Instant::now();
    fill_until(&cluster, leader, "the history", async || {
        let mut archived = true;
        for node in &there {
            archived &= trading::get(cluster.api(*node), last)
                .await?
                .is_some_and(|order| trading::is_archived(&order));
        }
        Ok(archived)
    })
    .await?;
    let archive_s = began.elapsed().as_secs_f64();
    for node in &there {
        wait_indexed(&cluster, *node).await?;
    }
    let indexed_s = began.elapsed().as_secs_f64();
    let archived_ports = [cluster.api(there[0]), cluster.api(there[1])];
    let queries_history = measure(&asked, &archived_ports).await?;
    let (from_history, list_history) = trading::all(archived_ports[0]).await?;
    ensure!(from_history.iter().all(trading::is_archived), "some are not in the history");
    compare_without_where(&in_memory, &from_history)?;

    fill_until(&cluster, leader, "a log that begins after what the one away has", async || {
        Ok(node_status(&cluster, leader).await?.purged_index > stopped_at)
    })
    .await?;
    let purged = node_status(&cluster, leader).await?.purged_index;
    cluster.thaw(away)?;
    let began = Instant::now();
    wait::until(STEP, "a snapshot at the one that was away", || async {
        let status = node_status(&cluster, away).await?;
        Ok((status.snapshot_index >= purged && status.applied > purged).then_some(()))
    })
    .await?;
    wait_indexed(&cluster, away).await?;
    let restored_s = began.elapsed().as_secs_f64();
    for node in [1, 2, 3] {
        let (told, _) = trading::all(cluster.api(node)).await?;
        ensure!(told == from_history, "node {node} tells others than node {}", there[0]);
    }
    let history = memory_mib(&cluster).await?;

    let stop = cluster.stop().await?;
    let disk = disk_bytes(cluster.data())?;
    cluster.start_again().await?;
    let restart = cluster.ready_after;
    for node in [1, 2, 3] {
        wait_indexed(&cluster, node).await?;
        let (told, _) = trading::all(cluster.api(node)).await?;
        ensure!(told == from_history, "node {node} tells others after its restart");
    }
    let restarted = memory_mib(&cluster).await?;
    let slowest =
        [&queries_memory, &queries_history].into_iter().map(Queries::worst).max().unwrap_or_default();
    let figure = json!({
        "orders": total, "denied": total - authorized.len() - 1,
        "authorize_s": authorize_s, "close_s": close_s, "to_history_s": archive_s, "indexed_s": indexed_s,
        "memory_mib": {
            "empty": empty, "open": open, "closed": closed, "in_history": history, "restarted": restarted,
        },
        "disk_mib_per_node": disk, "stop_ms": figures::millis(stop), "restart_ms": figures::millis(restart),
        "restored_by_snapshot_s": restored_s,
        "list_all_ms": { "memory": figures::millis(list_memory), "history": figures::millis(list_history) },
        "queries_in_memory": queries_memory.json(), "queries_in_history": queries_history.json(),
    });
    drop(cluster);
    suite::used(directory);
    Ok((figure, slowest))
}

/// The same orders, told by where they are alone.
fn compare_without_where(memory: &[v1::Order], history: &[v1::Order]) -> Result<()> {
    let unmoved = |order: &v1::Order| {
        let flags = order.flags.iter().filter(|flag| *flag != "archived").cloned().collect();
        v1::Order { flags, updated_at_ms: 0, ..order.clone() }
    };
    ensure!(memory.len() == history.len(), "{} orders, and {} before", history.len(), memory.len());
    for (before, after) in memory.iter().zip(history) {
        ensure!(unmoved(before) == unmoved(after), "it was {before:?}, and is {after:?}");
    }
    Ok(())
}

/// Writes through the leader until it is so: what is due goes to the history with entries, and the log grows.
async fn fill_until(
    cluster: &Cluster,
    leader: u64,
    what: &str,
    mut is_so: impl AsyncFnMut() -> Result<bool>,
) -> Result<()> {
    let value = "x".repeat(FILLER_BYTES);
    let fill = async {
        loop {
            let mut connection = Connection::open(cluster.redis(leader)).await?;
            for _ in 0..64 {
                // What was asked just before the log's clock went on by a day came too late.
                if connection.ask(&["SET", "filler", &value]).await.is_err() {
                    break;
                }
            }
            if is_so().await? {
                return anyhow::Ok(());
            }
        }
    };
    timeout(STEP, fill).await.with_context(|| format!("waited {STEP:?} for {what}"))?
}

async fn wait_indexed(cluster: &Cluster, node: u64) -> Result<()> {
    wait::until(STEP, "an index over all of the history", || async {
        let metrics = http::get(cluster.http(node), "/metrics").await?.body;
        let lacking = ["missing", "unindexed"]
            .map(|what| http::metric(&metrics, &format!("tenure_history_files_{what}")));
        let [missing, unindexed] = lacking;
        Ok((missing? == 0 && unindexed? == 0).then_some(()))
    })
    .await?;
    // The node may have looked before it knew what there is.
    wait::until(STEP, "an answer out of the history", || async {
        let mut client = grpc::orders(cluster.api(node))?;
        Ok(client.list(v1::ListOrdersRequest { limit: 1, ..Default::default() }).await.ok().map(drop))
    })
    .await
}

/// How long each query took.
struct Queries(Vec<(&'static str, usize, Vec<Duration>)>);

impl Queries {
    fn worst(&self) -> Duration {
        self.0.iter().flat_map(|(_, _, took)| took.iter().copied()).max().unwrap_or_default()
    }

    fn json(&self) -> Value {
        let one = |(name, orders, took): &(&str, usize, Vec<Duration>)| {
            let (middle, worst) = figures::median_and_worst(took);
            let figure = json!({
                "orders": orders, "p50_ms": figures::millis(middle), "max_ms": figures::millis(worst),
            });
            ((*name).to_owned(), figure)
        };
        Value::Object(self.0.iter().map(one).collect())
    }
}

async fn measure(asked: &[(&'static str, Asked)], ports: &[u16]) -> Result<Queries> {
    let mut queries = Vec::new();
    for (name, asked) in asked {
        let (mut took, mut orders) = (Vec::new(), 0);
        for port in ports {
            let mut client = grpc::orders(*port)?;
            // The first opens the connection.
            asked.ask(&mut client).await?;
            for _ in 0..ROUNDS {
                let (count, time) = asked.ask(&mut client).await?;
                took.push(time);
                orders = count;
            }
        }
        queries.push((*name, orders, took));
    }
    Ok(Queries(queries))
}

async fn memory_mib(cluster: &Cluster) -> Result<Vec<u64>> {
    cluster.pids().await?.values().map(|pid| Ok(process::resident_bytes(*pid)? >> 20)).collect()
}

/// What each kind of file takes at a node, in MiB, and the newest snapshot.
fn disk_bytes(data: &Path) -> Result<Value> {
    let mib = |bytes: u64| (bytes as f64 / f64::from(1 << 20) * 10.0).round() / 10.0;
    let node = data.join("node1");
    let mut kinds = serde_json::Map::new();
    for entry in std::fs::read_dir(&node)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            kinds.insert(name, json!(mib(tree_bytes(&path)?)));
        }
    }
    let mut newest = (std::time::SystemTime::UNIX_EPOCH, 0);
    for entry in std::fs::read_dir(node.join("snap"))? {
        let metadata = entry?.metadata()?;
        newest = newest.max((metadata.modified()?, metadata.len()));
    }
    kinds.insert("newest_snapshot".into(), json!(mib(newest.1)));
    Ok(Value::Object(kinds))
}

fn tree_bytes(directory: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { tree_bytes(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}

async fn node_status(cluster: &Cluster, node: u64) -> Result<v1::NodeStatus> {
    let mut client = grpc::cluster(cluster.api(node))?;
    let status = client.status(v1::StatusRequest { quorum_wait_ms: 0 }).await?.into_inner();
    status.node.context("a status has a node")
}
