//! Orders in the state: what is asked of them, and what follows for keys, limits, positions and history.
//!
//! Every order changes in one place, [`State::put_order`], so that whatever is summed over orders is what they come to.

use std::sync::Arc;

use super::State;
use crate::history::Recorded;
use crate::limits::{
    ARCHIVED_PER_ENTRY_MAX, HOLD_MS_MAX, HOLDS_ENDED_PER_COMMAND_MAX, ORDERS_MAX, SETTLED_MS,
    SETTLED_ORDERS_MAX, TOMBSTONES_MAX,
};
use crate::orders::command::{Authority, Cancel, OrderAnswer, Replace, Signing, Submit};
use crate::orders::id::{ClientOrderId, OrderId};
use crate::orders::intent::Intent;
use crate::orders::order::{Authorization, Denial, Order, Present, Sender};
use crate::orders::reason::{Field, Reason};
use crate::orders::status::Status;
use crate::orders::table::Row;
use crate::orders::tombstone::{self, Tombstone};
use crate::orders::transition;
use crate::trading::account::AccountMode;
use crate::trading::check;
use crate::trading::venue::Valuation;
use crate::{Answer, Lease, LeaseName, Position, Refusal};

type Checked = Result<Option<Valuation>, Vec<Reason>>;

/// What becomes of an order that something stands against.
enum Verdict {
    /// It waits: nothing stands against it but what passes by itself.
    Hold,
    /// A control turned it down: that is written down.
    Deny,
    /// It is none that anybody could have placed.
    Refuse,
}

impl Verdict {
    fn of(reasons: &[Reason], may_wait: bool) -> Self {
        if may_wait && reasons.iter().all(Reason::passes) {
            Self::Hold
        } else if reasons.iter().all(Reason::is_of_a_control) {
            Self::Deny
        } else {
            Self::Refuse
        }
    }
}

// What is asked.
impl State {
    pub(super) fn submit_order(&mut self, at: Position, submit: Submit) -> Result<Answer, Refusal> {
        let wall_ms = submit.wall_ms.ok_or(Refusal::WallClock)?;
        if submit.hold_ms > HOLD_MS_MAX {
            return Err(Refusal::TooLarge);
        }
        let answer = match self.known(&submit.intent) {
            Some(Err(reason)) => OrderAnswer::Refused { reasons: vec![reason] },
            Some(Ok(order)) => self.submit_again(at, order, submit, wall_ms),
            None => self.submit_new(at, submit, wall_ms),
        };
        Ok(Answer::Order(Box::new(answer)))
    }

    /// The order that a key stands for, or that it is another than this one.
    fn known(&self, intent: &Intent) -> Option<Result<OrderId, Reason>> {
        let key = intent.strategy_key();
        let (order, payload) = match (self.orders.by_key(&key), self.orders.tombstone(&key)) {
            (Some(row), _) => (row.id, row.intent()?.payload()),
            (None, Some(tombstone)) => (tombstone.order, tombstone.payload),
            (None, None) => return None,
        };
        Some(if payload == intent.payload() { Ok(order) } else { Err(Reason::DuplicateKey(order)) })
    }

    /// One that waits is tried again, under the lease of whoever asks now. Any other stays as it is.
    fn submit_again(&mut self, at: Position, id: OrderId, submit: Submit, wall_ms: i64) -> OrderAnswer {
        let Submit { intent, sender, .. } = submit;
        let waits = |row: &&Row| row.status(self.present(at)) == Status::Intent;
        let Some(mut order) = self.orders.get(id).filter(waits).map(|row| (**row).clone()) else {
            return OrderAnswer::Existing { order: id };
        };
        match self.check(at, &intent, sender, wall_ms) {
            Ok(valuation) => {
                order.renew(intent);
                self.authorize(at, order, sender, wall_ms, valuation)
            }
            // It goes on waiting: asked again, it may yet be authorised.
            Err(reasons) => match Verdict::of(&reasons, true) {
                Verdict::Hold => OrderAnswer::Held { order: id, reasons },
                Verdict::Deny | Verdict::Refuse => OrderAnswer::Refused { reasons },
            },
        }
    }

