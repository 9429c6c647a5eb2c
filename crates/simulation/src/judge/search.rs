//! Looks for a linearization of each key, from the times at which calls began and returned alone.
//!
//! After Wing and Gong, as Lowe does it ("Testing for linearizability", 2017): just in time, with memoisation. The
//! events of a key are taken in the order of real time. What is carried from one to the next is every configuration
//! that can be reached: a state of the model, which of the operations in flight have been done, and which of those
//! without an answer were used. When an operation returns, it must have been done: from each configuration all
//! orders of the others in flight are tried until it is, and configurations in which it cannot be done are dropped.
//! None left: there is no linearization. So where nothing is in flight, what is carried over the cut is the set of
//! possible states and no more, and work and memory are bounded by what overlaps, not by the length of a history.
//!
//! Nothing is done earlier than needed. That is no loss: whatever could be done at some moment can be done just before
//! the first return that needs it, and keys only become freer to end as time passes. The exception are operations
//! that can change nothing; those are done as soon as they fit.
//!
//! This file must not use serials or indices: that is the other checker's witness.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::history::{Call, History};
use super::model::State;
use super::parts::{Duty, Part, parts};
use super::verdict::{Findings, Rule, Violation};

/// Steps of the model for one key after which the search is given up and the key is counted as undecided. A key of
/// 250 operations by eight clients takes some thousands.
pub const STEPS_MAX: u64 = 1_000_000;

/// Parts of operations of one key that may be in flight at a time: the bits of a word.
const SLOTS: usize = 64;

/// Possible states that a violation tells.
const STATES_TOLD_MAX: usize = 4;

/// Examines every key.
pub fn examine(history: &History) -> Findings {
    examine_within(history, STEPS_MAX)
}

/// Examines every key with at most `steps_max` steps for each.
pub fn examine_within(history: &History, steps_max: u64) -> Findings {
    let mut findings = Findings::default();
    for (key, places) in history.by_key() {
        let parts = parts(&history.operations, &places);
        let mut search = Search::new(&parts, steps_max);
        findings.keys += 1;
        match search.run() {
            Ok(()) => {}
            Err(End::Undecided) => findings.undecided += 1,
            Err(End::Stuck { part, states }) => {
                let place = parts[part].operation;
                let detail = format!("it fits nowhere; before it the key is {states}");
                findings.violations.push(Violation::new(
                    Rule::NotLinearizable,
                    history,
                    key,
                    &[place],
                    detail,
                ));
            }
        }
        findings.steps += search.steps;
    }
    findings
}

enum End {
    Undecided,
    /// This part can be done in no configuration.
    Stuck {
        part: usize,
        states: String,
    },
}

/// Without answer and used, by part, in order.
type Used = Vec<u32>;

/// Configurations; of two that differ only in what was used, the one that used more is no longer of use.
#[derive(Default)]
struct Frontier {
    configurations: BTreeMap<(State, u64), Vec<Used>>,
}

struct Configuration {
    state: State,
    /// The slots whose part is done.
    done: u64,
    used: Used,
}

struct Search<'a> {
    parts: &'a [Part<'a>],
    /// Which part is in flight where.
    slots: [Option<usize>; SLOTS],
    /// Parts without an end, in the order of their invocations.
    open: Vec<usize>,
    frontier: Frontier,
    steps: u64,
    steps_max: u64,
}

