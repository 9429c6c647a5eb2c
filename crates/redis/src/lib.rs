//! The Redis protocol in front of leases and keys, for clients that already speak it.
//!
//! Bytes become a request, a request becomes a `Plan`: an answer at once, actions to propose, or a look at the
//! state. Planning is pure; only `connection` and `server` move bytes and wait. Any node answers any request.
//! Values and leases are those of [`domain`]: this crate holds no state that matters, so that a node can be lost
//! without losing anything that a client was told.
//!
//! Read in this order: [`limits`]; `codec` (bytes and requests); `request`, `plan`, `reply`, `error` (what
//! goes in and out); `session` and `node` (what a connection remembers, what connections share); `command`
//! (one file per family); `script` (lock scripts, recognised by meaning); `group` and `replica` (the seam to consensus);
//! `transaction` (what `MULTI` queued, as one), `evaluation` and `loading` (scripts), `edit`, `chance`, `long_double` (what `INCRBYFLOAT` adds), `turns` and `blocking`, `pubsub` (who is told what), `run`, `connection` and `server` (what is executed together, the loop, accepting and draining);
//! `sentinel` (the other door, where clients ask for the way); `redlock` (who takes three nodes for three servers); `clients`,
//! `metrics`.
//!
//! It never reads a clock, draws a random number, spawns a task or opens a socket by itself: they are handed in.

mod blocking;
mod chance;
mod clients;
mod codec;
mod command;
mod connection;
mod edit;
mod error;
mod evaluation;
#[cfg(test)]
mod golden;
mod group;
mod lane;
pub mod limits;
mod loading;
mod long_double;
mod metrics;
mod node;
mod options;
mod overlay;
mod plan;
mod pubsub;
mod redlock;
mod replica;
mod reply;
mod request;
mod run;
mod script;
mod sentinel;
mod server;
mod session;
#[cfg(test)]
mod testing;
mod transaction;
mod turns;

pub use codec::Protocol;
pub use error::{Error, Failure, Severity};
pub use group::{Addresses, Group, Look, Standing};
pub use lane::Aside;
pub use metrics::{CommandCount, Metrics, Outcome};
pub use node::WallClock;
pub use options::{Options, Purpose};
pub use plan::View;
pub use pubsub::notify::knows_events;
pub use reply::Reply;
pub use server::{Accepted, Environment, Server};
