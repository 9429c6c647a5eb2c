//! Any command, outcome, payload and image, for proptest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::command::Audit;
use domain::once::Remembered;
use domain::orders::tombstone::{StrategyKey, Tombstone};
use domain::orders::{Order, OrderId};
use domain::{
    Action, Alteration, Answer, Cause, Checkpoint, Command, Digest, Entry, Epoch, ExpireCondition, Expiry,
    Guard, HashChange, HistoryRecord, Image, Key, Lease, ListChange, LogTime, Made, Members, NodeId, Once,
    Outcome, Published, Recorded, Refusal, RequestId, Score, ScoreBound, ScoreCondition, ScoreRange, Script,
    SealedHistory, Serial, SetChange, SetCondition, Sha1, Side, SortedSetChange, Stamp, State, Tenure, Token,
    Traces, Value,
};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use wire::{Payload, log};

pub(crate) mod orders;
pub(crate) mod trading;

fn value() -> impl Strategy<Value = Arc<[u8]>> {
    prop_oneof![9 => vec(any::<u8>(), 0..20), 1 => vec(any::<u8>(), 2000)].prop_map(Arc::from)
}

fn key() -> impl Strategy<Value = Key> {
    (any::<u8>(), vec(any::<u8>(), 0..6)).prop_map(|(database, name)| Key::new(database, name))
}

fn token() -> impl Strategy<Value = Token> {
    (0..1_u64 << 53).prop_map(|token| Token::from_u64(token).expect("below 2^53"))
}

fn node() -> impl Strategy<Value = NodeId> {
    prop_oneof![1_u64..5, any::<u64>()].prop_map(NodeId)
}

fn time() -> impl Strategy<Value = LogTime> {
    any::<u64>().prop_map(LogTime::from_ns)
}

pub(crate) fn audit() -> impl Strategy<Value = Audit> {
    (any::<i64>(), ".{0,8}", ".{0,8}", ".{0,8}", ".{0,8}").prop_map(
        |(wall_ms, actor, action, subject, reason)| Audit { wall_ms, actor, action, subject, reason },
    )
}

pub(crate) fn history_record() -> impl Strategy<Value = HistoryRecord> {
    let what = prop_oneof![
        audit().prop_map(Recorded::Audit),
        orders::order().prop_map(|order| Recorded::Order(Arc::new(order))),
    ];
    (any::<u64>(), any::<u64>(), time(), what).prop_map(|(serial, term, time, what)| HistoryRecord {
        serial: Serial(serial),
        term,
        time,
        what,
    })
}

fn script() -> impl Strategy<Value = Script> {
    value().prop_map(Script::new)
}

fn request_id() -> impl Strategy<Value = RequestId> {
    prop_oneof![
        any::<[u8; 16]>().prop_map(RequestId::Client),
        any::<(u64, u64)>().prop_map(|(incarnation, sequence)| RequestId::Node { incarnation, sequence }),
    ]
}

fn once() -> impl Strategy<Value = Once> {
    (request_id(), time()).prop_map(|(id, valid_until)| Once { id, valid_until })
}

fn expiry() -> impl Strategy<Value = Expiry> {
    prop_oneof![
        Just(Expiry::Keep),
        Just(Expiry::Never),
        any::<i64>().prop_map(Expiry::InMs),
        any::<i64>().prop_map(Expiry::LaterByMs),
        any::<i64>().prop_map(Expiry::AtWallMs),
    ]
}

fn set_condition() -> impl Strategy<Value = SetCondition> {
    prop_oneof![
        Just(SetCondition::Always),
        Just(SetCondition::IfAbsent),
        Just(SetCondition::IfPresent),
        value().prop_map(SetCondition::IfEqual),
        value().prop_map(SetCondition::IfNotEqual),
    ]
}

