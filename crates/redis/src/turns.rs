//! Taking turns: those who have got into each other's way once wait for each other at this node, instead of running for
//! nothing again and again. It is a matter of speed alone: what is right is decided by the log.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::pin;

use domain::Guard;
use futures_util::future::{self, Either};
use tokio::sync::{Mutex, MutexGuard};

use crate::limits::{TURN_PLACES, TURN_WAIT_MAX};
use crate::server::Sleep;

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

    /// Waits until no other that relies on the same has its turn, in the order in which they came here. It is this one's
    /// until dropped. Whoever waits too long goes on without: one who has it may itself wait for a leader.
    pub(crate) async fn wait(&mut self, guards: &[Guard], sleep: &Sleep) {
        let places: BTreeSet<usize> = guards.iter().map(place).collect();
        if places == self.places {
            return;
        }
        self.held.clear();
        self.places.clear();
        if let Some(held) = line_up(self.turns, &places, sleep).await {
            self.held = held;
            self.places = places;
        }
    }
}

/// In the order of places, so that no two wait for each other. `None`: it took too long.
async fn line_up<'t>(
    turns: &'t Turns,
    places: &BTreeSet<usize>,
    sleep: &Sleep,
) -> Option<Vec<MutexGuard<'t, ()>>> {
    let line = async {
        let mut held = Vec::new();
        for place in places {
            held.push(turns.0[*place].lock().await);
        }
        held
    };
    match future::select(pin!(line), sleep(TURN_WAIT_MAX)).await {
        Either::Left((held, _)) => Some(held),
        Either::Right(_) => None,
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
    use std::sync::Arc;

    use domain::{Key, Serial};
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn whoever_relies_on_the_same_waits() {
        let turns = Turns::default();
        let for_ever: Sleep = Arc::new(|_| future::pending().boxed());
        let guard = |name: &[u8]| Guard::Key { key: Key::new(0, name), as_of: Serial(1) };
        let (a, b) = ([guard(b"a")], [guard(b"a"), guard(b"b")]);
        let (mut first, mut second) = (Turn::new(&turns), Turn::new(&turns));
        assert!(first.wait(&a, &for_ever).now_or_never().is_some());
        assert!(first.wait(&a, &for_ever).now_or_never().is_some(), "it has it already");
        assert!(second.wait(&b, &for_ever).now_or_never().is_none());
        drop(first);
        assert!(second.wait(&b, &for_ever).now_or_never().is_some());
        let mut third = Turn::new(&turns);
        assert!(third.wait(&[guard(b"b")], &for_ever).now_or_never().is_none());
    }

    #[test]
    fn whoever_waits_too_long_goes_on() {
        let turns = Turns::default();
        let at_once: Sleep = Arc::new(|_| future::ready(()).boxed());
        let guards = [Guard::Key { key: Key::new(0, *b"a"), as_of: Serial(1) }];
        let (mut first, mut second) = (Turn::new(&turns), Turn::new(&turns));
        assert!(first.wait(&guards, &at_once).now_or_never().is_some());
        assert!(second.wait(&guards, &at_once).now_or_never().is_some());
        assert_eq!((first.held.len(), second.held.len()), (1, 0));
    }
}
