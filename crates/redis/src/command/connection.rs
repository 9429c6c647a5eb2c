//! What a client says about itself when it comes and goes: `HELLO`, `AUTH`, `SELECT`, `PING`, `QUIT`, `RESET`.

use domain::limits::DATABASES;

use super::{Call, client};
use crate::codec::{Protocol, decode};
use crate::metrics::Count;
use crate::options::Purpose;
use crate::plan::Plan;
use crate::{Error, Reply};

/// What clients choose their features by: new enough for every one that asks, older than the first version whose
/// commands are not all here.
pub(super) const VERSION: &str = "7.2.4";

/// `HELLO [version [AUTH user password] [SETNAME name]]`. Nothing is changed unless all of it can be.
pub(crate) fn hello(call: &mut Call<'_>) -> Result<Plan, Error> {
    let protocol = match call.arguments.peek() {
        None => None,
        Some(version) => Some(match decode::integer(version) {
            Some(2) => Protocol::Resp2,
            Some(3) => Protocol::Resp3,
            Some(_) => return Err(Error::UnsupportedProtocol),
            None => return Err(Error::ProtocolNotAnInteger),
        }),
    };
    if protocol.is_some() {
        call.arguments.take()?;
    }
    let mut name = None;
    while !call.arguments.is_empty() {
        if call.arguments.len() >= 3 && call.arguments.word("auth") {
            let (user, password) = (call.arguments.take()?, call.arguments.take()?);
            authenticate(call, Some(&user), &password)?;
        } else if call.arguments.len() >= 2 && call.arguments.word("setname") {
            name = Some(client::name(&call.arguments.take()?).ok_or(Error::ClientName)?);
        } else {
            return Err(call.repeat_next(Error::HelloOption));
        }
    }
    if !call.session.authenticated {
        return Err(Error::HelloAuthenticationRequired);
    }
    if let Some(name) = name {
        call.session.client.labels.lock().name = name;
    }
    call.session.protocol = protocol.unwrap_or(call.session.protocol);
    Ok(Plan::Local(greeting(call)))
}

fn greeting(call: &Call<'_>) -> Reply {
    let id = call.session.client.id;
    let purpose = &call.node.options.purpose;
    let mut greeting = vec![
        (Reply::text("server"), Reply::text("redis")),
        (Reply::text("version"), Reply::text(VERSION)),
        (Reply::text("proto"), Reply::Integer(call.session.protocol.number())),
        (Reply::text("id"), Reply::count(id)),
        (Reply::text("mode"), Reply::text(purpose.mode())),
    ];
    if *purpose == Purpose::Keys {
        greeting.push((Reply::text("role"), Reply::text("master")));
    }
    greeting.push((Reply::text("modules"), Reply::Array(vec![])));
    Reply::Map(greeting)
}

/// `AUTH [user] password`.
pub(crate) fn auth(call: &mut Call<'_>) -> Result<Plan, Error> {
    let first = call.arguments.take()?;
    let second = call.arguments.take().ok();
    call.arguments.finish()?;
    match second {
        Some(password) => authenticate(call, Some(&first), &password)?,
        None => authenticate(call, None, &first)?,
    }
    Ok(Plan::ok())
}

fn authenticate(call: &mut Call<'_>, user: Option<&[u8]>, password: &[u8]) -> Result<(), Error> {
    let known = user.is_none_or(|user| user == b"default");
    let right = match &call.node.options.password {
        None if user.is_none() => return Err(Error::NoPasswordConfigured),
        None => true,
        Some(expected) => equal_in_constant_time(expected.as_bytes(), password),
    };
    if known && right {
        call.session.authenticated = true;
        return Ok(());
    }
    call.node.metrics.authentication_failures.add(1);
    tracing::warn!(client = %call.session.client.address, "a wrong password or user");
    Err(Error::WrongPassword)
}

/// The time it takes tells the length of the password at most.
fn equal_in_constant_time(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

pub(super) fn select(call: &mut Call<'_>) -> Result<Plan, Error> {
    call.session.database = database(call)?;
    Ok(Plan::ok())
}

/// The next argument, as the number of a database.
pub(super) fn database(call: &mut Call<'_>) -> Result<u8, Error> {
    let database = call.arguments.integer()?;
    u8::try_from(database).ok().filter(|database| *database < DATABASES).ok_or(Error::DatabaseRange)
}

pub(crate) fn ping(call: &mut Call<'_>) -> Result<Plan, Error> {
    if call.session.is_listening() && call.arguments.len() <= 1 {
        // Not to be taken for a message.
        let told = call.arguments.take().unwrap_or_default();
        return Ok(Plan::Local(Reply::Array(vec![Reply::text("pong"), Reply::bulk(&told)])));
    }
    Ok(Plan::Local(match call.arguments.len() {
        0 => Reply::Simple("PONG".into()),
        1 => Reply::bulk(&call.arguments.take()?),
        _ => return Err(Error::Arity(call.name.to_owned())),
    }))
}

pub(super) fn echo(call: &mut Call<'_>) -> Result<Plan, Error> {
    Ok(Plan::Local(Reply::bulk(&call.arguments.take()?)))
}

pub(super) fn quit(call: &mut Call<'_>) -> Result<Plan, Error> {
    call.session.closing = true;
    Ok(Plan::ok())
}

pub(super) fn reset(call: &mut Call<'_>) -> Result<Plan, Error> {
    let has_subscriptions = call.session.has_subscriptions();
    call.session.reset(call.node);
    let reply = Reply::Simple("RESET".into());
    if !has_subscriptions {
        return Ok(Plan::Local(reply));
    }
    let client = call.session.client.clone();
    Ok(Plan::Subscription {
        begins: false,
        client: client.clone(),
        ask: Box::new(move |registry| {
            registry.leave(client.id);
            reply
        }),
    })
}

/// A client's own text, unless it would break the lines of `CLIENT LIST`.
pub(super) fn label(text: &[u8]) -> Option<String> {
    let fits =
        text.len() <= crate::limits::CLIENT_TEXT_BYTES_MAX && text.iter().all(|b| (b'!'..=b'~').contains(b));
    fits.then(|| String::from_utf8_lossy(text).into_owned())
}
