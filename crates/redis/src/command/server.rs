//! What a client asks a server about its place in the world: `ROLE`, `TIME`, `WAIT`, and no cluster.

use super::Call;
use crate::plan::Plan;
use crate::{Error, Reply};

/// Every node answers as a master, because every node takes writes; who leads is in `INFO` and `LEASE.LEADER`.
pub(super) fn role(_: &mut Call<'_>) -> Result<Plan, Error> {
    Ok(Plan::Local(Reply::Array(vec![Reply::text("master"), Reply::Integer(0), Reply::Array(vec![])])))
}

pub(super) fn time(call: &mut Call<'_>) -> Result<Plan, Error> {
    let now_ms = call.node.now_ms();
    let part = |number: i64| Reply::text(number.to_string());
    Ok(Plan::Local(Reply::Array(vec![part(now_ms.div_euclid(1000)), part(now_ms.rem_euclid(1000) * 1000)])))
}

/// A write is answered when a majority has it, so that all but one of the majority count as replicas that do.
pub(super) fn wait(call: &mut Call<'_>) -> Result<Plan, Error> {
    call.arguments.integer()?;
    call.arguments.integer()?;
    Ok(Plan::Local(Reply::count(call.node.standing().voters as u64 / 2)))
}

/// One Raft group is not Redis Cluster; clients tell the two apart by this text.
pub(super) fn cluster_disabled(_: &mut Call<'_>) -> Result<Plan, Error> {
    Err(Error::ClusterDisabled)
}
