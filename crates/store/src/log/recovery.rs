//! Reads the log back, and tells a write that power interrupted from damage.
//!
//! At most one write is under way at any time, and every sector says which write it belongs to. So after the last
//! whole write there may be some sectors of the next one, in any order, and nothing else:
//!
//! * a record that is bad although all its sectors are written is damage;
//! * a write that misses a sector was never acknowledged: it is cut, whole, and its sectors are zeroed;
//! * a sector of any *later* write proves that the missing one had been synced: damage;
//! * anything else that is not zero is damage.
//!
//! Damage is refused, never repaired: this node may have promised what it can no longer read.

use super::LogState;
use super::record::{self, Bad, Chain, Head, Record, Span};
use super::sector::{BODY_BYTES, SECTOR_BYTES, Tag, bodies};
use super::segment::{Directory, Segment};
use super::window::{Place, Window};
use crate::disk::read_all;
use crate::error::{During, Error, REMEDY_REJOIN};
use crate::limits::SEGMENT_BYTES_MIN;
use bytes::Bytes;
use planted::Bug;
use std::collections::VecDeque;

/// The log as it was found.
pub(crate) struct Recovered {
    pub(crate) window: Window,
    pub(crate) state: LogState,
    pub(crate) chain: Chain,
    /// Number that the next write gets.
    pub(crate) next_write: u64,
    pub(crate) sealed: VecDeque<Segment>,
    pub(crate) active: Segment,
    /// Sectors of the active segment that are written; 0 for a log without a single whole write.
    pub(crate) used: u64,
    pub(crate) next: Option<Segment>,
    /// The last record is a mark: everything is covered.
    pub(crate) marked: bool,
    /// That mark says that the writer stopped on request.
    pub(crate) closed: bool,
    /// Sectors of an interrupted write that were cut.
    pub(crate) cut_sectors: u64,
}

/// Reads the segments with these numbers, which are not none.
pub(crate) fn recover(
    directory: &Directory,
    numbers: &[u64],
    window_bytes: usize,
) -> Result<Recovered, Error> {
    let mut scan = Scan {
        directory,
        window: Window::new(window_bytes),
        state: LogState::default(),
        chain: Chain::default(),
        next_write: 1,
        started: numbers[0] == 1,
        last: None,
    };
    let mut filled: VecDeque<(Segment, u64)> = VecDeque::new();
    let mut empty: Vec<Segment> = Vec::new();
    let mut leftover: Option<(u64, Vec<u64>)> = None;
    for (at, number) in numbers.iter().enumerate() {
        if *number != numbers[0] + at as u64 {
            let why = format!("the segments between {} and this one are missing", numbers[at - 1]);
            return Err(scan.corrupt(*number, 0, why));
        }
        let mut segment = directory.open(*number)?;
        // After a write that failed memory may hold what the disk does not, or the other way round.
        segment.file.forget_cached().during(|| format!("reading {}", directory.locate(*number)))?;
        let bytes = read_all(&*segment.file).during(|| format!("reading {}", directory.locate(*number)))?;
        let len = bytes.len() as u64;
        if !len.is_multiple_of(SECTOR_BYTES as u64) || len < SEGMENT_BYTES_MIN {
            return Err(scan.corrupt(*number, len, "the file is cut off".to_owned()));
        }
        // An interrupted write, or a segment without one, ends the log.
        let ended = leftover.is_some() || !empty.is_empty();
        let used = if ended { 0 } else { scan.segment(&mut segment, &bytes)? };
        let sectors = scan.leftover(*number, &bytes, used, ended)?;
        if !sectors.is_empty() {
            leftover = Some((*number, sectors));
        }
        if used > 0 { filled.push_back((segment, used)) } else { empty.push(segment) }
    }
    let mut empty = empty.into_iter();
    let (active, used) = match filled.pop_back() {
        Some(filled) => filled,
        // Power went while the very first segment got its head: nothing was ever promised.
        None if numbers == [1] => (empty.next().expect("there is one segment"), 0),
        None => return Err(scan.corrupt(numbers[0], 0, "the segment has lost its head".to_owned())),
    };
    let next = empty.next();
    if let Some(second) = empty.next() {
        let why = "two empty segments follow the log: the filled ones are missing".to_owned();
        return Err(scan.corrupt(second.number, 0, why));
    }
    scan.finish()?;
    // Only now that everything was read and found right: what is refused is left as it was found.
    let cut_sectors = match leftover {
        Some((number, sectors)) => cut(directory, number, &sectors)?,
        None => 0,
    };
    // Written is not yet durable: a process that was killed may have left its last write in a cache of the kernel's or
    // the device's.
    active.file.sync().during(|| format!("syncing {}", directory.locate(active.number)))?;
    Ok(Recovered {
        window: scan.window,
        state: scan.state,
        chain: scan.chain,
        next_write: scan.next_write,
        sealed: filled.into_iter().map(|(segment, _)| segment).collect(),
        active,
        used,
        next,
        marked: matches!(scan.last, Some(Record::Mark { .. })),
        closed: matches!(scan.last, Some(Record::Mark { closed: true })),
        cut_sectors,
    })
}

