//! Full load while the leader's disk stalls again and again: no lease is lost, and the elections are stated.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tests::cluster::Cluster;
use tests::ledger::{self, Ledger};
use tests::load::{Load, Options};
use tests::{figures, http, process, stall, suite};
use tokio::time::{interval, sleep, timeout};

use super::holders;

/// What one sync of the leader takes longer: more than the shortest election timeout (200 ms).
const STALL: Duration = Duration::from_millis(250);

/// From the beginning of one stall to that of the next.
const PERIOD: Duration = Duration::from_secs(2);

/// Of the stalls that were due, as a divisor: with fewer the run has not shown what it is for.
const STALLS_SHARE_MIN: u64 = 2;

/// Between two looks at what has been acknowledged: gaps are known to about this.
const LOOK: Duration = Duration::from_millis(2);

/// No acknowledged write for so long is an outage that nothing here explains.
const GAP_MAX: Duration = Duration::from_secs(20);

const PROGRESS: Duration = Duration::from_secs(60);

/// For the start, and for reading back everything. A run that hangs ends after this.
const SLACK: Duration = Duration::from_secs(300);

#[test]
fn no_lease_is_lost_while_the_leaders_disk_stalls() {
    suite::asked("soak_stalls", "TENURE_STALLS_MINUTES", |minutes| async move {
        let length = Duration::from_secs(60 * minutes.parse::<u64>().context("minutes")?);
        let limit = length + SLACK;
        timeout(limit, soak(length)).await.with_context(|| format!("it hangs: no end within {limit:?}"))?
    });
}

async fn soak(length: Duration) -> Result<()> {
    let cluster = Cluster::start().await?;
    let before = cluster.wait_ready().await?;
    let pids = cluster.pids().await?;
    let rss_start = resident_mib(&pids)?;
    let mut load = Load::start(&Options::full("soak", cluster.redis_ports()));
    let end = Instant::now() + length;
    let (stalls, gap, kept) = tokio::try_join!(
        stall_leaders(&cluster, &pids, end),
        watch(&mut load, &pids, end),
        holders::keep(cluster.redis_ports(), end),
    )?;
    let rss_end = resident_mib(&pids)?;
    let ledgers: Vec<Ledger> = load.finish().await?.into_iter().map(|account| account.ledger).collect();
    let after = cluster.wait_ready().await?;
    let changes = changes_since(&cluster, before.term).await?;
    let (took, took_max) = figures::median_and_worst(&stalls);
    let (renewal, renewal_max) = figures::median_and_worst(&kept.renewals);
    let figure = json!({
        "minutes": length.as_secs() / 60,
        "stalls": stalls.len(), "stall_ms": figures::millis(took), "stall_max_ms": figures::millis(took_max),
        "stall_period_ms": figures::millis(PERIOD), "syncs_over_128_ms_by_node": slow_syncs(&cluster).await?,
        "elections": after.term - before.term, "leader_changes": changes,
        "acknowledged": sum(&ledgers, |l| l.acknowledged), "unknown": sum(&ledgers, |l| l.unknown),
        "refused": sum(&ledgers, |l| l.refused), "overtaken": sum(&ledgers, |l| l.overtaken),
        "longest_gap_ms": figures::millis(gap),
        "leases_held": kept.leases, "leases_lost": kept.lost.len(), "renewals": kept.renewals.len(),
        "renewal_retries": kept.retries, "renewal_p50_ms": figures::millis(renewal),
        "renewal_p99_ms": figures::millis(percentile_99(&kept.renewals)),
        "renewal_max_ms": figures::millis(renewal_max),
        "rss_start_mib": rss_start, "rss_end_mib": rss_end,
    });
    figures::record("soak_stalls", &figure)?;

    ensure!(kept.lost.is_empty(), "leases were lost: {:?}", kept.lost);
    ledger::verify_everywhere(&ledgers, cluster.redis_ports()).await?;
    ensure!(cluster.pids().await? == pids, "a node ended during the soak");
    let due = length.as_secs() / PERIOD.as_secs();
    let least = due / STALLS_SHARE_MIN;
    ensure!(stalls.len() as u64 >= least, "inconclusive: {} stalls of {due} that were due", stalls.len());
    Ok(())
}

/// Holds up one durable write of whoever leads, in every period, and gives how long those writes took.
async fn stall_leaders(cluster: &Cluster, pids: &BTreeMap<u64, u32>, end: Instant) -> Result<Vec<Duration>> {
    let mut stalls = Vec::new();
    let mut period = interval(PERIOD);
    while Instant::now() < end {
        period.tick().await;
        let leader = cluster.leader().await?;
        let pid = pids.get(&leader).with_context(|| format!("node {leader} is new"))?;
        let took = stall::next_durable_write(*pid, STALL).await;
        stalls.push(took.with_context(|| format!("stall {} of node {leader}", stalls.len() + 1))?);
    }
    Ok(stalls)
}

/// The longest time without an acknowledged write of any client. Ends when the load does, which is a failure.
async fn watch(load: &mut Load, pids: &BTreeMap<u64, u32>, end: Instant) -> Result<Duration> {
    let started = Instant::now();
    let (mut longest, mut last, mut last_at, mut told_at) = (Duration::ZERO, 0, started, started);
    while Instant::now() < end {
        sleep(LOOK).await;
        load.check_alive().await?;
        if load.acknowledged() > last {
            last = load.acknowledged();
            longest = longest.max(last_at.elapsed());
            last_at = Instant::now();
        }
        ensure!(last_at.elapsed() < GAP_MAX, "nothing acknowledged for {GAP_MAX:?}");
        if told_at.elapsed() >= PROGRESS {
            told_at = Instant::now();
            let minutes = started.elapsed().as_secs() / 60;
            let rss = resident_mib(pids)?;
            eprintln!("{minutes} min: {last} acknowledged, longest gap {longest:?}, RSS {rss:?} MiB");
        }
    }
    Ok(longest)
}

/// Who took over from whom after a term, and why.
async fn changes_since(cluster: &Cluster, term: u64) -> Result<Vec<Value>> {
    let history = cluster.cli().json(&["history"]).await?;
    let changes = history.as_array().context("a history is a list")?;
    let since = changes.iter().filter(|change| change["term"].as_u64().is_some_and(|its| its > term));
    Ok(since.cloned().collect())
}

/// The witness of the nodes themselves: how many syncs took longer than 128 ms.
async fn slow_syncs(cluster: &Cluster) -> Result<Vec<u64>> {
    let mut slow = Vec::new();
    for node in [1, 2, 3] {
        let metrics = http::get(cluster.http(node), "/metrics").await?.body;
        let value =
            |rest: &str| http::metric(&metrics, &format!("tenure_disk_wal_fsync_duration_seconds_{rest}"));
        slow.push(value("count")? - value("bucket{le=\"0.128\"}")?);
    }
    Ok(slow)
}

fn resident_mib(pids: &BTreeMap<u64, u32>) -> Result<Vec<u64>> {
    pids.values().map(|pid| Ok(process::resident_bytes(*pid)? >> 20)).collect()
}

fn sum(ledgers: &[Ledger], what: fn(&Ledger) -> u64) -> u64 {
    ledgers.iter().map(what).sum()
}

fn percentile_99(durations: &[Duration]) -> Duration {
    let mut sorted = durations.to_vec();
    sorted.sort();
    sorted.get(sorted.len() * 99 / 100).copied().unwrap_or_default()
}
