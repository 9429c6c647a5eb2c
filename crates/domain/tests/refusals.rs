//! What is wrong with a command changes nothing: every kind of action with everything that may be wrong with it.

use std::sync::Arc;

use domain::command::Audit;
use domain::limits::{
    OUTCOME_BYTES, OUTCOMES_BYTES_MAX, OUTCOMES_MAX, OUTCOMES_RESERVED, TTL_MS_MAX, VALUE_BYTES_MAX,
};
use domain::trading::command::TradingAction;
use domain::trading::scope::Subject;
use domain::{
    Action, Alteration, Answer, Command, ExpireCondition, Expiry, Guard, HashChange, Image, Key, ListChange,
    LogTime, NodeId, Once, Outcome, Position, Published, Refusal, RequestId, Score, ScoreBound,
    ScoreCondition, ScoreRange, Script, Serial, SetChange, SetCondition, Side, SortedSetChange, Stamp, State,
};

use crate::log::tenure;

/// Every kind of action, each of which changes something in [`table_state`].
fn actions() -> Vec<(&'static str, Action)> {
    let (k, n) = (Key::new(0, *b"k"), Key::new(0, *b"n"));
    let on_hash = |change| Action::Alter { key: Key::new(0, *b"h"), alteration: Alteration::Hash(change) };
    let on_list = |change| Action::Alter { key: Key::new(0, *b"l"), alteration: Alteration::List(change) };
    let on_set = |change| Action::Alter { key: Key::new(0, *b"s"), alteration: Alteration::Set(change) };
    let on_sorted_set =
        |change| Action::Alter { key: Key::new(0, *b"z"), alteration: Alteration::SortedSet(change) };
    let bound = |number| ScoreBound { score: score(number), excluded: false };
    let text = |text: &[u8]| Arc::<[u8]>::from(text);
    let me: Arc<[u8]> = (*b"me").into();
    let note = || {
        Box::new(Audit {
            wall_ms: 0,
            actor: "ops".to_owned(),
            action: "note".to_owned(),
            subject: String::new(),
            reason: String::new(),
        })
    };
    let (key, holder, expiry) = (k.clone(), me.clone(), Expiry::InMs(5));
    let transacted = k.clone();
    let condition = ExpireCondition::Always;
    vec![
        ("tick", Action::Tick),
        (
            "set",
            Action::Set {
                key: key.clone(),
                value: (*b"v").into(),
                condition: SetCondition::Always,
                expiry,
                previous: false,
            },
        ),
        (
            "set many",
            Action::SetMany {
                pairs: vec![(n.clone(), (*b"v").into()), (k.clone(), (*b"v").into())],
                if_none_exist: false,
            },
        ),
        ("remove", Action::Remove { keys: vec![k.clone()], holder: Some(me.clone()) }),
        ("take", Action::Take { key: k.clone() }),
        ("expire", Action::Expire { key: k.clone(), expiry, condition, holder: Some(me.clone()) }),
        ("touch", Action::Touch { key: k.clone(), expiry }),
        ("increment", Action::Increment { key: n.clone(), by: 1 }),
        ("copy", Action::Copy { from: k.clone(), to: n.clone(), if_absent: false, moves: true }),
        ("hash set", on_hash(HashChange::Set { fields: vec![(text(b"g"), text(b"w"))], if_absent: true })),
        ("hash remove", on_hash(HashChange::Remove { fields: vec![text(b"f")] })),
        ("hash increment", on_hash(HashChange::Increment { field: text(b"f"), by: 1 })),
        (
            "list push",
            on_list(ListChange::Push { side: Side::Left, elements: vec![text(b"b")], if_present: false }),
        ),
        ("list pop", on_list(ListChange::Pop { side: Side::Right, count: 1 })),
        ("list remove", on_list(ListChange::Remove { element: text(b"a"), count: 0 })),
        ("list set", on_list(ListChange::Set { index: -1, element: text(b"b") })),
        ("list trim", on_list(ListChange::Trim { start: 1, stop: -1 })),
        ("set add", on_set(SetChange::Add { members: vec![text(b"b")] })),
        ("set remove", on_set(SetChange::Remove { members: vec![text(b"a")] })),
        (
            "sorted set add",
            on_sorted_set(SortedSetChange::Add {
                members: vec![(score(1.0), text(b"b"))],
                condition: ScoreCondition::Always,
                counts_changed: true,
            }),
        ),
        (
            "sorted set increment",
            on_sorted_set(SortedSetChange::Increment {
                member: text(b"a"),
                by: score(1.0),
                condition: ScoreCondition::Always,
            }),
        ),
        ("sorted set remove", on_sorted_set(SortedSetChange::Remove { members: vec![text(b"a")] })),
        (
            "sorted set remove by score",
            on_sorted_set(SortedSetChange::RemoveByScore {
                range: ScoreRange { min: bound(0.0), max: bound(1.0) },
            }),
        ),
        ("sorted set remove by rank", on_sorted_set(SortedSetChange::RemoveByRank { start: 0, stop: -1 })),
        ("sorted set pop", on_sorted_set(SortedSetChange::Pop { greatest: true, count: 1 })),
        ("flush", Action::Flush { database: Some(0), audit: note() }),
        ("acquire", Action::Acquire { key: k.clone(), holder, ttl_ms: 5, take_over: true }),
        ("renew", Action::Renew { key: k.clone(), holder: me.clone(), token: None, ttl_ms: Some(5) }),
        ("release", Action::Release { key: k, holder: me, token: None }),
        (
            "publish",
            Action::Publish(Published { channel: (*b"c").into(), message: (*b"m").into(), sharded: false }),
        ),
        ("load script", Action::LoadScript(Script::new(*b"return 1"))),
        ("flush scripts", Action::FlushScripts),
        (
            "transaction",
            Action::Transaction {
                guards: vec![Guard::Key { key: transacted.clone(), as_of: Serial(3) }],
                actions: vec![
                    Action::Take { key: transacted.clone() },
                    Action::Increment { key: transacted, by: 1 },
                ],
            },
        ),
        ("members", Action::Members { voters: vec![NodeId(1)], learners: vec![] }),
        ("reserve node", Action::ReserveNode { audit: note() }),
        ("record tenure", Action::RecordTenure(Box::new(tenure(9, NodeId(1))))),
        ("checkpoint", Action::Checkpoint),
        ("report digest", Action::ReportDigest { node: NodeId(1), checkpoint: 0, digest: 1 }),
        ("audit", Action::Audit(note())),
    ]
}

