//! What is damaged, unknown or out of place is an error that names it, never a panic and never a default.

use bytes::Bytes;
use domain::{Command, Digest, Image, State};
use proptest::prelude::*;
use proptest::sample::Index;
use prost::Message;
use wire::log::command::Action;
use wire::{DecodeError, FORMAT_VERSION, Payload, StateDecoder, log};

use crate::any;

proptest! {
    /// A cut may fall between two fields and leave another valid message; it must not panic, and what it leaves
    /// must be encodable again.
    #[test]
    fn a_damaged_payload_is_an_error_or_another_payload(
        payload in any::payload(), cut in any::<Index>(), at in any::<Index>(), flip in 1_u8..=255,
    ) {
        let bytes = wire::encode_payload(&payload);
        let mut flipped = bytes.to_vec();
        flipped[at.index(bytes.len())] ^= flip;
        for damaged in [&bytes[..cut.index(bytes.len())], &flipped] {
            if let Ok(other) = wire::decode_payload(damaged) {
                prop_assert_eq!(wire::decode_payload(&wire::encode_payload(&other)).unwrap(), other);
            }
        }
    }

    #[test]
    fn random_bytes_are_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = wire::decode_payload(&bytes);
        let _ = wire::payload_kind(&bytes);
        let _ = wire::decode_history_record(&bytes);
        let _ = log::Outcome::decode(&bytes[..]).map(domain::Outcome::try_from);
        let _ = StateDecoder::new().push(&bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Here a cut is always noticed: the head says how many rows there are.
    #[test]
    fn a_snapshot_cut_short_is_an_error(image in any::image(), cut in any::<Index>()) {
        let bytes = one_block(&image);
        prop_assert!(decode(&[&bytes[..cut.index(bytes.len())]]).is_err());
    }

    #[test]
    fn a_flipped_byte_of_a_snapshot_never_becomes_another_state(
        image in any::image(), at in any::<Index>(), flip in 1_u8..=255,
    ) {
        let mut bytes = one_block(&image);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok((decoded, digest)) = decode(&[&bytes])
            && let Ok(state) = State::from_image(decoded, digest)
        {
            prop_assert_eq!(state.image(), image);
        }
    }
}

fn one_block(image: &Image) -> Vec<u8> {
    wire::encode_state(image, any::digest_of(image)).collect::<Vec<Bytes>>().concat()
}

fn decode(blocks: &[&[u8]]) -> Result<(Image, Digest), DecodeError> {
    let mut decoder = StateDecoder::new();
    for block in blocks {
        decoder.push(block)?;
    }
    decoder.finish()
}

/// A glance at an entry refuses what a whole reading refuses for its version.
fn entry(version: u32, payload: Option<log::entry::Payload>) -> Result<Payload, DecodeError> {
    let bytes = log::Entry { version, payload }.encode_to_vec();
    let decoded = wire::decode_payload(&bytes);
    if !(1..=FORMAT_VERSION).contains(&version) && !bytes.is_empty() {
        assert_eq!(wire::payload_kind(&bytes).err(), decoded.clone().err());
    }
    decoded
}

#[test]
fn a_newer_format_is_an_error_of_its_own() {
    let blank = Some(log::entry::Payload::Blank(log::Blank {}));
    assert_eq!(entry(1, blank.clone()), Ok(Payload::Blank));
    assert_eq!(entry(FORMAT_VERSION, blank.clone()), Ok(Payload::Blank));
    assert_eq!(
        entry(FORMAT_VERSION + 1, blank.clone()),
        Err(DecodeError::NewerFormat { found: FORMAT_VERSION + 1 })
    );
    assert!(matches!(entry(0, blank), Err(DecodeError::Malformed { what: "Entry.version", .. })));
    assert_eq!(wire::decode_payload(&[]).unwrap_err().to_string(), "Entry.version: missing");
}

/// What the error names when `action` is decoded.
pub(crate) fn wrong(action: Option<Action>) -> &'static str {
    what(Command::try_from(log::Command { once: None, action }))
}

