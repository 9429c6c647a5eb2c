//! `COMMAND`: the table, told to clients that route or complete by it.

use super::{Arity, Call, Keys, Kind, Spec, Subcommand};
use crate::codec::decode;
use crate::plan::Plan;
use crate::{Error, Reply};

pub(crate) fn command(call: &mut Call<'_>) -> Result<Plan, Error> {
    if call.arguments.is_empty() {
        return info(call);
    }
    call.subcommand()
}

pub(crate) static SUBCOMMANDS: &[Subcommand] = &[
    Subcommand {
        name: "count",
        arity: Arity(2),
        handler: |call| Ok(Plan::Local(Reply::count(call.node.commands.0.len() as u64))),
    },
    // Texts for people: redis-cli completes without them.
    Subcommand { name: "docs", arity: Arity(-2), handler: |_| Ok(Plan::Local(Reply::Map(vec![]))) },
    Subcommand { name: "getkeys", arity: Arity(-3), handler: getkeys },
    Subcommand { name: "info", arity: Arity(-2), handler: info },
    Subcommand { name: "list", arity: Arity(2), handler: list },
];

fn list(call: &mut Call<'_>) -> Result<Plan, Error> {
    Ok(Plan::Local(Reply::texts(call.node.commands.0.iter().map(|spec| spec.name))))
}

fn info(call: &mut Call<'_>) -> Result<Plan, Error> {
    let table = call.node.commands;
    if call.arguments.is_empty() {
        return Ok(Plan::Local(Reply::Array(table.0.iter().map(described).collect())));
    }
    let mut told = Vec::new();
    while let Ok(name) = call.arguments.take() {
        told.push(table.find(&name).map_or(Reply::Null, |place| described(&table.0[place])));
    }
    Ok(Plan::Local(Reply::Array(told)))
}

/// The ten fields of Redis 7; tips, key specifications and subcommands are left empty.
fn described(spec: &Spec) -> Reply {
    let flags: &[&'static str] = match spec.kind {
        Kind::Read | Kind::Listing => &["readonly", "fast"],
        Kind::Write => &["write", "denyoom", "fast"],
        Kind::Server => &["loading", "stale", "fast"],
        Kind::Script => &["noscript", "movablekeys"],
    };
    let category = match spec.kind {
        Kind::Read | Kind::Listing => "@read",
        Kind::Write => "@write",
        Kind::Server => "@connection",
        Kind::Script => "@scripting",
    };
    let words =
        |words: &[&'static str]| Reply::Set(words.iter().map(|word| Reply::Simple((*word).into())).collect());
    let Keys { first, last, step } = spec.keys;
    Reply::Array(vec![
        Reply::text(spec.name),
        Reply::Integer(spec.arity.0.into()),
        words(flags),
        Reply::Integer(first.into()),
        Reply::Integer(last.into()),
        Reply::Integer(step.into()),
        words(&[category]),
        Reply::Array(vec![]),
        Reply::Array(vec![]),
        Reply::Array(vec![]),
    ])
}

fn getkeys(call: &mut Call<'_>) -> Result<Plan, Error> {
    let name = call.arguments.take()?;
    let table = call.node.commands;
    let spec = table.find(&name).map(|place| &table.0[place]).ok_or(Error::InvalidCommand)?;
    let mut arguments = Vec::new();
    while let Ok(argument) = call.arguments.take() {
        arguments.push(argument);
    }
    if !spec.arity.fits(arguments.len() + 1) {
        return Err(Error::InvalidKeyArguments);
    }
    if spec.kind == Kind::Script {
        let count = decode::integer(&arguments[1]).and_then(|n| usize::try_from(n).ok());
        let keys = count.and_then(|count| arguments.get(2..2 + count)).ok_or(Error::InvalidKeyArguments)?;
        return if keys.is_empty() { Err(Error::NoKeyArguments) } else { Ok(told(keys.iter())) };
    }
    let mut keys = spec.keys.among(&arguments).peekable();
    if keys.peek().is_none() { Err(Error::NoKeyArguments) } else { Ok(told(keys)) }
}

fn told<'a>(keys: impl Iterator<Item = &'a bytes::Bytes>) -> Plan {
    Plan::Local(Reply::Array(keys.map(|key| Reply::bulk(key)).collect()))
}
