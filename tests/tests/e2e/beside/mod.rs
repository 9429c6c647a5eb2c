//! Tests whose result does not depend on what else the machine does.

mod bad_input;
mod checks;
mod clients;
mod clocks;
mod config;
mod desk;
pub(crate) mod differential;
mod doctor;
mod election;
mod exchange;
mod exec;
mod exec_faults;
pub(crate) mod formats;
mod health;
mod identity;
mod leadership;
mod leases;
pub(crate) mod libraries;
mod members;
mod messages;
mod scripts;
mod sentinel;
mod snapshot;
pub(crate) mod status;
mod switches;
mod three_masters;
mod transactions;
