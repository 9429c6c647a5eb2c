//! sled behind a marker: opened, doubted, moved aside and emptied in one way for every cache that is kept on it.
//!
//! sled 0.34 does not really sync on Linux, can be damaged by a hard stop, and may panic on what it finds then. So it
//! may lag or be lost, and is never believed without a check. The protocol, with a marker file beside the directory:
//!
//! ```text
//! open     marker found: move the directory aside, begin empty
//!          write the marker and sync it, then open sled
//! check    the owner compares what it holds:  right → confirm, the marker goes
//!                                             wrong → rebuild, begin empty
//! error    write the marker again, so that the next start begins empty
//! ```
//!
//! A panic or a stop between open and confirm therefore costs one rebuild, and nothing else.

use crate::error::{During, Error};
use crate::state_store::{Change, META};
use sled::transaction::{ConflictableTransactionError, TransactionError, Transactional};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

const CACHE_BYTES: u64 = 64 << 20;
/// What a crash takes of the last second is made again from what the cache is of.
const FLUSH_EVERY_MS: u64 = 1000;

/// A key of the crate's own tree, and what it is to become.
pub(crate) type Meta<'a> = (&'a [u8], Option<Vec<u8>>);

/// A cache on sled, in a directory of its own.
pub(crate) struct Guarded {
    path: PathBuf,
    /// What it holds, for messages.
    what: &'static str,
    /// None while it is being rebuilt, and after a rebuild that failed.
    db: Option<sled::Db>,
    moved_aside: Option<PathBuf>,
}

impl Guarded {
    /// Opens the directory, after the marker is durable. If the marker was there, an earlier start did not get as far
    /// as [`Guarded::confirm`], and the directory is moved aside.
    pub(crate) fn open(path: &Path, what: &'static str) -> Result<Guarded, Error> {
        let mut guarded = Guarded { path: path.to_path_buf(), what, db: None, moved_aside: None };
        if guarded.marker().exists() {
            guarded.move_aside()?;
        }
        guarded.mark()?;
        guarded.db = Some(open_sled(&guarded.path)?);
        Ok(guarded)
    }

    /// Where a directory that could not be trusted went, if this start found one.
    pub(crate) fn moved_aside(&self) -> Option<&Path> {
        self.moved_aside.as_deref()
    }

