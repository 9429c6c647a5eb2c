//! Records: what the log says, each chained by checksum with the one before.
//!
//! ```text
//! body     records of one write, back to back across its sectors, then zeros to the end of the last sector
//! record   magic u16 | kind u8 | version u8 | length u32 | seq u64 | synced_seq u64 | payload crc u32 | crc u32 | payload
//! ```
//!
//! All integers are little-endian. The record's crc covers the header, which holds the payload's crc, and is chained
//! with the crc of the record before. The header can therefore be trusted, its length above all, before the payload
//! is looked at: a flipped length cannot make an acknowledged record look like one that was never finished.

use super::sector::{BODY_BYTES, Sectors};
use super::{Entry, LogId, LogState, Vote};
use bytes::Bytes;
use crc32c::crc32c_append;

const HEADER_BYTES: usize = 32;
/// Term and index before the payload of an entry.
const ENTRY_PREFIX_BYTES: usize = 16;

/// Neither byte is zero, so padding is never taken for a record.
const MAGIC: u16 = 0x7e57;
const VERSION: u8 = 1;

/// One record of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    Append(Entry),
    Vote(Vote),
    Committed(LogId),
    /// Entries after this one are gone; all of them for `None`.
    TruncateAfter(Option<LogId>),
    /// Entries up to this one, inclusive, are gone.
    PurgeUpto(LogId),
    /// First record of every segment: what the segments before it amount to, so that they can be removed.
    SegmentHead(Head),
    /// Covers the sync before it. `closed` when the writer stopped on request.
    Mark {
        closed: bool,
    },
}

/// State at the start of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) segment: u64,
    /// Sectors of the file: one that has become shorter has lost something.
    pub(crate) sectors: u64,
    /// Number of the write that this head begins.
    pub(crate) write: u64,
    /// Chain before this record; the oldest segment starts from it.
    pub(crate) chain: Chain,
    pub(crate) state: LogState,
}

/// What one record hands to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chain {
    pub(crate) crc: u32,
    /// Number of the last record.
    pub(crate) seq: u64,
    /// Highest record known to be durable when the present write began.
    pub(crate) synced_seq: u64,
}

/// Why bytes are not a record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// The record continues beyond the bytes at hand.
    Short,
    Wrong(&'static str),
}

impl Record {
    pub(crate) fn encoded_len(&self) -> usize {
        let payload = match self {
            Record::Append(entry) => ENTRY_PREFIX_BYTES + entry.payload.len(),
            Record::Vote(_) => 17,
            Record::Committed(_) | Record::PurgeUpto(_) => 16,
            Record::TruncateAfter(_) => 17,
            Record::SegmentHead(_) => 24 + 20 + 17 * 3 + 18,
            Record::Mark { .. } => 1,
        };
        HEADER_BYTES + payload
    }

    fn kind(&self) -> u8 {
        match self {
            Record::Append(_) => 1,
            Record::Vote(_) => 2,
            Record::Committed(_) => 3,
            Record::TruncateAfter(_) => 4,
            Record::PurgeUpto(_) => 5,
            Record::SegmentHead(_) => 6,
            Record::Mark { .. } => 7,
        }
    }

    /// The payload but for the bytes of an entry, which are not copied here.
    fn fixed_payload(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BYTES);
        match self {
            Record::Append(entry) => put_id(&mut out, entry.id),
            Record::Vote(vote) => put_vote(&mut out, *vote),
            Record::Committed(id) | Record::PurgeUpto(id) => put_id(&mut out, *id),
            Record::TruncateAfter(id) => put_id_option(&mut out, *id),
            Record::SegmentHead(head) => head.put(&mut out),
            Record::Mark { closed } => out.push(u8::from(*closed)),
        }
        out
    }

    fn decode(kind: u8, payload: Bytes) -> Result<Record, Bad> {
        let mut fields = Fields { bytes: &payload };
        let record = match kind {
            1 => {
                let id = fields.id()?;
                return Ok(Record::Append(Entry { id, payload: payload.slice(ENTRY_PREFIX_BYTES..) }));
            }
            2 => Record::Vote(fields.vote()?),
            3 => Record::Committed(fields.id()?),
            4 => Record::TruncateAfter(fields.option(Fields::id)?),
            5 => Record::PurgeUpto(fields.id()?),
            6 => Record::SegmentHead(Head::take(&mut fields)?),
            7 => Record::Mark { closed: fields.u8()? != 0 },
            _ => return Err(Bad::Wrong("a record of unknown kind")),
        };
        if fields.bytes.is_empty() { Ok(record) } else { Err(Bad::Wrong("a record that is too long")) }
    }
}

