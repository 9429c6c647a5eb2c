//! When a lease is renewed, and when the program under it is stopped and killed. Pure: the time comes in.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::moment::Moment;

/// The shortest lease that a program runs under: `slack` is then 100 ms, which a busy machine may take to kill.
pub const TTL_MIN: Duration = Duration::from_secs(1);

/// Of the lease. One granted for T is not given to another within T·(1 − 0.001), and our clock may be slow by as much
/// again: the kernel lets it be slewed by 0.05 %.
const DRIFT_PER: u32 = 500;

/// Of the lease, from SIGKILL to the end of what is promised, for scheduling and for what killing takes.
const SLACK_PER: u32 = 10;
const SLACK_MAX: Duration = Duration::from_secs(1);

/// Of the lease, from SIGTERM to SIGKILL.
const GRACE_PER: u32 = 5;
const GRACE_MAX: Duration = Duration::from_secs(10);

/// A third leaves as much again for further attempts, and an election takes a second or two.
const RENEW_PER: u32 = 3;

/// Without an answer the next node is asked, about seven times before the program is stopped.
const RETRY_PER: u32 = 20;
const RETRY_MAX: Duration = Duration::from_secs(1);

/// The length of a lease, and what follows from it.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    ttl: Duration,
}

/// How long a program may run after one grant or renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leash {
    /// SIGTERM, unless the lease is renewed before.
    pub stop_at: Moment,
    /// SIGKILL.
    pub kill_at: Moment,
    /// From SIGTERM to SIGKILL when the program is stopped earlier than it must be.
    pub grace: Duration,
    /// From SIGKILL to the end of what is promised.
    pub slack: Duration,
}

impl Leash {
    /// When a program that is stopped now is killed.
    pub fn killed_if_stopped(&self, now: Moment) -> Moment {
        self.kill_at.min(now + self.grace)
    }
}

impl Terms {
    pub fn of(ttl: Duration) -> Self {
        assert!(ttl >= TTL_MIN, "a shorter one was refused as usage");
        Self { ttl }
    }

    pub fn ttl(self) -> Duration {
        self.ttl
    }

    /// Of a grant or renewal by when its request was first sent: the promise counts from there.
    pub fn leash(self, sent: Moment) -> Leash {
        let slack = (self.ttl / SLACK_PER).min(SLACK_MAX);
        let grace = (self.ttl / GRACE_PER).min(GRACE_MAX);
        let kill_at = sent + (self.ttl - self.ttl / DRIFT_PER - slack);
        Leash { stop_at: kill_at - grace, kill_at, grace, slack }
    }

    /// An attempt that has not been answered for so long is given up: its answer would come too late to be of use.
    pub fn attempt_within(self) -> Duration {
        (self.ttl / RENEW_PER).min(Duration::from_secs(5))
    }

    /// Before the next node is asked, too.
    pub fn retry_after(self) -> Duration {
        (self.ttl / RETRY_PER).min(RETRY_MAX)
    }
}

/// The keeper's account of one lease.
#[derive(Debug)]
pub struct Renewals {
    terms: Terms,
    /// When the last request that succeeded was sent.
    renewed: Moment,
    /// When the last attempt since then was sent.
    tried: Option<Moment>,
}

/// What the keeper does next about its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Wait {
        until: Moment,
    },
    /// Send a renewal, to the next node.
    Renew,
    /// Nothing succeeded in time.
    Lost,
}

impl Renewals {
    pub fn new(terms: Terms, granted: Moment) -> Self {
        Self { terms, renewed: granted, tried: None }
    }

    pub fn leash(&self) -> Leash {
        self.terms.leash(self.renewed)
    }

    pub fn next(&self, now: Moment) -> Next {
        let stop_at = self.leash().stop_at;
        if now >= stop_at {
            return Next::Lost;
        }
        let due = match self.tried {
            None => self.renewed + self.terms.ttl / RENEW_PER,
            Some(tried) => tried + self.terms.retry_after(),
        };
        if now >= due { Next::Renew } else { Next::Wait { until: due.min(stop_at) } }
    }

    pub fn has_sent(&mut self, at: Moment) {
        self.tried = Some(at);
    }

