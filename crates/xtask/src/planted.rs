//! `cargo xtask sim --planted`: the proof that the simulation finds what it is there for. Each bug of the crate `planted`
//! is made active in turn, and seeds are run until one breaks a promise by it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use planted::Bug;

use crate::run::{on_every_processor, root};
use crate::sim;

/// A seed for each bug that finds it.
const KNOWN: &str = "crates/simulation/planted.txt";

const KNOWN_HEAD: &str = "\
# Planted bugs, a seed that finds each, and what it says. Written by `cargo xtask sim --planted`.
";

/// Every search begins with the same seeds, so that a change of the simulation shows in the number of them.
const FIRST_SEED: u64 = 1;

/// A bug that takes more would get through.
const PLANTED_SEEDS_MAX: u64 = 200;

/// Bugs of the file that every test looks for.
const KNOWN_ONES: usize = 6;

/// A known seed loses its bug when the simulation or the code changes; then one of the next is as good.
const KNOWN_SEEDS_MAX: u64 = 20;

/// What the table tells of a broken rule.
const RULE_CHARS_MAX: usize = 120;

/// A seed that finds a bug.
struct Found {
    seed: u64,
    seeds: u64,
    rule: String,
}

/// Looks for each bug, or for the named one, and keeps the seeds that found one.
pub(crate) fn search(name: Option<&str>) -> Result<bool> {
    let bugs = match name {
        Some(name) => vec![name.parse::<Bug>()?],
        None => Bug::ALL.to_vec(),
    };
    let program = sim::build(true)?;
    let mut known = known()?;
    let mut missed = Vec::new();
    for bug in &bugs {
        match look_for(&program, *bug, FIRST_SEED, PLANTED_SEEDS_MAX)? {
            Some(found) => {
                say(*bug, &found);
                known.insert(bug.name().to_owned(), (found.seed, found.rule));
            }
            None => missed.push(*bug),
        }
        keep(&known)?;
    }
    Ok(sum_up(bugs.len(), &missed, PLANTED_SEEDS_MAX))
}

/// Some bugs of the file, by their known seeds: for every test.
pub(crate) fn known_ones() -> Result<bool> {
    let known = known()?;
    let bugs = Bug::ALL;
    let unknown = bugs.iter().find(|bug| !known.contains_key(bug.name()));
    ensure!(unknown.is_none(), "{KNOWN} lacks {unknown:?}; run `cargo xtask sim --planted`");
    let program = sim::build(true)?;
    let mut missed = Vec::new();
    // From all over the list, which is in the order of what they spoil.
    let some = (0..KNOWN_ONES).map(|at| bugs[at * bugs.len() / KNOWN_ONES]);
    for bug in some {
        match look_for(&program, bug, known[bug.name()].0, KNOWN_SEEDS_MAX)? {
            Some(found) => say(bug, &found),
            None => missed.push(bug),
        }
    }
    Ok(sum_up(KNOWN_ONES, &missed, KNOWN_SEEDS_MAX))
}

/// The least of the `max` seeds from `first` on that finds the bug.
fn look_for(program: &Path, bug: Bug, first: u64, max: u64) -> Result<Option<Found>> {
    // The next seed, and the least that found it.
    let progress = Mutex::new((first, None::<Found>));
    let look = || -> Result<()> {
        loop {
            let seed = {
                let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
                let (next, found) = &mut *progress;
                if *next >= first + max || found.is_some() {
                    return Ok(());
                }
                *next += 1;
                *next - 1
            };
            let Some(rule) = broken(program, seed, Some(bug))? else { continue };
            if let Some(rule) = broken(program, seed, None)? {
                bail!("seed {seed} fails without any bug, see `cargo xtask sim --seed {seed}`: {rule}");
            }
            let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
            if progress.1.as_ref().is_none_or(|found| seed < found.seed) {
                progress.1 = Some(Found { seed, seeds: seed - first + 1, rule });
            }
        }
    };
    on_every_processor(look)?;
    Ok(progress.into_inner().unwrap_or_else(PoisonError::into_inner).1)
}

/// What one run says was broken, first; nothing, if nothing was.
fn broken(program: &Path, seed: u64, bug: Option<Bug>) -> Result<Option<String>> {
    let run = sim::run(program, seed, bug)?;
    if !run.failed() {
        return Ok(None);
    }
    // Where a panic was is a path of one machine; the line after that says what it was.
    let is_place = |line: &&str| line.starts_with("thread '") && line.contains("panicked at");
    let first = run.said.lines().map(str::trim).find(|line| !line.is_empty() && !is_place(line));
    Ok(first.map(|first| first.chars().take(RULE_CHARS_MAX).collect()))
}

fn say(bug: Bug, found: &Found) {
    println!("{:<26} {:>4} seeds, seed {:>4}: {}", bug.name(), found.seeds, found.seed, found.rule);
}

fn sum_up(count: usize, missed: &[Bug], max: u64) -> bool {
    for bug in missed {
        println!("{:<26} not found by {max} seeds", bug.name());
    }
    println!("{} of {count} planted bugs found", count - missed.len());
    missed.is_empty()
}

/// By name, the seed and what it says.
fn known() -> Result<BTreeMap<String, (u64, String)>> {
    let text = std::fs::read_to_string(root().join(KNOWN)).with_context(|| KNOWN.to_owned())?;
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let known = lines.map(|line| {
        let mut parts = line.splitn(3, ' ');
        let (name, seed) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        name.parse::<Bug>().with_context(|| format!("{KNOWN}: {line}"))?;
        let seed = seed.parse().with_context(|| format!("{KNOWN}: {line}"))?;
        Ok((name.to_owned(), (seed, parts.next().unwrap_or_default().to_owned())))
    });
    known.collect()
}

fn keep(known: &BTreeMap<String, (u64, String)>) -> Result<()> {
    let mut text = KNOWN_HEAD.to_owned();
    for bug in Bug::ALL {
        if let Some((seed, rule)) = known.get(bug.name()) {
            writeln!(text, "{bug} {seed} {rule}")?;
        }
    }
    std::fs::write(root().join(KNOWN), text).with_context(|| KNOWN.to_owned())
}
