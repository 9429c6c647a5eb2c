//! A disk in memory that fails the way real ones do, the same way again under the same seed.
//!
//! It keeps apart what was written from what is durable. A crash keeps or loses each unsynced 512-byte sector on its
//! own, in any order; creations, renames and removals without a sync of their directory survive up to a random point.
//! Faults are asked for in advance; the handle is shared, so a test steers the disk while a writer uses it.

mod content;
mod mount;

use crate::disk::Disk;
use content::Content;
use mount::Mount;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One call to the disk, as the hook of [`FaultyDisk::on_operation`] sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Read,
    Write,
    WriteDurable,
    Sync,
    Rename,
    Remove,
    SyncDir,
}

/// How many calls of each kind a disk has served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operations {
    pub reads: u64,
    pub writes: u64,
    pub durable_writes: u64,
    pub syncs: u64,
}

/// In every error that the disk answers because it was asked to.
pub const INJECTED: &str = "injected";

type Hook = Arc<dyn Fn(Operation) + Send + Sync>;

/// The handle of the test: faults, crashes, and [`FaultyDisk::mount`] for the code under test.
#[derive(Clone)]
pub struct FaultyDisk {
    world: Arc<Mutex<World>>,
}

impl FaultyDisk {
    /// An empty disk without faults.
    pub fn new(seed: u64) -> FaultyDisk {
        FaultyDisk {
            world: Arc::new(Mutex::new(World {
                random: Random(seed),
                boot: 0,
                powered: true,
                power_lost_in: None,
                fail_write_in: None,
                fail_sync_in: None,
                capacity: u64::MAX,
                hook: None,
                operations: Operations::default(),
                files: BTreeMap::new(),
                names: BTreeMap::new(),
                names_durable: BTreeMap::new(),
                changes: Vec::new(),
            })),
        }
    }

    /// The disk as the process of the present boot sees it. After a crash, mount again: old handles answer errors.
    pub fn mount(&self) -> Arc<dyn Disk> {
        Arc::new(Mount { world: self.world.clone(), boot: self.world.lock().boot })
    }

    /// Power goes and comes back: unsynced sectors and names are lost or kept at random, faults are forgotten.
    pub fn crash(&self) {
        self.world.lock().crash();
    }

    /// The process dies but the machine stays up: everything written stays, old handles answer errors.
    pub fn kill(&self) {
        let mut world = self.world.lock();
        world.boot += 1;
        world.forget_faults();
    }

    /// Power goes during the `operations`-th change from now (0 is the next one): that one takes effect in part, it
    /// and all later calls answer errors until [`FaultyDisk::crash`], or [`FaultyDisk::kill`] if it was only the process.
    pub fn lose_power_in(&self, operations: u64) {
        self.world.lock().power_lost_in = Some(operations);
    }

    /// True once the power of [`FaultyDisk::lose_power_in`] is gone.
    pub fn has_lost_power(&self) -> bool {
        !self.world.lock().powered
    }

    /// The `writes`-th write from now (0 is the next) answers EIO and leaves what it wrote unknown.
    pub fn fail_write_in(&self, writes: u64) {
        self.world.lock().fail_write_in = Some(writes);
    }

    /// The `syncs`-th sync from now (0 is the next), of a file, of a directory or by a durable write, answers EIO.
    pub fn fail_sync_in(&self, syncs: u64) {
        self.world.lock().fail_sync_in = Some(syncs);
    }

    /// Files may grow to this many bytes together; growing beyond answers ENOSPC.
    pub fn set_capacity(&self, bytes: u64) {
        self.world.lock().capacity = bytes;
    }

    /// Calls `hook` before each operation: a simulation advances its clock there, a test holds a sync back.
    pub fn on_operation(&self, hook: impl Fn(Operation) + Send + Sync + 'static) {
        self.world.lock().hook = Some(Arc::new(hook));
    }

    /// What the disk has served so far.
    pub fn operations(&self) -> Operations {
        self.world.lock().operations
    }

    /// Every file name, sorted.
    pub fn names(&self) -> Vec<String> {
        self.world.lock().names.keys().cloned().collect()
    }

