//! Tests that measure times: each has the machine to itself.

mod all_killed;
mod connections;
mod dev;
mod exec;
mod holder_and_leader_killed;
mod leader_frozen;
mod leader_killed;
mod leader_stopped;
