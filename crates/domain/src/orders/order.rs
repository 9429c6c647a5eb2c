//! An order: what was asked for, what was authorised, what is known of it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use planted::Bug;

use crate::digest::Feed;
use crate::limits::{CANCEL_BYTES, CANCELS_PER_ORDER_MAX, ORDER_BYTES};
use crate::orders::command::feed_reasons;
use crate::orders::contradiction::Contradiction;
use crate::orders::evidence::{CancelEvidence, Evidence};
use crate::orders::id::OrderId;
use crate::orders::intent::{Intent, Side};
use crate::orders::reason::Reason;
use crate::orders::report::{Report, Weight};
use crate::orders::status::{self, Flags, Status};
use crate::orders::tombstone::StrategyKey;
use crate::orders::transition::{self, Request};
use crate::trading::exposure::Working;
use crate::trading::venue::Valuation;
use crate::{AccountId, Decimal, Digest, Epoch, LogTime, Serial, Symbol, VenueOrderId};

/// All that is known of one order.
///
/// - What was authorised is never taken back, and only an order with an intent is authorised, once.
/// - An order that is denied was not authorised.
/// - Evidence only grows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    pub id: OrderId,
    pub origin: Origin,
    pub authorization: Option<Authorization>,
    pub denial: Option<Denial>,
    /// Under which serials its cancels were authorised, the [`CANCELS_PER_ORDER_MAX`] last.
    pub cancels: BTreeSet<Serial>,
    /// What the venue said.
    pub venue: Evidence,
    /// What bots said, where their word counts for less.
    pub hints: Evidence,
    /// When it last changed.
    pub revision: Serial,
    pub updated_at: LogTime,
    /// Since when nothing more is awaited of it.
    pub settled_at: Option<LogTime>,
    /// Of one that waits to be authorised: when it is denied.
    pub held_until: Option<LogTime>,
    /// What it counts for in notionals while it is open.
    pub valuation: Option<Valuation>,
    /// When it was recorded, for what it is called at its venue.
    pub epoch: Epoch,
    /// When it was recorded, milliseconds since 1970, by the clock of the leader that proposed it; of one that the venue showed,
    /// when the venue said. `None` if nobody said.
    pub recorded_ms: Option<i64>,
}

/// Where an order comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Intent(Box<Intent>),
    /// The venue showed it, and nobody asked for it here.
    External {
        account: AccountId,
        symbol: Symbol,
    },
}

/// The leave to send an order to its venue, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authorization {
    pub serial: Serial,
    pub term: u64,
    pub at: LogTime,
    pub sender: Sender,
    /// Milliseconds since 1970, by the clock of the leader that proposed it; what the sender signs.
    pub wall_ms: i64,
    /// How long after that the venue takes it.
    pub window_ms: u64,
}

/// Who sends an order to its venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sender {
    /// The node that leads in the term of the authorisation.
    Cluster,
    /// The bot that was authorised.
    Bot,
}

/// Why it was never authorised and never will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// Cancelled while it was held.
    Withdrawn,
    /// Held for as long as it was to be.
    Expired,
    Refused(Vec<Reason>),
}

/// By what a status is read off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Present {
    pub term: u64,
    pub now: LogTime,
}

impl Order {
    /// Recorded, and not authorised yet. Its id is the serial under which it is.
    pub fn recorded(id: OrderId, intent: Intent, at: LogTime) -> Self {
        Self::new(id, Origin::Intent(Box::new(intent)), at)
    }

    /// From a report by a venue of an order that nobody here knows. `None` unless it shows that there is or was one: an order
    /// that was refused, or is not found, need not be remembered.
    pub fn external(id: OrderId, report: &Report, at: LogTime) -> Option<Self> {
        let Report { account, symbol, .. } = report;
        let origin = Origin::External { account: account.clone(), symbol: symbol.clone() };
        let mut order = Self { recorded_ms: report.venue_ms, ..Self::new(id, origin, at) };
        order.report(report, Weight::Evidence, id.0, at);
        order.venue.is_alive().then_some(order)
    }

    fn new(id: OrderId, origin: Origin, at: LogTime) -> Self {
        Self {
            id,
            origin,
            authorization: None,
            denial: None,
            cancels: BTreeSet::new(),
            venue: Evidence::default(),
            hints: Evidence::default(),
            revision: id.0,
            updated_at: at,
            settled_at: None,
            held_until: None,
            valuation: None,
            epoch: Epoch::default(),
            recorded_ms: None,
        }
    }

