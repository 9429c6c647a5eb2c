//! The harness of the end-to-end tests: the real binary as processes, clients of our own, faults, and figures.
//!
//! Read in this order: [`suite`] (when a test runs and what it may assume), [`cluster`], [`node`] and [`exchange`] (processes),
//! [`cli`], [`resp`], [`grpc`] and [`http`] (ways in), [`load`] and [`ledger`] (traffic and the account of what it was promised),
//! [`crowd`] (clients that wait), [`desk`] (programs under a lease, and whether two ran at once), [`contest`] (locks of
//! foreign clients, and whether two held one at once), [`bots`] and [`trades`] (the bots of the README, and whether one traded
//! that might not), [`judged`] (programs of foreign clients that judge themselves), [`order_desk`]
//! (a desk with orders), [`trading`] (many orders),
//! [`stall`] (a disk that is slow for a moment), [`pulse`] (how long the machine held everybody up), [`power`] (a disk that
//! loses its power), [`processors`] (less of the machine), [`chance`] (what is drawn), [`figures`] (what a run measured).
//!
//! Nothing here sleeps before an assertion: what must become true is waited for, with a deadline ([`wait`]).

pub mod bots;
pub mod chance;
pub mod cli;
pub mod cluster;
pub mod contest;
pub mod crowd;
pub mod desk;
pub mod differential;
pub mod exchange;
pub mod figures;
pub mod grpc;
pub mod http;
pub mod judged;
pub mod ledger;
pub mod load;
pub mod node;
pub mod order_desk;
pub mod ports;
pub mod power;
pub mod process;
pub mod processors;
pub mod pulse;
pub mod redis_server;
pub mod resp;
pub mod stall;
pub mod suite;
pub mod trades;
pub mod trading;
pub mod wait;
