//! All that came of a process: its children, theirs, and those that left their group or outlived their parents.
//!
//! Who adopts orphans ([`adopt_orphans`]) has, once its own children are gone, no descendants at all. So the end of
//! everything is not assumed from signals that were sent: it is waited for.

use std::io;

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, WaitStatus, getpid, kill_process, kill_process_group,
    set_child_subreaper, wait, waitid, waitpid,
};

/// From now on a descendant whose parent ends is this process's child.
pub fn adopt_orphans() -> io::Result<()> {
    Ok(set_child_subreaper(Some(getpid()))?)
}

/// Sends a signal to every process of the group; `leader` must not have been waited for, or the number may be another's.
pub fn signal_group(leader: Pid, signal: Signal) -> io::Result<()> {
    match kill_process_group(leader, signal) {
        // A moment after its start it has not got its group yet, or its last process has just ended.
        Err(Errno::SRCH) => Ok(()),
        sent => Ok(sent?),
    }
}

/// Whether this child has ended. It is not waited for: its number stays its own.
pub fn has_ended(child: Pid) -> io::Result<bool> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    match waitid(WaitId::Pid(child), options) {
        Err(Errno::INTR) => Ok(false),
        ended => Ok(ended?.is_some()),
    }
}

/// Waits for adopted ones that have ended, so that they do not pile up; never for `child`.
pub fn bury_adopted(child: Pid) -> io::Result<()> {
    for adopted in children()? {
        if adopted != child {
            // Nothing to do for one that lives or that is gone.
            let _ = waitpid(Some(adopted), WaitOptions::NOHANG);
        }
    }
    Ok(())
}

/// Kills every descendant, and the group of `leader`, and returns when none is left, with how the leader ended.
pub fn end_all(leader: Option<Pid>) -> io::Result<Option<WaitStatus>> {
    if let Some(leader) = leader {
        signal_group(leader, Signal::KILL)?;
    }
    let mut status = None;
    loop {
        // Again after each end: its children are ours now.
        for child in children()? {
            // Ours alone to wait for, so it is still the one that was listed. It may have ended, or be of another user.
            let _ = kill_process(child, Signal::KILL);
        }
        match wait(WaitOptions::empty()) {
            Ok(Some((ended, how))) if Some(ended) == leader => status = Some(how),
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::CHILD) => return Ok(status),
            Err(error) => return Err(error.into()),
        }
    }
}

/// What a shell would say of it.
pub fn code_of(status: WaitStatus) -> u8 {
    let code = status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

/// The children of this process, of all its threads.
fn children() -> io::Result<Vec<Pid>> {
    let mut children = Vec::new();
    for thread in std::fs::read_dir("/proc/self/task")? {
        // The thread may end between the listing and the look; then its children are another's.
        let listed = match std::fs::read_to_string(thread?.path().join("children")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            listed => listed?,
        };
        children.extend(listed.split_ascii_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)));
    }
    Ok(children)
}
