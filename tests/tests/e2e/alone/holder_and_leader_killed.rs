//! Holder and leader die together on an idle cluster: a lease ends when it must, never before.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use tests::cluster::Cluster;
use tests::resp::{Connection, Value};
use tests::{figures, suite};

/// P1: never earlier than this part of its length after the sending of the last renewal.
const NEVER_BEFORE: f64 = 0.999;

struct Lease {
    name: &'static str,
    length: Duration,
    free_at_least: Duration,
    free_at_most: Duration,
}

const LONG: Lease = Lease {
    name: "long",
    length: Duration::from_secs(10),
    free_at_least: Duration::from_millis(9990),
    free_at_most: Duration::from_secs(12),
};

const SHORT: Lease = Lease {
    name: "short",
    length: Duration::from_secs(2),
    free_at_least: Duration::from_secs(2),
    free_at_most: Duration::from_secs(4),
};

#[test]
fn a_lease_ends_in_time_after_its_holder_and_the_leader_died() {
    suite::alone("holder_and_leader_killed", async {
        let mut cluster = Cluster::start().await?;
        let mut short = Vec::new();
        let mut long = Vec::new();
        for round in 0..suite::times(10) {
            // Every fifth time both at once.
            let leases: &[&Lease] = if round % 5 == 0 { &[&SHORT, &LONG] } else { &[&SHORT] };
            for (lease, free_after) in leases.iter().zip(kill_both(&mut cluster, leases).await?) {
                let Lease { name, length, free_at_least, free_at_most } = lease;
                ensure!(
                    free_after >= length.mul_f64(NEVER_BEFORE) && free_after >= *free_at_least,
                    "{name}: free {free_after:?} after the sending of its last renewal for {length:?}"
                );
                ensure!(free_after <= *free_at_most, "{name}: free only after {free_after:?}");
                if *length == LONG.length { long.push(free_after) } else { short.push(free_after) }
            }
        }
        let all = |taken: &[Duration]| taken.iter().map(|taken| figures::millis(*taken)).collect::<Vec<_>>();
        let figure = serde_json::json!({ "ten_seconds_ms": all(&long), "two_seconds_ms": all(&short) });
        figures::record("holder_and_leader_killed", &figure)
    });
}

/// How long after the sending of its last renewal each lease was free.
async fn kill_both(cluster: &mut Cluster, leases: &[&Lease]) -> Result<Vec<Duration>> {
    let leader = cluster.wait_ready().await?.leader.context("a ready cluster has a leader")?;
    let pid = cluster.pid(leader).await?;
    let other = cluster.followers().await?[0];
    let port = cluster.redis(other);
    let mut holder = Connection::open(port).await?;
    let mut looking = Vec::new();
    for lease in leases {
        let length = lease.length.as_millis().to_string();
        // A key of Redis: `SET NX PX`, as its documentation says, renewed once.
        let taken = holder.ask(&["SET", lease.name, "holder", "NX", "PX", &length]).await?;
        ensure!(taken.is_ok(), "{} was not free: {taken:?}", lease.name);
        let sent = Instant::now();
        let renewed = holder.ask(&["LEASE.RENEW", lease.name, "holder", "PX", &length]).await?;
        ensure!(renewed.array()?.first() == Some(&Value::Integer(1)), "not renewed: {renewed:?}");
        looking.push((lease.name, sent));
    }
    drop(holder);
    cluster.signal_pid(leader, pid, Signal::KILL)?;
    let looking = looking.into_iter().map(|(name, sent)| tokio::spawn(until_free(port, name, sent)));
    let mut taken = Vec::new();
    for looked in looking.collect::<Vec<_>>() {
        taken.push(looked.await??);
    }
    Ok(taken)
}

/// Reads only: nothing but the leader's own ticks writes to this log.
async fn until_free(port: u16, name: &'static str, sent: Instant) -> Result<Duration> {
    let mut connection = Connection::open(port).await?;
    let deadline = sent + Duration::from_secs(20);
    while connection.ask(&["GET", name]).await? != Value::Null {
        ensure!(Instant::now() < deadline, "{name} is never free");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(sent.elapsed())
}