impl<'a> Search<'a> {
    fn new(parts: &'a [Part<'a>], steps_max: u64) -> Self {
        let mut frontier = Frontier::default();
        frontier.insert(Configuration { state: State::default(), done: 0, used: Vec::new() });
        Self { parts, slots: [None; SLOTS], open: Vec::new(), frontier, steps: 0, steps_max }
    }

    fn run(&mut self) -> Result<(), End> {
        for event in events(self.parts) {
            match event {
                Event::Invoked(part) => self.invoke(part)?,
                Event::Returned { at_ns, first, last } => self.finish(at_ns, first, last)?,
            }
        }
        Ok(())
    }

    fn invoke(&mut self, part: usize) -> Result<(), End> {
        if self.parts[part].returned_ns.is_none() {
            self.open.push(part);
            return Ok(());
        }
        let slot = self.slots.iter().position(Option::is_none).ok_or(End::Undecided)?;
        self.slots[slot] = Some(part);
        if self.parts[part].only_looks {
            for mut configuration in std::mem::take(&mut self.frontier).into_configurations() {
                self.settle(&mut configuration)?;
                self.frontier.insert(configuration);
            }
        }
        Ok(())
    }

    /// The operation of the parts `first ..= last` returned: whatever remains has done those that must be.
    fn finish(&mut self, at_ns: u64, first: usize, last: usize) -> Result<(), End> {
        let of_operation = |part: &Option<usize>| part.is_some_and(|part| (first..=last).contains(&part));
        let (mut all, mut needed) = (0_u64, 0_u64);
        for (slot, part) in self.slots.iter().enumerate().filter(|(_, part)| of_operation(part)) {
            all |= 1 << slot;
            needed |= if part.is_some_and(|part| self.parts[part].must()) { 1 << slot } else { 0 };
        }
        let before = std::mem::take(&mut self.frontier);
        let states = before.states();
        let mut reached = Frontier::default();
        let mut queue: VecDeque<Configuration> = before.into_configurations().collect();
        let mut seen = Frontier::default();
        while let Some(configuration) = queue.pop_front() {
            if configuration.done & needed == needed {
                reached.insert(Configuration { done: configuration.done & !all, ..configuration });
                continue;
            }
            for next in self.successors(&configuration, at_ns)? {
                if seen.insert_clone(&next) {
                    queue.push_back(next);
                }
            }
        }
        for slot in self.slots.iter_mut().filter(|part| of_operation(part)) {
            *slot = None;
        }
        self.frontier = reached;
        if self.frontier.is_empty() { Err(End::Stuck { part: last, states }) } else { Ok(()) }
    }

    /// One more thing happens, no later than `at_ns`.
    fn successors(&mut self, from: &Configuration, at_ns: u64) -> Result<Vec<Configuration>, End> {
        let mut found = Vec::new();
        if from.state.earliest_end_ns().is_some_and(|end_ns| end_ns <= at_ns) {
            found.push(Configuration { state: from.state.ended(), done: from.done, used: from.used.clone() });
        }
        for slot in 0..SLOTS {
            let Some(part) = self.slots[slot].filter(|part| self.may_do(*part, from.done, slot)) else {
                continue;
            };
            let Some(state) = self.step(part, &from.state)? else { continue };
            if self.parts[part].must() || state != from.state {
                found.push(Configuration { state, done: from.done | 1 << slot, used: from.used.clone() });
            }
        }
        let mut tried: Vec<&Call> = Vec::new();
        for number in 0..self.open.len() {
            let part = self.open[number];
            let call = self.parts[part].call;
            let Err(place) = from.used.binary_search(&name(part)) else { continue };
            // Of equal calls the earliest will do: had another run first, they could have changed their places.
            if tried.contains(&call) {
                continue;
            }
            tried.push(call);
            // What changes nothing is as good as never done.
            let Some(state) = self.step(part, &from.state)?.filter(|state| *state != from.state) else {
                continue;
            };
            let mut used = from.used.clone();
            used.insert(place, name(part));
            found.push(Configuration { state, done: from.done, used });
        }
        for configuration in &mut found {
            self.settle(configuration)?;
        }
        Ok(found)
    }

    /// Does everything in flight that fits and can change nothing.
    fn settle(&mut self, configuration: &mut Configuration) -> Result<(), End> {
        let Configuration { state, used, .. } = configuration;
        // What can never do anything again need not be remembered.
        used.retain(|part| !state.is_past(self.parts[*part as usize].call));
        for slot in 0..SLOTS {
            let Some(part) = self.slots[slot] else { continue };
            if !self.parts[part].only_looks || !self.may_do(part, configuration.done, slot) {
                continue;
            }
            // An answer that tells a token for the first time narrows the state: that is a choice to be made.
            if self.step(part, &configuration.state)?.is_some_and(|state| state == configuration.state) {
                configuration.done |= 1 << slot;
            }
        }
        Ok(())
    }

    fn may_do(&self, part: usize, done: u64, slot: usize) -> bool {
        let is_done = |part: usize| {
            let slot = self.slots.iter().position(|other| *other == Some(part));
            slot.is_some_and(|slot| done & 1 << slot != 0)
        };
        let part = &self.parts[part];
        let after = part.follows.is_none_or(|before| !self.parts[before].must() || is_done(before));
        done & 1 << slot == 0 && after
    }

    fn step(&mut self, part: usize, state: &State) -> Result<Option<State>, End> {
        self.steps += 1;
        if self.steps > self.steps_max {
            return Err(End::Undecided);
        }
        Ok(self.parts[part].step(state))
    }
}