fn expire_condition() -> impl Strategy<Value = ExpireCondition> {
    prop::sample::select(vec![
        ExpireCondition::Always,
        ExpireCondition::HasNoEnd,
        ExpireCondition::HasEnd,
        ExpireCondition::Later,
        ExpireCondition::Earlier,
        ExpireCondition::HasEndAndLater,
        ExpireCondition::HasEndAndEarlier,
    ])
}

fn tenure() -> impl Strategy<Value = Tenure> {
    let who = (any::<u64>(), node(), option::of(node()), prop::sample::select(Cause::ALL.to_vec()));
    (who, any::<[u64; 5]>(), any::<i64>()).prop_map(|((term, node, from, cause), offsets, wall_ms)| {
        let [detected_ms, elected_ms, applied_ms, reconciled_ms, active_ms] = offsets;
        Tenure {
            term,
            node,
            from,
            cause,
            detected_ms,
            elected_ms,
            applied_ms,
            reconciled_ms,
            active_ms,
            wall_ms,
        }
    })
}

/// Any action but `Members`, which is never encoded as a command.
fn action() -> BoxedStrategy<Action> {
    let keys =
        prop_oneof![
            (key(), value(), set_condition(), expiry(), any::<bool>()).prop_map(
                |(key, value, condition, expiry, previous)| Action::Set {
                    key,
                    value,
                    condition,
                    expiry,
                    previous
                }
            ),
            (vec((key(), value()), 0..4), any::<bool>())
                .prop_map(|(pairs, if_none_exist)| Action::SetMany { pairs, if_none_exist }),
            (vec(key(), 0..4), option::of(value()))
                .prop_map(|(keys, holder)| Action::Remove { keys, holder }),
            key().prop_map(|key| Action::Take { key }),
            (key(), expiry(), expire_condition(), option::of(value())).prop_map(
                |(key, expiry, condition, holder)| Action::Expire { key, expiry, condition, holder }
            ),
            (key(), expiry()).prop_map(|(key, expiry)| Action::Touch { key, expiry }),
            (key(), any::<i64>()).prop_map(|(key, by)| Action::Increment { key, by }),
            (key(), key(), any::<bool>(), any::<bool>())
                .prop_map(|(from, to, if_absent, moves)| Action::Copy { from, to, if_absent, moves }),
            (key(), alteration()).prop_map(|(key, alteration)| Action::Alter { key, alteration }),
            (option::of(any::<u8>()), audit())
                .prop_map(|(database, audit)| Action::Flush { database, audit: Box::new(audit) }),
        ];
    let leases = prop_oneof![
        (key(), value(), any::<u64>(), any::<bool>())
            .prop_map(|(key, holder, ttl_ms, take_over)| Action::Acquire { key, holder, ttl_ms, take_over }),
        (key(), value(), option::of(token()), option::of(any::<u64>()))
            .prop_map(|(key, holder, token, ttl_ms)| Action::Renew { key, holder, token, ttl_ms }),
        (key(), value(), option::of(token())).prop_map(|(key, holder, token)| Action::Release {
            key,
            holder,
            token
        }),
    ];
    let cluster =
        prop_oneof![
            Just(Action::Tick),
            audit().prop_map(|audit| Action::ReserveNode { audit: Box::new(audit) }),
            tenure().prop_map(|tenure| Action::RecordTenure(Box::new(tenure))),
            Just(Action::Checkpoint),
            (node(), any::<u64>(), any::<u128>())
                .prop_map(|(node, checkpoint, digest)| Action::ReportDigest { node, checkpoint, digest }),
            audit().prop_map(|audit| Action::Audit(Box::new(audit))),
        ];
    let publish = (value(), value(), any::<bool>())
        .prop_map(|(channel, message, sharded)| Action::Publish(Published { channel, message, sharded }));
    let scripts = prop_oneof![script().prop_map(Action::LoadScript), Just(Action::FlushScripts)];
    let order = orders::order_action().prop_map(|action| Action::Order(Box::new(action)));
    let trading = trading::trading_action().prop_map(|action| Action::Trading(Box::new(action)));
    let parts = prop_oneof![8 => keys, 3 => leases, 1 => publish, 1 => scripts, 4 => order].boxed();
    let transaction = (vec(guard(), 0..4), vec(parts.clone(), 0..4))
        .prop_map(|(guards, actions)| Action::Transaction { guards, actions });
    prop_oneof![14 => parts, 6 => cluster, 3 => trading, 2 => transaction].boxed()
}

