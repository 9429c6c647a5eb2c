//! Adding a file to an index: some transactions of whole records, and with the last one the file counts as held.
//!
//! A crash in between leaves records of a file that is noted as being added. Adding it again finds each of them as it
//! would have written it; where the state does not name that file the whole index goes.

use super::layout::{self, ADDING, FILES, RECORDS, Record, TERMS, ZONE_SHIFTS, ZONES, Zone};
use super::query::find;
use super::rows::Rows;
use super::{Placed, Trusted};
use crate::error::Error;
use crate::history::SealedFile;
use crate::limits::STATE_KEYS_PER_TRANSACTION_MAX;
use crate::state_store::{Change, Changes};
use parking_lot::RwLock;
use std::collections::BTreeMap;

/// Called by one at a time.
pub(super) fn add<R: Rows>(
    trusted: &RwLock<Trusted<R>>,
    file: &SealedFile,
    records: &[Placed],
) -> Result<(), Error> {
    let (key, value) = (layout::file_key(file.number), layout::encode_file(file));
    for tree in [FILES, ADDING] {
        match trusted.read().rows()?.get(tree, &key)? {
            Some(other) if other != value => {
                let why = format!("it knows another file {} than {file:?}", file.number);
                return Err(Error::Unfit { why });
            }
            Some(_) if tree == FILES => return Ok(()),
            _ => {}
        }
    }
    let mut batch = Batch::default();
    batch.changes.put(ADDING, key.clone(), value.clone());
    for record in latest(records).values() {
        let before = find(trusted.read().rows()?, record.id)?;
        if before.as_ref().is_some_and(|before| !record.is_later_than(before)) {
            continue;
        }
        if batch.keys() + keys_max(record, before.as_ref()) >= STATE_KEYS_PER_TRANSACTION_MAX {
            commit(trusted, &std::mem::take(&mut batch).finish())?;
        }
        batch.put(trusted.read().rows()?, record, before.as_ref())?;
    }
    let mut last = batch.finish();
    last.delete(ADDING, key.clone());
    last.put(FILES, key, value);
    commit(trusted, &last)
}

/// The last record of each id.
fn latest(records: &[Placed]) -> BTreeMap<u64, Record> {
    let mut latest = BTreeMap::new();
    for placed in records {
        let record = Record::of(placed);
        assert!(record.id < u64::MAX, "no id is the greatest number: a query goes on above the last one");
        match latest.get(&record.id) {
            Some(other) if !record.is_later_than(other) => {}
            _ => drop(latest.insert(record.id, record)),
        }
    }
    latest
}

/// Keys that a record changes at most, and one to spare for what is said of the file.
fn keys_max(record: &Record, before: Option<&Record>) -> usize {
    2 + record.terms.len() + before.map_or(0, |before| before.terms.len()) + ZONE_SHIFTS.len()
}

/// Changes of whole records, for one transaction.
#[derive(Default)]
struct Batch {
    changes: Changes,
    /// By key: as it was, and as it is to be.
    zones: BTreeMap<Vec<u8>, (Option<Zone>, Zone)>,
}

impl Batch {
    fn keys(&self) -> usize {
        self.changes.len() + self.zones.len()
    }

    /// Puts a record in the place of the one before.
    fn put(&mut self, rows: &impl Rows, record: &Record, before: Option<&Record>) -> Result<(), Error> {
        for term in before.into_iter().flat_map(|before| &before.terms) {
            self.changes.delete(TERMS, layout::term_key(term, record.id));
        }
        for term in &record.terms {
            self.changes.put(TERMS, layout::term_key(term, record.id), []);
        }
        self.changes.put(RECORDS, record.id.to_be_bytes(), record.encode());
        ZONE_SHIFTS
            .iter()
            .try_for_each(|shift| self.widen(rows, Zone::key(*shift, record.id), record.time_ms))
    }

    fn widen(&mut self, rows: &impl Rows, key: Vec<u8>, time_ms: i64) -> Result<(), Error> {
        let time = Zone::at(time_ms);
        if let Some((_, zone)) = self.zones.get_mut(&key) {
            *zone = zone.join(time);
            return Ok(());
        }
        let before = rows.get(ZONES, &key)?.map(|value| Zone::decode(&key, &value)).transpose()?;
        self.zones.insert(key, (before, before.map_or(time, |before| before.join(time))));
        Ok(())
    }

    fn finish(mut self) -> Changes {
        for (key, (before, zone)) in self.zones {
            if before != Some(zone) {
                self.changes.put(ZONES, key, zone.encode());
            }
        }
        self.changes
    }
}

/// Makes the changes, with the digest that they lead to. Where that fails nobody knows what the rows are.
fn commit<R: Rows>(trusted: &RwLock<Trusted<R>>, changes: &Changes) -> Result<(), Error> {
    let digest = digest_after(&*trusted.read(), changes)?;
    let mut trusted = trusted.write();
    trusted.digest = None;
    trusted.rows.commit(changes, digest)?;
    trusted.digest = Some(digest);
    Ok(())
}

fn digest_after<R: Rows>(trusted: &Trusted<R>, changes: &Changes) -> Result<u128, Error> {
    let rows = trusted.rows()?;
    let mut digest = trusted.digest.unwrap_or_default();
    for Change { tree, key, value } in changes.list() {
        let of = |value: &[u8]| layout::row_digest(tree, key, value);
        let (before, after) = (rows.get(tree, key)?, value);
        digest = digest.wrapping_sub(before.as_deref().map_or(0, of)).wrapping_add(after.map_or(0, of));
    }
    Ok(digest)
}
