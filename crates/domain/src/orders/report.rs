//! Reports: one thing that a venue or a bot says of an order, in words that belong to no venue.
//!
//! Whoever speaks with a venue turns what it says into these, and what a venue leaves open stays open: a timeout is
//! [`Fact::Unknown`], an order that is not found is nothing until its absence is proven. A report never fails: one that says
//! nothing new changes nothing, and one that contradicts what is known is kept beside it.

use std::fmt;
use std::sync::Arc;

use crate::limits::{NAME_BYTES_MAX, REPORT_TEXT_BYTES_MAX, TRADES_PER_REPORT_MAX};
use crate::orders::fill::{Fill, FillKey};
use crate::orders::id::{ClientOrderId, OrderId};
use crate::orders::intent::{OrderType, Side, TimeInForce};
use crate::orders::reason::{Fault, Field, Reason};
use crate::words::words;
use crate::{AccountId, Decimal, Serial, Symbol, VenueOrderId};

/// One thing said of one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub account: AccountId,
    pub symbol: Symbol,
    pub order: OrderName,
    pub by: Witness,
    /// Milliseconds since 1970 by the venue's clock, if it says when.
    pub venue_ms: Option<i64>,
    /// The venue's own name of the order, if it says it.
    pub venue_order_id: Option<VenueOrderId>,
    /// What the venue holds the order to ask for, if it says it.
    pub terms: Option<Terms>,
    pub fact: Fact,
}

/// Which order of the account and symbol.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OrderName {
    Id(OrderId),
    Client(ClientOrderId),
    Venue(VenueOrderId),
}

/// Who says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Witness {
    /// The venue to this cluster, and the cluster itself of what it did or did not send.
    Venue,
    /// A bot that speaks with the venue itself.
    Bot,
}

/// What somebody's word counts for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Shown, but nothing is settled by it until the venue confirms it.
    #[default]
    Hint,
    /// As much as the venue's.
    Evidence,
}

/// An order as its venue describes it. Where it differs from the intent, the venue's is what is traded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Terms {
    pub side: Side,
    /// `None`: of a type that is not among ours.
    pub order_type: Option<OrderType>,
    pub time_in_force: Option<TimeInForce>,
    pub quantity: Option<Decimal>,
    pub price: Option<Decimal>,
}

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The venue took the order, or says that it has it already.
    Acknowledged,
    /// How the order stands, and how much of it is filled by now.
    Status { status: VenueStatus, cumulative: Decimal },
    /// What was traded, or taken back.
    Trades(Vec<(FillKey, Fill)>),
    /// The venue answered the submission with a refusal that leaves nothing open.
    Refused(Rejection),
    /// The submission was begun, and nobody knows what became of it.
    Unknown(UnknownCause),
    /// It is proven that the venue never had the order and will never have it.
    Absent,
    /// Its sender never began to send it, and will not.
    NotSent,
    /// What became of the cancel that was authorised under this serial.
    Cancel { cancel: Serial, outcome: CancelOutcome },
}

/// How an order stands at its venue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VenueStatus {
    /// It rests or waits, filled in part or not.
    Open,
    Filled,
    Canceled,
    /// With the venue's reason.
    Expired(Text),
    Rejected(Rejection),
}

/// Why an order or a cancel was refused, in the venue's words.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rejection {
    pub code: Text,
    pub message: Text,
}

/// Why the outcome of a submission is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnknownCause {
    /// There was no answer in time.
    Timeout,
    /// The connection ended before the answer did.
    Reset,
    /// The venue failed, or says that it does not know.
    ServerError,
    /// The sender ended, or was cut off, while it was sending.
    SenderLost,
    /// An answer that nobody here understands.
    NotUnderstood,
}

/// What became of a cancel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CancelOutcome {
    /// It may have been carried out or not; it may be sent again.
    Unknown,
    /// Which tells nothing of the order: it may be filled, cancelled before, or not there yet.
    Refused(Rejection),
    /// The order is cancelled.
    Done,
}

/// A text of a venue, of at most [`REPORT_TEXT_BYTES_MAX`] bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text(Arc<str>);

impl Report {
    /// What cannot be in a report, whatever it is about.
    pub fn faults(&self) -> Vec<Reason> {
        let mut faults = Vec::new();
        let mut say = |field, fault| faults.push(Reason::Invalid(field, fault));
        if let Some(Terms { quantity, price, .. }) = &self.terms {
            for (field, number) in [(Field::Quantity, quantity), (Field::Price, price)] {
                if number.is_some_and(|number| !number.is_positive()) {
                    say(field, Fault::NotPositive);
                }
            }
        }
        match &self.fact {
            Fact::Status { cumulative, .. } if *cumulative < Decimal::ZERO => {
                say(Field::Cumulative, Fault::Negative);
            }
            Fact::Trades(trades) if trades.is_empty() => say(Field::Trades, Fault::Missing),
            Fact::Trades(trades) if trades.len() > TRADES_PER_REPORT_MAX => {
                let maximum = Decimal::from(TRADES_PER_REPORT_MAX as u64);
                say(Field::Trades, Fault::AboveMaximum { maximum });
            }
            Fact::Trades(trades) => {
                let any = |is_wrong: fn(&Fill) -> bool| trades.iter().any(|(_, fill)| is_wrong(fill));
                if any(|fill| !fill.quantity.is_positive()) {
                    say(Field::Quantity, Fault::NotPositive);
                }
                if any(|fill| !fill.price.is_positive()) {
                    say(Field::Price, Fault::NotPositive);
                }
            }
            _ => {}
        }
        faults
    }

