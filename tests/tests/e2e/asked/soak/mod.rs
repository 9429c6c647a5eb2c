//! Full load while one thing after another happens to the nodes: `cargo xtask soak`.
//!
//! Snapshots, purges and what is applied race with followers that fall behind and with scarce processors: the conditions
//! of openraft's issue 2116. Nobody lays a hand on a node but to start again what this test has ended itself.
//!
//! [`round`]: one cluster's life. [`disturbance`]: what happens to it. [`site`]: its processes. [`tally`]: all rounds
//! together. What fails keeps data and logs, and says where.

mod disturbance;
mod round;
mod site;
mod tally;

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use tests::chance::Chance;
use tests::{figures, suite};
use tokio::time::timeout;

use disturbance::Fault;
use tally::Tally;

/// Draws the first round; printed, and given back to have the same draws again. Each further round has the next one.
const SEED: &str = "TENURE_SOAK_SEED";

/// When a snapshot is taken, when the log behind it goes, and who needs it. Each round has the next one.
///
/// At full load an entry holds some 200 commands, and a snapshot is also taken when more log than is to be kept has none
/// behind it. So the number of entries decides only where values are small.
const SETTINGS: [Setting; 3] = [
    // About every 500 entries, as it says.
    Setting { snapshot_entries: 500, retain_mib: 8, value_bytes: 1 },
    // Whenever the node looks after its log, every two seconds or some 300 entries: the smallest log that can be kept is
    // full sooner. The values are as large as those of openraft's issue 2116.
    Setting { snapshot_entries: 5000, retain_mib: 8, value_bytes: 1024 },
    // The default number, and a log that outlasts a short absence: a follower comes back by either way.
    Setting { snapshot_entries: 50_000, retain_mib: 32, value_bytes: 1024 },
];

/// A new cluster after so long, of which the last part is for the judgement.
const ROUND_MINUTES: u64 = 2;
const DISTURBED: Duration = Duration::from_secs(100);

/// A round that hangs ends after this.
const ROUND_MAX: Duration = Duration::from_secs(420);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Setting {
    snapshot_entries: u64,
    /// Of the log.
    retain_mib: u64,
    /// Of what the clients set.
    value_bytes: usize,
}

#[test]
fn nodes_go_on_without_a_hand_laid_on_them() {
    suite::asked("soak", "TENURE_SOAK_MINUTES", |minutes| async move {
        suite::unless_stopped(soak(minutes.parse().context("minutes")?)).await
    });
}

async fn soak(minutes: u64) -> Result<()> {
    let first = match std::env::var(SEED) {
        Ok(seed) => seed.parse().with_context(|| format!("{SEED}={seed}"))?,
        Err(_) => Chance::any_seed(),
    };
    let rounds = minutes.div_ceil(ROUND_MINUTES);
    let mut tally = Tally::default();
    let mut failed = None;
    for seed in first..first + rounds {
        let setting = SETTINGS[usize::try_from(seed % SETTINGS.len() as u64)?];
        eprintln!(
            "{setting:?}; `cargo xtask soak --minutes {ROUND_MINUTES} --seed {seed}` repeats this round"
        );
        let round = timeout(ROUND_MAX, round::run(seed, setting, DISTURBED)).await;
        let round = round.with_context(|| format!("it hangs: no end within {ROUND_MAX:?}"));
        match round.and_then(|round| round).with_context(|| format!("the round of seed {seed}")) {
            Ok(round) => tally.add(round),
            Err(why) => {
                failed = Some(why);
                break;
            }
        }
    }
    // Nothing lost and no panic in the rounds that were judged; one that failed is none of them.
    let figure = json!({
        "minutes": minutes, "seed": first, "rounds": tally.rounds(), "quota": tally.quota(),
        "acknowledged": tally.acknowledged(), "lost": 0, "panics": 0,
        "lags": tally.times(Fault::Lag), "freezes": tally.times(Fault::Freeze), "kills": tally.times(Fault::Kill),
        "stops": tally.times(Fault::Stop), "scarcities": tally.times(Fault::Scarcity),
        "by_snapshot_entries": tally.figures(), "failed": failed.as_ref().map(|why| format!("{why:#}")),
    });
    figures::record("soak", &figure)?;
    failed.map_or(Ok(()), Err)?;
    tally.check_memory()
}
