//! Data directories of earlier formats open in the present build, and hold what they held.
//!
//! `tests/fixtures/formats/N` has one node's directory, killed in the middle of its work, and what must be found in
//! it. `cargo xtask fixture N` writes one (`asked/fixture.rs`).

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tests::cli::Cli;
use tests::node::{Node, NodeFile};
use tests::ports::Ports;
use tests::resp::{Connection, Value as Reply};
use tests::{figures, suite, wait};

/// The directory of node 1, as a tar under zstd: a log is mostly zeros.
pub(crate) const DATA: &str = "data.tar.zst";

pub(crate) const EXPECTED: &str = "expected.json";

/// The state for a fast restart. It may be lost or unreadable; then snapshot and log make it anew.
const STATE: &str = "sled";

/// A group of one elects itself after the longest election timeout.
const ACTIVE_WITHIN: Duration = Duration::from_secs(20);

/// In the log of a node that opens a whole directory. That it cut off an unacknowledged write, or does not know the
/// state of another layout, is a warning and none of them.
const COMPLAINTS: [&str; 2] = ["\"level\":\"ERROR\"", "history files are missing"];

/// What a directory holds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    pub(crate) cluster_id: String,
    pub(crate) keys: Vec<Key>,
    /// What the next INCR adds to.
    pub(crate) counters: Vec<Counter>,
    pub(crate) leases: Vec<Lease>,
    /// The largest that was ever given, whether its lease is still held or not.
    pub(crate) token_max: i64,
    /// As `tenure history -o json` told them, oldest first.
    pub(crate) tenures: Vec<Value>,
    /// Files below the directory that never change.
    pub(crate) sealed: Vec<String>,
    /// What is answered the same however often it is asked: nothing before format 2.
    #[serde(default)]
    pub(crate) answers: Vec<Told>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) request: Vec<String>,
    pub(crate) reply: Value,
}

