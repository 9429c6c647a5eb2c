//! How much of the machine's processors a test's own processes get: all, one core, or a part of one core.
//!
//! A part is a quota of a cgroup of their own below the present one. Under cgroup v2 it is a threaded one, because only
//! such may lie below a cgroup that holds processes itself; where v1 still has the `cpu` controller, it is of that. Both
//! need root. Without a quota a part is one core, and [`Processors::quota`] says so.
//!
//! Invariants: it touches no process but those it is given, which are this test's own; its cgroup goes with it, and one
//! that a killed run has left goes with the next run.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Begins the name of a cgroup, followed by the id of the process that it belongs to.
const PREFIX: &str = "tenure-e2e-";

/// In which a quota counts: the kernel's default. A process that has used it up stands still for the rest.
const PERIOD_US: u64 = 100_000;

/// A cgroup can go when the last thread in it has ended, a moment after its process was killed.
const EMPTY_WITHIN: Duration = Duration::from_secs(10);

/// Passes over the threads of a process until all are where they should be; two are usual.
const PASSES_MAX: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    All,
    /// All processes on the same one.
    OneCore,
    /// So much of one core's time, together.
    Percent(u64),
}

pub struct Processors {
    /// Those of this process.
    all: CpuSet,
    /// Or why there is no quota.
    group: Result<Group>,
    share: Share,
}

struct Group {
    path: PathBuf,
    version: Version,
    /// Of the present cgroup, where the controller was switched on for this one.
    switched_on: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug)]
enum Version {
    One,
    Two,
}

impl Processors {
    pub fn claim() -> Result<Self> {
        let two = Group::make(Version::Two);
        let group = two.or_else(|two| {
            Group::make(Version::One).map_err(|one| anyhow::anyhow!("cgroup v2: {two:#}; v1: {one:#}"))
        });
        Ok(Self { all: sched_getaffinity(None)?, group, share: Share::All })
    }

    /// By what means a part of a core is given.
    pub fn quota(&self) -> String {
        match &self.group {
            Ok(Group { version: Version::Two, .. }) => "cgroup v2, cpu.max".into(),
            Ok(Group { version: Version::One, .. }) => "cgroup v1, cpu.cfs_quota_us".into(),
            Err(why) => format!("none, one core instead ({why})"),
        }
    }

    /// Takes in a process that has just been started.
    pub fn join(&self, pid: u32) -> Result<()> {
        if let Ok(group) = &self.group {
            let join = group.write("cgroup.procs", &pid.to_string());
            join.with_context(|| format!("process {pid} into {}", group.path.display()))?;
        }
        pin(pid, &self.cores())
    }

    /// From now on for everyone who has joined, of whom these still run.
    pub fn give(&mut self, share: Share, pids: &[u32]) -> Result<()> {
        self.share = share;
        if let Ok(group) = &self.group {
            group.limit(share)?;
        }
        let cores = self.cores();
        pids.iter().try_for_each(|pid| pin(*pid, &cores))
    }

    fn cores(&self) -> CpuSet {
        let is_one = match self.share {
            Share::All => false,
            Share::OneCore => true,
            Share::Percent(_) => self.group.is_err(),
        };
        let first = (0..CpuSet::MAX_CPU).find(|core| self.all.is_set(*core));
        match first.filter(|_| is_one) {
            Some(first) => {
                let mut one = CpuSet::new();
                one.set(first);
                one
            }
            None => self.all,
        }
    }
}

impl Group {
    fn make(version: Version) -> Result<Self> {
        let present = present(version)?;
        clear_leftovers(&present)?;
        let path = present.join(format!("{PREFIX}{}", std::process::id()));
        std::fs::create_dir(&path).with_context(|| path.display().to_string())?;
        // From here on it is removed if anything fails.
        let mut group = Self { path, version, switched_on: None };
        if matches!(version, Version::Two) {
            let controllers = std::fs::read_to_string(present.join("cgroup.controllers"))?;
            ensure!(has(&controllers, "cpu"), "the controller `cpu` is not there");
            let is_on = has(&std::fs::read_to_string(present.join("cgroup.subtree_control"))?, "cpu");
            let is_domain = std::fs::read_to_string(group.path.join("cgroup.type"))?.trim() == "domain";
            if !is_on || !is_domain {
                group.write("cgroup.type", "threaded").context("a threaded cgroup")?;
            }
            if !is_on {
                std::fs::write(present.join("cgroup.subtree_control"), "+cpu").context("+cpu")?;
                group.switched_on = Some(present);
            }
        }
        group.limit(Share::All)?;
        Ok(group)
    }

