//! The commands: one table, one file per family.
//!
//! A handler takes its arguments and answers with a [`Plan`]; it changes nothing but the session. A request that it
//! does not like is an [`Error`], and the connection lives on.
//!
//! Read in this order: [`table`] (every command), [`strings`], [`ranges`], [`hashes`], [`lists`], [`sets`], [`sorted_sets`] and [`scores`], [`elements`], [`expiry`], [`keys`],
//! [`listing`], [`leases`], [`transactions`], [`scripts`], [`pubsub`], [`connection`], [`client`], [`server`], [`info`], [`config`],
//! [`introspection`].

pub(crate) mod client;
mod config;
pub(crate) mod connection;
mod elements;
mod expiry;
pub(crate) mod glob;
mod hashes;
pub(crate) mod info;
pub(crate) mod introspection;
mod keys;
mod leases;
mod listing;
mod lists;
pub(crate) mod pubsub;
mod ranges;
mod scores;
mod scripts;
mod server;
mod sets;
mod sorted_sets;
mod strings;
pub(crate) mod table;
mod transactions;

pub(crate) use expiry::seconds;
pub(crate) use scripts::is_kept_from_scripts;
pub(crate) use table::{COMMANDS, Table};

use crate::Error;
use bytes::Bytes;

use crate::error::echo;
use crate::node::Node;
use crate::plan::Plan;
use crate::request::Arguments;
use crate::session::Session;

/// One request, on its way to a handler.
pub(crate) struct Call<'a> {
    /// In lower case, as errors say it.
    pub(crate) name: &'static str,
    pub(crate) arguments: Arguments,
    pub(crate) session: &'a mut Session,
    pub(crate) node: &'a Node,
}

pub(crate) type Handler = fn(&mut Call<'_>) -> Result<Plan, Error>;

/// One line of the table.
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) arity: Arity,
    pub(crate) kind: Kind,
    pub(crate) keys: Keys,
    pub(crate) open_to_strangers: bool,
    /// Done at once also between `MULTI` and `EXEC`, instead of being queued.
    pub(crate) is_never_queued: bool,
    /// It changes the connection or the node and not the group: it cannot be undone when `EXEC` does nothing, so that it
    /// cannot be queued either.
    pub(crate) changes_session: bool,
    /// Scripts may call it.
    pub(crate) is_for_scripts: bool,
    /// Allowed also to a client that has subscribed to something and speaks RESP2.
    pub(crate) is_for_listeners: bool,
    pub(crate) handler: Handler,
    /// What its first argument may be, if that says what is to be done.
    pub(crate) subcommands: &'static [Subcommand],
}

impl Spec {
    /// The subcommand that these arguments begin with; `None`: it has none.
    pub(crate) fn subcommand(&self, arguments: &Arguments) -> Result<Option<&'static Subcommand>, Error> {
        let (Some(name), false) = (arguments.peek(), self.subcommands.is_empty()) else { return Ok(None) };
        let found = self.subcommands.iter().find(|one| name.eq_ignore_ascii_case(one.name.as_bytes()));
        let Some(found) = found else {
            let container = self.name.to_ascii_uppercase();
            return Err(Error::UnknownSubcommand { container, name: echo(name) });
        };
        if !found.arity.fits(arguments.len() + 1) {
            return Err(Error::Arity(format!("{}|{}", self.name, found.name)));
        }
        Ok(Some(found))
    }
}

/// As Redis counts: the name included, and a negative number is a least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arity(pub(crate) i32);

impl Arity {
    pub(crate) fn fits(self, arguments: usize) -> bool {
        let Ok(arguments) = i32::try_from(arguments) else { return false };
        if self.0 < 0 { arguments >= -self.0 } else { arguments == self.0 }
    }
}

/// What a command touches, as `COMMAND INFO` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Read,
    /// Looks at a database as a whole.
    Listing,
    Write,
    /// Nothing that the log decides.
    Server,
    /// Depends on the script.
    Script,
}

/// Where the keys stand among the arguments, as Redis describes it: first, last (negative from the end), step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keys {
    pub(crate) first: i32,
    pub(crate) last: i32,
    pub(crate) step: i32,
}

impl Keys {
    /// The keys among the arguments, without the name.
    pub(crate) fn among(self, arguments: &[Bytes]) -> impl Iterator<Item = &Bytes> {
        let Self { first, last, step } = self;
        let first = usize::try_from(first).ok().and_then(|first| first.checked_sub(1));
        let from_end = (last + 1).unsigned_abs() as usize;
        let end =
            usize::try_from(last).unwrap_or(arguments.len().saturating_sub(from_end)).min(arguments.len());
        let keys = first.and_then(|first| arguments.get(first..end)).unwrap_or_default();
        keys.iter().step_by(usize::try_from(step).unwrap_or_default().max(1))
    }
}

/// A subcommand of a command such as `CLIENT`.
pub(crate) struct Subcommand {
    pub(crate) name: &'static str,
    /// Both names included.
    pub(crate) arity: Arity,
    pub(crate) handler: Handler,
}

impl Call<'_> {
    /// Takes the name of the subcommand and hands over to its handler.
    fn subcommand(&mut self) -> Result<Plan, Error> {
        let table = self.node.commands;
        let spec = table.find(self.name.as_bytes()).map(|place| &table.0[place]);
        let found =
            spec.and_then(|spec| spec.subcommand(&self.arguments).transpose()).ok_or(Error::Syntax)??;
        self.arguments.take()?;
        (found.handler)(self)
    }

    /// An error that repeats the next argument.
    pub(crate) fn repeat_next(&mut self, error: fn(String) -> Error) -> Error {
        match self.arguments.take() {
            Ok(argument) => error(echo(&argument)),
            Err(syntax) => syntax,
        }
    }
}
