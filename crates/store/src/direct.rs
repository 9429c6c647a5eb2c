//! Durable writes past the page cache: what is synced at once gains nothing from a copy in memory, and waits for the
//! machinery of writeback.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Once;

use parking_lot::Mutex;
use rustix::fs::{FsWord, OFlags, fstatfs};
use rustix::io::{Errno, ReadWriteFlags, pwritev2};

/// What begins, ends and lies in memory at a multiple of this can go past the page cache, unless the device has larger
/// blocks.
const ALIGNMENT: usize = 512;

/// The file systems, by `statfs`'s number, that are known to honour `RWF_DSYNC` there: ext4 and XFS. Some that go over a
/// network return when the server has the bytes in memory.
const FILE_SYSTEMS: [FsWord; 2] = [0xEF53, 0x5846_5342];

/// A second handle of a file, opened when it is first needed.
#[derive(Debug, Default)]
pub(crate) struct Direct(Mutex<Handle>);

#[derive(Debug, Default)]
enum Handle {
    #[default]
    Unopened,
    Open(File),
    Unable,
}

impl Direct {
    /// How many of these bytes are durable now: none if they cannot go past the page cache.
    pub(crate) fn write(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        if !bytes.len().is_multiple_of(ALIGNMENT) || !offset.is_multiple_of(ALIGNMENT as u64) {
            return Ok(0);
        }
        let mut handle = self.0.lock();
        if matches!(*handle, Handle::Unopened) {
            *handle = open(file).map_or(Handle::Unable, Handle::Open);
        }
        let Handle::Open(direct) = &*handle else { return Ok(0) };
        let mut room = vec![0; bytes.len() + ALIGNMENT];
        let start = room.as_ptr().align_offset(ALIGNMENT);
        let aligned = &mut room[start..][..bytes.len()];
        aligned.copy_from_slice(bytes);
        loop {
            match pwritev2(direct, &[io::IoSlice::new(aligned)], offset, ReadWriteFlags::DSYNC) {
                Err(Errno::INTR) => {}
                Err(errno @ (Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP)) => {
                    tell_once(errno);
                    *handle = Handle::Unable;
                    return Ok(0);
                }
                written => return Ok(written?),
            }
        }
    }
}

fn is_known(file: &File) -> bool {
    fstatfs(file).is_ok_and(|stat| FILE_SYSTEMS.contains(&stat.f_type))
}

/// By its descriptor: its name may be another by now.
fn open(file: &File) -> Option<File> {
    if !is_known(file) {
        return None;
    }
    let flags = OFlags::DIRECT.bits().try_into().ok()?;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    OpenOptions::new().write(true).custom_flags(flags).open(path).ok()
}

fn tell_once(errno: Errno) {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| tracing::info!(%errno, "this disk takes no writes past the page cache"));
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn aligned_writes_on_a_known_file_system_are_direct_and_readers_of_the_cache_see_them() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&[1; 4096], 0).unwrap();
        let mut expected = [0; 4096];
        file.read_exact_at(&mut expected, 0).unwrap();
        let direct = Direct::default();
        for (offset, bytes, byte) in
            [(512, 1024, 2), (2048, 512, 3), (2600, 100, 4), (0, 512, 5), (512, 100, 6)]
        {
            let written = direct.write(&file, &vec![byte; bytes], offset as u64).unwrap();
            let is_aligned = (offset | bytes).is_multiple_of(ALIGNMENT);
            assert_eq!(written, if is_aligned && is_known(&file) { bytes } else { 0 }, "{bytes} at {offset}");
            expected[offset..][..written].fill(byte);
        }
        let mut found = [0; 4096];
        file.read_exact_at(&mut found, 0).unwrap();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_file_that_was_refused_is_not_asked_again() {
        let file = tempfile::tempfile().unwrap();
        let direct = Direct(Mutex::new(Handle::Unable));
        assert_eq!(direct.write(&file, &[1; 512], 0).unwrap(), 0);
    }
}
