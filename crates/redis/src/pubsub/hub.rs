//! Who on this node has subscribed to what, and the handing out.
//!
//! Invariants:
//! * `names` and `clients` say the same.
//! * The group notes what somebody here can hear of, and nothing else.
//! * A subscription is told of every entry after `since`, in the order of the log, and of none before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use consensus::Heard;
use domain::{Event, Interest, Published};
use parking_lot::{Mutex, MutexGuard};

use super::mailbox::{Delivery, Lost};
use super::notify::Notify;
use super::{Family, Name};
use crate::clients::Client;
use crate::command::glob;
use crate::metrics::{Count, Metrics};

/// Begins or ends to note what happens; what is applied after the index that it gives will be told.
pub(crate) type Listen = Box<dyn Fn(Interest) -> u64 + Send + Sync>;

pub(crate) struct Hub(Mutex<Registry>);

pub(crate) struct Registry {
    names: [BTreeMap<Name, BTreeMap<u64, Subscription>>; Family::ALL.len()],
    clients: BTreeMap<u64, BTreeSet<(Family, Name)>>,
    notify: Notify,
    /// What the group was last asked to note.
    interest: Interest,
    listen: Listen,
    metrics: Arc<Metrics>,
}

struct Subscription {
    client: Arc<Client>,
    /// The index of the last entry that it is not told of.
    since: u64,
}

impl Hub {
    pub(crate) fn new(notify: Notify, listen: Listen, metrics: Arc<Metrics>) -> Self {
        let (names, clients, interest) = Default::default();
        Self(Mutex::new(Registry { names, clients, notify, interest, listen, metrics }))
    }

    /// Nothing is handed out while it is held.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Registry> {
        self.0.lock()
    }

    /// Hands out what has happened.
    pub(crate) fn hand_out(&self, heard: Heard) {
        let mut registry = self.lock();
        let Heard { lost, entries } = heard;
        if lost {
            registry.lose();
        }
        for (index, events) in entries {
            for event in events {
                match event {
                    Event::Published(published) => registry.deliver(index, &published),
                    Event::Key { key, what } => {
                        for published in registry.notify.messages(&key, what) {
                            registry.deliver(index, &published);
                        }
                    }
                }
            }
        }
    }
}

// Changes.
impl Registry {
    pub(crate) fn add(&mut self, client: &Arc<Client>, family: Family, names: Vec<Name>) {
        let mut new = Vec::new();
        for name in names {
            if self.clients.entry(client.id).or_default().insert((family, name.clone())) {
                let subscription = Subscription { client: client.clone(), since: u64::MAX };
                self.names[family as usize].entry(name.clone()).or_default().insert(client.id, subscription);
                new.push(name);
            }
        }
        self.metrics.subscriptions.add(new.len() as u64);
        self.interest = self.wanted();
        let since = (self.listen)(self.interest);
        for name in new {
            let subscriptions = self.names[family as usize].get_mut(&name);
            subscriptions.and_then(|all| all.get_mut(&client.id)).expect("it was just put there").since =
                since;
        }
    }

    pub(crate) fn remove(&mut self, client: u64, family: Family, names: Vec<Name>) {
        let Some(own) = self.clients.get_mut(&client) else { return };
        for name in names {
            if let Some((_, name)) = own.take(&(family, name)) {
                forget(&mut self.names[family as usize], &name, client);
                self.metrics.subscriptions.fetch_sub(1, Relaxed);
            }
        }
        if own.is_empty() {
            self.clients.remove(&client);
        }
        self.adjust();
    }

    /// Ends all subscriptions of a client.
    pub(crate) fn leave(&mut self, client: u64) {
        let Some(own) = self.clients.remove(&client) else { return };
        self.metrics.subscriptions.fetch_sub(own.len() as u64, Relaxed);
        for (family, name) in own {
            forget(&mut self.names[family as usize], &name, client);
        }
        self.adjust();
    }

