//! The whole, and the one function that changes it.

mod copy;
mod orders;
mod reads;
mod reports;
mod trading;
mod transaction;

use planted::Bug;

use crate::checkpoint::Checkpoint;
use crate::command::Audit;
use crate::history::{History, HistoryRecord};
use crate::keyspace::{Change, Entry, Key, Keyspace, Lease};
use crate::limits::{CHANNEL_BYTES_MAX, DATABASES, KEYS_PER_COMMAND_MAX, MESSAGE_BYTES_MAX};
use crate::once::{Outcomes, Remembered};
use crate::orders::Tag;
use crate::orders::command::OrderAction;
use crate::orders::table::Orders;
use crate::tenures::Tenures;
use crate::trading::Trading;
use crate::trading::exposure::Exposures;
use crate::{
    Action, Answer, Command, Epoch, LogTime, Made, Members, Outcome, Position, Recorded, Refusal, Scripts,
    Serial,
};

/// Everything that the log has decided.
///
/// Invariants:
/// * `serial` grows by one with every command applied, every action of a transaction, every key that ends by itself, and every
///   order whose wait is over or that goes to the history.
/// * `now` never runs backwards, and moves only by a stamp of its own entry's term.
/// * No key is present whose end is at or before `now`, and no order waits for longer than it was to.
/// * `exposures` is what the orders come to, and in no digest and no image.
/// * Two states that applied the same log are equal, and so are their digests.
#[derive(Clone, Debug, Default)]
pub struct State {
    epoch: Epoch,
    serial: Serial,
    now: LogTime,
    keys: Keyspace,
    scripts: Scripts,
    outcomes: Outcomes,
    members: Members,
    tenures: Tenures,
    checkpoint: Checkpoint,
    history: History,
    /// What tells the orders of this cluster from those of any other, since the first configuration.
    tag: Option<Tag>,
    trading: Trading,
    orders: Orders,
    exposures: Exposures,
    trading_touched: TradingTouched,
    /// Keys that ended by themselves since this state was made; it is told, and decides nothing.
    keys_ended: u64,
}

/// Which of the two rows of trading have changed since they were last taken.
#[derive(Clone, Copy, Debug, Default)]
struct TradingTouched {
    configuration: bool,
    /// Switches, counters, reconciled accounts.
    records: bool,
}

impl State {
    /// Applies one command at its place in the log. Total: whatever the command, there is an outcome, and a
    /// refused command changes nothing but time and the serial.
    pub fn apply(&mut self, at: Position, command: Command) -> Outcome {
        let stale = at.stamp.is_some_and(|stamp| stamp.term != at.term);
        if let Some(stamp) = at.stamp
            && !stale
        {
            self.advance(at, stamp.time);
        }
        self.serial = self.serial.next();
        let made = Made { serial: self.serial, index: at.index, term: at.term };
        let first = |answer| Outcome { made, repeated: false, answer };
        if stale {
            return first(Answer::Refused(Refusal::StaleStamp));
        }
        let Command { once, action } = command;
        let Some(once) = once else {
            return first(self.run(at, action));
        };
        if let Some(remembered) = self.outcomes.get(once.id) {
            return self.repeat(remembered, &action);
        }
        if once.valid_until <= self.now {
            return first(Answer::Refused(Refusal::Late));
        }
        let has_room =
            if action.stops() { self.has_room_for_stops(1) } else { self.has_room_for_outcomes(1) };
        if !has_room {
            return first(Answer::Refused(Refusal::Overload));
        }
        let answer = self.run(at, action);
        self.outcomes.remember(once, self.now, made, answer.clone());
        first(answer)
    }

    /// Moves the clock and ends everything that is due: keys in the order of (end, database, name), then orders that wait, in
    /// the order of (end, id).
    fn advance(&mut self, at: Position, time: LogTime) {
        self.now = self.now.max(time);
        while let Some(key) = self.keys.due(self.now) {
            self.serial = self.serial.next();
            self.keys.end(self.serial, &key);
            self.keys_ended += 1;
        }
        self.outcomes.forget_until(self.now);
        self.end_holds();
        self.archive_settled(at);
        self.orders.tombstones.forget_until(self.now);
    }

    fn run(&mut self, at: Position, action: Action) -> Answer {
        self.try_run(at, action).unwrap_or_else(Answer::Refused)
    }

