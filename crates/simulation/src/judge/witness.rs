//! Replays what the log itself tells: the serials in the answers are a witness of the order in which commands ran.
//!
//! Whether the witness agrees with time is for `order` to see. Of each key that was touched by the lease service alone,
//! and so is *witnessed*, the operations are replayed through the model in this order and each answer is compared. A
//! key that was touched over Redis too has operations without a place: there the order is left to the search.
//!
//! What has no serial is fitted in. A key that ends, and a command without an answer, take a serial that nobody else
//! is known to have, and only where real time allows. A token that was shown is the serial of its grant, so a command
//! without an answer whose grant was seen has its place after all. A refusal without a serial, or a look at a lease
//! by a repeated command, must fit at some moment between its call and its return.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::history::{Call, History, Operation, Outcome, Reply, serial_of_token};
use super::model::{State, Told};
use super::order;
use super::parts::{Part, parts};
use super::search::is_within;
use super::verdict::{Findings, Rule, Violation};

/// Steps of the model for one key after which the replay is given up and the key is counted as undecided.
pub const STEPS_MAX: u64 = 1_000_000;

/// Examines the order of all operations, and every witnessed key. `Findings::keys` counts the witnessed ones.
pub fn examine(history: &History) -> Findings {
    let mut findings = Findings::default();
    order::examine(history, &mut findings.violations);
    let taken = taken(history);
    for (key, places) in history.by_key() {
        if !places.iter().all(|place| is_witnessed(&history.operations[*place])) {
            continue;
        }
        findings.keys += 1;
        let parts = parts(&history.operations, &places);
        let mut replay = Replay::new(history, &places, &parts, &taken);
        match replay.run() {
            Ok(()) => {}
            Err(End::Undecided) => findings.undecided += 1,
            Err(End::Broken { rule, places, detail }) => {
                findings.violations.push(Violation::new(rule, history, key, &places, detail));
            }
        }
        findings.steps += replay.steps;
    }
    findings
}

/// Only errors of the lease service are without a serial.
fn is_witnessed(operation: &Operation) -> bool {
    let told = match &operation.outcome {
        Outcome::Refused { .. } | Outcome::Unknown => true,
        Outcome::Returned { reply: Reply::NotHeld(_) | Reply::Failed, .. } => true,
        Outcome::Returned { serial, .. } => serial.is_some(),
    };
    operation.call.is_of_leases() && told
}

/// Possible states that a violation tells.
const STATES_TOLD_MAX: usize = 4;

/// Serials of which it is known what they are: no key ended there, and no command without an answer ran.
fn taken(history: &History) -> Vec<u64> {
    let mut taken = BTreeSet::new();
    for operation in &history.operations {
        taken.extend(operation.serial().filter(|_| !operation.call.is_read()));
        taken.extend(operation.token_shown().map(|(token, _)| serial_of_token(token)));
    }
    taken.into_iter().collect()
}

enum End {
    Undecided,
    Broken { rule: Rule, places: Vec<usize>, detail: String },
}

/// What has a place in the log.
#[derive(Clone, Copy)]
enum Item<'a> {
    Part(usize),
    /// A token that was shown first by this operation; its grant was to a call without an answer.
    Grant {
        token: u64,
        holder: &'a str,
        shown_by: usize,
    },
}

/// Between two items: what may happen there.
#[derive(Clone, Copy)]
struct Gap {
    /// No later than the first return of what comes after …
    until_ns: u64,
    /// … nor earlier than the last call of what came before.
    since_ns: u64,
    /// Serials that nobody is known to have.
    room: u64,
}

#[derive(Clone)]
struct Configuration {
    state: State,
    /// Parts without a place that have been seen to fit and whose time is not over, in order.
    fitted: Vec<u32>,
    /// Parts without an answer that have run, in order.
    used: Vec<u32>,
    /// Hidden steps in this gap.
    hidden: u64,
}

/// What was used, and the hidden steps in this gap.
type Spent = (Vec<u32>, u64);

/// Configurations by state and what has fitted; of two such, one that has spent less of both is better.
#[derive(Default)]
struct Frontier {
    configurations: BTreeMap<(State, Vec<u32>), Vec<Spent>>,
}

