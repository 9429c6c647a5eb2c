//! How long the syncs of the log took.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Bucket, Histogram, Metric, MetricFamily, MetricType};
use store::{SyncTimes, WalMetrics};

/// The histogram of sync times. OpenTelemetry has no histogram that is only read, so this one goes to the registry
/// beside it.
pub(super) struct WalSyncs {
    wal: Arc<WalMetrics>,
    description: Desc,
}

impl WalSyncs {
    pub(super) const NAME: &str = "tenure_disk_wal_fsync_duration_seconds";
    const HELP: &str = "How long the durable writes of the log took.";

    pub(super) fn new(wal: Arc<WalMetrics>) -> Self {
        let description = Desc::new(Self::NAME.into(), Self::HELP.into(), Vec::new(), Default::default());
        Self { wal, description: description.expect("the name is a valid one") }
    }
}

impl Collector for WalSyncs {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.description]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let times = &self.wal.sync_time;
        let mut count = 0;
        let mut buckets = Vec::with_capacity(SyncTimes::BOUNDS_US.len());
        for (bound_us, in_bucket) in SyncTimes::BOUNDS_US.iter().zip(&times.buckets) {
            count += in_bucket.load(Relaxed);
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(seconds(*bound_us));
            bucket.set_cumulative_count(count);
            buckets.push(bucket);
        }
        // What took longer than every bound has only a place in the total.
        count += times.buckets[SyncTimes::BOUNDS_US.len()].load(Relaxed);
        let mut histogram = Histogram::default();
        histogram.set_bucket(buckets);
        histogram.set_sample_count(count);
        histogram.set_sample_sum(seconds(times.sum_us.load(Relaxed)));
        let mut metric = Metric::default();
        metric.set_histogram(histogram);
        let mut family = MetricFamily::default();
        family.set_name(Self::NAME.into());
        family.set_help(Self::HELP.into());
        family.set_field_type(MetricType::HISTOGRAM);
        family.set_metric(vec![metric]);
        vec![family]
    }
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1_000_000.0
}
