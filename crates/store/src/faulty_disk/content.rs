//! The bytes of one file, with what is durable kept apart from what was only written.

use std::collections::BTreeMap;

/// What a disk writes as a whole or not at all.
pub(super) const SECTOR: usize = 512;

/// Bytes of a file: what is durable, and over it the sectors written since the last sync.
#[derive(Clone, Default)]
pub(super) struct Content {
    pub(super) durable: Vec<u8>,
    pub(super) len: u64,
    pub(super) unsynced: BTreeMap<u64, [u8; SECTOR]>,
}

impl Content {
    fn sector(&self, number: u64) -> [u8; SECTOR] {
        if let Some(sector) = self.unsynced.get(&number) {
            return *sector;
        }
        let mut sector = [0; SECTOR];
        let start = (number as usize * SECTOR).min(self.durable.len());
        let end = (start + SECTOR).min(self.durable.len());
        sector[..end - start].copy_from_slice(&self.durable[start..end]);
        sector
    }

    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) {
        for_each_sector(offset, buffer.len(), |number, within, range| {
            buffer[range.clone()].copy_from_slice(&self.sector(number)[within..within + range.len()]);
        });
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) {
        for_each_sector(offset, bytes.len(), |number, within, range| {
            let mut sector = self.sector(number);
            sector[within..within + range.len()].copy_from_slice(&bytes[range]);
            self.unsynced.insert(number, sector);
        });
        self.len = self.len.max(offset + bytes.len() as u64);
    }

    pub(super) fn set_len(&mut self, len: u64) {
        if len < self.len {
            // Bytes beyond the end read as zeros if the file grows again.
            let zeros = vec![0; (self.len - len) as usize];
            self.write(&zeros, len);
        }
        self.len = len;
    }

    pub(super) fn persist(&mut self, number: u64) {
        let Some(sector) = self.unsynced.remove(&number) else { return };
        let start = number as usize * SECTOR;
        if self.durable.len() < start + SECTOR {
            self.durable.resize(start + SECTOR, 0);
        }
        self.durable[start..start + SECTOR].copy_from_slice(&sector);
    }

    pub(super) fn persist_all(&mut self) {
        while let Some((number, _)) = self.unsynced.first_key_value() {
            self.persist(*number);
        }
        self.durable.resize(self.len as usize, 0);
    }

    pub(super) fn persist_range(&mut self, offset: u64, len: usize) {
        for_each_sector(offset, len, |number, _, _| self.persist(number));
        self.durable.resize(self.len as usize, 0);
    }
}

/// Calls `each(sector number, offset within it, range of the buffer)` for every sector that a range touches.
fn for_each_sector(offset: u64, len: usize, mut each: impl FnMut(u64, usize, std::ops::Range<usize>)) {
    let mut done = 0;
    while done < len {
        let at = offset as usize + done;
        let within = at % SECTOR;
        let piece = (SECTOR - within).min(len - done);
        each((at / SECTOR) as u64, within, done..done + piece);
        done += piece;
    }
}
