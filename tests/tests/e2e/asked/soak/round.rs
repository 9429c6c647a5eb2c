//! One round: a new cluster, full load, one disturbance after another, and the judgement.

use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tests::chance::Chance;
use tests::figures;
use tests::ledger::{self, Ledger};
use tests::load::{Gap, Load, Options};
use tokio::time::sleep;

use super::Setting;
use super::disturbance::{self, Disturbance, Fault};
use super::site::{Counts, NODES, Site};
use crate::beside::status::digests_agree;

/// Acknowledged before the first disturbance.
const BEFORE: u64 = 5000;

/// So many more are acknowledged so soon after a disturbance, or the cluster does not serve again.
const SERVED: u64 = 1000;
const SERVES_WITHIN: Duration = Duration::from_secs(30);

const LOOK: Duration = Duration::from_millis(2);

/// What happened, and what the clients were told.
pub(super) struct Round {
    pub(super) setting: Setting,
    pub(super) quota: String,
    pub(super) faults: Vec<(Fault, u64)>,
    pub(super) acknowledged: u64,
    pub(super) unknown: u64,
    pub(super) refused: u64,
    pub(super) tokens: u64,
    pub(super) counts: Counts,
    pub(super) entries: u64,
    pub(super) purged_to: u64,
    /// Of the one election that founds a group, too.
    pub(super) terms: u64,
    pub(super) longest_gap: Duration,
    pub(super) serves_again: Vec<Duration>,
    pub(super) ready_again: Vec<Duration>,
    /// In each quiet moment, of the node that uses most.
    pub(super) resident_bytes: Vec<u64>,
}

/// The load, and how long it stood still.
struct Traffic {
    load: Load,
    gap: Gap,
}

/// Disturbs a new cluster for so long, then judges it.
pub(super) async fn run(seed: u64, setting: Setting, length: Duration) -> Result<Round> {
    let mut chance = Chance::new(seed);
    let mut site = Site::found(setting).await?;
    let end = Instant::now() + length;
    let load = Load::start(&Options {
        value_bytes: setting.value_bytes,
        ..Options::full("soak", site.redis_ports())
    });
    let mut traffic = Traffic { gap: Gap::new(&load), load };
    traffic.load.run_until(BEFORE, 0).await?;
    traffic.gap = Gap::new(&traffic.load);
    let mut round = Round::new(setting, site.quota());
    'disturbed: loop {
        for disturbance in disturbance::draw(&mut chance) {
            if Instant::now() >= end {
                break 'disturbed;
            }
            let disturbed = disturb(&mut site, &mut traffic, disturbance, &mut chance, &mut round).await;
            // A node that has ended is the cause of whatever else is wrong.
            site.check_all_run().and(disturbed).with_context(|| format!("{disturbance:?}"))?;
        }
    }
    round.longest_gap = traffic.gap.longest;
    let accounts = traffic.load.finish().await?;
    let ledgers: Vec<Ledger> = accounts.into_iter().map(|account| account.ledger).collect();
    round.judge(&mut site, &ledgers).await?;
    site.end().await?;
    Ok(round)
}

/// One disturbance, and the way back from it.
async fn disturb(
    site: &mut Site,
    traffic: &mut Traffic,
    disturbance: Disturbance,
    chance: &mut Chance,
    round: &mut Round,
) -> Result<()> {
    let times = traffic.meanwhile(disturbance.befall(site, chance)).await?;
    let over = Instant::now();
    let goal = traffic.load.acknowledged() + SERVED;
    while traffic.load.acknowledged() < goal {
        traffic.look().await?;
        let only = traffic.load.acknowledged();
        ensure!(over.elapsed() < SERVES_WITHIN, "{only} of {goal} acknowledged within {SERVES_WITHIN:?}");
        sleep(LOOK).await;
    }
    let served = over.elapsed();
    traffic.meanwhile(site.ready()).await?;
    let ready = over.elapsed();
    traffic.meanwhile(site.read_counts()).await?;
    let resident = site.resident_bytes_max()?;
    eprintln!(
        "  {:?} {times}, {:?}: serves after {served:?}, ready after {ready:?}, {} acknowledged, {} snapshots installed, \
         {} MiB",
        disturbance.fault,
        disturbance.share,
        traffic.load.acknowledged(),
        site.counts().installed,
        resident >> 20,
    );
    round.faults.push((disturbance.fault, times));
    round.serves_again.push(served);
    round.ready_again.push(ready);
    round.resident_bytes.push(resident);
    Ok(())
}

impl Traffic {
    /// Does something else, and looks at the load while that takes.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = sleep(LOOK) => self.look().await?,
            }
        }
    }

    async fn look(&mut self) -> Result<()> {
        self.gap.look(&self.load);
        self.load.check_alive().await
    }
}

impl Round {
    fn new(setting: Setting, quota: String) -> Self {
        Self {
            setting,
            quota,
            faults: Vec::new(),
            acknowledged: 0,
            unknown: 0,
            refused: 0,
            tokens: 0,
            counts: Counts::default(),
            entries: 0,
            purged_to: 0,
            terms: 0,
            longest_gap: Duration::ZERO,
            serves_again: Vec::new(),
            ready_again: Vec::new(),
            resident_bytes: Vec::new(),
        }
    }

    /// The load is over: every promise is kept at every node, and all three hold the same.
    async fn judge(&mut self, site: &mut Site, ledgers: &[Ledger]) -> Result<()> {
        let sum = |what: fn(&Ledger) -> u64| ledgers.iter().map(what).sum::<u64>();
        self.acknowledged = sum(|ledger| ledger.acknowledged);
        self.unknown = sum(|ledger| ledger.unknown);
        self.refused = sum(|ledger| ledger.refused);
        self.tokens = sum(|ledger| ledger.tokens.len() as u64);
        let status = site.ready().await.context("at the end")?;
        self.terms = status.term;
        ledger::verify_everywhere(ledgers, site.redis_ports()).await?;
        digests_agree(&site.cli()).await?;
        site.read_counts().await?;
        self.counts = site.counts();
        for node in NODES {
            let status = site.status(node).await?;
            self.entries = self.entries.max(status.last_log);
            self.purged_to = self.purged_to.max(status.purged_index);
        }
        site.check_all_run()?;
        ensure!(self.purged_to > 0, "inconclusive: nothing was purged");
        let (acknowledged, gap) = (self.acknowledged, figures::millis(self.longest_gap));
        let Counts { built, installed, .. } = self.counts;
        eprintln!(
            "  {acknowledged} acknowledged, {} unknown, longest gap {gap} ms, {built} snapshots, {installed} installed, \
             purged to {} of {}",
            self.unknown, self.purged_to, self.entries
        );
        Ok(())
    }
}
