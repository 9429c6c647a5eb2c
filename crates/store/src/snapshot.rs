//! Snapshots: state at an index, as a file of checked blocks that exists whole or not at all.
//!
//! ```text
//! snap/<term>-<index>.snap
//! head     magic 8 | version u32 | term u64 | index u64 | crc u32
//! block    raw length u32 | stored length u32 | crc u32 | zstd bytes                          (any number)
//! meta     the caller's bytes
//! trailer  meta length u32 | block count u64 | raw bytes u64 | last block crc u32 | meta crc u32 | crc u32 | magic 8
//! ```
//!
//! A block's crc is chained with the one before, the first with the head's: blocks that are swapped, repeated or of
//! another snapshot do not validate. A damaged snapshot is an error that names it: whether an older one will do
//! depends on how far the log was purged, which is not known here.

use crate::disk::{Disk, DiskFile, OpenMode, publish};
use crate::error::{During, Error, REMEDY_REFETCH, check_size};
use crate::limits::{SNAPSHOT_BLOCK_BYTES_MAX, SNAPSHOT_META_BYTES_MAX, SNAPSHOTS_KEPT};
use crate::log::LogId;
use bytes::Bytes;
use crc32c::{crc32c, crc32c_append};
use parking_lot::Mutex;
use planted::Bug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const DIRECTORY: &str = "snap";
const SUFFIX: &str = ".snap";
const TEMPORARY: &str = ".tmp";
const MAGIC_HEAD: &[u8; 8] = b"TENUSNAP";
const MAGIC_END: &[u8; 8] = b"PANSUNET";
const VERSION: u32 = 1;
const HEAD_BYTES: u64 = 8 + 4 + 8 + 8 + 4;
const BLOCK_HEAD_BYTES: u64 = 12;
const TRAILER_BYTES: u64 = 4 + 8 + 8 + 4 + 4 + 4 + 8;
/// Fast enough not to matter beside the disk; higher levels gain little on protobuf.
const ZSTD_LEVEL: i32 = 1;

/// The directory of snapshots.
#[derive(Clone)]
pub struct Snapshots {
    disk: Arc<dyn Disk>,
    /// Writers so far. Each has a temporary name of its own: two may write a snapshot of one id at a time.
    writers: Arc<AtomicU64>,
    /// Held while a snapshot gets its name and older ones go: of two that finish at a time, neither must remove what the
    /// other is about to remove or to open. Never held by who only reads.
    finishing: Arc<Mutex<()>>,
}

impl Snapshots {
    /// Opens the directory and removes what was not finished.
    pub fn open(disk: Arc<dyn Disk>) -> Result<Snapshots, Error> {
        disk.open_dir(DIRECTORY).during(|| format!("opening the directory {DIRECTORY}"))?;
        let snapshots = Snapshots { disk, writers: Arc::default(), finishing: Arc::default() };
        for name in snapshots.names()?.iter().filter(|name| name.ends_with(TEMPORARY)) {
            snapshots.remove(&format!("{DIRECTORY}/{name}"))?;
        }
        Ok(snapshots)
    }

    /// Starts a snapshot. It counts only once [`SnapshotWriter::finish`] has returned.
    pub fn create(&self, id: LogId) -> Result<SnapshotWriter, Error> {
        let writer = self.writers.fetch_add(1, Ordering::Relaxed);
        let temporary = format!("{DIRECTORY}/{id}.{writer}{TEMPORARY}");
        let file = self
            .disk
            .open(&temporary, OpenMode::Truncate)
            .during(|| format!("creating {}", self.disk.locate(&temporary)))?;
        let head = encode_head(id);
        let mut writer = SnapshotWriter {
            snapshots: self.clone(),
            id,
            temporary,
            file,
            offset: 0,
            block_count: 0,
            raw_bytes: 0,
            chain: crc32c(&head),
            is_published: false,
        };
        writer.put(&head)?;
        Ok(writer)
    }

    /// The snapshot of the highest id, its head, trailer and meta checked; blocks are checked as they are read.
    ///
    /// [`Error::Corrupt`] if it is damaged. Falling back to an older one is the caller's decision, with
    /// [`Snapshots::ids`] and [`Snapshots::get`]: only it knows how far the log still reaches back.
    pub fn latest(&self) -> Result<Option<Snapshot>, Error> {
        let Some(id) = self.ids()?.last().copied() else { return Ok(None) };
        match self.get(id) {
            // Newer ones were finished between the two looks, and it went.
            Err(_) if self.ids()?.last().is_some_and(|newest| *newest > id) => self.latest(),
            found => found.map(Some),
        }
    }

