//! The files of the log: zeroed before use, filled in order, removed from the old end.
//!
//! ```text
//! wal/000000000007.seg   sealed, oldest first
//! wal/000000000008.seg   active
//! wal/000000000009.seg   next: zeroed and durable, waits until the active one is full
//! wal/spare.tmp          on its way to be the next: new, or a removed segment that is zeroed again
//! ```
//!
//! Zeroing goes in small steps that keep pace with the writes: a segment that is half full has its successor ready.

use super::sector::SECTOR_BYTES;
use crate::disk::{Disk, DiskFile, OpenMode};
use crate::error::{During, Error};
use crate::limits::ZERO_STEP_BYTES;
use std::collections::VecDeque;
use std::sync::Arc;

const SUFFIX: &str = ".seg";
const SPARE: &str = "spare.tmp";

/// One file of the log.
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) sectors: u64,
    /// Highest index of an entry ever written here. The segment may go when that is purged.
    pub(crate) index_max: Option<u64>,
}

impl Segment {
    pub(crate) fn bytes(&self) -> u64 {
        self.sectors * SECTOR_BYTES as u64
    }
}

/// The directory of the log, and how its files are named.
#[derive(Clone)]
pub(crate) struct Directory {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) name: String,
}

impl Directory {
    pub(crate) fn path(&self, number: u64) -> String {
        format!("{}/{number:012}{SUFFIX}", self.name)
    }

    pub(crate) fn locate(&self, number: u64) -> String {
        self.disk.locate(&self.path(number))
    }

    fn spare(&self) -> String {
        format!("{}/{SPARE}", self.name)
    }

    fn sync(&self) -> Result<(), Error> {
        self.disk.sync_dir(&self.name).during(|| format!("syncing the directory {}", self.name))
    }

    /// Numbers of the segments that are there, ascending.
    pub(crate) fn numbers(&self) -> Result<Vec<u64>, Error> {
        let names = self.disk.list(&self.name).during(|| format!("listing {}", self.name))?;
        let mut numbers: Vec<u64> =
            names.iter().filter_map(|name| name.strip_suffix(SUFFIX)?.parse().ok()).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    pub(crate) fn open(&self, number: u64) -> Result<Segment, Error> {
        let what = || format!("opening {}", self.locate(number));
        let file = self.disk.open(&self.path(number), OpenMode::Existing).during(what)?;
        let sectors = file.len().during(what)? / SECTOR_BYTES as u64;
        Ok(Segment { number, file, sectors, index_max: None })
    }
}

/// A spare that is being zeroed.
struct Preparing {
    file: Arc<dyn DiskFile>,
    zeroed: u64,
}

/// All files of the log; the writer owns them.
pub(crate) struct Segments {
    directory: Directory,
    segment_bytes: u64,
    sealed: VecDeque<Segment>,
    active: Segment,
    /// Sectors of the active segment that are written.
    used: u64,
    next: Option<Segment>,
    preparing: Option<Preparing>,
    has_spare: bool,
}

impl Segments {
    /// Takes over what recovery found.
    pub(crate) fn new(
        directory: Directory,
        segment_bytes: u64,
        sealed: VecDeque<Segment>,
        active: Segment,
        used: u64,
        next: Option<Segment>,
    ) -> Result<Segments, Error> {
        let has_spare =
            directory.disk.list(&directory.name).during(|| format!("listing {}", directory.name))?;
        let has_spare = has_spare.iter().any(|name| name == SPARE);
        directory.sync()?;
        Ok(Segments { directory, segment_bytes, sealed, active, used, next, preparing: None, has_spare })
    }

    /// Makes the first segment of a new log.
    pub(crate) fn create_first(directory: &Directory, segment_bytes: u64) -> Result<Segment, Error> {
        let mut preparing = Preparing::start(directory, segment_bytes)?;
        while !preparing.step(directory, segment_bytes)? {}
        preparing.publish(directory, segment_bytes, 1)
    }

    pub(crate) fn active(&self) -> &Segment {
        &self.active
    }

    pub(crate) fn active_mut(&mut self) -> &mut Segment {
        &mut self.active
    }

