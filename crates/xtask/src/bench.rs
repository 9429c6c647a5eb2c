//! `cargo xtask bench etcd`: Tenure and etcd beside each other on this machine, written into `docs/benchmarks`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::run::{cargo, output, root, succeeds, target};
use crate::tools;

/// Whose medians count, with the seconds of each measurement: the whole takes about 14 minutes.
const ROUNDS: &str = "3";
const SECONDS: &str = "8";

/// Enough to see that all works.
const ROUNDS_TRIAL: &str = "1";
const SECONDS_TRIAL: &str = "2";

/// Every scenario, for the record.
pub(crate) fn etcd() -> Result<bool> {
    run(ROUNDS, SECONDS, &root().join("docs/benchmarks"), None)
}

/// Every scenario or one, shortly. What it says is of no use to anybody else.
pub(crate) fn etcd_trial(scenario: Option<&str>) -> Result<bool> {
    run(ROUNDS_TRIAL, SECONDS_TRIAL, &data(), scenario)
}

fn run(rounds: &str, seconds: &str, reports: &Path, scenario: Option<&str>) -> Result<bool> {
    // One at a time: together, Tenure would be built with features of libraries that the other asks for.
    for package in ["tenure", "bench"] {
        if !succeeds(cargo().args(["build", "--release", "--package", package]))? {
            bail!("it does not compile");
        }
    }
    let mut bench = Command::new(target().join("release/bench"));
    bench.args([rounds, seconds]).arg(data()).arg(reports).args(scenario);
    bench.env("TENURE_BIN", target().join("release/tenure")).env("TENURE_ETCD", tools::etcd()?);
    bench.env("TENURE_COMMIT", commit()?);
    succeeds(&mut bench)
}

/// What is built, and whether it is more than the commit.
fn commit() -> Result<String> {
    let described =
        output(Command::new("git").current_dir(root()).args(["describe", "--always", "--dirty"]))?;
    Ok(described.trim().into())
}

/// On a disk, where a temporary directory may not be.
fn data() -> PathBuf {
    target().join("bench")
}