    /// Ids of all snapshots, ascending, damaged or not.
    pub fn ids(&self) -> Result<Vec<LogId>, Error> {
        let mut ids: Vec<LogId> = self.names()?.iter().filter_map(|name| parse_name(name)).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// Opens one snapshot.
    pub fn get(&self, id: LogId) -> Result<Snapshot, Error> {
        let path = path(id);
        let located = self.disk.locate(&path);
        let file = self.disk.open(&path, OpenMode::Existing).during(|| format!("opening {located}"))?;
        Snapshot::read(located, file, id)
    }

    /// Removes one snapshot, for a caller that has decided what to do about a damaged one.
    pub fn discard(&self, id: LogId) -> Result<(), Error> {
        self.remove(&path(id))
    }

    /// Keeps the newest, and the one just made.
    fn prune(&self, made: LogId) -> Result<(), Error> {
        let ids = self.ids()?;
        for id in ids.iter().rev().skip(SNAPSHOTS_KEPT).filter(|id| **id != made) {
            self.remove(&path(*id))?;
        }
        Ok(())
    }

    fn remove(&self, path: &str) -> Result<(), Error> {
        self.disk
            .remove(path)
            .and_then(|()| self.disk.sync_dir(DIRECTORY))
            .during(|| format!("removing {}", self.disk.locate(path)))
    }

    fn names(&self) -> Result<Vec<String>, Error> {
        self.disk.list(DIRECTORY).during(|| format!("listing {DIRECTORY}"))
    }
}

/// A snapshot that is being written. Dropped unfinished, it leaves nothing.
pub struct SnapshotWriter {
    snapshots: Snapshots,
    id: LogId,
    temporary: String,
    file: Arc<dyn DiskFile>,
    offset: u64,
    block_count: u64,
    raw_bytes: u64,
    chain: u32,
    is_published: bool,
}

impl SnapshotWriter {
    /// Adds a block of at most [`SNAPSHOT_BLOCK_BYTES_MAX`] bytes.
    pub fn write_block(&mut self, raw: &[u8]) -> Result<(), Error> {
        check_size("a snapshot block", raw.len() as u64, SNAPSHOT_BLOCK_BYTES_MAX as u64)?;
        let stored =
            zstd::bulk::compress(raw, ZSTD_LEVEL).during(|| "compressing a snapshot block".to_owned())?;
        let mut block = Vec::with_capacity(BLOCK_HEAD_BYTES as usize + stored.len());
        block.extend_from_slice(&(raw.len() as u32).to_le_bytes());
        block.extend_from_slice(&(stored.len() as u32).to_le_bytes());
        self.chain = crc32c_append(crc32c_append(self.chain, &block), &stored);
        block.extend_from_slice(&self.chain.to_le_bytes());
        block.extend_from_slice(&stored);
        self.block_count += 1;
        self.raw_bytes += raw.len() as u64;
        self.put(&block)
    }

