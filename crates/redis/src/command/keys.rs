//! Whole keys: removing them, asking whether they are there, emptying a database.

use std::sync::Arc;

use domain::command::Audit;
use domain::{Action, Answer, Expiry, SetCondition};

use super::Call;
use crate::plan::Plan;
use crate::{Error, Reply};

pub(super) fn del(call: &mut Call<'_>) -> Result<Plan, Error> {
    let keys = call.arguments.own_keys(call.session.database)?;
    Ok(Plan::write(call.name, Action::Remove { keys, holder: None }, count))
}

/// `DELEX key [IFEQ value | IFNE value]`.
pub(super) fn delex(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    if call.arguments.is_empty() {
        return Ok(Plan::write(call.name, Action::Remove { keys: vec![key], holder: None }, count));
    }
    let arguments = &mut call.arguments;
    let equal = arguments.word("ifeq");
    if !equal && !arguments.word("ifne") {
        return Err(Error::Syntax);
    }
    let value = arguments.value()?;
    arguments.finish()?;
    if equal {
        return Ok(Plan::write(call.name, Action::Remove { keys: vec![key], holder: Some(value) }, count));
    }
    // A write whose end has already come removes the key, and tells whether there was one.
    let action = Action::Set {
        key,
        value: Arc::from([]),
        condition: SetCondition::IfNotEqual(value),
        expiry: Expiry::InMs(0),
        previous: true,
    };
    Ok(Plan::write(call.name, action, |answer| match answer {
        Answer::Set { written, previous: Some(previous) } => {
            Some(Reply::flag(*written && previous.is_some()))
        }
        _ => None,
    }))
}

fn count(answer: &Answer) -> Option<Reply> {
    match answer {
        Answer::Count(count) => Some(Reply::count(*count)),
        _ => None,
    }
}

/// Also `TOUCH`: nothing here is evicted by disuse, so that touching is looking.
pub(super) fn exists(call: &mut Call<'_>) -> Result<Plan, Error> {
    let keys = call.arguments.keys(call.session.database)?;
    Ok(Plan::read(move |view| Reply::count(keys.iter().filter(|key| view.exists(key)).count() as u64)))
}

pub(super) fn type_of(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.key(call.session.database)?;
    Ok(Plan::read(move |view| Reply::Simple(if view.exists(&key) { "string" } else { "none" }.into())))
}

pub(super) fn flushall(call: &mut Call<'_>) -> Result<Plan, Error> {
    flush(call, None)
}

pub(super) fn flushdb(call: &mut Call<'_>) -> Result<Plan, Error> {
    let database = call.session.database;
    flush(call, Some(database))
}

fn flush(call: &mut Call<'_>, database: Option<u8>) -> Result<Plan, Error> {
    let _ = call.arguments.word("async") || call.arguments.word("sync");
    call.arguments.finish()?;
    if !call.node.options.allow_flush {
        return Err(Error::FlushIsOff(call.name));
    }
    let audit = Box::new(Audit {
        wall_ms: call.node.now_ms(),
        actor: format!("redis client {}", call.session.client.address),
        action: call.name.to_owned(),
        subject: database
            .map_or_else(|| "all databases".to_owned(), |database| format!("database {database}")),
        reason: String::new(),
    });
    let action = Action::Flush { database, audit };
    Ok(Plan::write(call.name, action, |answer| matches!(answer, Answer::Count(_)).then_some(Reply::OK)))
}
