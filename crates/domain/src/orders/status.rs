//! How an order stands: a pure function of what was authorised, what is known of it, the term and the hour.
//!
//! Nothing moves from one status to another. Each is read off the evidence anew, so that no report can come too late or in the
//! wrong order; this is what it looks like to whoever watches one order:
//!
//! ```text
//!             withdrawn, not held
//!  INTENT ──────────────────────────▶ DENIED*      not sent, it never began
//!    │ authorised                        ▲
//!    ▼                                   │
//!  SUBMITTING ───────────────────────────┤─────────▶ REJECTED*       refused by the venue
//!    │   │ no answer, another term       │             ▲
//!    │   ▼                               │             │
//!    │  SUBMIT_UNKNOWN ──────────────────┴─────────────┴─▶ NEVER_PLACED*   absence proven
//!    │   │
//!    │   │ the venue shows it: from here on it has lived
//!    ▼   ▼
//!  OPEN ──▶ PARTIALLY_FILLED ───────▶ FILLED*      also later: a late fill of a cancelled order
//!    │ ▲       │ ▲                      ▲
//!    │ │       │ │ cancel refused       │ filled all the same
//!    ▼ │       ▼ │                      │
//!  PENDING_CANCEL ──────────────────▶ CANCELED*    by a cancel, or by the venue
//!                 └─────────────────▶ EXPIRED*     by its time in force, or by the venue
//! ```
//!
//! `*` is terminal. A cancel may be authorised from SUBMITTING and SUBMIT_UNKNOWN too. An order that lived after it was
//! REJECTED, NEVER_PLACED or DENIED is shown as the venue has it, and quarantined.

use crate::orders::contradiction::Contradiction;
use crate::orders::evidence::Evidence;
use crate::orders::order::{Authorization, Order, Present, Sender};
use crate::words::words;

/// How an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Recorded, and held until it may be authorised.
    Intent,
    /// Nothing was sent, and nothing will be.
    Denied,
    /// It may be on its way.
    Submitting,
    /// It may be at the venue, or may still come there.
    SubmitUnknown,
    Open,
    PartiallyFilled,
    /// A cancel is on its way; it may still be filled.
    PendingCancel,
    Filled,
    /// Perhaps after it was filled in part, as in all that follows but the last two.
    Canceled,
    Expired,
    Rejected,
    /// The venue never had it.
    NeverPlaced,
}

words! {
    Status {
        Intent => "INTENT",
        Denied => "DENIED",
        Submitting => "SUBMITTING",
        SubmitUnknown => "SUBMIT_UNKNOWN",
        Open => "OPEN",
        PartiallyFilled => "PARTIALLY_FILLED",
        PendingCancel => "PENDING_CANCEL",
        Filled => "FILLED",
        Canceled => "CANCELED",
        Expired => "EXPIRED",
        Rejected => "REJECTED",
        NeverPlaced => "NEVER_PLACED",
    }
}

impl Status {
    /// No trade is awaited any more, though one may still come.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Denied
            | Self::Filled
            | Self::Canceled
            | Self::Expired
            | Self::Rejected
            | Self::NeverPlaced => true,
            Self::Intent
            | Self::Submitting
            | Self::SubmitUnknown
            | Self::Open
            | Self::PartiallyFilled
            | Self::PendingCancel => false,
        }
    }
}

/// What is to be known of an order besides its status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// It was not submitted here.
    pub external: bool,
    /// Fills are missing that the venue counted, or may have.
    pub fills_pending: bool,
    /// What is known of it contradicts itself.
    pub quarantined: bool,
    /// More was filled than was asked for.
    pub overfilled: bool,
    /// It is in the history, and no longer in memory.
    pub archived: bool,
}

impl Flags {
    /// As the API spells those that are set.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let Self { external, fills_pending, quarantined, overfilled, archived } = self;
        [
            (external, "external"),
            (fills_pending, "fills_pending"),
            (quarantined, "quarantined"),
            (overfilled, "overfilled"),
            (archived, "archived"),
        ]
        .into_iter()
        .filter_map(|(is_set, word)| is_set.then_some(word))
    }
}

