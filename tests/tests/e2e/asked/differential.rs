//! Many steps beside a redis-server: `cargo xtask differential`.

use std::path::Path;

use anyhow::{Context, bail};
use tests::chance::Chance;
use tests::suite;

use crate::beside::differential;

#[test]
fn replies_are_those_of_redis_for_many_steps() {
    suite::asked("differential_many", "TENURE_DIFFERENTIAL_STEPS", |steps| async move {
        let Some(cli) = suite::tool("differential_many", "TENURE_REDIS_CLI") else {
            bail!("there is no redis-server to compare with")
        };
        let seed = std::env::var(differential::SEED).ok().map(|seed| seed.parse()).transpose()?;
        let seed = seed.unwrap_or_else(Chance::any_seed);
        println!("seed {seed}");
        differential::run(Path::new(&cli), steps.parse().context("steps")?, seed).await
    });
}
