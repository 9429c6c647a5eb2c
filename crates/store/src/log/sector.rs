//! Sectors: the body of a write, cut into pieces that each say which write they belong to.
//!
//! ```text
//! sector   512 bytes   mark u8 (MORE or LAST of its write) | number of the write, 56 bits | 504 bytes of body
//! ```
//!
//! A mark is never zero, so a sector that was never written is told from one that was, and a write that misses a
//! sector from a whole one.

use bytes::Bytes;

pub(crate) const SECTOR_BYTES: usize = 512;
const TAG_BYTES: usize = 8;
/// What a sector carries besides its tag.
pub(crate) const BODY_BYTES: usize = SECTOR_BYTES - TAG_BYTES;

/// Marks that differ in every bit: no single flip turns one into the other, or into zero.
const MARK_MORE: u8 = 0xa5;
const MARK_LAST: u8 = 0x5a;

/// What the tag of a sector says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    /// All 512 bytes are zero: never written.
    Zero,
    /// Part of this write.
    Write { number: u64, last: bool },
    /// Written, but not by us.
    Damaged,
}

impl Tag {
    pub(crate) fn of(sector: &[u8]) -> Tag {
        let mut number = [0; 8];
        number[..7].copy_from_slice(&sector[1..8]);
        let number = u64::from_le_bytes(number);
        match sector[0] {
            MARK_MORE => Tag::Write { number, last: false },
            MARK_LAST => Tag::Write { number, last: true },
            0 if sector.iter().all(|byte| *byte == 0) => Tag::Zero,
            _ => Tag::Damaged,
        }
    }

    fn bytes(number: u64) -> [u8; TAG_BYTES] {
        let mut tag = [0; TAG_BYTES];
        tag[0] = MARK_MORE;
        tag[1..].copy_from_slice(&number.to_le_bytes()[..7]);
        tag
    }
}

/// Collects the bodies of consecutive sectors.
pub(crate) fn bodies(sectors: &[u8]) -> Bytes {
    let mut body = Vec::with_capacity(sectors.len() / SECTOR_BYTES * BODY_BYTES);
    for sector in sectors.chunks_exact(SECTOR_BYTES) {
        body.extend_from_slice(&sector[TAG_BYTES..]);
    }
    Bytes::from(body)
}

/// The bytes of one write, on their way to the disk.
pub(crate) struct Sectors {
    number: u64,
    bytes: Vec<u8>,
    body_bytes: usize,
}

impl Sectors {
    /// Starts the write with this number.
    pub(crate) fn new(number: u64) -> Sectors {
        Sectors { number, bytes: Vec::new(), body_bytes: 0 }
    }

    /// Bytes of body so far.
    pub(crate) fn body_bytes(&self) -> usize {
        self.body_bytes
    }

    /// Adds to the body.
    pub(crate) fn put(&mut self, mut piece: &[u8]) {
        self.body_bytes += piece.len();
        while !piece.is_empty() {
            let within = self.bytes.len() % SECTOR_BYTES;
            if within == 0 {
                self.bytes.extend_from_slice(&Tag::bytes(self.number));
                continue;
            }
            let (now, rest) = piece.split_at(piece.len().min(SECTOR_BYTES - within));
            self.bytes.extend_from_slice(now);
            piece = rest;
        }
    }

    /// Pads to whole sectors, marks the last one, and returns what goes to the disk.
    pub(crate) fn finish(&mut self) -> &[u8] {
        assert!(self.body_bytes > 0, "a write without a body has no sector to mark");
        self.bytes.resize(self.bytes.len().next_multiple_of(SECTOR_BYTES), 0);
        let last = self.bytes.len() - SECTOR_BYTES;
        self.bytes[last] = MARK_LAST;
        &self.bytes
    }
}