    fn limit(&self, share: Share) -> Result<()> {
        let quota_us = match share {
            Share::All | Share::OneCore => None,
            Share::Percent(percent) => Some(PERIOD_US * percent / 100),
        };
        let written = match self.version {
            Version::Two => {
                let quota = quota_us.map_or_else(|| "max".to_owned(), |us| us.to_string());
                self.write("cpu.max", &format!("{quota} {PERIOD_US}"))
            }
            Version::One => {
                let quota = quota_us.map_or_else(|| "-1".to_owned(), |us| us.to_string());
                self.write("cpu.cfs_quota_us", &quota)
            }
        };
        written.with_context(|| format!("{share:?} for {}", self.path.display()))
    }

    fn write(&self, file: &str, text: &str) -> io::Result<()> {
        std::fs::write(self.path.join(file), text)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let deadline = Instant::now() + EMPTY_WITHIN;
        while let Err(error) = std::fs::remove_dir(&self.path) {
            if Instant::now() > deadline {
                eprintln!("{} stays: {error}", self.path.display());
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        if let Some(present) = &self.switched_on {
            // Another run may be using it.
            let _ = std::fs::write(present.join("cgroup.subtree_control"), "-cpu");
        }
    }
}

/// The directory of the cgroup that this process is in.
fn present(version: Version) -> Result<PathBuf> {
    let cgroups = std::fs::read_to_string("/proc/self/cgroup")?;
    let mounts = std::fs::read_to_string("/proc/self/mounts")?;
    // Of `0::/a/b`, or `4:cpu,cpuacct:/a/b` under v1.
    let cgroup = cgroups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        is_of(version, controllers).then_some(path)
    });
    // Of `cgroup2 /sys/fs/cgroup cgroup2 rw 0 0`, or `cgroup /sys/fs/cgroup/cpu cgroup rw,cpu,cpuacct 0 0`.
    let mount = mounts.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        let [_, at, kind, options, ..] = fields[..] else { return None };
        let is_it = match version {
            Version::Two => kind == "cgroup2",
            Version::One => kind == "cgroup" && is_of(version, options),
        };
        is_it.then_some(at)
    });
    let (Some(cgroup), Some(mount)) = (cgroup, mount) else { bail!("it is not there") };
    Ok(Path::new(mount).join(cgroup.trim_start_matches('/')))
}

fn is_of(version: Version, controllers: &str) -> bool {
    match version {
        Version::Two => controllers.is_empty(),
        Version::One => controllers.split(',').any(|one| one == "cpu"),
    }
}

fn has(controllers: &str, name: &str) -> bool {
    controllers.split_whitespace().any(|one| one == name)
}

/// Removes the cgroups of runs that were killed. Their processes have ended with them.
fn clear_leftovers(present: &Path) -> Result<()> {
    for entry in std::fs::read_dir(present)? {
        let entry = entry?;
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse::<u32>().ok());
        if owner.is_some_and(|owner| !Path::new("/proc").join(owner.to_string()).exists()) {
            std::fs::remove_dir(entry.path()).with_context(|| entry.path().display().to_string())?;
        }
    }
    Ok(())
}

/// Every thread of a process, again until there is none that began elsewhere meanwhile.
fn pin(pid: u32, cores: &CpuSet) -> Result<()> {
    for _ in 0..PASSES_MAX {
        let mut changed = false;
        for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
            let thread = Pid::from_raw(thread?.file_name().to_string_lossy().parse()?);
            match sched_getaffinity(thread) {
                Ok(now) if now == *cores => {}
                Ok(_) => {
                    changed = true;
                    sched_setaffinity(thread, cores).or_else(unless_ended)?;
                }
                Err(error) => unless_ended(error)?,
            }
        }
        if !changed {
            return Ok(());
        }
    }
    bail!("process {pid} does not stay where it is put")
}

/// A thread may end between the listing and the call.
fn unless_ended(error: rustix::io::Errno) -> rustix::io::Result<()> {
    if error == rustix::io::Errno::SRCH { Ok(()) } else { Err(error) }
}
