//! `LEASE.*`: leases with their fencing tokens, for any client that can send a command by name.

use domain::{Action, Answer, Key, Lease};

use super::Call;
use super::expiry::{self, Unit};
use crate::plan::{Plan, View};
use crate::{Error, Reply};

/// `LEASE.ACQUIRE key owner PX ms` → `[1, token, ttl]`, or `[0, token, pttl, owner]` of the present holder.
pub(super) fn acquire(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    let holder = call.arguments.value()?;
    let ttl_ms = length(call)?;
    Ok(Plan::write(call.name, Action::Acquire { key, holder, ttl_ms, take_over: false }, granted))
}

/// `LEASE.RENEW key owner PX ms` → the shapes of `LEASE.ACQUIRE`.
pub(super) fn renew(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    let holder = call.arguments.value()?;
    let ttl_ms = Some(length(call)?);
    Ok(Plan::write(call.name, Action::Renew { key, holder, token: None, ttl_ms }, granted))
}

/// `LEASE.RELEASE key owner` → 1 or 0.
pub(super) fn release(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    let holder = call.arguments.value()?;
    Ok(Plan::write(call.name, Action::Release { key, holder, token: None }, |answer| match answer {
        Answer::Lease { granted, .. } => Some(Reply::flag(*granted)),
        _ => None,
    }))
}

/// `LEASE.TOKEN key owner` → the token, null unless that owner holds the lease.
pub(super) fn token(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.key(call.session.database)?;
    let holder = call.arguments.value()?;
    Ok(Plan::read(move |view| match lease(view, &key)? {
        Some(lease) if lease.holder == holder => Ok(Reply::count(lease.token.as_u64())),
        _ => Ok(Reply::Null),
    }))
}

/// `LEASE.INFO key` → owner, token and remaining time, or null.
pub(super) fn info(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key: Key = call.arguments.key(call.session.database)?;
    Ok(Plan::read(move |view| match lease(view, &key)? {
        Some(lease) => Ok(Reply::Map(vec![
            (Reply::text("owner"), Reply::Bulk(lease.holder.clone())),
            (Reply::text("token"), Reply::count(lease.token.as_u64())),
            (Reply::text("pttl"), pttl(&lease)),
        ])),
        None => Ok(Reply::Null),
    }))
}

fn lease(view: &View<'_>, key: &Key) -> Result<Option<Lease>, Error> {
    view.state.lease(key, view.clock).map_err(|refusal| Error::refused("lease.info", refusal))
}

/// `LEASE.LEADER` → node, term, active node and the leader's address for this protocol; null without a quorum.
pub(super) fn leader(call: &mut Call<'_>) -> Result<Plan, Error> {
    let standing = call.node.standing();
    Ok(Plan::Read(Box::new(move |view| match view {
        Ok(view) => {
            let address = standing.address(view.leader).map(|address| Reply::text(address.to_owned()));
            Reply::Map(vec![
                (Reply::text("node"), Reply::count(view.leader.0)),
                (Reply::text("term"), Reply::count(view.term)),
                (Reply::text("active"), view.active.map_or(Reply::Null, |node| Reply::count(node.0))),
                (Reply::text("redis"), address.unwrap_or(Reply::Null)),
            ])
        }
        Err(_) => Reply::Null,
    })))
}

fn length(call: &mut Call<'_>) -> Result<u64, Error> {
    if !call.arguments.word("px") {
        return Err(Error::Syntax);
    }
    let ms = expiry::positive(call, Unit::Milliseconds)?;
    call.arguments.finish()?;
    u64::try_from(ms).map_err(|_| Error::InvalidExpire(call.name))
}

fn granted(answer: &Answer) -> Option<Reply> {
    let Answer::Lease { granted, lease } = answer else { return None };
    let token = |lease: &Lease| Reply::count(lease.token.as_u64());
    Some(Reply::Array(match (granted, lease) {
        (true, Some(lease)) => vec![Reply::Integer(1), token(lease), pttl(lease)],
        (_, Some(lease)) => {
            vec![Reply::Integer(0), token(lease), pttl(lease), Reply::Bulk(lease.holder.clone())]
        }
        (_, None) => vec![Reply::Integer(0), Reply::Null, Reply::Integer(-2), Reply::Null],
    }))
}

fn pttl(lease: &Lease) -> Reply {
    lease.remaining_ms.map_or(Reply::Integer(-1), Reply::count)
}
