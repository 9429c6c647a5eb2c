//! `tenure status`: the cluster now, from whatever lives, and what is wrong with it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use wire::v1;

use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::output::{Format, Table, or_dash};

/// With what a node needs to answer, the whole command stays under two seconds.
const QUORUM_WAIT: Duration = Duration::from_millis(1000);

/// A follower that lacks more entries than this is a problem.
const LAG_MAX: u64 = 10_000;

#[derive(Serialize)]
pub struct Cluster {
    pub cluster_id: Option<String>,
    pub term: u64,
    /// Proven by a quorum round, else null.
    pub leader: Option<u64>,
    pub active: Option<u64>,
    pub quorum: bool,
    /// Voters that may still fail.
    pub failure_tolerance: usize,
    pub problems: Vec<Problem>,
    pub nodes: Vec<Node>,
}

#[derive(Serialize)]
pub struct Problem {
    pub severity: &'static str,
    pub what: String,
    pub since: Option<String>,
    pub next: String,
}

#[derive(Serialize)]
pub struct Node {
    pub id: u64,
    pub name: String,
    pub role: Option<&'static str>,
    pub reachable: bool,
    pub voter: bool,
    pub api: String,
    pub peer: String,
    pub redis: String,
    pub sentinel: String,
    pub http: String,
    pub last_log: Option<u64>,
    pub committed: Option<u64>,
    pub applied: Option<u64>,
    /// Entries that it lacks behind the furthest node.
    pub lag: Option<u64>,
    pub digest: Option<String>,
    pub digest_index: Option<u64>,
    pub draining: Option<bool>,
    pub out_of_service: Option<bool>,
    pub disk_low: Option<bool>,
    pub version: Option<String>,
    pub pid: Option<u32>,
}

pub async fn run(client: &Client, format: Format) -> Result<()> {
    let cluster = look(client).await?;
    format.one(&cluster, table)?;
    if !cluster.quorum {
        let message = "no majority answers: nothing can be committed";
        return Err(
            Failure::new(Exit::NoQuorum, "NO_QUORUM", message, "start the nodes that are down").into()
        );
    }
    Ok(())
}

/// Asks every endpoint, then every member that no endpoint was.
pub async fn look(client: &Client) -> Result<Cluster> {
    let mut answers: Vec<v1::StatusResponse> = Vec::new();
    let mut why = String::new();
    for (address, status) in client.statuses(QUORUM_WAIT).await {
        match status {
            Ok(status) => answers.push(status),
            Err(status) => why = format!("{address}: {}", status.message()),
        }
    }
    if answers.is_empty() {
        return Err(Failure::new(
            Exit::NoQuorum,
            "UNREACHABLE",
            format!("no node answers; {why}"),
            "tenure dev",
        )
        .into());
    }
    // One that was silent is not asked again under its own name: that would take as long once more.
    let asked: Vec<&String> = client.channels().map(|(address, _)| address).collect();
    let others: Vec<String> = members(&answers)
        .into_values()
        .filter(|member| {
            !asked.contains(&&member.api) && answers.iter().all(|answer| id_of(answer) != member.id)
        })
        .map(|member| member.api)
        .collect();
    if !others.is_empty() {
        let others = Client::new(others)?.statuses(Duration::from_millis(200)).await;
        answers.extend(others.into_iter().filter_map(|(_, status)| status.ok()));
    }
    let ours = cluster_of(&answers);
    let (answers, strangers): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| cluster_id(answer) == ours);
    Ok(Cluster::new(&answers, &strangers))
}

fn id_of(answer: &v1::StatusResponse) -> u64 {
    answer.node.as_ref().and_then(|node| node.member.as_ref()).map_or(0, |member| member.id)
}

/// Empty for a node that belongs to no cluster.
fn cluster_id(answer: &v1::StatusResponse) -> String {
    answer.header.as_ref().map(|header| header.cluster_id.clone()).unwrap_or_default()
}