    /// Gives leave to send it.
    ///
    /// [`Reason::NotInState`] unless it is held.
    pub fn authorize(&mut self, authorization: Authorization) -> Result<(), Reason> {
        let Authorization { serial, term, at, .. } = authorization;
        self.allows(Request::Submit, Present { term, now: at })?;
        self.authorization = Some(authorization);
        self.held_until = None;
        self.changed(serial, at);
        Ok(())
    }

    /// Never gives leave to send it.
    ///
    /// # Panics
    /// If it was authorised: what may have been sent cannot be denied.
    pub fn deny(&mut self, denial: Denial, serial: Serial, at: LogTime) {
        assert!(self.authorization.is_none(), "order {} was authorised, and cannot be denied", self.id);
        self.denial = Some(denial);
        self.held_until = None;
        self.changed(serial, at);
    }

    /// Authorises a cancel, or withdraws what was never authorised. Gives the status that this leads to: of a
    /// [`Status::Denied`] order nothing is sent.
    ///
    /// [`Reason::NotInState`] of an order that has ended.
    pub fn cancel(&mut self, serial: Serial, present: Present) -> Result<Status, Reason> {
        let leads_to = self.allows(Request::Cancel, present)?;
        if leads_to == Status::Denied {
            self.deny(Denial::Withdrawn, serial, present.now);
        } else {
            self.cancels.insert(serial);
            if self.cancels.len() > CANCELS_PER_ORDER_MAX {
                self.cancels.pop_first();
            }
            self.changed(serial, present.now);
        }
        Ok(leads_to)
    }

    /// To what status a request leads, or why it may not be made. What ended by a bot's word alone can be cancelled, and what is at
    /// the venue by that word alone cannot be replaced if the cluster sends it: it may still be on its way.
    pub fn allows(&self, request: Request, present: Present) -> Result<Status, Reason> {
        let status = self.status(present);
        let is_ours = self.authorization.is_some_and(|it| it.sender == Sender::Cluster);
        let by_venue = match request {
            Request::Submit => false,
            Request::Cancel => status.is_terminal(),
            Request::Replace => is_ours && !status.is_terminal(),
        };
        let status = if by_venue { status::status(self, &self.venue, present) } else { status };
        transition::next(status, request).ok_or(Reason::NotInState)
    }

    /// Takes in a report, in which bots' words count for `bots`; whether it said anything new. The outcome of a cancel that was
    /// not authorised here counts for what it says of the order alone.
    pub fn report(&mut self, report: &Report, bots: Weight, serial: Serial, at: LogTime) -> bool {
        if planted::is(Bug::LateFillIgnored) && status::end(self, &self.venue).is_some() {
            return false;
        }
        let mut said = Evidence::of(report);
        said.cancels.retain(|cancel, _| self.cancels.contains(cancel));
        let evidence = match report.weight(bots) {
            Weight::Evidence => &mut self.venue,
            Weight::Hint => &mut self.hints,
        };
        let changed = evidence.join(&said);
        if changed {
            self.changed(serial, at);
        }
        changed
    }

    /// As it is asked for by now: by the same key, perhaps under another lease.
    pub fn renew(&mut self, intent: Intent) {
        self.origin = Origin::Intent(Box::new(intent));
    }

    fn changed(&mut self, serial: Serial, at: LogTime) {
        self.revision = serial;
        self.updated_at = at;
        self.settled_at = self.is_settled().then(|| self.settled_at.unwrap_or(at));
    }

    /// Whether a report is of this account and symbol; one that is not must not be taken in.
    pub fn is_meant_by(&self, report: &Report) -> bool {
        (self.account(), self.symbol()) == (&report.account, &report.symbol)
    }

