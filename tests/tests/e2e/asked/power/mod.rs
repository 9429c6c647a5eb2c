//! Power cuts under the real processes: `cargo xtask power`.
//!
//! [`bare`]: the log alone. [`cuts`]: three nodes under load, each on a disk of its own ([`site`]). [`flips`]: one bit
//! of a file of each kind. What fails keeps the disks' images and the logs, and says where.

mod bare;
mod cuts;
mod flips;
mod site;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;
use tests::chance::Chance;
use tests::{figures, suite};
use tokio::time::timeout;

/// Draws everything; printed, and given back to have the same draws again.
const SEED: &str = "TENURE_POWER_SEED";

/// The log alone is cheap to cut.
const BARE_CUTS_PER_CUT: u64 = 5;

/// A run that hangs ends after this: so long for the start, the flips and reading back everything, and for each cut.
const SLACK: Duration = Duration::from_secs(300);
const CUT_MAX: Duration = Duration::from_secs(60);

#[test]
fn nothing_acknowledged_is_lost_when_the_power_goes() {
    suite::asked("power", "TENURE_POWER_CUTS", |cuts| async move {
        let cuts: u32 = cuts.parse().context("cuts")?;
        let limit = SLACK + cuts * CUT_MAX;
        timeout(limit, power(cuts.into()))
            .await
            .with_context(|| format!("it hangs: no end within {limit:?}"))?
    });
}

async fn power(cuts: u64) -> Result<()> {
    let seed = match std::env::var(SEED) {
        Ok(seed) => seed.parse().with_context(|| format!("{SEED}={seed}"))?,
        Err(_) => Chance::any_seed(),
    };
    eprintln!("seed {seed}: {SEED}={seed} draws the same again");
    let mut chance = Chance::new(seed);
    let started = Instant::now();
    let bare = bare::cut(BARE_CUTS_PER_CUT * cuts, &mut chance).await.context("the log alone")?;
    eprintln!("the log alone: {bare}, {:?}", started.elapsed());
    let (cluster, flips) = cuts::cut(cuts, &mut chance).await?;
    let figure = json!({
        "seed": seed, "seconds": started.elapsed().as_secs(), "bare_log": bare, "cluster": cluster, "flips": flips,
    });
    figures::record("power", &figure)
}
