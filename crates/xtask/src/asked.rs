//! What takes long or writes into the repository, and so runs only when asked for: `cargo xtask soak …` and
//! `cargo xtask fixture N`. Each is a test of the end-to-end tests' `asked`, told by a variable what to do.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::run::quietly;
use crate::{test, tools};

/// A day: whoever wants more runs it again.
const MINUTES_MAX: u64 = 24 * 60;

/// Full load while the leader's disk stalls again and again.
pub(crate) fn soak_stalls(minutes: &str) -> Result<bool> {
    let minutes: u64 = minutes.parse().with_context(|| format!("--minutes {minutes}"))?;
    ensure!((1..=MINUTES_MAX).contains(&minutes), "--minutes is {minutes}, not 1 to {MINUTES_MAX}");
    check_strace()?;
    test::asked("stalls::no_lease_is_lost_while_the_leaders_disk_stalls", "TENURE_SOAK_MINUTES", minutes)
}

/// The data directory of the present format that later builds must open.
pub(crate) fn fixture(number: &str) -> Result<bool> {
    let number: u32 = number.parse().with_context(|| format!("format {number}"))?;
    test::asked("fixture::a_directory_of_the_present_format_is_written", "TENURE_FIXTURE", number.into())
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