    /// What the venue and bots said together: what is shown.
    pub fn evidence(&self) -> Cow<'_, Evidence> {
        if self.hints == Evidence::default() {
            return Cow::Borrowed(&self.venue);
        }
        let mut joined = self.venue.clone();
        joined.join(&self.hints);
        Cow::Owned(joined)
    }

    pub fn status(&self, present: Present) -> Status {
        status::status(self, &self.evidence(), present)
    }

    pub fn flags(&self) -> Flags {
        status::flags(self, &self.evidence())
    }

    /// Whether what became of it at its venue is not known, and somebody must look after it.
    pub fn is_unresolved(&self, present: Present) -> bool {
        status::is_unresolved(self, &self.evidence(), present)
    }

    /// Why it is quarantined.
    pub fn contradictions(&self) -> Vec<Contradiction> {
        Contradiction::all_in(self, &self.evidence())
    }

    /// Nothing more is awaited of it: it ended by the venue's word or was never authorised, all its fills are here, no bot told
    /// of more than the venue confirms, and nothing contradicts, neither in what the venue says nor with what bots say.
    pub fn is_settled(&self) -> bool {
        let evidence = self.evidence();
        status::is_complete(self, &self.venue)
            && status::is_complete(self, &evidence)
            && evidence.filled() == self.venue.filled()
    }

    /// `None` of an external order.
    pub fn intent(&self) -> Option<&Intent> {
        match &self.origin {
            Origin::Intent(intent) => Some(intent),
            Origin::External { .. } => None,
        }
    }

    /// `None` of an external order.
    pub fn strategy_key(&self) -> Option<StrategyKey> {
        self.intent().map(Intent::strategy_key)
    }

    pub fn is_external(&self) -> bool {
        self.intent().is_none()
    }

    /// When it was authorised or, of one that was not, recorded: milliseconds since 1970, as whoever did it had them.
    pub fn submitted_ms(&self) -> Option<i64> {
        self.authorization.map(|authorization| authorization.wall_ms).or(self.recorded_ms)
    }

    pub fn account(&self) -> &AccountId {
        match &self.origin {
            Origin::Intent(intent) => &intent.account,
            Origin::External { account, .. } => account,
        }
    }

    pub fn symbol(&self) -> &Symbol {
        match &self.origin {
            Origin::Intent(intent) => &intent.symbol,
            Origin::External { symbol, .. } => symbol,
        }
    }

    /// What was asked for, or what the venue says it has; `None` if it did not say.
    pub fn side(&self) -> Option<Side> {
        let said = || self.evidence().terms.as_ref().map(|(_, terms)| terms.side);
        self.intent().map(|intent| intent.side).or_else(said)
    }

    /// As the venue has it, else as it was asked for; `None` of an external order of which the venue did not say it.
    pub fn quantity(&self, evidence: &Evidence) -> Option<Decimal> {
        let said = evidence.terms.as_ref().and_then(|(_, terms)| terms.quantity);
        said.filter(|quantity| quantity.is_positive()).or(self.intent().map(|intent| intent.quantity))
    }

    /// How much may still be filled. Until the venue says that the order ended, or it is denied, that is all that is not
    /// filled; `None` if nobody knows.
    pub fn open_quantity(&self) -> Option<Decimal> {
        if status::end(self, &self.venue).is_some() {
            return Some(Decimal::ZERO);
        }
        let evidence = self.evidence();
        let open = self.quantity(&evidence)?.saturating_minus(evidence.filled());
        Some(open.max(Decimal::ZERO))
    }

    pub fn filled_quantity(&self) -> Decimal {
        self.evidence().filled()
    }

    /// By how much the order changed the position: above zero is bought. `None` if nobody knows which way.
    pub fn net_filled(&self) -> Option<Decimal> {
        let filled = self.filled_quantity();
        Some(match self.side()? {
            Side::Buy => filled,
            Side::Sell => filled.negated(),
        })
    }

    /// What it counts for while it may still be filled, or is filled by more than its fills say. `None`: for nothing.
    pub fn working(&self) -> Option<Working<'_>> {
        if self.authorization.is_none() && !self.is_external() {
            return None;
        }
        let evidence = self.evidence();
        let is_open = status::end(self, &self.venue).is_none();
        let missing = evidence.filled_ever().saturating_minus(evidence.fills.traded());
        let remaining = self.open_quantity().unwrap_or_default().saturating_plus(missing.max(Decimal::ZERO));
        let working = Working {
            account: self.account(),
            strategy: self.intent().map(|intent| &intent.strategy),
            symbol: self.symbol(),
            side: self.side()?,
            remaining,
            is_open,
            valuation: self.valuation.as_ref(),
        };
        (is_open || remaining.is_positive()).then_some(working)
    }

    /// Of the fills that are here; `None` without any.
    pub fn average_price(&self) -> Option<Decimal> {
        self.evidence().fills.average_price()
    }

    /// The least, should there be two.
    pub fn venue_order_id(&self) -> Option<VenueOrderId> {
        self.evidence().venue_order_ids.first().cloned()
    }

    /// Whether its last cancel may still be carried out.
    pub(super) fn is_cancel_pending(&self, evidence: &Evidence) -> bool {
        let last = self.cancels.last();
        last.is_some_and(|cancel| evidence.cancels.get(cancel).is_none_or(CancelEvidence::is_pending))
    }

    /// Whether it was said that nobody knows what became of its last cancel, and nothing else since.
    pub(super) fn is_cancel_unknown(&self, evidence: &Evidence) -> bool {
        let said = self.cancels.last().and_then(|cancel| evidence.cancels.get(cancel));
        said.is_some_and(|cancel| cancel.unknown && cancel.is_pending())
    }

    /// What it counts for in memory, an estimate.
    pub fn bytes(&self) -> usize {
        let texts = match &self.origin {
            Origin::Intent(intent) => intent.text_bytes(),
            Origin::External { account, symbol } => account.as_str().len() + symbol.as_str().len(),
        };
        let evidence = self.venue.bytes() + self.hints.bytes();
        ORDER_BYTES + texts + self.cancels.len() * CANCEL_BYTES + evidence
    }

    /// Of all that it holds.
    pub fn digest(&self) -> Digest {
        let mut feed = Feed::new("order");
        feed.u64(self.id.0.0).u64(self.revision.0).u64(self.updated_at.as_ns());
        feed.option(self.settled_at.map(LogTime::as_ns));
        match &self.origin {
            Origin::Intent(intent) => {
                feed.u64(0).u128(intent.payload());
                feed.bytes(intent.key.as_str().as_bytes());
                feed.bytes(intent.lease.as_str().as_bytes()).u64(intent.token.as_u64());
            }
            Origin::External { account, symbol } => {
                feed.u64(1).bytes(account.as_str().as_bytes()).bytes(symbol.as_str().as_bytes());
            }
        }
        feed.u64(self.authorization.is_some().into());
        if let Some(Authorization { serial, term, at, sender, wall_ms, window_ms }) = self.authorization {
            feed.u64(serial.0).u64(term).u64(at.as_ns()).u64(sender as u64);
            feed.i64(wall_ms).u64(window_ms);
        }
        match &self.denial {
            None => _ = feed.u64(0),
            Some(Denial::Withdrawn) => _ = feed.u64(1),
            Some(Denial::Expired) => _ = feed.u64(3),
            Some(Denial::Refused(reasons)) => {
                feed.u64(2);
                feed_reasons(reasons, &mut feed);
            }
        }
        feed.u64(self.cancels.len() as u64);
        for cancel in &self.cancels {
            feed.u64(cancel.0);
        }
        feed.option(self.held_until.map(LogTime::as_ns)).u64(self.epoch.get().into());
        feed.u64(self.valuation.is_some().into());
        if let Some(valuation) = &self.valuation {
            valuation.feed(&mut feed);
        }
        // One of before this was noted has the digest that it had then.
        if let Some(recorded_ms) = self.recorded_ms {
            feed.bytes(b"recorded").i64(recorded_ms);
        }
        Digest(feed.u128(self.venue.digest().0).u128(self.hints.digest().0).finish())
    }
}

