//! Evidence: what all reports of one side say of an order together.
//!
//! It is made of sets and of greatest and least values, and a report is evidence of one thing, so that taking in a report is a
//! join: commutative, associative, idempotent. Reports may come late, twice and in any order, and the evidence is the same.
//! What contradicts stands side by side; nothing here decides between them.

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::Feed;
use crate::limits::{CANCELS_PER_ORDER_MAX, VENUE_ORDER_IDS_MAX};
use crate::orders::fill::Fills;
use crate::orders::join::{either, greatest, least, union};
use crate::orders::report::{
    CancelOutcome, Fact, OrderName, Rejection, Report, Terms, Text, UnknownCause, VenueStatus,
};
use crate::{Decimal, Digest, Serial, VenueOrderId};

/// What one side said of an order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The venue took the order, or showed it alive.
    pub acknowledged: bool,
    /// The [`VENUE_ORDER_IDS_MAX`] least names that the venue has for it; it should have one.
    pub venue_order_ids: BTreeSet<VenueOrderId>,
    /// The venue refused the submission; the least of what it said.
    pub refused: Option<Rejection>,
    /// Why the outcome of the submission is unknown.
    pub unknown: BTreeSet<UnknownCause>,
    /// It is proven that the venue never had it.
    pub absent: bool,
    /// Its sender says that it never began.
    pub not_sent: bool,
    pub ends: Ends,
    /// The greatest quantity that was said to be filled.
    pub cumulative: Option<Decimal>,
    /// The greatest quantity that was said to be filled together with the end of the order. Without one nobody knows whether
    /// all its fills are here.
    pub final_quantity: Option<Decimal>,
    /// What the venue holds the order to ask for: of the greatest venue time, then the greatest terms.
    pub terms: Option<(Option<i64>, Terms)>,
    /// The greatest venue time of a report, in milliseconds since 1970.
    pub venue_ms: Option<i64>,
    pub fills: Fills,
    /// By the serial under which a cancel was authorised; the [`CANCELS_PER_ORDER_MAX`] greatest.
    pub cancels: BTreeMap<Serial, CancelEvidence>,
}

/// In what ways the venue says that the order ended. More than one of them may be a contradiction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    pub filled: bool,
    pub canceled: bool,
    /// The least of the reasons.
    pub expired: Option<Text>,
    /// The least of the reasons.
    pub rejected: Option<Rejection>,
}

/// What was said of one cancel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CancelEvidence {
    pub unknown: bool,
    /// The least of the reasons.
    pub refused: Option<Rejection>,
    pub done: bool,
}

impl Evidence {
    /// What a report says by itself.
    pub fn of(report: &Report) -> Self {
        let Report { order, venue_ms, venue_order_id, terms, fact, .. } = report;
        let mut evidence = Self {
            venue_order_ids: venue_order_id.iter().cloned().collect(),
            terms: terms.clone().map(|terms| (*venue_ms, terms)),
            venue_ms: *venue_ms,
            ..Self::default()
        };
        if let OrderName::Venue(id) = order {
            evidence.venue_order_ids.insert(id.clone());
        }
        evidence.learn(fact);
        evidence
    }

    fn learn(&mut self, fact: &Fact) {
        match fact {
            Fact::Acknowledged => self.acknowledged = true,
            Fact::Status { status, cumulative } => {
                self.cumulative = Some(*cumulative);
                self.stands(status, *cumulative);
            }
            Fact::Trades(trades) => {
                for (key, fill) in trades {
                    self.fills.add(key, fill);
                    let ids = BTreeSet::from([key.venue_order_id.clone()]);
                    union(&mut self.venue_order_ids, &ids, VENUE_ORDER_IDS_MAX);
                }
            }
            Fact::Refused(why) => self.refused = Some(why.clone()),
            Fact::Unknown(cause) => self.unknown = BTreeSet::from([*cause]),
            Fact::Absent => self.absent = true,
            Fact::NotSent => self.not_sent = true,
            Fact::Cancel { cancel, outcome } => {
                self.ends.canceled = *outcome == CancelOutcome::Done;
                self.cancels = BTreeMap::from([(*cancel, CancelEvidence::of(outcome))]);
            }
        }
    }

