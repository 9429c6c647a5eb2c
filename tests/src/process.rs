//! Processes that a test started, and their children: signals to them and to nothing else, and how they are.

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

/// A process that does not run (SIGSTOP). It goes on when this is dropped, however that comes about.
pub struct Frozen {
    pid: u32,
}

/// Stops a process that this one or its child started. It may run on for a moment: see [`is_stopped`].
pub fn freeze(pid: u32) -> Result<Frozen> {
    let frozen = Frozen { pid };
    signal(pid, Signal::STOP)?;
    Ok(frozen)
}

impl Drop for Frozen {
    fn drop(&mut self) {
        // It may have been killed meanwhile.
        let _ = signal(self.pid, Signal::CONT);
    }
}

/// Whether a signal has stopped it.
pub fn is_stopped(pid: u32) -> Result<bool> {
    Ok(state_and_parent(pid)?.0 == 'T')
}

/// Sends a signal to `pid`, which must be this process's child or its child's.
pub fn signal(pid: u32, signal: Signal) -> Result<()> {
    let parent = parent(pid)?;
    let me = std::process::id();
    ensure!(parent == me || self::parent(parent)? == me, "process {pid} was not started by this test");
    let pid = Pid::from_raw(i32::try_from(pid)?).context("no process has the id 0")?;
    Ok(kill_process(pid, signal)?)
}

/// Whether the process has anything left: files, locks and sockets go with its last thread, after its first one.
pub fn is_alive(pid: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    state_and_parent(pid).is_ok_and(|(state, _)| threads > 1 || !matches!(state, 'Z' | 'X'))
}

/// Memory of the process that is in use now, in bytes.
pub fn resident_bytes(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

/// Lets this process, and those that it starts from now on, have so many files open.
pub fn allow_open_files(count: u64) -> Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let allowed = maximum.unwrap_or(count);
    ensure!(
        allowed >= count,
        "{allowed} open files are allowed here and {count} are needed; raise `ulimit -Hn`"
    );
    Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(allowed), maximum })?)
}

/// The processes that started this one: its parent, and the parent's. They change when one of them ends.
pub fn starters() -> Result<[u32; 2]> {
    let parent = parent(std::process::id())?;
    Ok([parent, self::parent(parent)?])
}

fn parent(pid: u32) -> Result<u32> {
    Ok(state_and_parent(pid)?.1)
}

fn state_and_parent(pid: u32) -> Result<(char, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name may hold anything, also a bracket.
    let (_, rest) = stat.rsplit_once(')').context("no name in the process's state")?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next().and_then(|field| field.chars().next()).context("no state")?;
    Ok((state, fields.next().context("no parent")?.parse()?))
}
