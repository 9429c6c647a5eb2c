//! `CLIENT`: names, the list of connections, silence.

use super::connection::label;
use super::{Arity, Call, Subcommand};
use crate::blocking::Ending;
use crate::clients::Client;
use crate::codec::decode;
use crate::plan::Plan;
use crate::request::Arguments;
use crate::session::Voice;
use crate::{Error, Reply};

pub(crate) static SUBCOMMANDS: &[Subcommand] = &[
    Subcommand { name: "getname", arity: Arity(2), handler: getname },
    Subcommand { name: "getredir", arity: Arity(2), handler: |_| Ok(Plan::Local(Reply::Integer(-1))) },
    Subcommand { name: "id", arity: Arity(2), handler: id },
    Subcommand { name: "info", arity: Arity(2), handler: info },
    Subcommand { name: "kill", arity: Arity(-3), handler: kill },
    Subcommand { name: "list", arity: Arity(-2), handler: list },
    Subcommand { name: "no-evict", arity: Arity(3), handler: on_or_off },
    Subcommand { name: "no-touch", arity: Arity(3), handler: on_or_off },
    Subcommand { name: "reply", arity: Arity(3), handler: reply },
    Subcommand { name: "setinfo", arity: Arity(4), handler: setinfo },
    Subcommand { name: "setname", arity: Arity(3), handler: setname },
    Subcommand { name: "unblock", arity: Arity(-3), handler: unblock },
];

/// `CLIENT UNBLOCK id [TIMEOUT|ERROR]`: 1 if that client waited for an element.
fn unblock(call: &mut Call<'_>) -> Result<Plan, Error> {
    let id = call.arguments.take()?;
    let ending = if call.arguments.word("error") {
        Ending::Error
    } else if call.arguments.is_empty() || call.arguments.word("timeout") {
        Ending::Timeout
    } else {
        return Err(Error::UnblockReason);
    };
    let id = decode::integer(&id).ok_or(Error::NotAnInteger)?;
    let client = u64::try_from(id).ok().and_then(|id| call.node.clients.get(id));
    Ok(Plan::Local(Reply::flag(client.is_some_and(|client| client.blocked.end(ending)))))
}

fn id(call: &mut Call<'_>) -> Result<Plan, Error> {
    Ok(Plan::Local(Reply::count(call.session.client.id)))
}

fn getname(call: &mut Call<'_>) -> Result<Plan, Error> {
    let name = call.session.client.labels.lock().name.clone();
    Ok(Plan::Local(if name.is_empty() { Reply::Null } else { Reply::text(name) }))
}

fn setname(call: &mut Call<'_>) -> Result<Plan, Error> {
    let name = name(&call.arguments.take()?).ok_or(Error::ClientName)?;
    call.session.client.labels.lock().name = name;
    Ok(Plan::ok())
}

/// A name; the empty one takes a name away.
pub(super) fn name(text: &[u8]) -> Option<String> {
    label(text)
}

fn setinfo(call: &mut Call<'_>) -> Result<Plan, Error> {
    let arguments = &mut call.arguments;
    if arguments.word("lib-name") {
        let library = label(&arguments.take()?).ok_or(Error::ClientInfo("lib-name"))?;
        call.session.client.labels.lock().library = library;
    } else if arguments.word("lib-ver") {
        let version = label(&arguments.take()?).ok_or(Error::ClientInfo("lib-ver"))?;
        call.session.client.labels.lock().library_version = version;
    } else {
        return Err(call.repeat_next(Error::UnrecognizedOption));
    }
    Ok(Plan::ok())
}

fn info(call: &mut Call<'_>) -> Result<Plan, Error> {
    Ok(Plan::Local(Reply::Verbatim(call.session.client.line(call.node.now_ms()) + "\n")))
}

