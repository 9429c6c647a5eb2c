//! Lua scripts of Redis clients through every node: they do what they say at once or not at all, and those that never end
//! harm nobody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use tests::cluster::Cluster;
use tests::resp::{self, Connection, Value};
use tests::{figures, suite, wait};
use tokio::task::JoinSet;

/// Reads and writes as two commands: two of them at the same time would count one.
const COUNT: &str =
    "local n = tonumber(redis.call('get', KEYS[1]) or '0') redis.call('set', KEYS[1], n + 1) return n + 1";

const COMPARE_AND_COUNT: &str = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('incr', KEYS[2]) end \
                                 return redis.error_reply('NOTMINE')";

const ENDLESS: [&str; 4] = [
    "while true do end",
    "while true do pcall(function() while true do end end) end",
    "local t = {} while true do t[#t + 1] = string.rep('x', 100000) .. #t end",
    "redis.call('set', 'never', 1) while true do redis.call('get', 'never') end",
];

const COUNTERS: usize = 6;
const COUNTS: usize = 50;

/// Clients that send nothing but scripts that never end.
const FLOODERS: usize = 20;

/// Of others, while the flood is on.
const LOCKS: usize = 200;

/// A lock and its release, both on disk at a majority, while the flood has a processor.
const LOCK_MEDIAN_MAX: Duration = Duration::from_millis(200);

#[test]
fn what_scripts_read_and_write_is_one_step() {
    suite::beside("scripts_count", async {
        let cluster = Cluster::start().await?;
        let mut counters = JoinSet::new();
        for counter in 0..COUNTERS {
            let mut connection = Connection::open(cluster.redis(counter as u64 % 3 + 1)).await?;
            counters.spawn(async move {
                let mut seen = Vec::new();
                while seen.len() < COUNTS {
                    let said = connection.call(&["EVAL", COUNT, "1", "n"]).await?;
                    match said.error() {
                        // Certainly not done: others were always faster.
                        Some(error) if error.starts_with("TRYAGAIN") => {}
                        _ => seen.push(said.integer()?),
                    }
                }
                anyhow::Ok(seen)
            });
        }
        let mut seen = Vec::new();
        while let Some(of_one) = counters.join_next().await {
            seen.extend(of_one??);
        }
        seen.sort_unstable();
        let expected: Vec<i64> = (1..=(COUNTERS * COUNTS) as i64).collect();
        ensure!(seen == expected, "each count is given once: {seen:?}");
        figures::record("scripts_count", &serde_json::json!({ "counts": seen.len() }))
    });
}

/// From a kill to the first answer of a node that was started again.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

#[test]
fn what_was_loaded_is_found_through_every_node_until_it_is_flushed() {
    suite::beside("scripts_loaded", async {
        let mut cluster = Cluster::start().await?;
        let leader = cluster.wait_ready().await?.leader.context("a ready cluster has a leader")?;
        let loaded = resp::ask(cluster.redis(1), &["SCRIPT", "LOAD", COUNT]).await?;
        let sha = loaded.text()?;
        let mut last = 0;
        for node in [2, 3, 1] {
            last = count_on(cluster.redis(node), sha, last).await?;
        }
        let pid = cluster.pid(leader).await?;
        cluster.signal_pid(leader, pid, Signal::KILL)?;
        // The dead one last: it begins with nothing that it has not read from its disk.
        for node in [1, 2, 3].into_iter().filter(|node| *node != leader).chain([leader]) {
            last = count_on(cluster.redis(node), sha, last).await?;
        }
        cluster.wait_ready().await?;
        for (node, pid) in cluster.pids().await? {
            cluster.signal_pid(node, pid, Signal::KILL)?;
        }
        for node in [1, 2, 3] {
            last = count_on(cluster.redis(node), sha, last).await?;
        }
        cluster.wait_ready().await?;
        resp::ask(cluster.redis(2), &["SCRIPT", "FLUSH"]).await?;
        for node in [1, 2, 3] {
            let mut connection = Connection::open(cluster.redis(node)).await?;
            let exists = connection.ask(&["SCRIPT", "EXISTS", sha]).await?;
            ensure!(exists == Value::Array(vec![Value::Integer(0)]), "node {node}: {exists:?}");
            let said = connection.call(&["EVALSHA", sha, "1", "n"]).await?;
            ensure!(said.error().is_some_and(|error| error.starts_with("NOSCRIPT")), "node {node}: {said:?}");
        }
        figures::record("scripts_loaded", &serde_json::json!({ "counts": last }))
    });
}

