//! `SENTINEL …` and `ROLE`: what clients ask a Sentinel. Every reply has the fields and the words of Redis's.

use consensus::limits::LEADER_WAIT;

use super::monitored::{Address, Monitored};
use crate::command::{Arity, Call, Subcommand, glob};
use crate::plan::Plan;
use crate::{Error, Reply};

pub(super) static SUBCOMMANDS: &[Subcommand] = &[
    Subcommand { name: "ckquorum", arity: Arity(3), handler: ckquorum },
    Subcommand { name: "config", arity: Arity(-4), handler: config },
    Subcommand { name: "failover", arity: Arity(3), handler: failover },
    // The configuration is a file that only people write.
    Subcommand { name: "flushconfig", arity: Arity(2), handler: |_| Ok(Plan::ok()) },
    Subcommand { name: "get-master-addr-by-name", arity: Arity(3), handler: get_master_addr_by_name },
    Subcommand { name: "is-master-down-by-addr", arity: Arity(6), handler: is_master_down_by_addr },
    Subcommand { name: "master", arity: Arity(3), handler: master },
    Subcommand { name: "masters", arity: Arity(2), handler: masters },
    Subcommand { name: "monitor", arity: Arity(6), handler: monitor },
    Subcommand { name: "myid", arity: Arity(2), handler: myid },
    Subcommand { name: "pending-scripts", arity: Arity(2), handler: |_| none() },
    Subcommand { name: "remove", arity: Arity(3), handler: set },
    Subcommand { name: "replicas", arity: Arity(3), handler: replicas },
    Subcommand { name: "reset", arity: Arity(3), handler: reset },
    Subcommand { name: "sentinels", arity: Arity(3), handler: sentinels },
    Subcommand { name: "set", arity: Arity(-5), handler: set },
    Subcommand { name: "slaves", arity: Arity(3), handler: replicas },
];

fn none() -> Result<Plan, Error> {
    Ok(Plan::Local(Reply::Array(vec![])))
}

/// The master of this name, which a client asked for.
fn named(call: &mut Call<'_>) -> Result<Monitored, Error> {
    let name = call.arguments.take()?;
    let monitored = Monitored::of(call.node).filter(|monitored| *monitored.name.as_bytes() == *name);
    monitored.ok_or(Error::NoSuchMaster)
}

pub(super) fn role(call: &mut Call<'_>) -> Result<Plan, Error> {
    let names = Monitored::of(call.node).into_iter().map(|monitored| Reply::text(monitored.name)).collect();
    Ok(Plan::Local(Reply::Array(vec![Reply::text("sentinel"), Reply::Array(names)])))
}

fn get_master_addr_by_name(call: &mut Call<'_>) -> Result<Plan, Error> {
    let address = named(call).ok().and_then(|monitored| monitored.address());
    Ok(Plan::Local(match address {
        Some(Address { host, port }) => Reply::Array(vec![Reply::text(host), Reply::text(port)]),
        None => Reply::NullArray,
    }))
}

fn masters(call: &mut Call<'_>) -> Result<Plan, Error> {
    Ok(Plan::Local(Reply::Array(Monitored::of(call.node).iter().map(described).collect())))
}

fn master(call: &mut Call<'_>) -> Result<Plan, Error> {
    Ok(Plan::Local(described(&named(call)?)))
}

/// There are none: see the head of [`super`].
fn replicas(call: &mut Call<'_>) -> Result<Plan, Error> {
    named(call)?;
    none()
}

fn sentinels(call: &mut Call<'_>) -> Result<Plan, Error> {
    let monitored = named(call)?;
    let described = |(node, at)| {
        let id = monitored.id(node);
        let mut fields = instance(&id, &at, &id, "sentinel");
        fields.extend([
            field("last-hello-message", 0),
            field("voted-leader", monitored.id(monitored.node())),
            field("voted-leader-epoch", monitored.term()),
        ]);
        Reply::Map(fields)
    };
    Ok(Plan::Local(Reply::Array(monitored.others().into_iter().map(described).collect())))
}

fn described(monitored: &Monitored) -> Reply {
    let unknown = || Address { host: String::new(), port: "0".into() };
    let at = monitored.last_address().unwrap_or_else(unknown);
    let flags = if monitored.down { "s_down,o_down,master" } else { "master" };
    let mut fields = instance(&monitored.name, &at, &monitored.id(monitored.node()), flags);
    fields.extend([
        field("info-refresh", 0),
        field("role-reported", "master"),
        field("role-reported-time", 0),
        field("config-epoch", monitored.term()),
        field("num-slaves", 0),
        field("num-other-sentinels", monitored.sentinels().saturating_sub(1)),
        field("quorum", monitored.quorum()),
        field("failover-timeout", LEADER_WAIT.as_millis()),
        field("parallel-syncs", 1),
    ]);
    Reply::Map(fields)
}

