//! What `/metrics` tells: every metric of this process in one catalogue, read from the plain counters that the crates
//! keep.
//!
//! The instruments are those of OpenTelemetry, all of them observed: nothing is counted twice, and the crates below
//! know no metrics library. Names, types and labels are an interface that alerts and dashboards rely on; they may be
//! added to, not changed. A label's values are few: ids of nodes and closed lists, never names that clients choose.
//!
//! Architecture invariant: a scrape takes no quorum round and waits for none, so that a node that is cut off still
//! tells how it is. What it says about leadership is what this node believes.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};

use consensus::{Replica, Role, Status};
use domain::NodeId;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter, MeterProvider};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Bucket, Histogram, Metric, MetricFamily, MetricType};
use prometheus::{Registry, TextEncoder};
use rustix::time::{ClockId, clock_gettime};
use store::{SyncTimes, WalMetrics};

/// A voter whose log lacks at most this many entries counts as up. A leader has two entries in flight, so one that
/// answers lacks a few; one that does not lacks a tick more every second.
const LAG_UP_MAX: u64 = 10;

/// Ticks in a second of the times in /proc: fixed by the kernel's interface, whatever its own rate is.
const USER_HZ: f64 = 100.0;

/// The metrics of this process. Cheap to ask: a scrape reads a few hundred numbers.
pub struct Telemetry {
    replica: Replica,
    http: Arc<http::Metrics>,
    seen: Arc<Mutex<Option<Seen>>>,
    registry: Registry,
    /// Holds the instruments.
    _provider: SdkMeterProvider,
}

/// One look at everything, so that the numbers of a scrape fit each other.
struct Seen {
    status: Status,
    /// As this node believes; see [`is_active`].
    active: bool,
    keys: usize,
    keys_ending: usize,
    outcomes: usize,
    raft: Arc<consensus::Metrics>,
    wal: Arc<WalMetrics>,
    http: Arc<http::Metrics>,
    process: Process,
}

impl Telemetry {
    pub fn new(replica: Replica, http: Arc<http::Metrics>) -> Self {
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
        Self { replica, http, seen, registry, _provider: provider }
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
        let (active, keys, keys_ending, outcomes) = {
            let state = self.replica.local();
            let active = is_active(&status, state.tenure());
            (active, state.key_count(), state.ending_count(), state.outcome_count())
        };
        Seen {
            status,
            active,
            keys,
            keys_ending,
            outcomes,
            raft: self.replica.metrics(),
            wal: self.replica.log_metrics(),
            http: self.http.clone(),
            process: Process::read(),
        }
    }
}

fn is_active(status: &Status, tenure: Option<&domain::Tenure>) -> bool {
    status.role == Role::Leader
        && tenure.is_some_and(|tenure| tenure.term == status.term && tenure.node == status.node)
}

/// Values, each with its label if the metric has one. Empty: nothing is known now.
type Samples = Vec<(Option<KeyValue>, f64)>;

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
            for (label, value) in seen.as_ref().map(self.read).unwrap_or_default() {
                observer.observe(value, label.as_slice());
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
    vec![(None, value as f64)]
}

fn flag(value: bool) -> Samples {
    one(value.into())
}

fn atomic(value: &AtomicU64) -> Samples {
    one(value.load(Relaxed))
}

fn perhaps(value: Option<f64>) -> Samples {
    value.map(|value| (None, value)).into_iter().collect()
}

fn labelled<L: ToString>(key: &'static str, values: impl IntoIterator<Item = (L, u64)>) -> Samples {
    values
        .into_iter()
        .map(|(label, value)| (Some(KeyValue::new(key, label.to_string())), value as f64))
        .collect()
}

/// Every metric but the histogram of [`WalSyncs`]. A new door adds a table of its own, and its counters to [`Seen`].
const CATALOGUE: &[&[Instrument]] = &[NODE, RAFT, LEASES, DISK, HTTP, PROCESS];

const NODE: &[Instrument] = &[
    gauge("tenure_build_info", "Version of the program; always 1.", |seen| {
        labelled("version", [(&seen.status.version, 1)])
    }),
    gauge(
        "tenure_active",
        "1 if this node has tenure, as it believes: it leads and has finished taking over.",
        |seen| flag(seen.active),
    ),
    gauge("tenure_draining", "1 if this node is being emptied.", |seen| flag(seen.status.draining)),
    gauge("tenure_out_of_service", "1 if the state here differs from that of the majority.", |seen| {
        flag(seen.status.out_of_service)
    }),
    gauge(
        "tenure_cluster_failure_tolerance",
        "Voters that may still fail, by how far the leader sees their logs; told by the leader only.",
        |seen| perhaps(failure_tolerance(&seen.status).map(|voters| voters as f64)),
    ),
];

