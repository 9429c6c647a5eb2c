//! The encoding of each format version, byte by byte. It is on disks: a change here needs a new version.

use domain::command::Audit;
use domain::once::Remembered;
use domain::{
    Action, Alteration, Answer, Cause, Checkpoint, Command, Digest, Entry, Epoch, ExpireCondition, Expiry,
    Guard, HashChange, HistoryRecord, Image, Key, ListChange, LogTime, Made, Members, NodeId, Once,
    Published, Recorded, Refusal, RequestId, Score, ScoreBound, ScoreCondition, ScoreRange, Script,
    SealedHistory, Serial, SetChange, SetCondition, Side, SortedSetChange, Stamp, Tenure, Token, Traces,
    Value,
};
use std::sync::Arc;

use wire::Payload;

pub(crate) fn batch(commands: Vec<Command>) -> Payload {
    Payload::Batch { stamp: Stamp { term: 2, time: LogTime::from_ms(1) }, commands }
}

fn tenure() -> Tenure {
    Tenure {
        term: 2,
        node: NodeId(3),
        from: Some(NodeId(1)),
        cause: Cause::Drain,
        detected_ms: 1,
        elected_ms: 2,
        applied_ms: 3,
        reconciled_ms: 4,
        active_ms: 5,
        wall_ms: 6,
    }
}

/// One payload of each kind, and one batch for each kind of command.
fn payloads() -> Vec<(&'static str, Payload)> {
    let key = || Key::new(1, *b"k");
    let token = Token::from_u64(9);
    let audit = || {
        let text = |text: &str| text.to_owned();
        Box::new(Audit {
            wall_ms: -1,
            actor: text("a"),
            action: text("b"),
            subject: text("c"),
            reason: text("d"),
        })
    };
    let valid_until = LogTime::from_ms(2);
    let client = Once { id: RequestId::Client([7; 16]), valid_until };
    let node = Once { id: RequestId::Node { incarnation: 5, sequence: 6 }, valid_until };
    let actions = vec![
        ("tick", Action::Tick),
        (
            "set",
            Action::Set {
                key: key(),
                value: (*b"v").into(),
                condition: SetCondition::IfEqual((*b"w").into()),
                expiry: Expiry::InMs(10),
                previous: true,
            },
        ),
        ("set-many", Action::SetMany { pairs: vec![(key(), (*b"v").into())], if_none_exist: true }),
        ("remove", Action::Remove { keys: vec![key()], holder: Some((*b"v").into()) }),
        ("take", Action::Take { key: key() }),
        (
            "expire",
            Action::Expire {
                key: key(),
                expiry: Expiry::Never,
                condition: ExpireCondition::HasEndAndEarlier,
                holder: Some((*b"v").into()),
            },
        ),
        ("touch", Action::Touch { key: key(), expiry: Expiry::LaterByMs(-3) }),
        ("increment", Action::Increment { key: key(), by: -2 }),
        ("flush", Action::Flush { database: Some(0), audit: audit() }),
        ("acquire", Action::Acquire { key: key(), holder: (*b"v").into(), ttl_ms: 10, take_over: true }),
        ("renew", Action::Renew { key: key(), holder: (*b"v").into(), token, ttl_ms: Some(10) }),
        ("release", Action::Release { key: key(), holder: (*b"v").into(), token }),
        ("reserve-node", Action::ReserveNode { audit: audit() }),
        ("record-tenure", Action::RecordTenure(Box::new(tenure()))),
        ("checkpoint", Action::Checkpoint),
        ("report-digest", Action::ReportDigest { node: NodeId(2), checkpoint: 8, digest: 0xab }),
        ("audit", Action::Audit(audit())),
    ];
    let mut payloads = vec![
        ("blank", Payload::Blank),
        (
            "membership",
            Payload::Membership(wire::log::Membership {
                configs: vec![wire::log::NodeSet { ids: vec![1, 2] }],
                nodes: vec![wire::log::Node { id: 1, name: "n1".to_owned(), ..Default::default() }],
            }),
        ),
        ("by-client", batch(vec![Command { once: Some(client), action: Action::Tick }])),
        ("by-node", batch(vec![Command { once: Some(node), action: Action::Tick }])),
    ];
    payloads.extend(actions.into_iter().map(|(name, action)| (name, batch(vec![Command::harmless(action)]))));
    payloads
}

