//! What `/metrics` tells: every metric of this process in one catalogue, read from the plain counters that the crates
//! keep.
//!
//! The instruments are those of OpenTelemetry, all of them observed: nothing is counted twice, and the crates below
//! know no metrics library. Names, types and labels are an interface that alerts and dashboards rely on; they may be
//! added to, not changed. A label's values are few: ids of nodes and closed lists, never names that clients choose.
//!
//! Architecture invariant: a scrape takes no quorum round and waits for none, so that a node that is cut off still
//! tells how it is. What it says about leadership is what this node believes.

mod catalogue;
mod process;
mod syncs;

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};

use consensus::{Replica, Role, Status};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter, MeterProvider};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Registry, TextEncoder};
use store::WalMetrics;

use catalogue::CATALOGUE;
use process::Process;
use syncs::WalSyncs;

/// The metrics of this process. Cheap to ask: a scrape reads a few hundred numbers.
pub struct Telemetry {
    replica: Replica,
    doors: Doors,
    http: Arc<http::Metrics>,
    seen: Arc<Mutex<Option<Seen>>>,
    registry: Registry,
    /// Holds the instruments.
    _provider: SdkMeterProvider,
}

/// The doors that speak Redis's protocol.
#[derive(Clone)]
pub struct Doors {
    pub redis: Arc<redis::Metrics>,
    pub sentinel: Arc<redis::Metrics>,
}

impl Doors {
    /// Each with the value of its label `door`.
    fn each(&self) -> [(&'static str, &redis::Metrics); 2] {
        [("redis", &self.redis), ("sentinel", &self.sentinel)]
    }
}

/// One look at everything, so that the numbers of a scrape fit each other.
struct Seen {
    status: Status,
    /// As this node believes; see [`is_active`].
    active: bool,
    keys: usize,
    keys_ending: usize,
    outcomes: usize,
    outcome_bytes: usize,
    raft: Arc<consensus::Metrics>,
    wal: Arc<WalMetrics>,
    doors: Doors,
    http: Arc<http::Metrics>,
    process: Process,
}

impl Telemetry {
    pub fn new(replica: Replica, doors: Doors, http: Arc<http::Metrics>) -> Self {
        let registry = Registry::new();
        let syncs = Box::new(WalSyncs::new(replica.log_metrics()));
        registry.register(syncs).expect("its name is the only one in the registry");
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            // The catalogue has the names as they are scraped, so that a search for one finds it.
            .without_counter_suffixes()
            .without_units()
            .without_target_info()
            .scope_info_enabled(false)
            .build()
            .expect("the exporter has no descriptions that another could have taken");
        let resource = Resource::builder_empty().build();
        let provider = SdkMeterProvider::builder().with_resource(resource).with_reader(exporter).build();
        let meter = provider.meter("tenure");
        let seen = Arc::new(Mutex::new(None));
        for instrument in CATALOGUE.iter().copied().flatten() {
            instrument.observe(&meter, seen.clone());
        }
        Self { replica, doors, http, seen, registry, _provider: provider }
    }

    /// Everything, in the Prometheus text format.
    pub fn text(&self) -> String {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.look());
        let mut text = String::new();
        match TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text) {
            Ok(()) => text,
            Err(error) => {
                tracing::warn!(%error, "the metrics could not be written");
                String::new()
            }
        }
    }

    fn look(&self) -> Seen {
        let status = self.replica.status();
        let (active, keys, keys_ending, outcomes, outcome_bytes) = {
            let state = self.replica.local();
            let active = is_active(&status, state.tenure());
            (active, state.key_count(), state.ending_count(), state.outcome_count(), state.outcome_bytes())
        };
        Seen {
            status,
            active,
            keys,
            keys_ending,
            outcomes,
            outcome_bytes,
            raft: self.replica.metrics(),
            wal: self.replica.log_metrics(),
            doors: self.doors.clone(),
            http: self.http.clone(),
            process: Process::read(),
        }
    }
}

fn is_active(status: &Status, tenure: Option<&domain::Tenure>) -> bool {
    status.role == Role::Leader
        && tenure.is_some_and(|tenure| tenure.term == status.term && tenure.node == status.node)
}

/// Values, each with its labels if the metric has any. Empty: nothing is known now.
type Samples = Vec<(Vec<KeyValue>, f64)>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
}

/// A line of the catalogue.
struct Instrument {
    kind: Kind,
    name: &'static str,
    help: &'static str,
    read: fn(&Seen) -> Samples,
}

const fn counter(name: &'static str, help: &'static str, read: fn(&Seen) -> Samples) -> Instrument {
    Instrument { kind: Kind::Counter, name, help, read }
}

const fn gauge(name: &'static str, help: &'static str, read: fn(&Seen) -> Samples) -> Instrument {
    Instrument { kind: Kind::Gauge, name, help, read }
}

impl Instrument {
    /// Makes the instrument; whenever it is collected it tells what was last seen.
    fn observe(&'static self, meter: &Meter, seen: Arc<Mutex<Option<Seen>>>) {
        let tell = move |observer: &dyn AsyncInstrument<f64>| {
            let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            for (labels, value) in seen.as_ref().map(self.read).unwrap_or_default() {
                observer.observe(value, &labels);
            }
        };
        match self.kind {
            Kind::Counter => {
                let builder = meter.f64_observable_counter(self.name);
                builder.with_description(self.help).with_callback(tell).build();
            }
            Kind::Gauge => {
                let builder = meter.f64_observable_gauge(self.name);
                builder.with_description(self.help).with_callback(tell).build();
            }
        }
    }
}

