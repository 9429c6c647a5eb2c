//! What holds for every log: random commands, random times, two states side by side.

use std::collections::{BTreeMap, BTreeSet};

use domain::limits::{CLIENT_OUTCOME_MS, ELEMENT_BYTES, INNER_ANSWER_BYTES, OUTCOME_BYTES, VALUE_BYTES_MAX};
use domain::{
    Action, Alteration, Answer, Command, Entry, Epoch, Expiry, Guard, Image, Key, KeyCounts, Kind, Lease,
    LogTime, Once, Outcome, Position, Refusal, RequestId, Scratch, Serial, Stamp, State, Token, Value,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::log::{Step, Time, Valid, action, steps};

/// Two states that apply the same log, and what is remembered of it to judge them by.
struct Run {
    state: State,
    twin: State,
    at: Position,
    /// The greatest token that each key ever had.
    tokens: BTreeMap<Key, Token>,
    /// When something last happened to each key.
    changed: BTreeMap<Key, Serial>,
    /// The last command under each id.
    last: BTreeMap<RequestId, Once>,
    /// Under which id and `valid_until` a command ran.
    ran: BTreeSet<(RequestId, LogTime)>,
}

impl Run {
    fn new() -> Self {
        let at = Position { index: 1, offset: 0, term: 3, stamp: None };
        Self {
            state: State::default(),
            twin: State::default(),
            at,
            tokens: BTreeMap::new(),
            changed: BTreeMap::new(),
            last: BTreeMap::new(),
            ran: BTreeSet::new(),
        }
    }

    fn step(&mut self, step: Step) {
        self.at = self.place(step.time);
        let command = self.command(step);
        let before = self.state.image();
        let digest_before = self.state.digest();
        let expected = self.on_a_scratch(&command);
        let outcome = self.state.apply(self.at, command.clone());

        let twin_outcome = self.twin.apply(self.at, command.clone());
        assert_eq!(outcome, twin_outcome);
        assert_eq!(self.state.digest(), self.twin.digest());
        assert_ne!(self.state.digest(), digest_before, "the serial alone makes it another state");

        self.time_and_serial(&before, &outcome);
        self.ends();
        self.tokens(&before, &outcome);
        self.nothing_but_what_was_done(&before, &outcome);
        self.once(&command, &outcome);
        self.lease(&before, &command, &outcome);
        self.values(&before, &command, &outcome);
        self.counts();
        self.guards(&before, &command, &outcome);
        if let Some(expected) = expected {
            self.scratch(&command, &outcome, &expected);
        }
    }

    fn place(&self, time: Time) -> Position {
        let Position { index, offset, term, stamp } = self.at;
        let now_ns = self.state.now().as_ns();
        let stamp = match time {
            Time::SameEntry => return Position { index, offset: offset + 1, term, stamp },
            Time::After(ms) => Some(Stamp { term, time: LogTime::from_ns(now_ns).plus_ms(ms) }),
            Time::Before(ms) => {
                Some(Stamp { term, time: LogTime::from_ns(now_ns.saturating_sub(ms * 1_000_000)) })
            }
            Time::Stale => Some(Stamp { term: term - 1, time: LogTime::from_ns(now_ns).plus_ms(60_000) }),
            Time::Unstamped => None,
        };
        Position { index: index + 1, offset: 0, term, stamp }
    }

    fn command(&mut self, step: Step) -> Command {
        let Step { token_of_holder, once, mut action, .. } = step;
        if let Action::Renew { key, token, .. } | Action::Release { key, token, .. } = &mut action
            && token_of_holder
        {
            *token = self.state.get(key).map(|entry| entry.token);
        }
        let now = self.state.now();
        let once = once.map(|(id, valid)| match (valid, self.last.get(&id)) {
            (Valid::Copy, Some(last)) => *last,
            (Valid::Copy, None) => Once { id, valid_until: now.plus_ms(10_000) },
            (Valid::ForMs(ms), _) => Once { id, valid_until: now.plus_ms(ms) },
            (Valid::UntilBefore, _) => Once { id, valid_until: LogTime::ZERO },
        });
        if let Some(once) = once {
            self.last.insert(once.id, once);
        }
        Command { once, action }
    }

    /// Time moves by a stamp of the right term and never back; each end and each command takes a serial.
    fn time_and_serial(&self, before: &Image, outcome: &Outcome) {
        let expected = match self.at.stamp {
            Some(Stamp { term, time }) if term == self.at.term => before.now.max(time),
            _ => before.now,
        };
        let state = &self.state;
        assert_eq!(state.now(), expected);
        let ended =
            before.keys.iter().filter(|(_, entry)| entry.end.is_some_and(|end| end <= expected)).count();
        assert_eq!(state.serial().0, before.serial.0 + ended as u64 + outcome.serials());
        assert!(outcome.repeated || outcome.made.serial.0 + outcome.serials() == state.serial().0 + 1);
        assert!(outcome.made.serial <= state.serial());
    }

    /// No key outlives its end, and the next end is the least.
    fn ends(&self) {
        let ends: Vec<LogTime> = self.state.keys().filter_map(|(_, entry)| entry.end).collect();
        assert!(ends.iter().all(|end| *end > self.state.now()));
        assert_eq!(self.state.next_end(), ends.iter().min().copied());
        assert_eq!(self.state.ending_count(), ends.len());
        assert_eq!(self.state.key_count(), self.state.keys().count());
    }

    /// A key keeps its token while it keeps its value; any other token is greater than all it ever had, and is
    /// that of the command, or of an action in it.
    fn tokens(&mut self, before: &Image, outcome: &Outcome) {
        for (key, entry) in self.state.keys() {
            let was = find(before, key);
            let kept = was.is_some_and(|was| was.token == entry.token);
            if kept {
                assert_eq!(was.map(|was| &was.value), Some(&entry.value), "a new holder under an old token");
            } else {
                assert!(!outcome.repeated);
                let Serial(first) = outcome.made.serial;
                let mut serials = first..first + outcome.serials();
                assert!(serials.any(|serial| entry.token == Token::new(before.epoch, Serial(serial))));
                assert!(self.tokens.get(key).is_none_or(|greatest| *greatest < entry.token));
                self.tokens.insert(key.clone(), entry.token);
            }
        }
    }

    /// What is refused or repeated changes nothing but time, the serial, and what is remembered.
    fn nothing_but_what_was_done(&self, before: &Image, Outcome { repeated, answer, .. }: &Outcome) {
        if *repeated || matches!(answer, Answer::Refused(_)) {
            let after = self.state.image();
            let mut expected = before.clone();
            expected.now = after.now;
            expected.serial = after.serial;
            expected.keys.retain(|(_, entry)| entry.end.is_none_or(|end| end > after.now));
            expected.outcomes.clone_from(&after.outcomes);
            // What ended by itself leaves them.
            expected.traces.clone_from(&after.traces);
            assert_eq!(after, expected);
        }
    }

    /// No two copies of a command run, and what ran is remembered.
    fn once(&mut self, command: &Command, Outcome { made, repeated, answer }: &Outcome) {
        let Some(Once { id, valid_until }) = command.once else {
            assert!(!repeated);
            return;
        };
        let ran = !repeated && !matches!(answer, Answer::Refused(Refusal::Late | Refusal::StaleStamp));
        let image = self.state.image();
        let remembered = image.outcomes.iter().find(|(known, _)| *known == id).map(|(_, row)| row);
        if ran {
            assert!(self.ran.insert((id, valid_until)), "two copies of {id:?} ran");
            let remembered = remembered.expect("it ran");
            assert_eq!((&remembered.made, &remembered.answer), (made, answer));
            let least = match id {
                RequestId::Client(_) => self.state.now().plus_ms(CLIENT_OUTCOME_MS),
                RequestId::Node { .. } => valid_until,
            };
            assert!(remembered.until >= least.max(valid_until));
        }
        if *repeated {
            assert_eq!(remembered.map(|row| row.made), Some(*made));
        }
    }

    /// A lease is granted only if it was free or is taken over by its holder, and for the time asked for.
    fn lease(&self, before: &Image, command: &Command, outcome: &Outcome) {
        let now = self.state.now();
        let (key, holder) = match (&command.action, &outcome.answer) {
            (
                Action::Acquire { key, holder, .. } | Action::Renew { key, holder, .. },
                Answer::Lease { granted: true, .. },
            ) => (key, holder),
            _ => return,
        };
        let entry = self.state.get(key).expect("it was granted");
        // A repetition may come with other words than the command that ran.
        if outcome.repeated {
            return;
        }
        let living = find(before, key).filter(|entry| entry.end.is_none_or(|end| end > now));
        assert_eq!(entry.value.string(), Ok(holder));
        match &command.action {
            Action::Acquire { ttl_ms, take_over, .. } => {
                assert!(living.is_none_or(|was| *take_over && was.value == holder.clone().into()));
                assert_eq!(entry.end, Some(now.plus_ms(*ttl_ms)));
            }
            Action::Renew { token, .. } => {
                let was = living.expect("nothing else is renewed");
                assert_eq!((was.value.string(), was.token), (Ok(holder), entry.token));
                assert!(token.is_none_or(|token| token == was.token));
            }
            _ => unreachable!("matched above"),
        }
    }

    /// Nothing that has elements has none, or more than it may; what is done to elements of one kind is refused on every
    /// other; and no end moves.
    fn values(&self, before: &Image, command: &Command, outcome: &Outcome) {
        for (key, entry) in self.state.keys() {
            let bytes = value_bytes(&entry.value);
            assert!(bytes <= VALUE_BYTES_MAX);
            assert!(bytes > 0 || entry.value.kind() == Kind::String, "{key:?} is empty");
            if let Value::SortedSet(set) = &entry.value {
                assert!(set.ranked().is_sorted_by(|a, b| a < b), "{key:?} is out of order");
                let places = set.ranked().iter().map(|(_, member)| set.rank(member));
                assert!(places.eq((0..set.ranked().len()).map(Some)), "{key:?} is not found by its members");
            }
        }
        let Action::Alter { key, alteration } = &command.action else { return };
        let kind = match alteration {
            Alteration::Hash(_) => Kind::Hash,
            Alteration::List(_) => Kind::List,
            Alteration::Set(_) => Kind::Set,
            Alteration::SortedSet(_) => Kind::SortedSet,
        };
        let now = self.state.now();
        let living = find(before, key).filter(|entry| entry.end.is_none_or(|end| end > now));
        let is_other = living.is_some_and(|entry| entry.value.kind() != kind);
        let ran = command.once.is_none() && self.at.stamp.is_none_or(|stamp| stamp.term == self.at.term);
        let refused = outcome.answer == Answer::Refused(Refusal::WrongKind);
        assert!(!ran || is_other == refused, "{command:?}: {:?}", outcome.answer);
        if let (Some(living), Some(after)) = (living, self.state.get(key)) {
            assert_eq!((living.end, living.ttl_ms), (after.end, after.ttl_ms), "an alteration moved an end");
        }
    }

    /// What is counted with each command is what a count of everything gives.
    fn counts(&self) {
        let image = self.state.image();
        fn value(answer: &Answer) -> usize {
            match answer {
                Answer::Set { previous: Some(Some(value)), .. } | Answer::Value(Some(value)) => value.len(),
                Answer::Lease { lease: Some(lease), .. } => lease.holder.len(),
                Answer::Values(Some(values)) => elements(values.iter().map(|value| value.len())),
                Answer::Scored(members) => elements(members.iter().map(|(_, member)| member.len())),
                Answer::All(answers) => answers.iter().map(|answer| INNER_ANSWER_BYTES + value(answer)).sum(),
                _ => 0,
            }
        }
        let bytes = image.outcomes.iter().map(|(_, row)| OUTCOME_BYTES + value(&row.answer)).sum::<usize>();
        assert_eq!(self.state.outcome_bytes(), bytes);
        assert_eq!(self.state.outcome_count(), image.outcomes.len());
        let sources = image.scripts.iter().map(|script| script.source().len());
        assert_eq!(self.state.scripts().bytes(), sources.sum::<usize>());
        let mut counts: BTreeMap<u8, KeyCounts> = BTreeMap::new();
        for (key, entry) in self.state.keys() {
            let counts = counts.entry(key.database).or_default();
            counts.keys += 1;
            counts.ending += usize::from(entry.end.is_some());
            counts.bytes += key.name.len() + value_bytes(&entry.value);
        }
        let found = self.state.counts().iter().filter(|(_, counts)| counts.keys > 0);
        assert_eq!(found.map(|(database, counts)| (*database, *counts)).collect::<BTreeMap<_, _>>(), counts);
        let none = self.state.counts().values().filter(|counts| counts.keys == 0);
        assert!(none.copied().all(|counts| counts == KeyCounts::default()));
    }

    /// A guard holds only if nothing has happened to its key since; of one that did hold nothing can be said for a key
    /// that shares a bucket with another.
    fn guards(&mut self, before: &Image, command: &Command, outcome: &Outcome) {
        if let (Action::Transaction { guards, .. }, Answer::All(_), false) =
            (&command.action, &outcome.answer, outcome.repeated)
        {
            for guard in guards {
                let (last, as_of) = match guard {
                    Guard::Key { key, as_of } => (self.changed.get(key).copied(), as_of),
                    Guard::Database { database, as_of } => {
                        let of = self.changed.iter().filter(|(key, _)| key.database == *database);
                        (of.map(|(_, serial)| *serial).max(), as_of)
                    }
                };
                assert!(last.is_none_or(|last| last <= *as_of), "{guard:?} held, but changed at {last:?}");
            }
        }
        let now: BTreeMap<&Key, &Entry> = self.state.keys().collect();
        let then: BTreeMap<&Key, &Entry> = before.keys.iter().map(|(key, entry)| (key, entry)).collect();
        for key in now.keys().chain(then.keys()) {
            if now.get(key) != then.get(key) {
                // At the latest now; for a key that ended by itself, as the first of what this step did.
                let ended = self.state.now() >= then.get(key).and_then(|was| was.end).unwrap_or(LogTime::MAX);
                let serial = if ended { Serial(before.serial.0 + 1) } else { outcome.made.serial };
                self.changed.insert((*key).clone(), serial);
            }
        }
    }

    /// What a transaction would do now, as copies of all keys say. Not of one that has guessed a token which it makes itself:
    /// that is another on a scratch.
    fn on_a_scratch(&self, command: &Command) -> Option<(Scratch, Vec<Answer>)> {
        let Action::Transaction { actions, .. } = &command.action else { return None };
        let guesses = |action: &Action| match action {
            Action::Renew { token: Some(token), .. } | Action::Release { token: Some(token), .. } => {
                token.serial() > self.state.serial()
            }
            _ => false,
        };
        if actions.iter().any(guesses) {
            return None;
        }
        let mut scratch = Scratch::new(&self.state, self.state.now());
        self.state.keys().for_each(|(key, _)| scratch.copy(key, &self.state));
        let answers = actions.iter().map(|action| scratch.run(action.clone())).collect();
        Some((scratch, answers))
    }

    /// A transaction does what its actions did on copies just before, if no time passed.
    fn scratch(&self, command: &Command, outcome: &Outcome, (scratch, answers): &(Scratch, Vec<Answer>)) {
        let ran = matches!(outcome.answer, Answer::All(_)) && !outcome.repeated;
        if !ran || scratch.state().now() != self.state.now() {
            return;
        }
        let without_token = |answer: &Answer| match answer.clone() {
            Answer::Lease { granted, lease: Some(lease) } => Answer::Lease {
                granted,
                lease: Some(Lease { token: Token::new(Epoch::default(), Serial(0)), ..lease }),
            },
            other => other,
        };
        let Answer::All(found) = &outcome.answer else { unreachable!("it ran") };
        let found: Vec<Answer> = found.iter().map(without_token).collect();
        assert_eq!(found, answers.iter().map(without_token).collect::<Vec<_>>(), "{command:?}");
        let values = |state: &State| {
            let value = |(key, entry): (&Key, &Entry)| (key.clone(), (entry.value.clone(), entry.end));
            state.keys().map(value).collect::<BTreeMap<_, _>>()
        };
        assert_eq!(values(scratch.state()), values(&self.state));
        assert!(scratch.state().scripts().iter().eq(self.state.scripts().iter()));
    }

    /// The digest that grew with each command is that of the state made anew, and the image is the state.
    fn rebuild(&mut self) {
        let image = self.state.image();
        self.state = State::from_image(image.clone(), self.state.digest()).expect("it is its own digest");
        assert_eq!(self.state.image(), image);
        self.counts();
    }
}

/// What a value counts for, by the definition of [`VALUE_BYTES_MAX`].
fn value_bytes(value: &Value) -> usize {
    match value {
        Value::String(value) => value.len(),
        Value::Hash(hash) => elements(hash.iter().map(|(field, value)| field.len() + value.len())),
        Value::List(list) => elements(list.elements().iter().map(|element| element.len())),
        Value::Set(set) => elements(set.iter().map(|(member, ())| member.len())),
        Value::SortedSet(set) => elements(set.ranked().iter().map(|(_, member)| member.len())),
    }
}

fn elements(lengths: impl Iterator<Item = usize>) -> usize {
    lengths.map(|length| ELEMENT_BYTES + length).sum()
}

fn find<'a>(image: &'a Image, key: &Key) -> Option<&'a Entry> {
    image.keys.iter().find(|(known, _)| known == key).map(|(_, entry)| entry)
}

