//! The leader's hand on the clock of the log.

use std::sync::Arc;

use domain::{LogTime, Stamp};
use parking_lot::Mutex;
use planted::Bug;

use crate::environment::Clock;

/// Log time as the leader of one term measures it: the time that the log had when this term began, plus a
/// stopwatch that no time daemon steers.
///
/// Invariant: the base is read from `State` after this term's blank entry was applied and before the stopwatch
/// starts, so no stamp of this term is earlier than any stamp before it, and the clock never runs ahead of real
/// time since a lease was granted.
#[derive(Clone)]
pub(crate) struct LogClock {
    source: Arc<dyn Clock>,
    running: Arc<Mutex<Option<Running>>>,
}

#[derive(Clone, Copy)]
struct Running {
    term: u64,
    base: LogTime,
    started_ns: u64,
}

impl LogClock {
    pub(crate) fn new(source: Arc<dyn Clock>) -> Self {
        Self { source, running: Arc::default() }
    }

    pub(crate) fn start(&self, term: u64, base: LogTime) {
        let started_ns = self.stopwatch_ns();
        let base = if planted::is(Bug::OwnTimeBase) { LogTime::from_ns(started_ns) } else { base };
        let mut running = self.running.lock();
        *running = match *running {
            Some(before) if planted::is(Bug::StopwatchGoesOn) => Some(Running { term, ..before }),
            _ => Some(Running { term, base, started_ns }),
        };
    }

    pub(crate) fn stop(&self) {
        if !planted::is(Bug::StopwatchGoesOn) {
            *self.running.lock() = None;
        }
    }

    /// The time to put on an entry now, and the term it is good for; `None` while this node does not lead.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        let Running { term, base, started_ns } = (*self.running.lock())?;
        let elapsed_ns = self.stopwatch_ns().saturating_sub(started_ns);
        Some(Stamp { term, time: base.plus_ns(elapsed_ns) })
    }

    fn stopwatch_ns(&self) -> u64 {
        if planted::is(Bug::WallClockDecides) {
            return self.source.wall_ms() as u64 * 1_000_000;
        }
        self.source.monotonic_ns()
    }
}
