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
        if !actions.iter().all(Action::is_on_keys) {
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

    /// The most that the answers can count for: each that tells a value tells the longest that its key has or gets.
    fn answer_bytes_max(&self, actions: &[Action]) -> usize {
        let mut longest: BTreeMap<&Key, usize> = BTreeMap::new();
        for (key, bytes) in actions.iter().flat_map(Action::values) {
            let known = longest.entry(key).or_default();
            *known = bytes.max(*known);
        }
        let told = |key: &Key| {
            let present = self.keys.get(key).map_or(0, |entry| entry.value.len());
            present.max(longest.get(key).copied().unwrap_or_default())
        };
        actions.iter().map(|action| INNER_ANSWER_BYTES + action.tells().map_or(0, told)).sum()
    }
}
