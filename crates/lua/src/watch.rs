//! [`Watch`]: whether a run may go on. Asked at every turn of a loop and every call of a function, by code that is not
//! Lua now and then, and once a run is over it stays so: a script that catches the error gets it again at its next turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::error::Limit;
use crate::limits::Limits;

/// The time since any fixed instant.
pub type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Its numbers are atomic only because a machine may move between threads; one thread uses it at a time.
pub(crate) struct Watch {
    clock: Clock,
    deadline_ns: AtomicU64,
    steps_left: AtomicU64,
    /// A [`Limit`] by its place in [`LIMITS`], or one beyond for none.
    over: AtomicU8,
}

const LIMITS: [Limit; 6] =
    [Limit::Time, Limit::Steps, Limit::Memory, Limit::Requests, Limit::ResultSize, Limit::ResultDepth];

impl Watch {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, deadline_ns: 0.into(), steps_left: 0.into(), over: u8::MAX.into() }
    }

    pub(crate) fn start(&self, limits: &Limits) {
        self.deadline_ns.store(nanoseconds((self.clock)() + limits.time), Relaxed);
        self.steps_left.store(limits.steps, Relaxed);
        self.over.store(u8::MAX, Relaxed);
    }

    /// The limit that was met, now or before.
    pub(crate) fn look(&self) -> Option<Limit> {
        if self.over().is_none() {
            let steps_left = self.steps_left.load(Relaxed);
            if nanoseconds((self.clock)()) > self.deadline_ns.load(Relaxed) {
                self.end(Limit::Time);
            } else if steps_left == 0 {
                self.end(Limit::Steps);
            } else {
                self.steps_left.store(steps_left - 1, Relaxed);
            }
        }
        self.over()
    }

    /// Ends the run. The first limit is the one that is told.
    pub(crate) fn end(&self, limit: Limit) {
        if self.over().is_none() {
            let place = LIMITS.iter().position(|known| *known == limit);
            let place = place.and_then(|place| u8::try_from(place).ok());
            self.over.store(place.expect("every limit has its place"), Relaxed);
        }
    }

    pub(crate) fn over(&self) -> Option<Limit> {
        LIMITS.get(usize::from(self.over.load(Relaxed))).copied()
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(now_ms: &Arc<AtomicU64>) -> Watch {
        let now_ms = now_ms.clone();
        Watch::new(Arc::new(move || Duration::from_millis(now_ms.load(Relaxed))))
    }

    #[test]
    fn a_run_ends_after_its_time_and_stays_over() {
        let now_ms = Arc::new(AtomicU64::new(1000));
        let watch = watch(&now_ms);
        watch.start(&Limits { time: Duration::from_millis(100), ..Limits::default() });
        now_ms.store(1100, Relaxed);
        assert_eq!(watch.look(), None);
        now_ms.store(1101, Relaxed);
        assert_eq!(watch.look(), Some(Limit::Time));
        watch.end(Limit::Memory);
        now_ms.store(0, Relaxed);
        assert_eq!(watch.look(), Some(Limit::Time));
    }

    #[test]
    fn a_run_ends_after_its_steps_when_the_clock_stands_still() {
        let watch = watch(&Arc::default());
        watch.start(&Limits { steps: 3, ..Limits::default() });
        assert_eq!([(); 4].map(|()| watch.look()), [None, None, None, Some(Limit::Steps)]);
    }

    #[test]
    fn every_limit_is_told_as_itself() {
        for limit in LIMITS {
            let watch = watch(&Arc::default());
            watch.end(limit);
            assert_eq!(watch.over(), Some(limit));
        }
    }
}
