//! The digest covers every field of the state: change any one, and it is another.
//!
//! A new field does not compile until [`no_field_is_forgotten`] knows it, and then [`CHANGES`] must change it.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::command::Audit;
use domain::image::TradingRecords;
use domain::once::Remembered;
use domain::{
    Answer, Cause, Checkpoint, Digest, Entry, Epoch, Hash, HistoryRecord, Image, Key, Lease, List, LogTime,
    Made, Members, NodeId, Recorded, Refusal, RequestId, Score, Script, SealedHistory, Serial, Set,
    SortedSet, State, Tenure, Token, Traces, Value,
};

use crate::desk_digest;

/// The digest of the state that is this image.
fn digest_of(image: &Image) -> Digest {
    match State::from_image(image.clone(), Digest(0)) {
        Ok(state) => state.digest(),
        Err(wrong) => {
            assert_eq!(wrong.recorded, Digest(0));
            wrong.computed
        }
    }
}

type Change = (&'static str, fn(&mut Image));

fn hash(fields: &[(&[u8], &[u8])]) -> Value {
    fields.iter().map(|(field, value)| ((*field).into(), (*value).into())).collect::<Hash>().into()
}

fn list(elements: &[&[u8]]) -> Value {
    elements.iter().map(|element| Arc::<[u8]>::from(*element)).collect::<List>().into()
}

fn set(members: &[&[u8]]) -> Value {
    members.iter().map(|member| (Arc::<[u8]>::from(*member), ())).collect::<Set>().into()
}

fn sorted_set(members: &[(f64, &[u8])]) -> Value {
    let scored = |(score, member): &(f64, &[u8])| (Score::new(*score).expect("a number"), (*member).into());
    members.iter().map(scored).collect::<SortedSet>().into()
}

fn holding(name: &[u8], value: Value) -> (Key, Entry) {
    let (token, revision) = (Token::from_u64(26).expect("small"), Serial(27));
    (Key::new(3, name), Entry { value, token, revision, end: None, ttl_ms: None })
}

/// Something of everything, and no two numbers the same.
fn full_image() -> Image {
    let mut image = image_without_trading();
    desk_digest::fill(&mut image);
    image
}

fn image_without_trading() -> Image {
    let made = Made { serial: Serial(3), index: 4, term: 2 };
    let audit = |name: &str| Audit {
        wall_ms: 17,
        actor: format!("{name} actor"),
        action: format!("{name} action"),
        subject: format!("{name} subject"),
        reason: format!("{name} reason"),
    };
    let record = |serial| HistoryRecord {
        serial: Serial(serial),
        term: 2,
        time: LogTime::from_ms(1),
        what: Recorded::Audit(audit("tail")),
    };
    let remembered = |answer| Remembered { made, answer, until: LogTime::from_ms(77) };
    Image {
        epoch: Epoch::new(1).expect("small"),
        serial: Serial(99),
        now: LogTime::from_ms(50),
        keys: vec![
            (
                Key::new(1, *b"key"),
                Entry {
                    value: (*b"value").into(),
                    token: Token::from_u64(21).expect("small"),
                    revision: Serial(22),
                    end: Some(LogTime::from_ms(60)),
                    ttl_ms: Some(23),
                },
            ),
            (
                Key::new(2, *b"key"),
                Entry {
                    value: (*b"other").into(),
                    token: Token::from_u64(24).expect("small"),
                    revision: Serial(25),
                    end: None,
                    ttl_ms: None,
                },
            ),
            holding(b"hash", hash(&[(b"f", b"v"), (b"g", b"w")])),
            holding(b"list", list(&[b"a", b"b"])),
            holding(b"set", set(&[b"a", b"b"])),
            holding(b"sorted set", sorted_set(&[(1.0, b"a"), (2.0, b"b")])),
        ],
        traces: Some(Traces {
            since: Serial(91),
            removals: BTreeMap::from([(92, Serial(93))]),
            databases: BTreeMap::from([(94, Serial(95))]),
        }),
        outcomes: vec![
            (RequestId::Client([1; 16]), remembered(Answer::Count(1))),
            (RequestId::Node { incarnation: 31, sequence: 32 }, remembered(Answer::Done)),
        ],
        members: Members {
            voters: [1, 2, 3].map(NodeId).into(),
            learners: [4].map(NodeId).into(),
            known: [1, 2, 3, 4, 5].map(NodeId).into(),
        },
        tenures: vec![Tenure {
            term: 2,
            node: NodeId(1),
            from: Some(NodeId(3)),
            cause: Cause::Crash,
            detected_ms: 41,
            elected_ms: 42,
            applied_ms: 43,
            reconciled_ms: 44,
            active_ms: 45,
            wall_ms: 46,
        }],
        checkpoint: Checkpoint { index: 51, reports: BTreeMap::from([(NodeId(1), 52)]) },
        sealed: vec![SealedHistory {
            number: 1,
            first: Serial(61),
            last: Serial(62),
            records: 63,
            chain: 64,
        }],
        tail: vec![record(71), record(72)],
        chain: 81,
        scripts: vec![Script::new(*b"c"), Script::new(*b"ab")],
        scripts_flushed: Serial(85),
        configured: None,
        trading: TradingRecords::default(),
        orders: Vec::new(),
        tombstones: Vec::new(),
    }
}

const CHANGES: &[Change] = &[
    ("epoch", |image| image.epoch = Epoch::default()),
    ("serial", |image| image.serial = Serial(100)),
    ("now", |image| image.now = LogTime::from_ms(51)),
    ("chain", |image| image.chain += 1),
    ("key removed", |image| drop(image.keys.pop())),
    ("key.database", |image| image.keys[0].0.database = 0),
    ("key.name", |image| image.keys[0].0.name = (*b"kez").into()),
    ("key.name, one byte to the value", |image| {
        image.keys[0].0.name = (*b"ke").into();
        image.keys[0].1.value = (*b"yvalue").into();
    }),
    ("key.value", |image| image.keys[0].1.value = (*b"valuf").into()),
    ("key.value, longer", |image| image.keys[0].1.value = (*b"value\0").into()),
    ("key.token", |image| image.keys[0].1.token = Token::from_u64(20).expect("small")),
    ("key.revision", |image| image.keys[0].1.revision = Serial(23)),
    ("key.end", |image| image.keys[0].1.end = Some(LogTime::from_ms(61))),
    ("key.end, none", |image| image.keys[0].1.end = None),
    ("key.end, zero instead of none", |image| image.keys[1].1.end = Some(LogTime::ZERO)),
    ("key.ttl", |image| image.keys[0].1.ttl_ms = Some(24)),
    ("key.ttl, none", |image| image.keys[0].1.ttl_ms = None),
    ("key.ttl, zero instead of none", |image| image.keys[1].1.ttl_ms = Some(0)),
    ("the values of two keys, exchanged", |image| {
        let value = image.keys[0].1.value.clone();
        image.keys[0].1.value = std::mem::replace(&mut image.keys[1].1.value, value);
    }),
    ("hash.value", |image| image.keys[2].1.value = hash(&[(b"f", b"v"), (b"g", b"v")])),
    ("hash.field", |image| image.keys[2].1.value = hash(&[(b"f", b"v"), (b"h", b"w")])),
    ("hash, the order", |image| image.keys[2].1.value = hash(&[(b"g", b"w"), (b"f", b"v")])),
    ("hash, one byte to the value", |image| image.keys[2].1.value = hash(&[(b"", b"fv"), (b"g", b"w")])),
    ("hash, a field less", |image| image.keys[2].1.value = hash(&[(b"f", b"v")])),
    ("hash, as a list", |image| image.keys[2].1.value = list(&[b"f", b"v", b"g", b"w"])),
    ("list.element", |image| image.keys[3].1.value = list(&[b"a", b"c"])),
    ("list, the order", |image| image.keys[3].1.value = list(&[b"b", b"a"])),
    ("list, one byte to the next element", |image| image.keys[3].1.value = list(&[b"", b"ab"])),
    ("list, an element less", |image| image.keys[3].1.value = list(&[b"a"])),
    ("list, as a hash", |image| image.keys[3].1.value = hash(&[(b"a", b"b")])),
    ("list, as a string", |image| image.keys[3].1.value = (*b"ab").into()),
    ("list, as a set", |image| image.keys[3].1.value = set(&[b"a", b"b"])),
    ("set.member", |image| image.keys[4].1.value = set(&[b"a", b"c"])),
    ("set, the order", |image| image.keys[4].1.value = set(&[b"b", b"a"])),
    ("set, a member less", |image| image.keys[4].1.value = set(&[b"a"])),
    ("set, as a list", |image| image.keys[4].1.value = list(&[b"a", b"b"])),
    ("sorted set.member", |image| image.keys[5].1.value = sorted_set(&[(1.0, b"a"), (2.0, b"c")])),
    ("sorted set.score", |image| image.keys[5].1.value = sorted_set(&[(1.0, b"a"), (2.5, b"b")])),
    ("sorted set, a member less", |image| image.keys[5].1.value = sorted_set(&[(1.0, b"a")])),
    ("sorted set, as a set", |image| image.keys[5].1.value = set(&[b"a", b"b"])),
    ("no traces", |image| image.traces = None),
    ("traces.since", |image| traces(image).since = Serial(90)),
    ("traces.removals", |image| traces(image).removals.clear()),
    ("traces.removals, the bucket", |image| {
        traces(image).removals = BTreeMap::from([(91, Serial(93))]);
    }),
    ("traces.removals, the serial", |image| {
        traces(image).removals = BTreeMap::from([(92, Serial(94))]);
    }),
    ("traces.databases", |image| traces(image).databases.clear()),
    ("traces.databases, the database", |image| {
        traces(image).databases = BTreeMap::from([(93, Serial(95))]);
    }),
    ("traces.databases, the serial", |image| {
        traces(image).databases = BTreeMap::from([(94, Serial(96))]);
    }),
    ("script removed", |image| drop(image.scripts.pop())),
    ("script.source", |image| image.scripts[1] = Script::new(*b"d")),
    ("script.source, one byte to the other", |image| {
        image.scripts = vec![Script::new(*b"a"), Script::new(*b"bc")];
    }),
    ("no scripts", |image| image.scripts.clear()),
    ("scripts.flushed", |image| image.scripts_flushed = Serial(84)),
    ("scripts.flushed, never", |image| image.scripts_flushed = Serial(0)),
    ("no scripts, and never flushed", |image| {
        image.scripts.clear();
        image.scripts_flushed = Serial(0);
    }),
    ("outcome removed", |image| drop(image.outcomes.pop())),
    ("outcome.id of a client", |image| image.outcomes[0].0 = RequestId::Client([2; 16])),
    ("outcome.id of a node, its incarnation", |image| {
        image.outcomes[1].0 = RequestId::Node { incarnation: 30, sequence: 32 };
    }),
    ("outcome.id of a node, its sequence", |image| {
        image.outcomes[1].0 = RequestId::Node { incarnation: 31, sequence: 33 };
    }),
    ("outcome.serial", |image| image.outcomes[0].1.made.serial = Serial(4)),
    ("outcome.index", |image| image.outcomes[0].1.made.index = 5),
    ("outcome.term", |image| image.outcomes[0].1.made.term = 3),
    ("outcome.until", |image| image.outcomes[0].1.until = LogTime::from_ms(78)),
    ("voter", |image| {
        image.members.voters.pop_last();
    }),
    ("learner", |image| {
        image.members.learners.pop_last();
    }),
    ("known", |image| {
        image.members.known.pop_last();
    }),
    ("a voter made a learner", |image| {
        image.members.voters.remove(&NodeId(3));
        image.members.learners.insert(NodeId(3));
    }),
    ("tenure removed", |image| image.tenures.clear()),
    ("tenure.term", |image| image.tenures[0].term += 1),
    ("tenure.node", |image| image.tenures[0].node = NodeId(2)),
    ("tenure.from", |image| image.tenures[0].from = Some(NodeId(2))),
    ("tenure.from, none", |image| image.tenures[0].from = None),
    ("tenure.from, zero", |image| image.tenures[0].from = Some(NodeId(0))),
    ("tenure.cause", |image| image.tenures[0].cause = Cause::Drain),
    ("tenure.detected", |image| image.tenures[0].detected_ms += 1),
    ("tenure.elected", |image| image.tenures[0].elected_ms += 1),
    ("tenure.applied", |image| image.tenures[0].applied_ms += 1),
    ("tenure.reconciled", |image| image.tenures[0].reconciled_ms += 1),
    ("tenure.active", |image| image.tenures[0].active_ms += 1),
    ("tenure.wall", |image| image.tenures[0].wall_ms += 1),
    ("checkpoint.index", |image| image.checkpoint.index += 1),
    ("checkpoint.report removed", |image| image.checkpoint.reports.clear()),
    ("checkpoint.report of another", |image| {
        image.checkpoint.reports = BTreeMap::from([(NodeId(2), 52)]);
    }),
    ("checkpoint.report of another digest", |image| {
        image.checkpoint.reports = BTreeMap::from([(NodeId(1), 53)]);
    }),
    ("sealed removed", |image| image.sealed.clear()),
    ("sealed.number", |image| image.sealed[0].number += 1),
    ("sealed.first", |image| image.sealed[0].first = Serial(60)),
    ("sealed.last", |image| image.sealed[0].last = Serial(63)),
    ("sealed.records", |image| image.sealed[0].records += 1),
    ("sealed.chain", |image| image.sealed[0].chain += 1),
    ("tail removed", |image| drop(image.tail.pop())),
    ("tail, the order", |image| image.tail.reverse()),
    ("tail.serial", |image| image.tail[0].serial = Serial(70)),
    ("tail.term", |image| image.tail[0].term += 1),
    ("tail.time", |image| image.tail[0].time = LogTime::from_ms(2)),
    ("tail.wall", |image| tail_audit(image).wall_ms += 1),
    ("tail.actor", |image| tail_audit(image).actor.push('.')),
    ("tail.action", |image| tail_audit(image).action.push('.')),
    ("tail.subject", |image| tail_audit(image).subject.push('.')),
    ("tail.reason", |image| tail_audit(image).reason.push('.')),
    ("tail, one letter to the next text", |image| {
        let letter = tail_audit(image).actor.pop().expect("it is not empty");
        tail_audit(image).action.insert(0, letter);
    }),
];

fn tail_audit(image: &mut Image) -> &mut Audit {
    match &mut image.tail[0].what {
        Recorded::Audit(audit) => audit,
        Recorded::Order(order) => panic!("order {} is no audit record", order.id),
    }
}

fn traces(image: &mut Image) -> &mut Traces {
    image.traces.as_mut().expect("the full image has them")
}

#[test]
fn every_field_changes_the_digest() {
    let mut seen = BTreeMap::from([(digest_of(&full_image()), "the image as it is")]);
    for (name, change) in CHANGES.iter().chain(desk_digest::CHANGES) {
        let mut image = full_image();
        change(&mut image);
        assert_ne!(image, full_image(), "{name} changes nothing");
        // Of two changes neither may give the digest of the other.
        if let Some(other) = seen.insert(digest_of(&image), name) {
            panic!("{name} gives the same digest as {other}");
        }
    }
}

/// Every answer that differs in one field from another, in a remembered outcome.
#[test]
fn every_field_of_an_answer_changes_the_digest() {
    let lease = |holder: &[u8], token, ttl_ms, remaining_ms| {
        let token = Token::from_u64(token).expect("small");
        Some(Lease { holder: holder.into(), token, ttl_ms, remaining_ms })
    };
    let mut answers = vec![
        Answer::Done,
        Answer::Set { written: true, previous: None },
        Answer::Set { written: false, previous: None },
        Answer::Set { written: true, previous: Some(None) },
        Answer::Set { written: true, previous: Some(Some((*b"").into())) },
        Answer::Set { written: true, previous: Some(Some((*b"v").into())) },
        Answer::Count(0),
        Answer::Count(1),
        Answer::Changed(false),
        Answer::Changed(true),
        Answer::Value(None),
        Answer::Value(Some((*b"").into())),
        Answer::Value(Some((*b"v").into())),
        Answer::Integer(0),
        Answer::Integer(1),
        Answer::Integer(-1),
        Answer::Lease { granted: false, lease: None },
        Answer::Lease { granted: true, lease: None },
        Answer::Lease { granted: true, lease: lease(b"a", 1, Some(2), Some(3)) },
        Answer::Lease { granted: false, lease: lease(b"a", 1, Some(2), Some(3)) },
        Answer::Lease { granted: true, lease: lease(b"b", 1, Some(2), Some(3)) },
        Answer::Lease { granted: true, lease: lease(b"a", 2, Some(2), Some(3)) },
        Answer::Lease { granted: true, lease: lease(b"a", 1, Some(3), Some(3)) },
        Answer::Lease { granted: true, lease: lease(b"a", 1, None, Some(3)) },
        Answer::Lease { granted: true, lease: lease(b"a", 1, Some(2), Some(2)) },
        Answer::Lease { granted: true, lease: lease(b"a", 1, Some(2), None) },
        Answer::Node(NodeId(0)),
        Answer::Node(NodeId(1)),
        Answer::All(vec![]),
        Answer::All(vec![Answer::Done]),
        Answer::All(vec![Answer::Done, Answer::Done]),
        Answer::All(vec![Answer::Count(1)]),
        Answer::Conflict,
        Answer::Values(None),
        Answer::Values(Some(vec![])),
        Answer::Values(Some(vec![(*b"ab").into()])),
        Answer::Values(Some(vec![(*b"a").into(), (*b"b").into()])),
        Answer::Score(None),
        Answer::Score(Score::new(0.0)),
        Answer::Score(Score::new(1.0)),
        Answer::Scored(vec![]),
        Answer::Scored(vec![(Score::new(1.0).expect("a number"), (*b"a").into())]),
        Answer::Scored(vec![(Score::new(2.0).expect("a number"), (*b"a").into())]),
        Answer::Scored(vec![(Score::new(1.0).expect("a number"), (*b"b").into())]),
    ];
    answers.extend(REFUSALS.map(Answer::Refused));
    answers.extend(desk_digest::answers());
    let mut seen = BTreeMap::new();
    for answer in answers {
        let mut image = full_image();
        image.outcomes[0].1.answer = answer.clone();
        if let Some(other) = seen.insert(digest_of(&image), answer.clone()) {
            panic!("{answer:?} gives the same digest as {other:?}");
        }
    }
}

const REFUSALS: [Refusal; 14] = [
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

#[test]
fn an_image_becomes_the_state_that_it_was_made_of() {
    let image = full_image();
    let digest = digest_of(&image);
    let state = State::from_image(image.clone(), digest).unwrap();
    assert_eq!(state.image(), image);
    assert_eq!(state.digest(), digest);
}

#[test]
fn an_image_with_another_digest_is_refused() {
    let image = full_image();
    let digest = digest_of(&image);
    for bit in 0..128 {
        let recorded = Digest(digest.0 ^ (1 << bit));
        let wrong = State::from_image(image.clone(), recorded).unwrap_err();
        assert_eq!((wrong.recorded, wrong.computed), (recorded, digest));
    }
}

/// Does nothing; it stops compiling when a field is added, which [`CHANGES`] must then change.
#[expect(dead_code, reason = "it is only compiled")]
fn no_field_is_forgotten(image: Image) {
    desk_digest::no_field_is_forgotten(image.clone());
    let Image {
        epoch: _,
        serial: _,
        now: _,
        keys,
        traces,
        outcomes,
        members,
        tenures,
        checkpoint,
        sealed,
        tail,
        chain: _,
        scripts: _,
        scripts_flushed: _,
        configured: _,
        trading: _,
        orders: _,
        tombstones: _,
    } = image;
    for (Key { database: _, name: _ }, Entry { value: _, token: _, revision: _, end: _, ttl_ms: _ }) in keys {
    }
    if let Some(Traces { since: _, removals: _, databases: _ }) = traces {}
    for (_, Remembered { made: Made { serial: _, index: _, term: _ }, answer: _, until: _ }) in outcomes {}
    let Members { voters: _, learners: _, known: _ } = members;
    for Tenure {
        term: _,
        node: _,
        from: _,
        cause: _,
        detected_ms: _,
        elected_ms: _,
        applied_ms: _,
        reconciled_ms: _,
        active_ms: _,
        wall_ms: _,
    } in tenures
    {}
    let Checkpoint { index: _, reports: _ } = checkpoint;
    for SealedHistory { number: _, first: _, last: _, records: _, chain: _ } in sealed {}
    for HistoryRecord { serial: _, term: _, time: _, what } in tail {
        if let Recorded::Audit(Audit { wall_ms: _, actor: _, action: _, subject: _, reason: _ }) = what {}
    }
}
