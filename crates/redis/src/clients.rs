//! The connections of this node, as `CLIENT LIST` and `CLIENT KILL` see them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::blocking::Blocked;
use crate::codec::Protocol;
use crate::command::Table;
use crate::pubsub::Family;
use crate::pubsub::mailbox::Mailbox;
use crate::pubsub::subscriptions::Subscriptions;

/// One connection. What it tells about itself is for people, and may be a moment old.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: u64,
    pub(crate) address: SocketAddr,
    pub(crate) local: SocketAddr,
    since_ms: i64,
    active_ms: AtomicI64,
    table: Table,
    command: AtomicUsize,
    database: AtomicU8,
    protocol: AtomicU8,
    pub(crate) labels: Mutex<Labels>,
    /// Told once when somebody kills it.
    pub(crate) killed: Notify,
    pub(crate) mailbox: Mailbox,
    pub(crate) blocked: Blocked,
    /// How many it has, by their families.
    subscriptions: [AtomicUsize; Family::ALL.len()],
}

/// What a client calls itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Labels {
    pub(crate) name: String,
    pub(crate) library: String,
    pub(crate) library_version: String,
}

impl Client {
    /// Notes the request that is being planned, given by the place of its command in the table.
    pub(crate) fn note(&self, now_ms: i64, command: usize, database: u8, protocol: Protocol) {
        self.active_ms.store(now_ms, Relaxed);
        self.command.store(command, Relaxed);
        self.database.store(database, Relaxed);
        self.protocol.store(if protocol == Protocol::Resp3 { 3 } else { 2 }, Relaxed);
    }

    pub(crate) fn note_subscriptions(&self, subscriptions: &Subscriptions) {
        for family in Family::ALL {
            self.subscriptions[family as usize].store(subscriptions.len(family), Relaxed);
        }
    }

    fn subscriptions(&self, family: Family) -> usize {
        self.subscriptions[family as usize].load(Relaxed)
    }

    /// Whether it is of the type `pubsub` to those who list clients.
    pub(crate) fn is_subscriber(&self) -> bool {
        Family::ALL.into_iter().any(|family| self.subscriptions(family) > 0)
    }

    /// One line of `CLIENT LIST`, with the fields that Redis has and this node can fill.
    pub(crate) fn line(&self, now_ms: i64) -> String {
        let Labels { name, library, library_version } = self.labels.lock().clone();
        let age = now_ms.saturating_sub(self.since_ms).max(0) / 1000;
        let idle = now_ms.saturating_sub(self.active_ms.load(Relaxed)).max(0) / 1000;
        let command = self.table.0.get(self.command.load(Relaxed)).map_or("NULL", |spec| spec.name);
        let (database, protocol) = (self.database.load(Relaxed), self.protocol.load(Relaxed));
        let Self { id, address, local, .. } = self;
        let flags = if self.is_subscriber() { 'P' } else { 'N' };
        let [sub, psub, ssub] = Family::ALL.map(|family| self.subscriptions(family));
        format!(
            "id={id} addr={address} laddr={local} fd={id} name={name} age={age} idle={idle} flags={flags} \
             db={database} sub={sub} psub={psub} ssub={ssub} multi=-1 qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 \
             tot-mem=0 events=r cmd={command} user=default redir=-1 resp={protocol} lib-name={library} \
             lib-ver={library_version}"
        )
    }
}

#[derive(Debug)]
pub(crate) struct Clients {
    table: Table,
    last_id: AtomicU64,
    open: Mutex<BTreeMap<u64, Arc<Client>>>,
}

impl Clients {
    pub(crate) fn new(table: Table) -> Self {
        Self { table, last_id: AtomicU64::default(), open: Mutex::default() }
    }

    /// Enters a connection, unless there are `max` already. It leaves with the guard.
    pub(crate) fn enter(
        self: &Arc<Self>,
        address: SocketAddr,
        local: SocketAddr,
        now_ms: i64,
        max: usize,
    ) -> Option<Entered> {
        let mut open = self.open.lock();
        if open.len() >= max {
            return None;
        }
        let id = self.last_id.fetch_add(1, Relaxed) + 1;
        let client = Arc::new(Client {
            id,
            address,
            local,
            since_ms: now_ms,
            active_ms: AtomicI64::new(now_ms),
            table: self.table,
            command: AtomicUsize::new(usize::MAX),
            database: AtomicU8::new(0),
            protocol: AtomicU8::new(2),
            labels: Mutex::default(),
            killed: Notify::new(),
            mailbox: Mailbox::default(),
            blocked: Blocked::default(),
            subscriptions: Default::default(),
        });
        open.insert(id, client.clone());
        Some(Entered { clients: self.clone(), client })
    }

    pub(crate) fn len(&self) -> usize {
        self.open.lock().len()
    }

    pub(crate) fn get(&self, id: u64) -> Option<Arc<Client>> {
        self.open.lock().get(&id).cloned()
    }

    /// Everyone, by id.
    pub(crate) fn all(&self) -> Vec<Arc<Client>> {
        self.open.lock().values().cloned().collect()
    }
}

/// Keeps a connection in the list as long as it lives.
#[derive(Debug)]
pub(crate) struct Entered {
    clients: Arc<Clients>,
    pub(crate) client: Arc<Client>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.clients.open.lock().remove(&self.client.id);
    }
}
