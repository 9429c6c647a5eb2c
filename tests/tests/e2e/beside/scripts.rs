//! Lua scripts of Redis clients through every node: they do what they say at once or not at all, and those that never end
//! harm nobody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use tests::cluster::Cluster;
use tests::resp::{Connection, Value};
use tests::{figures, suite};
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
