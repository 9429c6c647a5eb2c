//! Replies are those of redis-server 7.0.15, byte by byte, whatever is asked.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tests::chance::Chance;
use tests::cluster::Cluster;
use tests::differential::{self, Seen, Side, Stream};
use tests::redis_server::RedisServer;
use tests::{figures, suite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Streams at a time, each in a database of its own and with every other in RESP3.
const STREAMS: u64 = 12;

/// Of all streams together; in a quick test fewer.
const STEPS: usize = 100_000;

/// At most so many of a hundred replies may be errors: a stream of nonsense would prove nothing.
const ERRORS_PERCENT_MAX: u64 = 30;

/// Draws what is asked.
pub(crate) const SEED: &str = "TENURE_DIFFERENTIAL_SEED";

#[test]
fn replies_are_those_of_redis() {
    let Some(cli) = suite::tool("differential", "TENURE_REDIS_CLI") else { return };
    suite::beside("differential", async move {
        let seed = Chance::any_seed();
        run(Path::new(&cli), suite::times(STEPS), seed).await
    });
}

#[test]
fn a_difference_is_seen() {
    let Some(cli) = suite::tool("differential_difference", "TENURE_REDIS_CLI") else { return };
    suite::beside("differential_difference", async move {
        let redis = RedisServer::start(Path::new(&cli)).await?;
        let (mut one, mut other) = (Side::new(redis.connect().await?), Side::new(redis.connect().await?));
        let hashes = one.begin(0, "2").await?;
        other.begin(1, "2").await?;
        for key in 0..8 {
            other.ask(&["SET", &format!("k{key}"), "another"]).await?;
        }
        let compared = differential::compare(&mut one, &mut other, &mut Stream::new(1, hashes), 1000).await;
        ensure!(
            compared.is_err_and(|error| error.to_string().contains("and the other said")),
            "it is not seen"
        );
        Ok(())
    });
}

/// So many steps in all streams together.
pub(crate) async fn run(cli: &Path, steps: usize, seed: u64) -> Result<()> {
    let started = Instant::now();
    let seen = compare(cli, steps as u64, seed).await.with_context(|| {
        format!("seed {seed}; again: cargo xtask differential --steps {steps} --seed {seed}")
    })?;
    ensure!(seen.errors * 100 <= ERRORS_PERCENT_MAX * seen.steps, "too many errors: {seen:?}");
    for kind in ["GET", "SET", "EXEC", "EVAL", "EVALSHA", "RENAME", "APPEND", "HSET", "LPUSH", "SADD", "ZADD"]
    {
        ensure!(seen.answered.contains_key(kind), "{kind} never did anything: {seen:?}");
    }
    let Seen { steps, errors, answered } = seen;
    let commands = answered.len();
    let seconds = started.elapsed().as_secs();
    figures::record(
        "differential",
        &json!({ "seed": seed, "steps": steps, "errors": errors, "commands": commands, "seconds": seconds }),
    )
}

async fn compare(cli: &Path, steps: u64, seed: u64) -> Result<Seen> {
    let cluster = Cluster::start().await?;
    let redis = RedisServer::start(cli).await?;
    let mut streams = JoinSet::new();
    for number in 0..STREAMS {
        let here = TcpStream::connect(("127.0.0.1", cluster.redis(1 + number % 3))).await?;
        here.set_nodelay(true)?;
        let (mut here, mut there) = (Side::new(here), Side::new(redis.connect().await?));
        streams.spawn(async move {
            let protocol = if number % 2 == 0 { "2" } else { "3" };
            let database = usize::try_from(number)?;
            let hashes = here.begin(database, protocol).await?;
            there.begin(database, protocol).await?;
            let mut stream = Stream::new(seed.wrapping_add(number), hashes);
            let compared = differential::compare(&mut here, &mut there, &mut stream, steps / STREAMS);
            compared.await.with_context(|| format!("stream {number}, RESP{protocol}"))
        });
    }
    let mut seen = Seen::default();
    while let Some(stream) = streams.join_next().await {
        seen.add(stream??);
    }
    Ok(seen)
}
