//! Who may trade: what the desk has set, what it has switched off, what has been traded, and the check of an order against all
//! of it.
//!
//! Read in this order: [`venue`], [`account`], [`strategy`] and [`limits`] (what is set), [`configuration`] (the whole of it,
//! checked) and [`diff`] (what another one changes); [`switch`] (kill switches, modes, breakers) and [`reconciled`] (which
//! accounts are known to be as they are at their venue); [`total`] (sums that lose nothing), [`scope`] (what is counted
//! together), [`rate`] (how fast), [`counters`] (what was traded) and [`exposure`] (what may still be); [`whole`] (all that the
//! log decides of it); [`check`] (may this order be sent?).
//!
//! All of it is a function of the log. Nothing here changes by itself: who applies a command changes it.

pub mod account;
pub mod check;
pub mod command;
pub mod configuration;
pub mod counters;
pub mod diff;
pub mod exposure;
pub mod limits;
pub mod rate;
pub mod reconciled;
pub mod scope;
pub mod strategy;
pub mod switch;
pub mod total;
pub mod venue;
pub mod whole;

pub use check::{Cancel, Desk, Request};
pub use configuration::{Configuration, Day, Draft, Problem, Revision};
pub use counters::{Counters, Execution, PositionKey};
pub use exposure::{Exposures, Working};
pub use scope::{LimitKey, Owner, Subject};
pub use switch::{Note, Switched, Switches};
pub use total::Total;
pub use venue::Valuation;
pub use whole::Trading;
