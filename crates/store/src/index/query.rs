//! One query: all lists of its terms walked down together.
//!
//! Each list is asked in turn for its greatest id up to the least that another one named; where all name the same id,
//! that record is a hit. So a list is entered about as often as the shortest one is long, whichever that is: there is no
//! plan to choose, and nothing is counted beforehand that could turn out untrue. Ids whose zone lies outside the times of
//! the query are left out, a whole zone at a time.

use super::layout::{self, RECORDS, Record, TERMS, ZONE_SHIFTS, ZONES, Zone};
use super::rows::Rows;
use super::{IndexHit, IndexPage, IndexQuery};
use crate::error::Error;
use crate::limits::INDEX_ENTRIES_PER_QUERY_MAX;

/// Entries that are looked at between two looks at the bound: one of a list, its zones, one record.
const STEP_ENTRIES_MAX: usize = 2 + ZONE_SHIFTS.len();

/// The record of an id.
pub(super) fn find(rows: &impl Rows, id: u64) -> Result<Option<Record>, Error> {
    let value = rows.get(RECORDS, &id.to_be_bytes())?;
    value.map(|value| Record::decode(id, &value)).transpose()
}

pub(super) fn run(rows: &impl Rows, query: &IndexQuery) -> Result<IndexPage, Error> {
    let mut walk = Walk::new(rows, query);
    let mut hits = Vec::new();
    // All ids above it are judged.
    let mut at = if query.times.is_empty() { None } else { query.before.unwrap_or(u64::MAX).checked_sub(1) };
    while let Some(id) = at.filter(|id| *id >= query.from) {
        if hits.len() >= query.limit || walk.entries + STEP_ENTRIES_MAX > INDEX_ENTRIES_PER_QUERY_MAX {
            break;
        }
        at = match walk.step(id)? {
            Step::To(lower) => lower,
            Step::Hit(hit) => {
                hits.push(hit);
                hit.id.checked_sub(1)
            }
        };
    }
    let next = at.filter(|id| *id >= query.from).map(|id| id + 1);
    Ok(IndexPage { hits, next, entries: walk.entries })
}

enum Step {
    /// Nothing above this is a hit, or nothing more at all; this itself may be.
    To(Option<u64>),
    Hit(IndexHit),
}

struct Walk<'a, R> {
    rows: &'a R,
    query: &'a IndexQuery,
    /// What the keys of each list begin with, and its tree.
    lists: Vec<(&'static str, Vec<u8>)>,
    /// The list that is asked next.
    turn: usize,
    /// Lists that hold the present id, the last that were asked.
    agreeing: usize,
    zones: ZonesSeen,
    entries: usize,
}

/// Zones that are known to have to do with the times of the query.
struct ZonesSeen {
    /// The last one of each width, as the bits that its ids share.
    overlapping: [Option<u64>; ZONE_SHIFTS.len()],
    /// From here on up, all are within them.
    within_from: u64,
}

impl<'a, R: Rows> Walk<'a, R> {
    fn new(rows: &'a R, query: &'a IndexQuery) -> Self {
        let mut lists: Vec<_> = query.terms.iter().map(|term| (TERMS, layout::term_prefix(term))).collect();
        if lists.is_empty() {
            lists.push((RECORDS, Vec::new()));
        }
        let zones = ZonesSeen { overlapping: [None; ZONE_SHIFTS.len()], within_from: u64::MAX };
        Walk { rows, query, lists, turn: 0, agreeing: 0, zones, entries: 0 }
    }

    fn step(&mut self, at: u64) -> Result<Step, Error> {
        let (tree, prefix) = &self.lists[self.turn];
        self.turn = (self.turn + 1) % self.lists.len();
        self.entries += 1;
        let (least, greatest) = (layout::with_id(prefix, self.query.from), layout::with_id(prefix, at));
        let last = self.rows.last(tree, &least, &greatest)?;
        let Some(key) = last else { return Ok(Step::To(None)) };
        let id = layout::id_of(tree, &key)?;
        if id < at {
            self.agreeing = 0;
        }
        if self.agreeing == 0
            && let Some(least) = self.outside(id)?
        {
            return Ok(Step::To(least.checked_sub(1)));
        }
        self.agreeing += 1;
        if self.agreeing < self.lists.len() {
            return Ok(Step::To(Some(id)));
        }
        self.agreeing = 0;
        self.judge(id)
    }

    /// The least id of a zone around `id` that lies outside the times.
    fn outside(&mut self, id: u64) -> Result<Option<u64>, Error> {
        for (shift, overlapping) in ZONE_SHIFTS.into_iter().zip(&mut self.zones.overlapping) {
            if id >= self.zones.within_from {
                break;
            }
            let shared = id >> shift;
            if *overlapping == Some(shared) {
                continue;
            }
            self.entries += 1;
            let key = Zone::key(shift, id);
            let value = self.rows.get(ZONES, &key)?.ok_or_else(|| layout::unreadable(ZONES, &key))?;
            let zone = Zone::decode(&key, &value)?;
            if !zone.overlaps(&self.query.times) {
                return Ok(Some(shared << shift));
            }
            *overlapping = Some(shared);
            if zone.is_within(&self.query.times) {
                self.zones.within_from = shared << shift;
            }
        }
        Ok(None)
    }

    /// All lists hold this id.
    fn judge(&mut self, id: u64) -> Result<Step, Error> {
        self.entries += 1;
        let record = find(self.rows, id)?.ok_or_else(|| layout::unreadable(RECORDS, &id.to_be_bytes()))?;
        if self.query.times.contains(&record.time_ms) {
            return Ok(Step::Hit(record.hit()));
        }
        Ok(Step::To(id.checked_sub(1)))
    }
}
