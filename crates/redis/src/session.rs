//! What one connection remembers between its requests, and how a request becomes a plan.

use std::sync::Arc;

use bytes::Bytes;
use domain::Key;

use crate::clients::{Client, Labels};
use crate::codec::Protocol;
use crate::codec::decode::Allowance;
use crate::command::{Call, Spec};
use crate::error::echo;
use crate::metrics::Count;
use crate::node::Node;
use crate::plan::Plan;
use crate::pubsub::subscriptions::Subscriptions;
use crate::request::Arguments;
use crate::transaction::{Part, Queue, Watched};
use crate::{Error, Reply, limits};

#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) client: Arc<Client>,
    pub(crate) protocol: Protocol,
    pub(crate) database: u8,
    pub(crate) authenticated: bool,
    pub(crate) voice: Voice,
    /// A request asked to be disconnected after its reply.
    pub(crate) closing: bool,
    /// Since `MULTI`.
    pub(crate) queue: Option<Queue>,
    pub(crate) watched: Watched,
    subscriptions: Arc<Subscriptions>,
}

/// Whether replies are sent: `CLIENT REPLY`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Voice {
    On,
    Off,
    /// Silent for this request, which was `CLIENT REPLY SKIP` itself …
    SkipThis,
    /// … and for the next.
    SkipNext,
}

/// A request that is understood, with what it takes to say its reply.
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    /// The place of the command in the table, if it is known.
    pub(crate) command: Option<usize>,
    /// Spoken when the request was read: a `HELLO` later in the pipeline does not change it.
    pub(crate) protocol: Protocol,
    pub(crate) silent: bool,
    /// The last one: the connection ends after its reply.
    pub(crate) last: bool,
    pub(crate) bytes: usize,
    /// Where in the client's bytes the request ends; the decoder knows.
    pub(crate) end: u64,
}

impl Planned {
    /// The end of a client that does not speak the protocol.
    pub(crate) fn goodbye(error: Option<Error>, protocol: Protocol) -> Self {
        let silent = error.is_none();
        let reply = error.map_or(Reply::Null, Reply::Error);
        Self { plan: Plan::Local(reply), command: None, protocol, silent, last: true, bytes: 0, end: 0 }
    }
}

impl Session {
    pub(crate) fn new(client: Arc<Client>, node: &Node) -> Self {
        Self {
            client,
            protocol: Protocol::default(),
            database: 0,
            authenticated: node.options.password.is_none(),
            voice: Voice::On,
            closing: false,
            queue: None,
            watched: Watched::default(),
            subscriptions: Arc::default(),
        }
    }

    /// `RESET`: as if freshly connected.
    pub(crate) fn reset(&mut self, node: &Node) {
        *self.client.labels.lock() = Labels::default();
        *self = Self::new(self.client.clone(), node);
        self.tell_subscriptions();
    }

    pub(crate) fn allowance(&self) -> Allowance {
        Allowance::new(self.authenticated)
    }

    /// Understands one request. What it changes about the session holds for the requests after it.
    pub(crate) fn plan(&mut self, node: &Node, request: Vec<Bytes>) -> Planned {
        let bytes = request.iter().map(Bytes::len).sum();
        let mut arguments = Arguments::new(request);
        let name = arguments.take().unwrap_or_default();
        if is_http(&name) {
            // A browser was tricked into sending commands in the body of a request: Redis's own guard.
            tracing::warn!(client = %self.client.address, "an HTTP request on the Redis port; disconnected");
            self.closing = true;
            return Planned::goodbye(None, self.protocol);
        }
        let place = node.commands.find(&name);
        let is_queued =
            self.queue.is_some() && place.is_some_and(|place| !node.commands.0[place].is_never_queued);
        let plan = match place {
            Some(place) => {
                self.client.note(node.now_ms(), place, self.database, self.protocol);
                self.call(node, place, arguments).unwrap_or_else(|error| Plan::Local(error.into()))
            }
            None => {
                self.spoil();
                node.metrics.unknown_commands.add(1);
                Plan::Local(unknown(&name, arguments).into())
            }
        };
        let (voice, silent) = match self.voice {
            Voice::On => (Voice::On, false),
            Voice::Off => (Voice::Off, true),
            Voice::SkipThis => (Voice::SkipNext, true),
            Voice::SkipNext => (Voice::On, true),
        };
        self.voice = voice;
        // What is queued counts when it is executed.
        let command = place.filter(|_| !is_queued);
        Planned { plan, command, protocol: self.protocol, silent, last: self.closing, bytes, end: 0 }
    }