impl Head {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.segment.to_le_bytes());
        out.extend_from_slice(&self.sectors.to_le_bytes());
        out.extend_from_slice(&self.write.to_le_bytes());
        out.extend_from_slice(&self.chain.crc.to_le_bytes());
        out.extend_from_slice(&self.chain.seq.to_le_bytes());
        out.extend_from_slice(&self.chain.synced_seq.to_le_bytes());
        for id in [self.state.purged, self.state.last, self.state.committed] {
            put_id_option(out, id);
        }
        out.push(u8::from(self.state.vote.is_some()));
        put_vote(out, self.state.vote.unwrap_or_default());
    }

    fn take(fields: &mut Fields<'_>) -> Result<Head, Bad> {
        Ok(Head {
            segment: fields.u64()?,
            sectors: fields.u64()?,
            write: fields.u64()?,
            chain: Chain { crc: fields.u32()?, seq: fields.u64()?, synced_seq: fields.u64()? },
            state: LogState {
                purged: fields.option(Fields::id)?,
                last: fields.option(Fields::id)?,
                committed: fields.option(Fields::id)?,
                vote: fields.option(Fields::vote)?,
            },
        })
    }
}

fn put_id(out: &mut Vec<u8>, id: LogId) {
    out.extend_from_slice(&id.term.to_le_bytes());
    out.extend_from_slice(&id.index.to_le_bytes());
}

/// A flag, then the id or zeros: every record but an entry has one length.
fn put_id_option(out: &mut Vec<u8>, id: Option<LogId>) {
    out.push(u8::from(id.is_some()));
    put_id(out, id.unwrap_or_default());
}

fn put_vote(out: &mut Vec<u8>, vote: Vote) {
    out.extend_from_slice(&vote.term.to_le_bytes());
    out.extend_from_slice(&vote.node.to_le_bytes());
    out.push(u8::from(vote.committed));
}

/// Reads fields off the front of a payload.
struct Fields<'a> {
    bytes: &'a [u8],
}

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Bad> {
        let (field, rest) =
            self.bytes.split_first_chunk::<N>().ok_or(Bad::Wrong("a record that is too short"))?;
        self.bytes = rest;
        Ok(*field)
    }

    fn u8(&mut self) -> Result<u8, Bad> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Result<u32, Bad> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, Bad> {
        self.take().map(u64::from_le_bytes)
    }

    fn id(&mut self) -> Result<LogId, Bad> {
        Ok(LogId { term: self.u64()?, index: self.u64()? })
    }

    fn vote(&mut self) -> Result<Vote, Bad> {
        Ok(Vote { term: self.u64()?, node: self.u64()?, committed: self.u8()? != 0 })
    }

    fn option<T>(&mut self, take: impl Fn(&mut Self) -> Result<T, Bad>) -> Result<Option<T>, Bad> {
        let present = self.u8()? != 0;
        let value = take(self)?;
        Ok(present.then_some(value))
    }
}

/// Header of a record as it stands on disk.
struct Header {
    kind: u8,
    version: u8,
    len: u32,
    seq: u64,
    synced_seq: u64,
    payload_crc: u32,
    crc: u32,
}

impl Header {
    /// Everything but the crc, which is made of it.
    fn bytes_before_crc(&self) -> [u8; HEADER_BYTES - 4] {
        let mut out = [0; HEADER_BYTES - 4];
        out[0..2].copy_from_slice(&MAGIC.to_le_bytes());
        out[2] = self.kind;
        out[3] = self.version;
        out[4..8].copy_from_slice(&self.len.to_le_bytes());
        out[8..16].copy_from_slice(&self.seq.to_le_bytes());
        out[16..24].copy_from_slice(&self.synced_seq.to_le_bytes());
        out[24..28].copy_from_slice(&self.payload_crc.to_le_bytes());
        out
    }

