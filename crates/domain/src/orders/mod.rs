//! Orders: what was asked for, what a venue said, and what follows from both.

pub mod id;
pub mod intent;
pub mod reason;
