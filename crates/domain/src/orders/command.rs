//! What may be asked of orders, and what is answered.

use crate::command::Audit;
use crate::digest::Feed;
use crate::limits::{ORDER_ANSWER_BYTES_MAX, REASON_BYTES, REPORT_ANSWER_BYTES_MAX};
use crate::orders::id::{ClientOrderId, OrderId};
use crate::orders::intent::Intent;
use crate::orders::order::Sender;
use crate::orders::reason::Reason;
use crate::orders::report::Report;
use crate::{LeaseName, Serial, Token};

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderAction {
    Submit(Submit),
    Cancel(Cancel),
    Replace(Replace),
    /// Take in what was said of an order. It repeats harmlessly.
    Report(Report),
}

/// Record an order and authorise it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submit {
    pub intent: Intent,
    /// Must be what the account says.
    pub sender: Sender,
    /// How long it may wait, in milliseconds of log time, for what passes by itself. 0: not at all.
    pub hold_ms: u64,
    /// The leader's wall clock, in milliseconds since 1970, put here when the command arrives: what is signed.
    pub wall_ms: Option<i64>,
}

/// Cancel an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancel {
    pub order: OrderId,
    /// Must be what the account says.
    pub sender: Sender,
    pub by: Authority,
    /// As in [`Submit`].
    pub wall_ms: Option<i64>,
}

/// By what right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authority {
    /// That of whoever trades the order's account and strategy.
    Lease { lease: LeaseName, token: Token },
    /// That of a person.
    Operator(Box<Audit>),
}

/// Cancel an order and submit another as one pair: both are authorised, or neither. The new one must be of the same account,
/// strategy and symbol, and both stand under its lease. Of one that waits nothing was sent, and it is withdrawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replace {
    pub cancel: OrderId,
    pub submit: Submit,
}

/// What became of a submission, a cancel or a replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderAnswer {
    /// It may be sent, once, by whoever asked, until the window is over.
    Authorized { order: OrderId, signing: Signing },
    /// It is recorded, and waits.
    Held { order: OrderId, reasons: Vec<Reason> },
    /// The key was known: this is the order that it stands for, and nothing was authorised now.
    Existing { order: OrderId },
    /// The cancel may be sent.
    Canceling { order: OrderId, attempt: Serial, signing: Signing },
    /// The order was never authorised, and never will be.
    Withdrawn { order: OrderId },
    /// Both may be sent, the cancel first. One in the place of an order that waited is [`OrderAnswer::Authorized`].
    Replacing { canceled: OrderId, order: OrderId, signing: Signing },
    /// It is refused, and written down: rules ask for it.
    Denied { order: OrderId, reasons: Vec<Reason> },
    /// It is refused, and nothing is recorded.
    Refused { reasons: Vec<Reason> },
    /// What was said was taken in, or was known.
    Reported { order: OrderId },
}

/// What is signed: after `wall_ms + window_ms` the venue takes it no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signing {
    /// Of the new order, or of the one that is cancelled.
    pub client_order_id: Option<ClientOrderId>,
    /// Milliseconds since 1970.
    pub wall_ms: i64,
    pub window_ms: u64,
}

impl OrderAction {
    /// Puts the leader's wall clock where it is signed.
    pub fn resolve_wall_clock(&mut self, now_ms: i64) {
        match self {
            Self::Submit(Submit { wall_ms, .. })
            | Self::Cancel(Cancel { wall_ms, .. })
            | Self::Replace(Replace { submit: Submit { wall_ms, .. }, .. }) => *wall_ms = Some(now_ms),
            Self::Report(_) => {}
        }
    }

    /// No less than its encoded size.
    pub fn bytes(&self) -> usize {
        // Three decimals, a token, a time, and what goes around them.
        const FIXED_BYTES: usize = 224;
        match self {
            Self::Submit(submit) | Self::Replace(Replace { submit, .. }) => {
                submit.intent.text_bytes() + FIXED_BYTES
            }
            Self::Cancel(Cancel { by: Authority::Lease { lease, .. }, .. }) => {
                lease.as_str().len() + FIXED_BYTES
            }
            Self::Cancel(Cancel { by: Authority::Operator(audit), .. }) => audit.bytes() + FIXED_BYTES,
            Self::Report(report) => report.bytes(),
        }
    }

    /// What its answer may count for at most.
    pub(crate) fn answer_bytes_max(&self) -> usize {
        match self {
            Self::Submit(_) | Self::Cancel(_) | Self::Replace(_) => ORDER_ANSWER_BYTES_MAX,
            Self::Report(_) => REPORT_ANSWER_BYTES_MAX,
        }
    }

    /// Whether it frees rather than fills.
    pub fn frees(&self) -> bool {
        matches!(self, Self::Cancel(_) | Self::Report(_))
    }
}

impl OrderAnswer {
    /// What its reasons count for in memory.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Held { reasons, .. } | Self::Denied { reasons, .. } | Self::Refused { reasons } => {
                reasons.len() * REASON_BYTES
            }
            _ => 0,
        }
    }

    pub(crate) fn feed(&self, feed: &mut Feed) {
        match self {
            Self::Authorized { order, signing } => {
                feed.u64(0).u64(order.0.0);
                signing.feed(feed);
            }
            Self::Held { order, reasons } => {
                feed.u64(1).u64(order.0.0);
                feed_reasons(reasons, feed);
            }
            Self::Existing { order } => _ = feed.u64(2).u64(order.0.0),
            Self::Canceling { order, attempt, signing } => {
                feed.u64(3).u64(order.0.0).u64(attempt.0);
                signing.feed(feed);
            }
            Self::Withdrawn { order } => _ = feed.u64(4).u64(order.0.0),
            Self::Replacing { canceled, order, signing } => {
                feed.u64(5).u64(canceled.0.0).u64(order.0.0);
                signing.feed(feed);
            }
            Self::Denied { order, reasons } => {
                feed.u64(6).u64(order.0.0);
                feed_reasons(reasons, feed);
            }
            Self::Refused { reasons } => {
                feed.u64(7);
                feed_reasons(reasons, feed);
            }
            Self::Reported { order } => _ = feed.u64(8).u64(order.0.0),
        }
    }
}

impl Signing {
    fn feed(&self, feed: &mut Feed) {
        let Self { client_order_id, wall_ms, window_ms } = self;
        let client_order_id = client_order_id.map_or_else(String::new, |client| client.to_string());
        feed.bytes(client_order_id.as_bytes()).i64(*wall_ms).u64(*window_ms);
    }
}

/// What differs in its words differs.
pub(crate) fn feed_reasons(reasons: &[Reason], feed: &mut Feed) {
    feed.u64(reasons.len() as u64);
    for reason in reasons {
        feed.bytes(reason.code().as_bytes()).bytes(reason.to_string().as_bytes());
    }
}
