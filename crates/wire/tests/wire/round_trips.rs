//! What is encoded is what is decoded.

use std::collections::BTreeMap;

use bytes::Bytes;
use domain::trading::configuration::Draft;
use domain::{Changes, Command, Digest, Image, Key, Outcome, State};
use proptest::prelude::*;
use prost::Message;
use wire::image::BLOCK_BYTES;
use wire::{Payload, PayloadKind, StateDecoder, StoredRow, log};

use crate::any;

fn decode_state(blocks: &[Bytes]) -> Result<(Image, Digest), wire::DecodeError> {
    let mut decoder = StateDecoder::new();
    for block in blocks {
        decoder.push(block)?;
    }
    decoder.finish()
}

fn kind(payload: &Payload) -> PayloadKind {
    match payload {
        Payload::Blank => PayloadKind::Blank,
        Payload::Batch { .. } => PayloadKind::Batch,
        Payload::Membership(_) => PayloadKind::Membership,
    }
}

proptest! {
    #[test]
    fn a_command_comes_back_as_it_was(command in any::command()) {
        let bytes = log::Command::from(&command).encode_to_vec();
        let decoded = log::Command::decode(&bytes[..]).unwrap();
        prop_assert_eq!(Command::try_from(decoded).unwrap(), command);
    }

    #[test]
    fn an_outcome_comes_back_as_it_was(outcome in any::outcome()) {
        let bytes = log::Outcome::from(&outcome).encode_to_vec();
        let decoded = log::Outcome::decode(&bytes[..]).unwrap();
        prop_assert_eq!(Outcome::try_from(decoded).unwrap(), outcome);
    }

    #[test]
    fn a_payload_comes_back_as_it_was(payload in any::payload()) {
        let bytes = wire::encode_payload(&payload);
        prop_assert_eq!(wire::payload_kind(&bytes).unwrap(), kind(&payload));
        prop_assert_eq!(wire::decode_payload(&bytes).unwrap(), payload);
    }

    #[test]
    fn a_history_record_comes_back_as_it_was(record in any::history_record()) {
        let decoded = wire::decode_history_record(&wire::encode_history_record(&record)).unwrap();
        // The zeros at the end of a number count for nothing when it is compared, and are kept all the same.
        prop_assert_eq!(format!("{decoded:?}"), format!("{record:?}"));
        prop_assert_eq!(decoded, record);
    }

    #[test]
    fn a_configuration_comes_back_as_it_was(draft in any::trading::draft()) {
        let bytes = log::Configuration::from(&draft).encode_to_vec();
        let decoded = Draft::try_from(log::Configuration::decode(&bytes[..]).unwrap()).unwrap();
        prop_assert_eq!(format!("{decoded:?}"), format!("{draft:?}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_state_comes_back_with_its_digest(image in any::image()) {
        let digest = any::digest_of(&image);
        let blocks: Vec<Bytes> = wire::encode_state(&image, digest).collect();
        prop_assert!(blocks.iter().all(|block| block.len() <= BLOCK_BYTES));
        let (decoded, recorded) = decode_state(&blocks).unwrap();
        prop_assert_eq!(&decoded, &image);
        prop_assert_eq!(recorded, digest);
        let state = State::from_image(decoded, recorded).unwrap();
        prop_assert_eq!(state.digest(), digest);
        prop_assert_eq!(state.image(), image);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rows_kept_by_their_keys_are_a_snapshot_again(mut image in any::image()) {
        // As in a state, where they have an order of their own.
        image.tenures.sort_by_key(|tenure| tenure.term);
        image.tenures.dedup_by_key(|tenure| tenure.term);
        image.sealed.sort_by_key(|file| file.number);
        image.sealed.dedup_by_key(|file| file.number);
        image.tail.sort_by_key(|record| record.serial);
        image.tail.dedup_by_key(|record| record.serial);
        let digest = any::digest_of(&image);
        let changes = Changes::from(image.clone());
        let mut kept: BTreeMap<(usize, Vec<u8>), Vec<u8>> = BTreeMap::new();
        for StoredRow { table, key, value } in wire::encode_changes(&changes, digest) {
            let table = wire::TABLES.iter().position(|known| *known == table).unwrap();
            prop_assert_eq!(kept.insert((table, key), value.unwrap()), None);
        }
        prop_assert_eq!(kept.len(), 1 + changes.rows());
        let blocks: Vec<Bytes> = kept.into_values().map(Bytes::from).collect();
        prop_assert_eq!(decode_state(&blocks).unwrap(), (image, digest));
    }
}

#[test]
fn a_row_that_is_gone_has_a_key_and_no_value() {
    let changes = Changes { keys: vec![(Key::new(3, *b"k"), None)], ..Changes::default() };
    let rows: Vec<StoredRow> = wire::encode_changes(&changes, Digest(0)).collect();
    assert_eq!(rows[1], StoredRow { table: "keys", key: b"\x03k".to_vec(), value: None });
    assert!(rows[0].value.is_some(), "the head is always there");
}

#[test]
fn an_empty_state_is_one_block() {
    let state = State::default();
    let blocks: Vec<Bytes> = wire::encode_state(&state.image(), state.digest()).collect();
    assert_eq!(blocks.len(), 1);
    let (image, digest) = decode_state(&blocks).unwrap();
    assert_eq!(State::from_image(image, digest).unwrap().image(), state.image());
}

#[test]
fn a_large_state_is_many_blocks_each_nearly_full() {
    let keys = (0..1000_u32).map(|number| {
        let entry = domain::Entry {
            value: std::sync::Arc::<[u8]>::from(vec![7; 10_000]).into(),
            token: domain::Token::from_u64(u64::from(number)).unwrap(),
            revision: domain::Serial(number.into()),
            end: None,
            ttl_ms: None,
        };
        (Key::new(0, number.to_be_bytes()), entry)
    });
    let image = Image { keys: keys.collect(), ..Image::default() };
    let digest = any::digest_of(&image);
    let blocks: Vec<Bytes> = wire::encode_state(&image, digest).collect();
    assert_eq!(blocks.len(), 39, "26 rows of 10 kB fill a block");
    assert!(blocks.iter().all(|block| block.len() <= BLOCK_BYTES));
    assert_eq!(decode_state(&blocks).unwrap(), (image, digest));
}

#[test]
#[should_panic(expected = "membership payload")]
fn members_are_never_encoded_as_a_command() {
    let action = domain::Action::Members { voters: vec![], learners: vec![] };
    let stamp = domain::Stamp { term: 1, time: domain::LogTime::ZERO };
    wire::encode_payload(&Payload::Batch { stamp, commands: vec![Command::harmless(action)] });
}

/// A round trip does not notice two values exchanged both ways; their names do.
#[test]
fn enumerations_have_the_same_names_on_both_sides() {
    use domain::{Cause, ExpireCondition as Condition};
    for cause in Cause::ALL {
        assert_eq!(format!("{cause:?}"), format!("{:?}", log::Cause::from(cause)));
    }
    let conditions =
        [Condition::Always, Condition::HasNoEnd, Condition::HasEnd, Condition::Later, Condition::Earlier];
    for condition in conditions.into_iter().chain([Condition::HasEndAndLater, Condition::HasEndAndEarlier]) {
        assert_eq!(format!("{condition:?}"), format!("{:?}", log::ExpireCondition::from(condition)));
    }
    for side in [domain::Side::Left, domain::Side::Right] {
        assert_eq!(format!("{side:?}"), format!("{:?}", log::Side::from(side)));
    }
    for condition in domain::ScoreCondition::ALL {
        assert_eq!(format!("{condition:?}"), format!("{:?}", log::ScoreCondition::from(condition)));
    }
    for refusal in any::REFUSALS {
        assert_eq!(format!("{refusal:?}"), format!("{:?}", log::Refusal::from(refusal)));
    }
}