    /// The present bytes of a file, if it is there.
    pub fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        let world = self.world.lock();
        let file = world.file(path)?.lock();
        let mut bytes = vec![0; file.len as usize];
        file.read(&mut bytes, 0);
        Some(bytes)
    }

    /// Replaces the bytes of a file, durably: damage, or a file from elsewhere.
    pub fn overwrite(&self, path: &str, bytes: &[u8]) {
        let mut world = self.world.lock();
        let content = Content { durable: bytes.to_vec(), len: bytes.len() as u64, unsynced: BTreeMap::new() };
        match world.file(path) {
            Some(file) => *file.lock() = content,
            None => {
                world.create(path, content);
                world.make_names_durable(|_| true);
            }
        }
    }

    /// Flips one bit of a file behind everyone's back.
    pub fn flip_bit(&self, path: &str, bit: u64) {
        let mut bytes = self.bytes(path).expect("a file to damage");
        bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
        self.overwrite(path, &bytes);
    }

    /// A disk that holds the same durable and unsynced bytes, without faults: try several crashes from one point.
    pub fn fork(&self, seed: u64) -> FaultyDisk {
        let world = self.world.lock();
        let copy = FaultyDisk::new(seed);
        {
            let mut other = copy.world.lock();
            other.files = world
                .files
                .iter()
                .map(|(number, file)| (*number, Arc::new(Mutex::new(file.lock().clone()))))
                .collect();
            other.names = world.names.clone();
            other.names_durable = world.names_durable.clone();
            other.changes = world.changes.clone();
        }
        copy
    }
}

/// A file by the number that stays with it through renames, like an inode.
type FileNumber = u64;

struct World {
    random: Random,
    /// Counts crashes; a handle of an earlier boot is dead.
    boot: u64,
    powered: bool,
    power_lost_in: Option<u64>,
    fail_write_in: Option<u64>,
    fail_sync_in: Option<u64>,
    capacity: u64,
    hook: Option<Hook>,
    operations: Operations,
    files: BTreeMap<FileNumber, Arc<Mutex<Content>>>,
    names: BTreeMap<String, FileNumber>,
    names_durable: BTreeMap<String, FileNumber>,
    /// Changes of names since the last sync of their directory, oldest first.
    changes: Vec<NameChange>,
}

#[derive(Clone)]
enum NameChange {
    Bind {
        path: String,
        file: FileNumber,
    },
    /// Atomic, as journaling file systems have it: a crash leaves one of the names, never both or none.
    Rename {
        from: String,
        path: String,
        file: FileNumber,
    },
    Unbind {
        path: String,
    },
}

impl NameChange {
    fn path(&self) -> &str {
        match self {
            NameChange::Bind { path, .. } | NameChange::Rename { path, .. } | NameChange::Unbind { path } => {
                path
            }
        }
    }

    fn apply(self, names: &mut BTreeMap<String, FileNumber>) {
        match self {
            NameChange::Bind { path, file } => drop(names.insert(path, file)),
            NameChange::Rename { from, path, file } => {
                names.remove(&from);
                names.insert(path, file);
            }
            NameChange::Unbind { path } => drop(names.remove(&path)),
        }
    }
}

/// What is to happen to a changing operation.
enum Fate {
    Works,
    /// The power goes during it.
    PowerLost,
    /// The device answers EIO; what took effect is not known.
    Fails,
}

impl World {
    fn file(&self, path: &str) -> Option<&Arc<Mutex<Content>>> {
        self.files.get(self.names.get(path)?)
    }

    fn create(&mut self, path: &str, content: Content) -> FileNumber {
        let number = self.files.last_key_value().map_or(1, |(number, _)| number + 1);
        self.files.insert(number, Arc::new(Mutex::new(content)));
        self.change(NameChange::Bind { path: path.to_owned(), file: number });
        number
    }

    fn change(&mut self, change: NameChange) {
        change.clone().apply(&mut self.names);
        self.changes.push(change);
    }

    fn make_names_durable(&mut self, in_directory: impl Fn(&str) -> bool) {
        let (synced, kept) = std::mem::take(&mut self.changes)
            .into_iter()
            .partition::<Vec<_>, _>(|change| in_directory(change.path()));
        self.changes = kept;
        synced.into_iter().for_each(|change| change.apply(&mut self.names_durable));
    }

    fn used(&self) -> u64 {
        self.files.values().map(|file| file.lock().len).sum()
    }

