//! Notices a client that takes the nodes for Redlock masters of their own.
//!
//! Such a client sets one random value under one key at each node. Here that is the same key: the first is granted, and the
//! others are refused because of it, so that it never has its majority. What gives it away is a refusal by the very value
//! that was asked for, granted a moment ago and never renewed. Somebody who repeats elsewhere what was not answered looks
//! the same, once; so it takes several of them, of different values and some time apart, before anything is said.
//!
//! It is a hint. Of many refusals few are looked at, each by a quorum round, and nobody waits for that.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use domain::{Action, Answer, Expiry, Key, SetCondition, Value};
use parking_lot::Mutex;

use crate::error::Failure;
use crate::group::{Group, Look};
use crate::limits::{
    REDLOCK_AGE_MAX, REDLOCK_HINT_INTERVAL, REDLOCK_LOOK_INTERVAL, REDLOCK_SIGHTINGS_MIN, REDLOCK_SPACING,
    REDLOCK_VALUE_BYTES_MIN, REDLOCK_WINDOW,
};
use crate::metrics::Count;
use crate::node::Node;
use crate::plan::View;

/// What a node has seen of such clients.
#[derive(Default)]
pub(crate) struct Redlock(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    /// The last look, and the last hint, by the monotonic clock.
    looked: Option<Duration>,
    hinted: Option<Duration>,
    /// When, and of which value; as many as are needed.
    sightings: VecDeque<(Duration, Arc<[u8]>)>,
}

/// A lock that somebody asks for.
struct Attempt {
    key: Key,
    value: Arc<[u8]>,
}

/// The locks that are asked for, each with the place of its action: `SET … NX` with an end and a value that looks random.
pub(crate) struct Attempts(Vec<(usize, Attempt)>);

impl Attempts {
    pub(crate) fn among(actions: &[Action]) -> Self {
        let attempt = |(place, action): (usize, &Action)| match action {
            Action::Set {
                key, value, condition: SetCondition::IfAbsent, expiry: Expiry::InMs(_), ..
            } if value.len() >= REDLOCK_VALUE_BYTES_MIN => {
                Some((place, Attempt { key: key.clone(), value: value.clone() }))
            }
            _ => None,
        };
        Self(actions.iter().enumerate().filter_map(attempt).collect())
    }

    /// Looks at one that was refused, unless there was a look a moment ago.
    pub(crate) fn look<G: Group>(self, results: &[Result<Answer, Failure>], group: &G, node: &Arc<Node>) {
        let is_refused =
            |place: usize| matches!(results.get(place), Some(Ok(Answer::Set { written: false, .. })));
        let Some((_, attempt)) = self.0.into_iter().find(|(place, _)| is_refused(*place)) else { return };
        if node.redlock.may_look((node.monotonic)()) {
            (node.spawn)(Box::pin(attempt.look(group.clone(), node.clone())));
        }
    }
}

impl Attempt {
    async fn look<G: Group>(self, group: G, node: Arc<Node>) {
        let Ok(reading) = group.read().await else { return };
        if !reading.look(|view| self.was_just_granted(view)) {
            return;
        }
        node.metrics.redlock_sightings.add(1);
        if node.redlock.note((node.monotonic)(), self.value) {
            tracing::warn!(
                "a client seems to use the nodes as Redlock masters: again and again its lock is refused here because of itself; \
                 they are one endpoint, give it one address"
            );
        }
    }

    fn was_just_granted(&self, view: &View<'_>) -> bool {
        view.state.get(&self.key).is_some_and(|entry| {
            let age = entry
                .ttl_ms
                .zip(entry.remaining_ms(view.clock))
                .map(|(whole, left)| whole.saturating_sub(left));
            let is_young = age.is_some_and(|age| Duration::from_millis(age) <= REDLOCK_AGE_MAX);
            let is_as_granted = entry.token.serial() == entry.revision;
            is_young && is_as_granted && matches!(&entry.value, Value::String(value) if *value == self.value)
        })
    }
}

impl Redlock {
    fn may_look(&self, now: Duration) -> bool {
        let mut seen = self.0.lock();
        let may = is_over(seen.looked, REDLOCK_LOOK_INTERVAL, now);
        if may {
            seen.looked = Some(now);
        }
        may
    }

    /// Notes a lock that was refused because of itself; whether it is time to say so.
    fn note(&self, now: Duration, value: Arc<[u8]>) -> bool {
        let seen = &mut *self.0.lock();
        seen.sightings.retain(|(at, _)| now.saturating_sub(*at) < REDLOCK_WINDOW);
        let last = seen.sightings.back().map(|(at, _)| *at);
        let is_known = seen.sightings.iter().any(|(_, before)| *before == value);
        if is_known || !is_over(last, REDLOCK_SPACING, now) {
            return false;
        }
        seen.sightings.push_back((now, value));
        if seen.sightings.len() > REDLOCK_SIGHTINGS_MIN {
            seen.sightings.pop_front();
        }
        let says =
            seen.sightings.len() >= REDLOCK_SIGHTINGS_MIN && is_over(seen.hinted, REDLOCK_HINT_INTERVAL, now);
        if says {
            seen.hinted = Some(now);
        }
        says
    }
}

/// Whether so much time has passed since the last one.
fn is_over(last: Option<Duration>, interval: Duration, now: Duration) -> bool {
    last.is_none_or(|last| now.saturating_sub(last) >= interval)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(number: usize) -> Arc<[u8]> {
        format!("{number:020}").into_bytes().into()
    }

    #[test]
    fn it_says_so_after_several_values_some_time_apart_and_then_not_for_long() {
        let redlock = Redlock::default();
        let mut now = Duration::from_secs(5);
        for number in 1..REDLOCK_SIGHTINGS_MIN {
            assert!(!redlock.note(now, value(number)));
            assert!(!redlock.note(now, value(100 + number)), "many at once are one");
            now += REDLOCK_SPACING;
            assert!(!redlock.note(now, value(number)), "the same again is none");
        }
        assert!(redlock.note(now, value(0)));
        for number in 1000..1000 + REDLOCK_SIGHTINGS_MIN {
            now += REDLOCK_SPACING;
            assert!(!redlock.note(now, value(number)), "it has just been said");
        }
        now += REDLOCK_HINT_INTERVAL;
        let says = (2000..2000 + REDLOCK_SIGHTINGS_MIN).map(|number| {
            now += REDLOCK_SPACING;
            redlock.note(now, value(number))
        });
        assert_eq!(says.filter(|says| *says).count(), 1, "what was long ago counts no more");
    }

    #[test]
    fn a_few_in_a_long_time_are_nothing() {
        let redlock = Redlock::default();
        let every = REDLOCK_WINDOW / (REDLOCK_SIGHTINGS_MIN as u32 - 1);
        assert!((0..100).all(|number| !redlock.note(every * number, value(number as usize))));
    }

    #[test]
    fn only_so_often_is_looked() {
        let redlock = Redlock::default();
        assert!(redlock.may_look(Duration::ZERO));
        assert!(!redlock.may_look(REDLOCK_LOOK_INTERVAL / 2));
        assert!(redlock.may_look(REDLOCK_LOOK_INTERVAL));
    }
}