    /// Where the next write begins, in sectors.
    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    /// Sectors left in the active segment.
    pub(crate) fn room(&self) -> u64 {
        self.active.sectors - self.used
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Segment> {
        self.sealed.iter().chain([&self.active])
    }

    pub(crate) fn count(&self) -> u64 {
        self.sealed.len() as u64 + 1
    }

    pub(crate) fn bytes(&self) -> u64 {
        let spare = if self.has_spare { self.segment_bytes } else { 0 };
        self.all().chain(&self.next).map(Segment::bytes).sum::<u64>() + spare
    }

    /// One write and sync. After an error nothing may be written to the file again.
    pub(crate) fn write(&mut self, sectors: &[u8]) -> Result<(), Error> {
        let count = (sectors.len() / SECTOR_BYTES) as u64;
        assert!(count <= self.room(), "a write stays within its segment");
        self.active
            .file
            .write_durable_at(sectors, self.used * SECTOR_BYTES as u64)
            .during(|| format!("writing {}", self.directory.locate(self.active.number)))?;
        self.used += count;
        Ok(())
    }

    /// Seals the active segment and goes on with the next. Returns true if that had to be zeroed on the spot.
    pub(crate) fn roll(&mut self) -> Result<bool, Error> {
        let stalled = self.next.is_none();
        while self.next.is_none() {
            self.prepare_step()?;
        }
        if let Some(next) = self.next.take() {
            self.sealed.push_back(std::mem::replace(&mut self.active, next));
            self.used = 0;
        }
        Ok(stalled)
    }

    /// True while the next segment is less ready than the active one is full, counted double.
    pub(crate) fn is_behind(&self) -> bool {
        let zeroed = self.preparing.as_ref().map_or(0, |preparing| preparing.zeroed);
        self.next.is_none() && zeroed < self.used * SECTOR_BYTES as u64 * 2
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.next.is_some()
    }

    /// Zeroes a bounded piece of the next segment.
    pub(crate) fn prepare_step(&mut self) -> Result<(), Error> {
        if self.next.is_some() {
            return Ok(());
        }
        let mut preparing = match self.preparing.take() {
            Some(preparing) => preparing,
            None => Preparing::start(&self.directory, self.segment_bytes)?,
        };
        self.has_spare = true;
        if preparing.step(&self.directory, self.segment_bytes)? {
            let number = self.active.number + 1;
            self.next = Some(preparing.publish(&self.directory, self.segment_bytes, number)?);
            self.has_spare = false;
        } else {
            self.preparing = Some(preparing);
        }
        Ok(())
    }

    /// Removes the oldest segments that hold nothing above `purged`, and returns their numbers. Only after the record
    /// of the purge is durable.
    pub(crate) fn retire(&mut self, purged: u64) -> Result<Vec<u64>, Error> {
        let mut retired = Vec::new();
        while let Some(oldest) =
            self.sealed.pop_front_if(|segment| segment.index_max.is_none_or(|index| index <= purged))
        {
            let path = self.directory.path(oldest.number);
            if self.has_spare {
                self.directory.disk.remove(&path).during(|| format!("removing {path}"))?;
            } else {
                let spare = self.directory.spare();
                self.directory.disk.rename(&path, &spare).during(|| format!("renaming {path}"))?;
                self.has_spare = true;
            }
            // One at a time: a crash must not leave a gap between the segments.
            self.directory.sync()?;
            retired.push(oldest.number);
        }
        Ok(retired)
    }
}

impl Preparing {
    fn start(directory: &Directory, segment_bytes: u64) -> Result<Preparing, Error> {
        let path = directory.spare();
        let what = || format!("preparing {path}");
        let file = directory.disk.open(&path, OpenMode::Create).during(what)?;
        if file.len().during(what)? != segment_bytes {
            file.set_len(segment_bytes).during(what)?;
        }
        Ok(Preparing { file, zeroed: 0 })
    }

    /// Returns true when the whole file is zero and durable.
    fn step(&mut self, directory: &Directory, segment_bytes: u64) -> Result<bool, Error> {
        let piece = ZERO_STEP_BYTES.min(segment_bytes - self.zeroed);
        self.file
            .write_durable_at(&vec![0; piece as usize], self.zeroed)
            .during(|| format!("zeroing {}", directory.spare()))?;
        self.zeroed += piece;
        Ok(self.zeroed == segment_bytes)
    }

    fn publish(self, directory: &Directory, segment_bytes: u64, number: u64) -> Result<Segment, Error> {
        let path = directory.path(number);
        self.file.sync().during(|| format!("syncing {}", directory.spare()))?;
        directory.disk.rename(&directory.spare(), &path).during(|| format!("making {path}"))?;
        directory.sync()?;
        let sectors = segment_bytes / SECTOR_BYTES as u64;
        Ok(Segment { number, file: self.file, sectors, index_max: None })
    }
}
