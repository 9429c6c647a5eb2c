//! Between the nodes of one group: the client side that openraft and the forwarding of commands use, and the
//! server side.

mod channels;
mod client;
mod convert;
mod news;
mod server;

pub(crate) use channels::{Channels, Lane};
pub(crate) use client::Network;
pub(crate) use server::Peer;
