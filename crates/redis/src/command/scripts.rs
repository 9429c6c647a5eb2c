//! `EVAL` and `SCRIPT`: lock scripts, as actions.

use std::sync::Arc;

use super::{Arity, Call, Subcommand};
use crate::error::echo;
use crate::metrics::Count;
use crate::plan::Plan;
use crate::script::{self, Inputs, Script, Site};
use crate::{Error, Reply};

pub(super) fn eval(call: &mut Call<'_>) -> Result<Plan, Error> {
    let source = call.arguments.take()?;
    let read_only = engine(&source)?;
    let inputs = inputs(call)?;
    let script = load(call, &source)?;
    run(call, &script, inputs, read_only)
}

pub(super) fn eval_ro(call: &mut Call<'_>) -> Result<Plan, Error> {
    let source = call.arguments.take()?;
    engine(&source)?;
    let inputs = inputs(call)?;
    let script = load(call, &source)?;
    run(call, &script, inputs, true)
}

pub(super) fn evalsha(call: &mut Call<'_>) -> Result<Plan, Error> {
    evaluate_sha(call, false)
}

pub(super) fn evalsha_ro(call: &mut Call<'_>) -> Result<Plan, Error> {
    evaluate_sha(call, true)
}

fn evaluate_sha(call: &mut Call<'_>, read_only: bool) -> Result<Plan, Error> {
    let sha = call.arguments.take()?;
    let inputs = inputs(call)?;
    let script = call.node.scripts.lock().get(&sha).ok_or(Error::NoScript)?;
    run(call, &script, inputs, read_only)
}

fn run(call: &Call<'_>, script: &Arc<Script>, inputs: Inputs, read_only: bool) -> Result<Plan, Error> {
    let site = Site { command: call.name, database: call.session.database, read_only };
    let plan = script::plan(script, inputs, site);
    let metrics = &call.node.metrics;
    match &plan {
        Err(Error::UnsupportedScript { reason }) => {
            tracing::warn!(sha = script.sha, reason, "an unsupported script");
            metrics.scripts_unrecognised.add(1);
        }
        _ => metrics.scripts_recognised.add(1),
    }
    plan
}

/// Reads a script and remembers it, as Redis does with every one that it is sent.
fn load(call: &Call<'_>, source: &[u8]) -> Result<Arc<Script>, Error> {
    let known = call.node.scripts.lock().get(script::sha_of(source).as_bytes());
    if let Some(script) = known {
        return Ok(script);
    }
    match Script::read(source) {
        Ok(script) => {
            let script = Arc::new(script);
            call.node.scripts.lock().put(script.clone());
            Ok(script)
        }
        Err(script::Unsupported(reason)) => {
            tracing::warn!(sha = script::sha_of(source), reason, "an unsupported script");
            call.node.metrics.scripts_unrecognised.add(1);
            Err(Error::UnsupportedScript { reason })
        }
    }
}

/// The line `#!lua flags=…` before a script; whether it says that the script writes nothing.
fn engine(source: &[u8]) -> Result<bool, Error> {
    if !source.starts_with(b"#!") {
        return Ok(false);
    }
    let line = source.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let engine = line.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    if engine != b"#!lua" {
        return Err(Error::ScriptEngine(echo(engine)));
    }
    Ok(String::from_utf8_lossy(line).contains("no-writes"))
}

/// `numkeys key … argument …`.
fn inputs(call: &mut Call<'_>) -> Result<Inputs, Error> {
    let count = call.arguments.integer()?;
    let count = usize::try_from(count).map_err(|_| Error::NegativeScriptKeys)?;
    if count > call.arguments.len() {
        return Err(Error::TooFewScriptKeys);
    }
    let mut inputs = Inputs::default();
    for _ in 0..count {
        inputs.keys.push(call.arguments.take()?);
    }
    while let Ok(argument) = call.arguments.take() {
        inputs.arguments.push(argument);
    }
    Ok(inputs)
}

pub(super) fn script(call: &mut Call<'_>) -> Result<Plan, Error> {
    call.subcommand(SUBCOMMANDS)
}

static SUBCOMMANDS: &[Subcommand] = &[
    Subcommand { name: "exists", arity: Arity(-3), handler: exists },
    Subcommand { name: "flush", arity: Arity(-2), handler: flush },
    Subcommand { name: "kill", arity: Arity(2), handler: |_| Err(Error::NotBusy) },
    Subcommand { name: "load", arity: Arity(3), handler: script_load },
];

fn script_load(call: &mut Call<'_>) -> Result<Plan, Error> {
    let source = call.arguments.take()?;
    engine(&source)?;
    let script = load(call, &source)?;
    Ok(Plan::Local(Reply::text(script.sha.clone())))
}

fn exists(call: &mut Call<'_>) -> Result<Plan, Error> {
    let mut found = Vec::new();
    while let Ok(sha) = call.arguments.take() {
        found.push(Reply::flag(call.node.scripts.lock().get(&sha).is_some()));
    }
    Ok(Plan::Local(Reply::Array(found)))
}

fn flush(call: &mut Call<'_>) -> Result<Plan, Error> {
    let _ = call.arguments.word("async") || call.arguments.word("sync");
    call.arguments.finish()?;
    call.node.scripts.lock().clear();
    Ok(Plan::ok())
}
