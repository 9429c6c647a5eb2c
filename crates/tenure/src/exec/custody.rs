//! What the guard does to the program, and when. Pure: the time comes in, and the deed goes out.
//!
//! ```text
//! Running ── stop_at, or told to stop ──▶ Stopping ── kill_at, or the grace is over ──▶ Killed
//!    └──────────────── kill_at, or told to kill ─────────────────────────────────────────▲
//! ```
//!
//! Invariant: there is no way back to Running: a renewal after SIGTERM changes nothing.

use super::moment::Moment;
use super::terms::Leash;

#[derive(Debug)]
pub struct Custody {
    leash: Leash,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    Stopping { kill_at: Moment },
    Killed,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// SIGTERM to all of it.
    Stop,
    /// SIGKILL to all of it.
    Kill,
}

impl Custody {
    /// Of a program that has just been started.
    pub fn under(leash: Leash) -> Self {
        Self { leash, state: State::Running }
    }

    /// The lease was renewed.
    pub fn renewed(&mut self, leash: Leash) {
        if leash.kill_at > self.leash.kill_at {
            self.leash = leash;
        }
    }

    /// The lease is lost, or the keeper is gone: the program is stopped now.
    pub fn stop(&mut self, now: Moment) -> Option<Deed> {
        if self.state != State::Running {
            return None;
        }
        self.state = State::Stopping { kill_at: self.leash.killed_if_stopped(now) };
        Some(Deed::Stop)
    }

    /// What is due by now; at most once each.
    pub fn due(&mut self, now: Moment) -> Option<Deed> {
        match self.state {
            // Whoever slept through all of it does not begin with a grace.
            State::Running if now >= self.leash.kill_at => self.kill(),
            State::Running if now >= self.leash.stop_at => {
                self.state = State::Stopping { kill_at: self.leash.kill_at };
                Some(Deed::Stop)
            }
            State::Stopping { kill_at } if now >= kill_at => self.kill(),
            _ => None,
        }
    }

    pub fn kill(&mut self) -> Option<Deed> {
        self.state = State::Killed;
        Some(Deed::Kill)
    }

    /// When something is due next.
    pub fn wakes_at(&self) -> Option<Moment> {
        match self.state {
            State::Running => Some(self.leash.stop_at),
            State::Stopping { kill_at } => Some(kill_at),
            State::Killed => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::exec::terms::Terms;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn start() -> Moment {
        serde_json::from_str("5000000000000").unwrap()
    }

    fn leash(sent: Moment) -> Leash {
        Terms::of(Duration::from_secs(10)).leash(sent)
    }

    fn custody() -> Custody {
        Custody::under(leash(start()))
    }

    #[test]
    fn without_a_renewal_it_is_stopped_then_killed_once_each() {
        let (mut custody, leash) = (custody(), leash(start()));
        assert_eq!(custody.wakes_at(), Some(leash.stop_at));
        assert_eq!(custody.due(leash.stop_at - ms(1)), None);
        assert_eq!(custody.due(leash.stop_at), Some(Deed::Stop));
        assert_eq!(custody.due(leash.stop_at + ms(1)), None);
        assert_eq!(custody.wakes_at(), Some(leash.kill_at));
        assert_eq!(custody.due(leash.kill_at), Some(Deed::Kill));
        assert_eq!((custody.due(leash.kill_at + ms(1)), custody.wakes_at()), (None, None));
    }

    #[test]
    fn a_renewal_lengthens_and_an_older_one_does_not_shorten() {
        let mut custody = custody();
        custody.renewed(leash(start() + ms(3333)));
        custody.renewed(leash(start() + ms(3000)));
        assert_eq!(custody.due(leash(start()).kill_at), None);
        assert_eq!(custody.wakes_at(), Some(leash(start() + ms(3333)).stop_at));
    }

    #[test]
    fn a_renewal_after_sigterm_changes_nothing() {
        let mut custody = custody();
        let leash_of_start = leash(start());
        assert_eq!(custody.due(leash_of_start.stop_at), Some(Deed::Stop));
        custody.renewed(leash(leash_of_start.stop_at));
        assert_eq!(custody.due(leash_of_start.kill_at), Some(Deed::Kill));
    }

    #[test]
    fn told_to_stop_it_gives_the_grace_but_never_beyond_the_lease() {
        let mut early = custody();
        assert_eq!(early.stop(start() + ms(1000)), Some(Deed::Stop));
        assert_eq!(early.wakes_at(), Some(start() + ms(3000)));
        assert_eq!(early.stop(start() + ms(2000)), None, "once");
        assert_eq!(early.due(start() + ms(3000)), Some(Deed::Kill));
        let mut late = custody();
        assert_eq!(late.stop(start() + ms(6900)), Some(Deed::Stop));
        assert_eq!(late.wakes_at(), Some(start() + ms(8900)));
        let mut latest = custody();
        assert_eq!(latest.stop(start() + ms(8000)), Some(Deed::Stop));
        assert_eq!(latest.wakes_at(), Some(leash(start()).kill_at));
    }

    #[test]
    fn a_guard_that_slept_past_the_end_kills_at_once() {
        let mut custody = custody();
        assert_eq!(custody.due(start() + ms(60_000)), Some(Deed::Kill));
    }

    #[test]
    fn told_to_kill_it_does_in_every_state() {
        let mut running = custody();
        assert_eq!(running.kill(), Some(Deed::Kill));
        let mut stopping = custody();
        stopping.stop(start());
        assert_eq!(stopping.kill(), Some(Deed::Kill));
        assert_eq!(stopping.wakes_at(), None);
    }
}