    /// Seals the file and makes it durable under its name; older snapshots beyond the kept ones go.
    pub fn finish(mut self, meta: &[u8]) -> Result<Snapshot, Error> {
        check_size("the meta of a snapshot", meta.len() as u64, SNAPSHOT_META_BYTES_MAX as u64)?;
        let trailer = Trailer {
            meta_bytes: meta.len() as u32,
            block_count: self.block_count,
            raw_bytes: self.raw_bytes,
            chain: self.chain,
            meta_crc: crc32c(meta),
        };
        self.put(meta)?;
        self.put(&trailer.encode())?;
        let what = || format!("syncing {}", self.snapshots.disk.locate(&self.temporary));
        let finishing = self.snapshots.finishing.clone();
        let _finishing = finishing.lock();
        if planted::is(Bug::PurgeBeforeSnapshot) {
            self.snapshots.disk.rename(&self.temporary, &path(self.id)).during(what)?;
        } else {
            self.file.sync().during(what)?;
            publish(&*self.snapshots.disk, DIRECTORY, &self.temporary, &path(self.id))?;
        }
        self.is_published = true;
        self.snapshots.prune(self.id)?;
        self.snapshots.get(self.id)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let what = || format!("writing {}", self.snapshots.disk.locate(&self.temporary));
        self.file.write_at(bytes, self.offset).during(what)?;
        self.offset += bytes.len() as u64;
        Ok(())
    }
}

impl Drop for SnapshotWriter {
    fn drop(&mut self) {
        if !self.is_published {
            // If this fails, the next start removes it.
            let _ = self.snapshots.disk.remove(&self.temporary);
        }
    }
}

/// A finished snapshot. It stays readable while it is held, even when it is pruned.
#[derive(Clone)]
pub struct Snapshot {
    /// Last entry that it covers.
    pub id: LogId,
    /// What the writer said about it.
    pub meta: Bytes,
    located: String,
    file: Arc<dyn DiskFile>,
    trailer: Trailer,
    len: u64,
}

impl Snapshot {
    fn read(located: String, file: Arc<dyn DiskFile>, id: LogId) -> Result<Snapshot, Error> {
        let what = || format!("reading {located}");
        let len = file.len().during(what)?;
        let corrupt = |offset, why: &str| corrupt(&located, offset, why);
        if len < HEAD_BYTES + TRAILER_BYTES {
            return Err(corrupt(len, "the file is too short"));
        }
        let mut head = [0; HEAD_BYTES as usize];
        file.read_at(&mut head, 0).during(what)?;
        if head[..8] == *MAGIC_HEAD && u32_at(&head, 8) > VERSION && crc_holds(&head) {
            return Err(Error::Foreign {
                file: located.clone(),
                why: "it is of a newer format: use the binary that wrote it".to_owned(),
            });
        }
        if head != encode_head(id)[..] {
            return Err(corrupt(0, "the head does not hold, or is of another snapshot"));
        }
        let trailer_at = len - TRAILER_BYTES;
        let mut end = [0; TRAILER_BYTES as usize];
        file.read_at(&mut end, trailer_at).during(what)?;
        let trailer = Trailer::decode(&end)
            .filter(|trailer| u64::from(trailer.meta_bytes) <= trailer_at - HEAD_BYTES)
            .ok_or_else(|| corrupt(trailer_at, "the trailer does not hold"))?;
        let meta_at = trailer_at - u64::from(trailer.meta_bytes);
        let mut meta = vec![0; trailer.meta_bytes as usize];
        file.read_at(&mut meta, meta_at).during(what)?;
        if crc32c(&meta) != trailer.meta_crc {
            return Err(corrupt(meta_at, "the checksum of the meta does not hold"));
        }
        Ok(Snapshot { id, meta: meta.into(), located, file, trailer, len })
    }

    /// Size of the file.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// True for a snapshot without blocks.
    pub fn is_empty(&self) -> bool {
        self.trailer.block_count == 0
    }

    /// Number of blocks.
    pub fn block_count(&self) -> u64 {
        self.trailer.block_count
    }

    /// Bytes of all blocks, uncompressed.
    pub fn raw_bytes(&self) -> u64 {
        self.trailer.raw_bytes
    }

    /// The blocks in order, each checked. The last item is an error if they are not as many as were written.
    pub fn blocks(&self) -> Blocks {
        Blocks {
            snapshot: self.clone(),
            offset: HEAD_BYTES,
            chain: crc32c(&encode_head(self.id)),
            count: 0,
            raw_bytes: 0,
            is_over: false,
        }
    }

    /// Reads every block.
    pub fn verify(&self) -> Result<(), Error> {
        self.blocks().try_for_each(|block| block.map(drop))
    }

    fn blocks_end(&self) -> u64 {
        self.len - TRAILER_BYTES - u64::from(self.trailer.meta_bytes)
    }
}

/// Iterator over the blocks of a snapshot; ends after the first error.
pub struct Blocks {
    snapshot: Snapshot,
    offset: u64,
    chain: u32,
    count: u64,
    raw_bytes: u64,
    is_over: bool,
}

impl Iterator for Blocks {
    type Item = Result<Bytes, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let block = if self.offset == self.snapshot.blocks_end() {
            self.is_over = true;
            self.check_totals().err().map(Err)
        } else {
            Some(self.read_block())
        };
        self.is_over |= matches!(block, Some(Err(_)));
        block
    }
}

