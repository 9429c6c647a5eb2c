//! Latencies, in a histogram of nanoseconds.

use std::time::Duration;

use hdrhistogram::Histogram;

/// The longest that is told apart; a longer one counts as this.
const MAX: Duration = Duration::from_secs(60);

/// Figures of a value that are exact.
const DIGITS: u8 = 3;

pub(crate) struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Self(Histogram::new_with_max(nanos(MAX), DIGITS).expect("the bounds are constants that fit"))
    }
}

impl Latencies {
    pub(crate) fn record(&mut self, latency: Duration) {
        self.0.saturating_record(nanos(latency));
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    pub(crate) fn micros_at(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1000.0
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.min(MAX).as_nanos()).expect("a minute fits")
}
