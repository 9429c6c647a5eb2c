//! Taking turns: those who have got into each other's way once wait for each other at this node, instead of running for
//! nothing again and again. It is a matter of speed alone: what is right is decided by the log.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use domain::Guard;
use tokio::sync::{Mutex, MutexGuard};

use crate::limits::TURN_PLACES;

/// Places in each of which one may have its turn. Keys share them.
pub(crate) struct Turns([Mutex<()>; TURN_PLACES]);

impl Default for Turns {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(())))
    }
}

/// What one who changes things waits for.
pub(crate) struct Turn<'t> {
    turns: &'t Turns,
    places: BTreeSet<usize>,
    held: Vec<MutexGuard<'t, ()>>,
}

impl<'t> Turn<'t> {
    pub(crate) fn new(turns: &'t Turns) -> Self {
        Self { turns, places: BTreeSet::new(), held: Vec::new() }
    }

    /// Waits until no other that relies on the same has its turn, first come first served. It is this one's until dropped.
    pub(crate) async fn wait(&mut self, guards: &[Guard]) {
        let places: BTreeSet<usize> = guards.iter().map(place).collect();
        if places == self.places {
            return;
        }
        self.held.clear();
        // In the order of places, so that no two wait for each other.
        for place in &places {
            self.held.push(self.turns.0[*place].lock().await);
        }
        self.places = places;
    }
}

fn place(guard: &Guard) -> usize {
    let mut hasher = DefaultHasher::new();
    match guard {
        Guard::Key { key, .. } => (key.database, &key.name).hash(&mut hasher),
        Guard::Database { database, .. } => database.hash(&mut hasher),
    }
    usize::try_from(hasher.finish() % TURN_PLACES as u64).expect("there are few places")
}

#[cfg(test)]
mod tests {
    use domain::{Key, Serial};
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn whoever_relies_on_the_same_waits() {
        let turns = Turns::default();
        let guard = |name: &[u8]| Guard::Key { key: Key::new(0, name), as_of: Serial(1) };
        let (a, b) = ([guard(b"a")], [guard(b"a"), guard(b"b")]);
        let (mut first, mut second) = (Turn::new(&turns), Turn::new(&turns));
        assert!(first.wait(&a).now_or_never().is_some());
        assert!(first.wait(&a).now_or_never().is_some(), "it has it already");
        assert!(second.wait(&b).now_or_never().is_none());
        drop(first);
        assert!(second.wait(&b).now_or_never().is_some());
        let mut third = Turn::new(&turns);
        assert!(third.wait(&[guard(b"b")]).now_or_never().is_none());
    }
}