/// Counts by the script that was loaded, as soon as the node answers. What was not answered may have counted too.
async fn count_on(port: u16, sha: &str, last: i64) -> Result<i64> {
    let said = wait::until(ANSWERS_WITHIN, "an answer", || async {
        let said = Connection::open(port).await?.call(&["EVALSHA", sha, "1", "n"]).await?;
        let is_none = |error: &str| error.starts_with("LOADING") || error.starts_with("TIMEOUT");
        Ok((!said.error().is_some_and(is_none)).then_some(said))
    })
    .await?;
    let count = said.integer()?;
    ensure!(count > last, "{count} after {last}");
    Ok(count)
}

#[test]
fn scripts_that_never_end_harm_nobody_else() {
    suite::beside("scripts_flood", async {
        let cluster = Cluster::start().await?;
        let term = cluster.wait_ready().await?.term;
        let over = Arc::new(AtomicBool::new(false));
        let mut flood = JoinSet::new();
        for flooder in 0..FLOODERS {
            let mut connection = Connection::open(cluster.redis(flooder as u64 % 3 + 1)).await?;
            let over = over.clone();
            flood.spawn(async move {
                let mut ended = 0;
                while !over.load(Ordering::Relaxed) {
                    let said = connection.call(&["EVAL", ENDLESS[flooder % ENDLESS.len()], "0"]).await?;
                    ensure!(said.error().is_some(), "it ended well: {said:?}");
                    ended += 1;
                }
                Ok(ended)
            });
        }
        let mut connection = Connection::open(cluster.redis(1)).await?;
        let mut times = Vec::new();
        for lock in 0..LOCKS {
            let (begun, mine) = (Instant::now(), lock.to_string());
            let said = connection.call(&["SET", "lock", &mine, "NX", "PX", "60000"]).await?;
            ensure!(said.is_ok(), "{said:?}");
            let said = connection.call(&["EVAL", COMPARE_AND_COUNT, "2", "lock", "n", &mine]).await?;
            ensure!(said == Value::Integer(lock as i64 + 1), "{said:?}");
            let said = connection.call(&["EVAL", COMPARE_AND_COUNT, "2", "lock", "n", "another"]).await?;
            ensure!(said.error().is_some_and(|error| error.contains("NOTMINE")), "{said:?}");
            ensure!(connection.call(&["DEL", "lock"]).await? == Value::Integer(1), "the lock is there");
            times.push(begun.elapsed());
        }
        over.store(true, Ordering::Relaxed);
        let mut ended = 0;
        while let Some(of_one) = flood.join_next().await {
            ended += of_one??;
        }
        ensure!(
            connection.call(&["EXISTS", "never"]).await? == Value::Integer(0),
            "what was ended has done nothing"
        );
        let after = cluster.wait_ready().await?.term;
        let (median, worst) = figures::median_and_worst(&times);
        let figure = serde_json::json!({
            "ended": ended, "locks": times.len(), "median_ms": figures::millis(median),
            "worst_ms": figures::millis(worst), "elections": after - term,
        });
        figures::record("scripts_flood", &figure)?;
        ensure!(ended > 0, "inconclusive: no script was ended");
        ensure!(median < LOCK_MEDIAN_MAX, "median {median:?}");
        Ok(())
    });
}
