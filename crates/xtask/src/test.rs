//! `cargo xtask test`: every test. Ends with one line, `N passed, N failed`.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::run::{cargo, output, succeeds, target};
use crate::{asked, planted, sim, tools};

/// Power cuts under a cluster in a whole test, and in a quick one; five times as many under the log alone.
const POWER_CUTS: u64 = 20;
const POWER_CUTS_QUICK: u64 = 5;

/// What the end-to-end tests of one kind are named by, and how many of them may run at a time.
const SUITES: [(&str, &str); 2] = [("beside::", "3"), ("alone::", "1")];

const END_TO_END: [&str; 6] = ["test", "--package", "tests", "--test", "e2e", "--"];

#[derive(Default)]
struct Totals {
    passed: usize,
    failed: usize,
    /// Programs that ended badly without saying how many of their tests failed.
    broken: usize,
}

impl Totals {
    fn add(&mut self, has_passed: bool) {
        self.passed += usize::from(has_passed);
        self.failed += usize::from(!has_passed);
    }
}

pub(crate) fn test(quick: bool, filter: Option<&str>) -> Result<bool> {
    // Built first: whatever does not compile is known before anything is installed.
    let built = succeeds(cargo().args(["build", "--release", "--package", "tenure"]))?;
    if !built || !succeeds(cargo().args(["test", "--workspace", "--no-run"]))? {
        bail!("it does not compile");
    }
    let environment = tools::install()?;
    let mut totals = Totals::default();

    // Without the binary in the environment the end-to-end tests would only say that they are skipped.
    let mut units = cargo();
    units.args(["test", "--workspace", "--exclude", "tests", "--no-fail-fast"]).args(filter);
    run(&mut units, &mut totals)?;

    for (suite, threads) in SUITES {
        let names = end_to_end(suite, filter)?;
        if names.is_empty() {
            continue;
        }
        let mut command = cargo();
        command.args(END_TO_END).args(["--exact", "--test-threads", threads]).args(names);
        command.env("TENURE_BIN", target().join("release/tenure"));
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        if quick {
            command.env("TENURE_QUICK", "1");
        }
        run(&mut command, &mut totals)?;
    }
    let is_wanted = |name: &str| filter.is_none_or(|part| name.contains(part));
    if is_wanted("power") {
        match asked::check_disks() {
            Ok(()) => totals.add(asked::power(if quick { POWER_CUTS_QUICK } else { POWER_CUTS }, None)?),
            Err(why) if tools::is_ci() => return Err(why.context("power cuts are needed in CI")),
            Err(why) => println!("WARNING: power cuts are skipped: {why:#}"),
        }
    }
    if is_wanted("simulation") {
        totals.add(sim::sim(if quick { sim::SEEDS_QUICK } else { sim::SEEDS }, None)?);
        if !quick {
            totals.add(planted::known_ones()?);
        }
    }
    let Totals { passed, failed, broken } = totals;
    println!("{passed} passed, {} failed", failed + broken);
    Ok(failed + broken == 0)
}

/// One of the end-to-end tests that run only when a variable says so, its output let through.
pub(crate) fn asked(name: &str, environment: &[(&str, OsString)]) -> Result<bool> {
    if !succeeds(cargo().args(["build", "--release", "--package", "tenure"]))? {
        bail!("it does not compile");
    }
    let mut command = cargo();
    command.args(END_TO_END).args(["--exact", "--nocapture", &format!("asked::{name}")]);
    command.env("TENURE_BIN", target().join("release/tenure"));
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    let mut totals = Totals::default();
    run(&mut command, &mut totals)?;
    // A name that no test has would end well, too.
    Ok(totals.passed == 1 && totals.failed + totals.broken == 0)
}

/// The names of one kind of end-to-end tests that hold what was asked for.
fn end_to_end(suite: &str, filter: Option<&str>) -> Result<Vec<String>> {
    let listed = output(cargo().args(END_TO_END).args(["--list", "--format", "terse"]))?;
    let names = listed.lines().filter_map(|line| line.strip_suffix(": test"));
    let wanted =
        names.filter(|name| name.starts_with(suite) && filter.is_none_or(|part| name.contains(part)));
    Ok(wanted.map(str::to_owned).collect())
}

/// Runs tests, lets their output through, and adds up what they say.
fn run(command: &mut Command, totals: &mut Totals) -> Result<()> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("cargo cannot be run")?;
    let stdout = child.stdout.take().context("standard output was asked for")?;
    let mut failed = 0;
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        println!("{line}");
        if let Some((now_passed, now_failed)) = counts(&line) {
            totals.passed += now_passed;
            failed += now_failed;
        }
    }
    let ended_well = child.wait()?.success();
    totals.failed += failed;
    totals.broken += usize::from(!ended_well && failed == 0);
    Ok(())
}

/// Of `test result: ok. 12 passed; 0 failed; …`.
fn counts(line: &str) -> Option<(usize, usize)> {
    let (_, rest) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut counts = rest.split("; ").map(|part| part.split(' ').next().and_then(|count| count.parse().ok()));
    Some((counts.next()??, counts.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_counted() {
        let line =
            "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1s";
        assert_eq!(counts(line), Some((12, 3)));
        assert_eq!(counts("test x ... ok"), None);
    }
}
