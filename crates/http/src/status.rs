//! `/api/v1/status`: this node's view, in the words of `tenure status -o json`, and what a quorum round proved.
//!
//! Answered from whatever lives: without a quorum it is 200 with `quorum` false, and `leader` and `active` null.

use axum::Json;
use axum::extract::State;
use consensus::{Member, Replica};
use serde::Serialize;

use crate::office::prove;

#[derive(Serialize)]
pub(crate) struct View {
    cluster_id: Option<String>,
    term: u64,
    /// Proven, else null.
    leader: Option<u64>,
    active: Option<u64>,
    quorum: bool,
    node: Node,
    members: Vec<MemberView>,
}

/// What this node knows about itself.
#[derive(Serialize)]
struct Node {
    id: u64,
    name: String,
    role: &'static str,
    voter: bool,
    last_log: u64,
    committed: u64,
    applied: u64,
    digest: Option<String>,
    digest_index: Option<u64>,
    snapshot_index: u64,
    purged_index: u64,
    log_bytes: u64,
    commands_waiting: usize,
    draining: bool,
    out_of_service: bool,
    disk_low: bool,
    version: String,
    pid: u32,
}

#[derive(Serialize)]
struct MemberView {
    id: u64,
    name: String,
    voter: bool,
    api: String,
    peer: String,
    redis: String,
    sentinel: String,
    http: String,
}

pub(crate) async fn show(State(replica): State<Replica>) -> Json<View> {
    let proven = prove(&replica).await.ok();
    let status = replica.status();
    let voter = status.members.iter().any(|member| member.id == status.node && member.voter);
    Json(View {
        cluster_id: status.cluster_id.map(|id| format!("{:032x}", u128::from_be_bytes(id))),
        term: status.term,
        leader: proven.as_ref().map(|reading| reading.leader.0),
        active: proven.as_ref().and_then(|reading| reading.active()).map(|node| node.0),
        quorum: proven.is_some(),
        node: Node {
            id: status.node.0,
            name: status.contact.name,
            role: status.role.name(),
            voter,
            last_log: status.last_log,
            committed: status.committed,
            applied: status.applied,
            digest: status.digest.map(|(_, digest)| digest.to_string()),
            digest_index: status.digest.map(|(index, _)| index),
            snapshot_index: status.snapshot,
            purged_index: status.purged,
            log_bytes: status.log_bytes,
            commands_waiting: status.commands_waiting,
            draining: status.draining,
            out_of_service: status.out_of_service,
            disk_low: status.disk_low,
            version: status.version,
            pid: status.pid,
        },
        members: status.members.into_iter().map(view_member).collect(),
    })
}

fn view_member(member: Member) -> MemberView {
    let Member { id, name, peer, api, redis, sentinel, http, voter } = member;
    MemberView { id: id.0, name, voter, api, peer, redis, sentinel, http }
}
