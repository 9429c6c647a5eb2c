//! The rows that an index is made of. Numbers are big-endian, so that keys sort as what they stand for.
//!
//! ```text
//! files     number u64                                → records u64 | chain u128
//! adding    as in files, of a file that is there in part
//! records   id u64                                    → place | time i64 | terms
//! terms     dimension u8 | length u16 | value | id u64  → nothing
//! zones     shift u8 | id >> shift u64                → least time i64 | greatest time i64
//! ```
//!
//! A zone is a bound, for a query to leave out what cannot be within its times: it spans the times of all records whose
//! ids share their upper bits, and it may be too wide, after one of them was replaced, but never too narrow.

use super::{IndexHit, Placed, Term};
use crate::error::Error;
use crate::history::{Place, SealedFile};
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_128;

pub(super) const FILES: &str = "files";
pub(super) const ADDING: &str = "adding";
pub(super) const RECORDS: &str = "records";
pub(super) const TERMS: &str = "terms";
pub(super) const ZONES: &str = "zones";
pub(super) const TREES: [&str; 5] = [FILES, ADDING, RECORDS, TERMS, ZONES];

/// Dimension and length of a term.
pub(super) const TERM_HEAD_BYTES: usize = 3;

/// Bits that a zone leaves off its ids, the widest zones first. From 256 ids, which are few to look at one by one, each
/// spans 16 of the next; the widest suffice for the serials that there can be.
pub(super) const ZONE_SHIFTS: [u8; 9] = [40, 36, 32, 28, 24, 20, 16, 12, 8];

/// A record as the index knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) id: u64,
    pub(super) time_ms: i64,
    pub(super) place: Place,
    pub(super) terms: Vec<Term>,
}

/// The times within some ids, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Zone {
    pub(super) least_ms: i64,
    pub(super) greatest_ms: i64,
}

impl Record {
    pub(super) fn of(placed: &Placed) -> Record {
        let mut terms = placed.indexed.terms.clone();
        terms.sort_unstable();
        terms.dedup();
        Record { id: placed.indexed.id, time_ms: placed.indexed.time_ms, place: placed.place, terms }
    }

    pub(super) fn hit(&self) -> IndexHit {
        IndexHit { id: self.id, time_ms: self.time_ms, place: self.place }
    }

    /// Of two records with one id the later counts.
    pub(super) fn is_later_than(&self, other: &Record) -> bool {
        (self.place.file, self.place.record) > (other.place.file, other.place.record)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let Place { file, record, offset, bytes, checksum } = self.place;
        let mut out = Vec::new();
        out.extend_from_slice(&file.to_be_bytes());
        out.extend_from_slice(&record.to_be_bytes());
        out.extend_from_slice(&offset.to_be_bytes());
        out.extend_from_slice(&bytes.to_be_bytes());
        out.extend_from_slice(&checksum.to_be_bytes());
        out.extend_from_slice(&self.time_ms.to_be_bytes());
        self.terms.iter().for_each(|term| put_term(&mut out, term));
        out
    }

    pub(super) fn decode(id: u64, value: &[u8]) -> Result<Record, Error> {
        decode_record(id, value).ok_or_else(|| unreadable(RECORDS, &id.to_be_bytes()))
    }
}

fn decode_record(id: u64, value: &[u8]) -> Option<Record> {
    let mut rest = value;
    let place = Place {
        file: u64::from_be_bytes(take(&mut rest)?),
        record: u32::from_be_bytes(take(&mut rest)?),
        offset: u64::from_be_bytes(take(&mut rest)?),
        bytes: u32::from_be_bytes(take(&mut rest)?),
        checksum: u64::from_be_bytes(take(&mut rest)?),
    };
    let time_ms = i64::from_be_bytes(take(&mut rest)?);
    let mut terms = Vec::new();
    while !rest.is_empty() {
        let [dimension] = take(&mut rest)?;
        let length = usize::from(u16::from_be_bytes(take(&mut rest)?));
        let (value, left) = rest.split_at_checked(length)?;
        terms.push(Term { dimension, value: value.to_vec() });
        rest = left;
    }
    Some(Record { id, time_ms, place, terms })
}

