//! Reading entries that are no longer in memory.

use super::record;
use super::recovery::physical;
use super::sector::{BODY_BYTES, SECTOR_BYTES, bodies};
use super::wal::Shared;
use super::window::{Place, above};
use super::{Entry, LogId};
use crate::error::{During, Error, REMEDY_REJOIN};
use crate::limits;

impl Shared {
    /// Reads entries at their places, neighbours in one go.
    pub(super) fn read_from_disk(&self, wanted: &[(LogId, Place)]) -> Result<Vec<Entry>, Error> {
        let mut entries = Vec::with_capacity(wanted.len());
        let mut rest = wanted;
        while let Some((_, first)) = rest.first() {
            let together = rest
                .iter()
                .take_while(|(_, place)| {
                    let end = place.span.start + u64::from(place.span.len);
                    place.segment == first.segment
                        && end.saturating_sub(first.span.start) <= limits::READ_BYTES_MAX as u64
                })
                .count()
                .max(1);
            let (now, later) = rest.split_at(together);
            self.read_run(now, &mut entries)?;
            rest = later;
        }
        Ok(entries)
    }

    /// Reads entries of one segment.
    fn read_run(&self, run: &[(LogId, Place)], entries: &mut Vec<Entry>) -> Result<(), Error> {
        let (Some((first_id, first)), Some((_, last))) = (run.first(), run.last()) else { return Ok(()) };
        let missing = Error::Missing { index: first_id.index };
        let segment = self.log.lock().segments.get(&first.segment).cloned();
        // Purged meanwhile.
        let Some(file) = segment else { return Err(missing) };
        let body_bytes = BODY_BYTES as u64;
        let start = first.span.start / body_bytes;
        let end = (last.span.start + u64::from(last.span.len)).div_ceil(body_bytes);
        let mut sectors = vec![0; (end - start) as usize * SECTOR_BYTES];
        file.read_at(&mut sectors, start * SECTOR_BYTES as u64)
            .during(|| format!("reading {}", self.directory.locate(first.segment)))?;
        let body = bodies(&sectors);
        for (id, place) in run {
            match record::read_entry(&body, (place.span.start - start * body_bytes) as usize) {
                Ok(entry) if entry.id == *id => entries.push(entry),
                // Purged meanwhile, and the segment is being zeroed for its next use.
                _ if !above(id.index, self.log.lock().window.purged()) => return Err(missing),
                _ => {
                    return Err(Error::Corrupt {
                        file: self.directory.locate(place.segment),
                        offset: physical(place.span.start),
                        why: format!("entry {id} cannot be read back"),
                        remedy: REMEDY_REJOIN,
                    });
                }
            }
        }
        Ok(())
    }
}
