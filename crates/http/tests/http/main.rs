//! Real requests over connections in memory, to real replicas on disks in memory.

// Helpers are tests too, which clippy sees only in `#[test]` functions.
#![allow(clippy::unwrap_used)]

mod client;
mod config;
mod connections;
mod health;
mod input;
mod leases;
mod offices;
mod orders;
mod pages;
mod world;