fn one(value: u64) -> Samples {
    vec![(Vec::new(), value as f64)]
}

fn flag(value: bool) -> Samples {
    one(value.into())
}

fn atomic(value: &AtomicU64) -> Samples {
    one(value.load(Relaxed))
}

fn perhaps(value: Option<f64>) -> Samples {
    value.map(|value| (Vec::new(), value)).into_iter().collect()
}

fn labelled<L: ToString>(key: &'static str, values: impl IntoIterator<Item = (L, u64)>) -> Samples {
    values
        .into_iter()
        .map(|(label, value)| (vec![KeyValue::new(key, label.to_string())], value as f64))
        .collect()
}

/// Of each door that speaks Redis's protocol.
fn by_door(seen: &Seen, count: fn(&redis::Metrics) -> &AtomicU64) -> Samples {
    labelled("door", seen.doors.each().map(|(door, metrics)| (door, count(metrics).load(Relaxed))))
}

#[cfg(test)]
mod tests {
    use domain::NodeId;

    use super::catalogue::failure_tolerance;
    use super::*;

    #[test]
    fn every_metric_is_named_by_the_rules() {
        let mut names = std::collections::BTreeSet::from([WalSyncs::NAME]);
        for Instrument { kind, name, help, .. } in CATALOGUE.iter().copied().flatten() {
            assert!(names.insert(name), "{name} is there twice");
            assert!(name.starts_with("tenure_") || name.starts_with("process_"), "{name}");
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            assert!(help.ends_with('.'), "{name}: {help}");
        }
    }

    /// The leader of a group of `members`, of which each peer has that much of its log of 100 entries.
    fn leader(members: &[(u64, bool)], matching: &[(u64, Option<u64>)]) -> Status {
        let contact = consensus::Contact::default();
        let member = |(id, voter): &(u64, bool)| consensus::Member {
            id: NodeId(*id),
            name: String::new(),
            peer: String::new(),
            api: String::new(),
            redis: String::new(),
            sentinel: String::new(),
            http: String::new(),
            voter: *voter,
        };
        Status {
            node: NodeId(1),
            contact,
            cluster_id: None,
            role: Role::Leader,
            term: 7,
            leader: Some(NodeId(1)),
            last_log: 100,
            committed: 100,
            applied: 100,
            snapshot: 0,
            purged: 0,
            digest: None,
            replication: Some(matching.iter().map(|(id, index)| (NodeId(*id), *index)).collect()),
            members: members.iter().map(member).collect(),
            draining: false,
            out_of_service: false,
            disk_low: false,
            log_bytes: 0,
            commands_waiting: 0,
            version: String::new(),
            pid: 0,
        }
    }

    #[test]
    fn what_may_still_fail_is_counted_by_the_voters_that_keep_up() {
        let three = [(1, true), (2, true), (3, true)];
        let tolerance = |members: &[_], matching: &[_]| failure_tolerance(&leader(members, matching));
        let up = Some(100);
        assert_eq!(tolerance(&three, &[(1, up), (2, up), (3, up)]), Some(1));
        assert_eq!(tolerance(&three, &[(1, up), (2, Some(89)), (3, up)]), Some(0));
        assert_eq!(tolerance(&three, &[(1, up), (2, Some(90)), (3, up)]), Some(1));
        assert_eq!(tolerance(&three, &[(1, up), (2, None), (3, None)]), Some(0));
        assert_eq!(tolerance(&[(1, true)], &[]), Some(0));
        // A learner keeps nothing alive.
        assert_eq!(tolerance(&[(1, true), (2, true), (3, false)], &[(2, up), (3, up)]), Some(0));
        let follower = Status { replication: None, ..leader(&three, &[]) };
        assert_eq!(failure_tolerance(&follower), None);
    }

    #[test]
    fn active_takes_the_record_of_this_term_and_node() {
        let tenure = |term, node| domain::Tenure {
            term,
            node: NodeId(node),
            from: None,
            cause: domain::Cause::Start,
            detected_ms: 0,
            elected_ms: 0,
            applied_ms: 0,
            reconciled_ms: 0,
            active_ms: 0,
            wall_ms: 0,
        };
        let status = leader(&[(1, true)], &[]);
        assert!(is_active(&status, Some(&tenure(7, 1))));
        assert!(!is_active(&status, Some(&tenure(6, 1))));
        assert!(!is_active(&status, Some(&tenure(7, 2))));
        assert!(!is_active(&status, None));
        let deposed = Status { role: Role::Follower, ..status };
        assert!(!is_active(&deposed, Some(&tenure(7, 1))));
    }

    #[test]
    fn a_histogram_is_cumulative_and_in_seconds() {
        let wal = Arc::new(WalMetrics::default());
        for took_us in [50, 100, 700, 9_000_000] {
            wal.sync_time.record(std::time::Duration::from_micros(took_us));
        }
        let registry = Registry::new();
        registry.register(Box::new(WalSyncs::new(wal))).unwrap();
        let mut text = String::new();
        TextEncoder::new().encode_utf8(&registry.gather(), &mut text).unwrap();
        for line in [
            "_bucket{le=\"0.0001\"} 2",
            "_bucket{le=\"0.0005\"} 2",
            "_bucket{le=\"0.001\"} 3",
            "_bucket{le=\"8.192\"} 3",
            "_bucket{le=\"+Inf\"} 4",
            "_sum 9.00085",
            "_count 4",
        ] {
            assert!(text.contains(&format!("{}{line}\n", WalSyncs::NAME)), "{line} is not in\n{text}");
        }
    }
}
