//! The disk as one boot of the process sees it.

use super::content::Content;
use super::{Fate, INJECTED, NameChange, Operation, World};
use crate::disk::{Disk, DiskFile, OpenMode, Space};
use parking_lot::{Mutex, MutexGuard};
use std::io;
use std::sync::Arc;

pub(super) struct Mount {
    pub(super) world: Arc<Mutex<World>>,
    pub(super) boot: u64,
}

impl Disk for Mount {
    fn open(&self, path: &str, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut world = enter(&self.world, self.boot, Operation::Read)?;
        let content = match world.file(path) {
            Some(file) => file.clone(),
            None if mode == OpenMode::Existing => return Err(io::ErrorKind::NotFound.into()),
            None => {
                let number = world.create(path, Content::default());
                world.files[&number].clone()
            }
        };
        if mode == OpenMode::Truncate {
            content.lock().set_len(0);
        }
        Ok(Arc::new(OpenFile { world: self.world.clone(), boot: self.boot, content }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut world = enter(&self.world, self.boot, Operation::Rename)?;
        let fate = world.fate(false, false);
        let file = *world.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        world.change(NameChange::Rename { from: from.to_owned(), path: to.to_owned(), file });
        settle_names(fate)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut world = enter(&self.world, self.boot, Operation::Remove)?;
        let fate = world.fate(false, false);
        if !world.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        world.change(NameChange::Unbind { path: path.to_owned() });
        settle_names(fate)
    }

    fn open_dir(&self, directory: &str) -> io::Result<()> {
        self.sync_dir("")?;
        self.sync_dir(directory)
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let world = enter(&self.world, self.boot, Operation::Read)?;
        Ok(world
            .names
            .keys()
            .filter(|path| directory_of(path) == directory)
            .map(|path| path.rsplit('/').next().unwrap_or(path).to_owned())
            .collect())
    }

    fn sync_dir(&self, directory: &str) -> io::Result<()> {
        let mut world = enter(&self.world, self.boot, Operation::SyncDir)?;
        let fate = world.fate(false, true);
        if matches!(fate, Fate::Works) {
            world.make_names_durable(|path| directory_of(path) == directory);
        }
        settle_names(fate)
    }

    fn space(&self) -> io::Result<Space> {
        let world = enter(&self.world, self.boot, Operation::Read)?;
        Ok(Space { available: world.capacity.saturating_sub(world.used()), total: world.capacity })
    }

    fn locate(&self, path: &str) -> String {
        format!("memory:/{path}")
    }
}

fn directory_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

struct OpenFile {
    world: Arc<Mutex<World>>,
    boot: u64,
    content: Arc<Mutex<Content>>,
}

impl OpenFile {
    fn check_room(&self, world: &World, len: u64) -> io::Result<()> {
        let grows_by = len.saturating_sub(self.content.lock().len);
        if grows_by > 0 && world.used().saturating_add(grows_by) > world.capacity {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl DiskFile for OpenFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let _world = enter(&self.world, self.boot, Operation::Read)?;
        let content = self.content.lock();
        if offset + buffer.len() as u64 > content.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        content.read(buffer, offset);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut world = enter(&self.world, self.boot, Operation::Write)?;
        self.check_room(&world, offset + bytes.len() as u64)?;
        let fate = world.fate(true, false);
        self.content.lock().write(bytes, offset);
        settle_names(fate)
    }

    fn write_durable_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut world = enter(&self.world, self.boot, Operation::WriteDurable)?;
        self.check_room(&world, offset + bytes.len() as u64)?;
        let fate = world.fate(true, true);
        let mut content = self.content.lock();
        content.write(bytes, offset);
        if matches!(fate, Fate::Works) {
            content.persist_range(offset, bytes.len());
        }
        settle_names(fate)
    }

    fn sync(&self) -> io::Result<()> {
        let mut world = enter(&self.world, self.boot, Operation::Sync)?;
        let fate = world.fate(false, true);
        if matches!(fate, Fate::Works) {
            self.content.lock().persist_all();
        }
        settle_names(fate)
    }

    fn len(&self) -> io::Result<u64> {
        let _world = enter(&self.world, self.boot, Operation::Read)?;
        Ok(self.content.lock().len)
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        let mut world = enter(&self.world, self.boot, Operation::Write)?;
        self.check_room(&world, bytes)?;
        let fate = world.fate(true, false);
        self.content.lock().set_len(bytes);
        settle_names(fate)
    }
}

/// Enters an operation: runs the hook without the lock, then checks that this boot still lasts.
fn enter(world: &Mutex<World>, boot: u64, operation: Operation) -> io::Result<MutexGuard<'_, World>> {
    let hook = world.lock().hook.clone();
    if let Some(hook) = hook {
        hook(operation);
    }
    let mut world = world.lock();
    if world.boot != boot || !world.powered {
        return Err(power_lost());
    }
    match operation {
        Operation::Read => world.operations.reads += 1,
        Operation::Write => world.operations.writes += 1,
        Operation::WriteDurable => world.operations.durable_writes += 1,
        Operation::Sync | Operation::SyncDir => world.operations.syncs += 1,
        Operation::Rename | Operation::Remove => {}
    }
    Ok(world)
}

/// A change of names either is queued whole or, when the power goes during it, left to the crash to decide.
fn settle_names(fate: Fate) -> io::Result<()> {
    match fate {
        Fate::Works => Ok(()),
        Fate::PowerLost => Err(power_lost()),
        Fate::Fails => Err(input_output_error()),
    }
}

fn power_lost() -> io::Error {
    io::Error::other(format!("the power is gone ({INJECTED})"))
}

fn input_output_error() -> io::Error {
    io::Error::other(format!("input/output error ({INJECTED})"))
}
