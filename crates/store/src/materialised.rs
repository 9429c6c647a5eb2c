//! Applied state on sled: a cache of what the log has decided, for a fast restart.
//!
//! sled 0.34 does not really sync on Linux, can be damaged by a hard stop, and may panic on what it finds then. So it
//! may lag or be lost, and is never believed without a check. The protocol, with a marker file beside the directory:
//!
//! ```text
//! open    marker found: move the directory aside, begin empty
//!         write the marker and sync it, then open sled
//! load    the caller rebuilds its state and compares digests:  equal → confirm, the marker goes
//!                                                              otherwise → rebuild, begin empty
//! error   write the marker again, so that the next start begins empty
//! ```
//!
//! A panic or a stop between open and confirm therefore costs one rebuild from snapshot and log, and nothing else.
//! The caller writes only what the log has synced; what is ahead of the log all the same is rebuilt as well.

use crate::error::{During, Error};
use crate::limits::STATE_KEYS_PER_TRANSACTION_MAX;
use crate::log::LogId;
use crate::state_store::{Changes, META, StateStore, Stored};
use sled::transaction::{ConflictableTransactionError, TransactionError, Transactional};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

const LAST_APPLIED: &[u8] = b"last_applied";
const DIGEST: &[u8] = b"digest";
const SCHEMA: &[u8] = b"schema";
/// Present between the transactions of a write that takes several.
const UNFINISHED: &[u8] = b"unfinished";
/// Layout of the trees. Another one is not read but rebuilt.
const SCHEMA_VERSION: &[u8] = &[1];
const CACHE_BYTES: u64 = 64 << 20;
/// As often as it is written. What a crash takes is applied again from the log.
const FLUSH_EVERY_MS: u64 = 1000;

/// Applied state on sled, in a directory of its own.
pub struct Materialised {
    path: PathBuf,
    /// None only while it is being rebuilt.
    db: Option<sled::Db>,
    moved_aside: Option<PathBuf>,
}

impl Materialised {
    /// Opens the directory, after the marker is durable. If the marker was there, an earlier start did not get as far
    /// as [`StateStore::confirm`], and the directory is moved aside.
    pub fn open(path: impl AsRef<Path>) -> Result<Materialised, Error> {
        let mut store = Materialised { path: path.as_ref().to_path_buf(), db: None, moved_aside: None };
        if store.marker().exists() {
            store.move_aside()?;
        }
        store.mark()?;
        store.db = Some(open_sled(&store.path)?);
        Ok(store)
    }

    /// Where a directory that could not be trusted went, if this start found one.
    pub fn moved_aside(&self) -> Option<&Path> {
        self.moved_aside.as_deref()
    }

    fn db(&self) -> &sled::Db {
        self.db.as_ref().expect("sled is closed only while a rebuild has it")
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
            tracing::error!(%error, "{} cannot be removed: materialised state that was not confirmed is", aside.display());
            remove_all(&self.path).during(|| format!("removing {}", self.path.display()))?;
            return sync_parent(&self.path);
        }
        fs::rename(&self.path, &aside).during(|| format!("moving {} aside", self.path.display()))?;
        sync_parent(&self.path)?;
        tracing::error!(moved_to = %aside.display(), "materialised state was not confirmed; it is rebuilt");
        self.moved_aside = Some(aside);
        Ok(())
    }

    /// After an error of sled nothing in it is to be believed: the next start begins empty.
    fn doubt<T>(&self, what: &'static str, result: Result<T, sled::Error>) -> Result<T, Error> {
        result.map_err(|source| match self.mark() {
            Ok(()) => Error::Sled { what, source },
            Err(error) => error,
        })
    }

    fn tree(&self, name: &str) -> Result<sled::Tree, Error> {
        self.doubt("opening a tree", self.db().open_tree(name))
    }

    /// One transaction over all trees and the crate's own.
    fn transact(&self, chunk: &[Change<'_>], meta: &[(&[u8], Option<Vec<u8>>)]) -> Result<(), Error> {
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
}

/// One key of a chunk.
struct Change<'a> {
    tree: &'a str,
    key: &'a [u8],
    value: Option<&'a [u8]>,
}

