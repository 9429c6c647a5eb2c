//! What a run measured: printed, and kept as `target/figures/NAME.json`.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

/// Prints a figure past the capture of test output, and keeps it.
pub fn record(name: &str, figure: &Value) -> Result<()> {
    // Nobody may be reading; the file has it too.
    let _ = writeln!(std::io::stderr(), "FIGURE {name}: {figure}");
    let directory = target()?.join("figures");
    std::fs::create_dir_all(&directory)?;
    std::fs::write(directory.join(format!("{name}.json")), format!("{figure:#}\n"))?;
    Ok(())
}

/// The build directory that this program lies in.
pub fn target() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().find(|directory| directory.join("CACHEDIR.TAG").exists());
    Ok(target.context("the test program lies in no build directory")?.to_owned())
}

/// Milliseconds to a tenth.
pub fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

/// The middle, and the largest.
pub fn median_and_worst(durations: &[Duration]) -> (Duration, Duration) {
    let mut sorted = durations.to_vec();
    sorted.sort();
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    (median, sorted.last().copied().unwrap_or_default())
}
