//! Rounds added up, and what only many of them show: whether memory stays level.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Map, Value, json};
use tests::figures;

use super::disturbance::Fault;
use super::round::Round;

/// The last rounds of a setting may use so much more memory than its first ones. What is remembered for a time depends on
/// how much was written in it, and no two rounds draw the same.
const MEMORY_FACTOR_MAX: f64 = 1.5;
const MEMORY_SLACK_BYTES: u64 = 64 << 20;

/// First and last are so great a part of the rounds of a setting, as a divisor.
const PART: usize = 3;

/// Of all rounds, in order.
#[derive(Default)]
pub(super) struct Tally(Vec<Round>);

impl Tally {
    pub(super) fn add(&mut self, round: Round) {
        self.0.push(round);
    }

    pub(super) fn rounds(&self) -> usize {
        self.0.len()
    }

    pub(super) fn acknowledged(&self) -> u64 {
        self.0.iter().map(|round| round.acknowledged).sum()
    }

    /// By what means parts of a processor were given.
    pub(super) fn quota(&self) -> Option<&str> {
        self.0.first().map(|round| round.quota.as_str())
    }

    pub(super) fn times(&self, fault: Fault) -> u64 {
        let faults = self.0.iter().flat_map(|round| &round.faults);
        faults.filter(|(its, _)| *its == fault).map(|(_, times)| times).sum()
    }

    /// Figures by setting.
    pub(super) fn figures(&self) -> Value {
        let mut settings: Vec<u64> = self.0.iter().map(|round| round.setting.snapshot_entries).collect();
        settings.sort_unstable();
        settings.dedup();
        let figures = settings.iter().map(|entries| (entries.to_string(), figure(&self.of(*entries))));
        Value::Object(figures.collect::<Map<_, _>>())
    }

    /// At each setting the last rounds use as much memory as the first ones.
    pub(super) fn check_memory(&self) -> Result<()> {
        for round in &self.0 {
            let rounds = self.of(round.setting.snapshot_entries);
            let (first, last) = memory(&rounds);
            let limit = (first as f64 * MEMORY_FACTOR_MAX) as u64 + MEMORY_SLACK_BYTES;
            ensure!(
                last <= limit,
                "memory grows with {} entries a snapshot: {} MiB at first, {} MiB at last",
                round.setting.snapshot_entries,
                first >> 20,
                last >> 20,
            );
        }
        Ok(())
    }

    fn of(&self, snapshot_entries: u64) -> Vec<&Round> {
        self.0.iter().filter(|round| round.setting.snapshot_entries == snapshot_entries).collect()
    }
}

/// The worst of the first and of the last rounds of one setting. Of one round they are the same.
fn memory(rounds: &[&Round]) -> (u64, u64) {
    let part = rounds.len().div_ceil(PART);
    let worst = |rounds: &[&Round]| {
        rounds.iter().flat_map(|round| &round.resident_bytes).copied().max().unwrap_or_default()
    };
    (worst(&rounds[..part]), worst(&rounds[rounds.len() - part..]))
}

/// Of the rounds of one setting.
fn figure(rounds: &[&Round]) -> Value {
    let sum = |what: fn(&Round) -> u64| rounds.iter().map(|round| what(round)).sum::<u64>();
    let all = |what: fn(&Round) -> &[Duration]| -> Vec<Duration> {
        rounds.iter().flat_map(|round| what(round)).copied().collect()
    };
    let (serves, serves_max) = figures::median_and_worst(&all(|round| &round.serves_again));
    let (ready, ready_max) = figures::median_and_worst(&all(|round| &round.ready_again));
    let gap = rounds.iter().map(|round| round.longest_gap).max().unwrap_or_default();
    let (rss_first, rss_last) = memory(rounds);
    json!({
        "rounds": rounds.len(), "acknowledged": sum(|r| r.acknowledged), "lost": 0, "unknown": sum(|r| r.unknown),
        "refused": sum(|r| r.refused), "tokens": sum(|r| r.tokens), "entries": sum(|r| r.entries),
        "purged_entries": sum(|r| r.purged_to), "snapshots_built": sum(|r| r.counts.built),
        "snapshots_sent": sum(|r| r.counts.sent), "snapshots_installed": sum(|r| r.counts.installed),
        "terms": sum(|r| r.terms), "longest_gap_ms": figures::millis(gap),
        "serves_again_ms": figures::millis(serves), "serves_again_max_ms": figures::millis(serves_max),
        "ready_again_ms": figures::millis(ready), "ready_again_max_ms": figures::millis(ready_max),
        "rss_first_mib": rss_first >> 20, "rss_last_mib": rss_last >> 20,
    })
}
