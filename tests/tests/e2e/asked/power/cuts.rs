//! Three nodes under load lose their power, one, two or all at once: everything acknowledged is there, and they come
//! back by themselves.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use tests::chance::Chance;
use tests::figures;
use tests::ledger::{self, Ledger};
use tests::load::{Gap, Load, Options};
use tests::resp::Connection;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::flips;
use super::site::{NODES, Site};
use crate::beside::status::digests_agree;

/// Acknowledged before the cut and after it.
const BEFORE: u64 = 3000;
const AFTER: u64 = 1000;

const PLAIN_MAX_MS: u64 = 300;

/// A snapshot is being written, or a segment of the log has just gone: looked for so long, so often.
const SIGHT_WITHIN: Duration = Duration::from_secs(8);
const LOOK: Duration = Duration::from_millis(1);
const SIGHT_TO_CUT_MAX_MS: u64 = 12;

/// No more than this part of all cuts, as a divisor, may miss their moment: half of those that have to be looked for.
const UNSIGHTED_PART: u64 = 5;

/// A new leader's first entries.
const ELECTED_TO_CUT_MS: [u64; 2] = [10, 300];

/// From the start of a process to the next cut.
const STARTED_TO_CUT_MS: [u64; 2] = [50, 500];

/// How many cuts the promises of one outlast, until they are read for the last time: more than a log is long, and fewer
/// keys than a cluster holds.
const LOADS_KEPT: usize = 50;

/// How the nodes found their disks, in their own words: counted, not judged.
const SAYINGS: [&str; 5] = [
    "cut an unacknowledged write off",
    "the state was read back",
    "the state store cannot be used",
    "materialised state was not confirmed",
    "this node cannot go on",
];

/// The moment of a cut. Each in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    Writes,
    Snapshot,
    Purge,
    Election,
    Recovery,
}

const MOMENTS: [Moment; 5] =
    [Moment::Writes, Moment::Snapshot, Moment::Purge, Moment::Election, Moment::Recovery];

#[derive(Default)]
struct Totals {
    by_moment: BTreeMap<String, u64>,
    by_nodes: BTreeMap<usize, u64>,
    outages: Vec<Duration>,
    /// With one node cut and with more: those have to be started again before anybody writes.
    outages_of_one: Vec<Duration>,
    ready_again: Vec<Duration>,
    /// What was to be seen before the cut was not.
    unsighted: u64,
}

