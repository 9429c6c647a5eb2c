//! What a client of a Sentinel hears unasked: `+switch-master`, when the leader has changed.
//!
//! The other channels that Redis's Sentinel has may be listened to, and are silent: nothing here goes up and down but the
//! leader.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use super::monitored::{Address, leader};
use crate::codec::Protocol;
use crate::command::{Call, Spec, connection, glob};
use crate::group::Group;
use crate::limits::{CHANNEL_BYTES_MAX, SUBSCRIPTIONS_MAX};
use crate::options::Purpose;
use crate::plan::Plan;
use crate::request::Arguments;
use crate::session::Session;
use crate::{Error, Reply};

const SWITCH: &str = "+switch-master";

/// What may be asked in RESP2 by a client that listens: there a reply cannot be told from news.
const WHILE_LISTENING: [&str; 5] = ["ping", "psubscribe", "punsubscribe", "subscribe", "unsubscribe"];

/// What one client listens to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subscriptions {
    channels: BTreeSet<Bytes>,
    patterns: BTreeSet<Bytes>,
}

impl Subscriptions {
    pub(crate) fn len(&self) -> usize {
        self.channels.len() + self.patterns.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The news, as many times as this client listens to it.
    pub(crate) fn tell(&self, news: &str) -> Reply {
        let (channel, news) = (|| Reply::text(SWITCH), || Reply::text(news.to_owned()));
        let mut told = Vec::new();
        if self.channels.contains(SWITCH.as_bytes()) {
            told.push(Reply::Push(vec![Reply::text("message"), channel(), news()]));
        }
        for pattern in self.patterns.iter().filter(|pattern| glob::matches(pattern, SWITCH.as_bytes())) {
            told.push(Reply::Push(vec![Reply::text("pmessage"), Reply::bulk(pattern), channel(), news()]));
        }
        Reply::Several(told)
    }
}

impl Session {
    /// That this may be asked now.
    pub(crate) fn may_ask(&self, spec: &Spec, arguments: &Arguments) -> Result<(), Error> {
        let listens = self.protocol == Protocol::Resp2 && !self.subscriptions.is_empty();
        if !listens || WHILE_LISTENING.contains(&spec.name) {
            return Ok(());
        }
        Err(Error::OnlyListening(match spec.subcommand(arguments)? {
            Some(subcommand) => format!("{}|{}", spec.name, subcommand.name),
            None => spec.name.to_owned(),
        }))
    }
}

/// Notices that the leader has changed.
pub(crate) struct News {
    master: String,
    changes: BoxStream<'static, ()>,
    last: Option<Address>,
}

impl News {
    /// Of what happens from now on.
    pub(crate) fn new(group: &impl Group, purpose: &Purpose) -> Option<Self> {
        let Purpose::Sentinel { master } = purpose else { return None };
        // Before the look, so that no change is between the two.
        let changes = group.changes();
        Some(Self { master: master.clone(), changes, last: leader(&group.standing()) })
    }

    /// Waits for the next.
    pub(crate) async fn next(&mut self, group: &impl Group) -> String {
        loop {
            if self.changes.next().await.is_none() {
                std::future::pending::<()>().await;
            }
            // Without a leader there is nowhere else to go yet.
            let Some(now) = leader(&group.standing()) else { continue };
            match self.last.replace(now.clone()) {
                Some(last) if last != now => {
                    return format!("{} {} {} {} {}", self.master, last.host, last.port, now.host, now.port);
                }
                _ => {}
            }
        }
    }
}

pub(super) fn subscribe(call: &mut Call<'_>) -> Result<Plan, Error> {
    listen(call, "subscribe", |of| &mut of.channels)
}

pub(super) fn psubscribe(call: &mut Call<'_>) -> Result<Plan, Error> {
    listen(call, "psubscribe", |of| &mut of.patterns)
}

pub(super) fn unsubscribe(call: &mut Call<'_>) -> Result<Plan, Error> {
    Ok(cease(call, "unsubscribe", |of| &mut of.channels))
}

pub(super) fn punsubscribe(call: &mut Call<'_>) -> Result<Plan, Error> {
    Ok(cease(call, "punsubscribe", |of| &mut of.patterns))
}

/// Which of the two sets.
type Among = fn(&mut Subscriptions) -> &mut BTreeSet<Bytes>;

fn listen(call: &mut Call<'_>, kind: &'static str, among: Among) -> Result<Plan, Error> {
    let mut said = Vec::new();
    while let Ok(name) = call.arguments.take() {
        let subscriptions = &mut call.session.subscriptions;
        if name.len() > CHANNEL_BYTES_MAX || subscriptions.len() >= SUBSCRIPTIONS_MAX {
            return Err(Error::TooManySubscriptions);
        }
        // A copy of its own: the argument holds on to all that was read with it.
        among(subscriptions).insert(Bytes::copy_from_slice(&name));
        said.push(confirmed(kind, Reply::bulk(&name), subscriptions));
    }
    Ok(Plan::Local(Reply::Several(said)))
}

/// Without a name: all of them.
fn cease(call: &mut Call<'_>, kind: &'static str, among: Among) -> Plan {
    let subscriptions = &mut call.session.subscriptions;
    let mut names = Vec::new();
    while let Ok(name) = call.arguments.take() {
        names.push(name);
    }
    if names.is_empty() {
        names.extend(among(subscriptions).iter().cloned());
    }
    let mut said = Vec::new();
    for name in &names {
        among(subscriptions).remove(name);
        said.push(confirmed(kind, Reply::bulk(name), subscriptions));
    }
    if said.is_empty() {
        said.push(confirmed(kind, Reply::Null, subscriptions));
    }
    Plan::Local(Reply::Several(said))
}

fn confirmed(kind: &'static str, name: Reply, subscriptions: &Subscriptions) -> Reply {
    Reply::Push(vec![Reply::text(kind), name, Reply::count(subscriptions.len() as u64)])
}

/// To a client that listens in RESP2, in the form of news.
pub(super) fn ping(call: &mut Call<'_>) -> Result<Plan, Error> {
    let listens = call.session.protocol == Protocol::Resp2 && !call.session.subscriptions.is_empty();
    if !listens || call.arguments.len() > 1 {
        return connection::ping(call);
    }
    let said = call.arguments.take().unwrap_or_default();
    Ok(Plan::Local(Reply::Array(vec![Reply::text("pong"), Reply::bulk(&said)])))
}