/// By this evidence, in this term and at this hour.
pub fn status(order: &Order, evidence: &Evidence, present: Present) -> Status {
    if let Some(end) = end(order, evidence) {
        end
    } else if order.is_cancel_pending(evidence) {
        Status::PendingCancel
    } else if evidence.is_alive() {
        if evidence.filled().is_positive() { Status::PartiallyFilled } else { Status::Open }
    } else if is_submission_unknown(order, evidence, present) {
        Status::SubmitUnknown
    } else if order.authorization.is_some() {
        Status::Submitting
    } else {
        Status::Intent
    }
}

/// Whether it may be at its venue or not, and nobody is about to say so. A cancel that is pending does not make it known.
fn is_submission_unknown(order: &Order, evidence: &Evidence, present: Present) -> bool {
    let is_overdue = order.authorization.is_some_and(|authorization| authorization.is_overdue(present));
    let is_known = evidence.is_alive() || end(order, evidence).is_some();
    !is_known && (is_overdue || !evidence.unknown.is_empty())
}

/// Whether what became of it at its venue is not known, by this evidence, in this term and at this hour, so that somebody must
/// look after it: nobody knows whether the venue has it, or whether its last cancel was carried out; fills are missing; or what
/// is known contradicts itself.
pub fn is_unresolved(order: &Order, evidence: &Evidence, present: Present) -> bool {
    let Flags { fills_pending, quarantined, .. } = flags(order, evidence);
    let is_cancel_unknown = || end(order, evidence).is_none() && order.is_cancel_unknown(evidence);
    fills_pending || quarantined || is_submission_unknown(order, evidence, present) || is_cancel_unknown()
}

/// The terminal status that this evidence gives, whatever the term and the hour.
pub(super) fn end(order: &Order, evidence: &Evidence) -> Option<Status> {
    let is_full = order.quantity(evidence).is_some_and(|quantity| evidence.filled() >= quantity);
    if evidence.ends.filled || is_full {
        Some(Status::Filled)
    } else if evidence.ends.canceled {
        Some(Status::Canceled)
    } else if evidence.ends.expired.is_some() {
        Some(Status::Expired)
    } else if evidence.is_alive() {
        None
    } else if evidence.is_rejected() {
        Some(Status::Rejected)
    } else if evidence.absent {
        Some(Status::NeverPlaced)
    } else if order.denial.is_some() || evidence.not_sent {
        Some(Status::Denied)
    } else {
        None
    }
}

/// By this evidence.
pub fn flags(order: &Order, evidence: &Evidence) -> Flags {
    let quantity = order.quantity(evidence);
    Flags {
        external: order.is_external(),
        fills_pending: are_fills_pending(order, evidence),
        quarantined: !Contradiction::all_in(order, evidence).is_empty(),
        overfilled: quantity.is_some_and(|quantity| evidence.filled() > quantity),
        archived: false,
    }
}

/// It has ended by this evidence, with all its fills, and nothing contradicts.
pub(super) fn is_complete(order: &Order, evidence: &Evidence) -> bool {
    let Flags { fills_pending, quarantined, .. } = flags(order, evidence);
    end(order, evidence).is_some() && !fills_pending && !quarantined
}

/// More is filled than the fills come to; or the order has ended and nobody said with how much, or with all of it though less
/// is known.
fn are_fills_pending(order: &Order, evidence: &Evidence) -> bool {
    let ever = evidence.filled_ever();
    let is_short = order.quantity(evidence).is_none_or(|quantity| ever < quantity);
    let awaited = match end(order, evidence) {
        Some(Status::Filled) => evidence.ends.filled && is_short && order.quantity(evidence).is_some(),
        Some(Status::Canceled | Status::Expired) => evidence.final_quantity.is_none(),
        _ => false,
    };
    ever > evidence.fills.traded() || awaited
}

impl Authorization {
    /// Whoever was to send it has had its time without a word: a node that leads no more, or a bot whose order the venue would
    /// now refuse.
    fn is_overdue(&self, present: Present) -> bool {
        match self.sender {
            Sender::Cluster => self.term != present.term,
            Sender::Bot => present.now > self.at.plus_ms(self.window_ms),
        }
    }
}
