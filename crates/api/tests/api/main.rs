//! The services, called as gRPC calls them, on a cluster of one whose disk is memory.

// Helpers are tests too, which clippy sees only in `#[test]` functions.
#![allow(clippy::unwrap_used)]

mod config;
mod history;
mod orders;
mod refusals;
mod reports;
mod watches;
mod world;