    /// Whether this success, of a request sent at `sent`, lengthens the lease: answers may overtake each other.
    pub fn has_succeeded(&mut self, sent: Moment) -> bool {
        let is_later = sent > self.renewed;
        if is_later {
            self.renewed = sent;
            self.tried = None;
        }
        is_later
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Duration = Duration::from_secs(10);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A moment that is none of the machine's.
    fn start() -> Moment {
        serde_json::from_str("5000000000000").unwrap()
    }

    #[test]
    fn ten_seconds_are_stopped_after_seven_and_killed_after_nine() {
        let leash = Terms::of(TEN).leash(start());
        assert_eq!(leash.stop_at, start() + ms(6980));
        assert_eq!(leash.kill_at, start() + ms(8980));
        assert_eq!((leash.grace, leash.slack), (ms(2000), ms(1000)));
    }

    #[test]
    fn every_length_is_over_before_its_promise() {
        let lengths = [1, 2, 3, 10, 59, 600, 86_400, 30 * 86_400].map(Duration::from_secs);
        for ttl in lengths {
            let leash = Terms::of(ttl).leash(start());
            let promised = start() + (ttl - ttl / 1000);
            // On a clock that is slow by a part in two thousand, too.
            let slowest = start().until(leash.kill_at) + start().until(leash.kill_at) / 2000;
            assert!(start() + slowest + ms(90) <= promised, "{ttl:?}: {leash:?}");
            assert!(leash.kill_at + leash.slack <= promised, "{ttl:?}");
            assert_eq!(leash.stop_at + leash.grace, leash.kill_at, "{ttl:?}");
            // The first renewal, a failover, and more attempts fit before that.
            assert!(leash.stop_at > start() + ttl * 2 / 3, "{ttl:?}: {leash:?}");
        }
    }

    #[test]
    fn a_lease_is_renewed_at_a_third() {
        let renewals = Renewals::new(Terms::of(Duration::from_secs(9)), start());
        assert_eq!(renewals.next(start()), Next::Wait { until: start() + ms(3000) });
        assert_eq!(renewals.next(start() + ms(2999)), Next::Wait { until: start() + ms(3000) });
        assert_eq!(renewals.next(start() + ms(3000)), Next::Renew);
    }

    #[test]
    fn attempts_go_on_until_the_program_must_be_stopped() {
        let terms = Terms::of(TEN);
        let mut renewals = Renewals::new(terms, start());
        let (mut now, mut attempts) = (start(), 0);
        loop {
            match renewals.next(now) {
                Next::Wait { until } => {
                    assert!(until > now, "no turning on the spot");
                    now = until;
                }
                Next::Renew => {
                    attempts += 1;
                    renewals.has_sent(now);
                }
                Next::Lost => break,
            }
        }
        assert_eq!(now, terms.leash(start()).stop_at);
        assert_eq!(attempts, 8);
    }

    #[test]
    fn a_success_counts_from_its_sending() {
        let terms = Terms::of(TEN);
        let mut renewals = Renewals::new(terms, start());
        renewals.has_sent(start() + ms(3400));
        renewals.has_sent(start() + ms(3900));
        // The answer to the first comes last.
        assert!(renewals.has_succeeded(start() + ms(3900)));
        assert!(!renewals.has_succeeded(start() + ms(3400)));
        assert_eq!(renewals.leash(), terms.leash(start() + ms(3900)));
        let third = start() + ms(3900) + TEN / 3;
        assert_eq!(renewals.next(start() + ms(6900)), Next::Wait { until: third });
    }

    #[test]
    fn a_success_that_comes_late_is_followed_by_a_renewal_at_once() {
        let mut renewals = Renewals::new(Terms::of(TEN), start());
        renewals.has_sent(start() + ms(3400));
        assert!(renewals.has_succeeded(start() + ms(3400)));
        assert_eq!(renewals.next(start() + ms(6900)), Next::Renew);
    }

    #[test]
    fn a_keeper_that_slept_past_the_deadline_renews_no_more() {
        let renewals = Renewals::new(Terms::of(TEN), start());
        assert_eq!(renewals.next(start() + ms(6980)), Next::Lost);
        assert_eq!(renewals.next(start() + ms(60_000)), Next::Lost);
    }
}
