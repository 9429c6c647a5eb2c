//! Values: `SET` in all its forms, `GET` and its relatives, counters.

use std::sync::Arc;

use domain::limits::KEYS_PER_COMMAND_MAX;
use domain::{Action, Answer, Expiry, Key, SetCondition};

use super::Call;
use super::expiry::{self, End, Unit};
use crate::plan::Plan;
use crate::{Error, Reply};

pub(super) fn set(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    let value = call.arguments.value()?;
    let SetOptions { condition, end, previous } = set_options(call)?;
    let condition = condition.unwrap_or(SetCondition::Always);
    let expiry = match end {
        Some(EndOption::Keep) => Expiry::Keep,
        Some(EndOption::At(end)) => end.expiry(call)?,
        None => Expiry::Never,
    };
    let action = Action::Set { key, value, condition, expiry, previous };
    Ok(Plan::write(call.name, action, |answer| match answer {
        Answer::Set { previous: Some(previous), .. } => Some(Reply::value(previous.clone())),
        Answer::Set { written: true, .. } => Some(Reply::OK),
        Answer::Set { written: false, .. } => Some(Reply::Null),
        _ => None,
    }))
}

#[derive(Default)]
struct SetOptions {
    condition: Option<SetCondition>,
    end: Option<EndOption>,
    previous: bool,
}

enum EndOption {
    Keep,
    At(End),
}

/// In any order. As in Redis an option may be repeated, and the last one counts, but not contradict another.
fn set_options(call: &mut Call<'_>) -> Result<SetOptions, Error> {
    let mut options = SetOptions::default();
    while !call.arguments.is_empty() {
        if let Some(condition) = set_condition(call)? {
            let before = options.condition.replace(condition);
            if before.is_some_and(|before| Some(before) != options.condition) {
                return Err(Error::Syntax);
            }
        } else if call.arguments.word("get") {
            options.previous = true;
        } else {
            let end = match call.arguments.word("keepttl") {
                true => EndOption::Keep,
                false => EndOption::At(expiry::option(call)?.ok_or(Error::Syntax)?),
            };
            let contradicts = match (&options.end, &end) {
                (None, _) | (Some(EndOption::Keep), EndOption::Keep) => false,
                (Some(EndOption::At(before)), EndOption::At(end)) => !before.is_of_the_kind_of(end),
                _ => true,
            };
            if contradicts {
                return Err(Error::Syntax);
            }
            options.end = Some(end);
        }
    }
    Ok(options)
}

fn set_condition(call: &mut Call<'_>) -> Result<Option<SetCondition>, Error> {
    let arguments = &mut call.arguments;
    Ok(if arguments.word("nx") {
        Some(SetCondition::IfAbsent)
    } else if arguments.word("xx") {
        Some(SetCondition::IfPresent)
    } else if arguments.word("ifeq") {
        Some(SetCondition::IfEqual(arguments.value()?))
    } else if arguments.word("ifne") {
        Some(SetCondition::IfNotEqual(arguments.value()?))
    } else {
        None
    })
}

pub(super) fn setnx(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    let value = call.arguments.value()?;
    let condition = SetCondition::IfAbsent;
    let action = Action::Set { key, value, condition, expiry: Expiry::Never, previous: false };
    Ok(Plan::write(call.name, action, |answer| match answer {
        Answer::Set { written, .. } => Some(Reply::flag(*written)),
        _ => None,
    }))
}

pub(super) fn setex(call: &mut Call<'_>) -> Result<Plan, Error> {
    set_for(call, Unit::Seconds)
}

pub(super) fn psetex(call: &mut Call<'_>) -> Result<Plan, Error> {
    set_for(call, Unit::Milliseconds)
}

fn set_for(call: &mut Call<'_>, unit: Unit) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    let expiry = Expiry::InMs(expiry::positive(call, unit)?);
    let value = call.arguments.value()?;
    let action = Action::Set { key, value, condition: SetCondition::Always, expiry, previous: false };
    Ok(Plan::write(call.name, action, |answer| matches!(answer, Answer::Set { .. }).then_some(Reply::OK)))
}

pub(super) fn getset(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    let value = call.arguments.value()?;
    let condition = SetCondition::Always;
    let action = Action::Set { key, value, condition, expiry: Expiry::Never, previous: true };
    Ok(Plan::write(call.name, action, |answer| match answer {
        Answer::Set { previous: Some(previous), .. } => Some(Reply::value(previous.clone())),
        _ => None,
    }))
}