impl Frontier {
    /// `false` if what is there is at least as good.
    fn insert(&mut self, configuration: Configuration) -> bool {
        let Configuration { state, done, used } = configuration;
        match self.configurations.entry((state, done)) {
            Entry::Vacant(vacant) => {
                vacant.insert(vec![used]);
                true
            }
            Entry::Occupied(mut occupied) => {
                let present = occupied.get_mut();
                if present.iter().any(|other| is_within(other, &used)) {
                    return false;
                }
                present.retain(|other| !is_within(&used, other));
                present.push(used);
                true
            }
        }
    }

    fn insert_clone(&mut self, configuration: &Configuration) -> bool {
        let Configuration { state, done, used } = configuration;
        self.insert(Configuration { state: state.clone(), done: *done, used: used.clone() })
    }

    fn is_empty(&self) -> bool {
        self.configurations.is_empty()
    }

    fn into_configurations(self) -> impl Iterator<Item = Configuration> {
        self.configurations.into_iter().flat_map(|((state, done), all)| {
            all.into_iter().map(move |used| Configuration { state: state.clone(), done, used })
        })
    }

    fn states(&self) -> String {
        let states: BTreeSet<&State> = self.configurations.keys().map(|(state, _)| state).collect();
        let mut told: Vec<String> =
            states.iter().take(STATES_TOLD_MAX).map(|state| format!("[{state}]")).collect();
        if states.len() > STATES_TOLD_MAX {
            told.push("…".to_owned());
        }
        told.join(" or ")
    }
}

/// Whether all of `some` are in `others`; both are in order.
pub(crate) fn is_within(some: &[u32], others: &[u32]) -> bool {
    some.len() <= others.len() && some.iter().all(|one| others.binary_search(one).is_ok())
}

fn name(part: usize) -> u32 {
    u32::try_from(part).expect("a history has fewer than 2^32 operations")
}

enum Event {
    Invoked(usize),
    /// The parts `first ..= last` are one operation.
    Returned {
        at_ns: u64,
        first: usize,
        last: usize,
    },
}

/// At one instant what begins comes before what returns: such operations overlap.
fn events(parts: &[Part<'_>]) -> Vec<Event> {
    let mut events = Vec::with_capacity(2 * parts.len());
    for (number, part) in parts.iter().enumerate() {
        events.push((part.invoked_ns, false, Event::Invoked(number)));
        let last = parts.get(number + 1).is_none_or(|next| next.operation != part.operation);
        if let Some(at_ns) = part.returned_ns
            && last
        {
            let first = part.follows.unwrap_or(number);
            assert!(part.duty == Duty::Must, "an operation with an answer ends in what it was answered");
            events.push((at_ns, true, Event::Returned { at_ns, first, last: number }));
        }
    }
    events.sort_by_key(|(at_ns, returned, _)| (*at_ns, *returned));
    events.into_iter().map(|(_, _, event)| event).collect()
}
