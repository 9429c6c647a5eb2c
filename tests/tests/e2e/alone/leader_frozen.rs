//! The leader frozen (SIGSTOP) or cut off: others go on within the same bounds, and it serves nothing stale.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use tests::cluster::Cluster;
use tests::resp::{Connection, Value};
use tests::{figures, http, suite, wait};
use tokio::task::JoinSet;

const MEDIAN_MAX: Duration = Duration::from_secs(1);
const WORST_MAX: Duration = Duration::from_secs(2);

#[test]
fn clients_of_other_nodes_go_on_when_the_leader_freezes() {
    suite::alone("leader_frozen", async {
        let mut cluster = Cluster::start().await?;
        let mut taken = Vec::new();
        for round in 0..suite::times(10) {
            taken.push(freeze(&mut cluster, round).await.with_context(|| format!("round {round}"))?);
        }
        let (median, worst) = figures::median_and_worst(&taken);
        let figure = serde_json::json!({
            "freezes": taken.len(), "median_ms": figures::millis(median), "worst_ms": figures::millis(worst),
            "all_ms": taken.iter().map(|d| figures::millis(*d)).collect::<Vec<_>>(),
        });
        figures::record("leader_frozen", &figure)?;
        ensure!(median < MEDIAN_MAX, "median {median:?}");
        ensure!(worst < WORST_MAX, "worst {worst:?}");
        Ok(())
    });
}

/// The longest time that a client of another node waited for the next write.
async fn freeze(cluster: &mut Cluster, round: usize) -> Result<Duration> {
    let leader = cluster.wait_ready().await?.leader.context("a ready cluster has a leader")?;
    let pid = cluster.pid(leader).await?;
    let mut there = Connection::open(cluster.redis(leader)).await?;
    let key = format!("frozen:{round}");
    there.ask(&["SET", &key, "old"]).await?;
    let mut clients = Vec::new();
    for node in cluster.followers().await? {
        clients.push(Connection::open(cluster.redis(node)).await?);
    }

    let frozen = Instant::now();
    cluster.signal_pid(leader, pid, Signal::STOP)?;
    let mut asking = JoinSet::new();
    for mut client in clients {
        let key = key.clone();
        asking.spawn(async move {
            // One write without a deadline, and no second try.
            let reply = client.call(&["SET", &key, "new"]).await?;
            ensure!(reply.is_ok(), "{reply:?}");
            anyhow::Ok(frozen.elapsed())
        });
    }
    let mut longest = Duration::ZERO;
    while let Some(asked) = asking.join_next().await {
        longest = longest.max(asked??);
    }

    // Asked while it sleeps, so that these are the first things it sees when it wakes.
    there.push(&[b"GET", key.as_bytes()]);
    there.flush().await?;
    let mut doors = Vec::new();
    for path in ["/leader", "/active"] {
        doors.push((path, http::send(cluster.http(leader), path).await?));
    }
    cluster.thaw(leader)?;
    let read = there.next().await?;
    let refused = read.error().is_some_and(|error| error.starts_with("LOADING "));
    ensure!(refused || read == Value::Bulk(b"new".to_vec()), "the woken node served {read:?}");
    for (path, sent) in doors {
        let answer = sent.response().await?;
        // It may lead again only by an election after it woke.
        let leads = cluster.status().await?.leader == Some(leader);
        ensure!(
            answer.code == 503 || (leads && answer.code == 200),
            "{path} of the woken node: {}",
            answer.code
        );
    }
    let read = wait::until(Duration::from_secs(10), "an answer of the woken node", || async {
        Ok(Some(tests::resp::ask(cluster.redis(leader), &["GET", &key]).await?))
    })
    .await?;
    ensure!(read == Value::Bulk(b"new".to_vec()), "the woken node served {read:?}");
    Ok(longest)
}

#[test]
fn a_leader_that_is_cut_off_says_so_and_serves_nothing() {
    suite::alone("leader_cut_off", async {
        let mut cluster = Cluster::start().await?;
        let leader = cluster.wait_ready().await?.leader.context("a ready cluster has a leader")?;
        let port = cluster.redis(leader);
        tests::resp::ask(port, &["SET", "key", "old"]).await?;
        for path in ["/leader", "/active"] {
            ensure!(http::code(cluster.http(leader), path).await? == 200, "{path} of the leader");
        }
        // Both others frozen: nobody hears it, nobody answers it.
        for node in cluster.followers().await? {
            cluster.signal(node, Signal::STOP).await?;
        }
        let cut = Instant::now();
        for path in ["/leader", "/active"] {
            let code = http::code(cluster.http(leader), path).await?;
            ensure!(code == 503, "{path} of a leader that is cut off: {code}");
        }
        let said = cut.elapsed();
        ensure!(http::code(cluster.http(leader), "/livez").await? == 200, "the process itself is well");
        ensure!(http::code(cluster.http(leader), "/readyz").await? == 503, "it is not ready");
        let read = Connection::open(port).await?.call(&["GET", "key"]).await?;
        ensure!(read.error().is_some_and(|error| error.starts_with("LOADING ")), "served {read:?}");
        let leader_of = Connection::open(port).await?.call(&["LEASE.LEADER"]).await?;
        ensure!(leader_of == Value::Null, "it names a leader: {leader_of:?}");
        for node in 1..=3 {
            if node != leader {
                cluster.thaw(node)?;
            }
        }
        cluster.wait_ready().await?;
        figures::record("leader_cut_off", &serde_json::json!({ "both_503_after_ms": figures::millis(said) }))
    });
}