pub(super) fn get(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.key(call.session.database)?;
    Ok(Plan::read(move |view| view.string(&key).map(Reply::value)))
}

pub(super) fn strlen(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.key(call.session.database)?;
    let length = |value: Option<Arc<[u8]>>| Reply::count(value.map_or(0, |value| value.len() as u64));
    Ok(Plan::read(move |view| view.string(&key).map(length)))
}

pub(super) fn mget(call: &mut Call<'_>) -> Result<Plan, Error> {
    let keys = call.arguments.keys(call.session.database)?;
    Ok(Plan::read(move |view| {
        // What is no string has no value here.
        let values = keys.iter().map(|key| view.string(key).unwrap_or_default());
        Reply::Array(values.map(Reply::value).collect())
    }))
}

pub(super) fn getdel(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    Ok(Plan::write(call.name, Action::Take { key }, value))
}

pub(super) fn getex(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.key(call.session.database)?;
    if call.arguments.is_empty() {
        return Ok(Plan::read(move |view| view.string(&key).map(Reply::value)));
    }
    if key.name.starts_with(crate::plan::VIRTUAL_PREFIX) {
        return Err(Error::VirtualKey);
    }
    // As often as it stands there, as in Redis.
    let never = std::iter::from_fn(|| call.arguments.word("persist").then_some(())).count() > 0;
    let end = if never { None } else { Some(expiry::option(call)?.ok_or(Error::Syntax)?) };
    call.arguments.finish()?;
    match end.map_or(Ok(Expiry::Never), |end| end.expiry(call)) {
        Ok(expiry) => Ok(Plan::write(call.name, Action::Touch { key, expiry }, value)),
        // Redis looks for the key before it judges the number.
        Err(error) => Ok(Plan::read(move |view| match view.string(&key)? {
            Some(_) => Err(error.clone()),
            None => Ok(Reply::Null),
        })),
    }
}

fn value(answer: &Answer) -> Option<Reply> {
    match answer {
        Answer::Value(value) => Some(Reply::value(value.clone())),
        _ => None,
    }
}

pub(super) fn mset(call: &mut Call<'_>) -> Result<Plan, Error> {
    let action = Action::SetMany { pairs: pairs(call)?, if_none_exist: false };
    Ok(Plan::write(call.name, action, |answer| matches!(answer, Answer::Changed(_)).then_some(Reply::OK)))
}

pub(super) fn msetnx(call: &mut Call<'_>) -> Result<Plan, Error> {
    let action = Action::SetMany { pairs: pairs(call)?, if_none_exist: true };
    Ok(Plan::write(call.name, action, |answer| match answer {
        Answer::Changed(changed) => Some(Reply::flag(*changed)),
        _ => None,
    }))
}

/// A key and the value that it gets.
type Pair = (Key, Arc<[u8]>);

fn pairs(call: &mut Call<'_>) -> Result<Vec<Pair>, Error> {
    let count = call.arguments.len();
    if !count.is_multiple_of(2) {
        return Err(Error::Arity(call.name.to_owned()));
    }
    if count / 2 > KEYS_PER_COMMAND_MAX {
        return Err(Error::TooManyKeys);
    }
    let database = call.session.database;
    (0..count / 2).map(|_| Ok((call.arguments.own_key(database)?, call.arguments.value()?))).collect()
}

pub(super) fn incr(call: &mut Call<'_>) -> Result<Plan, Error> {
    add(call, |_| Ok(1))
}

pub(super) fn decr(call: &mut Call<'_>) -> Result<Plan, Error> {
    add(call, |_| Ok(-1))
}

pub(super) fn incrby(call: &mut Call<'_>) -> Result<Plan, Error> {
    add(call, |call| call.arguments.integer())
}

pub(super) fn decrby(call: &mut Call<'_>) -> Result<Plan, Error> {
    add(call, |call| call.arguments.integer()?.checked_neg().ok_or(Error::DecrementOverflow))
}

fn add(call: &mut Call<'_>, by: fn(&mut Call<'_>) -> Result<i64, Error>) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    let by = by(call)?;
    Ok(Plan::write(call.name, Action::Increment { key, by }, |answer| match answer {
        Answer::Integer(integer) => Some(Reply::Integer(*integer)),
        _ => None,
    }))
}
