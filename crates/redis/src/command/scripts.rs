//! `EVAL` and `SCRIPT`. A script that does what one action does becomes that action; every other one is run.

use domain::Sha1;

use super::{Arity, Call, Subcommand};
use crate::evaluation::{Evaluation, Program};
use crate::loading::Loading;
use crate::metrics::Count;
use crate::plan::Plan;
use crate::script::{self, Inputs, Script, Site};
use crate::{Error, Reply};

pub(super) fn eval(call: &mut Call<'_>) -> Result<Plan, Error> {
    evaluate(call, false)
}

pub(super) fn eval_ro(call: &mut Call<'_>) -> Result<Plan, Error> {
    evaluate(call, true)
}

pub(super) fn evalsha(call: &mut Call<'_>) -> Result<Plan, Error> {
    evaluate_sha(call, false)
}

pub(super) fn evalsha_ro(call: &mut Call<'_>) -> Result<Plan, Error> {
    evaluate_sha(call, true)
}

fn evaluate(call: &mut Call<'_>, read_only: bool) -> Result<Plan, Error> {
    let source = call.arguments.take()?;
    let inputs = inputs(call)?;
    let script = load(call, source)?;
    run(call, script, inputs, read_only)
}

fn evaluate_sha(call: &mut Call<'_>, read_only: bool) -> Result<Plan, Error> {
    let sha = call.arguments.take()?;
    if sha.len() != SHA_DIGITS {
        return Err(Error::NoScript);
    }
    let inputs = inputs(call)?;
    let sha = Sha1::parse(&sha).ok_or(Error::NoScript)?;
    let known = call.node.scripts().get(&sha);
    match known {
        Some(script) => run(call, script, inputs, read_only),
        None => Ok(evaluation(call, Program::Named(sha), inputs, read_only)),
    }
}

const SHA_DIGITS: usize = 40;

fn run(call: &Call<'_>, script: Script, inputs: Inputs, read_only: bool) -> Result<Plan, Error> {
    let Script { source, meaning } = script;
    let site = Site {
        command: call.name,
        database: call.session.database,
        read_only: read_only || source.flags().no_writes,
    };
    let metrics = &call.node.metrics;
    let plan = meaning.map(|meaning| script::plan(&meaning, inputs.clone(), site));
    match plan {
        Some(Ok(plan)) => {
            metrics.scripts_recognised.add(1);
            return Ok(plan);
        }
        Some(Err(Error::UnsupportedScript { reason })) => {
            tracing::debug!(sha = source.sha(), reason, "a script that is no single action");
        }
        _ => {}
    }
    Ok(evaluation(call, Program::Known(source), inputs, read_only))
}

fn evaluation(call: &Call<'_>, program: Program, inputs: Inputs, read_only: bool) -> Plan {
    call.node.metrics.scripts_unrecognised.add(1);
    let Inputs { keys, arguments } = inputs;
    let inputs = lua::Inputs { keys, arguments, seed: call.node.seed() };
    let session = call.session.clone();
    Plan::Script(Box::new(Evaluation { program, inputs, session, read_only }))
}

/// Understands a script and remembers it, as Redis does with every one that it is sent.
fn load(call: &Call<'_>, source: bytes::Bytes) -> Result<Script, Error> {
    let wrong = |error: lua::Error| Error::Custom(error.to_string());
    let source = lua::Script::new(source).map_err(wrong)?;
    let sha = Sha1::parse(source.sha().as_bytes());
    let known = sha.and_then(|sha| call.node.scripts().get(&sha));
    if let Some(script) = known {
        return Ok(script);
    }
    call.node.compiler.lock().check(&source).map_err(wrong)?;
    let script = Script::read(source);
    call.node.scripts().put(script.clone());
    Ok(script)
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

/// Commands of Redis that are not served here, and that Redis itself does not let a script call: those that wait, and those of
/// the server.
const KEPT_FROM_SCRIPTS: [&str; 18] = [
    "bgrewriteaof",
    "bgsave",
    "blmove",
    "brpoplpush",
    "bzpopmax",
    "bzpopmin",
    "debug",
    "failover",
    "fcall",
    "fcall_ro",
    "monitor",
    "psync",
    "replconf",
    "replicaof",
    "save",
    "shutdown",
    "slaveof",
    "sync",
];

/// Whether a command that is not served is one of these.
pub(crate) fn is_kept_from_scripts(name: &[u8]) -> bool {
    KEPT_FROM_SCRIPTS.iter().any(|kept| name.eq_ignore_ascii_case(kept.as_bytes()))
}

pub(super) static SUBCOMMANDS: &[Subcommand] = &[
    Subcommand { name: "exists", arity: Arity(-3), handler: exists },
    Subcommand { name: "flush", arity: Arity(-2), handler: flush },
    Subcommand { name: "kill", arity: Arity(2), handler: |_| Err(Error::NotBusy) },
    Subcommand { name: "load", arity: Arity(3), handler: script_load },
];

fn script_load(call: &mut Call<'_>) -> Result<Plan, Error> {
    let source = call.arguments.take()?;
    let script = load(call, source)?;
    Ok(Plan::Loading(Loading::Load(domain::Script::new(&script.source.source()[..]))))
}

fn exists(call: &mut Call<'_>) -> Result<Plan, Error> {
    let scripts = call.node.scripts();
    let mut asked = Vec::new();
    while let Ok(sha) = call.arguments.take() {
        let sha = Sha1::parse(&sha);
        asked.push((sha, sha.is_some_and(|sha| scripts.get(&sha).is_some())));
    }
    let as_of = scripts.flushed();
    drop(scripts);
    Ok(Plan::read(move |view| {
        // What this node remembers is of before a flush that it had not heard of.
        let is_so = view.scripts.flushed() == as_of;
        let found = asked.iter().map(|(sha, here)| {
            Reply::flag(*here && is_so || sha.is_some_and(|sha| view.scripts.contains(&sha)))
        });
        Reply::Array(found.collect())
    }))
}

fn flush(call: &mut Call<'_>) -> Result<Plan, Error> {
    let _ = call.arguments.word("async") || call.arguments.word("sync");
    call.arguments.finish().map_err(|_| Error::ScriptFlushOption)?;
    // What comes behind it in a pipeline is understood before it is done.
    call.node.scripts().clear();
    Ok(Plan::Loading(Loading::Flush))
}
