//! Sets.

use std::sync::Arc;

use domain::{Alteration, Set, SetChange};

use super::Call;
use super::keys::{count, is_packed_integers};
use crate::codec::decode;
use crate::plan::Plan;
use crate::{Error, Reply};

pub(super) fn sadd(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    let change = SetChange::Add { members: call.arguments.values()? };
    Ok(Plan::alter(call.name, key, Alteration::Set(change), count))
}

pub(super) fn srem(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    let change = SetChange::Remove { members: call.arguments.values()? };
    Ok(Plan::alter(call.name, key, Alteration::Set(change), count))
}

pub(super) fn scard(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.key(call.session.database)?;
    Ok(Plan::read(move |view| view.set(&key).map(|set| Reply::count(set.len() as u64))))
}

pub(super) fn sismember(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.key(call.session.database)?;
    let member = call.arguments.take()?;
    Ok(Plan::read(move |view| view.set(&key).map(|set| Reply::flag(set.get(&member).is_some()))))
}

pub(super) fn smismember(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.key(call.session.database)?;
    let members: Vec<_> = std::iter::from_fn(|| call.arguments.take().ok()).collect();
    let flags =
        move |set: &Set| members.iter().map(|member| Reply::flag(set.get(member).is_some())).collect();
    Ok(Plan::read(move |view| view.set(&key).map(|set| Reply::Array(flags(&set)))))
}

pub(super) fn smembers(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.key(call.session.database)?;
    let members = |set: &Set| in_order(set).into_iter().cloned().map(Reply::Bulk).collect();
    Ok(Plan::read(move |view| view.set(&key).map(|set| Reply::Set(members(&set)))))
}

/// In the order in which they came; integers in theirs, as Redis keeps them.
pub(super) fn in_order(set: &Set) -> Vec<&Arc<[u8]>> {
    let mut members: Vec<&Arc<[u8]>> = set.iter().map(|(member, ())| member).collect();
    if is_packed_integers(set) {
        members.sort_by_key(|member| decode::integer(member));
    }
    members
}
