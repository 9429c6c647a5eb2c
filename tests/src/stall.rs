//! A disk that is slow for a moment: the next durable write of a node's log takes longer, in the node's own binary.
//!
//! strace is attached to the one thread that writes the log, holds up one system call, and lets go. Between two stalls
//! the node runs as if nobody had looked.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::process;

/// The node's name for the thread.
const THREAD: &str = "log writer";

/// What makes a write durable; no other call of that thread waits for the disk.
const CALL: &str = "pwritev2";

/// An idle node writes every 200 ms while leases live; one that writes nothing for so long cannot be stalled.
const WRITES_WITHIN: Duration = Duration::from_secs(10);

/// strace's watch starts a little later than its timer; a stall shorter than this part of it was none.
const STALLED_MIN: f64 = 0.9;

/// strace lets go at once; one that does not is killed, which lets go too.
const LETS_GO_WITHIN: Duration = Duration::from_secs(5);

/// Holds up the next durable write of the process's log for `stall`, and says how long it took.
pub async fn next_durable_write(pid: u32, stall: Duration) -> Result<Duration> {
    let thread = log_writer(pid)?;
    let inject = format!("inject={CALL}:delay_enter={}:when=1", stall.as_micros());
    let mut command = Command::new("strace");
    command.args(["-p", &thread, "-T", "-s", "0", "-e", &format!("trace={CALL}"), "-e", "signal=none"]);
    command.args(["-e", &inject]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut strace = command.kill_on_drop(true).spawn().context("strace cannot be started")?;
    let took = timeout(WRITES_WITHIN, first_delayed(&mut strace)).await;
    let took = took.with_context(|| format!("process {pid} wrote nothing within {WRITES_WITHIN:?}"))??;
    process::signal(strace.id().context("strace has ended by itself")?, Signal::TERM)?;
    timeout(LETS_GO_WITHIN, strace.wait()).await.context("strace does not let go")??;
    ensure!(took >= stall.mul_f64(STALLED_MIN), "a write was to take {stall:?} and took {took:?}");
    Ok(took)
}

/// The kernel's id of the thread that writes the log.
fn log_writer(pid: u32) -> Result<String> {
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let thread = thread?;
        if read_name(&thread.path())?.trim_end() == THREAD {
            return Ok(thread.file_name().to_string_lossy().into_owned());
        }
    }
    bail!("process {pid} has no thread {THREAD:?}")
}

/// A thread may end between the listing and the look.
fn read_name(thread: &Path) -> Result<String> {
    match std::fs::read_to_string(thread.join("comm")) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        name => Ok(name?),
    }
}

/// How long the first call took that was held up, as strace says.
async fn first_delayed(strace: &mut Child) -> Result<Duration> {
    let stderr = strace.stderr.take().context("standard error was asked for")?;
    let mut lines = BufReader::new(stderr).lines();
    let mut said = Vec::new();
    while let Some(line) = lines.next_line().await? {
        if line.contains("(DELAYED)") {
            ensure!(line.contains("RWF_DSYNC"), "the log was written without a sync: {line}");
            return seconds(&line).with_context(|| format!("strace says {line:?}"));
        }
        said.push(line);
    }
    bail!("strace ended before a write: {}", said.join("; "))
}

/// Of `pwritev2(20, [...], 1, 3072, RWF_DSYNC) = 512 (DELAYED) <0.250123>`.
fn seconds(line: &str) -> Result<Duration> {
    let (_, took) = line.rsplit_once('<').context("no time")?;
    Ok(Duration::try_from_secs_f64(took.trim_end_matches('>').parse()?)?)
}