    pub(crate) fn set_notify(&mut self, notify: Notify) {
        self.notify = notify;
        self.adjust();
    }

    /// Has what somebody can hear of noted from now on, and nothing else. The group is not asked for what it does already:
    /// thousands may leave at once.
    fn adjust(&mut self) {
        let wanted = self.wanted();
        if std::mem::replace(&mut self.interest, wanted) != wanted {
            (self.listen)(wanted);
        }
    }

    /// What somebody can hear of.
    fn wanted(&self) -> Interest {
        let is_any = |family| self.subscribed_to(family).next().is_some();
        let keys = if is_any(Family::Channels) || is_any(Family::Patterns) {
            self.notify.interest().keys
        } else {
            Interest::default().keys
        };
        Interest { messages: !self.clients.is_empty(), keys }
    }

    /// Disconnects everyone: they will subscribe again, and look at what they may have missed.
    fn lose(&mut self) {
        let subscriptions = self.names.iter().flat_map(BTreeMap::values).flat_map(BTreeMap::values);
        let clients: BTreeMap<u64, &Arc<Client>> =
            subscriptions.map(|subscription| (subscription.client.id, &subscription.client)).collect();
        if clients.is_empty() {
            return;
        }
        tracing::warn!(clients = clients.len(), "messages are missing here: subscribers are disconnected");
        clients.values().for_each(|client| client.mailbox.close(Lost::Gap));
        self.metrics.subscribers_lost.add(clients.len() as u64);
    }
}

// Reads.
impl Registry {
    pub(crate) fn notify(&self) -> &Notify {
        &self.notify
    }

    /// Names that somebody has subscribed to, in their order.
    pub(crate) fn subscribed_to(&self, family: Family) -> impl Iterator<Item = &Name> {
        self.names[family as usize].keys()
    }

    /// How many have subscribed to this name.
    pub(crate) fn subscribers(&self, family: Family, name: &[u8]) -> usize {
        self.names[family as usize].get(name).map_or(0, BTreeMap::len)
    }

    /// How often a message to this channel is delivered here.
    pub(crate) fn receivers(&self, family: Family, channel: &[u8]) -> usize {
        let direct = self.subscribers(family, channel);
        match family {
            Family::Shards => direct,
            Family::Channels | Family::Patterns => {
                let patterns = self.names[Family::Patterns as usize].iter();
                let matching = patterns.filter(|(pattern, _)| glob::matches(pattern, channel));
                direct + matching.map(|(_, subscriptions)| subscriptions.len()).sum::<usize>()
            }
        }
    }

    fn deliver(&self, index: u64, published: &Published) {
        let channel = &published.channel;
        let family = Family::of(published);
        if let Some(subscriptions) = self.names[family as usize].get(channel) {
            self.send(index, subscriptions, None, published);
        }
        if family == Family::Channels {
            for (pattern, subscriptions) in &self.names[Family::Patterns as usize] {
                if glob::matches(pattern, channel) {
                    self.send(index, subscriptions, Some(pattern), published);
                }
            }
        }
    }

    fn send(
        &self,
        index: u64,
        subscriptions: &BTreeMap<u64, Subscription>,
        pattern: Option<&Name>,
        published: &Published,
    ) {
        for Subscription { client, .. } in subscriptions.values().filter(|one| one.since < index) {
            let delivery = Delivery { pattern: pattern.cloned(), published: published.clone() };
            if client.mailbox.put(delivery) {
                self.metrics.messages_delivered.add(1);
            } else {
                tracing::warn!(client = %client.address, "a subscriber that does not read is disconnected");
                self.metrics.subscribers_slow.add(1);
            }
        }
    }
}

fn forget(names: &mut BTreeMap<Name, BTreeMap<u64, Subscription>>, name: &Name, client: u64) {
    if let Some(subscriptions) = names.get_mut(name) {
        subscriptions.remove(&client);
        if subscriptions.is_empty() {
            names.remove(name);
        }
    }
}
