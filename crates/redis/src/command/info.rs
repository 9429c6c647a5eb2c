//! `INFO`: what dashboards and the ready checks of clients read.
//!
//! `loading:1` means that no quorum answers, as in a Redis that is still reading its file: clients that look here
//! before they send anything then wait.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use domain::KeyCounts;

use super::Call;
use super::connection::VERSION;
use crate::group::Standing;
use crate::metrics::Count;
use crate::options::Purpose;
use crate::plan::{Plan, View};
use crate::pubsub::Family;
use crate::sentinel::Monitored;
use crate::{Error, Reply};

const SECTIONS: [&str; 9] =
    ["server", "clients", "memory", "persistence", "stats", "replication", "errorstats", "keyspace", "raft"];
const SENTINEL_SECTIONS: [&str; 4] = ["server", "clients", "stats", "sentinel"];

pub(crate) fn info(call: &mut Call<'_>) -> Result<Plan, Error> {
    let mut wanted = Vec::new();
    while let Ok(section) = call.arguments.take() {
        wanted.push(String::from_utf8_lossy(&section).to_ascii_lowercase());
    }
    let all =
        wanted.is_empty() || wanted.iter().any(|w| matches!(w.as_str(), "all" | "default" | "everything"));
    let is_sentinel = call.node.options.purpose != Purpose::Keys;
    let there_are: &[&str] = if is_sentinel { &SENTINEL_SECTIONS } else { &SECTIONS };
    let sections: Vec<&str> =
        there_are.iter().copied().filter(|section| all || wanted.iter().any(|w| w == section)).collect();
    let known = Known::new(call);
    if is_sentinel {
        // Plain text in both protocols, there.
        return Ok(Plan::Local(Reply::text(known.text(&sections, None))));
    }
    if known.standing.leader.is_none() {
        return Ok(Plan::Local(known.tell(&sections, None)));
    }
    Ok(Plan::Read(Box::new(move |view| known.tell(&sections, view.ok()))))
}

/// What this node knows by itself.
struct Known {
    standing: Standing,
    mode: &'static str,
    /// Of a Sentinel.
    monitored: Option<Monitored>,
    port: u16,
    run_id: String,
    uptime_s: i64,
    now_ms: i64,
    clients: usize,
    clients_max: usize,
    accepted: u64,
    rejected: u64,
    commands: u64,
    errors: BTreeMap<String, u64>,
    errors_told: u64,
    bytes_read: u64,
    bytes_written: u64,
    /// Distinct channels, patterns and shard channels of this node's subscribers.
    subscribed: [usize; Family::ALL.len()],
}

impl Known {
    fn new(call: &Call<'_>) -> Self {
        let node = call.node;
        let now_ms = node.now_ms();
        Self {
            standing: node.standing(),
            mode: node.options.purpose.mode(),
            monitored: Monitored::of(node),
            port: node.options.port,
            run_id: node.options.run_id.clone(),
            uptime_s: now_ms.saturating_sub(node.started_ms).max(0) / 1000,
            now_ms,
            clients: node.clients.len(),
            clients_max: node.options.connections_max,
            accepted: node.metrics.connections_accepted.get(),
            rejected: node.metrics.connections_rejected.get(),
            commands: node.metrics.commands_total(),
            errors: node.metrics.errors(),
            errors_told: node.metrics.errors_told.get(),
            bytes_read: node.metrics.bytes_read.get(),
            bytes_written: node.metrics.bytes_written.get(),
            subscribed: Family::ALL.map(|family| node.hub.lock().subscribed_to(family).count()),
        }
    }

    fn tell(&self, sections: &[&str], view: Option<&View<'_>>) -> Reply {
        Reply::Verbatim(self.text(sections, view))
    }

    fn text(&self, sections: &[&str], view: Option<&View<'_>>) -> String {
        let told: Vec<String> = sections.iter().filter_map(|section| self.section(section, view)).collect();
        told.join("\r\n")
    }

    fn section(&self, section: &str, view: Option<&View<'_>>) -> Option<String> {
        Some(match section {
            "server" => self.server(),
            "clients" => lines(
                "Clients",
                &[
                    ("connected_clients", self.clients.to_string()),
                    ("cluster_connections", "0".into()),
                    ("maxclients", self.clients_max.to_string()),
                    ("blocked_clients", "0".into()),
                ],
            ),
            "memory" => memory(view),
            "persistence" => persistence(view),
            "stats" => self.stats(),
            "replication" => lines(
                "Replication",
                &[
                    ("role", "master".into()),
                    ("connected_slaves", "0".into()),
                    ("master_failover_state", "no-failover".into()),
                    ("master_replid", self.run_id.clone()),
                    ("master_repl_offset", "0".into()),
                ],
            ),
            "errorstats" => self.errors(),
            "keyspace" => keyspace(view),
            "raft" => self.raft(view),
            "sentinel" => sentinel(self.monitored.as_ref()),
            _ => return None,
        })
    }