proptest! {
    #[test]
    fn what_holds_after_every_command(steps in steps()) {
        let mut run = Run::new();
        for (number, step) in steps.into_iter().enumerate() {
            run.step(step);
            // One of the two goes on from an image every now and then: a restart must not show.
            if number % 8 == 7 {
                run.rebuild();
            }
        }
        run.rebuild();
    }

    /// Whatever the numbers in it: an outcome, and no panic.
    #[test]
    fn apply_is_total(
        times in vec(any::<(u64, bool)>(), 1..20),
        actions in vec(action(), 20),
        (ttl_ms, ms, by) in any::<(u64, i64, i64)>(),
    ) {
        let mut state = State::default();
        for (index, ((ns, own), mut action)) in times.into_iter().zip(actions).enumerate() {
            match &mut action {
                Action::Set { expiry, .. } | Action::Expire { expiry, .. } | Action::Touch { expiry, .. } => {
                    *expiry = match *expiry {
                        Expiry::InMs(_) => Expiry::InMs(ms),
                        Expiry::LaterByMs(_) => Expiry::LaterByMs(ms),
                        other => other,
                    };
                }
                Action::Acquire { ttl_ms: ttl, .. } | Action::Renew { ttl_ms: Some(ttl), .. } => *ttl = ttl_ms,
                Action::Increment { by: add, .. } => *add = by,
                _ => {}
            }
            let stamp = Some(Stamp { term: u64::from(own), time: LogTime::from_ns(ns) });
            let at = Position { index: index as u64, offset: 0, term: 1, stamp };
            state.apply(at, Command::harmless(action));
            prop_assert!(state.keys().all(|(_, entry)| entry.end.is_none_or(|end| end > state.now())));
        }
    }
}
