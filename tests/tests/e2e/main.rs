//! What the issue must show, each line a test by name.
//!
//! [`alone`] measures times under faults and has the machine to itself; [`beside`] runs several at a time.

mod alone;
mod beside;
