//! Counters of this edge, in a plain struct; whoever exports metrics reads it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use crate::command::Table;
use crate::error::Severity;
use crate::limits::{ERROR_CODE_CHARS_MAX, ERROR_CODES_MAX};
use crate::reply::Reply;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// Refused, by the client's fault.
    Mistake,
    /// Not executed, by no fault of the client.
    Unavailable,
    /// It may or may not have been executed.
    Unknown,
}

impl Outcome {
    pub const ALL: [Self; 4] = [Self::Done, Self::Mistake, Self::Unavailable, Self::Unknown];

    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Mistake => "mistake",
            Self::Unavailable => "unavailable",
            Self::Unknown => "unknown",
        }
    }
}

impl From<&Reply> for Outcome {
    fn from(reply: &Reply) -> Self {
        match reply {
            Reply::Error(error) => match error.severity() {
                Severity::Mistake => Self::Mistake,
                Severity::Unavailable => Self::Unavailable,
                Severity::Unknown => Self::Unknown,
            },
            _ => Self::Done,
        }
    }
}

/// One command's line in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandCount {
    pub command: &'static str,
    pub outcome: Outcome,
    pub count: u64,
}

#[derive(Debug)]
pub struct Metrics {
    table: Table,
    commands: Box<[[AtomicU64; Outcome::ALL.len()]]>,
    /// What clients were told by their code, as `INFO errorstats` has it.
    errors: Mutex<BTreeMap<String, u64>>,
    pub errors_told: AtomicU64,
    pub unknown_commands: AtomicU64,
    pub protocol_errors: AtomicU64,
    pub authentication_failures: AtomicU64,
    pub connections_accepted: AtomicU64,
    /// Refused because there were too many.
    pub connections_rejected: AtomicU64,
    pub connections_open: AtomicU64,
    /// Disconnected because they did not take their replies.
    pub connections_stalled: AtomicU64,
    pub bytes_read: AtomicU64,
    pub bytes_written: AtomicU64,
    pub scripts_recognised: AtomicU64,
    /// … and run by the engine.
    pub scripts_unrecognised: AtomicU64,
    /// Of those, the ones that did not end among the quick.
    pub scripts_slow: AtomicU64,
    /// Runs for nothing: others changed meanwhile what they had read.
    pub script_conflicts: AtomicU64,
    pub transaction_conflicts: AtomicU64,
    /// Locks that were looked at after they were refused, and had been refused because of themselves.
    pub redlock_sightings: AtomicU64,
    /// Of all connections, together.
    pub subscriptions: AtomicU64,
    /// Messages handed to subscribers of this node, each counted once for each.
    pub messages_delivered: AtomicU64,
    /// Subscribers that were disconnected because they did not read …
    pub subscribers_slow: AtomicU64,
    /// … and because messages were missing here.
    pub subscribers_lost: AtomicU64,
}

impl Metrics {
    pub(crate) fn new(table: Table) -> Self {
        Self {
            table,
            commands: table.0.iter().map(|_| Default::default()).collect(),
            errors: Mutex::default(),
            errors_told: AtomicU64::default(),
            unknown_commands: AtomicU64::default(),
            protocol_errors: AtomicU64::default(),
            authentication_failures: AtomicU64::default(),
            connections_accepted: AtomicU64::default(),
            connections_rejected: AtomicU64::default(),
            connections_open: AtomicU64::default(),
            connections_stalled: AtomicU64::default(),
            bytes_read: AtomicU64::default(),
            bytes_written: AtomicU64::default(),
            scripts_recognised: AtomicU64::default(),
            scripts_unrecognised: AtomicU64::default(),
            scripts_slow: AtomicU64::default(),
            script_conflicts: AtomicU64::default(),
            transaction_conflicts: AtomicU64::default(),
            redlock_sightings: AtomicU64::default(),
            subscriptions: AtomicU64::default(),
            messages_delivered: AtomicU64::default(),
            subscribers_slow: AtomicU64::default(),
            subscribers_lost: AtomicU64::default(),
        }
    }

    /// Every command that was called, by how it ended.
    pub fn commands(&self) -> impl Iterator<Item = CommandCount> {
        self.table.0.iter().zip(&self.commands).flat_map(|(spec, counts)| {
            Outcome::ALL.into_iter().zip(counts).filter_map(|(outcome, count)| {
                let count = count.load(Relaxed);
                (count > 0).then_some(CommandCount { command: spec.name, outcome, count })
            })
        })
    }

    pub fn commands_total(&self) -> u64 {
        self.commands().map(|line| line.count).sum()
    }

    /// `place` is that of the command in the table, if it is known and was not only queued.
    pub(crate) fn count(&self, place: Option<usize>, reply: &Reply) {
        if let Some(place) = place {
            self.commands[place][Outcome::from(reply) as usize].fetch_add(1, Relaxed);
        }
        if let Reply::Error(error) = reply {
            self.count_error(&error.to_string());
        }
    }

    pub(crate) fn count_error(&self, line: &str) {
        self.errors_told.add(1);
        let code = line.split(' ').next().unwrap_or_default();
        // What has a meaning in `INFO`, which a script's own codes may hold.
        let code = code.replace(['#', ':', '\r', '\n'], "_").chars().take(ERROR_CODE_CHARS_MAX).collect();
        let mut errors = self.errors.lock();
        if errors.len() < ERROR_CODES_MAX || errors.contains_key(&code) {
            *errors.entry(code).or_default() += 1;
        }
    }

    /// How often clients were told an error, by its code.
    pub fn errors(&self) -> BTreeMap<String, u64> {
        self.errors.lock().clone()
    }

    /// `CONFIG RESETSTAT`. What counts things that are there now stays.
    pub(crate) fn reset(&self) {
        self.errors.lock().clear();
        let counters = [
            &self.errors_told,
            &self.unknown_commands,
            &self.protocol_errors,
            &self.authentication_failures,
            &self.connections_accepted,
            &self.connections_rejected,
            &self.connections_stalled,
            &self.bytes_read,
            &self.bytes_written,
            &self.scripts_recognised,
            &self.scripts_unrecognised,
            &self.scripts_slow,
            &self.script_conflicts,
            &self.transaction_conflicts,
            &self.redlock_sightings,
            &self.messages_delivered,
            &self.subscribers_slow,
            &self.subscribers_lost,
        ];
        for counter in self.commands.iter().flatten().chain(counters) {
            counter.store(0, Relaxed);
        }
    }
}

pub(crate) trait Count {
    fn add(&self, more: u64);
    fn get(&self) -> u64;
}

impl Count for AtomicU64 {
    fn add(&self, more: u64) {
        self.fetch_add(more, Relaxed);
    }

    fn get(&self) -> u64 {
        self.load(Relaxed)
    }
}