/// What the keys of a term begin with; the id follows.
pub(super) fn term_prefix(term: &Term) -> Vec<u8> {
    let mut key = Vec::with_capacity(TERM_HEAD_BYTES + term.value.len() + 8);
    put_term(&mut key, term);
    key
}

pub(super) fn term_key(term: &Term, id: u64) -> Vec<u8> {
    with_id(&term_prefix(term), id)
}

pub(super) fn with_id(prefix: &[u8], id: u64) -> Vec<u8> {
    [prefix, &id.to_be_bytes()].concat()
}

/// The id at the end of a key.
pub(super) fn id_of(tree: &str, key: &[u8]) -> Result<u64, Error> {
    let (_, id) = key.split_last_chunk().ok_or_else(|| unreadable(tree, key))?;
    Ok(u64::from_be_bytes(*id))
}

fn put_term(out: &mut Vec<u8>, term: &Term) {
    let length = u16::try_from(term.value.len()).expect("terms are checked before they come here");
    out.push(term.dimension);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&term.value);
}

impl Zone {
    pub(super) fn key(shift: u8, id: u64) -> Vec<u8> {
        with_id(&[shift], id >> shift)
    }

    pub(super) fn at(time_ms: i64) -> Zone {
        Zone { least_ms: time_ms, greatest_ms: time_ms }
    }

    /// The zone that spans both.
    pub(super) fn join(self, other: Zone) -> Zone {
        Zone {
            least_ms: self.least_ms.min(other.least_ms),
            greatest_ms: self.greatest_ms.max(other.greatest_ms),
        }
    }

    pub(super) fn overlaps(self, times: &Range<i64>) -> bool {
        self.least_ms < times.end && self.greatest_ms >= times.start
    }

    pub(super) fn is_within(self, times: &Range<i64>) -> bool {
        times.contains(&self.least_ms) && times.contains(&self.greatest_ms)
    }

    pub(super) fn encode(self) -> Vec<u8> {
        [self.least_ms.to_be_bytes(), self.greatest_ms.to_be_bytes()].concat()
    }

    pub(super) fn decode(key: &[u8], value: &[u8]) -> Result<Zone, Error> {
        let mut rest = value;
        let mut next = || take(&mut rest).map(i64::from_be_bytes);
        let times = next().zip(next());
        let (least_ms, greatest_ms) = times.ok_or_else(|| unreadable(ZONES, key))?;
        Ok(Zone { least_ms, greatest_ms })
    }
}

pub(super) fn file_key(number: u64) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

pub(super) fn encode_file(file: &SealedFile) -> Vec<u8> {
    [&file.records.to_be_bytes()[..], &file.chain.to_be_bytes()].concat()
}

pub(super) fn decode_file(key: &[u8], value: &[u8]) -> Result<SealedFile, Error> {
    let (mut number, mut rest) = (key, value);
    (|| {
        Some(SealedFile {
            number: u64::from_be_bytes(take(&mut number)?),
            records: u64::from_be_bytes(take(&mut rest)?),
            chain: u128::from_be_bytes(take(&mut rest)?),
        })
    })()
    .ok_or_else(|| unreadable(FILES, key))
}

/// What a row adds to the digest, which is their sum: so it can be kept while rows come and go in any order.
pub(super) fn row_digest(tree: &str, key: &[u8], value: &[u8]) -> u128 {
    let length = (key.len() as u64).to_be_bytes();
    xxh3_128(&[tree.as_bytes(), &length, key, value].concat())
}

/// A row that is not as it was written, though the digest was right.
pub(super) fn unreadable(tree: &str, key: &[u8]) -> Error {
    Error::Unfit { why: format!("its row {key:02x?} of {tree} cannot be read") }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk()?;
    *rest = left;
    Some(*taken)
}