impl StateStore for Materialised {
    fn load(&mut self) -> Result<Option<Stored>, Error> {
        let meta = self.tree(META)?;
        let get = |key| self.doubt("reading", meta.get(key));
        let (schema, unfinished) = (get(SCHEMA)?, get(UNFINISHED)?);
        if schema.as_deref() != Some(SCHEMA_VERSION) || unfinished.is_some() {
            return Ok(None);
        }
        let (last_applied, digest) = (get(LAST_APPLIED)?, get(DIGEST)?);
        Ok((|| {
            let (term, index) = last_applied.as_ref()?.split_first_chunk::<8>()?;
            Some(Stored {
                last_applied: LogId {
                    term: u64::from_be_bytes(*term),
                    index: u64::from_be_bytes(index.try_into().ok()?),
                },
                digest: u128::from_be_bytes(digest?.as_ref().try_into().ok()?),
            })
        })())
    }

    fn confirm(&mut self) -> Result<(), Error> {
        let marker = self.marker();
        match fs::remove_file(&marker) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => {
                removed.during(|| format!("removing {}", marker.display()))?;
                sync_parent(&self.path)
            }
        }
    }

    fn write(&mut self, changes: &Changes, stored: Stored) -> Result<(), Error> {
        changes.check()?;
        let all: Vec<Change<'_>> = changes
            .trees
            .iter()
            .flat_map(|(tree, changes)| {
                changes.iter().map(move |(key, value)| Change { tree, key, value: value.as_deref() })
            })
            .collect();
        let id = stored.last_applied;
        let done = [
            (SCHEMA, Some(SCHEMA_VERSION.to_vec())),
            (LAST_APPLIED, Some([id.term.to_be_bytes(), id.index.to_be_bytes()].concat())),
            (DIGEST, Some(stored.digest.to_be_bytes().to_vec())),
            (UNFINISHED, None),
        ];
        let mut chunks = all.chunks(STATE_KEYS_PER_TRANSACTION_MAX).peekable();
        if chunks.peek().is_none() {
            return self.transact(&[], &done);
        }
        while let Some(chunk) = chunks.next() {
            if chunks.peek().is_some() {
                self.transact(chunk, &[(UNFINISHED, Some(Vec::new()))])?;
            } else {
                self.transact(chunk, &done)?;
            }
        }
        Ok(())
    }

    fn scan(&self, tree: &str, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), Error> {
        for pair in self.tree(tree)?.iter() {
            let (key, value) = self.doubt("reading", pair)?;
            each(&key, &value);
        }
        Ok(())
    }

    fn rebuild(&mut self) -> Result<(), Error> {
        self.mark()?;
        // Closed before its files go. A new directory is the only way to get space back from sled.
        drop(self.db.take());
        fs::remove_dir_all(&self.path).during(|| format!("removing {}", self.path.display()))?;
        self.db = Some(open_sled(&self.path)?);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.doubt("flushing", self.db().flush().map(drop))?;
        // sled's flush is not a sync on Linux; any handle syncs the file.
        let file = self.path.join("db");
        File::open(&file).and_then(|file| file.sync_all()).during(|| format!("syncing {}", file.display()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::STATE_VALUE_BYTES_MAX;
    use crate::state_store::MemoryState;

    const AT_9: Stored = Stored { last_applied: LogId { term: 2, index: 9 }, digest: 0xfeed };

    fn some_changes() -> Changes {
        let mut changes = Changes::default();
        changes.put("leases", b"a".as_slice(), b"1".as_slice());
        changes.put("leases", b"b".as_slice(), b"2".as_slice());
        changes.put("orders", b"c".as_slice(), b"3".as_slice());
        changes.delete("leases", b"a".as_slice());
        changes
    }

    fn scan(store: &dyn StateStore, tree: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut pairs = Vec::new();
        store.scan(tree, &mut |key, value| pairs.push((key.to_vec(), value.to_vec()))).unwrap();
        pairs
    }

    fn check_contract(store: &mut dyn StateStore) {
        assert_eq!(store.load().unwrap(), None);
        store.write(&some_changes(), AT_9).unwrap();
        assert_eq!(store.load().unwrap(), Some(AT_9));
        assert_eq!(scan(store, "leases"), [(b"b".to_vec(), b"2".to_vec())]);
        assert_eq!(scan(store, "orders"), [(b"c".to_vec(), b"3".to_vec())]);
        let at_10 = Stored { last_applied: LogId { term: 2, index: 10 }, ..AT_9 };
        store.write(&Changes::default(), at_10).unwrap();
        assert_eq!(store.load().unwrap(), Some(at_10));
        let mut large = Changes::default();
        large.put("orders", b"k".as_slice(), vec![0; STATE_VALUE_BYTES_MAX + 1]);
        assert!(matches!(store.write(&large, AT_9), Err(Error::TooLarge { .. })));
        store.rebuild().unwrap();
        assert_eq!(store.load().unwrap(), None);
        assert_eq!(scan(store, "orders"), []);
    }

    #[test]
    fn both_stores_keep_the_contract() {
        let directory = tempfile::tempdir().unwrap();
        check_contract(&mut Materialised::open(directory.path().join("sled")).unwrap());
        check_contract(&mut MemoryState::default());
    }

    #[test]
    fn a_start_that_was_confirmed_finds_its_state_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sled");
        let mut store = Materialised::open(&path).unwrap();
        assert!(directory.path().join("sled.opening").exists(), "the marker is there before sled is");
        store.write(&some_changes(), AT_9).unwrap();
        store.confirm().unwrap();
        assert!(!directory.path().join("sled.opening").exists());
        store.flush().unwrap();
        drop(store);

        let mut store = Materialised::open(&path).unwrap();
        assert_eq!(store.moved_aside(), None);
        assert_eq!(store.load().unwrap(), Some(AT_9));
    }

    #[test]
    fn a_start_that_was_not_confirmed_is_moved_aside() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sled");
        for start in 0..4 {
            let mut store = Materialised::open(&path).unwrap();
            assert_eq!(store.load().unwrap(), None);
            let aside = (start > 0).then(|| directory.path().join("sled.bad"));
            assert_eq!(store.moved_aside(), aside.as_deref());
            store.write(&some_changes(), AT_9).unwrap();
            // No confirm: the process died, or the digest was wrong.
        }
        let mut left: Vec<_> =
            fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["sled", "sled.bad", "sled.opening"], "only the newest is kept");
    }

    #[test]
    fn an_old_copy_that_cannot_be_removed_costs_no_start() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sled");
        drop(Materialised::open(&path).unwrap());
        fs::write(directory.path().join("sled.bad"), "no directory").unwrap();
        let mut store = Materialised::open(&path).unwrap();
        assert_eq!(store.moved_aside(), None);
        store.write(&some_changes(), AT_9).unwrap();
        store.confirm().unwrap();
        drop(store);
        assert_eq!(Materialised::open(&path).unwrap().load().unwrap(), Some(AT_9));
    }

    #[test]
    fn a_write_of_many_transactions_counts_only_when_it_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Materialised::open(directory.path().join("sled")).unwrap();
        let mut changes = Changes::default();
        for key in 0..2 * STATE_KEYS_PER_TRANSACTION_MAX as u32 + 1 {
            changes.put("keys", key.to_be_bytes(), b"v".as_slice());
        }
        store.write(&changes, AT_9).unwrap();
        assert_eq!(store.load().unwrap(), Some(AT_9));
        assert_eq!(scan(&store, "keys").len(), changes.len());
        // As a stop after the first of several transactions leaves it.
        store.transact(&[], &[(UNFINISHED, Some(Vec::new()))]).unwrap();
        assert_eq!(store.load().unwrap(), None);
    }
}
