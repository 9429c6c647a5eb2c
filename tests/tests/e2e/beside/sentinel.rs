//! Clients that find their node through a Sentinel keep a lock while the leader is killed, while a node is drained, and
//! while one is stopped. The programs are in `clients`.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use serde_json::Value;
use tests::cluster::Cluster;
use tests::resp::{self, Connection};
use tests::{figures, http, suite, wait};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// From a fault to the next renewals, and from the end to the last word.
const GOES_ON_WITHIN: Duration = Duration::from_secs(30);

/// So many renewals say that it goes on.
const RENEWALS: u64 = 10;

/// A program that keeps a lock.
struct Keeper {
    child: Child,
    /// What it says, as it says it: so many renewals, the last of them here.
    renewed: watch::Receiver<(u64, u16)>,
    /// Its last word.
    last: JoinHandle<Result<String>>,
}

impl Keeper {
    fn start(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("{command:?} cannot be run"))?;
        let stdout = child.stdout.take().context("standard output was asked for")?;
        let (tell, renewed) = watch::channel((0, 0));
        let last = tokio::spawn(async move {
            let mut lines = BufReader::new(stdout).lines();
            let mut last = String::new();
            while let Some(line) = lines.next_line().await? {
                if let Some((count, port)) = line.strip_prefix("held ").and_then(|held| held.split_once(' '))
                {
                    tell.send_replace((count.parse()?, port.parse()?));
                }
                last = line;
            }
            Ok(last)
        });
        Ok(Self { child, renewed, last })
    }

    /// Waits for renewals from now on, the last of them at one of these ports.
    async fn goes_on_at(&self, ports: &[u16]) -> Result<()> {
        let enough = self.renewed.borrow().0 + RENEWALS;
        let there = |(count, port): &(u64, u16)| *count >= enough && ports.contains(port);
        let mut renewed = self.renewed.clone();
        let waited = timeout(GOES_ON_WITHIN, renewed.wait_for(there)).await;
        let seen = *self.renewed.borrow();
        waited
            .with_context(|| format!("no {enough} renewals at {ports:?}, but {seen:?}"))?
            .context("it has ended")?;
        Ok(())
    }

    /// Tells it to end, and hears what it has seen.
    async fn ends(mut self) -> Result<Value> {
        drop(self.child.stdin.take());
        let last = timeout(GOES_ON_WITHIN, self.last).await.context("it does not end")???;
        let status = self.child.wait().await?;
        let seen: Value = serde_json::from_str(&last).with_context(|| last.clone())?;
        ensure!(seen["wrong"] == serde_json::json!([]), "{seen:#}");
        ensure!(status.success(), "it ended badly: {seen:#}");
        Ok(seen)
    }
}

#[test]
fn redis_py_keeps_a_lock_through_sentinel() {
    python("2");
}

#[test]
fn redis_py_keeps_a_lock_through_sentinel_in_resp3() {
    python("3");
}

#[test]
fn ioredis_keeps_a_lock_through_sentinel() {
    node("ioredis", true);
}

/// It does not hear of a new leader: of `+switch-master` it listens to the second half.
#[test]
fn node_redis_keeps_a_lock_through_sentinel() {
    node("node-redis", false);
}

fn python(protocol: &str) {
    let name = format!("sentinel_redis_py_{protocol}");
    let Some(python) = suite::tool(&name, "TENURE_PYTHON") else { return };
    let mut command = Command::new(python);
    command.arg(program("python/sentinel.py")).arg(protocol);
    keeps_a_lock(&name, command, false);
}

fn node(library: &str, hears: bool) {
    let name = format!("sentinel_{}", library.replace('-', "_"));
    let Some(modules) = suite::tool(&name, "TENURE_NODE_MODULES") else { return };
    let mut command = Command::new("node");
    command.env("NODE_PATH", modules).arg(program("node/sentinel.js")).arg(library);
    keeps_a_lock(&name, command, hears);
}

fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name)
}

/// A client that `hears` of a new leader goes there at once, also when nothing forces it to.
fn keeps_a_lock(name: &str, mut command: Command, hears: bool) {
    suite::beside(name, async {
        let mut cluster = Cluster::start().await?;
        let sentinels = [1, 2, 3].map(|node| cluster.sentinel(node).to_string()).join(",");
        let all = cluster.redis_ports();
        let keeper = Keeper::start({
            command.arg(sentinels);
            command
        })?;
        let killed = cluster.leader().await?;
        keeper.goes_on_at(&[cluster.redis(killed)]).await?;

        let pid = cluster.pid(killed).await?;
        cluster.signal_pid(killed, pid, Signal::KILL)?;
        // At any: a node that has just started takes requests, too, and its Sentinel gives its own address until it has
        // heard of the leader.
        keeper.goes_on_at(&all).await?;
        cluster.wait_ready().await?;

        let drained = cluster.leader().await?;
        let node = drained.to_string();
        cluster.cli().run_json(&["drain", &node, "--yes"]).await?.expect(0, "")?;
        let next = next_leader(&cluster, drained).await?;
        if hears {
            keeper.goes_on_at(&[cluster.redis(next)]).await?;
        } else {
            keeper.goes_on_at(&all).await?;
        }
        cluster.cli().run_json(&["drain", &node, "--undo"]).await?.expect(0, "")?;

        // As systemd stops a node.
        let stopped = cluster.wait_ready().await?.leader.context("a ready cluster has a leader")?;
        cluster.signal(stopped, Signal::TERM).await?;
        next_leader(&cluster, stopped).await?;
        keeper.goes_on_at(&all).await?;
        cluster.wait_ready().await?;
        keeper.goes_on_at(&all).await?;
        figures::record(name, &keeper.ends().await?)
    });
}

