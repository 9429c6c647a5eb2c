//! Time as keeper and guard count it: CLOCK_BOOTTIME, which no setting of the wall clock moves, which is the same in
//! every process, and which goes on while the machine sleeps: the lease does, too.

use std::io;
use std::ops::{Add, Sub};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};
use serde::{Deserialize, Serialize};
use tokio::io::unix::AsyncFd;

const NS_PER_SECOND: u64 = 1_000_000_000;

/// An instant, in nanoseconds since this machine was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Moment(u64);

impl Moment {
    pub fn now() -> Self {
        let now = clock_gettime(ClockId::Boottime);
        let part = |part: i64| u64::try_from(part).expect("the clock counts from boot");
        Self(part(now.tv_sec) * NS_PER_SECOND + part(now.tv_nsec))
    }

    /// Zero if `later` is not later.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_nanos(later.0.saturating_sub(self.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(duration)))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Rings at a moment, also if the machine slept through it: the timers of the runtime stand still meanwhile.
pub struct Alarm(AsyncFd<OwnedFd>);

impl Alarm {
    #[expect(
        deprecated,
        reason = "what replaced it is unsafe, for the sake of types that do not own what they name"
    )]
    pub fn new() -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        Ok(Self(AsyncFd::new(timer)?))
    }

    /// From now on it rings at this moment only; at once if that has passed.
    pub fn set(&self, at: Moment) -> io::Result<()> {
        let part = |part: u64| i64::try_from(part).unwrap_or(i64::MAX);
        // Zero would switch the timer off.
        let at = at.0.max(1);
        let it_value = Timespec { tv_sec: part(at / NS_PER_SECOND), tv_nsec: part(at % NS_PER_SECOND) };
        let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::ABSTIME, &Itimerspec { it_interval, it_value })?;
        Ok(())
    }

    pub async fn rings(&self) -> io::Result<()> {
        loop {
            let mut ready = self.0.readable().await?;
            let read = ready.try_io(|timer| {
                let mut times = [0; 8];
                Ok(rustix::io::read(timer.get_ref(), &mut times)?)
            });
            // Otherwise it was set anew after it had rung.
            if let Ok(read) = read {
                return read.map(drop);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_rings_at_its_last_setting() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let alarm = Alarm::new().unwrap();
            let start = Moment::now();
            // Long past, and then not: what rang before does not count.
            alarm.set(start - Duration::from_secs(1)).unwrap();
            alarm.rings().await.unwrap();
            alarm.set(start - Duration::from_secs(1)).unwrap();
            alarm.set(start + Duration::from_millis(50)).unwrap();
            alarm.rings().await.unwrap();
            assert!(Moment::now() >= start + Duration::from_millis(50));
        });
    }
}
