//! Random logs over few keys, holders and ids, so that commands meet.

use std::sync::Arc;

use domain::command::Audit;
use domain::limits::TTL_MS_MAX;
use domain::{
    Action, Alteration, Cause, ExpireCondition, Expiry, Guard, HashChange, Key, ListChange, NodeId,
    Published, RequestId, Score, ScoreBound, ScoreCondition, ScoreRange, Script, Serial, SetChange,
    SetCondition, Side, SortedSetChange, Tenure, Token,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// One command of a random log, and how its entry is stamped.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) time: Time,
    /// The command names the token that its key has when it is applied, whatever `action` says.
    pub(crate) token_of_holder: bool,
    pub(crate) once: Option<(RequestId, Valid)>,
    pub(crate) action: Action,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Time {
    /// In the same entry as the command before.
    SameEntry,
    /// A new entry, stamped so long after the latest time.
    After(u64),
    /// Stamped before the latest time.
    Before(u64),
    /// By a leader of another term.
    Stale,
    Unstamped,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Valid {
    ForMs(u64),
    /// A copy of the last command under this id, as a network makes them.
    Copy,
    UntilBefore,
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (time(), any::<bool>(), option::weighted(0.3, (request_id(), valid())), action());
    vec(step, 1..80).prop_map(|steps| {
        let step = |(time, token_of_holder, once, action)| Step { time, token_of_holder, once, action };
        steps.into_iter().map(step).collect()
    })
}

fn time() -> impl Strategy<Value = Time> {
    prop_oneof![
        4 => Just(Time::SameEntry),
        8 => select(vec![0, 1, 5, 999, 1000, 10_000, 41_000]).prop_map(Time::After),
        1 => (0..20_000_u64).prop_map(Time::Before),
        1 => Just(Time::Stale),
        1 => Just(Time::Unstamped),
    ]
}

fn request_id() -> impl Strategy<Value = RequestId> {
    prop_oneof![
        (0..3_u8).prop_map(|id| RequestId::Client([id; 16])),
        (0..3_u64).prop_map(|sequence| RequestId::Node { incarnation: 7, sequence }),
    ]
}

fn valid() -> impl Strategy<Value = Valid> {
    prop_oneof![
        4 => select(vec![1, 1000, 10_000, 100_000]).prop_map(Valid::ForMs),
        4 => Just(Valid::Copy),
        1 => Just(Valid::UntilBefore),
    ]
}

fn key() -> impl Strategy<Value = Key> {
    prop_oneof![
        12 => (0..2_u8, select(vec!["k", "l"])).prop_map(|(database, name)| Key::new(database, name.as_bytes())),
        1 => Just(Key::new(16, *b"k")),
        1 => Just(Key::new(0, vec![0; 1025])),
    ]
}

fn value() -> impl Strategy<Value = Arc<[u8]>> {
    let small = select(vec!["a", "b", "", "5", "9223372036854775807", "-1"]);
    prop_oneof![
        20 => small.prop_map(|value| value.as_bytes().into()),
        1 => Just(vec![0; 65_537].into()),
    ]
}

fn ttl_ms() -> impl Strategy<Value = u64> {
    select(vec![0, 1, 5, 1000, 5000, 30_000, TTL_MS_MAX as u64, TTL_MS_MAX as u64 + 1, u64::MAX])
}

fn expiry() -> impl Strategy<Value = Expiry> {
    let ms = || select(vec![i64::MIN, -5, 0, 1, 5, 1000, 5000, 30_000, TTL_MS_MAX, TTL_MS_MAX + 1, i64::MAX]);
    prop_oneof![
        Just(Expiry::Keep),
        Just(Expiry::Never),
        ms().prop_map(Expiry::InMs),
        ms().prop_map(Expiry::LaterByMs),
        ms().prop_map(Expiry::AtWallMs),
    ]
}

fn audit() -> impl Strategy<Value = Box<Audit>> {
    prop_oneof![9 => Just(1), 1 => Just(4097)].prop_map(|length: usize| {
        let (actor, action, subject, reason) =
            ("ops".into(), "x".repeat(length), String::new(), String::new());
        Box::new(Audit { wall_ms: 0, actor, action, subject, reason })
    })
}

fn node() -> impl Strategy<Value = NodeId> {
    (1..6_u64).prop_map(NodeId)
}

pub(crate) fn action() -> impl Strategy<Value = Action> {
    let token = || option::of((0..100_u64).prop_map(|token| Token::from_u64(token).expect("small")));
    let condition = prop_oneof![
        4 => Just(SetCondition::Always),
        2 => Just(SetCondition::IfAbsent),
        1 => Just(SetCondition::IfPresent),
        1 => value().prop_map(SetCondition::IfEqual),
        1 => value().prop_map(SetCondition::IfNotEqual),
    ];
    let expire_condition = select(vec![
        ExpireCondition::Always,
        ExpireCondition::HasNoEnd,
        ExpireCondition::HasEnd,
        ExpireCondition::Later,
        ExpireCondition::Earlier,
        ExpireCondition::HasEndAndLater,
        ExpireCondition::HasEndAndEarlier,
    ]);
    let keys = prop_oneof![
        4 => (key(), value(), condition, expiry(), any::<bool>()).prop_map(
            |(key, value, condition, expiry, previous)| Action::Set { key, value, condition, expiry, previous },
        ),
        2 => (vec((key(), value()), 0..3), any::<bool>())
            .prop_map(|(pairs, if_none_exist)| Action::SetMany { pairs, if_none_exist }),
        1 => (vec(key(), 0..3), option::of(value())).prop_map(|(keys, holder)| Action::Remove { keys, holder }),
        1 => key().prop_map(|key| Action::Take { key }),
        2 => (key(), expiry(), expire_condition, option::of(value()))
            .prop_map(|(key, expiry, condition, holder)| Action::Expire { key, expiry, condition, holder }),
        1 => (key(), expiry()).prop_map(|(key, expiry)| Action::Touch { key, expiry }),
        2 => (key(), select(vec![0, 1, -1, i64::MIN])).prop_map(|(key, by)| Action::Increment { key, by }),
        1 => (key(), key(), any::<bool>(), any::<bool>())
            .prop_map(|(from, to, if_absent, moves)| Action::Copy { from, to, if_absent, moves }),
        8 => (key(), alteration()).prop_map(|(key, alteration)| Action::Alter { key, alteration }),
        1 => (option::of(0..17_u8), audit()).prop_map(|(database, audit)| Action::Flush { database, audit }),
    ];
    let leases = prop_oneof![
        4 => (key(), value(), ttl_ms(), any::<bool>())
            .prop_map(|(key, holder, ttl_ms, take_over)| Action::Acquire { key, holder, ttl_ms, take_over }),
        2 => (key(), value(), token(), option::of(ttl_ms()))
            .prop_map(|(key, holder, token, ttl_ms)| Action::Renew { key, holder, token, ttl_ms }),
        1 => (key(), value(), token()).prop_map(|(key, holder, token)| Action::Release { key, holder, token }),
    ];
    let nodes = || vec(node(), 0..4);
    let cluster = prop_oneof![
        Just(Action::Tick),
        (nodes(), nodes()).prop_map(|(voters, learners)| Action::Members { voters, learners }),
        audit().prop_map(|audit| Action::ReserveNode { audit }),
        (1..9_u64, node()).prop_map(|(term, node)| Action::RecordTenure(Box::new(tenure(term, node)))),
        Just(Action::Checkpoint),
        (node(), 0..40_u64, 0..3_u128).prop_map(|(node, checkpoint, digest)| Action::ReportDigest {
            node,
            checkpoint,
            digest
        }),
        audit().prop_map(Action::Audit),
    ];
    let publish = (value(), value(), any::<bool>())
        .prop_map(|(channel, message, sharded)| Action::Publish(Published { channel, message, sharded }));
    let scripts = prop_oneof![
        3 => value().prop_map(|source| Action::LoadScript(Script::new(source))),
        1 => Just(Action::FlushScripts),
    ];
    let on_keys = prop_oneof![8 => keys, 10 => leases, 2 => publish, 1 => scripts].boxed();
    let cluster = cluster.boxed();
    // Now and then with something in it that does not belong there.
    let part = prop_oneof![30 => on_keys.clone(), 1 => cluster.clone()];
    let transaction = (vec(guard(), 0..3), vec(part, 0..4))
        .prop_map(|(guards, actions)| Action::Transaction { guards, actions });
    prop_oneof![9 => on_keys, 2 => cluster, 4 => transaction]
}

fn alteration() -> impl Strategy<Value = Alteration> {
    let by = || select(vec![0, 1, -1, i64::MIN]);
    let side = || select(vec![Side::Left, Side::Right]);
    let place = || select(vec![0, 1, -1, 2, -3, i64::MIN, i64::MAX]);
    let hash = prop_oneof![
        3 => (vec((value(), value()), 0..4), any::<bool>())
            .prop_map(|(fields, if_absent)| HashChange::Set { fields, if_absent }),
        1 => vec(value(), 0..4).prop_map(|fields| HashChange::Remove { fields }),
        1 => (value(), by()).prop_map(|(field, by)| HashChange::Increment { field, by }),
    ];
    let list = prop_oneof![
        4 => (side(), vec(value(), 0..4), any::<bool>())
            .prop_map(|(side, elements, if_present)| ListChange::Push { side, elements, if_present }),
        2 => (side(), 0..3_u64).prop_map(|(side, count)| ListChange::Pop { side, count }),
        1 => (value(), by()).prop_map(|(element, count)| ListChange::Remove { element, count }),
        1 => (place(), value()).prop_map(|(index, element)| ListChange::Set { index, element }),
        1 => (place(), place()).prop_map(|(start, stop)| ListChange::Trim { start, stop }),
    ];
    let members = || vec(value(), 0..4);
    let set = prop_oneof![
        2 => members().prop_map(|members| SetChange::Add { members }),
        1 => members().prop_map(|members| SetChange::Remove { members }),
    ];
    let condition = || select(ScoreCondition::ALL.to_vec());
    let bound = || (score(), any::<bool>()).prop_map(|(score, excluded)| ScoreBound { score, excluded });
    let sorted_set = prop_oneof![
        4 => (vec((score(), value()), 0..4), condition(), any::<bool>()).prop_map(
            |(members, condition, counts_changed)| SortedSetChange::Add { members, condition, counts_changed }
        ),
        2 => (value(), score(), condition())
            .prop_map(|(member, by, condition)| SortedSetChange::Increment { member, by, condition }),
        1 => members().prop_map(|members| SortedSetChange::Remove { members }),
        1 => (bound(), bound())
            .prop_map(|(min, max)| SortedSetChange::RemoveByScore { range: ScoreRange { min, max } }),
        1 => (place(), place()).prop_map(|(start, stop)| SortedSetChange::RemoveByRank { start, stop }),
        1 => (any::<bool>(), 0..3_u64).prop_map(|(greatest, count)| SortedSetChange::Pop { greatest, count }),
    ];
    prop_oneof![
        hash.prop_map(Alteration::Hash),
        list.prop_map(Alteration::List),
        set.prop_map(Alteration::Set),
        sorted_set.prop_map(Alteration::SortedSet),
    ]
}

fn score() -> impl Strategy<Value = Score> {
    let numbers = vec![0.0, -0.0, 1.0, -1.5, 0.1, 1e300, f64::INFINITY, f64::NEG_INFINITY];
    select(numbers).prop_map(|number| Score::new(number).expect("a number"))
}

/// As of anywhere in a short log: most are of its past, some of its future.
fn guard() -> impl Strategy<Value = Guard> {
    prop_oneof![
        4 => (key(), 0..200_u64).prop_map(|(key, as_of)| Guard::Key { key, as_of: Serial(as_of) }),
        1 => (0..3_u8, 0..200_u64)
            .prop_map(|(database, as_of)| Guard::Database { database, as_of: Serial(as_of) }),
    ]
}

pub(crate) fn tenure(term: u64, node: NodeId) -> Tenure {
    Tenure {
        term,
        node,
        from: None,
        cause: Cause::Start,
        detected_ms: 1,
        elected_ms: 2,
        applied_ms: 3,
        reconciled_ms: 4,
        active_ms: 5,
        wall_ms: 6,
    }
}