/// Zeroes the sectors of an interrupted write, durably, before anything is written over them.
fn cut(directory: &Directory, number: u64, sectors: &[u64]) -> Result<u64, Error> {
    let what = || format!("cutting an unfinished write off {}", directory.locate(number));
    let segment = directory.open(number)?;
    for sector in sectors {
        segment.file.write_at(&[0; SECTOR_BYTES], sector * SECTOR_BYTES as u64).during(what)?;
    }
    segment.file.sync().during(what)?;
    Ok(sectors.len() as u64)
}

struct Scan<'a> {
    directory: &'a Directory,
    window: Window,
    state: LogState,
    chain: Chain,
    next_write: u64,
    /// False until the head of the oldest segment has said where the chain stands.
    started: bool,
    last: Option<Record>,
}

/// A write as far as its sectors are there.
struct Found {
    body: Bytes,
    sectors: u64,
    whole: bool,
}

impl Scan<'_> {
    /// Reads the whole writes of a segment and returns the number of sectors that they fill.
    fn segment(&mut self, segment: &mut Segment, bytes: &[u8]) -> Result<u64, Error> {
        let mut at = 0;
        while at < segment.sectors {
            if !self.started
                && let Tag::Write { number, .. } = tag(bytes, at)
            {
                self.next_write = number;
            }
            let mut found = self.collect(segment.number, bytes, at)?;
            if planted::is(Bug::TailCutTooMuch) && is_torn(bytes, at + found.sectors, self.next_write + 1) {
                found.whole = false;
            }
            let records = self.parse(segment.number, segment.sectors, at, &found)?;
            if !found.whole {
                break;
            }
            for (record, span) in records {
                self.apply(segment, record, span)?;
            }
            self.next_write += 1;
            at += found.sectors;
        }
        Ok(at)
    }

    /// Gathers the sectors of the next write up to its last one, or to the first that is missing.
    fn collect(&self, segment: u64, bytes: &[u8], at: u64) -> Result<Found, Error> {
        let mut end = at;
        let mut whole = false;
        while !whole && end < (bytes.len() / SECTOR_BYTES) as u64 {
            match tag(bytes, end) {
                Tag::Write { number, last } if number == self.next_write => whole = last,
                Tag::Zero => break,
                other => return Err(self.stray(segment, end, other)),
            }
            end += 1;
        }
        if !whole && end == (bytes.len() / SECTOR_BYTES) as u64 && end > at {
            let why = "a write runs over the end of its segment".to_owned();
            return Err(self.corrupt(segment, end * SECTOR_BYTES as u64, why));
        }
        let body = bodies(&bytes[at as usize * SECTOR_BYTES..end as usize * SECTOR_BYTES]);
        Ok(Found { body, sectors: end - at, whole })
    }

    /// Reads the records of a write. In one that misses a sector, those before it must be good all the same: all
    /// their sectors are written.
    fn parse(
        &mut self,
        segment: u64,
        sectors: u64,
        at: u64,
        found: &Found,
    ) -> Result<Vec<(Record, Span)>, Error> {
        let body_start = at * BODY_BYTES as u64;
        let mut chain = self.chain;
        if !self.started && found.whole {
            let head = record::read_head(&found.body).map_err(|bad| self.bad(segment, body_start, bad))?;
            chain = head.chain;
            self.state = head.state;
            self.window.start_at(head.state.purged, head.state.last);
        }
        let mut records = Vec::new();
        let mut offset = 0;
        loop {
            let rest = &found.body[offset..];
            if found.whole && rest.len() < BODY_BYTES && rest.iter().all(|byte| *byte == 0) {
                break;
            }
            match record::read_record(&found.body, offset, &mut chain) {
                Ok((record, span)) => {
                    offset += span.len as usize;
                    records.push((record, Span { start: body_start + span.start, len: span.len }));
                }
                Err(Bad::Short) if !found.whole => break,
                // The chain of the oldest segment is not known without its head, which is in the missing part.
                Err(_) if !found.whole && !self.started => break,
                Err(bad) => return Err(self.bad(segment, body_start + offset as u64, bad)),
            }
        }
        if found.whole {
            self.check_head(segment, sectors, at, records.first().map(|(record, _)| record))?;
            self.chain = chain;
            self.started = true;
        }
        Ok(records)
    }

    /// Every segment begins with a head that agrees with what was read before it.
    fn check_head(&self, segment: u64, sectors: u64, at: u64, first: Option<&Record>) -> Result<(), Error> {
        let expected = Record::SegmentHead(Head {
            segment,
            sectors,
            write: self.next_write,
            // Of the oldest segment, only what its own checksum has shown to be right.
            chain: match first {
                Some(Record::SegmentHead(head)) if !self.started => head.chain,
                _ => self.chain,
            },
            state: self.state,
        });
        let is_head = matches!(first, Some(Record::SegmentHead(_)));
        if at == 0 && first != Some(&expected) || at > 0 && is_head {
            let why = "the head of the segment does not agree with the log before it".to_owned();
            return Err(self.corrupt(segment, at * SECTOR_BYTES as u64, why));
        }
        Ok(())
    }

    fn apply(&mut self, segment: &mut Segment, record: Record, span: Span) -> Result<(), Error> {
        match &record {
            Record::Append(entry) => {
                self.window
                    .check_append(std::slice::from_ref(entry))
                    .map_err(|error| self.corrupt(segment.number, physical(span.start), error.to_string()))?;
                segment.index_max = segment.index_max.max(Some(entry.id.index));
                let place = Place { segment: segment.number, span };
                self.window.append(entry.clone(), 0, Some(place));
            }
            Record::TruncateAfter(id) => self.window.truncate_after(*id),
            Record::PurgeUpto(id) => self.window.purge(*id),
            Record::Vote(_) | Record::Committed(_) | Record::SegmentHead(_) | Record::Mark { .. } => {}
        }
        self.state.apply(&record);
        assert_eq!(self.state.last, self.window.last(), "the state and the index follow the same records");
        self.last = Some(record);
        Ok(())
    }

    /// The sectors after the last whole write that are not zero. They may only be of the write that was interrupted,
    /// and only in one segment.
    fn leftover(&self, segment: u64, bytes: &[u8], used: u64, ended: bool) -> Result<Vec<u64>, Error> {
        let mut leftover = Vec::new();
        for at in used..(bytes.len() / SECTOR_BYTES) as u64 {
            match tag(bytes, at) {
                Tag::Zero => {}
                Tag::Write { number, .. } if number == self.next_write && !ended => leftover.push(at),
                Tag::Write { .. } if planted::is(Bug::TailCutTooMuch) && !ended => leftover.push(at),
                other => return Err(self.stray(segment, at, other)),
            }
        }
        Ok(leftover)
    }

    /// Whatever the oldest head spoke of must be there, or have been purged or truncated by a later record.
    fn finish(&self) -> Result<(), Error> {
        if let Some(hole) = self.window.hole() {
            let oldest = self.directory.numbers()?.first().copied().unwrap_or_default();
            return Err(self.corrupt(
                oldest,
                0,
                format!("the segments that hold entries up to {hole} are missing"),
            ));
        }
        Ok(())
    }

    fn stray(&self, segment: u64, sector: u64, tag: Tag) -> Error {
        let why = match tag {
            Tag::Write { number, .. } => format!(
                "write {number} begins or continues where write {} must: a write that was synced is lost",
                self.next_write
            ),
            Tag::Zero | Tag::Damaged => "the sector holds bytes that are not of the log".to_owned(),
        };
        self.corrupt(segment, sector * SECTOR_BYTES as u64, why)
    }

    fn bad(&self, segment: u64, body_offset: u64, bad: Bad) -> Error {
        let why = match bad {
            Bad::Wrong(why) => why,
            Bad::Short => "a record runs over the end of its write",
        };
        self.corrupt(segment, physical(body_offset), why.to_owned())
    }

    fn corrupt(&self, segment: u64, offset: u64, why: String) -> Error {
        Error::Corrupt { file: self.directory.locate(segment), offset, why, remedy: REMEDY_REJOIN }
    }
}

fn tag(bytes: &[u8], sector: u64) -> Tag {
    Tag::of(&bytes[sector as usize * SECTOR_BYTES..][..SECTOR_BYTES])
}

/// Whether this write begins here and misses a sector. Of [`Bug::TailCutTooMuch`].
fn is_torn(bytes: &[u8], from: u64, write: u64) -> bool {
    let tags = (from..(bytes.len() / SECTOR_BYTES) as u64).map(|at| tag(bytes, at));
    let written = tags.take_while(|tag| matches!(tag, Tag::Write { number, .. } if *number == write));
    matches!(written.last(), Some(Tag::Write { last: false, .. }))
}

/// Offset in the file of a byte of body.
pub(crate) fn physical(body_offset: u64) -> u64 {
    let (sector, within) = (body_offset / BODY_BYTES as u64, body_offset % BODY_BYTES as u64);
    sector * SECTOR_BYTES as u64 + (SECTOR_BYTES - BODY_BYTES) as u64 + within
}
