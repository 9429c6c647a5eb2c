//! Running the actions of a transaction as one command.

use std::collections::{BTreeMap, BTreeSet};

use super::State;
use crate::limits::{
    INNER_ANSWER_BYTES, KEYS_MAX, TRANSACTION_ACTIONS_MAX, TRANSACTION_ANSWER_BYTES_MAX,
    TRANSACTION_GUARDS_MAX,
};
use crate::{Action, Answer, Guard, Key, Position, Refusal};

impl State {
    /// What is wrong with the transaction itself is found before any of its actions runs, so that it is done whole or not
    /// at all, but for what the actions answer.
    pub(super) fn transaction(
        &mut self,
        at: Position,
        guards: Vec<Guard>,
        actions: Vec<Action>,
    ) -> Result<Answer, Refusal> {
        if guards.len() > TRANSACTION_GUARDS_MAX || actions.len() > TRANSACTION_ACTIONS_MAX {
            return Err(Refusal::TooLarge);
        }
        if !actions.iter().all(Action::may_be_a_part) {
            return Err(Refusal::NotOnKeys);
        }
        if self.answer_bytes_max(&actions) > TRANSACTION_ANSWER_BYTES_MAX {
            return Err(Refusal::TooLarge);
        }
        if !guards.is_empty() {
            self.keys.trace(self.serial);
        }
        if !guards.iter().all(|guard| self.holds(guard)) {
            return Ok(Answer::Conflict);
        }
        let made = actions.iter().flat_map(Action::makes).filter(|key| self.keys.get(key).is_none());
        if self.keys.len() + made.collect::<BTreeSet<_>>().len() > KEYS_MAX {
            return Err(Refusal::Full);
        }
        Ok(Answer::All(actions.into_iter().map(|action| self.run_next(at, action)).collect()))
    }

    /// The most that the answers can count for: each that tells a value tells the longest that its key has or gets, and all
    /// that tell elements which are gone then tell together no more than its key has and gets.
    fn answer_bytes_max(&self, actions: &[Action]) -> usize {
        let mut longest: BTreeMap<&Key, usize> = BTreeMap::new();
        let present = |key: &Key| self.keys.get(key).map_or(0, |entry| entry.value.bytes());
        let mut sum = 0;
        for action in actions {
            let mut may_hold = |key, bytes: usize| {
                let known = longest.entry(key).or_insert_with(|| present(key));
                *known = bytes.max(*known);
                *known
            };
            for (key, bytes) in action.values() {
                may_hold(key, bytes);
            }
            if let Action::Copy { from, to, .. } = action {
                let copied = may_hold(from, 0);
                may_hold(to, copied);
            }
            sum += INNER_ANSWER_BYTES + action.tells().map_or(0, |key| may_hold(key, 0));
        }
        sum.saturating_add(self.popped_bytes_max(actions))
    }

    /// What is popped is gone, so that a key tells of it at most all that it has and gets.
    fn popped_bytes_max(&self, actions: &[Action]) -> usize {
        let mut had: BTreeMap<&Key, usize> = BTreeMap::new();
        let mut popped: BTreeSet<&Key> = BTreeSet::new();
        let present = |key: &Key| self.keys.get(key).map_or(0, |entry| entry.value.bytes());
        for action in actions {
            let (key, more) = match action {
                Action::Alter { key, alteration } => (key, alteration.bytes()),
                Action::Copy { from, to, .. } => (to, *had.entry(from).or_insert_with(|| present(from))),
                _ => continue,
            };
            let bytes = had.entry(key).or_insert_with(|| present(key));
            *bytes = bytes.saturating_add(more);
            if matches!(action, Action::Alter { alteration, .. } if alteration.pops()) {
                popped.insert(key);
            }
        }
        popped.iter().fold(0, |sum: usize, key| sum.saturating_add(had[key]))
    }
}