const RAFT: &[Instrument] = &[
    gauge("tenure_raft_has_leader", "1 if this node knows a leader.", |seen| {
        flag(seen.status.leader.is_some())
    }),
    gauge("tenure_raft_is_leader", "1 if this node leads, as it believes.", |seen| {
        flag(seen.status.role == Role::Leader)
    }),
    gauge("tenure_raft_is_learner", "1 if this node receives the log and has no vote.", |seen| {
        flag(seen.status.role == Role::Learner)
    }),
    gauge("tenure_raft_term", "The newest term that this node knows.", |seen| one(seen.status.term)),
    gauge("tenure_raft_last_index", "Last entry in the log of this node.", |seen| one(seen.status.last_log)),
    gauge("tenure_raft_commit_index", "Last entry that this node knows to be committed.", |seen| {
        one(seen.status.committed)
    }),
    gauge("tenure_raft_applied_index", "Last entry applied to the state of this node.", |seen| {
        one(seen.status.applied)
    }),
    gauge("tenure_raft_snapshot_index", "Last entry in the newest snapshot of this node.", |seen| {
        one(seen.status.snapshot)
    }),
    gauge("tenure_raft_purged_index", "Last entry that this node no longer has in its log.", |seen| {
        one(seen.status.purged)
    }),
    gauge(
        "tenure_raft_follower_lag_entries",
        "Entries of the leader's log that a peer lacks; told by the leader only.",
        |seen| labelled("peer", lags(&seen.status)),
    ),
    counter("tenure_raft_leader_changes_seen_total", "Changes of leader that this node saw.", |seen| {
        one(seen.raft.leader_changes.get())
    }),
    counter(
        "tenure_raft_proposals_total",
        "Commands that entered at this node: executed, refused (certainly not executed), unknown (perhaps executed).",
        |seen| {
            let raft = &seen.raft;
            labelled(
                "result",
                [
                    ("executed", raft.proposals_executed.get()),
                    ("refused", raft.proposals_refused.get()),
                    ("unknown", raft.proposals_unknown.get()),
                ],
            )
        },
    ),
    counter(
        "tenure_raft_proposals_resent_total",
        "Batches of commands sent again, to a new leader or over a new connection.",
        |seen| one(seen.raft.proposals_resent.get()),
    ),
    gauge(
        "tenure_raft_proposals_pending",
        "Commands that entered at this node and have no outcome yet.",
        |seen| one(seen.status.commands_waiting as u64),
    ),
    counter("tenure_raft_entries_proposed_total", "Log entries that this node proposed as leader.", |seen| {
        one(seen.raft.entries_proposed.get())
    }),
    counter(
        "tenure_raft_commands_proposed_total",
        "Commands in the entries that this node proposed.",
        |seen| one(seen.raft.commands_proposed.get()),
    ),
    counter("tenure_raft_commands_applied_total", "Commands applied to the state of this node.", |seen| {
        one(seen.raft.commands_applied.get())
    }),
    counter("tenure_raft_commands_repeated_total", "Commands applied here that had run before.", |seen| {
        one(seen.raft.commands_repeated.get())
    }),
    gauge("tenure_raft_outcomes_remembered", "Outcomes kept so that a repeated command runs once.", |seen| {
        one(seen.outcomes as u64)
    }),
    counter("tenure_raft_reads_total", "Linearizable reads that were served at this node.", |seen| {
        one(seen.raft.reads.get())
    }),
    counter(
        "tenure_raft_reads_failed_total",
        "Reads at this node that no quorum round could serve in time.",
        |seen| one(seen.raft.reads_failed.get()),
    ),
    counter(
        "tenure_raft_read_rounds_total",
        "Quorum rounds that this node made for reads as leader.",
        |seen| one(seen.raft.read_rounds.get()),
    ),
    counter("tenure_raft_snapshots_built_total", "Snapshots that this node wrote.", |seen| {
        one(seen.raft.snapshots_built.get())
    }),
    counter(
        "tenure_raft_snapshots_installed_total",
        "Snapshots that this node took over from a leader.",
        |seen| one(seen.raft.snapshots_installed.get()),
    ),
    counter("tenure_raft_snapshots_sent_total", "Snapshots that this node sent to a follower.", |seen| {
        one(seen.raft.snapshots_sent.get())
    }),
    counter(
        "tenure_raft_peer_requests_refused_total",
        "Requests of peers that were damaged, or meant for another cluster or node.",
        |seen| one(seen.raft.peer_requests_refused.get()),
    ),
];

