//! Some keys of a state, to see what actions would do to them.
//!
//! A transaction that looks at what it has just written, and a script that decides by what it reads, run on copies first.
//! The copies tell what the log will say only as long as nothing happens to the keys meanwhile: a
//! [`Guard`](crate::transaction::Guard) for each key that was read has that checked where it is decided.

use crate::{Action, Answer, Key, LogTime, Position, State};

/// What its actions would do. Its serials go on from those of the state that it was made of; a token that an action makes
/// here is not the one that it will make in the log.
#[derive(Clone, Debug)]
pub struct Scratch(State);

impl Scratch {
    /// Without keys, at the serial of `state` and at `clock`, to which a leader's live clock may have moved.
    pub fn new(state: &State, clock: LogTime) -> Self {
        Self(state.without_rows(clock))
    }

    /// Takes over a key as `state` has it; one that is absent there stays absent here.
    pub fn copy(&mut self, key: &Key, state: &State) {
        if let Some(entry) = state.get(key) {
            self.0.put(key.clone(), entry.clone());
        }
    }

    /// Runs an action as the log would.
    pub fn run(&mut self, action: Action) -> Answer {
        self.0.run_next(Position { index: 0, offset: 0, term: 0, stamp: None }, action)
    }

    pub fn state(&self) -> &State {
        &self.0
    }
}