pub(crate) fn what<T: std::fmt::Debug>(result: Result<T, DecodeError>) -> &'static str {
    match result {
        Err(DecodeError::Malformed { what, .. }) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_missing_is_named() {
    let key = || Some(log::Key::default());
    let expiry = || Some(domain::Expiry::Keep.into());
    assert_eq!(what(entry(1, None)), "Entry.payload");
    assert_eq!(what(entry(1, Some(log::entry::Payload::Batch(log::Batch::default())))), "Batch.stamp");
    assert_eq!(wrong(None), "Command.action");
    assert_eq!(wrong(Some(Action::Set(log::Set { expiry: expiry(), ..Default::default() }))), "Set.key");
    assert_eq!(wrong(Some(Action::Set(log::Set { key: key(), ..Default::default() }))), "Set.expiry");
    assert_eq!(wrong(Some(Action::Take(log::Take::default()))), "Take.key");
    assert_eq!(wrong(Some(Action::Touch(log::Touch { key: key(), expiry: None }))), "Touch.expiry");
    assert_eq!(wrong(Some(Action::Flush(log::Flush::default()))), "Flush.audit");
    assert_eq!(wrong(Some(Action::ReserveNode(log::ReserveNode::default()))), "ReserveNode.audit");
    let pair = log::Pair { key: None, value: Bytes::new() };
    assert_eq!(
        wrong(Some(Action::SetMany(log::SetMany { pairs: vec![pair], if_none_exist: false }))),
        "Pair.key"
    );
    let nothing = log::Transaction { guards: vec![log::Guard::default()], actions: vec![] };
    assert_eq!(wrong(Some(Action::Transaction(nothing))), "Guard.scope");
    let nothing = log::Transaction { guards: vec![], actions: vec![log::Command::default()] };
    assert_eq!(wrong(Some(Action::Transaction(nothing))), "Transaction.actions");
    assert_eq!(wrong(Some(Action::Alter(log::Alter::default()))), "Alter.key");
    assert_eq!(wrong(Some(Action::Alter(log::Alter { key: key(), alteration: None }))), "Alter.alteration");
    let unnamed = log::Once { id: None, valid_until_ns: 0 };
    assert_eq!(what(domain::Once::try_from(unnamed)), "Once.id");
    assert_eq!(what(domain::Outcome::try_from(log::Outcome::default())), "Outcome.answer");
    assert_eq!(what(domain::Answer::try_from(log::Answer::default())), "Answer.answer");
    assert_eq!(what(wire::decode_history_record(&[])), "HistoryRecord.what");
}

#[test]
fn what_is_unknown_or_out_of_range_is_named() {
    let key = || Some(log::Key::default());
    let expiry = || Some(domain::Expiry::Keep.into());
    let set = log::Set { key: key(), expiry: expiry(), ..Default::default() };
    assert_eq!(wrong(Some(Action::Set(log::Set { condition: 5, ..set.clone() }))), "Set.condition");
    let operand = Bytes::from_static(b"idle");
    assert_eq!(wrong(Some(Action::Set(log::Set { operand, ..set }))), "Set.operand");
    let expire = log::Expire { key: key(), expiry: expiry(), condition: 7, holder: None };
    assert_eq!(wrong(Some(Action::Expire(expire))), "Expire.condition");
    let far = log::Key { database: 256, name: Bytes::new() };
    assert_eq!(wrong(Some(Action::Take(log::Take { key: Some(far) }))), "Key.database");
    let not = log::Expiry { kind: Some(log::expiry::Kind::Keep(false)) };
    assert_eq!(wrong(Some(Action::Touch(log::Touch { key: key(), expiry: Some(not) }))), "Expiry.kind");
    let flush = log::Flush { database: Some(256), audit: Some(log::Audit::default()) };
    assert_eq!(wrong(Some(Action::Flush(flush))), "Flush.database");
    let release = log::Release { key: key(), token: Some(1 << 53), ..Default::default() };
    assert_eq!(wrong(Some(Action::Release(release))), "Release.token");
    let report = log::ReportDigest { digest: vec![0; 15].into(), ..Default::default() };
    assert_eq!(wrong(Some(Action::ReportDigest(report))), "ReportDigest.digest");
    let tenure = log::Tenure { cause: 5, ..Default::default() };
    assert_eq!(wrong(Some(Action::RecordTenure(tenure))), "Tenure.cause");
    let far = log::Guard { scope: Some(log::guard::Scope::Database(256)), as_of: 0 };
    let transaction = log::Transaction { guards: vec![far], actions: vec![] };
    assert_eq!(wrong(Some(Action::Transaction(transaction))), "Guard.database");
    let named = log::Command { once: Some(log::Once::default()), action: Some(Action::Tick(log::Tick {})) };
    let nested = log::Command { once: None, action: Some(Action::Transaction(log::Transaction::default())) };
    for part in [named, nested] {
        let transaction = log::Transaction { guards: vec![], actions: vec![part] };
        assert_eq!(wrong(Some(Action::Transaction(transaction))), "Transaction.actions");
    }
    let push = log::alter::Alteration::ListPush(log::ListPush { side: 2, ..Default::default() });
    assert_eq!(
        wrong(Some(Action::Alter(log::Alter { key: key(), alteration: Some(push) }))),
        "ListPush.side"
    );
    let range = log::alter::Alteration::SortedSetRemoveByScore(log::SortedSetRemoveByScore::default());
    let alter = log::Alter { key: key(), alteration: Some(range) };
    assert_eq!(wrong(Some(Action::Alter(alter))), "SortedSetRemoveByScore.min");
    let values = log::ValuesAnswer { absent: true, values: vec![Bytes::new()] };
    let answer = log::Answer { answer: Some(log::answer::Answer::Values(values)) };
    assert_eq!(what(domain::Answer::try_from(answer)), "ValuesAnswer.values");
    let short = log::RequestId { id: Some(log::request_id::Id::Client(vec![0; 17].into())) };
    assert_eq!(what(domain::RequestId::try_from(short)), "RequestId.client");
    for refusal in [log::Refusal::Unspecified.into(), 1000] {
        let answer = log::Answer { answer: Some(log::answer::Answer::Refused(refusal)) };
        assert_eq!(what(domain::Answer::try_from(answer)), "Answer.refused");
    }
}

/// A command of a kind that a later program adds: field 2000.
#[test]
fn an_unknown_kind_of_command_is_an_error() {
    assert_eq!(
        what(Command::try_from(log::Command::decode(&[0x82, 0x7d, 0x00][..]).unwrap())),
        "Command.action"
    );
}

pub(crate) fn rows(rows: Vec<log::row::Row>) -> Result<(Image, Digest), DecodeError> {
    let bytes = |row| log::Row { row: Some(row) }.encode_length_delimited_to_vec();
    decode(&[&rows.into_iter().flat_map(bytes).collect::<Vec<u8>>()])
}

#[test]
pub(crate) fn rows_out_of_place_are_errors() {
    use log::row::Row;
    let head = |counts| {
        let zero = Bytes::from_static(&[0; 16]);
        let (digest, history_chain) = (zero.clone(), zero);
        Row::Head(log::Head { digest, history_chain, counts: Some(counts), ..Default::default() })
    };
    let none = log::RowCounts::default;
    let key = |name: &'static str| {
        Row::Key(log::KeyRow { key: Some(log::Key { database: 0, name: name.into() }), ..Default::default() })
    };
    let tenure = || Row::Tenure(log::Tenure::default());

    assert!(rows(vec![head(none())]).is_ok());
    assert!(rows(vec![head(log::RowCounts { keys: 2, ..none() }), key("a"), key("b")]).is_ok());
    assert_eq!(what(rows(vec![])), "Head");
    assert_eq!(what(rows(vec![key("a")])), "Row", "a row before the head");
    assert_eq!(what(rows(vec![head(none()), head(none())])), "Row", "two heads");
    assert_eq!(what(rows(vec![head(none()), tenure(), key("a")])), "Row", "a key after a tenure");
    assert_eq!(what(rows(vec![head(none()), key("b"), key("a")])), "KeyRow.key", "keys out of order");
    assert_eq!(what(rows(vec![head(none()), key("a"), key("a")])), "KeyRow.key", "a key twice");
    assert_eq!(what(rows(vec![head(none()), key("a")])), "Head.counts", "a row too many");
    assert_eq!(what(rows(vec![head(log::RowCounts { keys: 1, ..none() })])), "Head.counts", "a row too few");
    let script = |source: &'static str| Row::Script(log::ScriptRow { source: source.into() });
    let two = || head(log::RowCounts { scripts: 2, ..none() });
    assert!(rows(vec![two(), script("return 2"), script("return 1")]).is_ok(), "in the order of their SHA-1");
    assert_eq!(what(rows(vec![two(), script("return 1"), script("return 2")])), "ScriptRow", "out of order");
    assert_eq!(
        what(rows(vec![two(), script("return 1"), script("return 1")])),
        "ScriptRow",
        "a script twice"
    );
    assert_eq!(what(rows(vec![two(), script("return 1"), key("a")])), "Row", "a key after a script");
    let trace = |place| log::Trace { place, serial: 1 };
    for removals in [vec![trace(2), trace(2)], vec![trace(1 << 16)]] {
        let Row::Head(plain) = head(none()) else { unreachable!("it makes a head") };
        let traces = Some(log::Traces { removals, ..Default::default() });
        assert_eq!(what(rows(vec![Row::Head(log::Head { traces, ..plain })])), "Traces.removals");
    }
    use log::key_row::Collection;
    let field = || log::Field { name: "f".into(), value: Bytes::new() };
    let holding = |value: &'static str, collection| {
        let key = Some(log::Key { database: 0, name: "k".into() });
        Row::Key(log::KeyRow { key, value: value.into(), collection: Some(collection), ..Default::default() })
    };
    let hash = |fields| Collection::Hash(log::Hash { fields });
    let list = |elements| Collection::List(log::List { elements });
    let scored = |score, member: &'static str| log::ScoredMember { score, member: member.into() };
    let ranked = |members| Collection::SortedSet(log::SortedSet { members });
    assert_eq!(what(rows(vec![head(none()), holding("", ranked(vec![scored(f64::NAN, "a")]))])), "score");
    let one = || head(log::RowCounts { keys: 1, ..none() });
    assert!(rows(vec![one(), holding("", hash(vec![field()]))]).is_ok());
    for row in [
        holding("", hash(vec![])),
        holding("", list(vec![])),
        holding("", hash(vec![field(), field()])),
        holding("text", list(vec![Bytes::new()])),
        holding("", Collection::Set(log::Members { members: vec!["a".into(), "a".into()] })),
        holding("", ranked(vec![])),
        holding("", ranked(vec![scored(2.0, "a"), scored(1.0, "b")])),
        holding("", ranked(vec![scored(1.0, "a"), scored(2.0, "a")])),
    ] {
        assert_eq!(what(rows(vec![one(), row])), "KeyRow.collection");
    }
    let mut decoder = StateDecoder::new();
    assert_eq!(what(decoder.push(&log::Row { row: None }.encode_length_delimited_to_vec())), "Row.row");
}