/// `CLIENT LIST [TYPE normal|pubsub|…] [ID id …]`.
fn list(call: &mut Call<'_>) -> Result<Plan, Error> {
    let arguments = &mut call.arguments;
    let mut ids = None;
    let mut of_type: fn(&Client) -> bool = |_| true;
    if arguments.word("type") {
        of_type = client_type(arguments)?;
        arguments.finish()?;
    } else if arguments.word("id") {
        let mut wanted = Vec::new();
        while let Ok(id) = arguments.take() {
            wanted.push(client_id(&id)?);
        }
        ids = Some(wanted);
    }
    arguments.finish()?;
    let now_ms = call.node.now_ms();
    let wanted = |client: &Client| of_type(client) && ids.as_ref().is_none_or(|ids| ids.contains(&client.id));
    let lines: String = call
        .node
        .clients
        .all()
        .iter()
        .filter(|client| wanted(client))
        .map(|client| client.line(now_ms) + "\n")
        .collect();
    Ok(Plan::Local(Reply::Verbatim(lines)))
}

/// Whether a client is of the type that is named. There are no replicas here, and no masters of this node.
fn client_type(arguments: &mut Arguments) -> Result<fn(&Client) -> bool, Error> {
    let name = arguments.text()?;
    match name.to_ascii_lowercase().as_str() {
        "normal" => Ok(|client| !client.is_subscriber()),
        "pubsub" => Ok(Client::is_subscriber),
        "master" | "replica" | "slave" => Ok(|_| false),
        _ => Err(Error::UnknownClientType(name)),
    }
}

/// `CLIENT KILL address` or `CLIENT KILL [ID id] [TYPE type] [ADDR address] [LADDR address] [SKIPME yes|no]`. Whoever is killed
/// gets the replies to what it has sent.
fn kill(call: &mut Call<'_>) -> Result<Plan, Error> {
    let arguments = &mut call.arguments;
    let old_form = arguments.len() == 1;
    let (mut id, mut address, mut local, mut skip_me) = (None, None, None, true);
    let mut of_type: fn(&Client) -> bool = |_| true;
    if old_form {
        address = Some(arguments.text()?);
        skip_me = false;
    }
    while !arguments.is_empty() {
        if arguments.word("id") {
            id = Some(client_id(&arguments.take()?)?);
        } else if arguments.word("type") {
            of_type = client_type(arguments)?;
        } else if arguments.word("addr") {
            address = Some(arguments.text()?);
        } else if arguments.word("laddr") {
            local = Some(arguments.text()?);
        } else if arguments.word("skipme") {
            skip_me = arguments.word("yes");
            if !skip_me && !arguments.word("no") {
                return Err(Error::Syntax);
            }
        } else {
            return Err(Error::Syntax);
        }
    }
    let own = call.session.client.id;
    let mut killed = 0;
    for client in call.node.clients.all() {
        let wanted = id.is_none_or(|id| id == client.id)
            && of_type(&client)
            && address.as_ref().is_none_or(|address| *address == client.address.to_string())
            && local.as_ref().is_none_or(|local| *local == client.local.to_string())
            && !(skip_me && client.id == own);
        if !wanted {
            continue;
        }
        killed += 1;
        if client.id == own {
            call.session.closing = true;
        } else {
            client.killed.notify_one();
        }
    }
    match (old_form, killed) {
        (true, 0) => Err(Error::NoSuchClient),
        (true, _) => Ok(Plan::ok()),
        (false, killed) => Ok(Plan::Local(Reply::Integer(killed))),
    }
}

fn client_id(text: &[u8]) -> Result<u64, Error> {
    decode::integer(text)
        .and_then(|id| u64::try_from(id).ok())
        .filter(|id| *id > 0)
        .ok_or(Error::InvalidClientId)
}

/// Nothing is ever evicted here, so that both answers mean the same.
fn on_or_off(call: &mut Call<'_>) -> Result<Plan, Error> {
    if call.arguments.word("on") || call.arguments.word("off") { Ok(Plan::ok()) } else { Err(Error::Syntax) }
}

fn reply(call: &mut Call<'_>) -> Result<Plan, Error> {
    let voice = &mut call.session.voice;
    if call.arguments.word("on") {
        *voice = Voice::On;
    } else if call.arguments.word("off") {
        *voice = Voice::Off;
    } else if call.arguments.word("skip") {
        if *voice != Voice::Off {
            *voice = Voice::SkipThis;
        }
    } else {
        return Err(Error::Syntax);
    }
    Ok(Plan::ok())
}