/// A state with a row of each kind.
fn image() -> Image {
    let audit = Audit {
        wall_ms: 1,
        actor: "a".to_owned(),
        action: "b".to_owned(),
        subject: String::new(),
        reason: "d".to_owned(),
    };
    let entry = Entry {
        value: (*b"v").into(),
        token: Token::from_u64(9).expect("small"),
        revision: Serial(10),
        end: Some(LogTime::from_ms(3)),
        ttl_ms: Some(2),
    };
    let made = Made { serial: Serial(9), index: 5, term: 2 };
    let lease = entry.lease(LogTime::from_ms(1)).expect("it is a string");
    let granted = Answer::Lease { granted: true, lease: Some(lease) };
    let remembered = Remembered { made, answer: granted, until: LogTime::from_ms(41) };
    let id = RequestId::Node { incarnation: 5, sequence: 6 };
    Image {
        epoch: Epoch::new(1).expect("small"),
        serial: Serial(11),
        now: LogTime::from_ms(1),
        keys: vec![(Key::new(1, *b"k"), entry)],
        traces: None,
        outcomes: vec![(id, remembered)],
        members: Members {
            voters: [NodeId(1), NodeId(2)].into(),
            learners: [NodeId(3)].into(),
            known: [NodeId(1), NodeId(2), NodeId(3)].into(),
        },
        tenures: vec![tenure()],
        checkpoint: Checkpoint { index: 4, reports: [(NodeId(1), 0xcd)].into() },
        sealed: vec![SealedHistory { number: 1, first: Serial(1), last: Serial(2), records: 2, chain: 0xef }],
        tail: vec![HistoryRecord {
            serial: Serial(7),
            term: 2,
            time: LogTime::from_ms(1),
            what: Recorded::Audit(audit),
        }],
        chain: 0xef,
        ..Image::default()
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_encoding_is_the_one_on_disks() {
    let mut now: String = payloads()
        .into_iter()
        .map(|(name, payload)| format!("{name} {}\n", hex(&wire::encode_payload(&payload))))
        .collect();
    let image = image();
    for block in wire::encode_state(&image, Digest(0xab)) {
        now.push_str(&format!("state {}\n", hex(&block)));
    }
    now.push_str(&format!("audit-record {}\n", hex(&wire::encode_history_record(&image.tail[0]))));
    assert_eq!(now, include_str!("format_1.txt"), "the encoding has changed:\n{now}");
}

/// What version 2 has beyond version 1: transactions, copies, messages, scripts …
#[test]
fn the_encoding_of_version_2_is_the_one_on_disks() {
    let key = || Key::new(1, *b"k");
    let guards =
        vec![Guard::Key { key: key(), as_of: Serial(7) }, Guard::Database { database: 3, as_of: Serial(8) }];
    let actions = vec![Action::Take { key: key() }, Action::Increment { key: key(), by: -2 }];
    let transaction = batch(vec![Command::harmless(Action::Transaction { guards, actions })]);
    let made = Made { serial: Serial(9), index: 5, term: 2 };
    let remembered = |sequence, answer| {
        let id = RequestId::Node { incarnation: 5, sequence };
        (id, Remembered { made, answer, until: LogTime::from_ms(41) })
    };
    let image = Image {
        traces: Some(Traces {
            since: Serial(4),
            removals: [(3, Serial(5)), (700, Serial(6))].into(),
            databases: [(1, Serial(6))].into(),
        }),
        outcomes: vec![
            remembered(1, Answer::All(vec![Answer::Count(2), Answer::Refused(Refusal::NotOnKeys)])),
            remembered(2, Answer::Conflict),
        ],
        scripts: vec![Script::new(*b"s")],
        scripts_flushed: Serial(3),
        ..Image::default()
    };
    let mut now = format!("transaction {}\n", hex(&wire::encode_payload(&transaction)));
    let copy = Action::Copy { from: key(), to: Key::new(0, *b"l"), if_absent: true, moves: true };
    now.push_str(&format!("copy {}\n", hex(&wire::encode_payload(&batch(vec![Command::harmless(copy)])))));
    let publish =
        Action::Publish(Published { channel: (*b"c").into(), message: (*b"m").into(), sharded: true });
    now.push_str(&format!(
        "publish {}\n",
        hex(&wire::encode_payload(&batch(vec![Command::harmless(publish)])))
    ));
    for (name, action) in
        [("load-script", Action::LoadScript(Script::new(*b"s"))), ("flush-scripts", Action::FlushScripts)]
    {
        let payload = batch(vec![Command::harmless(action)]);
        now.push_str(&format!("{name} {}\n", hex(&wire::encode_payload(&payload))));
    }
    for block in wire::encode_state(&image, Digest(0xab)) {
        now.push_str(&format!("state {}\n", hex(&block)));
    }
    assert_eq!(now, include_str!("format_2.txt"), "the encoding has changed:\n{now}");
}

fn alterations() -> Vec<(&'static str, Alteration)> {
    let text = |text: &[u8]| Arc::<[u8]>::from(text);
    let elements = vec![text(b"a"), text(b"")];
    let hash = [
        ("hash-set", HashChange::Set { fields: vec![(text(b"f"), text(b"v"))], if_absent: true }),
        ("hash-remove", HashChange::Remove { fields: elements.clone() }),
        ("hash-increment", HashChange::Increment { field: text(b"f"), by: -2 }),
    ];
    let list = [
        ("list-push", ListChange::Push { side: Side::Right, elements, if_present: true }),
        ("list-pop", ListChange::Pop { side: Side::Right, count: 3 }),
        ("list-remove", ListChange::Remove { element: text(b"a"), count: -1 }),
        ("list-set", ListChange::Set { index: -1, element: text(b"b") }),
        ("list-trim", ListChange::Trim { start: 1, stop: -2 }),
    ];
    let score = |number| Score::new(number).expect("a number");
    let bound = |number, excluded| ScoreBound { score: score(number), excluded };
    let set = [
        ("set-add", SetChange::Add { members: vec![text(b"a")] }),
        ("set-remove", SetChange::Remove { members: vec![text(b"a")] }),
    ];
    let condition = ScoreCondition::IfPresentAndLess;
    let sorted_set = [
        (
            "sorted-set-add",
            SortedSetChange::Add { members: vec![(score(1.5), text(b"a"))], condition, counts_changed: true },
        ),
        (
            "sorted-set-increment",
            SortedSetChange::Increment { member: text(b"a"), by: score(-1.0), condition },
        ),
        ("sorted-set-remove", SortedSetChange::Remove { members: vec![text(b"a")] }),
        (
            "sorted-set-remove-by-score",
            SortedSetChange::RemoveByScore {
                range: ScoreRange { min: bound(0.0, false), max: bound(f64::INFINITY, true) },
            },
        ),
        ("sorted-set-remove-by-rank", SortedSetChange::RemoveByRank { start: 1, stop: -2 }),
        ("sorted-set-pop", SortedSetChange::Pop { greatest: true, count: 3 }),
    ];
    let set = set.map(|(name, change)| (name, Alteration::Set(change)));
    let sorted_set = sorted_set.map(|(name, change)| (name, Alteration::SortedSet(change)));
    let hash = hash.map(|(name, change)| (name, Alteration::Hash(change)));
    let list = list.map(|(name, change)| (name, Alteration::List(change)));
    hash.into_iter().chain(list).chain(set).chain(sorted_set).collect()
}

/// … and what is not a string.
#[test]
fn the_encoding_of_elements_is_the_one_on_disks() {
    let text = |text: &[u8]| Arc::<[u8]>::from(text);
    let hash: domain::Hash = [(text(b"g"), text(b"w")), (text(b"f"), text(b"v"))].into_iter().collect();
    let list: domain::List = [text(b"b"), text(b"a")].into_iter().collect();
    let score = |number| Score::new(number).expect("a number");
    let set: domain::Set = [(text(b"b"), ()), (text(b"a"), ())].into_iter().collect();
    let members = [(score(0.0), text(b"b")), (score(0.1), text(b"a"))];
    let sorted_set: domain::SortedSet = members.clone().into_iter().collect();
    let row = |name: &[u8], value: Value| {
        let (token, revision) = (Token::from_u64(9).expect("small"), Serial(10));
        (Key::new(1, name), Entry { value, token, revision, end: None, ttl_ms: None })
    };
    let remembered = |sequence, answer| {
        let made = Made { serial: Serial(9), index: 5, term: 2 };
        let id = RequestId::Node { incarnation: 5, sequence };
        (id, Remembered { made, answer, until: LogTime::from_ms(41) })
    };
    let image = Image {
        keys: vec![
            row(b"h", hash.into()),
            row(b"l", list.into()),
            row(b"s", set.into()),
            row(b"z", sorted_set.into()),
        ],
        outcomes: vec![
            remembered(1, Answer::Values(None)),
            remembered(2, Answer::Values(Some(vec![text(b"a"), text(b"")]))),
            remembered(3, Answer::Refused(Refusal::WrongKind)),
            remembered(4, Answer::Score(None)),
            remembered(5, Answer::Score(Score::new(0.0))),
            remembered(6, Answer::Scored(members.into())),
        ],
        ..Image::default()
    };
    let mut now = String::new();
    for (name, alteration) in alterations() {
        let action = Action::Alter { key: Key::new(1, *b"k"), alteration };
        now.push_str(&format!(
            "{name} {}\n",
            hex(&wire::encode_payload(&batch(vec![Command::harmless(action)])))
        ));
    }
    for block in wire::encode_state(&image, Digest(0xab)) {
        now.push_str(&format!("state {}\n", hex(&block)));
    }
    assert_eq!(now, include_str!("format_2_elements.txt"), "the encoding has changed:\n{now}");
}