    fn try_run(&mut self, at: Position, action: Action) -> Result<Answer, Refusal> {
        let serial = if planted::is(Bug::TokenFromIndex) { Serial(at.index) } else { self.serial };
        let change = Change { now: self.now, epoch: self.epoch, serial };
        Ok(match action {
            Action::Tick => Answer::Done,

            Action::Set { key, value, condition, expiry, previous } => {
                self.keys.set(change, key, value, condition, expiry, previous)?
            }
            Action::SetMany { pairs, if_none_exist } => {
                few(pairs.len())?;
                self.keys.set_many(change, pairs, if_none_exist)?
            }
            Action::Remove { keys, holder } => {
                few(keys.len())?;
                self.keys.remove_many(serial, &keys, holder.as_deref())?
            }
            Action::Take { key } => self.keys.take(serial, &key)?,
            Action::Expire { key, expiry, condition, holder } => {
                self.keys.expire(change, key, expiry, condition, holder.as_deref())?
            }
            Action::Touch { key, expiry } => self.keys.touch(change, key, expiry)?,
            Action::Increment { key, by } => self.keys.increment(change, key, by)?,
            Action::Copy { from, to, if_absent, moves } => {
                self.keys.copy(change, &from, to, if_absent, moves)?
            }
            Action::Alter { key, alteration } => self.keys.alter(change, key, alteration)?,
            Action::Flush { database, audit } => {
                if database.is_some_and(|database| database >= DATABASES) {
                    return Err(Refusal::TooLarge);
                }
                self.audit(at, *audit)?;
                Answer::Count(self.keys.flush(serial, database))
            }

            Action::Acquire { key, holder, ttl_ms, take_over } => {
                self.keys.acquire(change, key, holder, ttl_ms, take_over)?
            }
            Action::Renew { key, holder, token, ttl_ms } => {
                self.keys.renew(change, key, &holder, token, ttl_ms)?
            }
            Action::Release { key, holder, token } => self.keys.release(change, &key, &holder, token)?,

            Action::Publish(published) => {
                if published.channel.len() > CHANNEL_BYTES_MAX || published.message.len() > MESSAGE_BYTES_MAX
                {
                    return Err(Refusal::TooLarge);
                }
                self.keys.events.publish(published);
                Answer::Done
            }

            Action::LoadScript(script) => Answer::Changed(self.scripts.load(script)?),
            Action::FlushScripts => Answer::Count(self.scripts.flush(serial)),

            Action::Transaction { guards, actions } => self.transaction(at, guards, actions)?,

            Action::Order(action) => match *action {
                OrderAction::Submit(submit) => self.submit_order(at, submit)?,
                OrderAction::Cancel(cancel) => self.cancel_order(at, cancel)?,
                OrderAction::Replace(replace) => self.replace_order(at, replace)?,
                OrderAction::Report(report) => self.report_order(&report)?,
            },
            Action::Trading(action) => self.trading_action(at, *action)?,

            Action::Members { voters, learners } => {
                self.members.set(voters, learners);
                Answer::Done
            }
            Action::ReserveNode { audit } => {
                self.audit(at, *audit)?;
                Answer::Node(self.members.reserve(self.serial))
            }
            Action::RecordTenure(tenure) => Answer::Changed(self.tenures.record(*tenure)),
            Action::Checkpoint => {
                self.checkpoint = Checkpoint { index: at.index, ..Checkpoint::default() };
                Answer::Done
            }
            Action::ReportDigest { node, checkpoint, digest } => {
                Answer::Changed(self.checkpoint.report(node, checkpoint, digest, &self.members))
            }
            Action::Audit(audit) => {
                self.audit(at, *audit)?;
                Answer::Done
            }
        })
    }

    /// Runs an action under a serial of its own.
    pub(crate) fn run_next(&mut self, at: Position, action: Action) -> Answer {
        self.serial = self.serial.next();
        self.run(at, action)
    }

    fn audit(&mut self, at: Position, audit: Audit) -> Result<(), Refusal> {
        audit.check()?;
        self.record(at, Recorded::Audit(audit));
        Ok(())
    }

    fn record(&mut self, at: Position, what: Recorded) {
        self.history.append(HistoryRecord { serial: self.serial, term: at.term, time: self.now, what });
    }

    /// What a command did when it ran before. Of a lease it tells how things stand now: a grant that has been
    /// lost since must not look like one.
    fn repeat(&self, remembered: &Remembered, action: &Action) -> Outcome {
        Outcome { made: remembered.made, repeated: true, answer: self.as_of_now(&remembered.answer, action) }
    }

    fn as_of_now(&self, answer: &Answer, action: &Action) -> Answer {
        match (answer, action) {
            (
                Answer::Lease { granted, lease: then },
                Action::Acquire { key, .. } | Action::Renew { key, .. },
            ) => {
                let lease = self.lease_now(key);
                let kept = match (then, &lease) {
                    (Some(then), Some(now)) => now.token == then.token && now.holder == then.holder,
                    _ => false,
                };
                Answer::Lease { granted: *granted && kept, lease }
            }
            (Answer::Lease { granted, .. }, Action::Release { key, .. }) => {
                Answer::Lease { granted: *granted, lease: self.lease_now(key) }
            }
            (Answer::All(answers), Action::Transaction { actions, .. }) => Answer::All(
                answers.iter().zip(actions).map(|(then, action)| self.as_of_now(then, action)).collect(),
            ),
            (answer, _) => answer.clone(),
        }
    }

    /// What has become a value of another kind since is no lease any more; what was done was done.
    fn lease_now(&self, key: &Key) -> Option<Lease> {
        self.keys.lease(key, self.now).unwrap_or_default()
    }
}

fn few(keys: usize) -> Result<(), Refusal> {
    if keys <= KEYS_PER_COMMAND_MAX { Ok(()) } else { Err(Refusal::TooLarge) }
}

impl Serial {
    fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

// For a scratch.
impl State {
    pub(crate) fn without_rows(&self, now: LogTime) -> Self {
        Self {
            epoch: self.epoch,
            serial: self.serial,
            now: self.now.max(now),
            scripts: self.scripts.shared(),
            ..Self::default()
        }
    }

    pub(crate) fn put(&mut self, key: Key, entry: Entry) {
        self.keys.insert(key, entry);
    }
}