/// The cluster that is asked about: the one that proved a leader, else the one that most nodes belong to.
fn cluster_of(answers: &[v1::StatusResponse]) -> String {
    let mut votes: BTreeMap<String, (bool, usize)> = BTreeMap::new();
    for answer in answers {
        let id = cluster_id(answer);
        let founded = !id.is_empty();
        let vote = votes.entry(id).or_default();
        vote.0 |= answer.proven_term.is_some();
        vote.1 += usize::from(founded);
    }
    let most = votes.into_iter().max_by_key(|(_, vote)| *vote);
    most.map(|(id, _)| id).unwrap_or_default()
}

/// Every member that any answer knows, by the answer that has applied most.
fn members(answers: &[v1::StatusResponse]) -> BTreeMap<u64, v1::Member> {
    let applied = |answer: &&v1::StatusResponse| answer.node.as_ref().map_or(0, |node| node.applied);
    let newest = answers.iter().max_by_key(applied);
    let members = newest.map(|answer| answer.members.clone()).unwrap_or_default();
    members.into_iter().map(|member| (member.id, member)).collect()
}

impl Cluster {
    /// `strangers` answer at addresses of this cluster and do not belong to it.
    fn new(answers: &[v1::StatusResponse], strangers: &[v1::StatusResponse]) -> Self {
        let proven =
            answers.iter().filter(|answer| answer.proven_term.is_some()).max_by_key(|a| a.proven_term);
        let statuses: BTreeMap<u64, &v1::NodeStatus> = answers
            .iter()
            .filter_map(|answer| answer.node.as_ref())
            .filter_map(|node| Some((node.member.as_ref()?.id, node)))
            .collect();
        let mut members = members(answers);
        for node in statuses.values() {
            let member = node.member.clone().unwrap_or_default();
            members.entry(member.id).or_insert(member);
        }
        let last = statuses.values().map(|node| node.last_log).max().unwrap_or(0);
        let nodes: Vec<Node> =
            members.into_values().map(|member| Node::new(&statuses, member, last)).collect();
        let voters = nodes.iter().filter(|node| node.voter).count();
        let alive = nodes.iter().filter(|node| node.voter && node.reachable).count();
        let mut cluster = Self {
            cluster_id: answers
                .iter()
                .filter_map(|a| a.header.as_ref())
                .map(|h| h.cluster_id.clone())
                .find(|id| !id.is_empty()),
            term: statuses.values().map(|node| node.term).max().unwrap_or(0),
            leader: proven.and_then(|answer| answer.proven_leader),
            active: proven.and_then(|answer| answer.proven_active),
            quorum: proven.is_some(),
            failure_tolerance: alive.saturating_sub(voters / 2 + 1),
            problems: Vec::new(),
            nodes,
        };
        cluster.problems = cluster.find_problems();
        cluster.problems.extend(strangers.iter().map(Problem::of_stranger));
        cluster
    }

    fn find_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut say = |severity, what: String, next: &str| {
            problems.push(Problem { severity, what, since: None, next: next.into() });
        };
        if self.cluster_id.is_none() {
            say("critical", "the cluster is not founded yet".into(), "tenure init");
            return problems;
        }
        if !self.quorum {
            say(
                "critical",
                "no leader could prove that it leads: nothing can be committed".into(),
                "start the nodes that are down",
            );
        } else if self.active.is_none() {
            say("warning", "the leader has not finished taking over".into(), "tenure history");
        }
        for node in &self.nodes {
            let name = &node.name;
            if !node.reachable {
                say("warning", format!("{name} does not answer at {}", node.api), "start it, or see its log");
            }
            if node.out_of_service == Some(true) {
                say(
                    "critical",
                    format!("the state of {name} differs from the majority's"),
                    "stop it, remove it, and add a new member",
                );
            }
            if node.disk_low == Some(true) {
                say(
                    "critical",
                    format!("the disk of {name} is almost full"),
                    "free space below node.data's mount",
                );
            }
            if node.draining == Some(true) {
                say(
                    "warning",
                    format!("{name} is draining"),
                    &format!("tenure drain {} --undo --yes", node.id),
                );
            }
            if node.lag.is_some_and(|lag| lag > LAG_MAX) {
                say(
                    "warning",
                    format!("{name} lacks {} entries", or_dash(node.lag)),
                    "see its log, its disk and its network",
                );
            }
        }
        if self.quorum && self.failure_tolerance == 0 && self.nodes.iter().filter(|n| n.voter).count() > 2 {
            say("warning", "no further node may fail".into(), "start the nodes that are down");
        }
        let versions: std::collections::BTreeSet<_> =
            self.nodes.iter().filter_map(|n| n.version.clone()).collect();
        if versions.len() > 1 {
            let versions = versions.into_iter().collect::<Vec<_>>().join(", ");
            say("info", format!("the nodes run different versions: {versions}"), "finish the upgrade");
        }
        problems
    }
}

