//! The whole, and the one function that changes it.

mod copy;
mod transaction;

use std::collections::BTreeMap;
use std::ops::Bound;

use planted::Bug;

use crate::checkpoint::{Checkpoint, Integrity};
use crate::command::Audit;
use crate::history::{AuditRecord, History};
use crate::keyspace::{Change, Entry, Key, KeyCounts, Keyspace, Lease};
use crate::limits::{CHANNEL_BYTES_MAX, DATABASES, KEYS_PER_COMMAND_MAX, MESSAGE_BYTES_MAX, TEXT_BYTES_MAX};
use crate::once::{Outcomes, Remembered};
use crate::tenures::Tenures;
use crate::{
    Action, Answer, Command, Epoch, Event, Guard, Interest, LogTime, Made, Members, NodeId, Outcome,
    Position, Refusal, RequestId, Scripts, SealedHistory, Serial, Tenure,
};

/// Everything that the log has decided.
///
/// Invariants:
/// * `serial` grows by one with every command applied, every action of a transaction and every key that ends by itself.
/// * `now` never runs backwards, and moves only by a stamp of its own entry's term.
/// * No key is present whose end is at or before `now`.
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
}

impl State {
    /// Applies one command at its place in the log. Total: whatever the command, there is an outcome, and a
    /// refused command changes nothing but time and the serial.
    pub fn apply(&mut self, at: Position, command: Command) -> Outcome {
        let stale = at.stamp.is_some_and(|stamp| stamp.term != at.term);
        if let Some(stamp) = at.stamp
            && !stale
        {
            self.advance(stamp.time);
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
        if !self.outcomes.has_room(1) {
            return first(Answer::Refused(Refusal::Overload));
        }
        let answer = self.run(at, action);
        self.outcomes.remember(once, self.now, made, answer.clone());
        first(answer)
    }

    /// Moves the clock and ends everything that is due, in the order of (end, database, name).
    fn advance(&mut self, time: LogTime) {
        self.now = self.now.max(time);
        while let Some(key) = self.keys.due(self.now) {
            self.serial = self.serial.next();
            self.keys.end(self.serial, &key);
        }
        self.outcomes.forget_until(self.now);
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
        if [&audit.actor, &audit.action, &audit.subject, &audit.reason]
            .iter()
            .any(|t| t.len() > TEXT_BYTES_MAX)
        {
            return Err(Refusal::TooLarge);
        }
        self.history.append(AuditRecord { serial: self.serial, term: at.term, time: self.now, audit });
        Ok(())
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

// Reads.
impl State {
    pub fn get(&self, key: &Key) -> Option<&Entry> {
        self.keys.get(key)
    }

    /// The lease of that name at the log time `clock`, which a leader's live clock may have moved past
    /// [`State::now`]: the number shrinks, but the lease is there until the log ends it. A key that is no string is none.
    pub fn lease(&self, key: &Key, clock: LogTime) -> Result<Option<Lease>, Refusal> {
        self.keys.lease(key, clock)
    }

    /// Whether what a transaction would rely on is still so.
    pub fn holds(&self, guard: &Guard) -> bool {
        // A look that has not taken place yet is none.
        guard.as_of() <= self.serial && self.keys.holds(guard)
    }

    /// Whether it is known of keys that are absent when they went.
    pub fn is_traced(&self) -> bool {
        self.keys.traces.is_some()
    }

    /// Every key, in the order of (database, name).
    pub fn keys(&self) -> impl Iterator<Item = (&Key, &Entry)> {
        self.keys.iter()
    }

    /// The keys of one database from a name on, in the order of names: to look at many in several steps.
    pub fn keys_from(&self, database: u8, from: Bound<&[u8]>) -> impl Iterator<Item = (&Key, &Entry)> {
        self.keys.range(database, from)
    }

    /// What is in each database that ever had a key.
    pub fn counts(&self) -> &BTreeMap<u8, KeyCounts> {
        self.keys.counts()
    }

    pub fn key_count(&self) -> usize {
        self.keys.len()
    }

    /// Keys that end by themselves.
    pub fn ending_count(&self) -> usize {
        self.keys.ending()
    }

    /// When the next key ends by itself.
    pub fn next_end(&self) -> Option<LogTime> {
        self.keys.next_end()
    }

    /// Those that clients have loaded.
    pub fn scripts(&self) -> &Scripts {
        &self.scripts
    }

    pub fn outcome_count(&self) -> usize {
        self.outcomes.len()
    }

    /// What the remembered outcomes count for against
    /// [`limits::OUTCOMES_BYTES_MAX`](crate::limits::OUTCOMES_BYTES_MAX).
    pub fn outcome_bytes(&self) -> usize {
        self.outcomes.bytes()
    }

    /// Whether so many more outcomes would be remembered, as far as can be told before the commands have run.
    pub fn has_room_for_outcomes(&self, more: usize) -> bool {
        self.outcomes.has_room(more)
    }

    /// Whether a command ran under this name, and would be answered with what it did then.
    pub fn remembers(&self, id: RequestId) -> bool {
        self.outcomes.get(id).is_some()
    }

    pub fn now(&self) -> LogTime {
        self.now
    }

    pub fn serial(&self) -> Serial {
        self.serial
    }

    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub fn members(&self) -> &Members {
        &self.members
    }

    pub fn tenures(&self) -> impl DoubleEndedIterator<Item = &Tenure> {
        self.tenures.iter()
    }

    /// The last record of tenure. Its node is active only while its term is the cluster's.
    pub fn tenure(&self) -> Option<&Tenure> {
        self.tenures.last()
    }

    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    pub fn integrity(&self, node: NodeId) -> Integrity {
        self.checkpoint.integrity(node, &self.members)
    }

    pub fn sealed_history(&self) -> &[SealedHistory] {
        &self.history.sealed
    }

    /// The audit records that are not yet in a sealed file.
    pub fn history_tail(&self) -> &[AuditRecord] {
        &self.history.tail
    }

    /// The history files sealed since the last call, for the shell to write.
    pub fn take_unwritten_history(&mut self) -> Vec<(SealedHistory, Vec<AuditRecord>)> {
        std::mem::take(&mut self.history.unwritten)
    }
}

// For whoever listens.
impl State {
    pub fn interest(&self) -> Interest {
        self.keys.events.interest
    }

    /// Begins or ends to note what happens.
    pub fn listen(&mut self, interest: Interest) {
        self.keys.events.interest = interest;
    }

    /// What has happened since the last call, in the order of the log.
    pub fn take_events(&mut self) -> Vec<Event> {
        self.keys.events.take()
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