    fn call(&mut self, node: &Node, place: usize, arguments: Arguments) -> Result<Plan, Error> {
        let spec = &node.commands.0[place];
        if !spec.arity.fits(arguments.len() + 1) {
            self.spoil();
            return Err(Error::Arity(spec.name.to_owned()));
        }
        if !self.authenticated && !spec.open_to_strangers {
            return Err(Error::AuthenticationRequired);
        }
        if self.is_listening() && !spec.is_for_listeners {
            let subcommand = spec.subcommand(&arguments)?.map(|subcommand| format!("|{}", subcommand.name));
            return Err(Error::OnlyForListeners(spec.name.to_owned() + &subcommand.unwrap_or_default()));
        }
        if let Some(queue) = &mut self.queue
            && !spec.is_never_queued
        {
            if spec.changes_session {
                self.spoil();
                return Err(Error::NotInMulti(spec.name));
            }
            return match spec.subcommand(&arguments) {
                Ok(_) => queue.push(place, arguments),
                Err(error) => {
                    queue.broken = true;
                    Err(error)
                }
            };
        }
        self.handle(node, spec, arguments)
    }

    fn handle(&mut self, node: &Node, spec: &Spec, arguments: Arguments) -> Result<Plan, Error> {
        (spec.handler)(&mut Call { name: spec.name, arguments, session: self, node })
    }
}

// Subscriptions.
impl Session {
    /// It has subscribed to something and speaks a protocol in which a message looks like a reply, so that it may ask for
    /// little else.
    pub(crate) fn is_listening(&self) -> bool {
        self.protocol == Protocol::Resp2 && self.has_subscriptions()
    }

    pub(crate) fn has_subscriptions(&self) -> bool {
        !self.subscriptions.is_empty()
    }

    pub(crate) fn subscriptions_mut(&mut self) -> &mut Subscriptions {
        Arc::make_mut(&mut self.subscriptions)
    }

    /// For whoever lists the clients.
    pub(crate) fn tell_subscriptions(&self) {
        self.client.note_subscriptions(&self.subscriptions);
    }
}

// Transactions.
impl Session {
    /// What was watched so far; nothing is from now on.
    pub(crate) fn unwatch(&mut self) -> Watched {
        std::mem::take(&mut self.watched)
    }

    /// A request that cannot be queued keeps `EXEC` from doing anything.
    fn spoil(&mut self) {
        if let Some(queue) = &mut self.queue {
            queue.broken = true;
        }
    }

    /// Understands a request that was queued.
    pub(crate) fn part(&mut self, node: &Node, place: usize, arguments: Vec<Bytes>) -> Part {
        let spec = &node.commands.0[place];
        let database = self.database;
        let keys = spec.keys.among(&arguments).map(|name| Key::new(database, &name[..])).collect();
        let plan = match self.handle(node, spec, Arguments::new(arguments)) {
            Ok(Plan::Loading(loading)) => loading.into_write(),
            Ok(plan) => plan,
            Err(error) => Plan::Local(error.into()),
        };
        Part { command: place, database, keys, plan }
    }
}

fn is_http(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}

/// Repeats the beginning of the arguments, as far as Redis does: clients compare this text.
fn unknown(name: &[u8], arguments: Arguments) -> Error {
    let mut told = String::new();
    for argument in arguments {
        let Some(room) = limits::UNKNOWN_COMMAND_ECHO_BYTES.checked_sub(told.len()).filter(|room| *room > 0)
        else {
            break;
        };
        let argument = &argument[..argument.len().min(room)];
        told.push_str(&format!("'{}' ", String::from_utf8_lossy(argument)));
    }
    Error::UnknownCommand { name: echo(name), arguments: told }
}