    /// No less than its encoded size.
    pub fn bytes(&self) -> usize {
        let rejection = |why: &Rejection| why.code.as_str().len() + why.message.as_str().len();
        let fact = match &self.fact {
            Fact::Trades(trades) => trades.iter().map(|(key, fill)| fill.told_bytes(key)).sum(),
            Fact::Status { status: VenueStatus::Expired(reason), .. } => reason.as_str().len(),
            Fact::Status { status: VenueStatus::Rejected(why), .. }
            | Fact::Refused(why)
            | Fact::Cancel { outcome: CancelOutcome::Refused(why), .. } => rejection(why),
            _ => 0,
        };
        // Names of the order, its terms, numbers, and what goes around them.
        let fixed = 2 * NAME_BYTES_MAX + 256;
        self.account.as_str().len() + self.symbol.as_str().len() + fixed + fact
    }

    /// All names of the venue's for the order that it gives.
    pub fn venue_order_ids(&self) -> impl Iterator<Item = &VenueOrderId> {
        let named = if let OrderName::Venue(id) = &self.order { Some(id) } else { None };
        let trades = if let Fact::Trades(trades) = &self.fact { &trades[..] } else { &[] };
        named.into_iter().chain(&self.venue_order_id).chain(trades.iter().map(|(key, _)| &key.venue_order_id))
    }

    /// What it counts for, if the account says that its bots' reports count for `bots`.
    pub fn weight(&self, bots: Weight) -> Weight {
        match self.by {
            Witness::Venue => Weight::Evidence,
            Witness::Bot => bots,
        }
    }
}

impl Text {
    /// Its beginning, if it is longer than the limit.
    pub fn new(text: &str) -> Self {
        Self(text[..text.floor_char_boundary(REPORT_TEXT_BYTES_MAX)].into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::new("")
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

words! {
    Weight {
        Hint => "hint",
        Evidence => "evidence",
    }
    UnknownCause {
        Timeout => "timeout",
        Reset => "reset",
        ServerError => "server_error",
        SenderLost => "sender_lost",
        NotUnderstood => "not_understood",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(fact: Fact) -> Report {
        Report {
            account: "a".parse().unwrap(),
            symbol: "BTCUSDT".parse().unwrap(),
            order: OrderName::Id(OrderId(Serial(1))),
            by: Witness::Bot,
            venue_ms: None,
            venue_order_id: None,
            terms: None,
            fact,
        }
    }

    #[test]
    fn a_text_is_cut_between_two_characters() {
        let long = "é".repeat(REPORT_TEXT_BYTES_MAX);
        assert_eq!(Text::new(&long).as_str().len(), REPORT_TEXT_BYTES_MAX);
        let odd = format!("x{long}");
        assert_eq!(Text::new(&odd).as_str().len(), REPORT_TEXT_BYTES_MAX - 1);
    }

    #[test]
    fn what_cannot_be_in_a_report_is_said() {
        let said =
            |report: Report| report.faults().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let number = |text: &str| text.parse::<Decimal>().unwrap();
        let status = |cumulative| Fact::Status { status: VenueStatus::Open, cumulative };
        let trade = |quantity, price| {
            let key = FillKey { trade: "1".parse().unwrap(), venue_order_id: "1".parse().unwrap() };
            let fill = Fill {
                quantity: number(quantity),
                price: number(price),
                is_bust: false,
                commission: None,
                maker: None,
                venue_ms: None,
            };
            (key, fill)
        };
        let mut described = report(Fact::Acknowledged);
        described.terms = Some(Terms {
            side: Side::Buy,
            order_type: None,
            time_in_force: None,
            quantity: Some(Decimal::ZERO),
            price: Some(number("-1")),
        });
        for (report, expected) in [
            (report(status(Decimal::ZERO)), ""),
            (report(status(number("-1"))), "filled_quantity must not be below zero"),
            (report(Fact::Trades(vec![trade("1", "1")])), ""),
            (report(Fact::Trades(vec![])), "trades is missing"),
            (report(Fact::Trades(vec![trade("1", "1"); 129])), "trades must be at most 128"),
            (
                report(Fact::Trades(vec![trade("0", "-1")])),
                "quantity must be above zero, price must be above zero",
            ),
            (described, "quantity must be above zero, price must be above zero"),
        ] {
            assert_eq!(said(report), expected);
        }
    }
}