fn alteration() -> impl Strategy<Value = Alteration> {
    let side = || prop_oneof![Just(Side::Left), Just(Side::Right)];
    let values = || vec(value(), 0..4);
    let hash = prop_oneof![
        (vec((value(), value()), 0..4), any::<bool>())
            .prop_map(|(fields, if_absent)| HashChange::Set { fields, if_absent }),
        values().prop_map(|fields| HashChange::Remove { fields }),
        (value(), any::<i64>()).prop_map(|(field, by)| HashChange::Increment { field, by }),
    ];
    let list = prop_oneof![
        (side(), values(), any::<bool>()).prop_map(|(side, elements, if_present)| ListChange::Push {
            side,
            elements,
            if_present
        }),
        (side(), any::<u64>()).prop_map(|(side, count)| ListChange::Pop { side, count }),
        (value(), any::<i64>()).prop_map(|(element, count)| ListChange::Remove { element, count }),
        (any::<i64>(), value()).prop_map(|(index, element)| ListChange::Set { index, element }),
        any::<(i64, i64)>().prop_map(|(start, stop)| ListChange::Trim { start, stop }),
    ];
    let set = prop_oneof![
        values().prop_map(|members| SetChange::Add { members }),
        values().prop_map(|members| SetChange::Remove { members }),
    ];
    let condition = || prop::sample::select(ScoreCondition::ALL.to_vec());
    let bound = || (score(), any::<bool>()).prop_map(|(score, excluded)| ScoreBound { score, excluded });
    let sorted_set = prop_oneof![
        (vec((score(), value()), 0..4), condition(), any::<bool>()).prop_map(
            |(members, condition, counts_changed)| SortedSetChange::Add {
                members,
                condition,
                counts_changed
            }
        ),
        (value(), score(), condition()).prop_map(|(member, by, condition)| SortedSetChange::Increment {
            member,
            by,
            condition
        }),
        values().prop_map(|members| SortedSetChange::Remove { members }),
        (bound(), bound())
            .prop_map(|(min, max)| SortedSetChange::RemoveByScore { range: ScoreRange { min, max } }),
        any::<(i64, i64)>().prop_map(|(start, stop)| SortedSetChange::RemoveByRank { start, stop }),
        any::<(bool, u64)>().prop_map(|(greatest, count)| SortedSetChange::Pop { greatest, count }),
    ];
    prop_oneof![
        hash.prop_map(Alteration::Hash),
        list.prop_map(Alteration::List),
        set.prop_map(Alteration::Set),
        sorted_set.prop_map(Alteration::SortedSet),
    ]
}

fn score() -> impl Strategy<Value = Score> {
    any::<f64>().prop_filter_map("not a number", Score::new)
}

/// What a key may hold.
fn held() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => value().prop_map(Value::from),
        1 => vec((value(), value()), 1..5).prop_map(|fields| fields.into_iter().collect::<domain::Hash>().into()),
        1 => vec(value(), 1..5).prop_map(|elements| elements.into_iter().collect::<domain::List>().into()),
        1 => vec((value(), Just(())), 1..5)
            .prop_map(|members| members.into_iter().collect::<domain::Set>().into()),
        1 => vec((score(), value()), 1..5)
            .prop_map(|members| members.into_iter().collect::<domain::SortedSet>().into()),
    ]
}

fn guard() -> impl Strategy<Value = Guard> {
    prop_oneof![
        (key(), any::<u64>()).prop_map(|(key, as_of)| Guard::Key { key, as_of: Serial(as_of) }),
        (any::<u8>(), any::<u64>())
            .prop_map(|(database, as_of)| Guard::Database { database, as_of: Serial(as_of) }),
    ]
}