impl Blocks {
    fn read_block(&mut self) -> Result<Bytes, Error> {
        let what = || format!("reading {}", self.snapshot.located);
        let corrupt = |why| corrupt(&self.snapshot.located, self.offset, why);
        let left = self.snapshot.blocks_end() - self.offset;
        if left < BLOCK_HEAD_BYTES {
            return Err(corrupt("a block is cut off"));
        }
        let mut head = [0; BLOCK_HEAD_BYTES as usize];
        self.snapshot.file.read_at(&mut head, self.offset).during(what)?;
        let raw_bytes = u32_at(&head, 0) as usize;
        let stored_bytes = u32_at(&head, 4);
        if raw_bytes > SNAPSHOT_BLOCK_BYTES_MAX || u64::from(stored_bytes) > left - BLOCK_HEAD_BYTES {
            return Err(corrupt("the lengths of a block do not hold"));
        }
        let mut stored = vec![0; stored_bytes as usize];
        self.snapshot.file.read_at(&mut stored, self.offset + BLOCK_HEAD_BYTES).during(what)?;
        let chain = crc32c_append(crc32c_append(self.chain, &head[..8]), &stored);
        if chain != u32_at(&head, 8) {
            return Err(corrupt("the checksum of a block does not hold"));
        }
        let raw = zstd::bulk::decompress(&stored, raw_bytes)
            .ok()
            .filter(|raw| raw.len() == raw_bytes)
            .ok_or_else(|| corrupt("a block does not decompress"))?;
        self.chain = chain;
        self.offset += BLOCK_HEAD_BYTES + u64::from(stored_bytes);
        self.count += 1;
        self.raw_bytes += raw_bytes as u64;
        Ok(raw.into())
    }

    fn check_totals(&self) -> Result<(), Error> {
        let trailer = &self.snapshot.trailer;
        if (self.count, self.raw_bytes, self.chain) != (trailer.block_count, trailer.raw_bytes, trailer.chain)
        {
            return Err(corrupt(&self.snapshot.located, self.offset, "blocks are missing or too many"));
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Trailer {
    meta_bytes: u32,
    block_count: u64,
    raw_bytes: u64,
    chain: u32,
    meta_crc: u32,
}

impl Trailer {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(TRAILER_BYTES as usize);
        out.extend_from_slice(&self.meta_bytes.to_le_bytes());
        out.extend_from_slice(&self.block_count.to_le_bytes());
        out.extend_from_slice(&self.raw_bytes.to_le_bytes());
        out.extend_from_slice(&self.chain.to_le_bytes());
        out.extend_from_slice(&self.meta_crc.to_le_bytes());
        out.extend_from_slice(&crc32c(&out).to_le_bytes());
        out.extend_from_slice(MAGIC_END);
        out
    }

    fn decode(bytes: &[u8; TRAILER_BYTES as usize]) -> Option<Trailer> {
        let (checked, magic) = bytes.split_at(bytes.len() - MAGIC_END.len());
        (magic == MAGIC_END && crc_holds(checked)).then(|| Trailer {
            meta_bytes: u32_at(bytes, 0),
            block_count: u64_at(bytes, 4),
            raw_bytes: u64_at(bytes, 12),
            chain: u32_at(bytes, 20),
            meta_crc: u32_at(bytes, 24),
        })
    }
}

fn encode_head(id: LogId) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD_BYTES as usize);
    out.extend_from_slice(MAGIC_HEAD);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&id.term.to_le_bytes());
    out.extend_from_slice(&id.index.to_le_bytes());
    out.extend_from_slice(&crc32c(&out).to_le_bytes());
    out
}

/// True if the last four bytes are the checksum of those before.
fn crc_holds(bytes: &[u8]) -> bool {
    let (checked, crc) = bytes.split_at(bytes.len() - 4);
    crc32c(checked) == u32_at(crc, 0)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut field = [0; 4];
    field.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(field)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut field = [0; 8];
    field.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(field)
}

fn path(id: LogId) -> String {
    format!("{DIRECTORY}/{id}{SUFFIX}")
}

fn parse_name(name: &str) -> Option<LogId> {
    let (term, index) = name.strip_suffix(SUFFIX)?.split_once('-')?;
    let id = LogId { term: term.parse().ok()?, index: index.parse().ok()? };
    // Not a name that we would have given, as with a sign or leading zeros.
    (format!("{id}{SUFFIX}") == name).then_some(id)
}

