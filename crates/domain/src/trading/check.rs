//! May this order be sent? All that stands against it is told at once.
//!
//! The check changes nothing. Whoever applies the command then does what follows: of an authorised order, it counts the
//! messages ([`Counters::count_messages`](super::counters::Counters::count_messages)), adds it to the exposures and remembers its terms; of a refused one that is written
//! to history, it counts the messages; of any other, nothing.
//!
//! What stands in the way of what:
//!
//! | | order | order that makes a position smaller | cancel |
//! |---|---|---|---|
//! | another lease, a free one, another token | refused | refused | refused |
//! | kill switch, breaker forced open, not reconciled | refused | refused | passes |
//! | mode reduce-only | refused | passes | passes |
//! | mode cancel-only | refused | refused | passes |
//! | mode halted | refused | refused | refused |
//! | message rate | refused | refused | refused |
//! | other limits | refused | refused | passes |
//!
//! Cancels here are those of bots. What an operator or the cluster itself cancels is not asked for under a lease and is not
//! checked: a halted desk can still be emptied.

use planted::Bug;

use crate::limits::{KEY_AGE_MS_MAX, KEY_AHEAD_MS_MAX};
use crate::orders::intent::{Intent, Side};
use crate::orders::reason::{Fault, Field, Mode, Reason};
use crate::trading::account::{Account, AccountMode};
use crate::trading::counters::PositionKey;
use crate::trading::exposure::Exposures;
use crate::trading::scope::Subject;
use crate::trading::strategy::Strategy;
use crate::trading::total::Total;
use crate::trading::venue::{Instrument, Valuation};
use crate::trading::whole::Trading;
use crate::{Lease, LeaseName, LogTime, Token};

mod limits;

use limits::Weight;

/// All that an order is held against.
#[derive(Clone, Copy, Debug)]
pub struct Desk<'a> {
    pub trading: &'a Trading,
    pub exposures: &'a Exposures,
}

/// How and when it is asked.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Whether it is asked to send, or to authorise what a bot sends.
    pub mode: AccountMode,
    /// The lease of the name that the order or the cancel gives, as it is held at `now`. `None`: it is free.
    pub lease: Option<&'a Lease>,
    pub now: LogTime,
    /// Of the entry of the log.
    pub term: u64,
    /// The leader's wall clock, milliseconds since 1970: only the age of keys is told by it.
    pub wall_ms: i64,
}

/// A cancel that a bot asks for.
#[derive(Clone, Copy, Debug)]
pub struct Cancel<'a> {
    /// What it is to cancel, as it was asked for.
    pub order: &'a Intent,
    /// Under which it is asked for: whoever trades the strategy now may cancel what was sent before him.
    pub lease: &'a LeaseName,
    pub token: Token,
}

/// What an order says of itself, as the configuration knows it.
#[derive(Clone, Copy)]
struct Records<'a> {
    account: Option<&'a Account>,
    strategy: Option<&'a Strategy>,
    instrument: Option<&'a Instrument>,
}