fn traces() -> impl Strategy<Value = Traces> {
    let serial = || any::<u64>().prop_map(Serial);
    let places = (btree_map(any::<u16>(), serial(), 0..4), btree_map(any::<u8>(), serial(), 0..4));
    (serial(), places).prop_map(|(since, (removals, databases))| Traces { since, removals, databases })
}

pub(crate) fn command() -> impl Strategy<Value = Command> {
    (option::of(once()), action()).prop_map(|(once, action)| Command { once, action })
}

fn lease() -> impl Strategy<Value = Lease> {
    (value(), token(), option::of(any::<u64>()), option::of(any::<u64>()))
        .prop_map(|(holder, token, ttl_ms, remaining_ms)| Lease { holder, token, ttl_ms, remaining_ms })
}

pub(crate) const REFUSALS: [Refusal; 14] = [
    Refusal::StaleStamp,
    Refusal::Late,
    Refusal::Overload,
    Refusal::Full,
    Refusal::NotAnInteger,
    Refusal::Overflow,
    Refusal::TooLarge,
    Refusal::InvalidTtl,
    Refusal::WallClock,
    Refusal::NotOnKeys,
    Refusal::WrongKind,
    Refusal::NoSuchKey,
    Refusal::OutOfRange,
    Refusal::NotANumber,
];

fn answer() -> BoxedStrategy<Answer> {
    let one = one_answer().boxed();
    let all = vec(one.clone(), 0..4).prop_map(Answer::All);
    prop_oneof![9 => one, 1 => all, 1 => Just(Answer::Conflict)].boxed()
}

fn one_answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        Just(Answer::Done),
        prop::sample::select(REFUSALS.to_vec()).prop_map(Answer::Refused),
        (any::<bool>(), option::of(option::of(value())))
            .prop_map(|(written, previous)| Answer::Set { written, previous }),
        any::<u64>().prop_map(Answer::Count),
        any::<bool>().prop_map(Answer::Changed),
        option::of(value()).prop_map(Answer::Value),
        any::<i64>().prop_map(Answer::Integer),
        (any::<bool>(), option::of(lease())).prop_map(|(granted, lease)| Answer::Lease { granted, lease }),
        node().prop_map(Answer::Node),
        option::of(vec(value(), 0..4)).prop_map(Answer::Values),
        option::of(score()).prop_map(Answer::Score),
        vec((score(), value()), 0..4).prop_map(Answer::Scored),
        orders::order_answer().prop_map(|answer| Answer::Order(Box::new(answer))),
        trading::trading_answer().prop_map(|answer| Answer::Trading(Box::new(answer))),
    ]
}

fn made() -> impl Strategy<Value = Made> {
    any::<(u64, u64, u64)>().prop_map(|(serial, index, term)| Made { serial: Serial(serial), index, term })
}

pub(crate) fn outcome() -> impl Strategy<Value = Outcome> {
    (made(), any::<bool>(), answer()).prop_map(|(made, repeated, answer)| Outcome { made, repeated, answer })
}

fn membership() -> impl Strategy<Value = log::Membership> {
    let set = vec(any::<u64>(), 0..4).prop_map(|ids| log::NodeSet { ids });
    let node = (any::<u64>(), "[a-z]{0,4}", "[a-z]{0,4}:[0-9]{0,2}").prop_map(|(id, name, peer)| log::Node {
        id,
        name,
        peer,
        ..log::Node::default()
    });
    (vec(set, 0..3), vec(node, 0..4)).prop_map(|(configs, nodes)| log::Membership { configs, nodes })
}

pub(crate) fn payload() -> impl Strategy<Value = Payload> {
    let stamp = (any::<u64>(), time()).prop_map(|(term, time)| Stamp { term, time });
    prop_oneof![
        1 => Just(Payload::Blank),
        6 => (stamp, vec(command(), 0..5)).prop_map(|(stamp, commands)| Payload::Batch { stamp, commands }),
        2 => membership().prop_map(Payload::Membership),
    ]
}