async fn next_leader(cluster: &Cluster, before: u64) -> Result<u64> {
    wait::until(GOES_ON_WITHIN, "the next leader", || async {
        Ok(cluster.status().await?.leader.filter(|leader| *leader != before))
    })
    .await
}

#[test]
fn sentinels_agree_and_tell_of_the_next_leader() {
    suite::beside("sentinels_agree", async {
        let cluster = Cluster::start().await?;
        let before = cluster.wait_ready().await?.leader.context("a ready cluster has a leader")?;
        let mut listeners = Vec::new();
        let mut ids = Vec::new();
        for node in [1, 2, 3] {
            let port = cluster.sentinel(node);
            ensure!(address(port).await? == cluster.redis(before), "node {node} knows the leader");
            ids.push(resp::ask(port, &["SENTINEL", "MYID"]).await?.text()?.to_owned());
            let mut listener = Connection::open(port).await?;
            listener.ask(&["SUBSCRIBE", "+switch-master"]).await?;
            listeners.push(listener);
        }
        for (own, node) in ids.iter().zip([1, 2, 3]) {
            let sentinels = resp::ask(cluster.sentinel(node), &["SENTINEL", "SENTINELS", "mymaster"]).await?;
            let told = sentinels.array()?;
            ensure!(told.len() == 2, "two others: {told:?}");
            for other in told {
                let fields = other.array()?;
                let (id, port) = (fields[1].text()?, fields[5].integer()?);
                let of =
                    ids.iter().position(|known| known == id).context("an id that nobody has")? as u64 + 1;
                ensure!(id != own && port == i64::from(cluster.sentinel(of)), "{other:?}");
            }
        }

        cluster.cli().run_json(&["leader", "transfer", "--yes"]).await?.expect(0, "")?;
        let after = next_leader(&cluster, before).await?;
        let (from, to) = (cluster.redis(before), cluster.redis(after));
        for mut listener in listeners {
            let news = timeout(GOES_ON_WITHIN, listener.next()).await.context("no news")??;
            let [kind, channel, text] = news.array()? else { bail!("{news:?}") };
            ensure!(kind.text()? == "message" && channel.text()? == "+switch-master", "{news:?}");
            ensure!(text.text()? == format!("mymaster 127.0.0.1 {from} 127.0.0.1 {to}"), "{news:?}");
        }
        for node in [1, 2, 3] {
            ensure!(address(cluster.sentinel(node)).await? == to, "node {node} knows the new one");
        }
        Ok(())
    });
}

#[test]
fn a_sentinel_whose_node_is_cut_off_gives_no_address() {
    suite::beside("sentinel_cut_off", async {
        let mut cluster = Cluster::start().await?;
        let leader = cluster.wait_ready().await?.leader.context("a ready cluster has a leader")?;
        let follower = cluster.followers().await?[0];
        let mut taken = Vec::new();
        // Both go on believing in the leader of before.
        for node in [leader, follower] {
            let sentinel = cluster.sentinel(node);
            let pids = cluster.pids().await?;
            address(sentinel).await?;
            let cut = Instant::now();
            for (other, pid) in pids.iter().filter(|(other, _)| **other != node) {
                cluster.signal_pid(*other, *pid, Signal::STOP)?;
            }
            wait::until(GOES_ON_WITHIN, "no address", || async {
                Ok(is_down(sentinel).await?.then_some(()))
            })
            .await?;
            taken.push(figures::millis(cut.elapsed()));
            let nothing = resp::ask(sentinel, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"]).await?;
            ensure!(nothing == resp::Value::Null, "node {node} gives {nothing:?}");
            for other in pids.keys().filter(|other| **other != node) {
                cluster.thaw(*other)?;
            }
            cluster.wait_ready().await?;
            let port =
                wait::until(GOES_ON_WITHIN, "an address", || async { Ok(address(sentinel).await.ok()) })
                    .await?;
            ensure!(cluster.redis_ports().contains(&port), "node {node} gives {port}");
        }
        let metrics = http::get(cluster.http(leader), "/metrics").await?.body;
        let asked = "tenure_resp_commands_total{command=\"sentinel\",door=\"sentinel\",result=\"done\"}";
        ensure!(http::metric(&metrics, asked)? > 0, "nobody has asked it");
        figures::record("sentinel_cut_off", &serde_json::json!({ "silent_after_ms": taken }))
    });
}

/// Whether a Sentinel calls its master down.
async fn is_down(sentinel: u16) -> Result<bool> {
    let told = resp::ask(sentinel, &["SENTINEL", "MASTER", "mymaster"]).await?;
    Ok(told.array()?.get(9).context("no flags")?.text()? == "s_down,o_down,master")
}

/// The port that a Sentinel gives.
async fn address(sentinel: u16) -> Result<u16> {
    let told = resp::ask(sentinel, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"]).await?;
    Ok(u16::try_from(told.array()?.get(1).context("no address")?.integer()?)?)
}
