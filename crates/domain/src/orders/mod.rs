//! Orders: what was asked for, what a venue said, and what follows from both.
//!
//! Read in this order: [`id`] and [`intent`] (what is asked for), [`reason`] (why it may not be), [`report`] (what a venue or a
//! bot says), [`fill`] and [`evidence`] (what all reports together say), [`order`] (all that is known of one), [`status`] (what
//! follows from it) with [`contradiction`], [`transition`] (what may then be asked), [`command`] (how it is asked), [`table`] (all
//! that are in memory) and [`tombstone`] (what is left of the others), [`filter`] (which of all are asked for).

pub mod command;
pub mod contradiction;
pub mod evidence;
pub mod fill;
pub mod filter;
pub mod id;
pub mod intent;
mod join;
pub mod order;
pub mod reason;
pub mod report;
pub mod status;
pub mod table;
pub mod tombstone;
pub mod transition;

pub use contradiction::Contradiction;
pub use evidence::Evidence;
pub use fill::{Fill, FillKey};
pub use filter::Filter;
pub use id::{ClientOrderId, OrderId, Tag};
pub use intent::{Intent, OrderType, Side, TimeInForce};
pub use order::{Authorization, Order, Present};
pub use reason::Reason;
pub use report::{Fact, Report};
pub use status::{Flags, Status};
pub use transition::Request;
