//! `cargo xtask sim`: many runs of the simulation, each a process of its own, so that no run leaves anything behind
//! for the next.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use planted::Bug;
use serde_json::Value;

use crate::run::{cargo, on_every_processor, root, succeeds, target};

/// Fresh seeds of a whole test, and of a quick one: about two seconds of a processor each.
pub(crate) const SEEDS: u64 = 300;
pub(crate) const SEEDS_QUICK: u64 = 20;

/// Seeds that failed once, one a line, with what they found: they run first, for ever.
const REGRESSIONS: &str = "crates/simulation/seeds.txt";

/// After every so many seeds it tells how far it is: a few minutes.
const PROGRESS_SEEDS: usize = 100;

/// Runs repeated to see that they are the same to the last answer.
const REPEATED: usize = 3;

/// The least share of runs in which enough happened to say something, in percent.
const CONCLUSIVE_MIN: usize = 90;

/// Reasons for which orders are refused in any large set of seeds: a control that never refused was never asked …
const REFUSALS: [&str; 9] = [
    "FENCED",
    "EXPIRED",
    "WRONG_LEASE",
    "KILLED",
    "MODE",
    "BREAKER_OPEN",
    "LIMIT",
    "DUPLICATE_KEY",
    "ORDER_STATE",
];

/// … which begins here. The rarest of them comes once in some ten seeds.
const REFUSALS_SEEDS_MIN: usize = 200;

/// The simulation's answer to arguments that it does not understand.
const CALLED_WRONGLY: i32 = 2;

/// What became of one seed.
pub(crate) struct Run {
    seed: u64,
    /// 0: every promise was kept; 1: one was broken; 3: too little happened. None: an assertion ended it.
    code: Option<i32>,
    summary: Value,
    pub(crate) said: String,
}

impl Run {
    pub(crate) fn failed(&self) -> bool {
        !matches!(self.code, Some(0 | 3))
    }
}

/// The old seeds, `count` fresh ones from `first` on, and some of them twice.
pub(crate) fn sim(count: u64, first: Option<u64>) -> Result<bool> {
    let program = build(false)?;
    let first = match first {
        Some(first) => first,
        None => of_the_commit()?,
    };
    let old = regressions()?;
    let started = Instant::now();
    let mut seeds = old.clone();
    seeds.extend(first..first + count);
    let runs = run_all(&program, &seeds)?;
    let repeated: Vec<u64> = seeds.iter().rev().take(REPEATED).copied().collect();
    let again = run_all(&program, &repeated)?;
    let differ: Vec<u64> = again
        .iter()
        .filter(|again| runs.iter().any(|run| run.seed == again.seed && run.summary != again.summary))
        .map(|run| run.seed)
        .collect();
    for seed in &differ {
        println!("seed {seed} did not run the same way twice");
    }
    let failed: Vec<&Run> = runs.iter().filter(|run| run.failed()).collect();
    for run in &failed {
        println!(
            "seed {} failed; run it again with: cargo xtask sim --seed {}\n{}",
            run.seed, run.seed, run.said
        );
    }
    let fresh = runs.iter().filter(|run| !old.contains(&run.seed));
    let conclusive = fresh.filter(|run| run.code == Some(0)).count();
    println!("{}", figures(&runs, started));
    let refused = sums(&runs, "orders_refused");
    let unseen: Vec<&str> = match runs.len() {
        REFUSALS_SEEDS_MIN.. => REFUSALS.into_iter().filter(|it| !refused.contains_key(*it)).collect(),
        _ => Vec::new(),
    };
    if !unseen.is_empty() {
        println!("no order was refused for {}", unseen.join(", "));
    }
    println!(
        "{} seeds from {first} and {} old ones: {} failed, {conclusive} of the fresh conclusive, {} differ when repeated",
        count,
        old.len(),
        failed.len(),
        differ.len()
    );
    Ok(failed.is_empty()
        && differ.is_empty()
        && unseen.is_empty()
        && conclusive * 100 >= CONCLUSIVE_MIN * count as usize)
}