/// Every node applies every command, so each counts all of them: never sum these over nodes.
const LEASES: &[Instrument] = &[
    counter("tenure_lease_granted_total", "Leases granted, as applied on this node.", |seen| {
        one(seen.raft.leases_granted.get())
    }),
    counter("tenure_lease_renewed_total", "Leases renewed, as applied on this node.", |seen| {
        one(seen.raft.leases_renewed.get())
    }),
    counter("tenure_lease_released_total", "Leases released, as applied on this node.", |seen| {
        one(seen.raft.leases_released.get())
    }),
    counter(
        "tenure_lease_expired_total",
        "Leases and keys that ended by themselves, as applied on this node.",
        |seen| one(seen.raft.keys_expired.get()),
    ),
    counter(
        "tenure_lease_rejected_total",
        "Requests for a lease that were refused: held by another, free, or under an old token.",
        |seen| one(seen.raft.leases_refused.get()),
    ),
    gauge("tenure_lease_holders", "Leases that are held: keys with an end.", |seen| {
        one(seen.keys_ending as u64)
    }),
    gauge("tenure_keys", "Keys in all databases, leases included.", |seen| one(seen.keys as u64)),
];

const DISK: &[Instrument] = &[
    gauge(
        "tenure_disk_low",
        "1 if the reserve of the disk is touched: only what frees something is accepted.",
        |seen| flag(seen.status.disk_low),
    ),
    counter("tenure_disk_wal_records_total", "Records written to the log.", |seen| atomic(&seen.wal.records)),
    counter("tenure_disk_wal_written_bytes_total", "Bytes written to the log, padding included.", |seen| {
        atomic(&seen.wal.bytes)
    }),
    counter(
        "tenure_disk_wal_syncs_total",
        "Durable writes of the log; each may carry many records.",
        |seen| atomic(&seen.wal.syncs),
    ),
    counter(
        "tenure_disk_wal_stalls_total",
        "Times that a batch waited for the next file of the log.",
        |seen| atomic(&seen.wal.stalls),
    ),
    counter(
        "tenure_disk_wal_prepare_failures_total",
        "Times that the next file of the log could not be prepared for want of space.",
        |seen| atomic(&seen.wal.prepare_failures),
    ),
    gauge("tenure_disk_wal_queued", "Requests to the log that are queued or being written.", |seen| {
        atomic(&seen.wal.queued)
    }),
    gauge("tenure_disk_wal_segments", "Files of the log that hold records.", |seen| {
        atomic(&seen.wal.segments)
    }),
    gauge("tenure_disk_wal_size_bytes", "Bytes of all files of the log, prepared ones included.", |seen| {
        atomic(&seen.wal.disk_bytes)
    }),
    gauge("tenure_disk_wal_retained_bytes", "Bytes of the entries in the log.", |seen| {
        atomic(&seen.wal.retained_bytes)
    }),
];

const HTTP: &[Instrument] = &[
    counter("tenure_http_requests_total", "HTTP requests answered, by class of status.", |seen| {
        let count = |class: http::StatusClass| (class.name(), seen.http.requests(class));
        labelled("code", http::StatusClass::ALL.map(count))
    }),
    gauge("tenure_http_connections", "Open HTTP connections.", |seen| atomic(&seen.http.connections_open)),
    counter(
        "tenure_http_connections_refused_total",
        "HTTP connections closed because there were too many.",
        |seen| atomic(&seen.http.connections_refused),
    ),
];

