//! Who may trade, in the state.

use super::State;
use crate::command::Audit;
use crate::limits::{NOTE_TEXT_BYTES_MAX, PROBLEMS_MAX, TEXT_BYTES_MAX};
use crate::orders::id::Tag;
use crate::orders::reason::Mode;
use crate::trading::command::{TradingAction, TradingAnswer};
use crate::trading::configuration::{Draft, Revision};
use crate::trading::scope::Subject;
use crate::trading::switch::{Note, Switched};
use crate::{Answer, Position, Refusal, VenueId};

impl State {
    pub(super) fn trading_action(&mut self, at: Position, action: TradingAction) -> Result<Answer, Refusal> {
        let answer = match action {
            TradingAction::Configure { draft, expected, tag, audit } => {
                self.configure(at, draft, expected, tag, *audit)?
            }
            TradingAction::SetKillSwitch { subject, engaged, audit } => {
                self.set_kill_switch(at, subject, engaged, *audit)?
            }
            TradingAction::SetMode { subject, mode, audit } => self.set_mode(at, subject, mode, *audit)?,
            TradingAction::SetBreaker { venue, forced_open, audit } => {
                self.set_breaker(at, venue, forced_open, *audit)?
            }
            TradingAction::RecordReconciled { account, term } => {
                if self.trading.configuration.account(&account).is_none() {
                    TradingAnswer::Unknown
                } else if term != at.term {
                    // By a leader that leads no more.
                    TradingAnswer::Switched(Switched::Unchanged)
                } else {
                    self.trading.reconciled.record(account, term);
                    TradingAnswer::Switched(Switched::Changed)
                }
            }
            TradingAction::RollDay(day) => {
                let is_new = day > self.trading.counters.day;
                self.trading.counters.roll(day);
                TradingAnswer::Switched(if is_new { Switched::Changed } else { Switched::Unchanged })
            }
        };
        self.trading_touched.records = true;
        Ok(Answer::Trading(Box::new(answer)))
    }

    /// The difference is what the audit says was done.
    fn configure(
        &mut self,
        at: Position,
        draft: Draft,
        expected: Option<Revision>,
        tag: Tag,
        audit: Audit,
    ) -> Result<TradingAnswer, Refusal> {
        audit.check()?;
        if expected.is_some_and(|expected| expected != self.trading.configuration.revision()) {
            return Ok(TradingAnswer::Stale);
        }
        match self.trading.configure(draft) {
            Err(mut problems) => {
                problems.truncate(PROBLEMS_MAX);
                Ok(TradingAnswer::Misconfigured { problems })
            }
            Ok(changes) => {
                self.tag.get_or_insert(tag);
                self.trading_touched.configuration = true;
                let lines: Vec<String> = changes.iter().map(ToString::to_string).collect();
                let subject = beginning(&lines.join("\n"), TEXT_BYTES_MAX).to_owned();
                self.audit(at, Audit { subject, ..audit })?;
                let revision = self.trading.configuration.revision();
                Ok(TradingAnswer::Configured { changes: changes.len() as u64, revision })
            }
        }
    }

    fn set_kill_switch(
        &mut self,
        at: Position,
        subject: Subject,
        engaged: bool,
        audit: Audit,
    ) -> Result<TradingAnswer, Refusal> {
        let is_switched = self.trading.switches.kills.contains_key(&subject);
        if !is_switched && !self.trading.configuration.knows(&subject) {
            return Ok(TradingAnswer::Unknown);
        }
        let note = self.noted(at, &audit)?;
        let switches = &mut self.trading.switches;
        let switched = if engaged { switches.engage(subject, note) } else { switches.release(&subject) };
        Ok(TradingAnswer::Switched(switched))
    }

    fn set_mode(
        &mut self,
        at: Position,
        subject: Subject,
        mode: Mode,
        audit: Audit,
    ) -> Result<TradingAnswer, Refusal> {
        let stands = self.trading.switches.mode(&subject);
        if stands == Mode::Normal && !self.trading.configuration.knows(&subject) {
            return Ok(TradingAnswer::Unknown);
        }
        // Here, and not at the edge, it is known what stands; and whoever allows less is not asked for words.
        if mode < stands && audit.reason.trim().is_empty() {
            return Ok(TradingAnswer::Unexplained);
        }
        let note = self.noted(at, &audit)?;
        Ok(TradingAnswer::Switched(self.trading.switches.set_mode(subject, mode, note)))
    }

    fn set_breaker(
        &mut self,
        at: Position,
        venue: VenueId,
        forced_open: bool,
        audit: Audit,
    ) -> Result<TradingAnswer, Refusal> {
        let is_switched = self.trading.switches.breakers.contains_key(&venue);
        if !is_switched && self.trading.configuration.venue(&venue).is_none() {
            return Ok(TradingAnswer::Unknown);
        }
        let note = self.noted(at, &audit)?;
        let switches = &mut self.trading.switches;
        let switched = if forced_open { switches.force_open(venue, note) } else { switches.close(&venue) };
        Ok(TradingAnswer::Switched(switched))
    }

    /// Written to the audit, as a switch keeps it.
    fn noted(&mut self, at: Position, audit: &Audit) -> Result<Note, Refusal> {
        self.audit(at, audit.clone())?;
        let [actor, reason] =
            [&audit.actor, &audit.reason].map(|text| beginning(text, NOTE_TEXT_BYTES_MAX).to_owned());
        Ok(Note { actor, reason, serial: self.serial, wall_ms: audit.wall_ms })
    }
}

fn beginning(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}