/// What a master and a Sentinel have in common.
fn instance(name: &str, at: &Address, id: &str, flags: &'static str) -> Vec<(Reply, Reply)> {
    vec![
        field("name", name),
        field("ip", &at.host),
        field("port", &at.port),
        field("runid", id),
        field("flags", flags),
        field("link-pending-commands", 0),
        field("link-refcount", 1),
        field("last-ping-sent", 0),
        field("last-ok-ping-reply", 0),
        field("last-ping-reply", 0),
        field("down-after-milliseconds", LEADER_WAIT.as_millis()),
    ]
}

/// All values are texts, numbers too.
fn field(name: &'static str, value: impl ToString) -> (Reply, Reply) {
    (Reply::text(name), Reply::text(value.to_string()))
}

/// Proved by a quorum round. Redis counts Sentinels that answer; here as many as a majority has are known to.
fn ckquorum(call: &mut Call<'_>) -> Result<Plan, Error> {
    let usable = named(call)?.quorum();
    Ok(Plan::Read(Box::new(move |view| match view {
        Ok(_) => Reply::Simple(
            format!("OK {usable} usable Sentinels. Quorum and failover authorization can be reached").into(),
        ),
        Err(_) => Error::NoSentinelQuorum.into(),
    })))
}

fn myid(call: &mut Call<'_>) -> Result<Plan, Error> {
    Ok(Plan::Local(Monitored::of(call.node).map_or(Reply::Null, |monitored| Reply::text(monitored.me()))))
}

/// `SENTINEL IS-MASTER-DOWN-BY-ADDR ip port epoch runid`. A Sentinel of Redis that asks for a vote gets none.
fn is_master_down_by_addr(call: &mut Call<'_>) -> Result<Plan, Error> {
    let host = call.arguments.text()?;
    let port = call.arguments.integer()?.to_string();
    call.arguments.integer()?;
    let monitored = Monitored::of(call.node).filter(|monitored| monitored.down);
    let down = monitored.is_some_and(|monitored| monitored.last_address() == Some(Address { host, port }));
    Ok(Plan::Local(Reply::Array(vec![Reply::flag(down), Reply::text("*"), Reply::Integer(0)])))
}

/// `SENTINEL RESET pattern`: the number of masters that were forgotten and found again. There is nothing to forget.
fn reset(call: &mut Call<'_>) -> Result<Plan, Error> {
    let pattern = call.arguments.take()?;
    let reset = |monitored: Monitored| glob::matches(&pattern, monitored.name.as_bytes());
    Ok(Plan::Local(Reply::flag(Monitored::of(call.node).is_some_and(reset))))
}

/// Leadership is handed over by `tenure leader transfer`, and nothing that a client holds depends on it.
fn failover(call: &mut Call<'_>) -> Result<Plan, Error> {
    named(call)?;
    Err(Error::NoGoodSlave)
}

fn set(call: &mut Call<'_>) -> Result<Plan, Error> {
    named(call)?;
    Err(Error::SentinelIsFixed)
}

fn monitor(call: &mut Call<'_>) -> Result<Plan, Error> {
    Err(if named(call).is_ok() { Error::DuplicateMaster } else { Error::SentinelIsFixed })
}

/// `SENTINEL CONFIG GET pattern`.
fn config(call: &mut Call<'_>) -> Result<Plan, Error> {
    if call.arguments.word("set") {
        return Err(Error::SentinelIsFixed);
    }
    if !call.arguments.word("get") || call.arguments.len() != 1 {
        return Err(Error::SentinelConfig);
    }
    let pattern = call.arguments.take()?.to_ascii_lowercase();
    let port = call.node.options.port.to_string();
    let options = [
        ("resolve-hostnames", "yes"),
        ("announce-hostnames", "yes"),
        ("announce-ip", ""),
        ("announce-port", port.as_str()),
        ("sentinel-user", ""),
        ("sentinel-pass", ""),
    ];
    let wanted = options.into_iter().filter(|(name, _)| glob::matches(&pattern, name.as_bytes()));
    Ok(Plan::Local(Reply::Map(wanted.map(|(name, value)| field(name, value)).collect())))
}