impl Told {
    pub(crate) async fn ask(redis: &mut Connection, request: Vec<String>) -> Result<Self> {
        let words: Vec<&str> = request.iter().map(String::as_str).collect();
        let reply = as_json(&redis.ask(&words).await?)?;
        Ok(Self { request, reply })
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Key {
    pub(crate) database: u8,
    pub(crate) key: String,
    pub(crate) value: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Counter {
    pub(crate) key: String,
    pub(crate) count: i64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Lease {
    pub(crate) name: String,
    pub(crate) holder: String,
    pub(crate) token: i64,
}

#[test]
fn directories_of_every_format_open_and_hold_what_they_held() {
    suite::beside("formats", async {
        let mut formats: Vec<PathBuf> =
            std::fs::read_dir(directory())?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        formats.sort();
        ensure!(!formats.is_empty(), "no fixtures in {}", directory().display());
        for format in &formats {
            let name = format.display();
            opens(format, None).await.with_context(|| name.to_string())?;
            let rest = opens(format, Some(STATE)).await;
            rest.with_context(|| format!("{name} without {STATE}: snapshot and log alone"))?;
        }
        figures::record("formats", &serde_json::json!({ "opened": formats.len() }))
    });
}

/// Where the directories of all formats are.
pub(crate) fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/formats")
}

/// Until a group of one has a leader that may act.
pub(crate) async fn active(cli: &Cli) -> Result<()> {
    wait::until(ACTIVE_WITHIN, "an active leader", || async { Ok(cli.status().await?.active) }).await?;
    Ok(())
}

/// `unused` is taken away first, to see that the rest alone is enough.
async fn opens(format: &Path, unused: Option<&str>) -> Result<()> {
    let mut expected: Expected = serde_json::from_slice(&std::fs::read(format.join(EXPECTED))?)?;
    let ports = Ports::claim()?;
    let place = tempfile::Builder::new().prefix("tenure-e2e-").tempdir()?;
    let data = place.path().join("node1");
    let archive = std::fs::File::open(format.join(DATA))?;
    tar::Archive::new(zstd::Decoder::new(archive)?).unpack(&data)?;
    if let Some(unused) = unused {
        std::fs::remove_dir_all(data.join(unused))?;
    }
    let sealed = read_all(&data, &expected.sealed)?;

    let node = NodeFile::new(1, data.clone(), ports.base + 101).start().await?;
    holds(&node, &mut expected).await?;
    let log = std::fs::read_to_string(node.file.log())?;
    let complaint = log.lines().find(|line| COMPLAINTS.iter().any(|what| line.contains(what)));
    ensure!(complaint.is_none(), "the node complains: {complaint:?}");
    // Once more: what the present build has written into that directory is found after a kill, too.
    let node = node.kill().await?.start().await?;
    holds(&node, &mut expected).await.context("after a restart of the present build")?;
    ensure!(read_all(&data, &expected.sealed)? == sealed, "sealed files changed");
    drop(node);
    suite::used(place);
    Ok(())
}

/// Compares, then goes on where the directory stands: counts, and takes a lease that was never taken.
async fn holds(node: &Node, expected: &mut Expected) -> Result<()> {
    let cli = Cli::new(&[node.file.api()]);
    active(&cli).await?;
    let id = cli.status().await?.cluster_id;
    ensure!(id.as_ref() == Some(&expected.cluster_id), "cluster {id:?}");
    let mut redis = Connection::open(node.file.redis_port()).await?;
    for Key { database, key, value } in &expected.keys {
        redis.ask(&["SELECT", &database.to_string()]).await?;
        let found = redis.ask(&["GET", key]).await?;
        ensure!(found == Reply::Bulk(value.clone().into_bytes()), "{key} of {database} is {found:?}");
    }
    redis.ask(&["SELECT", "0"]).await?;
    for Counter { key, count } in &mut expected.counters {
        *count += 1;
        let found = redis.ask(&["INCR", key]).await?.integer()?;
        ensure!(found == *count, "{key} counts to {found} instead of {count}");
    }
    for Lease { name, holder, token } in &expected.leases {
        let found = redis.ask(&["LEASE.TOKEN", name, holder]).await?;
        ensure!(found == Reply::Integer(*token), "the lease {name} of {holder}: {found:?}");
    }
    for Told { request, reply } in &expected.answers {
        let found = Told::ask(&mut redis, request.clone()).await?.reply;
        ensure!(found == *reply, "{request:?} is answered with {found} instead of {reply}");
    }
    let name = format!("new:{}", expected.token_max);
    let grant = redis.ask(&["LEASE.ACQUIRE", &name, "holder", "PX", "60000"]).await?;
    let token = grant.array()?[1].integer()?;
    ensure!(token > expected.token_max, "token {token} after {}", expected.token_max);
    expected.token_max = token;
    let history = cli.json(&["history"]).await?;
    let history = history.as_array().context("a history is a list")?;
    let tells_all = history.len() > expected.tenures.len()
        && expected.tenures.iter().zip(history).all(|(recorded, told)| holds_all(told, recorded));
    ensure!(tells_all, "{history:?} does not begin with {:?} and end with the present", expected.tenures);
    Ok(())
}

fn as_json(reply: &Reply) -> Result<Value> {
    Ok(match reply {
        Reply::Null => Value::Null,
        Reply::Array(replies) => Value::Array(replies.iter().map(as_json).collect::<Result<_>>()?),
        Reply::Integer(integer) => (*integer).into(),
        text => text.text()?.into(),
    })
}

/// Everything that was told then is told now; a later build may tell more.
fn holds_all(told: &Value, recorded: &Value) -> bool {
    recorded.as_object().is_some_and(|recorded| recorded.iter().all(|(key, value)| told[key] == *value))
}

fn read_all(data: &Path, names: &[String]) -> Result<Vec<Vec<u8>>> {
    let read = |name| std::fs::read(data.join(name)).with_context(|| format!("{name:?} is not there"));
    names.iter().map(read).collect()
}