    fn submit_new(&mut self, at: Position, submit: Submit, wall_ms: i64) -> OrderAnswer {
        let Submit { intent, sender, hold_ms, wall_ms: _ } = submit;
        let checked = self.with_room(self.check(at, &intent, sender, wall_ms));
        let id = OrderId(self.serial);
        let mut order = self.new_order(intent, wall_ms);
        let reasons = match checked {
            Ok(valuation) => return self.authorize(at, order, sender, wall_ms, valuation),
            Err(reasons) => reasons,
        };
        match Verdict::of(&reasons, hold_ms > 0) {
            Verdict::Hold => {
                order.held_until = Some(self.now.plus_ms(hold_ms));
                self.count_messages(&order, 1);
                self.put_order(order);
                OrderAnswer::Held { order: id, reasons }
            }
            Verdict::Deny => {
                self.count_messages(&order, 1);
                order.deny(Denial::Refused(reasons.clone()), self.serial, self.now);
                // At once: it takes no memory, and its key stands for nothing.
                self.record(at, Recorded::Order(Arc::new(order)));
                OrderAnswer::Denied { order: id, reasons }
            }
            Verdict::Refuse => OrderAnswer::Refused { reasons },
        }
    }

    fn new_order(&self, intent: Intent, wall_ms: i64) -> Order {
        let recorded_ms = Some(wall_ms);
        Order { epoch: self.epoch, recorded_ms, ..Order::recorded(OrderId(self.serial), intent, self.now) }
    }

    fn check(&self, at: Position, intent: &Intent, sender: Sender, wall_ms: i64) -> Checked {
        let lease = self.lease_of(&intent.lease);
        let request = self.request(at, sender, lease.as_ref(), wall_ms);
        self.with_agreement(self.trading.desk(&self.exposures).submit(intent, &request))
    }

    /// While nodes differ and no majority says who is right, nobody knows what is authorised.
    fn with_agreement(&self, checked: Checked) -> Checked {
        if !self.checkpoint.is_undecided(&self.members) {
            return checked;
        }
        let mut reasons = checked.err().unwrap_or_default();
        reasons.push(Reason::NodesDiffer);
        Err(reasons)
    }