impl Desk<'_> {
    /// What a new order is valued at, to be kept with it: `None` if there is no price, and no limit that asks for one. Or why it
    /// may not be sent.
    pub fn submit(&self, intent: &Intent, request: &Request<'_>) -> Result<Option<Valuation>, Vec<Reason>> {
        self.order(intent, request, Weight::NEW)
    }

    /// As [`Desk::submit`], of an order that takes the place of another. Both count as they may both be filled, but as one of
    /// the open orders; they are two messages. One that `is_withdrawn` was never sent, and counts for nothing.
    pub fn replace(
        &self,
        replaced: &Intent,
        is_withdrawn: bool,
        intent: &Intent,
        request: &Request<'_>,
    ) -> Result<Option<Valuation>, Vec<Reason>> {
        let cancel = Cancel { order: replaced, lease: &intent.lease, token: intent.token };
        let mut reasons = self.cancelling(&cancel, request);
        reasons.extend(unlike(replaced, intent));
        let weight = if is_withdrawn { Weight::NEW } else { Weight::REPLACING };
        let order = self.order(intent, request, weight);
        match order {
            Ok(valuation) if reasons.is_empty() => Ok(valuation),
            Ok(_) => Err(reasons),
            Err(others) => {
                for reason in others {
                    if !reasons.contains(&reason) {
                        reasons.push(reason);
                    }
                }
                Err(reasons)
            }
        }
    }

    /// Or why it may not be cancelled. Whether the order is in a state to be is not asked here.
    pub fn cancel(&self, cancel: &Cancel<'_>, request: &Request<'_>) -> Result<(), Vec<Reason>> {
        let mut reasons = self.cancelling(cancel, request);
        reasons.extend(self.too_fast(cancel.order, Weight::CANCEL, request.now));
        if reasons.is_empty() { Ok(()) } else { Err(reasons) }
    }

    /// All but the message rate.
    fn cancelling(&self, cancel: &Cancel<'_>, request: &Request<'_>) -> Vec<Reason> {
        let (records, unknown) = self.records(cancel.order);
        let mut reasons = Vec::from_iter(fenced(records, cancel.lease, cancel.token, request));
        // What may no longer be traded may still be cancelled.
        let is_nobodys =
            |reason: &Reason| matches!(reason, Reason::Unknown(Field::Account | Field::Strategy));
        reasons.extend(unknown.into_iter().filter(is_nobodys));
        reasons.extend(of_the_other_mode(records, request));
        let modes = self.modes(records, cancel.order);
        reasons.extend(modes.into_iter().filter(|it| matches!(it, Reason::Mode(_, Mode::Halted))));
        reasons
    }

    fn order(
        &self,
        intent: &Intent,
        request: &Request<'_>,
        weight: Weight,
    ) -> Result<Option<Valuation>, Vec<Reason>> {
        // First of all: whoever is fenced must stop, whatever else is wrong.
        let (records, unknown) = self.records(intent);
        let mut reasons = Vec::from_iter(fenced(records, &intent.lease, intent.token, request));
        reasons.extend(key_fault(intent, request.wall_ms));
        let faults = intent.faults();
        let is_reckonable = faults.is_empty();
        reasons.extend(faults);
        reasons.extend(unknown);
        reasons.extend(of_the_other_mode(records, request));
        reasons.extend(records.instrument.into_iter().flat_map(|instrument| instrument.faults(intent)));
        reasons.extend(self.stopped(records, intent, request.term));
        reasons.extend(self.too_fast(intent, weight, request.now));
        reasons.extend(self.too_many(intent, weight));
        reasons.extend(self.repeated(intent, request.now));
        let mut valuation = None;
        if let (Some(account), Some(instrument), true) = (records.account, records.instrument, is_reckonable)
        {
            let market = self
                .trading
                .counters
                .last_price(&account.venue, &intent.symbol)
                .or(instrument.reference_price);
            valuation = limits::valuation(intent, instrument, market);
            reasons.extend(self.too_large(intent, market, valuation.as_ref()));
        }
        if reasons.is_empty() { Ok(valuation) } else { Err(reasons) }
    }

    /// And what is not as the configuration has it.
    fn records(&self, intent: &Intent) -> (Records<'_>, Vec<Reason>) {
        let account = self.trading.configuration.account(&intent.account);
        let strategy = self.trading.configuration.strategy(&intent.strategy);
        let instrument =
            account.and_then(|it| self.trading.configuration.instrument(&it.venue, &intent.symbol));
        let mut reasons = Vec::new();
        let mut unless = |is_well: bool, reason| reasons.extend((!is_well).then_some(reason));
        unless(account.is_some(), Reason::Unknown(Field::Account));
        unless(strategy.is_some(), Reason::Unknown(Field::Strategy));
        unless(account.is_none() || instrument.is_some(), Reason::Unknown(Field::Symbol));
        if let Some(strategy) = strategy {
            let on_account = account.is_none_or(|account| strategy.accounts.contains(&account.id));
            unless(on_account, Reason::NotPermitted(Field::Account));
            unless(strategy.may_trade(&intent.symbol), Reason::NotPermitted(Field::Symbol));
        }
        (Records { account, strategy, instrument }, reasons)
    }

    /// By what people have switched, or by a change of leadership.
    fn stopped(&self, records: Records<'_>, intent: &Intent, term: u64) -> Vec<Reason> {
        let killed = subjects(records, intent).filter(|it| self.trading.switches.kills.contains_key(it));
        let mut reasons: Vec<Reason> = killed.map(|subject| Reason::Killed(subject.scope())).collect();
        let reduces = self.reduces(intent);
        let is_allowed = |reason: &Reason| reduces && matches!(reason, Reason::Mode(_, Mode::ReduceOnly));
        reasons.extend(self.modes(records, intent).into_iter().filter(|reason| !is_allowed(reason)));
        if let Some(account) = records.account {
            if self.trading.switches.breakers.contains_key(&account.venue) {
                reasons.push(Reason::BreakerOpen);
            }
            if account.reconciliation && !self.trading.reconciled.is_in(&account.id, term) {
                reasons.push(Reason::Unreconciled);
            }
        }
        if intent.reduce_only && !reduces {
            reasons.push(Reason::Invalid(Field::ReduceOnly, Fault::WouldNotReduce));
        }
        reasons
    }

    fn modes(&self, records: Records<'_>, intent: &Intent) -> Vec<Reason> {
        let modes = subjects(records, intent).map(|it| (it.scope(), self.trading.switches.mode(&it)));
        let modes = modes.filter(|(_, mode)| *mode != Mode::Normal);
        modes.map(|(scope, mode)| Reason::Mode(scope, mode)).collect()
    }

    /// Whether the strategy's position on the account is made smaller, and not turned over, even if everything else that is open
    /// on this side is filled, too. What is open on the other side proves nothing: it may never be filled.
    fn reduces(&self, intent: &Intent) -> bool {
        let Intent { account, strategy, symbol, side, quantity, .. } = intent.clone();
        let key = PositionKey { account, symbol, strategy: Some(strategy) };
        let position = self.trading.counters.position(&key);
        let to_close = if side == Side::Sell { position } else { position.negated() };
        self.exposures.own(&key).on(side).plus(quantity.into()) <= to_close && to_close > Total::ZERO
    }
}

