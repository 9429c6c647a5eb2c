//! What is encoded is what is decoded.

use bytes::Bytes;
use domain::{Command, Digest, Image, Outcome, State};
use proptest::prelude::*;
use prost::Message;
use wire::image::BLOCK_BYTES;
use wire::{Payload, PayloadKind, StateDecoder, log};

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
    fn an_audit_record_comes_back_as_it_was(record in any::audit_record()) {
        prop_assert_eq!(wire::decode_audit_record(&wire::encode_audit_record(&record)).unwrap(), record);
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
            value: vec![7; 10_000].into(),
            token: domain::Token::from_u64(u64::from(number)).unwrap(),
            revision: domain::Serial(number.into()),
            end: None,
            ttl_ms: None,
        };
        (domain::Key::new(0, number.to_be_bytes()), entry)
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
    for refusal in any::REFUSALS {
        assert_eq!(format!("{refusal:?}"), format!("{:?}", log::Refusal::from(refusal)));
    }
}
