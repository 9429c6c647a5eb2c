//! Writes the data directory of the present format that later builds must open: `cargo xtask fixture N`.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tests::cli::Cli;
use tests::node::NodeFile;
use tests::ports::Ports;
use tests::resp::Connection;
use tests::{grpc, suite, wait};
use wire::v1::StatusRequest;

use crate::beside::formats::{self, Counter, DATA, EXPECTED, Expected, Key, Lease, Told};

/// The smallest segments: a small directory has a file of every kind.
const SETTINGS: &str =
    "[redis]\nallow_flush = true\n[log]\nsegment = \"4MiB\"\nretain = \"8MiB\"\nreserve = \"64MiB\"\n";

/// In the first life; what the second writes stays in the log.
const SNAPSHOT_SOON: &str = "[raft]\nsnapshot_entries = 300\n";

/// Together more than a segment of the log.
const FILLERS: usize = 100;
const FILLER_BYTES: usize = 60_000;

/// Each leaves an audit record, and 4096 of them seal a history file.
const FLUSHES: usize = 4100;

/// Each is an entry of its own: enough for a snapshot, and some behind it.
const COUNTS: usize = 400;

/// How long a life goes on counting, now and then, so that the state store is written in it and flushed: both happen
/// every second.
const STATE_WRITTEN_WITHIN: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);

/// What the log says of a state store that was good.
const READ_BACK: &str = "the state was read back";

/// Without a reply when the node is killed.
const UNFINISHED: usize = 200;

/// Longer than anybody keeps this format: log time goes on when the directory is opened.
const LEASE_MS: &str = "1000000000000";

