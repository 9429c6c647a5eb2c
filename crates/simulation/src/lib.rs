//! The whole cluster in one process, under one seed.
//!
//! Real nodes (Raft, write-ahead log, state machine, the Redis and gRPC doors) and clients run on turmoil's hosts.
//! Network, disks, clocks and chance are made from the seed, so a run can be repeated exactly. A run has four parts:
//! faults under load, healing, a proof that the cluster is alive again, and a look at what must have been kept.
//!
//! Modules in reading order: [`plan`] (what a seed means), [`run`] (one run, from plan to verdict), `world` (nodes and
//! what they stand on: `clock`, `disk`), `exchange` (where orders go), `nemesis` (the faults; `replacement`: of a member by another), `clients` (the load, and what it was answered),
//! `invariants` (what is looked at after each step).

mod clients;
mod clock;
mod disk;
mod exchange;
mod invariants;
pub mod judge;
mod nemesis;
pub mod plan;
mod replacement;
pub mod run;
mod world;
