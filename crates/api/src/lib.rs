//! The services for clients and operators, written once behind the traits of `wire` and served over gRPC.
//!
//! Any node answers any call: what must happen at the leader is sent there by [`consensus::Replica`]. A service
//! decides nothing: it turns a request into an action or a read, and an outcome into a reply or a refusal with a
//! reason from the closed list in [`refusal`].

mod call;
pub mod cluster;
pub mod config;
mod faults;
pub mod lease;
pub mod limits;
pub mod order;
mod page;
pub mod refusal;
pub mod server;

pub use cluster::Cluster;
pub use config::Config;
pub use lease::Leases;
pub use order::Orders;
pub use refusal::{Reason, all_reasons, is_repeated, reason_of};
pub use server::serve;