    fn request<'a>(
        &self,
        at: Position,
        sender: Sender,
        lease: Option<&'a Lease>,
        wall_ms: i64,
    ) -> check::Request<'a> {
        let mode = match sender {
            Sender::Cluster => AccountMode::Gateway,
            Sender::Bot => AccountMode::Direct,
        };
        check::Request { mode, lease, now: self.now, term: at.term, wall_ms }
    }

    /// Of a new order: what it is, and what is left of it, is kept for long.
    fn with_room(&self, checked: Checked) -> Checked {
        let kept = self.orders.len() + self.orders.tombstone_count();
        if self.orders.len() < ORDERS_MAX && kept < TOMBSTONES_MAX {
            return checked;
        }
        let mut reasons = checked.err().unwrap_or_default();
        reasons.push(Reason::Full);
        Err(reasons)
    }

    fn authorize(
        &mut self,
        at: Position,
        mut order: Order,
        sender: Sender,
        wall_ms: i64,
        valuation: Option<Valuation>,
    ) -> OrderAnswer {
        let window_ms = self.window_ms(&order);
        let authorization =
            Authorization { serial: self.serial, term: at.term, at: self.now, sender, wall_ms, window_ms };
        order.authorize(authorization).expect("it waited, or is new");
        order.valuation = valuation;
        self.count_messages(&order, 1);
        let answer = OrderAnswer::Authorized { order: order.id, signing: self.signing(&order, wall_ms) };
        self.put_order(order);
        answer
    }

    pub(super) fn cancel_order(&mut self, at: Position, cancel: Cancel) -> Result<Answer, Refusal> {
        let Cancel { order: id, sender, by, wall_ms } = cancel;
        let wall_ms = wall_ms.ok_or(Refusal::WallClock)?;
        if let Authority::Operator(audit) = &by {
            self.audit(at, (**audit).clone())?;
        }
        let Some(mut order) = self.orders.get(id).map(|row| (**row).clone()) else {
            return Ok(refused(vec![Reason::Unknown(Field::Order)]));
        };
        let mut reasons = self.reasons_against_cancel(at, &order, sender, &by, wall_ms);
        reasons.extend(order.allows(transition::Request::Cancel, self.present(at)).err());
        if !reasons.is_empty() {
            return Ok(refused(reasons));
        }
        let answer = match order.cancel(self.serial, self.present(at)).expect("it was just allowed") {
            Status::Denied => OrderAnswer::Withdrawn { order: id },
            _ => {
                if let Authority::Lease { .. } = by {
                    self.count_messages(&order, 1);
                }
                let signing = self.signing(&order, wall_ms);
                OrderAnswer::Canceling { order: id, attempt: self.serial, signing }
            }
        };
        self.put_order(order);
        Ok(Answer::Order(Box::new(answer)))
    }

    /// A person needs no lease, and a halted desk can still be emptied.
    fn reasons_against_cancel(
        &self,
        at: Position,
        order: &Order,
        sender: Sender,
        by: &Authority,
        wall_ms: i64,
    ) -> Vec<Reason> {
        let Authority::Lease { lease: name, token } = by else { return Vec::new() };
        // Nobody trades what nobody here asked for.
        let Some(intent) = order.intent() else { return vec![Reason::NotPermitted(Field::Order)] };
        let lease = self.lease_of(name);
        let request = self.request(at, sender, lease.as_ref(), wall_ms);
        let cancel = check::Cancel { order: intent, lease: name, token: *token };
        self.trading.desk(&self.exposures).cancel(&cancel, &request).err().unwrap_or_default()
    }

    /// Both or neither: what stands against one of them stands against both.
    pub(super) fn replace_order(&mut self, at: Position, replace: Replace) -> Result<Answer, Refusal> {
        let Replace { cancel: id, submit: Submit { intent, sender, wall_ms, .. } } = replace;
        let wall_ms = wall_ms.ok_or(Refusal::WallClock)?;
        match self.known(&intent) {
            Some(Err(reason)) => return Ok(refused(vec![reason])),
            Some(Ok(order)) => return Ok(Answer::Order(Box::new(OrderAnswer::Existing { order }))),
            None => {}
        }
        let Some(mut canceled) = self.orders.get(id).map(|row| (**row).clone()) else {
            return Ok(refused(vec![Reason::Unknown(Field::Order)]));
        };
        let Some(replaced) = canceled.intent() else {
            return Ok(refused(vec![Reason::NotPermitted(Field::Order)]));
        };
        let lease = self.lease_of(&intent.lease);
        let request = self.request(at, sender, lease.as_ref(), wall_ms);
        let desk = self.trading.desk(&self.exposures);
        let leads_to = canceled.allows(transition::Request::Replace, self.present(at));
        let is_withdrawn = leads_to == Ok(Status::Denied);
        let mut checked =
            self.with_agreement(self.with_room(desk.replace(replaced, is_withdrawn, &intent, &request)));
        if let Err(reason) = leads_to {
            let mut reasons = checked.err().unwrap_or_default();
            reasons.push(reason);
            checked = Err(reasons);
        }
        let valuation = match checked {
            Ok(valuation) => valuation,
            Err(reasons) => return Ok(refused(reasons)),
        };
        canceled.cancel(self.serial, self.present(at)).expect("it was just allowed");
        if !is_withdrawn {
            self.count_messages(&canceled, 1);
        }
        self.put_order(canceled);
        let order = self.new_order(intent, wall_ms);
        let answer = match self.authorize(at, order, sender, wall_ms, valuation) {
            OrderAnswer::Authorized { order, signing } if !is_withdrawn => {
                OrderAnswer::Replacing { canceled: id, order, signing }
            }
            // Of what was withdrawn nothing is sent.
            authorized => authorized,
        };
        Ok(Answer::Order(Box::new(answer)))
    }
}