/// Standard names, as every Prometheus client has them.
const PROCESS: &[Instrument] = &[
    counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", |seen| {
        perhaps(Some(seen.process.cpu_seconds))
    }),
    gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", |seen| {
        perhaps(seen.process.start_time_seconds)
    }),
    gauge("process_resident_memory_bytes", "Resident memory size in bytes.", |seen| {
        perhaps(seen.process.resident_memory_bytes)
    }),
    gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", |seen| {
        perhaps(seen.process.virtual_memory_bytes)
    }),
    gauge("process_threads", "Number of OS threads in the process.", |seen| perhaps(seen.process.threads)),
    gauge("process_open_fds", "Number of open file descriptors.", |seen| perhaps(seen.process.open_fds)),
    gauge("process_max_fds", "Maximum number of open file descriptors.", |seen| {
        perhaps(seen.process.max_fds)
    }),
];

/// What each peer lacks; nothing on a node that does not lead.
fn lags(status: &Status) -> Vec<(NodeId, u64)> {
    let replication = status.replication.iter().flatten();
    let peers = replication.filter(|(peer, _)| **peer != status.node);
    peers.map(|(peer, matching)| (*peer, status.last_log.saturating_sub(matching.unwrap_or(0)))).collect()
}

fn failure_tolerance(status: &Status) -> Option<usize> {
    status.replication.as_ref()?;
    let lags = lags(status);
    let is_up =
        |node| node == status.node || lags.iter().any(|(peer, lag)| *peer == node && *lag <= LAG_UP_MAX);
    let voters = status.members.iter().filter(|member| member.voter);
    let (up, all) = voters.fold((0, 0), |(up, all), voter| (up + usize::from(is_up(voter.id)), all + 1));
    Some(usize::saturating_sub(up, all / 2 + 1))
}

/// The histogram of sync times. OpenTelemetry has no histogram that is only read, so this one goes to the registry
/// beside it.
struct WalSyncs {
    wal: Arc<WalMetrics>,
    description: Desc,
}

impl WalSyncs {
    const NAME: &str = "tenure_disk_wal_fsync_duration_seconds";
    const HELP: &str = "How long the durable writes of the log took.";

    fn new(wal: Arc<WalMetrics>) -> Self {
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

/// What the kernel says about this process; what it does not say is left out.
struct Process {
    cpu_seconds: f64,
    start_time_seconds: Option<f64>,
    resident_memory_bytes: Option<f64>,
    virtual_memory_bytes: Option<f64>,
    threads: Option<f64>,
    open_fds: Option<f64>,
    max_fds: Option<f64>,
}

impl Process {
    fn read() -> Self {
        let file = |path| std::fs::read_to_string(path).unwrap_or_default();
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let status = file("/proc/self/status");
        let kilobytes = |name| Some(word(&status, name, 0)? * 1024.0);
        // Counting opens one more.
        let open_fds =
            std::fs::read_dir("/proc/self/fd").ok().map(|fds| fds.count().saturating_sub(1) as f64);
        Self {
            cpu_seconds: cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9,
            start_time_seconds: start_time(&file("/proc/self/stat"), &file("/proc/stat")),
            resident_memory_bytes: kilobytes("VmRSS:"),
            virtual_memory_bytes: kilobytes("VmSize:"),
            threads: word(&status, "Threads:", 0),
            open_fds,
            max_fds: word(&file("/proc/self/limits"), "Max open files", 0),
        }
    }
}

/// The number at `place` after `name`, on the line that begins so.
fn word(text: &str, name: &str, place: usize) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().nth(place)?.parse().ok()
}

/// Boot time plus the age at boot of this process: the 22nd field, where the second, a name in parentheses, may hold
/// anything.
fn start_time(process: &str, system: &str) -> Option<f64> {
    let (_, after_name) = process.rsplit_once(')')?;
    let ticks: f64 = after_name.split_whitespace().nth(22 - 3)?.parse().ok()?;
    Some(word(system, "btime", 0)? + ticks / USER_HZ)
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn the_kernel_is_read_even_if_the_program_has_an_odd_name() {
        let process = "4711 (a) b) S 1 4711 4711 0 -1 4194560 1 0 0 0 5 6 0 0 20 0 9 0 12345 1000 10";
        assert_eq!(start_time(process, "cpu 1 2\nbtime 1700000000\n"), Some(1_700_000_123.45));
        assert_eq!(start_time("", ""), None);
        let limits =
            "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024     4096     files\n";
        assert_eq!(word(limits, "Max open files", 0), Some(1024.0));
        let process = Process::read();
        assert!(process.open_fds.unwrap() >= 3.0 && process.resident_memory_bytes.unwrap() > 1e6);
    }
}