fn score(number: f64) -> Score {
    Score::new(number).expect("a number")
}

/// What makes a command one to be refused: `None` where an action has nothing of the kind.
type Spoil = (&'static str, fn(&mut Position, &mut Command) -> Option<()>);

const SPOILS: [Spoil; 25] = [
    ("stale stamp", |at, _| {
        at.stamp.as_mut()?.term = 1;
        Some(())
    }),
    ("late", |at, command| {
        let id = RequestId::Client([9; 16]);
        command.once = Some(Once { id, valid_until: at.stamp?.time });
        Some(())
    }),
    ("long key", |_, command| key_of(&mut command.action).map(|key| key.name = vec![0; 1025].into())),
    ("database 16", |_, command| match &mut command.action {
        Action::Flush { database, .. } => {
            *database = Some(16);
            Some(())
        }
        action => key_of(action).map(|key| key.database = 16),
    }),
    ("long value", |_, command| {
        let long: Arc<[u8]> = vec![0; 65_537].into();
        match &mut command.action {
            Action::Set { value, .. } => *value = long,
            Action::SetMany { pairs, .. } => pairs.last_mut()?.1 = long,
            Action::Acquire { key, holder, .. } => {
                key.name = (*b"free").into();
                *holder = long;
            }
            Action::Renew { holder, .. } | Action::Release { holder, .. } => *holder = long,
            Action::Remove { holder, .. } | Action::Expire { holder, .. } => *holder = Some(long),
            Action::Alter { alteration, .. } => match alteration {
                Alteration::Hash(HashChange::Set { fields, .. }) => fields.last_mut()?.1 = long,
                Alteration::Hash(HashChange::Increment { field, .. }) => *field = long,
                Alteration::List(ListChange::Push { elements, .. }) => *elements.last_mut()? = long,
                Alteration::List(ListChange::Set { element, .. }) => *element = long,
                Alteration::Set(SetChange::Add { members }) => *members.last_mut()? = long,
                Alteration::SortedSet(SortedSetChange::Add { members, .. }) => members.last_mut()?.1 = long,
                Alteration::SortedSet(SortedSetChange::Increment { member, .. }) => *member = long,
                _ => return None,
            },
            _ => return None,
        }
        Some(())
    }),
    ("no length", |_, command| match &mut command.action {
        Action::Acquire { ttl_ms, .. } | Action::Renew { ttl_ms: Some(ttl_ms), .. } => {
            *ttl_ms = 0;
            Some(())
        }
        _ => None,
    }),
    ("too long", |_, command| match &mut command.action {
        Action::Acquire { ttl_ms, .. } | Action::Renew { ttl_ms: Some(ttl_ms), .. } => {
            *ttl_ms = TTL_MS_MAX as u64 + 1;
            Some(())
        }
        action => expiry_of(action).map(|expiry| *expiry = Expiry::InMs(TTL_MS_MAX + 1)),
    }),
    ("much too long", |_, command| match &mut command.action {
        Action::Acquire { ttl_ms, .. } | Action::Renew { ttl_ms: Some(ttl_ms), .. } => {
            *ttl_ms = u64::MAX;
            Some(())
        }
        action => expiry_of(action).map(|expiry| *expiry = Expiry::LaterByMs(i64::MAX)),
    }),
    ("wall clock", |_, command| expiry_of(&mut command.action).map(|expiry| *expiry = Expiry::AtWallMs(5))),
    ("something else in it", |_, command| match &mut command.action {
        Action::Transaction { actions, .. } => {
            actions.push(Action::Checkpoint);
            Some(())
        }
        _ => None,
    }),
    ("another in it", |_, command| match &mut command.action {
        Action::Transaction { actions, .. } => {
            actions.push(Action::Transaction { guards: vec![], actions: vec![] });
            Some(())
        }
        _ => None,
    }),
    ("many actions", |_, command| match &mut command.action {
        Action::Transaction { actions, .. } => {
            *actions = vec![actions.first()?.clone(); 1025];
            Some(())
        }
        _ => None,
    }),
    ("many guards", |_, command| match &mut command.action {
        Action::Transaction { guards, .. } => {
            *guards = vec![guards.first()?.clone(); 1025];
            Some(())
        }
        _ => None,
    }),
    ("many keys", |_, command| {
        match &mut command.action {
            Action::SetMany { pairs, .. } => *pairs = vec![pairs.first()?.clone(); 1025],
            Action::Remove { keys, .. } => *keys = vec![keys.first()?.clone(); 1025],
            _ => return None,
        }
        Some(())
    }),
    ("long channel", |_, command| match &mut command.action {
        Action::Publish(published) => {
            published.channel = vec![0; 1025].into();
            Some(())
        }
        _ => None,
    }),
    ("long message", |_, command| match &mut command.action {
        Action::Publish(published) => {
            published.message = vec![0; 65_537].into();
            Some(())
        }
        _ => None,
    }),
    ("long script", |_, command| match &mut command.action {
        Action::LoadScript(script) => {
            *script = Script::new(vec![0; 65_537]);
            Some(())
        }
        _ => None,
    }),
    ("long text", |_, command| match &mut command.action {
        Action::Flush { audit, .. } | Action::ReserveNode { audit } | Action::Audit(audit) => {
            audit.reason = "x".repeat(4097);
            Some(())
        }
        _ => None,
    }),
    ("no integer", |_, command| match &mut command.action {
        Action::Increment { key, .. } => {
            key.name = (*b"k").into();
            Some(())
        }
        Action::Alter { alteration: Alteration::Hash(HashChange::Increment { field, .. }), .. } => {
            *field = (*b"text").into();
            Some(())
        }
        _ => None,
    }),
    ("another kind", |_, command| match &mut command.action {
        Action::Alter { key, .. } => {
            key.name = (*b"k").into();
            Some(())
        }
        Action::Set { previous: false, .. }
        | Action::SetMany { .. }
        | Action::Remove { holder: None, .. }
        | Action::Copy { .. } => None,
        action => key_of(action).map(|key| key.name = (*b"h").into()),
    }),
    ("absent", |_, command| match &mut command.action {
        Action::Alter { alteration: Alteration::List(ListChange::Push { if_present, .. }), key } => {
            *if_present = true;
            key.name = (*b"absent").into();
            Some(())
        }
        Action::Alter {
            alteration: Alteration::Hash(HashChange::Remove { .. }) | Alteration::List(_),
            key,
        }
        | Action::Alter { alteration: Alteration::Set(SetChange::Remove { .. }), key }
        | Action::Alter {
            alteration:
                Alteration::SortedSet(
                    SortedSetChange::Remove { .. }
                    | SortedSetChange::RemoveByScore { .. }
                    | SortedSetChange::RemoveByRank { .. }
                    | SortedSetChange::Pop { .. },
                ),
            key,
        } => {
            key.name = (*b"absent").into();
            Some(())
        }
        _ => None,
    }),
    ("no number", |_, command| match &mut command.action {
        Action::Alter {
            alteration: Alteration::SortedSet(SortedSetChange::Increment { member, by, .. }),
            ..
        } => {
            *member = (*b"infinite").into();
            *by = score(f64::NEG_INFINITY);
            Some(())
        }
        _ => None,
    }),
    ("no such place", |_, command| match &mut command.action {
        Action::Alter { alteration: Alteration::List(ListChange::Set { index, .. }), .. } => {
            *index = 2;
            Some(())
        }
        _ => None,
    }),
    ("nothing to rename", |_, command| match &mut command.action {
        Action::Copy { from, .. } => {
            from.name = (*b"absent").into();
            Some(())
        }
        _ => None,
    }),
    ("overflow", |_, command| match &mut command.action {
        Action::Increment { by, .. }
        | Action::Alter { alteration: Alteration::Hash(HashChange::Increment { by, .. }), .. } => {
            *by = i64::MAX;
            Some(())
        }
        _ => None,
    }),
];

/// The last key of the action.
fn key_of(action: &mut Action) -> Option<&mut Key> {
    match action {
        Action::Set { key, .. }
        | Action::Take { key }
        | Action::Expire { key, .. }
        | Action::Touch { key, .. }
        | Action::Increment { key, .. }
        | Action::Copy { to: key, .. }
        | Action::Alter { key, .. }
        | Action::Acquire { key, .. }
        | Action::Renew { key, .. }
        | Action::Release { key, .. } => Some(key),
        Action::SetMany { pairs, .. } => pairs.last_mut().map(|(key, _)| key),
        Action::Remove { keys, .. } => keys.last_mut(),
        _ => None,
    }
}

fn expiry_of(action: &mut Action) -> Option<&mut Expiry> {
    match action {
        Action::Set { expiry, .. } | Action::Expire { expiry, .. } | Action::Touch { expiry, .. } => {
            Some(expiry)
        }
        _ => None,
    }
}

fn table_state() -> (State, Position) {
    let mut state = State::default();
    let stamp = Some(Stamp { term: 2, time: LogTime::from_ms(1000) });
    let at = Position { index: 1, offset: 0, term: 2, stamp };
    let set = |name: &[u8], value: &[u8]| Action::Set {
        key: Key::new(0, name),
        value: value.into(),
        condition: SetCondition::Always,
        expiry: Expiry::InMs(60_000),
        previous: false,
    };
    let members = Action::Members { voters: vec![NodeId(1), NodeId(2)], learners: vec![] };
    let text = |text: &[u8]| Arc::<[u8]>::from(text);
    let fields = vec![(text(b"f"), text(b"5")), (text(b"text"), text(b"v"))];
    let hash = Alteration::Hash(HashChange::Set { fields, if_absent: false });
    let elements = vec![text(b"a"), text(b"b")];
    let list = Alteration::List(ListChange::Push { side: Side::Right, elements, if_present: false });
    let one_set = Alteration::Set(SetChange::Add { members: vec![text(b"a")] });
    let ranked = vec![(score(1.0), text(b"a")), (score(f64::INFINITY), text(b"infinite"))];
    let sorted_set = Alteration::SortedSet(SortedSetChange::Add {
        members: ranked,
        condition: ScoreCondition::Always,
        counts_changed: false,
    });
    let alter = |name: &[u8], alteration| Action::Alter { key: Key::new(0, name), alteration };
    for action in [
        members,
        set(b"k", b"me"),
        set(b"n", b"5"),
        alter(b"h", hash),
        alter(b"l", list),
        alter(b"s", one_set),
        alter(b"z", sorted_set),
    ] {
        state.apply(at, Command::harmless(action));
    }
    (state, at)
}

/// What a command may change although it was refused.
fn without_serial(state: &State) -> Image {
    Image { serial: Serial(0), ..state.image() }
}

#[test]
fn every_action_changes_something() {
    for (name, action) in actions() {
        let (mut state, at) = table_state();
        let before = without_serial(&state);
        let outcome = state.apply(at, Command::harmless(action));
        assert!(!matches!(outcome.answer, Answer::Refused(_)), "{name}: {outcome:?}");
        let only_passes = ["tick", "publish"].contains(&name);
        assert_eq!(without_serial(&state) == before, only_passes, "{name}: {outcome:?}");
    }
}

/// The table of every action and everything that may be wrong with it. Whatever it answers, nothing changes.
#[test]
fn what_is_wrong_changes_nothing() {
    let mut table = String::new();
    for (name, action) in actions() {
        for (wrong, spoil) in SPOILS {
            let (mut state, mut at) = table_state();
            let mut command = Command::harmless(action.clone());
            if spoil(&mut at, &mut command).is_none() {
                continue;
            }
            let before = without_serial(&state);
            let Outcome { answer, repeated, .. } = state.apply(at, command);
            assert!(!repeated);
            let tells = match answer {
                Answer::Refused(refusal) => format!("{refusal:?}"),
                Answer::Lease { granted: false, lease: Some(_) } => "not granted, held".to_owned(),
                other => format!("{other:?}"),
            };
            assert_eq!(without_serial(&state), before, "{name}, {wrong}: {tells}");
            table.push_str(&format!("{name}, {wrong}: {tells}\n"));
            let always = [("stale stamp", "StaleStamp"), ("late", "Late")];
            assert!(
                always.into_iter().all(|(known, refusal)| wrong != known || tells == refusal),
                "{name}: {tells}"
            );
        }
    }
    assert_eq!(table, include_str!("refusals.txt"), "{table}");
}

/// One more outcome than may be remembered is refused before it runs: forgetting one early could run it twice.
#[test]
fn a_full_table_of_outcomes_refuses_what_has_an_id() {
    let (mut state, at) = table_state();
    let once = |sequence, until_ms| {
        let id = RequestId::Node { incarnation: 1, sequence };
        Some(Once { id, valid_until: LogTime::from_ms(until_ms) })
    };
    for sequence in 0..OUTCOMES_MAX as u64 {
        let until_ms = if sequence == 0 { 2000 } else { 9000 };
        state.apply(at, Command { once: once(sequence, until_ms), action: Action::Tick });
    }
    let acquire = |sequence| {
        let (key, holder) = (Key::new(0, *b"free"), (*b"me").into());
        let action = Action::Acquire { key, holder, ttl_ms: 5000, take_over: false };
        Command { once: once(sequence, 9000), action }
    };
    let refused = state.apply(at, acquire(u64::MAX));
    assert_eq!(refused.answer, Answer::Refused(Refusal::Overload));
    assert!(state.get(&Key::new(0, *b"free")).is_none());
    assert!(state.apply(at, acquire(0)).repeated, "what is known is still answered");
    let harmless = state.apply(at, Command::harmless(Action::Checkpoint));
    assert_eq!(harmless.answer, Answer::Done, "what has no id takes no room");

    // The first is forgotten, which makes room for one.
    let at = Position { index: 2, stamp: Some(Stamp { term: 2, time: LogTime::from_ms(2000) }), ..at };
    assert!(matches!(state.apply(at, acquire(u64::MAX)).answer, Answer::Lease { granted: true, .. }));
    assert_eq!(state.outcome_count(), OUTCOMES_MAX);
    assert_eq!(state.apply(at, acquire(u64::MAX - 1)).answer, Answer::Refused(Refusal::Overload));

    // For what stops trading room is kept, and for so much of it.
    let audit = || {
        let text = String::new;
        Box::new(Audit { wall_ms: 0, actor: text(), action: text(), subject: text(), reason: text() })
    };
    let kill = |sequence, engaged| {
        let action = TradingAction::SetKillSwitch { subject: Subject::All, engaged, audit: audit() };
        Command { once: once(sequence, 9000), action: Action::Trading(Box::new(action)) }
    };
    let reserved = u64::MAX / 2..u64::MAX / 2 + OUTCOMES_RESERVED as u64;
    for sequence in reserved.clone() {
        assert!(matches!(state.apply(at, kill(sequence, true)).answer, Answer::Trading(_)));
    }
    assert_eq!(state.apply(at, kill(reserved.end, true)).answer, Answer::Refused(Refusal::Overload));
    assert_eq!(state.apply(at, kill(reserved.end, false)).answer, Answer::Refused(Refusal::Overload));
}

// Answers that hold values fill the table long before it holds the most outcomes that there may be.
#[test]
fn a_table_of_outcomes_is_full_by_their_bytes_too() {
    let mut state = State::default();
    let place = |ms| {
        let stamp = Some(Stamp { term: 2, time: LogTime::from_ms(ms) });
        Position { index: ms, offset: 0, term: 2, stamp }
    };
    let set = |condition, previous| Action::Set {
        key: Key::new(0, *b"k"),
        value: vec![7; VALUE_BYTES_MAX].into(),
        condition,
        expiry: Expiry::Never,
        previous,
    };
    state.apply(place(1), Command::harmless(set(SetCondition::Always, false)));
    let ask_until = |sequence, ms| {
        let id = RequestId::Node { incarnation: 1, sequence };
        let once = Once { id, valid_until: LogTime::from_ms(ms) };
        Command { once: Some(once), action: set(SetCondition::IfAbsent, true) }
    };
    let ask = |sequence| ask_until(sequence, 9);
    let each = OUTCOME_BYTES + VALUE_BYTES_MAX;
    let most = OUTCOMES_BYTES_MAX / each + 1;
    for sequence in 0..most as u64 {
        let outcome = state.apply(place(2), ask(sequence));
        assert!(matches!(outcome.answer, Answer::Set { written: false, previous: Some(Some(_)) }));
    }
    // The last one was let in with room for an answer without a value.
    assert_eq!((state.outcome_count(), state.outcome_bytes()), (most, most * each));
    assert!(!state.has_room_for_outcomes(1));
    assert_eq!(state.apply(place(2), ask(u64::MAX)).answer, Answer::Refused(Refusal::Overload));
    assert!(state.apply(place(2), ask(0)).repeated, "what is known is still answered");

    let answer = state.apply(place(9), ask_until(u64::MAX, 10)).answer;
    assert!(matches!(answer, Answer::Set { previous: Some(Some(_)), .. }), "{answer:?}");
    assert_eq!((state.outcome_count(), state.outcome_bytes()), (1, each), "all others were forgotten");
}