/// Every kind of command that Redis clients have beside those above, with `*` for the name of the life that it belongs to: the
/// first is read from the snapshot later, the second from the log.
const WRITES: &str = "
    MSET a:* 1 b:* 2
    SET c:* 1 NX PX 1000000000000
    SET gone:* 1 PX 1
    SET taken:* 1
    GETDEL taken:*
    GETEX b:* PX 1000000000000
    PEXPIRE a:* 1000000000000
    PERSIST a:*
    INCRBY a:* 5
    COPY b:* copied:*
    RENAME copied:* renamed:*
    COPY renamed:* copied:*
    LEASE.ACQUIRE kept:* erin PX 1000000000000
    LEASE.RENEW kept:* erin PX 1000000000000
    HSET hash:* f 1 g two h three
    HSETNX hash:* i 4
    HINCRBY hash:* f 41
    HDEL hash:* h
    RPUSH list:* a b c d e f
    LPUSHX list:* z
    LSET list:* 1 A
    LREM list:* 1 c
    LPOP list:*
    RPOP list:* 2
    LTRIM list:* 0 1
    SADD set:* a b c
    SREM set:* b
    ZADD zset:* 1 a 2.5 b inf c -inf d 4 e 5 f 6 g
    ZINCRBY zset:* 0.1 a
    ZREM zset:* g
    ZREMRANGEBYSCORE zset:* (4 5
    ZREMRANGEBYRANK zset:* 0 0
    ZPOPMAX zset:*
    APPEND a:* 7
    PUBLISH channel:* message
    SPUBLISH channel:* message
    SCRIPT LOAD return'loaded:*'
    WATCH watched:*
    MULTI
    GET a:*
    SET done:* 1
    HSET done:hash:* f v
    LPOP none:*
    INCR hash:*
    EXEC
    EVAL return{redis.call('get',KEYS[1]),redis.call('set',KEYS[2],'2'),redis.call('hset',KEYS[3],'f','v')} 3 a:* script:* script:hash:*
";

/// What is asked of them, when they were written and whenever the directory is opened. `XX` asks whether there is an end.
const QUESTIONS: &str = "
    MGET a:* b:* c:* gone:* taken:* copied:* renamed:* done:* script:*
    PEXPIRE a:* 1000000000000 XX
    PEXPIRE b:* 1000000000000 XX
    PEXPIRE c:* 1000000000000 XX
    PEXPIRE copied:* 1000000000000 XX
    LEASE.TOKEN kept:* erin
    HGETALL hash:*
    HGETALL done:hash:*
    HGETALL script:hash:*
    LRANGE list:* 0 -1
    SMEMBERS set:*
    ZRANGE zset:* 0 -1 WITHSCORES
    TYPE zset:*
";

const WRITTEN_WITHIN: Duration = Duration::from_secs(20);

/// It is written once and unpacked by every run of the tests.
const COMPRESSION: i32 = 19;

#[test]
fn a_directory_of_the_present_format_is_written() {
    suite::asked("fixture", "TENURE_FIXTURE", |number| async move {
        let place =
            formats::directory().join(number.parse::<u32>().context("the format's number")?.to_string());
        ensure!(!place.exists(), "{} is there: a format that was released does not change", place.display());
        let directory = tempfile::Builder::new().prefix("tenure-e2e-").tempdir()?;
        let data = directory.path().join("node1");
        let expected = write(&data).await?;
        std::fs::create_dir_all(&place)?;
        pack(&data, &place.join(DATA))?;
        std::fs::write(place.join(EXPECTED), serde_json::to_string_pretty(&expected)? + "\n")?;
        eprintln!("{}: {} bytes", place.display(), std::fs::metadata(place.join(DATA))?.len());
        Ok(())
    });
}

/// A node's life: it is killed after its snapshot, started again, and killed in the middle of its work.
async fn write(data: &Path) -> Result<Expected> {
    let ports = Ports::claim()?;
    let mut file = NodeFile::new(1, data.to_owned(), ports.base + 101);
    file.settings = format!("{SNAPSHOT_SOON}{SETTINGS}");
    let cli = Cli::new(&[file.api()]);
    let mut expected = Expected::default();

    let node = file.start().await?;
    cli.json(&["init"]).await?;
    formats::active(&cli).await?;
    expected.cluster_id = cli.status().await?.cluster_id.context("a founded cluster has an id")?;
    let mut redis = Connection::open(node.file.redis_port()).await?;
    set(&mut redis, &mut expected, 0, "plain", "value").await?;
    set(&mut redis, &mut expected, 3, "in:database:3", "other").await?;
    lease(&mut redis, &mut expected, "desk", "alice").await?;
    lease(&mut redis, &mut expected, "venue", "bob").await?;
    redis.ask(&["LEASE.RELEASE", "venue", "bob"]).await?;
    expected.leases.pop();
    lease(&mut redis, &mut expected, "venue", "carol").await?;
    let filler = "x".repeat(FILLER_BYTES);
    all(&mut redis, FILLERS, &["SET", "filler", &filler]).await?;
    redis.ask(&["DEL", "filler"]).await?;
    redis.ask(&["SCRIPT", "LOAD", "return 'flushed'"]).await?;
    redis.ask(&["SCRIPT", "FLUSH"]).await?;
    everything(&mut redis, &mut expected, "first").await?;
    redis.ask(&["SELECT", "15"]).await?;
    all(&mut redis, FLUSHES, &["FLUSHDB"]).await?;
    redis.ask(&["SELECT", "0"]).await?;
    for _ in 0..COUNTS {
        redis.ask(&["INCR", "orders"]).await?;
    }
    let port = node.file.first_port;
    wait::until(WRITTEN_WITHIN, "a snapshot", || async {
        let status = grpc::cluster(port)?.status(StatusRequest { quorum_wait_ms: 0 }).await?.into_inner();
        Ok(status.node.is_some_and(|node| node.snapshot_index > 0).then_some(()))
    })
    .await?;
    count_on(&mut redis).await?;
    let mut file = node.kill().await?;

    file.settings = SETTINGS.into();
    let node = file.start().await?;
    formats::active(&cli).await?;
    let log = std::fs::read_to_string(node.file.log())?;
    ensure!(log.contains(READ_BACK), "the state store of the first life is of no use");
    let mut redis = Connection::open(node.file.redis_port()).await?;
    set(&mut redis, &mut expected, 0, "last", "after the snapshot").await?;
    everything(&mut redis, &mut expected, "second").await?;
    lease(&mut redis, &mut expected, "late", "dave").await?;
    count_on(&mut redis).await?;
    let count = redis.ask(&["INCR", "orders"]).await?.integer()?;
    expected.counters.push(Counter { key: "orders".into(), count });
    let history = cli.json(&["history"]).await?;
    expected.tenures = history.as_array().context("a history is a list")?.clone();
    for number in 0..UNFINISHED {
        redis.push(&[b"SET", format!("unfinished:{number}").as_bytes(), filler.as_bytes()]);
    }
    redis.flush().await?;
    node.kill().await?;
    expected.sealed = names(data, "history")?;
    for directory in ["history", "snap", "wal"] {
        ensure!(!names(data, directory)?.is_empty(), "nothing in {directory}");
    }
    Ok(expected)
}

async fn set(
    redis: &mut Connection,
    expected: &mut Expected,
    database: u8,
    key: &str,
    value: &str,
) -> Result<()> {
    redis.ask(&["SELECT", &database.to_string()]).await?;
    redis.ask(&["SET", key, value]).await?;
    redis.ask(&["SELECT", "0"]).await?;
    expected.keys.push(Key { database, key: key.into(), value: value.into() });
    Ok(())
}

/// Writes in the name of a life, and what is told of it.
async fn everything(redis: &mut Connection, expected: &mut Expected, life: &str) -> Result<()> {
    let requests = |table: &str| -> Vec<Vec<String>> {
        let lines = table.lines().filter(|line| !line.trim().is_empty());
        lines.map(|line| line.split_whitespace().map(|word| word.replace('*', life)).collect()).collect()
    };
    let mut questions = requests(QUESTIONS);
    for request in requests(WRITES) {
        let words: Vec<&str> = request.iter().map(String::as_str).collect();
        let reply = redis.ask(&words).await?;
        if words.starts_with(&["SCRIPT", "LOAD"]) {
            questions.push(vec!["EVALSHA".into(), reply.text()?.into(), "0".into()]);
        }
    }
    for question in questions {
        expected.answers.push(Told::ask(redis, question).await?);
    }
    Ok(())
}

async fn lease(redis: &mut Connection, expected: &mut Expected, name: &str, holder: &str) -> Result<()> {
    let grant = redis.ask(&["LEASE.ACQUIRE", name, holder, "PX", LEASE_MS]).await?;
    let token = grant.array()?[1].integer()?;
    ensure!(token > expected.token_max, "token {token} after {}", expected.token_max);
    expected.token_max = token;
    expected.leases.push(Lease { name: name.into(), holder: holder.into(), token });
    Ok(())
}

/// The same request many times, sent at once.
async fn all(redis: &mut Connection, count: usize, request: &[&str]) -> Result<()> {
    let request: Vec<&[u8]> = request.iter().map(|argument| argument.as_bytes()).collect();
    for _ in 0..count {
        redis.push(&request);
    }
    redis.flush().await?;
    for _ in 0..count {
        let reply = redis.next().await?;
        ensure!(reply.error().is_none(), "{reply:?}");
    }
    Ok(())
}

async fn count_on(redis: &mut Connection) -> Result<()> {
    let started = Instant::now();
    while started.elapsed() < STATE_WRITTEN_WITHIN {
        redis.ask(&["INCR", "orders"]).await?;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

fn names(data: &Path, directory: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(data.join(directory))? {
        names.push(format!("{directory}/{}", entry?.file_name().to_string_lossy()));
    }
    names.sort();
    Ok(names)
}

fn pack(data: &Path, archive: &Path) -> Result<()> {
    let mut archive = tar::Builder::new(zstd::Encoder::new(File::create(archive)?, COMPRESSION)?);
    // Without owners and times: nothing of the machine that it was made on.
    archive.mode(tar::HeaderMode::Deterministic);
    archive.append_dir_all(".", data)?;
    archive.into_inner()?.finish()?;
    Ok(())
}