/// Cuts so many times, then flips bits. Figures of both.
pub(super) async fn cut(cuts: u64, chance: &mut Chance) -> Result<(Value, Value)> {
    let mut site = Site::found().await?;
    // Of each cut's load.
    let mut kept: VecDeque<Vec<Arc<Ledger>>> = VecDeque::new();
    let mut cleared: Vec<Arc<Ledger>> = Vec::new();
    let mut totals = Totals::default();
    for (number, moment) in (0..cuts).zip(MOMENTS.into_iter().cycle()) {
        let mut nodes = NODES.to_vec();
        chance.shuffle(&mut nodes);
        nodes.truncate(1 + usize::try_from(chance.below(3))?);
        let what = format!("cut {number}: {moment:?} of nodes {nodes:?}");
        let ledgers = round(&mut site, number, moment, &nodes, chance, &mut totals).await.context(what)?;
        kept.push_back(ledgers);
        if kept.len() > LOADS_KEPT {
            let oldest = kept.pop_front().expect("more than one");
            read_back(&site, &oldest).await.with_context(|| format!("{LOADS_KEPT} cuts before {number}"))?;
            let mut connection = Connection::open(site.redis_port(1)).await?;
            ledger::clear(oldest.iter().map(Arc::as_ref), &mut connection).await?;
            cleared.extend(oldest);
        }
    }
    let kept = kept.into_iter().flatten().collect::<Vec<_>>();
    let unsighted = totals.unsighted;
    ensure!(unsighted * UNSIGHTED_PART <= cuts, "the moment of {unsighted} of {cuts} cuts did not come");
    read_back(&site, &kept).await.context("everything, at the end")?;
    let books = || cleared.iter().chain(&kept).map(Arc::as_ref);
    let tokens = ledger::verify_tokens(books())?;
    let digests_at = digests_agree(&site.cli()).await?;
    let mut purged = Vec::new();
    for node in NODES {
        purged.push(site.status(node).await?.purged_index);
    }
    let mut logs_say = Map::new();
    for what in SAYINGS {
        let mut times = 0;
        for node in NODES {
            times += site.log(node)?.matches(what).count();
        }
        logs_say.insert(what.to_owned(), times.into());
    }
    let flips = flips::flip(&mut site, chance).await.context("a flipped bit")?;
    read_back(&site, &kept).await.context("everything, after the flips")?;

    let sum = |what: fn(&Ledger) -> u64| books().map(what).sum::<u64>();
    let (outage, outage_max) = figures::median_and_worst(&totals.outages);
    let (one, one_max) = figures::median_and_worst(&totals.outages_of_one);
    let (ready, ready_max) = figures::median_and_worst(&totals.ready_again);
    let figure = json!({
        "cuts": cuts, "cuts_by_moment": totals.by_moment, "cuts_by_nodes": totals.by_nodes,
        "power_losses": site.lives.power_losses, "ended_by_themselves": site.lives.ended_alone,
        "starts": site.lives.restarts, "second_starts": site.lives.second_starts, "unsighted": totals.unsighted,
        "acknowledged": sum(|l| l.acknowledged), "lost": 0, "unknown": sum(|l| l.unknown),
        "refused": sum(|l| l.refused), "overtaken": sum(|l| l.overtaken), "tokens": tokens,
        "outage_ms": figures::millis(outage), "outage_max_ms": figures::millis(outage_max),
        "outage_of_one_ms": figures::millis(one), "outage_of_one_max_ms": figures::millis(one_max),
        "ready_again_ms": figures::millis(ready), "ready_again_max_ms": figures::millis(ready_max),
        "digests_equal_at": digests_at, "purged_to": purged, "logs_say": logs_say,
    });
    Ok((figure, flips))
}

/// One cut under a load of its own, judged.
async fn round(
    site: &mut Site,
    number: u64,
    moment: Moment,
    nodes: &[u64],
    chance: &mut Chance,
    totals: &mut Totals,
) -> Result<Vec<Arc<Ledger>>> {
    site.ready().await?;
    let mut load = Load::start(&Options::full(format!("power{number}"), site.redis_ports()));
    load.run_until(BEFORE, 0).await?;
    totals.unsighted += u64::from(!sight(site, moment, nodes[0]).await?);
    sleep(match moment {
        Moment::Snapshot | Moment::Purge => chance.millis(0, SIGHT_TO_CUT_MAX_MS),
        _ => chance.millis(0, PLAIN_MAX_MS),
    })
    .await;

    let began = Instant::now();
    let mut gap = Gap::new(&load);
    let down = {
        let mut fault = std::pin::pin!(fault(site, moment, nodes, chance));
        loop {
            tokio::select! {
                down = &mut fault => break down?,
                () = sleep(LOOK) => gap.look(&load),
            }
        }
    };
    totals.ready_again.push(began.elapsed());
    load.run_until(AFTER, 0).await?;
    gap.look(&load);
    totals.outages.push(gap.longest);
    if down.len() == 1 {
        totals.outages_of_one.push(gap.longest);
    }
    *totals.by_moment.entry(format!("{moment:?}").to_lowercase()).or_default() += 1;
    *totals.by_nodes.entry(down.len()).or_default() += 1;
    let (ready, outage) = (began.elapsed(), gap.longest);
    eprintln!("cut {number}: {moment:?}, nodes {down:?}: nothing for {outage:?}, ready after {ready:?}");

    let ledgers: Vec<Arc<Ledger>> =
        load.finish().await?.into_iter().map(|account| Arc::new(account.ledger)).collect();
    read_back(site, &ledgers).await?;
    Ok(ledgers)
}

