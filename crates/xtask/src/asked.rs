//! What takes long, needs root or writes into the repository, and so runs only when asked for: `cargo xtask soak …`,
//! `differential`, `power`, `orders`, `clients` and `fixture N`. Each is a test of the end-to-end tests' `asked`, told by a variable
//! what to do.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::run::{cargo, quietly, root, succeeds, target};
use crate::{compatibility, libraries, test, tools};

/// A day: whoever wants more runs it again.
const MINUTES_MAX: u64 = 24 * 60;

/// As many as fit into memory at once.
const ORDERS_MAX: u64 = 200_000;

/// Several hours.
const POWER_CUTS_MAX: u64 = 5000;

/// The same requests to a cluster and to a redis-server.
pub(crate) fn differential(steps: u64, seed: Option<u64>) -> Result<bool> {
    let mut environment: Vec<(&str, OsString)> =
        vec![("TENURE_DIFFERENTIAL_STEPS", steps.to_string().into())];
    environment.extend(seed.map(|seed| ("TENURE_DIFFERENTIAL_SEED", seed.to_string().into())));
    environment.extend(tools::install()?.into_iter().map(|(name, path)| (name, path.into())));
    test::asked("differential::replies_are_those_of_redis_for_many_steps", &environment)
}

/// Full load while one thing after another happens to the nodes.
pub(crate) fn soak(minutes: &str, seed: Option<u64>) -> Result<bool> {
    let mut environment = vec![("TENURE_SOAK_MINUTES", parse_minutes(minutes)?.to_string().into())];
    environment.extend(seed.map(|seed| ("TENURE_SOAK_SEED", seed.to_string().into())));
    test::asked("soak::nodes_go_on_without_a_hand_laid_on_them", &environment)
}

/// Full load while the leader's disk stalls again and again.
pub(crate) fn soak_stalls(minutes: &str) -> Result<bool> {
    let minutes = parse_minutes(minutes)?;
    check_strace()?;
    let environment = [("TENURE_STALLS_MINUTES", minutes.to_string().into())];
    test::asked("stalls::no_lease_is_lost_while_the_leaders_disk_stalls", &environment)
}

/// Power cuts under three nodes and under the log alone, and flipped bits.
pub(crate) fn power(cuts: u64, seed: Option<u64>) -> Result<bool> {
    ensure!((1..=POWER_CUTS_MAX).contains(&cuts), "--cuts is {cuts}, not 1 to {POWER_CUTS_MAX}");
    check_disks()?;
    if !succeeds(cargo().args(["build", "--release", "--package", "store", "--example", "bare_log"]))? {
        bail!("it does not compile");
    }
    let mut environment = vec![
        ("TENURE_BARE_LOG", target().join("release/examples/bare_log").into()),
        ("TENURE_POWER_CUTS", cuts.to_string().into()),
    ];
    environment.extend(seed.map(|seed| ("TENURE_POWER_SEED", seed.to_string().into())));
    test::asked("power::nothing_acknowledged_is_lost_when_the_power_goes", &environment)
}

/// Orders from their authorisation to the history, what they take of a node, and how soon they are found.
pub(crate) fn orders(count: u64) -> Result<bool> {
    ensure!((1..=ORDERS_MAX).contains(&count), "COUNT is {count}, not 1 to {ORDERS_MAX}");
    let environment = [("TENURE_ORDERS", count.to_string().into())];
    test::asked("orders::many_orders_are_told_within_fifty_milliseconds", &environment)
}

/// The locks of every Redis library, and the page that says how they fared.
pub(crate) fn clients() -> Result<bool> {
    let mut environment: Vec<_> =
        tools::install()?.into_iter().map(|(name, path)| (name, path.into_os_string())).collect();
    environment.push(("TENURE_RUST_CLIENTS", libraries::rust()?.into()));
    environment.push(("TENURE_CLIENTS", root().join(compatibility::RESULTS).into()));
    Ok(test::asked("clients::every_library_holds_its_locks", &environment)? && compatibility::fix()?)
}

/// The data directory of the present format that later builds must open.
pub(crate) fn fixture(number: &str) -> Result<bool> {
    let number: u32 = number.parse().with_context(|| format!("format {number}"))?;
    let environment = [("TENURE_FIXTURE", number.to_string().into())];
    test::asked("fixture::a_directory_of_the_present_format_is_written", &environment)
}

/// Each node gets a disk of its own, which is made, mounted and shut down.
pub(crate) fn check_disks() -> Result<()> {
    ensure!(tools::is_root(), "file systems are made, mounted and shut down; run this as root");
    for (program, version) in [("mkfs.ext4", "-V"), ("mount", "-V"), ("umount", "-V"), ("python3", "-V")] {
        if quietly(Command::new(program).arg(version)).is_err() {
            bail!("{program} is not there; install it (Debian: apt-get install e2fsprogs mount python3)");
        }
    }
    Ok(())
}

fn parse_minutes(minutes: &str) -> Result<u64> {
    let minutes: u64 = minutes.parse().with_context(|| format!("--minutes {minutes}"))?;
    ensure!((1..=MINUTES_MAX).contains(&minutes), "--minutes is {minutes}, not 1 to {MINUTES_MAX}");
    Ok(minutes)
}

/// The disk is made to stall by strace, which must be there and be allowed to.
fn check_strace() -> Result<()> {
    if quietly(Command::new("strace").arg("--version")).is_err() {
        bail!("strace is not there; install it (Debian: apt-get install strace)");
    }
    let scope = Path::new("/proc/sys/kernel/yama/ptrace_scope");
    let scope = std::fs::read_to_string(scope).unwrap_or_default();
    if !matches!(scope.trim(), "" | "0") && !tools::is_root() {
        bail!(
            "strace may not attach to a process here; run this as root, or `sysctl kernel.yama.ptrace_scope=0`"
        );
    }
    Ok(())
}
