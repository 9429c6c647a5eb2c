//! `CONFIG`: what clients and benchmarks ask for before they begin. Little can be set here: what must be equal on
//! all nodes lives in the log, the rest in each node's own file. What is set is set on this node, until it ends.

use super::{Arity, Call, Subcommand, glob};
use crate::error::echo;
use crate::limits::{BULK_BYTES_MAX, PATTERN_BYTES_MAX};
use crate::plan::Plan;
use crate::pubsub::notify::Notify;
use crate::{Error, Reply};

const NOTIFY: &str = "notify-keyspace-events";

pub(super) static SUBCOMMANDS: &[Subcommand] = &[
    Subcommand { name: "get", arity: Arity(-3), handler: get },
    Subcommand { name: "resetstat", arity: Arity(2), handler: resetstat },
    Subcommand { name: "rewrite", arity: Arity(2), handler: |_| Err(Error::NoConfigFile) },
    Subcommand { name: "set", arity: Arity(-4), handler: set },
];

/// As a Redis that is never allowed to lose anything would answer.
fn parameters(call: &Call<'_>) -> Vec<(&'static str, String)> {
    vec![
        ("appendfsync", "always".into()),
        ("appendonly", "yes".into()),
        ("bind", String::new()),
        ("databases", domain::limits::DATABASES.to_string()),
        ("maxclients", call.node.options.connections_max.to_string()),
        ("maxmemory", "0".into()),
        ("maxmemory-policy", "noeviction".into()),
        (NOTIFY, call.node.hub.lock().notify().text().to_owned()),
        ("port", call.node.options.port.to_string()),
        ("proto-max-bulk-len", BULK_BYTES_MAX.to_string()),
        ("replica-read-only", "yes".into()),
        ("save", String::new()),
        ("slave-read-only", "yes".into()),
        ("tcp-keepalive", "300".into()),
        ("tenure-allow-flush", if call.node.options.allow_flush { "yes" } else { "no" }.into()),
        ("timeout", "0".into()),
    ]
}

fn get(call: &mut Call<'_>) -> Result<Plan, Error> {
    let parameters = parameters(call);
    let mut patterns = Vec::new();
    while let Ok(pattern) = call.arguments.take() {
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(Error::PatternTooLong);
        }
        patterns.push(pattern.to_ascii_lowercase());
    }
    let wanted = |name: &str| patterns.iter().any(|pattern| glob::matches(pattern, name.as_bytes()));
    let found = parameters.into_iter().filter(|(name, _)| wanted(name));
    Ok(Plan::Local(Reply::Map(found.map(|(name, value)| (Reply::text(name), Reply::text(value))).collect())))
}

/// `CONFIG SET name value [name value …]`: all of it or nothing.
fn set(call: &mut Call<'_>) -> Result<Plan, Error> {
    if !call.arguments.len().is_multiple_of(2) {
        return Err(Error::Syntax);
    }
    let known: Vec<&str> = parameters(call).into_iter().map(|(name, _)| name).collect();
    let mut notify = None;
    while let Ok(name) = call.arguments.take() {
        let letters = call.arguments.text()?;
        let found = known.iter().find(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        match found {
            None => return Err(Error::UnknownConfig(echo(&name))),
            Some(&NOTIFY) if notify.is_some() => return Err(Error::RepeatedConfig(NOTIFY.to_owned())),
            Some(&NOTIFY) => notify = Some(Notify::parse(&letters).ok_or(Error::EventClass)?),
            Some(name) => return Err(Error::ImmutableConfig((*name).to_owned())),
        }
    }
    if let Some(notify) = notify {
        call.node.hub.lock().set_notify(notify);
    }
    Ok(Plan::ok())
}

fn resetstat(call: &mut Call<'_>) -> Result<Plan, Error> {
    call.node.metrics.reset();
    Ok(Plan::ok())
}