    fn stands(&mut self, status: &VenueStatus, cumulative: Decimal) {
        match status {
            VenueStatus::Open => self.acknowledged = true,
            VenueStatus::Filled => self.ends.filled = true,
            VenueStatus::Canceled => self.ends.canceled = true,
            VenueStatus::Expired(reason) => self.ends.expired = Some(reason.clone()),
            VenueStatus::Rejected(why) => self.ends.rejected = Some(why.clone()),
        }
        if self.ends.is_of_a_live_order() {
            self.final_quantity = Some(cumulative);
        }
    }

    /// Takes in a report; whether it said anything new.
    pub fn merge(&mut self, report: &Report) -> bool {
        self.join(&Self::of(report))
    }

    /// Takes in all that `other` says; whether any of it was new.
    pub fn join(&mut self, other: &Self) -> bool {
        [
            either(&mut self.acknowledged, other.acknowledged),
            union(&mut self.venue_order_ids, &other.venue_order_ids, VENUE_ORDER_IDS_MAX),
            least(&mut self.refused, &other.refused),
            union(&mut self.unknown, &other.unknown, UnknownCause::ALL.len()),
            either(&mut self.absent, other.absent),
            either(&mut self.not_sent, other.not_sent),
            self.ends.join(&other.ends),
            greatest(&mut self.cumulative, &other.cumulative),
            greatest(&mut self.final_quantity, &other.final_quantity),
            greatest(&mut self.terms, &other.terms),
            greatest(&mut self.venue_ms, &other.venue_ms),
            self.fills.join(&other.fills),
            self.join_cancels(&other.cancels),
        ]
        .contains(&true)
    }

    fn join_cancels(&mut self, other: &BTreeMap<Serial, CancelEvidence>) -> bool {
        let mut changed = false;
        for (serial, outcome) in other {
            let is_full = self.cancels.len() == CANCELS_PER_ORDER_MAX;
            if is_full && self.cancels.first_key_value().is_some_and(|(first, _)| first > serial) {
                continue;
            }
            changed |= !self.cancels.contains_key(serial);
            changed |= self.cancels.entry(*serial).or_default().join(outcome);
            if self.cancels.len() > CANCELS_PER_ORDER_MAX {
                self.cancels.pop_first();
            }
        }
        changed
    }

    /// The venue had the order: it took it, traded it, or ended it otherwise than by a rejection.
    pub fn is_alive(&self) -> bool {
        self.acknowledged
            || !self.fills.by_key.is_empty()
            || self.cumulative.is_some_and(Decimal::is_positive)
            || self.ends.is_of_a_live_order()
    }

    /// The submission was turned down, in the answer to it or later.
    pub fn is_rejected(&self) -> bool {
        self.refused.is_some() || self.ends.rejected.is_some()
    }

    /// How much is filled: the greater of what was said and of what the fills come to, without what was taken back.
    pub fn filled(&self) -> Decimal {
        self.filled_ever().saturating_minus(self.fills.busted()).max(Decimal::ZERO)
    }

    /// With what was taken back.
    pub(super) fn filled_ever(&self) -> Decimal {
        self.cumulative.unwrap_or_default().max(self.fills.traded())
    }

    /// Of all that it says.
    pub fn digest(&self) -> Digest {
        let mut feed = Feed::new("evidence");
        self.feed(&mut feed);
        Digest(feed.finish())
    }

