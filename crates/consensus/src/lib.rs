//! Agree on commands.
//!
//! openraft, pinned exactly, behind [`Replica`]: none of its types leaves this crate, and none of its layouts
//! reaches the disk or the wire. The way of a write: [`replica`] names it, the router finds the leader and sends it
//! again when the leader changes, the sequencer of the leader stamps and batches it, openraft replicates it, the
//! machine applies it to [`domain::State`], and the outcome goes back the same way.
//!
//! Modules in reading order: [`environment`] (what is handed in), [`options`] and [`limits`], [`replica`] (the door)
//! and `watch` and `journal` (what was applied), `router` and `link` (entry side), `sequencer` and `backlog` (leader side), `reads` and `rounds`, `machine` and
//! `log_store` (openraft's storage on ours), `sealed` (history files) and [`archive`] (closed orders in them), `materialise` (the state for a fast restart),
//! `peer` (network), `clock`, `leadership` and `ticks` (time and tenure), `admin` (changes of the group), `housekeeping`.

mod admin;
pub mod archive;
mod backlog;
mod clock;
pub mod environment;
mod error;
mod housekeeping;
mod incoming;
mod journal;
mod leadership;
pub mod limits;
mod link;
mod log_store;
mod machine;
mod materialise;
pub mod metrics;
mod once;
pub mod options;
mod peer;
mod reads;
mod replica;
mod rounds;
mod router;
mod sealed;
mod sequencer;
mod shared;
mod status;
#[cfg(test)]
mod suite;
mod ticks;
mod types;
mod watch;
mod watchdog;

pub use admin::Change;
pub use archive::{Archive, ArchiveError};
pub use environment::Environment;
pub use error::{AdminError, Error, ProposeError, ReadError};
pub use incoming::Incoming;
pub use journal::Heard;
pub use metrics::Metrics;
pub use options::{Options, Timeouts};
pub use reads::Reading;
pub use replica::{Replica, Start};
pub use status::{Role, Status};
pub use types::{Contact, Member};
pub use watch::{StandingWatch, Watch};