struct Replay<'a> {
    parts: &'a [Part<'a>],
    /// By serial, a write before the reads that saw it.
    items: Vec<(u64, Item<'a>)>,
    gaps: Vec<Gap>,
    /// Parts that must fit somewhere.
    placeless: Vec<usize>,
    /// Parts that may have run.
    perhaps: Vec<usize>,
    /// Which token was shown of the grant at a serial.
    tokens: BTreeMap<u64, u64>,
    frontier: Frontier,
    steps: u64,
}

impl<'a> Replay<'a> {
    fn new(history: &'a History, places: &[usize], parts: &'a [Part<'a>], taken: &[u64]) -> Self {
        let placed = |part: &Part<'_>| part.must() && part.serial.is_some();
        let mut items: Vec<(u64, Item<'a>)> = Vec::new();
        for (number, part) in parts.iter().enumerate().filter(|(_, part)| placed(part)) {
            items.push((part.serial.unwrap_or_default(), Item::Part(number)));
        }
        let own: BTreeSet<u64> =
            parts.iter().filter(|part| !part.call.is_read()).filter_map(|part| part.serial).collect();
        let mut tokens = BTreeMap::new();
        for place in places {
            let Some((token, holder)) = history.operations[*place].token_shown() else { continue };
            let serial = serial_of_token(token);
            if tokens.insert(serial, token).is_none() && !own.contains(&serial) {
                items.push((serial, Item::Grant { token, holder, shown_by: *place }));
            }
        }
        items.sort_by_key(|(serial, item)| match item {
            Item::Part(part) => (*serial, parts[*part].call.is_read(), parts[*part].invoked_ns),
            Item::Grant { .. } => (*serial, false, 0),
        });
        let gaps = gaps(parts, &items, taken);
        let with = |choose: &dyn Fn(&Part<'_>) -> bool| {
            (0..parts.len()).filter(|part| choose(&parts[*part])).collect::<Vec<_>>()
        };
        let placeless = with(&|part| part.must() && part.serial.is_none());
        let perhaps = with(&|part| !part.must());
        let mut frontier = Frontier::default();
        frontier.insert(Configuration {
            state: State::default(),
            fitted: Vec::new(),
            used: Vec::new(),
            hidden: 0,
        });
        Self { parts, items, gaps, placeless, perhaps, tokens, frontier, steps: 0 }
    }

    fn run(&mut self) -> Result<(), End> {
        for number in 0..self.items.len() {
            let (_, item) = self.items[number];
            self.cross(self.gaps[number])?;
            // What returned before this began must have fitted by now.
            self.close(self.gaps[number + 1].since_ns)?;
            self.place(item, self.gaps[number])?;
        }
        self.cross(self.gaps[self.items.len()])?;
        self.close(u64::MAX)
    }

    /// Whatever may happen in the gap, and may be looked at there.
    fn cross(&mut self, gap: Gap) -> Result<(), End> {
        let mut seen = Frontier::default();
        let mut queue: VecDeque<Configuration> = VecDeque::new();
        for mut configuration in std::mem::take(&mut self.frontier).into_configurations() {
            configuration.hidden = 0;
            self.fit(&mut configuration, gap)?;
            if seen.insert(configuration.clone()) {
                queue.push_back(configuration);
            }
        }
        while let Some(from) = queue.pop_front() {
            if from.hidden >= gap.room {
                continue;
            }
            for mut next in self.hidden(&from, gap)? {
                self.fit(&mut next, gap)?;
                if seen.insert(next.clone()) {
                    queue.push_back(next);
                }
            }
        }
        self.frontier = seen;
        Ok(())
    }

    /// The key ends, or a command without an answer runs.
    fn hidden(&mut self, from: &Configuration, gap: Gap) -> Result<Vec<Configuration>, End> {
        let mut found = Vec::new();
        let mut add = |state, used| {
            found.push(Configuration { state, used, fitted: from.fitted.clone(), hidden: from.hidden + 1 });
        };
        if from.state.earliest_end_ns().is_some_and(|end_ns| end_ns <= gap.until_ns) {
            add(from.state.ended(), from.used.clone());
        }
        for (part, used) in self.choices(from, gap) {
            if let Some(state) = self.step(part, &from.state)?.filter(|state| *state != from.state) {
                add(state, used);
            }
        }
        Ok(found)
    }

    /// Parts that may run here, each with what is used then.
    fn choices(&self, from: &Configuration, gap: Gap) -> Vec<(usize, Vec<u32>)> {
        let mut found = Vec::new();
        let mut tried: Vec<&Call> = Vec::new();
        for part in &self.perhaps {
            let own = &self.parts[*part];
            let over = own.returned_ns.is_some_and(|at_ns| at_ns < gap.since_ns);
            let Err(place) = from.used.binary_search(&name(*part)) else { continue };
            if own.invoked_ns > gap.until_ns || over {
                continue;
            }
            if own.returned_ns.is_none() {
                // Of equal calls the earliest will do: had another run first, they could have changed their places.
                if tried.contains(&own.call) {
                    continue;
                }
                tried.push(own.call);
            }
            let mut used = from.used.clone();
            used.insert(place, name(*part));
            found.push((*part, used));
        }
        found
    }

    fn fit(&mut self, configuration: &mut Configuration, gap: Gap) -> Result<(), End> {
        let Configuration { state, used, .. } = configuration;
        // What can never do anything again need not be remembered.
        used.retain(|part| !state.is_past(self.parts[*part as usize].call));
        for number in 0..self.placeless.len() {
            let part = self.placeless[number];
            let Part { invoked_ns, returned_ns, .. } = self.parts[part];
            let in_time = invoked_ns <= gap.until_ns && returned_ns.is_none_or(|at_ns| at_ns >= gap.since_ns);
            let Err(place) = configuration.fitted.binary_search(&name(part)) else { continue };
            if in_time && self.step(part, &configuration.state)?.is_some_and(|s| s == configuration.state) {
                configuration.fitted.insert(place, name(part));
            }
        }
        Ok(())
    }

    /// Drops configurations in which something has not fitted that was over before `since_ns`.
    fn close(&mut self, since_ns: u64) -> Result<(), End> {
        let parts = self.parts;
        let is_over = |part: &usize| parts[*part].returned_ns.is_some_and(|at_ns| at_ns < since_ns);
        let over: Vec<usize> = self.placeless.iter().copied().filter(|part| is_over(part)).collect();
        if over.is_empty() {
            return Ok(());
        }
        self.placeless.retain(|part| !is_over(part));
        let before = std::mem::take(&mut self.frontier);
        let states = before.states();
        let mut missing = over[0];
        for mut configuration in before.into_configurations() {
            match over.iter().find(|part| configuration.fitted.binary_search(&name(**part)).is_err()) {
                Some(part) => missing = *part,
                None => {
                    configuration.fitted.retain(|part| !over.iter().any(|over| name(*over) == *part));
                    self.frontier.insert(configuration);
                }
            }
        }
        if self.frontier.is_empty() {
            let detail =
                format!("at no moment between call and return; at the end of it the key is {states}");
            return Err(broken(Rule::FitsNowhere, vec![parts[missing].operation], detail));
        }
        Ok(())
    }

    fn place(&mut self, item: Item<'a>, gap: Gap) -> Result<(), End> {
        let before = std::mem::take(&mut self.frontier);
        let states = before.states();
        for from in before.into_configurations() {
            match item {
                Item::Part(part) => {
                    let Some(mut state) = self.step(part, &from.state)? else { continue };
                    let Part { serial, call, .. } = self.parts[part];
                    let token = serial.and_then(|serial| self.tokens.get(&serial));
                    if let (Call::Acquire { .. }, Some(token)) = (call, token) {
                        // A repetition does not tell what it was granted; others have seen it.
                        let _ = state.is_untold() && state.learn(*token);
                    }
                    self.frontier.insert(Configuration { state, ..from });
                }
                Item::Grant { token, holder, .. } => {
                    for (part, used) in self.choices(&from, gap) {
                        let Part { call, invoked_ns, .. } = self.parts[part];
                        if !matches!(call, Call::Acquire { holder: asked, .. } if asked == holder) {
                            continue;
                        }
                        self.count()?;
                        if let Some(state) = from.state.step(call, invoked_ns, Told::Granted { token }) {
                            self.frontier.insert(Configuration { state, used, ..from.clone() });
                        }
                    }
                }
            }
        }
        if !self.frontier.is_empty() {
            return Ok(());
        }
        Err(match item {
            Item::Part(part) => {
                let detail = format!("in the order of the log the key is {states} before it");
                broken(Rule::WrongAnswer, vec![self.parts[part].operation], detail)
            }
            Item::Grant { token, holder, shown_by } => {
                let detail = format!(
                    "no call without an answer can have been granted token {token} for {holder}; the key was \
                     {states}"
                );
                broken(Rule::GrantUnasked, vec![shown_by], detail)
            }
        })
    }

    fn step(&mut self, part: usize, state: &State) -> Result<Option<State>, End> {
        self.count()?;
        let part = &self.parts[part];
        // Every token that was shown has its grant's place, so an untold one is one that nobody saw.
        let shows = match part.told {
            Told::Nothing => false,
            Told::Granted { .. } => matches!(part.call, Call::Renew { .. }),
            Told::Answered { reply, .. } | Told::Looked { reply, .. } => match reply {
                Reply::Acquired(_) => matches!(part.told, Told::Looked { .. }),
                reply => *reply == Reply::Released || reply.lease().is_some(),
            },
        };
        Ok(if shows && state.is_untold() { None } else { part.step(state) })
    }

    fn count(&mut self) -> Result<(), End> {
        self.steps += 1;
        if self.steps > STEPS_MAX { Err(End::Undecided) } else { Ok(()) }
    }
}

fn broken(rule: Rule, places: Vec<usize>, detail: String) -> End {
    End::Broken { rule, places, detail }
}

fn name(part: usize) -> u32 {
    u32::try_from(part).expect("a history has fewer than 2^32 operations")
}

/// One before each item, and one after the last.
fn gaps(parts: &[Part<'_>], items: &[(u64, Item<'_>)], taken: &[u64]) -> Vec<Gap> {
    let times = |item: &Item<'_>| match item {
        Item::Part(part) => (parts[*part].invoked_ns, parts[*part].returned_ns.unwrap_or(u64::MAX)),
        Item::Grant { .. } => (0, u64::MAX),
    };
    let mut gaps = vec![Gap { until_ns: u64::MAX, since_ns: 0, room: u64::MAX }; items.len() + 1];
    let (mut since_ns, mut serial_before) = (0, 0);
    for (number, (serial, item)) in items.iter().enumerate() {
        let known = taken.partition_point(|known| known <= serial)
            - taken.partition_point(|known| *known <= serial_before);
        gaps[number].room = (serial - serial_before).saturating_sub(known as u64);
        serial_before = *serial;
        gaps[number].since_ns = since_ns;
        since_ns = since_ns.max(times(item).0);
    }
    gaps[items.len()].since_ns = since_ns;
    let mut until_ns = u64::MAX;
    for (number, (_, item)) in items.iter().enumerate().rev() {
        until_ns = until_ns.min(times(item).1);
        gaps[number].until_ns = until_ns;
    }
    gaps
}