    fn feed(&self, feed: &mut Feed) {
        for said in [self.acknowledged, self.absent, self.not_sent, self.ends.filled, self.ends.canceled] {
            feed.u64(said.into());
        }
        feed.u64(self.venue_order_ids.len() as u64);
        for id in &self.venue_order_ids {
            feed.bytes(id.as_str().as_bytes());
        }
        feed.u64(self.unknown.len() as u64);
        for cause in &self.unknown {
            feed.u64(*cause as u64);
        }
        feed_rejection(feed, &self.refused);
        feed_rejection(feed, &self.ends.rejected);
        feed.u64(self.ends.expired.is_some().into());
        feed.bytes(self.ends.expired.as_ref().map_or("", Text::as_str).as_bytes());
        for number in [self.cumulative, self.final_quantity] {
            Decimal::feed_option(number, feed);
        }
        feed.u64(self.terms.is_some().into());
        if let Some((venue_ms, terms)) = &self.terms {
            feed.option(venue_ms.map(i64::cast_unsigned));
            terms.feed(feed);
        }
        feed.option(self.venue_ms.map(i64::cast_unsigned));
        self.fills.feed(feed);
        feed.u64(self.cancels.len() as u64);
        for (serial, CancelEvidence { unknown, refused, done }) in &self.cancels {
            feed.u64(serial.0).u64((*unknown).into()).u64((*done).into());
            feed_rejection(feed, refused);
        }
    }

    /// What its texts, fills and cancels count for in memory, an estimate.
    pub(super) fn bytes(&self) -> usize {
        let rejections = [&self.refused, &self.ends.rejected].into_iter();
        let rejections = rejections.chain(self.cancels.values().map(|cancel| &cancel.refused)).flatten();
        let texts = rejections.map(|why| why.code.as_str().len() + why.message.as_str().len());
        let ids = self.venue_order_ids.iter().map(|id| id.as_str().len());
        let expired = self.ends.expired.as_ref().map_or(0, |reason| reason.as_str().len());
        texts.sum::<usize>() + ids.sum::<usize>() + expired + self.fills.bytes()
    }
}

impl Ends {
    /// Any but a rejection.
    fn is_of_a_live_order(&self) -> bool {
        self.filled || self.canceled || self.expired.is_some()
    }

    fn join(&mut self, other: &Self) -> bool {
        either(&mut self.filled, other.filled)
            | either(&mut self.canceled, other.canceled)
            | least(&mut self.expired, &other.expired)
            | least(&mut self.rejected, &other.rejected)
    }
}

impl CancelEvidence {
    fn of(outcome: &CancelOutcome) -> Self {
        let mut evidence = Self::default();
        match outcome {
            CancelOutcome::Unknown => evidence.unknown = true,
            CancelOutcome::Refused(why) => evidence.refused = Some(why.clone()),
            CancelOutcome::Done => evidence.done = true,
        }
        evidence
    }

    fn join(&mut self, other: &Self) -> bool {
        either(&mut self.unknown, other.unknown)
            | least(&mut self.refused, &other.refused)
            | either(&mut self.done, other.done)
    }

    /// It may still be carried out.
    pub fn is_pending(&self) -> bool {
        self.refused.is_none() && !self.done
    }
}

impl Terms {
    fn feed(&self, feed: &mut Feed) {
        let Self { side, order_type, time_in_force, quantity, price } = self;
        feed.u64(*side as u64).option(order_type.map(|it| it as u64));
        feed.option(time_in_force.map(|it| it as u64));
        for number in [*quantity, *price] {
            Decimal::feed_option(number, feed);
        }
    }
}

fn feed_rejection(feed: &mut Feed, rejection: &Option<Rejection>) {
    feed.u64(rejection.is_some().into());
    if let Some(Rejection { code, message }) = rejection {
        feed.bytes(code.as_str().as_bytes()).bytes(message.as_str().as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cancels(serials: impl Iterator<Item = u64>) -> Evidence {
        let mut evidence = Evidence::default();
        for serial in serials {
            let outcome = CancelEvidence::of(&CancelOutcome::Done);
            let said = BTreeMap::from([(Serial(serial), outcome)]);
            evidence.join(&Evidence { cancels: said, ..Evidence::default() });
        }
        evidence
    }

    #[test]
    fn the_last_cancels_are_kept_whatever_came_first() {
        let count = CANCELS_PER_ORDER_MAX as u64;
        let mut forth = cancels(0..count + 3);
        let back = cancels((0..count + 3).rev());
        assert_eq!(forth, back);
        assert!(!forth.join(&cancels(0..3)));
        assert_eq!(forth.cancels.first_key_value().map(|(serial, _)| *serial), Some(Serial(3)));
        assert_eq!(forth.cancels.len(), CANCELS_PER_ORDER_MAX);
    }
}
