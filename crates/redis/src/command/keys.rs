//! Whole keys: removing them, asking whether they are there, emptying a database.

use std::sync::Arc;

use domain::command::Audit;
use domain::{Action, Answer, Expiry, Hash, Key, Kind, Set, SetCondition, SortedSet, Value};

use super::connection::database;
use super::{Arity, Call, Subcommand};
use crate::codec::decode;
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

/// How many keys, or elements of one, were concerned.
pub(super) fn count(answer: &Answer) -> Option<Reply> {
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
    Ok(Plan::read(move |view| Reply::Simple(view.kind(&key).map_or("none", word).into())))
}

/// What Redis calls a kind of value.
fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::String => "string",
        Kind::Hash => "hash",
        Kind::List => "list",
        Kind::Set => "set",
        Kind::SortedSet => "zset",
    }
}

/// The kind that a client means by a word.
pub(super) fn kind(name: &[u8]) -> Option<Kind> {
    [Kind::String, Kind::Hash, Kind::List, Kind::Set, Kind::SortedSet]
        .into_iter()
        .find(|kind| name.eq_ignore_ascii_case(word(*kind).as_bytes()))
}

pub(super) fn rename(call: &mut Call<'_>) -> Result<Plan, Error> {
    let (from, to) = (own_key(call)?, own_key(call)?);
    let action = Action::Copy { from, to, if_absent: false, moves: true };
    Ok(Plan::write(call.name, action, |answer| matches!(answer, Answer::Changed(_)).then_some(Reply::OK)))
}

pub(super) fn renamenx(call: &mut Call<'_>) -> Result<Plan, Error> {
    let (from, to) = (own_key(call)?, own_key(call)?);
    Ok(Plan::write(call.name, Action::Copy { from, to, if_absent: true, moves: true }, changed))
}

/// `COPY source destination [DB n] [REPLACE]`.
pub(super) fn copy(call: &mut Call<'_>) -> Result<Plan, Error> {
    let from = own_key(call)?;
    let mut to = own_key(call)?;
    let mut if_absent = true;
    while !call.arguments.is_empty() {
        if call.arguments.word("replace") {
            if_absent = false;
        } else if call.arguments.word("db") {
            to.database = database(call)?;
        } else {
            return Err(Error::Syntax);
        }
    }
    if from == to {
        return Err(Error::SameObject);
    }
    let action = Action::Copy { from, to, if_absent, moves: false };
    Ok(Plan::write(call.name, action, changed))
}

fn own_key(call: &mut Call<'_>) -> Result<Key, Error> {
    call.arguments.own_key(call.session.database)
}

fn changed(answer: &Answer) -> Option<Reply> {
    match answer {
        Answer::Changed(changed) => Some(Reply::flag(*changed)),
        _ => None,
    }
}

pub(super) static SUBCOMMANDS_OF_OBJECT: &[Subcommand] = &[
    Subcommand { name: "encoding", arity: Arity(3), handler: encoding },
    Subcommand { name: "freq", arity: Arity(3), handler: freq },
    Subcommand { name: "idletime", arity: Arity(3), handler: idletime },
    Subcommand { name: "refcount", arity: Arity(3), handler: refcount },
];

/// As a Redis would have it: clients of ours never see how a value is kept.
fn encoding(call: &mut Call<'_>) -> Result<Plan, Error> {
    told(call, |value| {
        Reply::text(match value {
            Value::String(value) => string_encoding(value),
            Value::Hash(hash) => hash_encoding(hash),
            Value::List(_) => "quicklist",
            Value::Set(set) if is_packed_integers(set) => "intset",
            Value::Set(_) => "hashtable",
            Value::SortedSet(set) => sorted_set_encoding(set),
        })
    })
}

fn string_encoding(value: &[u8]) -> &'static str {
    let is_integer = value.len() <= 20 && decode::integer(value).is_some();
    match value.len() {
        _ if is_integer => "int",
        0..=EMBEDDED_BYTES_MAX => "embstr",
        _ => "raw",
    }
}

fn hash_encoding(hash: &Hash) -> &'static str {
    let is_short = |text: &[u8]| text.len() <= PACKED_BYTES_MAX;
    let are_short = hash.iter().all(|(field, value)| is_short(field) && is_short(value));
    if hash.len() <= PACKED_ELEMENTS_MAX && are_short { "listpack" } else { "hashtable" }
}

fn sorted_set_encoding(set: &SortedSet) -> &'static str {
    let members = set.ranked();
    let are_short = members.iter().all(|(_, member)| member.len() <= PACKED_BYTES_MAX);
    if members.len() <= PACKED_ELEMENTS_MAX && are_short { "listpack" } else { "skiplist" }
}

/// Whether Redis would keep nothing but the integers, and in their order.
pub(super) fn is_packed_integers(set: &Set) -> bool {
    set.len() <= PACKED_INTEGERS_MAX && set.iter().all(|(member, ())| decode::integer(member).is_some())
}

const PACKED_INTEGERS_MAX: usize = 512;

/// What Redis keeps in one piece of memory.
const PACKED_ELEMENTS_MAX: usize = 128;
const PACKED_BYTES_MAX: usize = 64;

/// The longest string that Redis keeps together with its header.
const EMBEDDED_BYTES_MAX: usize = 44;

/// Nothing here is evicted by disuse, so that nobody counts.
fn freq(call: &mut Call<'_>) -> Result<Plan, Error> {
    told(call, |_| Error::NoFrequencies.into())
}

fn idletime(call: &mut Call<'_>) -> Result<Plan, Error> {
    told(call, |_| Reply::Integer(0))
}

fn refcount(call: &mut Call<'_>) -> Result<Plan, Error> {
    told(call, |_| Reply::Integer(1))
}

fn told(call: &mut Call<'_>, of: fn(&Value) -> Reply) -> Result<Plan, Error> {
    let key = call.arguments.key(call.session.database)?;
    Ok(Plan::read(move |view| view.value(&key).map_or(Reply::Null, |value| of(&value))))
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
