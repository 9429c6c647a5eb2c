//! When a test runs: whether it can, alone or beside others, and in full or shortened.
//!
//! `cargo xtask test` builds the binary, installs the foreign clients and says where they are in the environment.
//! Without that a test says loudly that it is skipped: `cargo test` alone needs nothing installed.

use std::cell::RefCell;
use std::env;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Result, bail};
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use crate::process;

/// The release binary.
pub const BINARY: &str = "TENURE_BIN";

/// Between two looks at whether those who started this are there.
const STARTERS_LOOK: Duration = Duration::from_secs(1);

/// A test that measures time holds this alone: another's load would be in its figures.
static MACHINE: RwLock<()> = RwLock::new(());

/// Runs a test beside others.
pub fn beside<F: Future<Output = Result<()>>>(name: &str, test: F) {
    if can_run(name) {
        let _machine = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
        run(name, test);
    }
}

/// Runs a test alone.
pub fn alone<F: Future<Output = Result<()>>>(name: &str, test: F) {
    if can_run(name) {
        let _machine = MACHINE.write().unwrap_or_else(PoisonError::into_inner);
        run(name, test);
    }
}

/// Runs what takes long or writes into the repository, alone, and only when `cargo xtask` asks for it by setting
/// `variable`, whose value is given to it.
pub fn asked<F: Future<Output = Result<()>>>(name: &str, variable: &str, test: impl FnOnce(String) -> F) {
    match env::var(variable) {
        Ok(value) => alone(name, test(value)),
        Err(_) => skipped(name, &format!("{variable} is not set; `cargo xtask help` says what sets it")),
    }
}

/// Does the work, unless somebody stops it first: by a signal, or by ending what started this program. Then all that
/// the work holds is dropped, and the directories go, too: nobody looks for a cause in them.
pub async fn unless_stopped(work: impl Future<Output = Result<()>>) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let why = tokio::select! {
        done = work => return done,
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
        () = left_alone() => "whoever started it has ended",
    };
    drop(USED.take());
    bail!("stopped: {why}")
}

/// Ends when those who started this program have.
async fn left_alone() {
    let starters = process::starters().ok();
    while process::starters().ok() == starters {
        sleep(STARTERS_LOOK).await;
    }
}

fn run<F: Future<Output = Result<()>>>(name: &str, test: F) {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().expect("a runtime can be built");
    let _directories = Directories;
    if let Err(error) = runtime.block_on(test) {
        panic!("{name}: {error:#}");
    }
}

thread_local! {
    static USED: RefCell<Vec<TempDir>> = const { RefCell::new(Vec::new()) };
}

/// Hands over a directory that is no longer used: it goes with a good end of the test, and stays after a failure,
/// whose cause is found in it.
pub fn used(directory: TempDir) {
    USED.with_borrow_mut(|used| used.push(directory));
}

/// What the present test's clusters leave behind.
struct Directories;

impl Drop for Directories {
    fn drop(&mut self) {
        for directory in USED.take() {
            if std::thread::panicking() {
                eprintln!("data and logs kept in {}", directory.keep().display());
            }
        }
    }
}

fn can_run(name: &str) -> bool {
    let can = env::var_os(BINARY).is_some();
    if !can {
        skipped(name, "the binary is not built; run it by `cargo xtask test`");
    }
    can
}

/// The release binary under test.
pub fn binary() -> PathBuf {
    env::var_os(BINARY).map(PathBuf::from).expect("a test that was let run has the binary")
}

/// A tool that `cargo xtask test` installs, by the variable that says where it is. `None`: the test is skipped,
/// which in CI is a failure.
pub fn tool(name: &str, variable: &str) -> Option<OsString> {
    let tool = env::var_os(variable);
    if tool.is_none() {
        assert!(
            env::var_os("CI").is_none_or(|ci| ci != "true"),
            "{name} cannot run in CI: {variable} is not set"
        );
        skipped(name, &format!("{variable} is not set; `cargo xtask test` installs what it needs"));
    }
    tool
}

/// Past the capture of test output: a skipped test must be seen.
fn skipped(name: &str, why: &str) {
    // Nobody may be listening; then nobody is told.
    let _ = writeln!(std::io::stderr(), "SKIPPED {name}: {why}");
}

/// How often something is repeated: as often as asked, or a twentieth of it in a quick run.
pub fn times(full: usize) -> usize {
    if is_quick() { full.div_ceil(20) } else { full }
}

pub fn is_quick() -> bool {
    env::var_os("TENURE_QUICK").is_some()
}
