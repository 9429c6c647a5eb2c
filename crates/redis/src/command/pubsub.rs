//! `SUBSCRIBE` and its relatives, `PUBLISH`, `PUBSUB`.
//!
//! Who has subscribed is known on each node of its own clients. `PUBLISH` and `PUBSUB` tell of the node that was asked.

use domain::limits::{CHANNEL_BYTES_MAX, MESSAGE_BYTES_MAX};
use domain::{Action, Answer, Published};

use super::{Arity, Call, Subcommand, glob};
use crate::limits::PATTERN_BYTES_MAX;
use crate::options::Purpose;
use crate::plan::Plan;
use crate::pubsub::{Family, Name};
use crate::{Error, Reply};

pub(crate) fn subscribe(call: &mut Call<'_>) -> Result<Plan, Error> {
    begin(call, Family::Channels)
}

pub(crate) fn psubscribe(call: &mut Call<'_>) -> Result<Plan, Error> {
    begin(call, Family::Patterns)
}

pub(super) fn ssubscribe(call: &mut Call<'_>) -> Result<Plan, Error> {
    begin(call, Family::Shards)
}

pub(crate) fn unsubscribe(call: &mut Call<'_>) -> Result<Plan, Error> {
    end(call, Family::Channels)
}

pub(crate) fn punsubscribe(call: &mut Call<'_>) -> Result<Plan, Error> {
    end(call, Family::Patterns)
}

pub(super) fn sunsubscribe(call: &mut Call<'_>) -> Result<Plan, Error> {
    end(call, Family::Shards)
}

fn begin(call: &mut Call<'_>, family: Family) -> Result<Plan, Error> {
    let names = names(call)?;
    let acknowledged = call.session.subscriptions_mut().add(family, &names)?;
    call.session.tell_subscriptions();
    let client = call.session.client.clone();
    Ok(Plan::Subscription {
        // A Sentinel tells nothing that is in the log.
        begins: call.node.options.purpose == Purpose::Keys,
        client: client.clone(),
        ask: Box::new(move |registry| {
            registry.add(&client, family, names);
            acknowledged
        }),
    })
}

fn end(call: &mut Call<'_>, family: Family) -> Result<Plan, Error> {
    let names = names(call)?;
    let (names, acknowledged) = call.session.subscriptions_mut().remove(family, &names);
    call.session.tell_subscriptions();
    let client = call.session.client.clone();
    Ok(Plan::Subscription {
        begins: false,
        client: client.clone(),
        ask: Box::new(move |registry| {
            registry.remove(client.id, family, names);
            acknowledged
        }),
    })
}

fn names(call: &mut Call<'_>) -> Result<Vec<Name>, Error> {
    (0..call.arguments.len()).map(|_| channel(call)).collect()
}

/// A channel, or a pattern of channels.
fn channel(call: &mut Call<'_>) -> Result<Name, Error> {
    let name = call.arguments.take()?;
    if name.len() > CHANNEL_BYTES_MAX { Err(Error::ChannelTooLong) } else { Ok(name[..].into()) }
}

pub(super) fn publish(call: &mut Call<'_>) -> Result<Plan, Error> {
    send(call, false)
}

pub(super) fn spublish(call: &mut Call<'_>) -> Result<Plan, Error> {
    send(call, true)
}

fn send(call: &mut Call<'_>, sharded: bool) -> Result<Plan, Error> {
    let channel = channel(call)?;
    let message = call.arguments.take()?;
    if message.len() > MESSAGE_BYTES_MAX {
        return Err(Error::MessageTooLong);
    }
    let hub = call.node.hub.clone();
    let published = Published { channel: channel.clone(), message: message[..].into(), sharded };
    let family = Family::of(&published);
    Ok(Plan::write(call.name, Action::Publish(published), move |answer| match answer {
        Answer::Done => Some(Reply::count(hub.lock().receivers(family, &channel) as u64)),
        _ => None,
    }))
}

pub(super) static SUBCOMMANDS: &[Subcommand] = &[
    Subcommand {
        name: "channels",
        arity: Arity(-2),
        handler: |call| listed(call, Family::Channels, "CHANNELS"),
    },
    Subcommand { name: "help", arity: Arity(2), handler: help },
    Subcommand { name: "numpat", arity: Arity(2), handler: numpat },
    Subcommand { name: "numsub", arity: Arity(-2), handler: |call| counted(call, Family::Channels) },
    Subcommand {
        name: "shardchannels",
        arity: Arity(-2),
        handler: |call| listed(call, Family::Shards, "SHARDCHANNELS"),
    },
    Subcommand { name: "shardnumsub", arity: Arity(-2), handler: |call| counted(call, Family::Shards) },
];

fn listed(call: &mut Call<'_>, family: Family, name: &'static str) -> Result<Plan, Error> {
    let pattern = if call.arguments.is_empty() { None } else { Some(call.arguments.take()?) };
    if !call.arguments.is_empty() {
        return Err(Error::PubSubArguments(name));
    }
    if pattern.as_ref().is_some_and(|pattern| pattern.len() > PATTERN_BYTES_MAX) {
        return Err(Error::PatternTooLong);
    }
    Ok(ask(call, move |registry| {
        let wanted = |name: &&Name| pattern.as_ref().is_none_or(|pattern| glob::matches(pattern, name));
        let names = registry.subscribed_to(family).filter(wanted);
        Reply::Array(names.map(|name| Reply::Bulk(name.clone())).collect())
    }))
}

fn counted(call: &mut Call<'_>, family: Family) -> Result<Plan, Error> {
    let names = names(call)?;
    Ok(ask(call, move |registry| {
        let count = |name: &Name| Reply::count(registry.subscribers(family, name) as u64);
        Reply::Array(names.iter().flat_map(|name| [Reply::Bulk(name.clone()), count(name)]).collect())
    }))
}

fn numpat(call: &mut Call<'_>) -> Result<Plan, Error> {
    Ok(ask(call, |registry| Reply::count(registry.subscribed_to(Family::Patterns).count() as u64)))
}

/// Asked when the requests before it have been carried out.
fn ask(
    call: &Call<'_>,
    ask: impl FnOnce(&crate::pubsub::hub::Registry) -> Reply + Send + Sync + 'static,
) -> Plan {
    let client = call.session.client.clone();
    Plan::Subscription { begins: false, client, ask: Box::new(move |registry| ask(registry)) }
}

fn help(_: &mut Call<'_>) -> Result<Plan, Error> {
    let lines = [
        "PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CHANNELS [<pattern>]",
        "    Return the currently active channels matching a <pattern> (default: '*').",
        "NUMPAT",
        "    Return number of subscriptions to patterns.",
        "NUMSUB [<channel> ...]",
        "    Return the number of subscribers for the specified channels, excluding",
        "    pattern subscriptions(default: no channels).",
        "SHARDCHANNELS [<pattern>]",
        "    Return the currently active shard level channels matching a <pattern> (default: '*').",
        "SHARDNUMSUB [<shardchannel> ...]",
        "    Return the number of subscribers for the specified shard level channel(s)",
        "HELP",
        "    Prints this help.",
    ];
    Ok(Plan::Local(Reply::Array(lines.map(|line| Reply::Simple(line.into())).into())))
}
