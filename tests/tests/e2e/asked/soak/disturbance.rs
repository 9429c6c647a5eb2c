//! What happens to a cluster under load, one thing after another. A majority always stays.

use std::time::Duration;

use anyhow::Result;
use tests::chance::Chance;
use tests::processors::Share;
use tokio::time::sleep;

use super::site::{NODES, Site};

/// How often a follower falls behind in a row, and for how long; between two times it may catch up, or not quite.
const LAGS: [u64; 2] = [3, 6];
const LAG_MS: [u64; 2] = [500, 5000];
const BETWEEN_LAGS_MS: [u64; 2] = [200, 2000];

const FREEZE_MS: [u64; 2] = [500, 5000];

/// From the end of a process to its next start.
const DOWN_MS: [u64; 2] = [0, 3000];

/// How long processors are scarce where nothing else happens, and around what happens.
const SCARCE_MS: [u64; 2] = [5000, 15_000];
const SCARCE_AROUND_MS: [u64; 2] = [500, 3000];

/// A quota for three nodes together, in hundredths of a processor. Below it nothing but elections would happen.
const QUOTA_PERCENT: [u64; 2] = [20, 60];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// A follower does not run for a time, again and again, until only a snapshot can bring it back.
    Lag,
    /// Any node does not run for a time.
    Freeze,
    /// Any node is killed, and started again.
    Kill,
    /// Any node is told to end, does, and is started again.
    Stop,
    /// Nothing but scarce processors.
    Scarcity,
}

/// What is looked for needs a follower that lags: that comes twice.
const FAULTS: [Fault; 6] = [Fault::Lag, Fault::Lag, Fault::Freeze, Fault::Kill, Fault::Stop, Fault::Scarcity];

/// A fault, and what the nodes have of the processors while it happens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Disturbance {
    pub(super) fault: Fault,
    pub(super) share: Share,
}

/// All of [`FAULTS`], in any order.
pub(super) fn draw(chance: &mut Chance) -> Vec<Disturbance> {
    let mut faults = FAULTS;
    chance.shuffle(&mut faults);
    let disturbances = faults.map(|fault| {
        let is_scarce = fault == Fault::Scarcity || chance.one_in(2);
        let share = match chance.below(2) {
            _ if !is_scarce => Share::All,
            0 => Share::OneCore,
            _ => Share::Percent(between(QUOTA_PERCENT, chance)),
        };
        Disturbance { fault, share }
    });
    disturbances.to_vec()
}

impl Disturbance {
    /// Until every node runs and has all processors again; they may still have to recover.
    pub(super) async fn befall(self, site: &mut Site, chance: &mut Chance) -> Result<u64> {
        let is_scarce = self.share != Share::All;
        if is_scarce {
            site.give(self.share)?;
            sleep(span(SCARCE_AROUND_MS, chance)).await;
        }
        let times = self.fault.befall(site, chance).await?;
        if is_scarce {
            sleep(span(SCARCE_AROUND_MS, chance)).await;
            site.give(Share::All)?;
        }
        for node in NODES {
            site.answers(node).await?;
        }
        Ok(times)
    }
}

impl Fault {
    /// Says how many times.
    async fn befall(self, site: &mut Site, chance: &mut Chance) -> Result<u64> {
        let any = 1 + chance.below(NODES.len() as u64);
        match self {
            Self::Lag => {
                let leader = site.leader().await?;
                let follower = (leader + chance.below(2)) % 3 + 1;
                let times = between(LAGS, chance);
                for _ in 0..times {
                    let frozen = site.freeze(follower)?;
                    sleep(span(LAG_MS, chance)).await;
                    drop(frozen);
                    sleep(span(BETWEEN_LAGS_MS, chance)).await;
                }
                return Ok(times);
            }
            Self::Freeze => {
                let frozen = site.freeze(any)?;
                sleep(span(FREEZE_MS, chance)).await;
                drop(frozen);
            }
            Self::Kill => {
                site.kill(any).await?;
                sleep(span(DOWN_MS, chance)).await;
                site.launch(any)?;
            }
            Self::Stop => {
                site.stop(any).await?;
                sleep(span(DOWN_MS, chance)).await;
                site.launch(any)?;
            }
            Self::Scarcity => sleep(span(SCARCE_MS, chance)).await,
        }
        Ok(1)
    }
}

fn span([from, to]: [u64; 2], chance: &mut Chance) -> Duration {
    chance.millis(from, to)
}

fn between([from, to]: [u64; 2], chance: &mut Chance) -> u64 {
    from + chance.below(to - from + 1)
}
