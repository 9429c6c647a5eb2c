//! Judges what clients of a cluster saw.
//!
//! Read in this order: [`history`] (what was asked and answered), [`model`] (what leases and keys mean, written apart
//! from `domain`), `parts` (what an operation is made of), then the checkers, each of which could be alone:
//! [`witness`] (by the order that the log tells; `order`: whether that order can be), [`search`] (by the times alone),
//! [`leases`] and [`writes`] (promises by name, without the model), [`messages`] (what was published and heard); [`verdict`] (what they
//! found); and [`orders`] (what traders, an operator and an exchange saw of orders).

pub mod history;
pub mod leases;
pub mod messages;
pub mod model;
mod order;
pub mod orders;
mod parts;
pub mod search;
pub mod verdict;
pub mod witness;
pub mod writes;

pub use history::{Call, Condition, History, Lease, NotHeld, Operation, Outcome, Reply, TimeLeft};
pub use verdict::{Rule, Verdict, Violation, judge};
