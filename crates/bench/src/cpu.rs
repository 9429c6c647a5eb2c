//! Processor time of the processes under measurement: on a machine where all nodes and the clients share a few cores
//! it is what throughput is made of.

use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

/// One cluster and the clients, which are this process.
#[derive(Clone, Debug)]
pub(crate) struct Processes {
    pub(crate) leader: u32,
    pub(crate) followers: Vec<u32>,
}

/// Processor time, in microseconds of all threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Cpu {
    pub(crate) leader: f64,
    /// All of them together.
    pub(crate) followers: f64,
    pub(crate) clients: f64,
}

impl Processes {
    /// Of a cluster whose leader has this index.
    pub(crate) fn new(mut pids: Vec<u32>, leader: usize) -> Self {
        Self { leader: pids.remove(leader), followers: pids }
    }

    /// Used so far.
    pub(crate) fn used(&self) -> Result<Cpu> {
        let mut followers = 0.0;
        for pid in &self.followers {
            followers += micros(*pid)?;
        }
        Ok(Cpu { leader: micros(self.leader)?, followers, clients: micros(std::process::id())? })
    }
}

impl Cpu {
    /// Since an earlier look, for each of so many operations.
    pub(crate) fn since(self, before: Self, operations: u64) -> Self {
        let each = |now: f64, before: f64| (now - before) / operations.max(1) as f64;
        Self {
            leader: each(self.leader, before.leader),
            followers: each(self.followers, before.followers),
            clients: each(self.clients, before.clients),
        }
    }
}

fn micros(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let ticks = ticks(&stat).with_context(|| format!("the times of process {pid}"))?;
    let tick = Duration::from_secs(1).as_micros() as f64 / rustix::param::clock_ticks_per_second() as f64;
    Ok(ticks as f64 * tick)
}

/// In user and kernel mode: the 14th and 15th field, of which the second is a name that may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut times = rest.split_ascii_whitespace().skip(11);
    let user: u64 = times.next()?.parse().ok()?;
    let kernel: u64 = times.next()?.parse().ok()?;
    Some(user + kernel)
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "12 (a) b) S 1 12 12 0 -1 4194560 1 2 3 4 70 30 5 6 20 0";
        assert_eq!(super::ticks(stat), Some(100));
    }
}
