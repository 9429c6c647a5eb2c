//! Running the actions of a transaction as one command.

use std::collections::{BTreeMap, BTreeSet};

use super::State;
use crate::limits::{
    INNER_ANSWER_BYTES, KEYS_MAX, TRANSACTION_ACTIONS_MAX, TRANSACTION_ANSWER_BYTES_MAX,
    TRANSACTION_GUARDS_MAX,
};
use crate::{Action, Answer, Entry, Guard, Key, Position, Refusal};

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
            if let Action::Order(order) = action {
                sum += order.answer_bytes_max();
            }
            sum += INNER_ANSWER_BYTES + action.tells().map_or(0, |key| may_hold(key, 0));
        }
        sum.saturating_add(self.popped_bytes_max(actions))
    }

    /// A pop tells no more than so many of the longest elements, and all pops of a key together no more than it has and
    /// gets: what is popped is gone.
    fn popped_bytes_max(&self, actions: &[Action]) -> usize {
        let mut has: BTreeMap<&Key, Elements> = BTreeMap::new();
        let mut told: BTreeMap<&Key, usize> = BTreeMap::new();
        let present = |key: &Key| self.keys.get(key).map_or_else(Elements::default, Elements::of);
        for action in actions {
            let (key, more, pops) = match action {
                Action::Alter { key, alteration } => {
                    let more = Elements { bytes: alteration.bytes(), longest: alteration.longest() };
                    (key, more, alteration.pops())
                }
                Action::Copy { from, to, .. } => (to, *has.entry(from).or_insert_with(|| present(from)), 0),
                _ => continue,
            };
            let elements = has.entry(key).or_insert_with(|| present(key));
            elements.bytes = elements.bytes.saturating_add(more.bytes);
            elements.longest = elements.longest.max(more.longest);
            let pops = usize::try_from(pops).unwrap_or(usize::MAX).saturating_mul(elements.longest);
            let told = told.entry(key).or_default();
            *told = told.saturating_add(pops);
        }
        told.iter().fold(0, |sum: usize, (key, told)| sum.saturating_add(has[key].bytes.min(*told)))
    }
}

/// What a key may have that can be popped.
#[derive(Clone, Copy, Default)]
struct Elements {
    /// All together.
    bytes: usize,
    longest: usize,
}

impl Elements {
    fn of(entry: &Entry) -> Self {
        Self { bytes: entry.value.bytes(), longest: entry.value.longest_element() }
    }
}
