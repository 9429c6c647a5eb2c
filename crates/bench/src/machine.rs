//! The machine, as far as figures depend on it.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

/// A sync to these waits for no device.
const WITHOUT_DEVICE: [&str; 2] = ["tmpfs", "ramfs"];

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_mib: u64,
    pub(crate) kernel: String,
    pub(crate) file_system: String,
}

impl Machine {
    /// This one, with the file system of a directory, which must be one that syncs.
    pub(crate) fn of(directory: &Path) -> Result<Self> {
        let mounts = std::fs::read_to_string("/proc/self/mounts")?;
        let file_system = file_system(&mounts, &directory.canonicalize()?).context("no file system")?;
        ensure!(
            !WITHOUT_DEVICE.contains(&file_system.as_str()),
            "{} is on {file_system}, where no sync is real",
            directory.display()
        );
        let memory_kib = field("/proc/meminfo", "MemTotal")?;
        Ok(Self {
            // Not every architecture names it.
            processor: field("/proc/cpuinfo", "model name").unwrap_or_else(|_| std::env::consts::ARCH.into()),
            cores: std::thread::available_parallelism()?.get(),
            memory_mib: memory_kib.trim_end_matches(" kB").parse::<u64>()? / 1024,
            kernel: std::fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().into(),
            file_system,
        })
    }
}

/// The value behind the first such name of `NAME : VALUE`.
fn field(file: &str, name: &str) -> Result<String> {
    let text = std::fs::read_to_string(file)?;
    let mut pairs = text.lines().filter_map(|line| line.split_once(':'));
    let pair = pairs.find(|(found, _)| found.trim() == name);
    Ok(pair.with_context(|| format!("no {name} in {file}"))?.1.trim().into())
}

/// The type of the innermost mount that holds a path; of several on one place, the last.
fn file_system(mounts: &str, path: &Path) -> Option<String> {
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let holding = mounts.filter(|(place, _)| path.starts_with(place));
    holding.max_by_key(|(place, _)| place.len()).map(|(_, kind)| kind.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_mount_counts() {
        let mounts = "/dev/a / ext4 rw 0 0\ntmp /tmp tmpfs rw 0 0\n/dev/b /srv/data xfs rw 0 0\n";
        let kind = |path| file_system(mounts, Path::new(path)).unwrap();
        assert_eq!(kind("/srv/datable"), "ext4");
        assert_eq!(kind("/srv/data/node1"), "xfs");
        assert_eq!(kind("/tmp/x"), "tmpfs");
    }
}