    /// Counts down the faults that are due at an operation.
    fn fate(&mut self, writes: bool, syncs: bool) -> Fate {
        if due(&mut self.power_lost_in) {
            self.powered = false;
            return Fate::PowerLost;
        }
        // Both countdowns run, whatever the other says.
        let write_fails = writes && due(&mut self.fail_write_in);
        let sync_fails = syncs && due(&mut self.fail_sync_in);
        if write_fails || sync_fails { Fate::Fails } else { Fate::Works }
    }

    fn forget_faults(&mut self) {
        self.powered = true;
        self.power_lost_in = None;
        self.fail_write_in = None;
        self.fail_sync_in = None;
        self.hook = None;
    }

    fn crash(&mut self) {
        self.boot += 1;
        self.forget_faults();
        // Sometimes all, sometimes nothing, sometimes any mixture: each finds other mistakes.
        let kept_of_16 = [0, 1, 8, 15, 16][self.random.below(5) as usize];
        for file in self.files.values() {
            let mut file = file.lock();
            for number in file.unsynced.keys().copied().collect::<Vec<_>>() {
                if self.random.below(16) < kept_of_16 {
                    file.persist(number);
                }
            }
            file.unsynced.clear();
            if file.len != file.durable.len() as u64 && self.random.below(2) == 0 {
                let len = file.len as usize;
                file.durable.resize(len, 0);
            }
            file.len = file.durable.len() as u64;
        }
        let survivors = self.random.below(self.changes.len() as u64 + 1) as usize;
        for change in std::mem::take(&mut self.changes).into_iter().take(survivors) {
            change.apply(&mut self.names_durable);
        }
        self.names = self.names_durable.clone();
        let named = self.names.values().copied().collect::<std::collections::BTreeSet<_>>();
        self.files.retain(|number, _| named.contains(number));
    }
}

fn due(countdown: &mut Option<u64>) -> bool {
    match countdown {
        Some(0) => {
            *countdown = None;
            true
        }
        Some(left) => {
            *left -= 1;
            false
        }
        None => false,
    }
}

/// SplitMix64: a stream of numbers from a seed, nothing more.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

#[cfg(test)]
mod tests {
    use super::content::SECTOR;
    use super::*;
    use crate::disk::OpenMode;
    use std::io;

    #[test]
    fn synced_bytes_survive_and_unsynced_sectors_may_tear() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..64 {
            let disk = FaultyDisk::new(seed);
            let file = disk.mount().open("a", OpenMode::Create).unwrap();
            disk.mount().sync_dir("").unwrap();
            file.write_durable_at(&[1; 2 * SECTOR], 0).unwrap();
            file.write_at(&[2; 2 * SECTOR], 0).unwrap();
            disk.crash();
            let bytes = disk.bytes("a").unwrap();
            assert!(file.sync().is_err(), "a handle from before the crash is dead");
            seen.insert((bytes[0], bytes[SECTOR]));
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [(1, 1), (1, 2), (2, 1), (2, 2)]);
    }

    #[test]
    fn names_are_durable_only_after_their_directory_is_synced() {
        let mut lost = 0;
        for seed in 0..32 {
            let disk = FaultyDisk::new(seed);
            disk.mount().open("d/a", OpenMode::Create).unwrap();
            disk.mount().sync_dir("d").unwrap();
            disk.mount().open("d/b", OpenMode::Create).unwrap();
            disk.crash();
            assert!(disk.bytes("d/a").is_some());
            lost += u32::from(disk.bytes("d/b").is_none());
        }
        assert!((1..32).contains(&lost));
    }

    #[test]
    fn faults_come_when_asked_for() {
        let disk = FaultyDisk::new(7);
        let mount = disk.mount();
        let file = mount.open("a", OpenMode::Create).unwrap();
        disk.fail_sync_in(1);
        file.sync().unwrap();
        assert!(file.write_durable_at(b"x", 0).is_err());
        file.sync().unwrap();
        disk.set_capacity(100);
        assert_eq!(file.write_at(&[0; 101], 0).unwrap_err().kind(), io::ErrorKind::StorageFull);
        disk.lose_power_in(0);
        assert!(file.write_at(b"y", 0).is_err());
        assert!(disk.has_lost_power() && file.len().is_err());
    }
}