// What time brings.
impl State {
    /// Denies what has waited long enough, some at a time, each under a serial of its own.
    pub(super) fn end_holds(&mut self) {
        for _ in 0..HOLDS_ENDED_PER_COMMAND_MAX {
            let Some((until, id)) = self.orders.next_hold_end() else { return };
            if until > self.now {
                return;
            }
            self.serial = self.serial.next();
            let mut order = (**self.orders.get(id).expect("what waits is there")).clone();
            order.deny(Denial::Expired, self.serial, self.now);
            self.put_order(order);
        }
    }

    /// Moves what was settled a day ago to the history, some with each entry, each under a serial of its own.
    pub(super) fn archive_settled(&mut self, at: Position) {
        if at.offset > 0 {
            return;
        }
        for _ in 0..ARCHIVED_PER_ENTRY_MAX {
            let Some((since, id)) = self.orders.first_settled() else { return };
            let is_due = since.plus_ms(SETTLED_MS) <= self.now;
            if !is_due && self.orders.settled_count() <= SETTLED_ORDERS_MAX {
                return;
            }
            self.serial = self.serial.next();
            let row = self.take_order(id);
            if let Some(intent) = row.intent() {
                let tombstone = Tombstone {
                    payload: intent.payload(),
                    order: id,
                    filled: row.filled_quantity(),
                    fills: row.venue.fills.digest(),
                    until: tombstone::until(&intent.key, self.now),
                };
                self.orders.tombstones.insert(intent.strategy_key(), tombstone);
            }
            self.record(at, Recorded::Order(row));
        }
    }
}

// How an order changes.
impl State {
    /// The one place where one does, or comes.
    pub(super) fn put_order(&mut self, after: Order) {
        let before = self.orders.get(after.id).cloned();
        if let Some(before) = &before {
            self.exposures.remove_order(before);
        }
        self.exposures.add_order(&after);
        let Self { trading, .. } = self;
        trading.counters.change_order(&trading.configuration, before.as_deref(), &after);
        self.trading_touched.records = true;
        self.orders.put(Row::new(after));
    }

    /// Takes one out of memory; what it traded stays counted.
    fn take_order(&mut self, id: OrderId) -> Row {
        let row = self.orders.remove(id).expect("it is there");
        self.exposures.remove_order(&row);
        row
    }

    /// As an image has it: what it traded is counted in the image.
    pub(super) fn restore_order(&mut self, row: Row) {
        self.exposures.add_order(&row);
        self.orders.put(row);
    }

    fn count_messages(&mut self, order: &Order, messages: u64) {
        let Some(intent) = order.intent() else { return };
        let Self { trading, now, .. } = self;
        let of = (&intent.account, &intent.strategy, &intent.symbol);
        trading.counters.count_messages(&trading.configuration, of, messages, *now);
        self.trading_touched.records = true;
    }
}

// Reads.
impl State {
    pub fn present(&self, at: Position) -> Present {
        Present { term: at.term, now: self.now }
    }

    /// An order by what it is called at its venue; none of another cluster's.
    pub fn by_client_order_id(&self, client: ClientOrderId) -> Option<&Row> {
        self.orders.get(client.order).filter(|row| self.client_order_id(row) == Some(client))
    }

    /// What an order is called at its venue. None of one that nobody here asked for.
    pub fn client_order_id(&self, order: &Order) -> Option<ClientOrderId> {
        let tag = self.tag.filter(|_| !order.is_external())?;
        Some(ClientOrderId { tag, epoch: order.epoch, order: order.id })
    }

    fn signing(&self, order: &Order, wall_ms: i64) -> Signing {
        Signing { client_order_id: self.client_order_id(order), wall_ms, window_ms: self.window_ms(order) }
    }

    fn window_ms(&self, order: &Order) -> u64 {
        self.trading.configuration.account(order.account()).map_or(0, |account| account.window_ms)
    }

    fn lease_of(&self, name: &LeaseName) -> Option<Lease> {
        self.lease_now(&name.key())
    }
}

pub(super) fn refused(reasons: Vec<Reason>) -> Answer {
    Answer::Order(Box::new(OrderAnswer::Refused { reasons }))
}
