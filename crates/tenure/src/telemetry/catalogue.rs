//! Every metric of this process: its name, its meaning, and where it is read.

use std::sync::atomic::Ordering::Relaxed;

use consensus::{Role, Status};
use domain::NodeId;
use opentelemetry::KeyValue;

use super::{Instrument, atomic, by_door, counter, flag, gauge, labelled, one, perhaps};

/// A voter whose log lacks at most this many entries counts as up. A leader has two entries in flight, so one that
/// answers lacks a few; one that does not lacks a tick more every second.
const LAG_UP_MAX: u64 = 10;

/// Every metric but the histogram of sync times. A new door adds a table of its own, and its counters to [`Seen`](super::Seen).
pub(super) const CATALOGUE: &[&[Instrument]] = &[NODE, RAFT, LEASES, DISK, STATE, REDIS, HTTP, PROCESS];

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
    gauge(
        "tenure_raft_outcomes_bytes",
        "What they count for; at 256 MiB new commands are refused as overload.",
        |seen| one(seen.outcome_bytes as u64),
    ),
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

/// What is kept beside the log: the applied state for a fast restart, and sealed history.
const STATE: &[Instrument] = &[
    counter("tenure_state_store_rows_written_total", "Rows written to the state store.", |seen| {
        one(seen.raft.state_rows_written.get())
    }),
    counter(
        "tenure_state_store_writes_put_off_total",
        "Seconds in which the state store was left behind because too much changed.",
        |seen| one(seen.raft.state_writes_put_off.get()),
    ),
    counter(
        "tenure_state_store_rebuilds_total",
        "Times that the whole state was written to the state store.",
        |seen| one(seen.raft.state_rebuilds.get()),
    ),
    counter(
        "tenure_state_store_discarded_total",
        "Times that the state store was thrown away: damaged, ahead of the log, or of a wrong state.",
        |seen| one(seen.raft.state_discarded.get()),
    ),
    counter(
        "tenure_history_files_written_total",
        "History files that this node wrote when the log sealed them.",
        |seen| one(seen.raft.history_files_written.get()),
    ),
    counter("tenure_history_files_fetched_total", "History files that this node got from a peer.", |seen| {
        one(seen.raft.history_files_fetched.get())
    }),
    gauge("tenure_history_files_missing", "Sealed history files that are not on this node.", |seen| {
        one(seen.raft.history_files_missing.get())
    }),
    gauge(
        "tenure_history_files_unindexed",
        "Sealed history files whose orders cannot be found yet.",
        |seen| one(seen.raft.history_files_unindexed.get()),
    ),
];

/// Of both doors that speak Redis's protocol, by the label `door`: `redis`, where the keys are, and `sentinel`.
const REDIS: &[Instrument] = &[
    counter("tenure_resp_commands_total", "Redis commands answered, by door, command and result.", |seen| {
        let of_door = |(door, metrics): (&'static str, &redis::Metrics)| {
            let labels = |counted: redis::CommandCount| {
                let labels =
                    [("door", door), ("command", counted.command), ("result", counted.outcome.name())];
                (labels.map(|(key, value)| KeyValue::new(key, value)).to_vec(), counted.count as f64)
            };
            metrics.commands().map(labels).collect::<Vec<_>>()
        };
        seen.doors.each().into_iter().flat_map(of_door).collect()
    }),
    counter("tenure_resp_unknown_commands_total", "Redis commands that there are not.", |seen| {
        by_door(seen, |door| &door.unknown_commands)
    }),
    gauge("tenure_resp_connections", "Open Redis connections.", |seen| {
        by_door(seen, |door| &door.connections_open)
    }),
    counter(
        "tenure_resp_connections_refused_total",
        "Redis connections closed because there were too many.",
        |seen| by_door(seen, |door| &door.connections_rejected),
    ),
    counter(
        "tenure_resp_connections_stalled_total",
        "Redis connections closed because the client did not read its replies.",
        |seen| by_door(seen, |door| &door.connections_stalled),
    ),
    counter("tenure_resp_protocol_errors_total", "Redis connections closed for malformed frames.", |seen| {
        by_door(seen, |door| &door.protocol_errors)
    }),
    counter("tenure_resp_authentication_failures_total", "Wrong Redis passwords.", |seen| {
        by_door(seen, |door| &door.authentication_failures)
    }),
    counter(
        "tenure_resp_scripts_total",
        "Redis scripts called, by whether they were recognised as one action; the others were run.",
        |seen| {
            let recognised = [
                ("yes", &seen.doors.redis.scripts_recognised),
                ("no", &seen.doors.redis.scripts_unrecognised),
            ];
            labelled("recognised", recognised.map(|(label, count)| (label, count.load(Relaxed))))
        },
    ),
    counter(
        "tenure_resp_scripts_slow_total",
        "Redis scripts that took longer than a lock script may.",
        |seen| atomic(&seen.doors.redis.scripts_slow),
    ),
    gauge(
        "tenure_resp_subscriptions",
        "Channels and patterns that the Redis connections of this node have subscribed to.",
        |seen| by_door(seen, |door| &door.subscriptions),
    ),
    counter(
        "tenure_resp_messages_delivered_total",
        "Messages handed to Redis subscribers of this node, each counted once for each.",
        |seen| by_door(seen, |door| &door.messages_delivered),
    ),
    counter(
        "tenure_resp_subscribers_disconnected_total",
        "Redis subscribers disconnected: slow, they did not read; gap, messages were missing on this node.",
        |seen| {
            let of_door = |(door, metrics): (&'static str, &redis::Metrics)| {
                let why = [("slow", &metrics.subscribers_slow), ("gap", &metrics.subscribers_lost)];
                why.map(|(reason, count)| {
                    let labels = [KeyValue::new("door", door), KeyValue::new("reason", reason)];
                    (labels.to_vec(), count.load(Relaxed) as f64)
                })
            };
            seen.doors.each().into_iter().flat_map(of_door).collect()
        },
    ),
    counter(
        "tenure_resp_redlock_sightings_total",
        "Locks refused because of themselves, as a client meets them that uses the nodes as Redlock masters; few are looked at.",
        |seen| atomic(&seen.doors.redis.redlock_sightings),
    ),
    counter(
        "tenure_resp_conflicts_total",
        "Runs of Redis scripts and transactions that began anew because others changed what they had read.",
        |seen| {
            let conflicts = [
                ("script", &seen.doors.redis.script_conflicts),
                ("transaction", &seen.doors.redis.transaction_conflicts),
            ];
            labelled("kind", conflicts.map(|(label, count)| (label, count.load(Relaxed))))
        },
    ),
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

pub(super) fn failure_tolerance(status: &Status) -> Option<usize> {
    status.replication.as_ref()?;
    let lags = lags(status);
    let is_up =
        |node| node == status.node || lags.iter().any(|(peer, lag)| *peer == node && *lag <= LAG_UP_MAX);
    let voters = status.members.iter().filter(|member| member.voter);
    let (up, all) = voters.fold((0, 0), |(up, all), voter| (up + usize::from(is_up(voter.id)), all + 1));
    Some(usize::saturating_sub(up, all / 2 + 1))
}