    /// Its content was checked and is right: the marker goes.
    pub(crate) fn confirm(&self) -> Result<(), Error> {
        let marker = self.marker();
        match fs::remove_file(&marker) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => {
                removed.during(|| format!("removing {}", marker.display()))?;
                sync_parent(&self.path)
            }
        }
    }

    /// Throws everything away and gives its space back. It is to be confirmed anew.
    pub(crate) fn rebuild(&mut self) -> Result<(), Error> {
        self.mark()?;
        // Closed before its files go. A new directory is the only way to get space back from sled.
        drop(self.db.take());
        remove_all(&self.path).during(|| format!("removing {}", self.path.display()))?;
        self.db = Some(open_sled(&self.path)?);
        Ok(())
    }

    /// Makes everything written durable.
    pub(crate) fn flush(&self) -> Result<(), Error> {
        self.doubt("flushing", self.db()?.flush().map(drop))?;
        // sled's flush is not a sync on Linux; any handle syncs the file.
        let file = self.path.join("db");
        File::open(&file).and_then(|file| file.sync_all()).during(|| format!("syncing {}", file.display()))
    }

    pub(crate) fn tree(&self, name: &str) -> Result<sled::Tree, Error> {
        self.doubt("opening a tree", self.db()?.open_tree(name))
    }

    /// Calls `each` with every key and value of a tree in the order of keys.
    pub(crate) fn scan(&self, tree: &str, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), Error> {
        for pair in self.tree(tree)?.iter() {
            let (key, value) = self.doubt("reading", pair)?;
            each(&key, &value);
        }
        Ok(())
    }

    /// After an error of sled nothing in it is to be believed: the next start begins empty.
    pub(crate) fn doubt<T>(&self, what: &'static str, result: Result<T, sled::Error>) -> Result<T, Error> {
        result.map_err(|source| match self.mark() {
            Ok(()) => Error::Sled { what, source },
            Err(error) => error,
        })
    }

    /// One transaction over all trees and the crate's own.
    pub(crate) fn transact(&self, chunk: &[Change<'_>], meta: &[Meta<'_>]) -> Result<(), Error> {
        let mut names: Vec<&str> = chunk.iter().map(|change| change.tree).collect();
        names.dedup();
        let mut trees = names.iter().map(|name| self.tree(name)).collect::<Result<Vec<_>, _>>()?;
        trees.push(self.tree(META)?);
        let result = trees.transaction(|trees| {
            // May run more than once: it reads nothing and sets everything.
            let (own, domains) = trees.split_last().expect("the crate's own tree is always there");
            for change in chunk {
                let at = names.binary_search(&change.tree).expect("every name of the chunk is in the list");
                match change.value {
                    Some(value) => domains[at].insert(change.key, value)?,
                    None => domains[at].remove(change.key)?,
                };
            }
            for (key, value) in meta {
                match value {
                    Some(value) => own.insert(*key, value.as_slice())?,
                    None => own.remove(*key)?,
                };
            }
            Ok::<(), ConflictableTransactionError<()>>(())
        });
        let result = result.map_err(|error| match error {
            TransactionError::Storage(error) => error,
            TransactionError::Abort(()) => sled::Error::Unsupported("the transaction aborts nothing".into()),
        });
        self.doubt("a transaction", result)
    }

    fn db(&self) -> Result<&sled::Db, Error> {
        let closed = || sled::Error::Unsupported("it was closed by a rebuild that failed".into());
        self.db.as_ref().ok_or_else(|| Error::Sled { what: "opening", source: closed() })
    }

    fn marker(&self) -> PathBuf {
        sibling(&self.path, "opening")
    }

    /// Sets the marker, durably.
    fn mark(&self) -> Result<(), Error> {
        let marker = self.marker();
        let what = || format!("writing {}", marker.display());
        File::create(&marker).and_then(|file| file.sync_all()).during(what)?;
        sync_parent(&self.path)
    }

    /// Keeps the directory for inspection, instead of the one before: a cache must not fill the disk that the log needs.
    /// Where that one cannot be removed it stays the one that is kept.
    fn move_aside(&mut self) -> Result<(), Error> {
        if !self.path.exists() {
            return Ok(());
        }
        let aside = sibling(&self.path, "bad");
        if let Err(error) = remove_all(&aside) {
            tracing::error!(%error, "{} cannot be removed: {} that was not confirmed is", aside.display(), self.what);
            remove_all(&self.path).during(|| format!("removing {}", self.path.display()))?;
            return sync_parent(&self.path);
        }
        fs::rename(&self.path, &aside).during(|| format!("moving {} aside", self.path.display()))?;
        sync_parent(&self.path)?;
        tracing::error!(moved_to = %aside.display(), "{} was not confirmed; it is rebuilt", self.what);
        self.moved_aside = Some(aside);
        Ok(())
    }
}

fn open_sled(path: &Path) -> Result<sled::Db, Error> {
    sled::Config::new()
        .path(path)
        .mode(sled::Mode::HighThroughput)
        .cache_capacity(CACHE_BYTES)
        .flush_every_ms(Some(FLUSH_EVERY_MS))
        .use_compression(false)
        .open()
        .map_err(|source| Error::Sled { what: "opening", source })
}

/// `sled` → `sled.<suffix>` in the same directory.
fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(suffix);
    path.with_file_name(name)
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Removes a directory, if there is one.
fn remove_all(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn sync_parent(path: &Path) -> Result<(), Error> {
    let parent = parent(path);
    File::open(parent).and_then(|file| file.sync_all()).during(|| format!("syncing {}", parent.display()))
}
