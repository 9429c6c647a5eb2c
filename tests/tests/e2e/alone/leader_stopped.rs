//! SIGTERM of the leader under load: nobody at another node notices, and nobody at its own is left without an answer.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use tests::cluster::Cluster;
use tests::ledger;
use tests::load::{Account, Load, Options, RETURN_UNDER_LOAD, longest_gap};
use tests::pulse::Pulse;
use tests::resp::Connection;
use tests::{figures, suite, wait};
use tokio::time::sleep;

/// How much longer a client may wait than without a stop, or than the machine stood still meanwhile.
const GAP_MORE_MAX: Duration = Duration::from_millis(250);

/// A machine that stands still for longer is not one to say anything about.
const STALL_MAX: Duration = Duration::from_secs(1);

/// The same load without a stop, to compare with.
const UNDISTURBED: Duration = Duration::from_secs(10);

#[test]
fn the_leader_is_stopped_twenty_times() {
    suite::alone("leader_stopped", async {
        let mut cluster = Cluster::start().await?;
        let undisturbed = undisturbed(&cluster).await?;
        let pulse = Pulse::start()?;
        let (mut gaps, mut stalls, mut return_gaps) = (Vec::new(), Vec::new(), Vec::new());
        let (mut answered, mut unread) = (0, 0);
        for round in 0..suite::times(20) {
            let stopped =
                stop_the_leader(&mut cluster, round).await.with_context(|| format!("round {round}"))?;
            gaps.push(stopped.gap);
            stalls.push(pulse.longest_stall(stopped.from, stopped.to));
            return_gaps.extend(stopped.return_gap);
            answered += stopped.here.iter().map(|account| account.ledger.acknowledged).sum::<u64>();
            unread += stopped.here.iter().map(|account| account.unanswered.len()).sum::<usize>();
        }
        let (median, worst) = figures::median_and_worst(&gaps);
        let figure = serde_json::json!({
            "stops": gaps.len(), "undisturbed_gap_ms": figures::millis(undisturbed),
            "median_gap_ms": figures::millis(median), "worst_gap_ms": figures::millis(worst),
            "worst_gap_of_a_return_ms": figures::millis(figures::median_and_worst(&return_gaps).1),
            "answered_by_the_stopping": answered, "unread_by_the_stopping": unread,
            "all_ms": gaps.iter().map(|d| figures::millis(*d)).collect::<Vec<_>>(),
            "machine_stalls_ms": stalls.iter().map(|d| figures::millis(*d)).collect::<Vec<_>>(),
        });
        figures::record("leader_stopped", &figure)?;
        ensure!(median <= GAP_MORE_MAX + undisturbed, "a usual gap of {median:?}");
        for (round, (gap, stall)) in gaps.iter().zip(stalls).enumerate() {
            ensure!(stall <= STALL_MAX, "round {round}: the machine stood still for {stall:?}");
            let limit = GAP_MORE_MAX + undisturbed.max(stall);
            ensure!(*gap <= limit, "round {round}: a gap of {gap:?}, more than {limit:?}");
        }
        Ok(())
    });
}

fn load(cluster: &Cluster, name: String) -> Load {
    Load::start(&Options { goes_on: false, ..Options::full(name, cluster.redis_ports()) })
}

async fn undisturbed(cluster: &Cluster) -> Result<Duration> {
    cluster.wait_ready().await?;
    let mut load = load(cluster, "undisturbed".into());
    load.run_until(5000, 0).await?;
    let from = Instant::now();
    sleep(if suite::is_quick() { UNDISTURBED / 4 } else { UNDISTURBED }).await;
    let to = Instant::now();
    let accounts = load.finish().await?;
    accounts.iter().map(|account| longest_gap(account, from, to)).max().context("there were clients")
}

/// What a stop did to the clients.
struct Stopped {
    /// From the signal until the load flows without the node.
    from: Instant,
    to: Instant,
    /// The longest gap at the other nodes in that time.
    gap: Duration,
    /// The same while the node comes back under the load.
    return_gap: Option<Duration>,
    /// The accounts of the node's own clients.
    here: Vec<Account>,
}

async fn stop_the_leader(cluster: &mut Cluster, round: usize) -> Result<Stopped> {
    let leader = cluster.wait_ready().await?.leader.context("a ready cluster has a leader")?;
    let pid = cluster.pid(leader).await?;
    let mut load = load(cluster, format!("stop{round}"));
    load.run_until(5000, 1000).await?;
    let from = Instant::now();
    cluster.signal_pid(leader, pid, Signal::TERM)?;
    wait::until(Duration::from_secs(20), "the end of the stopping node", || async {
        Ok((!tests::process::is_alive(pid)).then_some(()))
    })
    .await?;
    load.run_on(5000).await?;
    let to = Instant::now();
    let mut returned = None;
    if round.is_multiple_of(RETURN_UNDER_LOAD) {
        cluster.wait_ready().await?;
        returned = Some(Instant::now());
    }
    let accounts = load.finish().await?;
    cluster.wait_ready().await?;
    let (here, there): (Vec<_>, Vec<_>) = accounts.into_iter().partition(|account| account.home == leader);

    for account in &there {
        ensure!(account.closed.is_none(), "a connection to node {} was closed", account.home);
    }
    let mut connection = Connection::open(cluster.redis(leader)).await?;
    for account in here.iter().chain(&there) {
        let ledger = &account.ledger;
        ensure!(ledger.refused == 0 && ledger.unknown == 0, "errors at node {}: {ledger:?}", account.home);
        // The account books no unknown: whatever ran and was not answered makes a difference here.
        ledger.verify(&mut connection).await.with_context(|| format!("a client of node {}", account.home))?;
    }
    for account in &here {
        ensure!(account.closed.is_some(), "a client of the stopping node still waits");
    }
    let longest = |from, to| there.iter().map(|account| longest_gap(account, from, to)).max();
    let gap = longest(from, to).context("there were others")?;
    let return_gap =
        returned.map(|returned| longest(to, returned).context("there were others")).transpose()?;
    let all = || here.iter().chain(&there).map(|account| &account.ledger);
    ledger::verify_together(all(), &mut connection).await?;
    ledger::verify_tokens(all())?;
    Ok(Stopped { from, to, gap, return_gap, here })
}