impl Authorization {
    /// The instant of the venue's clock after which it takes the order no more, in milliseconds since 1970.
    pub fn not_after_ms(&self) -> i64 {
        self.wall_ms.saturating_add_unsigned(self.window_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::FILL_BYTES;
    use crate::orders::fill::{Commission, Fill, FillKey};
    use crate::orders::report::{Rejection, Terms, Text, UnknownCause};

    fn external() -> Order {
        let origin = Origin::External { account: "a".parse().unwrap(), symbol: "BTCUSDT".parse().unwrap() };
        Order::new(OrderId(Serial(1)), origin, LogTime::ZERO)
    }

    fn rejection() -> Option<Rejection> {
        Some(Rejection { code: Text::new("1"), message: Text::new("no") })
    }

    fn terms() -> Terms {
        Terms { side: Side::Buy, order_type: None, time_in_force: None, quantity: None, price: None }
    }

    fn fill(order: &mut Order) -> &mut Fill {
        let key = FillKey { trade: "t".parse().unwrap(), venue_order_id: "v".parse().unwrap() };
        order.venue.fills.by_key.entry(key).or_insert(Fill {
            quantity: Decimal::ONE,
            price: Decimal::ONE,
            is_bust: false,
            commission: None,
            maker: None,
            venue_ms: None,
        })
    }

    fn cancel(order: &mut Order) -> &mut CancelEvidence {
        order.venue.cancels.entry(Serial(2)).or_default()
    }

    fn authorization() -> Authorization {
        let (at, sender) = (LogTime::ZERO, Sender::Cluster);
        Authorization { serial: Serial(2), term: 1, at, sender, wall_ms: 0, window_ms: 1 }
    }

    #[test]
    fn whatever_changes_changes_the_digest() {
        let changes: [fn(&mut Order); 47] = [
            |_| (),
            |it| it.id.0.0 += 1,
            |it| it.revision.0 += 1,
            |it| it.updated_at = LogTime::MAX,
            |it| it.settled_at = Some(LogTime::ZERO),
            |it| it.recorded_ms = Some(0),
            |it| it.recorded_ms = Some(1),
            |it| it.denial = Some(Denial::Withdrawn),
            |it| it.denial = Some(Denial::Refused(vec![])),
            |it| it.denial = Some(Denial::Refused(vec![Reason::Full])),
            |it| _ = it.cancels.insert(Serial(2)),
            |it| it.authorization = Some(authorization()),
            |it| it.authorization = Some(Authorization { serial: Serial(3), ..authorization() }),
            |it| it.authorization = Some(Authorization { term: 2, ..authorization() }),
            |it| it.authorization = Some(Authorization { at: LogTime::MAX, ..authorization() }),
            |it| it.authorization = Some(Authorization { sender: Sender::Bot, ..authorization() }),
            |it| it.authorization = Some(Authorization { wall_ms: 1, ..authorization() }),
            |it| it.authorization = Some(Authorization { window_ms: 2, ..authorization() }),
            |it| it.hints.acknowledged = true,
            |it| it.venue.acknowledged = true,
            |it| _ = it.venue.venue_order_ids.insert("v".parse().unwrap()),
            |it| it.venue.refused = rejection(),
            |it| it.venue.ends.rejected = rejection(),
            |it| _ = it.venue.unknown.insert(UnknownCause::Timeout),
            |it| _ = it.venue.unknown.insert(UnknownCause::Reset),
            |it| it.venue.absent = true,
            |it| it.venue.not_sent = true,
            |it| it.venue.ends.filled = true,
            |it| it.venue.ends.canceled = true,
            |it| it.venue.ends.expired = Some(Text::default()),
            |it| it.venue.cumulative = Some(Decimal::ZERO),
            |it| it.venue.final_quantity = Some(Decimal::ZERO),
            |it| it.venue.venue_ms = Some(0),
            |it| it.venue.terms = Some((None, terms())),
            |it| it.venue.terms = Some((Some(0), terms())),
            |it| it.venue.terms = Some((None, Terms { side: Side::Sell, ..terms() })),
            |it| it.venue.terms = Some((None, Terms { price: Some(Decimal::ONE), ..terms() })),
            |it| it.venue.fills.conflict = true,
            |it| _ = fill(it),
            |it| fill(it).is_bust = true,
            |it| fill(it).maker = Some(false),
            |it| fill(it).venue_ms = Some(0),
            |it| {
                let commission = Commission { amount: Decimal::ONE, asset: "BNB".parse().unwrap() };
                fill(it).commission = Some(commission);
            },
            |it| _ = cancel(it),
            |it| cancel(it).unknown = true,
            |it| cancel(it).done = true,
            |it| cancel(it).refused = rejection(),
        ];
        let digests: BTreeSet<Digest> = changes
            .iter()
            .map(|change| {
                let mut order = external();
                change(&mut order);
                order.digest()
            })
            .collect();
        assert_eq!(digests.len(), changes.len());
    }

    #[test]
    fn what_it_counts_for_covers_what_it_takes() {
        let row = |bytes: usize| bytes * 3 / 2;
        let head = 2 * size_of::<usize>();
        assert!(ORDER_BYTES >= size_of::<(Order, Intent)>() + 8 * head);
        assert!(FILL_BYTES >= row(size_of::<(FillKey, Fill)>()) + 3 * head);
        assert!(CANCEL_BYTES >= row(size_of::<Serial>()) + 2 * row(size_of::<(Serial, CancelEvidence)>()));

        let mut order = external();
        let before = order.bytes();
        fill(&mut order);
        assert_eq!(order.bytes(), before + FILL_BYTES + "t".len() + "v".len());
        order.cancels.insert(Serial(2));
        assert_eq!(order.bytes(), before + FILL_BYTES + 2 + CANCEL_BYTES);
    }
}