/// One seed, with all that it has to say.
pub(crate) fn one(seed: u64) -> Result<bool> {
    let program = build(false)?;
    succeeds(Command::new(program).args(["--seed", &seed.to_string()]))
}

/// The simulation; `planted`: one that bugs can be planted in.
pub(crate) fn build(planted: bool) -> Result<PathBuf> {
    let mut build = cargo();
    build.args(["build", "--release", "--package", "simulation"]);
    if planted {
        build.args(["--features", "planted"]);
    }
    ensure!(succeeds(&mut build)?, "it does not compile");
    let program = target().join("release/simulation");
    if !planted {
        return Ok(program);
    }
    // Moved away: whoever runs the plain one must not find this.
    let moved = target().join("release/simulation-planted");
    std::fs::rename(program, &moved)?;
    Ok(moved)
}

/// Fresh for each commit, and the same for everybody who runs it.
fn of_the_commit() -> Result<u64> {
    let head = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(root()).output();
    let head = String::from_utf8(head.context("git cannot be run")?.stdout)?;
    let digits = head.get(..12).context("git names no commit; give a seed")?;
    Ok(u64::from_str_radix(digits, 16)?)
}

fn regressions() -> Result<Vec<u64>> {
    let text = std::fs::read_to_string(root().join(REGRESSIONS))?;
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let seed = |line: &str| {
        let seed = line.split_whitespace().next().unwrap_or_default();
        seed.parse().with_context(|| format!("{REGRESSIONS}: {line}"))
    };
    lines.map(seed).collect()
}

/// As many at a time as there are processors.
fn run_all(program: &Path, seeds: &[u64]) -> Result<Vec<Run>> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    on_every_processor(|| {
        while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
            let run = run(program, *seed, None)?;
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done.push(run);
            if done.len() % PROGRESS_SEEDS == 0 {
                let failed = done.iter().filter(|run| run.failed()).count();
                eprintln!("{} of {} seeds, {failed} failed", done.len(), seeds.len());
            }
        }
        Ok(())
    })?;
    Ok(done.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// One seed, with a bug planted or none.
pub(crate) fn run(program: &Path, seed: u64, bug: Option<Bug>) -> Result<Run> {
    let mut command = Command::new(program);
    command.args(["--seed", &seed.to_string()]).stdin(Stdio::null());
    if let Some(bug) = bug {
        command.args(["--planted", bug.name()]);
    }
    let Output { status, stdout, stderr } = command.output().context("the simulation cannot be run")?;
    let said = String::from_utf8_lossy(&stderr);
    ensure!(status.code() != Some(CALLED_WRONGLY), "{}", said.trim_end());
    Ok(Run {
        seed,
        code: status.code(),
        summary: serde_json::from_slice(&stdout).unwrap_or_default(),
        said: format!("{}\n{status}", said.trim_end()),
    })
}

/// Sums over all runs.
fn figures(runs: &[Run], started: Instant) -> Value {
    let sum = |what: &str| runs.iter().filter_map(|run| run.summary[what].as_u64()).sum::<u64>();
    serde_json::json!({
        "runs": runs.len(),
        "inconclusive": runs.iter().filter(|run| run.code == Some(3)).count(),
        "seconds": started.elapsed().as_secs(),
        "simulated_seconds": sum("simulated_ms") / 1000,
        "operations": sum("operations"),
        "acknowledged": sum("acknowledged"),
        "unknown": sum("unknown"),
        "refused": sum("refused"),
        "undecided": sum("undecided"),
        "digests_compared": sum("digests_compared"),
        "orders": sums(runs, "orders"),
        "orders_refused": sums(runs, "orders_refused"),
        "faults": sums(runs, "faults"),
    })
}

/// Of what is counted by name.
fn sums(runs: &[Run], what: &str) -> BTreeMap<String, u64> {
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for (name, count) in runs.iter().filter_map(|run| run.summary[what].as_object()).flatten() {
        *sums.entry(name.clone()).or_default() += count.as_u64().unwrap_or_default();
    }
    sums
}