    fn server(&self) -> String {
        lines(
            "Server",
            &[
                ("redis_version", VERSION.into()),
                ("redis_git_sha1", "00000000".into()),
                ("redis_git_dirty", "0".into()),
                ("redis_mode", self.mode.into()),
                ("server_name", "tenure".into()),
                ("tenure_version", env!("CARGO_PKG_VERSION").into()),
                ("os", std::env::consts::OS.into()),
                ("arch_bits", usize::BITS.to_string()),
                ("run_id", self.run_id.clone()),
                ("tcp_port", self.port.to_string()),
                ("server_time_usec", self.now_ms.saturating_mul(1000).to_string()),
                ("uptime_in_seconds", self.uptime_s.to_string()),
                ("uptime_in_days", (self.uptime_s / 86_400).to_string()),
                ("cluster_enabled", "0".into()),
            ],
        )
    }

    fn stats(&self) -> String {
        let [channels, patterns, shard_channels] = self.subscribed;
        lines(
            "Stats",
            &[
                ("total_connections_received", self.accepted.to_string()),
                ("total_commands_processed", self.commands.to_string()),
                ("total_net_input_bytes", self.bytes_read.to_string()),
                ("total_net_output_bytes", self.bytes_written.to_string()),
                ("rejected_connections", self.rejected.to_string()),
                ("evicted_keys", "0".into()),
                ("pubsub_channels", channels.to_string()),
                ("pubsub_patterns", patterns.to_string()),
                ("pubsubshard_channels", shard_channels.to_string()),
                ("total_error_replies", self.errors_told.to_string()),
            ],
        )
    }

    fn errors(&self) -> String {
        let mut text = lines("Errorstats", &[]);
        for (code, count) in &self.errors {
            let _ = write!(text, "errorstat_{code}:count={count}\r\n");
        }
        text
    }

    /// The leader is told only if a quorum has just proved it.
    fn raft(&self, view: Option<&View<'_>>) -> String {
        let leader = view.map_or_else(|| "none".to_owned(), |view| view.leader.to_string());
        let active =
            view.and_then(|view| view.active).map_or_else(|| "none".to_owned(), |node| node.to_string());
        let term = view.map_or(self.standing.term, |view| view.term);
        lines(
            "Raft",
            &[
                ("raft_role", self.standing.role.into()),
                ("raft_leader", leader),
                ("raft_active", active),
                ("raft_term", term.to_string()),
                ("raft_voters", self.standing.voters.to_string()),
            ],
        )
    }
}

fn memory(view: Option<&View<'_>>) -> String {
    let used: usize = view.map_or(0, |view| view.state.counts().values().map(|counts| counts.bytes).sum());
    lines(
        "Memory",
        &[
            ("used_memory", used.to_string()),
            ("used_memory_dataset", used.to_string()),
            ("maxmemory", "0".into()),
            ("maxmemory_policy", "noeviction".into()),
        ],
    )
}

fn persistence(view: Option<&View<'_>>) -> String {
    let mut text = lines(
        "Persistence",
        &[
            ("loading", if view.is_some() { "0" } else { "1" }.into()),
            ("aof_enabled", "1".into()),
            ("aof_last_write_status", "ok".into()),
            ("rdb_last_bgsave_status", "ok".into()),
        ],
    );
    if view.is_none() {
        // ioredis waits this long before it asks again.
        text.push_str("loading_eta_seconds:1\r\n");
    }
    text
}

fn keyspace(view: Option<&View<'_>>) -> String {
    let mut text = lines("Keyspace", &[]);
    let counts = view.iter().flat_map(|view| view.state.counts()).filter(|(_, counts)| counts.keys > 0);
    for (database, KeyCounts { keys, ending, .. }) in counts {
        let _ = write!(text, "db{database}:keys={keys},expires={ending},avg_ttl=0\r\n");
    }
    text
}

fn sentinel(monitored: Option<&Monitored>) -> String {
    let mut fields = vec![
        ("sentinel_masters", usize::from(monitored.is_some()).to_string()),
        ("sentinel_tilt", "0".into()),
        ("sentinel_tilt_since_seconds", "-1".into()),
        ("sentinel_running_scripts", "0".into()),
        ("sentinel_scripts_queue_length", "0".into()),
        ("sentinel_simulate_failure_flags", "0".into()),
    ];
    if let Some(monitored) = monitored {
        fields.push(("master0", monitored.line()));
    }
    lines("Sentinel", &fields)
}

fn lines(title: &str, fields: &[(&str, String)]) -> String {
    let mut text = format!("# {title}\r\n");
    for (name, value) in fields {
        let _ = write!(text, "{name}:{value}\r\n");
    }
    text
}