impl Frontier {
    /// `false` if what is there is at least as good.
    fn insert(&mut self, configuration: Configuration) -> bool {
        let Configuration { state, fitted, used, hidden } = configuration;
        let all = match self.configurations.entry((state, fitted)) {
            Entry::Vacant(vacant) => vacant.insert(Vec::new()),
            Entry::Occupied(occupied) => occupied.into_mut(),
        };
        if all.iter().any(|(others, depth)| *depth <= hidden && is_within(others, &used)) {
            return false;
        }
        all.retain(|(others, depth)| !(hidden <= *depth && is_within(&used, others)));
        all.push((used, hidden));
        true
    }

    fn is_empty(&self) -> bool {
        self.configurations.is_empty()
    }

    fn into_configurations(self) -> impl Iterator<Item = Configuration> {
        self.configurations.into_iter().flat_map(|((state, fitted), all)| {
            all.into_iter().map(move |(used, hidden)| Configuration {
                state: state.clone(),
                fitted: fitted.clone(),
                used,
                hidden,
            })
        })
    }

    fn states(&self) -> String {
        let states: BTreeSet<String> =
            self.configurations.keys().map(|(state, _)| format!("[{state}]")).collect();
        states.into_iter().take(STATES_TOLD_MAX).collect::<Vec<_>>().join(" or ")
    }
}