    fn take(body: &[u8]) -> Result<Header, Bad> {
        let mut fields = Fields { bytes: body.get(..HEADER_BYTES).ok_or(Bad::Short)? };
        if fields.take().map(u16::from_le_bytes)? != MAGIC {
            return Err(Bad::Wrong("no record where one must begin"));
        }
        let [kind, version] = fields.take()?;
        Ok(Header {
            kind,
            version,
            len: fields.u32()?,
            seq: fields.u64()?,
            synced_seq: fields.u64()?,
            payload_crc: fields.u32()?,
            crc: fields.u32()?,
        })
    }
}

/// Where a record stands, in bytes of body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u64,
    pub(crate) len: u32,
}

/// Reads the record that begins at `at`, checks it against the chain and moves the chain on. Returns its span.
pub(crate) fn read_record(body: &Bytes, at: usize, chain: &mut Chain) -> Result<(Record, Span), Bad> {
    let header = Header::take(&body[at..])?;
    let crc = crc32c_append(chain.crc, &header.bytes_before_crc());
    if crc != header.crc {
        return Err(Bad::Wrong("the checksum of a record's header does not hold"));
    }
    if header.version != VERSION {
        return Err(Bad::Wrong("a record of a newer format: use the binary that wrote it"));
    }
    let follows = Some(header.seq) == chain.seq.checked_add(1);
    if !follows || header.synced_seq < chain.synced_seq || header.synced_seq >= header.seq {
        return Err(Bad::Wrong("a record out of sequence"));
    }
    let record = read_payload(&header, body, at)?;
    *chain = Chain { crc, seq: header.seq, synced_seq: header.synced_seq };
    Ok((record, Span { start: at as u64, len: HEADER_BYTES as u32 + header.len }))
}

/// Reads one entry on its own, where a place in memory says that it is: without the record before, the chain cannot
/// be checked, but the payload's checksum and the id can.
pub(crate) fn read_entry(body: &Bytes, at: usize) -> Result<Entry, Bad> {
    let header = Header::take(&body[at..])?;
    match read_payload(&header, body, at)? {
        Record::Append(entry) => Ok(entry),
        _ => Err(Bad::Wrong("another record where an entry must be")),
    }
}

/// The head of a segment, which names the chain that it continues: how recovery enters the oldest segment.
pub(crate) fn read_head(body: &Bytes) -> Result<Head, Bad> {
    let header = Header::take(body)?;
    match read_payload(&header, body, 0)? {
        Record::SegmentHead(head) => Ok(head),
        _ => Err(Bad::Wrong("no segment head at the start of a segment")),
    }
}

fn read_payload(header: &Header, body: &Bytes, at: usize) -> Result<Record, Bad> {
    let start = at + HEADER_BYTES;
    let end = start.checked_add(header.len as usize).filter(|end| *end <= body.len()).ok_or(Bad::Short)?;
    let payload = body.slice(start..end);
    if crc32c_append(0, &payload) != header.payload_crc {
        return Err(Bad::Wrong("the checksum of a record's payload does not hold"));
    }
    Record::decode(header.kind, payload)
}

/// Records on their way to the disk as one write.
pub(crate) struct WriteBuffer {
    sectors: Sectors,
    /// What every record of this write says is durable: all records before the write.
    synced_seq: u64,
}

impl WriteBuffer {
    /// Starts the write with this number, after the records that `chain` has seen.
    pub(crate) fn new(number: u64, chain: &Chain) -> WriteBuffer {
        WriteBuffer { sectors: Sectors::new(number), synced_seq: chain.seq }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sectors.body_bytes() == 0
    }

    /// Sectors that the write would have with `more` bytes of records.
    pub(crate) fn sectors_with(&self, more: usize) -> u64 {
        (self.sectors.body_bytes() + more).div_ceil(BODY_BYTES) as u64
    }

    /// Adds a record and returns its span within the body of this write.
    pub(crate) fn push(&mut self, record: &Record, chain: &mut Chain) -> Span {
        let fixed = record.fixed_payload();
        let entry = match record {
            Record::Append(entry) => &entry.payload[..],
            _ => &[],
        };
        let mut header = Header {
            kind: record.kind(),
            version: VERSION,
            len: (fixed.len() + entry.len()) as u32,
            seq: chain.seq + 1,
            synced_seq: self.synced_seq,
            payload_crc: crc32c_append(crc32c_append(0, &fixed), entry),
            crc: 0,
        };
        header.crc = crc32c_append(chain.crc, &header.bytes_before_crc());
        let span = Span { start: self.sectors.body_bytes() as u64, len: HEADER_BYTES as u32 + header.len };
        self.sectors.put(&header.bytes_before_crc());
        self.sectors.put(&header.crc.to_le_bytes());
        self.sectors.put(&fixed);
        self.sectors.put(entry);
        debug_assert_eq!(span.len as usize, record.encoded_len());
        *chain = Chain { crc: header.crc, seq: header.seq, synced_seq: header.synced_seq };
        span
    }

