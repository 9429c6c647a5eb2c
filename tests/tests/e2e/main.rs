//! What the issue must show, each line a test by name.
//!
//! [`alone`] measures times under faults and has the machine to itself; [`beside`] runs several at a time; [`asked`]
//! runs only when asked for.

mod alone;
mod asked;
mod beside;
