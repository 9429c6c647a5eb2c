//! Lists.

use std::time::Duration;

use domain::keyspace::span::{place, span};
use domain::{Alteration, Answer, ListChange, Side};

use super::Call;
use super::keys::count;
use crate::blocking::BlockingPop;
use crate::codec::decode;
use crate::plan::Plan;
use crate::{Error, Reply};

pub(super) fn lpush(call: &mut Call<'_>) -> Result<Plan, Error> {
    push(call, Side::Left, false)
}

pub(super) fn rpush(call: &mut Call<'_>) -> Result<Plan, Error> {
    push(call, Side::Right, false)
}

pub(super) fn lpushx(call: &mut Call<'_>) -> Result<Plan, Error> {
    push(call, Side::Left, true)
}

pub(super) fn rpushx(call: &mut Call<'_>) -> Result<Plan, Error> {
    push(call, Side::Right, true)
}

fn push(call: &mut Call<'_>, side: Side, if_present: bool) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    let change = ListChange::Push { side, elements: call.arguments.values()?, if_present };
    Ok(Plan::alter(call.name, key, Alteration::List(change), count))
}

pub(super) fn lpop(call: &mut Call<'_>) -> Result<Plan, Error> {
    pop(call, Side::Left)
}

pub(super) fn rpop(call: &mut Call<'_>) -> Result<Plan, Error> {
    pop(call, Side::Right)
}

/// One element, or an array of so many as are asked for.
fn pop(call: &mut Call<'_>, side: Side) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    if call.arguments.is_empty() {
        let change = ListChange::Pop { side, count: 1 };
        return Ok(Plan::alter(call.name, key, Alteration::List(change), |answer| match answer {
            Answer::Values(popped) => Some(Reply::value(popped.iter().flatten().next().cloned())),
            _ => None,
        }));
    }
    if call.arguments.len() > 1 {
        return Err(Error::Arity(call.name.to_owned()));
    }
    let many = decode::integer(&call.arguments.take()?).and_then(|count| u64::try_from(count).ok());
    let change = ListChange::Pop { side, count: many.ok_or(Error::NotPositive)? };
    Ok(Plan::alter(call.name, key, Alteration::List(change), |answer| match answer {
        Answer::Values(None) => Some(Reply::NullArray),
        Answer::Values(Some(popped)) => Some(Reply::Array(popped.iter().cloned().map(Reply::Bulk).collect())),
        _ => None,
    }))
}

pub(super) fn blpop(call: &mut Call<'_>) -> Result<Plan, Error> {
    blocking_pop(call, Side::Left)
}

pub(super) fn brpop(call: &mut Call<'_>) -> Result<Plan, Error> {
    blocking_pop(call, Side::Right)
}

/// `BLPOP key … timeout`, in seconds; 0: for ever.
fn blocking_pop(call: &mut Call<'_>, side: Side) -> Result<Plan, Error> {
    let seconds = call.arguments.take_last()?;
    let seconds = str::from_utf8(&seconds).ok().and_then(|text| text.parse::<f64>().ok());
    let seconds = seconds.filter(|seconds| !seconds.is_nan()).ok_or(Error::TimeoutNotAFloat)?;
    if seconds < 0.0 {
        return Err(Error::TimeoutNegative);
    }
    let timeout = Duration::try_from_secs_f64(seconds).map_err(|_| Error::TimeoutNotAFloat)?;
    Ok(Plan::BlockingPop(BlockingPop {
        command: call.name,
        keys: call.arguments.own_keys(call.session.database)?,
        side,
        timeout: (!timeout.is_zero()).then_some(timeout),
        client: call.session.client.clone(),
    }))
}

pub(super) fn lrem(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    let many = call.arguments.integer()?;
    let change = ListChange::Remove { element: call.arguments.value()?, count: many };
    Ok(Plan::alter(call.name, key, Alteration::List(change), count))
}

pub(super) fn lset(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    let index = call.arguments.integer();
    let element = call.arguments.value()?;
    match index {
        Ok(index) => {
            let change = ListChange::Set { index, element };
            Ok(Plan::alter(call.name, key, Alteration::List(change), done))
        }
        // Redis looks for the key before it judges the number.
        Err(error) => Ok(Plan::read(move |view| match view.list(&key)?.elements() {
            [] => Err::<Reply, _>(Error::NoSuchKey),
            _ => Err(error.clone()),
        })),
    }
}

pub(super) fn ltrim(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    let change = ListChange::Trim { start: call.arguments.integer()?, stop: call.arguments.integer()? };
    Ok(Plan::alter(call.name, key, Alteration::List(change), done))
}

fn done(answer: &Answer) -> Option<Reply> {
    matches!(answer, Answer::Done).then_some(Reply::OK)
}

pub(super) fn llen(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.key(call.session.database)?;
    Ok(Plan::read(move |view| view.list(&key).map(|list| Reply::count(list.elements().len() as u64))))
}

pub(super) fn lindex(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.key(call.session.database)?;
    let index = call.arguments.integer();
    Ok(Plan::read(move |view| {
        let list = view.list(&key)?;
        // Redis looks for the key before it judges the number.
        if list.elements().is_empty() {
            return Ok(Reply::Null);
        }
        let found = place(list.elements().len(), index.clone()?);
        Ok(Reply::value(found.map(|place| list.elements()[place].clone())))
    }))
}

pub(super) fn lrange(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.key(call.session.database)?;
    let (start, stop) = (call.arguments.integer()?, call.arguments.integer()?);
    Ok(Plan::read(move |view| {
        let list = view.list(&key)?;
        let range = span(list.elements().len(), start, stop);
        Ok(Reply::Array(list.elements()[range].iter().cloned().map(Reply::Bulk).collect()))
    }))
}