    /// What goes to the disk.
    pub(crate) fn finish(&mut self) -> &[u8] {
        self.sectors.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::sector::{SECTOR_BYTES, Tag, bodies};
    use proptest::prelude::*;

    fn id() -> impl Strategy<Value = LogId> {
        (any::<u64>(), any::<u64>()).prop_map(|(term, index)| LogId { term, index })
    }

    fn vote() -> impl Strategy<Value = Vote> {
        (any::<u64>(), any::<u64>(), any::<bool>()).prop_map(|(term, node, committed)| Vote {
            term,
            node,
            committed,
        })
    }

    fn state() -> impl Strategy<Value = LogState> {
        (
            proptest::option::of(id()),
            proptest::option::of(id()),
            proptest::option::of(vote()),
            proptest::option::of(id()),
        )
            .prop_map(|(purged, last, vote, committed)| LogState { purged, last, vote, committed })
    }

    fn record() -> impl Strategy<Value = Record> {
        prop_oneof![
            (id(), proptest::collection::vec(any::<u8>(), 0..1500))
                .prop_map(|(id, payload)| Record::Append(Entry { id, payload: payload.into() })),
            vote().prop_map(Record::Vote),
            id().prop_map(Record::Committed),
            id().prop_map(Record::PurgeUpto),
            proptest::option::of(id()).prop_map(Record::TruncateAfter),
            (any::<u64>(), any::<u64>(), state()).prop_map(|(segment, write, state)| Record::SegmentHead(
                Head { segment, sectors: 32, write, chain: Chain { crc: 7, seq: 8, synced_seq: 9 }, state }
            )),
            any::<bool>().prop_map(|closed| Record::Mark { closed }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn what_is_written_is_read(records in proptest::collection::vec(record(), 1..20), number in 1u64..1 << 56) {
            let start = Chain { crc: 0xfeed, seq: 41, synced_seq: 40 };
            let mut chain = start;
            let mut write = WriteBuffer::new(number, &chain);
            let spans = records.iter().map(|record| write.push(record, &mut chain)).collect::<Vec<_>>();
            let sectors = write.finish().to_vec();
            prop_assert_eq!(sectors.len() % SECTOR_BYTES, 0);
            for (at, sector) in sectors.chunks(SECTOR_BYTES).enumerate() {
                let last = (at + 1) * SECTOR_BYTES == sectors.len();
                prop_assert_eq!(Tag::of(sector), Tag::Write { number, last });
            }
            let body = bodies(&sectors);
            let mut reading = start;
            for (record, span) in records.iter().zip(&spans) {
                prop_assert_eq!(record.encoded_len(), span.len as usize);
                let (read, read_span) = read_record(&body, span.start as usize, &mut reading).unwrap();
                prop_assert_eq!(&read, record);
                prop_assert_eq!(&read_span, span);
            }
            prop_assert_eq!(reading, chain);
            // Another chain, as a recycled segment would have, does not validate.
            let mut stale = Chain { crc: 1, ..start };
            prop_assert!(read_record(&body, 0, &mut stale).is_err());
        }

        #[test]
        fn no_flipped_bit_goes_unseen(record in record(), bit in any::<prop::sample::Index>()) {
            let mut chain = Chain::default();
            let mut write = WriteBuffer::new(1, &chain);
            let span = write.push(&record, &mut chain);
            let mut body = bodies(write.finish()).to_vec();
            let bit = bit.index(span.len as usize * 8);
            body[bit / 8] ^= 1 << (bit % 8);
            let bad = read_record(&body.into(), 0, &mut Chain::default()).unwrap_err();
            // Never "short": that would make damage look like a write that was not finished.
            prop_assert!(matches!(bad, Bad::Wrong(_)));
        }
    }
}