impl Problem {
    fn of_stranger(answer: &v1::StatusResponse) -> Self {
        let member = answer.node.as_ref().and_then(|node| node.member.clone()).unwrap_or_default();
        let v1::Member { id, name, api, .. } = member;
        let (what, next) = if cluster_id(answer).is_empty() {
            let what =
                format!("{name} at {api} has an empty data directory; a member that lost its own is spent");
            (what, format!("tenure member remove {id} --yes, then add it under a new id: tenure member add"))
        } else {
            let what = format!("{name} at {api} belongs to another cluster");
            (what, "start the right node there, or correct the addresses".to_owned())
        };
        Self { severity: "critical", what, since: None, next }
    }
}

impl Node {
    fn new(statuses: &BTreeMap<u64, &v1::NodeStatus>, member: v1::Member, last: u64) -> Self {
        let status = statuses.get(&member.id);
        let v1::Member { id, name, api, peer, redis, sentinel, http, voter } = member;
        Self {
            id,
            name,
            role: status.map(|status| role(status.role())),
            reachable: status.is_some(),
            voter,
            api,
            peer,
            redis,
            sentinel,
            http,
            last_log: status.map(|status| status.last_log),
            committed: status.map(|status| status.committed),
            applied: status.map(|status| status.applied),
            lag: status.map(|status| last.saturating_sub(status.applied)),
            digest: status.map(|status| status.digest.clone()).filter(|digest| !digest.is_empty()),
            digest_index: status.map(|status| status.digest_index).filter(|index| *index > 0),
            draining: status.map(|status| status.draining),
            out_of_service: status.map(|status| status.out_of_service),
            disk_low: status.map(|status| status.disk_low),
            version: status.map(|status| status.version.clone()),
            pid: status.map(|status| status.pid),
        }
    }
}

fn role(role: v1::Role) -> &'static str {
    match role {
        v1::Role::Leader => "leader",
        v1::Role::Follower => "follower",
        v1::Role::Candidate => "candidate",
        v1::Role::Learner | v1::Role::Unspecified => "learner",
    }
}

fn table(cluster: &Cluster) -> Table {
    let mut table = Table::default();
    let name = |id: Option<u64>| {
        id.and_then(|id| cluster.nodes.iter().find(|node| node.id == id))
            .map_or("none", |node| &node.name)
            .to_owned()
    };
    table.row([
        format!("cluster {}", or_dash(cluster.cluster_id.clone())),
        format!("term {}", cluster.term),
        format!("leader {}", name(cluster.leader)),
        format!("active {}", name(cluster.active)),
        format!("{} more may fail", cluster.failure_tolerance),
    ]);
    let mut text = table.to_string();
    let mut nodes = Table::with_head(&["id", "name", "role", "applied", "lag", "api", "redis", "http"]);
    for node in &cluster.nodes {
        nodes.row([
            node.id.to_string(),
            node.name.clone(),
            node.role.unwrap_or("(no answer)").into(),
            or_dash(node.applied),
            or_dash(node.lag),
            node.api.clone(),
            node.redis.clone(),
            node.http.clone(),
        ]);
    }
    text += &format!("\n{nodes}\n");
    if cluster.problems.is_empty() {
        text += "no problems\n";
    } else {
        let mut problems = Table::with_head(&["severity", "problem", "next"]);
        for problem in &cluster.problems {
            problems.row([problem.severity.to_owned(), problem.what.clone(), problem.next.clone()]);
        }
        text += &problems.to_string();
    }
    let mut all = Table::default();
    for line in text.lines() {
        all.row([line]);
    }
    all
}
