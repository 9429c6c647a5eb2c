//! What is promised of orders, judged by what was asked, answered, listed and entered in the exchange's ledger. Nothing here
//! knows `domain`: what an answer shows of its place in the log, its token and its evidence is held against all others.
//!
//! In reading order: [`record`] (what happened), then the checkers, each of which could be alone: `names` (a key is one
//! order), `leave` (who may trade: tokens, switches), `limits`, `kept` (what was acknowledged is never lost), `truth` (the log
//! against the ledger).
//!
//! Every check is of one side: where an unknown outcome leaves two possibilities, the one that is right is believed.

mod figures;
mod kept;
mod leave;
mod limits;
mod names;
pub mod record;
mod truth;

use std::fmt;

use super::history::History;
pub use figures::Figures;
pub use record::Record;

/// What the desk is held to, as it was configured.
#[derive(Clone, Debug)]
pub struct Desk {
    /// The account whose orders go to the exchange.
    pub account: String,
    pub venue: String,
    /// Of this account; without one it has none.
    pub limits: Option<Limits>,
}

/// Limits of an account.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub open_orders: usize,
    pub position: rust_decimal::Decimal,
}

/// What is broken, of which order or switch, and how that shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    pub rule: Rule,
    pub of: String,
    pub detail: String,
}

/// What may be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// names: a key stands for two orders, or two keys for one.
    KeyTwice,
    /// names: an order was authorised for two requests.
    AuthorizedTwice,
    /// names: an order is not what was asked for.
    OtherOrder,
    /// names: a key was called that of another order, and is not.
    NotDuplicate,
    /// leave: something was authorised under a token that was not the lease's any more, or never.
    FencedServed,
    /// leave: a token was called that of another, and no other was ever granted.
    FencedWithoutReason,
    /// leave: something was authorised while a switch forbade it.
    SwitchIgnored,
    /// leave: a switch was given as the reason, and none was ever set.
    SwitchedWithoutReason,
    /// limits: more was authorised than may be.
    LimitPassed,
    /// kept: an order, a report, a switch or the configuration that was acknowledged is gone.
    Lost,
    /// truth: an order entered the exchange that was never authorised, or not as it was, or after its time.
    Unauthorized,
    /// truth: at the end an order is not shown as the exchange has it.
    NotTheTruth,
    /// truth: two nodes show one order differently.
    NodesDiffer,
}

/// Examines everything. `history` tells which tokens were granted.
pub fn examine(record: &Record, history: &History, desk: &Desk) -> Vec<Wrong> {
    let mut wrong = names::examine(record);
    wrong.extend(leave::examine(record, history, desk));
    wrong.extend(desk.limits.map(|limits| limits::examine(record, desk, limits)).unwrap_or_default());
    wrong.extend(kept::examine(record));
    wrong.extend(truth::examine(record, desk));
    wrong
}

impl Wrong {
    fn new(rule: Rule, of: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { rule, of: of.into(), detail: detail.into() }
    }
}

impl Rule {
    pub fn name(self) -> &'static str {
        match self {
            Self::KeyTwice => "key twice",
            Self::AuthorizedTwice => "authorised twice",
            Self::OtherOrder => "other order",
            Self::NotDuplicate => "not a duplicate",
            Self::FencedServed => "fenced trader served",
            Self::FencedWithoutReason => "fenced without reason",
            Self::SwitchIgnored => "switch ignored",
            Self::SwitchedWithoutReason => "switched without reason",
            Self::LimitPassed => "limit passed",
            Self::Lost => "lost",
            Self::Unauthorized => "unauthorised at the exchange",
            Self::NotTheTruth => "not the truth",
            Self::NodesDiffer => "nodes differ",
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "orders: {}, {}: {}", self.rule.name(), self.of, self.detail)
    }
}