fn key_fault(intent: &Intent, wall_ms: i64) -> Option<Reason> {
    let made_ms = intent.key.made_ms()?;
    if made_ms > wall_ms.saturating_add(KEY_AHEAD_MS_MAX) {
        return Some(Reason::Invalid(Field::Key, Fault::InTheFuture));
    }
    (made_ms < wall_ms.saturating_sub(KEY_AGE_MS_MAX)).then_some(Reason::KeyExpired)
}

fn of_the_other_mode(records: Records<'_>, request: &Request<'_>) -> Option<Reason> {
    records.account.filter(|account| account.mode != request.mode).map(|_| Reason::AccountMode)
}

fn fenced(records: Records<'_>, name: &LeaseName, token: Token, request: &Request<'_>) -> Option<Reason> {
    let expected = &records.strategy?.lease;
    if expected != name {
        return Some(Reason::WrongLease { expected: expected.clone() });
    }
    match request.lease {
        None => Some(Reason::LeaseFree),
        Some(lease) if token < lease.token && planted::is(Bug::OldTokenTrades) => None,
        Some(lease) if lease.token != token => Some(Reason::Fenced { current: lease.token }),
        Some(_) => None,
    }
}

/// What may be switched that covers an order.
fn subjects(records: Records<'_>, intent: &Intent) -> impl Iterator<Item = Subject> {
    let Intent { account, strategy, trader, symbol, .. } = intent.clone();
    let venue = records.account.map(|account| Subject::Venue(account.venue.clone()));
    let named = [
        Subject::Account(account),
        Subject::Strategy(strategy),
        Subject::Trader(trader),
        Subject::Symbol(symbol),
    ];
    std::iter::once(Subject::All).chain(venue).chain(named)
}

/// In what an order is not like the one whose place it takes, and must be.
fn unlike(replaced: &Intent, intent: &Intent) -> Vec<Reason> {
    let alike = [
        (Field::Account, replaced.account == intent.account),
        (Field::Strategy, replaced.strategy == intent.strategy),
        (Field::Symbol, replaced.symbol == intent.symbol),
    ];
    let unlike = alike.into_iter().filter(|(_, is_alike)| !is_alike);
    unlike.map(|(field, _)| Reason::Invalid(field, Fault::NotAsReplaced)).collect()
}