fn entry() -> impl Strategy<Value = Entry> {
    (held(), token(), any::<u64>(), option::of(time()), option::of(any::<u64>())).prop_map(
        |(value, token, revision, end, ttl_ms)| Entry {
            value,
            token,
            revision: Serial(revision),
            end,
            ttl_ms,
        },
    )
}

fn members() -> impl Strategy<Value = Members> {
    let nodes = || btree_set(node(), 0..4);
    (nodes(), nodes(), nodes()).prop_map(|(voters, learners, known)| Members { voters, learners, known })
}

fn sealed() -> impl Strategy<Value = SealedHistory> {
    (any::<[u64; 4]>(), any::<u128>()).prop_map(|([number, first, last, records], chain)| SealedHistory {
        number,
        first: Serial(first),
        last: Serial(last),
        records,
        chain,
    })
}

/// An image with whatever in it; its rows are in order, as those of a state are.
pub(crate) fn image() -> BoxedStrategy<Image> {
    let single = (0_u16..512, any::<[u64; 2]>(), time(), members(), any::<u128>(), option::of(traces()));
    let checkpoint = (any::<u64>(), btree_map(node(), any::<u128>(), 0..4))
        .prop_map(|(index, reports)| Checkpoint { index, reports });
    let remembered =
        (made(), answer(), time()).prop_map(|(made, answer, until)| Remembered { made, answer, until });
    let rows = (
        btree_map(key(), entry(), 0..300),
        btree_map(request_id(), remembered, 0..10),
        vec(tenure(), 0..5),
        vec(sealed(), 0..4),
        vec(history_record(), 0..5),
        vec(script(), 0..4),
    );
    let of_trading = (
        option::of(trading::configured()),
        trading::trading(),
        vec(orders::order(), 0..4),
        vec(orders::tombstone(), 0..4),
    );
    (single, checkpoint, rows, of_trading)
        .prop_map(|(single, checkpoint, rows, of_trading)| {
            let (epoch, [serial, flushed], now, members, chain, traces) = single;
            let (keys, outcomes, tenures, sealed, tail, scripts) = rows;
            let scripts: BTreeMap<Sha1, Script> =
                scripts.into_iter().map(|script| (script.sha(), script)).collect();
            let (configured, trading, orders, tombstones) = of_trading;
            let tombstones: BTreeMap<StrategyKey, Tombstone> = tombstones.into_iter().collect();
            Image {
                epoch: Epoch::new(epoch).expect("below 512"),
                serial: Serial(serial),
                now,
                keys: keys.into_iter().collect(),
                traces,
                outcomes: BTreeMap::into_iter(outcomes).collect(),
                members,
                tenures,
                checkpoint,
                sealed,
                tail,
                chain,
                scripts: scripts.into_values().collect(),
                scripts_flushed: Serial(flushed),
                configured,
                trading,
                orders: in_order(orders),
                tombstones: tombstones.into_iter().collect(),
            }
        })
        .boxed()
}

/// By their ids; of two that have an id or a key in common one is left.
fn in_order(orders: Vec<Order>) -> Vec<Arc<Order>> {
    let mut keys = BTreeSet::new();
    let is_new = |order: &Order| order.strategy_key().is_none_or(|key| keys.insert(key));
    let orders: Vec<Order> = orders.into_iter().filter(is_new).collect();
    let by_id: BTreeMap<OrderId, Order> = orders.into_iter().map(|order| (order.id, order)).collect();
    by_id.into_values().map(Arc::new).collect()
}

/// The digest that a state made of this image has.
pub(crate) fn digest_of(image: &Image) -> Digest {
    match State::from_image(image.clone(), Digest(0)) {
        Ok(state) => state.digest(),
        Err(wrong) => wrong.computed,
    }
}
