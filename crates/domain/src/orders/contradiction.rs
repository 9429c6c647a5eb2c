//! What cannot all be true of an order. Any of it quarantines the order: it is shown as what is safest, nothing is decided by
//! it, and a person looks.

use crate::Decimal;
use crate::orders::evidence::Evidence;
use crate::orders::order::Order;
use crate::orders::report::UnknownCause;
use crate::words::words;

/// One contradiction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contradiction {
    /// The venue had an order that it refused.
    AliveAndRefused,
    /// The venue had an order whose absence was proven.
    AliveAndAbsent,
    /// The venue had an order that its sender never sent.
    AliveAndNotSent,
    /// The venue had an order that was never authorised.
    AliveAndNotAuthorized,
    /// What was never sent was answered, or failed while it was sent.
    SentAndNotSent,
    CanceledAndExpired,
    /// It was called filled, and ended otherwise with less than its quantity.
    FilledAndEndedShort,
    TwoVenueOrderIds,
    /// A fill was told of in two ways, or there are more than are kept.
    FillsDiffer,
    /// More was taken back than was traded.
    BustedBeyondFilled,
    /// The venue has it the other way round.
    OtherSide,
}

words! {
    Contradiction {
        AliveAndRefused => "alive and refused",
        AliveAndAbsent => "alive and absent",
        AliveAndNotSent => "alive and not sent",
        AliveAndNotAuthorized => "alive and not authorised",
        SentAndNotSent => "sent and not sent",
        CanceledAndExpired => "canceled and expired",
        FilledAndEndedShort => "filled, and ended short of it",
        TwoVenueOrderIds => "two venue order ids",
        FillsDiffer => "fills that differ",
        BustedBeyondFilled => "busted beyond what was filled",
        OtherSide => "the other side",
    }
}

impl Contradiction {
    /// All that this evidence holds, with what was authorised.
    pub fn all_in(order: &Order, evidence: &Evidence) -> Vec<Self> {
        Self::ALL.into_iter().filter(|it| it.is_in(order, evidence)).collect()
    }

    fn is_in(self, order: &Order, evidence: &Evidence) -> bool {
        let Evidence { ends, fills, .. } = evidence;
        let is_short = || order.quantity(evidence).is_none_or(|quantity| evidence.filled() < quantity);
        match self {
            Self::AliveAndRefused => evidence.is_alive() && evidence.is_rejected(),
            Self::AliveAndAbsent => evidence.is_alive() && evidence.absent,
            Self::AliveAndNotSent => evidence.is_alive() && evidence.not_sent,
            Self::AliveAndNotAuthorized => {
                evidence.is_alive() && !order.is_external() && order.authorization.is_none()
            }
            Self::SentAndNotSent => {
                let began = |cause: &UnknownCause| *cause != UnknownCause::SenderLost;
                evidence.not_sent && (evidence.is_rejected() || evidence.unknown.iter().any(began))
            }
            Self::CanceledAndExpired => ends.canceled && ends.expired.is_some(),
            Self::FilledAndEndedShort => {
                ends.filled && (ends.canceled || ends.expired.is_some()) && is_short()
            }
            Self::TwoVenueOrderIds => evidence.venue_order_ids.len() > 1,
            Self::FillsDiffer => fills.conflict,
            Self::BustedBeyondFilled => fills.busted() > evidence.filled_ever().max(Decimal::ZERO),
            Self::OtherSide => {
                let said = evidence.terms.as_ref().map(|(_, terms)| terms.side);
                order.intent().is_some_and(|intent| said.is_some_and(|side| side != intent.side))
            }
        }
    }
}
