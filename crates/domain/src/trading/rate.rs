//! How fast messages may come: the generic cell rate algorithm (ITU-T I.371), exact in nanoseconds of log time.
//!
//! Of the past it keeps one instant: when, at an even pace, the messages so far would be over. With an interval `T`, so many as
//! `burst` may run ahead of that pace; then fewer than `burst + W / T` come in any time shorter than `W`. With `burst` of half
//! the count and one, and `T` of the window divided by the others and one, that is no more than the count, in any window.

use crate::LogTime;
use crate::trading::limits::MessageRate;

const NS_PER_MS: u64 = 1_000_000;

impl MessageRate {
    /// How many may come at once.
    pub fn burst(self) -> u64 {
        u64::from(self.count) / 2 + 1
    }

    fn interval_ns(self) -> u64 {
        let others = u64::from(self.count) - self.burst().min(self.count.into());
        self.per_ms.saturating_mul(NS_PER_MS).div_ceil(others + 1)
    }

    /// How many milliseconds, rounded up, until so many more messages may come together. 0: they may come now.
    pub fn wait_ms(self, clock: LogTime, messages: u64, now: LogTime) -> u64 {
        let ahead = self.interval_ns().saturating_mul(self.burst());
        self.after(clock, messages, now)
            .as_ns()
            .saturating_sub(now.plus_ns(ahead).as_ns())
            .div_ceil(NS_PER_MS)
    }

    /// The clock once so many more messages have come. What came although it was refused counts no further than up to the
    /// burst: nobody is shut out for longer because he asks again.
    pub fn count(self, clock: LogTime, messages: u64, now: LogTime) -> LogTime {
        let ahead = self.interval_ns().saturating_mul(self.burst());
        self.after(clock, messages, now).min(now.plus_ns(ahead))
    }

    fn after(self, clock: LogTime, messages: u64, now: LogTime) -> LogTime {
        // A clock that was set by a slower rate than this one does not count for more than a burst of this.
        let ahead = self.interval_ns().saturating_mul(self.burst());
        let clock = clock.max(now).min(now.plus_ns(ahead));
        clock.plus_ns(self.interval_ns().saturating_mul(messages))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn admitted(rate: MessageRate, gaps: &[u64]) -> Vec<u64> {
        let (mut clock, mut now, mut admitted) = (LogTime::ZERO, LogTime::ZERO, Vec::new());
        for gap in gaps {
            now = now.plus_ns(*gap);
            if rate.wait_ms(clock, 1, now) == 0 {
                admitted.push(now.as_ns());
            }
            // Refused ones are counted, too, and do no harm.
            clock = rate.count(clock, 1, now);
        }
        admitted
    }

    #[test]
    fn half_and_one_come_at_once_and_the_others_at_even_distances() {
        let rate = MessageRate { count: 10, per_ms: 1000 };
        let at = |ms: u64| LogTime::from_ms(ms);
        let mut clock = LogTime::ZERO;
        for _ in 0..6 {
            assert_eq!(rate.wait_ms(clock, 1, at(0)), 0);
            clock = rate.count(clock, 1, at(0));
        }
        assert_eq!(rate.wait_ms(clock, 1, at(0)), 200);
        assert_eq!(rate.wait_ms(clock, 1, at(199)), 1);
        assert_eq!(rate.wait_ms(clock, 1, at(200)), 0);
        assert_eq!(rate.wait_ms(clock, 2, at(200)), 200);
        assert_eq!(rate.wait_ms(clock, 6, at(1200)), 0);
    }

    #[test]
    fn no_number_is_too_large_and_a_slower_past_is_not_held_against_anybody() {
        let rate = MessageRate { count: u32::MAX, per_ms: u64::MAX };
        assert_eq!(rate.count(LogTime::MAX, u64::MAX, LogTime::MAX), LogTime::MAX);
        let rate = MessageRate { count: 2, per_ms: 10 };
        assert_eq!(rate.wait_ms(LogTime::MAX, 1, LogTime::from_ms(5)), 10);
        assert_eq!(
            MessageRate { count: 0, per_ms: 10 }.burst(),
            1,
            "refused by the check, and no panic here"
        );
        assert!(MessageRate { count: 0, per_ms: 10 }.wait_ms(LogTime::ZERO, 2, LogTime::ZERO) > 0);
    }

    proptest! {
        #[test]
        fn no_window_holds_more_than_the_count(
            count in 2_u32..40,
            per_ms in 1_u64..50,
            // In parts of what an even pace would be: mostly bursts, at times a pause.
            gaps in prop::collection::vec(prop_oneof![6 => Just(0_u64), 6 => 0_u64..300, 1 => 0_u64..20_000], 1..400),
        ) {
            let rate = MessageRate { count, per_ms };
            let pace_ns = per_ms * NS_PER_MS / u64::from(count) / 100;
            let gaps: Vec<u64> = gaps.iter().map(|gap| gap * pace_ns).collect();
            let times = admitted(rate, &gaps);
            for (first, from) in times.iter().enumerate() {
                let until = from + per_ms * NS_PER_MS;
                let within = times[first..].iter().take_while(|time| **time < until).count();
                prop_assert!(within <= count as usize, "{within} of {count} from {from} ns");
            }
        }

        #[test]
        fn an_even_pace_of_half_the_count_is_never_refused(count in 2_u32..100, per_ms in 1_u64..1000) {
            let rate = MessageRate { count, per_ms };
            let gaps = vec![rate.interval_ns(); 300];
            prop_assert_eq!(admitted(rate, &gaps).len(), gaps.len());
            prop_assert!(rate.interval_ns() <= (per_ms * NS_PER_MS).div_ceil((count / 2).into()));
        }
    }
}