fn corrupt(file: &str, offset: u64, why: &str) -> Error {
    Error::Corrupt { file: file.to_owned(), offset, why: why.to_owned(), remedy: REMEDY_REFETCH }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faulty_disk::FaultyDisk;

    const fn id(index: u64) -> LogId {
        LogId { term: 3, index }
    }

    fn write(disk: &FaultyDisk, index: u64) -> Result<Snapshot, Error> {
        let mut writer = Snapshots::open(disk.mount())?.create(id(index))?;
        for block in content(index) {
            writer.write_block(&block)?;
        }
        writer.finish(format!("members at {index}").as_bytes())
    }

    fn content(index: u64) -> Vec<Vec<u8>> {
        (0..3).map(|block| vec![(index + block) as u8; 700 * block as usize]).collect()
    }

    fn read(snapshot: &Snapshot) -> Vec<Vec<u8>> {
        snapshot.blocks().map(|block| block.unwrap().to_vec()).collect()
    }

    #[test]
    fn some_that_finish_at_a_time_do_not_disturb_each_other() {
        let snapshots = Snapshots::open(FaultyDisk::new(1).mount()).unwrap();
        let next = AtomicU64::new(1);
        let finish_many = || {
            for _ in 0..300 {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let finished = snapshots.create(id(index)).unwrap().finish(b"members").unwrap();
                assert_eq!(finished.id, id(index));
                assert!(snapshots.latest().unwrap().is_some());
            }
        };
        std::thread::scope(|scope| (0..3).for_each(|_| drop(scope.spawn(finish_many))));
        let kept = snapshots.ids().unwrap();
        assert!(kept.ends_with(&[id(899), id(900)]), "{kept:?}");
    }

    #[test]
    fn what_is_written_is_read_and_two_are_kept() {
        let disk = FaultyDisk::new(1);
        let first = write(&disk, 9).unwrap();
        write(&disk, 10).unwrap();
        write(&disk, 100).unwrap();
        let snapshots = Snapshots::open(disk.mount()).unwrap();
        assert_eq!(snapshots.ids().unwrap(), [id(10), id(100)]);
        let latest = snapshots.latest().unwrap().unwrap();
        assert_eq!((latest.id, &latest.meta[..], latest.block_count()), (id(100), &b"members at 100"[..], 3));
        assert_eq!(read(&latest), content(100));
        assert_eq!(read(&first), content(9), "a pruned snapshot stays readable while it is held");
    }

    #[test]
    fn limits_are_refused() {
        let snapshots = Snapshots::open(FaultyDisk::new(1).mount()).unwrap();
        let mut writer = snapshots.create(id(1)).unwrap();
        let error = writer.write_block(&vec![0; SNAPSHOT_BLOCK_BYTES_MAX + 1]).unwrap_err();
        assert!(matches!(error, Error::TooLarge { .. }));
    }

    #[test]
    fn an_unfinished_snapshot_leaves_nothing() {
        let disk = FaultyDisk::new(1);
        drop(Snapshots::open(disk.mount()).unwrap().create(id(1)).unwrap());
        assert_eq!(disk.names(), Vec::<String>::new());
    }

    #[test]
    fn what_a_start_finds_stays() {
        let mut found = 0;
        for seed in 0..32 {
            let disk = FaultyDisk::new(seed);
            write(&disk, 5).unwrap();
            let snapshots = Snapshots::open(disk.mount()).unwrap();
            let writer = snapshots.create(id(6)).unwrap();
            // Of the file and, after it has its name, of the directory.
            disk.fail_sync_in(seed % 2);
            assert!(writer.finish(b"").is_err());
            disk.kill();
            let seen = Snapshots::open(disk.mount()).unwrap().ids().unwrap();
            found += usize::from(seen.contains(&id(6)));
            disk.crash();
            assert_eq!(Snapshots::open(disk.mount()).unwrap().ids().unwrap(), seen, "seed {seed}");
        }
        assert_eq!(found, 16);
    }

    #[test]
    fn every_flipped_bit_is_refused_by_name_and_offset() {
        let disk = FaultyDisk::new(1);
        let bits = write(&disk, 5).unwrap().len() * 8;
        for bit in 0..bits {
            disk.flip_bit("snap/3-5.snap", bit);
            let snapshots = Snapshots::open(disk.mount()).unwrap();
            let result = snapshots.latest().and_then(|latest| latest.unwrap().verify());
            let Err(Error::Corrupt { file, .. }) = result else { panic!("bit {bit}: {result:?}") };
            assert!(file.ends_with("snap/3-5.snap"));
            disk.flip_bit("snap/3-5.snap", bit);
        }
    }

    #[test]
    fn a_crash_at_any_point_leaves_the_old_or_the_new_snapshot() {
        let (mut old, mut new) = (0, 0);
        for point in 0.. {
            let disk = FaultyDisk::new(point);
            write(&disk, 5).unwrap();
            disk.lose_power_in(point);
            let finished = write(&disk, 6).is_ok();
            let power_lost = disk.has_lost_power();
            disk.crash();
            let latest = Snapshots::open(disk.mount()).unwrap().latest().unwrap().unwrap();
            assert!(!finished || latest.id == id(6), "point {point}");
            assert_eq!(read(&latest), content(latest.id.index), "point {point}");
            if latest.id == id(5) {
                old += 1
            } else {
                new += 1
            }
            if !power_lost {
                break;
            }
        }
        assert!(old > 0 && new > 0);
    }
}
