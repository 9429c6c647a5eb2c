//! Hashes: fields and their values.

use std::sync::Arc;

use domain::{Action, Alteration, Answer, Hash, HashChange, Value};

use super::Call;
use super::keys::count;
use crate::edit::{Edit, Edited};
use crate::long_double::LongDouble;
use crate::plan::Plan;
use crate::{Error, Reply};

pub(super) fn hset(call: &mut Call<'_>) -> Result<Plan, Error> {
    set(call, count)
}

pub(super) fn hmset(call: &mut Call<'_>) -> Result<Plan, Error> {
    set(call, |answer| matches!(answer, Answer::Count(_)).then_some(Reply::OK))
}

fn set(call: &mut Call<'_>, reply: fn(&Answer) -> Option<Reply>) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    if !call.arguments.len().is_multiple_of(2) {
        return Err(Error::Arity(call.name.to_owned()));
    }
    let mut fields = Vec::new();
    while !call.arguments.is_empty() {
        fields.push((call.arguments.value()?, call.arguments.value()?));
    }
    let change = HashChange::Set { fields, if_absent: false };
    Ok(Plan::alter(call.name, key, Alteration::Hash(change), reply))
}

pub(super) fn hsetnx(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    let fields = vec![(call.arguments.value()?, call.arguments.value()?)];
    let change = HashChange::Set { fields, if_absent: true };
    Ok(Plan::alter(call.name, key, Alteration::Hash(change), count))
}

pub(super) fn hdel(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    let change = HashChange::Remove { fields: call.arguments.values()? };
    Ok(Plan::alter(call.name, key, Alteration::Hash(change), count))
}

pub(super) fn hincrby(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    let change = HashChange::Increment { field: call.arguments.value()?, by: call.arguments.integer()? };
    Ok(Plan::alter(call.name, key, Alteration::Hash(change), |answer| match answer {
        Answer::Integer(integer) => Some(Reply::Integer(*integer)),
        _ => None,
    }))
}

pub(super) fn hincrbyfloat(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    let field = call.arguments.value()?;
    let by = LongDouble::read(&call.arguments.take()?).ok_or(Error::NotAFloat)?;
    if !by.is_finite() {
        return Err(Error::InfiniteIncrement);
    }
    let written = key.clone();
    Ok(Plan::Edit(Edit::new(call.name, key, move |present| {
        let hash = match present {
            None => Arc::default(),
            Some(Value::Hash(hash)) => hash,
            Some(_) => return Err(Error::WrongKind),
        };
        let read = |text: &Arc<[u8]>| LongDouble::read(text).ok_or(Error::HashValueNotAFloat);
        let present = hash.get(&field).map_or(Ok(LongDouble::ZERO), read)?;
        let sum: Arc<[u8]> = present.plus(by).ok_or(Error::FloatOverflow)?.text().into_bytes().into();
        let change = HashChange::Set { fields: vec![(field.clone(), sum.clone())], if_absent: false };
        let alteration = Alteration::Hash(change);
        Ok(Edited {
            write: Some(Action::Alter { key: written.clone(), alteration }),
            reply: Reply::Bulk(sum),
        })
    })))
}

pub(super) fn hget(call: &mut Call<'_>) -> Result<Plan, Error> {
    of_field(call, |value| Reply::value(value.cloned()))
}

pub(super) fn hexists(call: &mut Call<'_>) -> Result<Plan, Error> {
    of_field(call, |value| Reply::flag(value.is_some()))
}

pub(super) fn hstrlen(call: &mut Call<'_>) -> Result<Plan, Error> {
    of_field(call, |value| Reply::count(value.map_or(0, |value| value.len() as u64)))
}

fn of_field(call: &mut Call<'_>, tell: fn(Option<&Arc<[u8]>>) -> Reply) -> Result<Plan, Error> {
    let key = call.arguments.key(call.session.database)?;
    let field = call.arguments.take()?;
    Ok(Plan::read(move |view| view.hash(&key).map(|hash| tell(hash.get(&field)))))
}

pub(super) fn hmget(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.key(call.session.database)?;
    let fields: Vec<_> = std::iter::from_fn(|| call.arguments.take().ok()).collect();
    let values =
        move |hash: &Hash| fields.iter().map(|field| Reply::value(hash.get(field).cloned())).collect();
    Ok(Plan::read(move |view| view.hash(&key).map(|hash| Reply::Array(values(&hash)))))
}

pub(super) fn hlen(call: &mut Call<'_>) -> Result<Plan, Error> {
    of_all(call, |hash| Reply::count(hash.len() as u64))
}

pub(super) fn hgetall(call: &mut Call<'_>) -> Result<Plan, Error> {
    of_all(call, |hash| {
        let pairs =
            hash.iter().map(|(field, value)| (Reply::Bulk(field.clone()), Reply::Bulk(value.clone())));
        Reply::Map(pairs.collect())
    })
}

pub(super) fn hkeys(call: &mut Call<'_>) -> Result<Plan, Error> {
    of_all(call, |hash| Reply::Array(hash.iter().map(|(field, _)| Reply::Bulk(field.clone())).collect()))
}

pub(super) fn hvals(call: &mut Call<'_>) -> Result<Plan, Error> {
    of_all(call, |hash| Reply::Array(hash.iter().map(|(_, value)| Reply::Bulk(value.clone())).collect()))
}

fn of_all(call: &mut Call<'_>, tell: impl Fn(&Hash) -> Reply + Send + Sync + 'static) -> Result<Plan, Error> {
    let key = call.arguments.key(call.session.database)?;
    Ok(Plan::read(move |view| view.hash(&key).map(|hash| tell(&hash))))
}