/// Waits for what the moment is named by, and says whether it came.
async fn sight(site: &Site, moment: Moment, node: u64) -> Result<bool> {
    let data = site.data(node);
    let deadline = Instant::now() + SIGHT_WITHIN;
    let oldest = segments(&data)?.into_iter().min();
    while Instant::now() < deadline {
        let is_there = match moment {
            Moment::Snapshot => names(&data.join("snap"))?.iter().any(|name| name.ends_with(".tmp")),
            Moment::Purge => segments(&data)?.into_iter().min() != oldest,
            Moment::Writes | Moment::Election | Moment::Recovery => true,
        };
        if is_there {
            return Ok(true);
        }
        sleep(LOOK).await;
    }
    Ok(false)
}

/// The cut, and three ready nodes again. Gives those that were without power at the same time.
async fn fault(site: &mut Site, moment: Moment, nodes: &[u64], chance: &mut Chance) -> Result<Vec<u64>> {
    let mut down = nodes.to_vec();
    match moment {
        Moment::Writes | Moment::Snapshot | Moment::Purge => site.cut(&down, chance).await?,
        Moment::Election => {
            // The leader, then its successor within its first moments; of three nodes the last one with it.
            let leader = site.leader().await?;
            site.cut(&[leader], chance).await?;
            let others: Vec<u64> = NODES.into_iter().filter(|node| *node != leader).collect();
            let elected = site.elected(&others).await?;
            let [from, to] = ELECTED_TO_CUT_MS;
            sleep(chance.millis(from, to)).await;
            let then = if nodes.len() == 3 { others } else { vec![elected] };
            site.cut(&then, chance).await?;
            down = [vec![leader], then].concat();
        }
        Moment::Recovery => {
            site.cut(&down, chance).await?;
            site.restore(&down).await?;
            for node in &down {
                site.launch(*node)?;
            }
            let [from, to] = STARTED_TO_CUT_MS;
            sleep(chance.millis(from, to)).await;
            for node in &down {
                // A refusal must not be hidden by the cut.
                let refused = site.has_ended(*node)? && !site.has_panicked_in_state_store(*node)?;
                ensure!(!refused, "node {node} ended while it recovered");
            }
            site.cut(&down, chance).await?;
        }
    }
    site.restore(&down).await?;
    site.start(&down).await?;
    site.ready().await?;
    Ok(down)
}

/// Every promise, the ledgers of one node's clients read at another one.
async fn read_back(site: &Site, ledgers: &[Arc<Ledger>]) -> Result<()> {
    let mut by_load: BTreeMap<&str, Vec<&Ledger>> = BTreeMap::new();
    for ledger in ledgers {
        by_load.entry(&ledger.together).or_default().push(ledger);
    }
    let mut connection = Connection::open(site.redis_port(2)).await?;
    for together in by_load.into_values() {
        ledger::verify_together(together, &mut connection).await?;
    }
    let mut readers = JoinSet::new();
    for (reader, part) in ledgers.chunks(ledgers.len().div_ceil(12).max(1)).enumerate() {
        let (part, port) = (part.to_vec(), site.redis_port(reader as u64 % 3 + 1));
        readers.spawn(async move {
            let mut connection = Connection::open(port).await?;
            for ledger in part {
                ledger.verify(&mut connection).await.with_context(|| format!("read at {port}"))?;
            }
            Ok::<_, anyhow::Error>(())
        });
    }
    while let Some(read) = readers.join_next().await {
        read??;
    }
    Ok(())
}

fn segments(data: &Path) -> Result<Vec<String>> {
    names(&data.join("wal"))
}

pub(super) fn names(directory: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(directory)?;
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}
