//! What this crate asks of a disk: files under one root directory, and a way to know that bytes are durable.
//!
//! Everything durable but sled goes through here, so that a simulation can lose power, tear writes and run out of
//! space. Paths are relative to the root, with `/` between directory and name.

use crate::error::{During, Error};
use std::io;
use std::sync::Arc;

/// A root directory. Implementations: [`crate::RealDisk`], [`crate::FaultyDisk`].
pub trait Disk: Send + Sync + 'static {
    /// Opens a file for reading and writing.
    fn open(&self, path: &str, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>>;
    /// Renames within one directory, replacing what is there. Durable after [`Disk::sync_dir`].
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file. Durable after [`Disk::sync_dir`]. Open handles stay readable.
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Opens a directory directly below the root, and makes it if it is not there. On return every name in it and in
    /// the root is durable: a process that died may have left names that can be seen and yet be lost with the power,
    /// and what is built on them must not be.
    fn open_dir(&self, directory: &str) -> io::Result<()>;
    /// The names of the files in a directory (`""` is the root), sorted.
    fn list(&self, directory: &str) -> io::Result<Vec<String>>;
    /// Makes creations, renames and removals in a directory durable.
    fn sync_dir(&self, directory: &str) -> io::Result<()>;
    /// Room on the device.
    fn space(&self) -> io::Result<Space>;
    /// The path as a person would type it, for messages.
    fn locate(&self, path: &str) -> String;
}

/// An open file. Positioned reads and writes only: a shared cursor is a race.
pub trait DiskFile: Send + Sync {
    /// Fills `buffer` from `offset`; an end of file before that is an error.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes all of `bytes` at `offset`; durable after [`DiskFile::sync`].
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Writes all of `bytes` at `offset`, durable on return: one system call where the system has one.
    fn write_durable_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes everything written durable. After an error the state of the file is unknown: never ask again.
    fn sync(&self) -> io::Result<()>;
    /// Lets the next read find what is on the disk, not what memory holds of it.
    fn forget_cached(&self) -> io::Result<()> {
        Ok(())
    }
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// True for a file of no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Cuts the file, or grows it with zeros.
    fn set_len(&self, bytes: u64) -> io::Result<()>;
}

/// How [`Disk::open`] treats what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// It must exist.
    Existing,
    /// Create it if it is not there; keep what it holds.
    Create,
    /// Create it, or empty what is there.
    Truncate,
}

/// Room on the device, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    pub available: u64,
    pub total: u64,
}

/// Reads a whole file.
pub(crate) fn read_all(file: &dyn DiskFile) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(file.len()?).map_err(io::Error::other)?];
    file.read_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// Gives a complete and synced temporary file its name, durably. The only way a snapshot, a history file or the
/// identity comes to be: a reader sees all of it or nothing.
pub(crate) fn publish(disk: &dyn Disk, directory: &str, temporary: &str, name: &str) -> Result<(), Error> {
    disk.rename(temporary, name).during(|| format!("renaming {}", disk.locate(temporary)))?;
    disk.sync_dir(directory).during(|| format!("syncing the directory of {}", disk.locate(name)))
}
