//! Applied state on sled: a cache of what the log has decided, for a fast restart.
//!
//! It may lag or be lost, and is behind a marker until its digest has been compared (`guarded`). The caller writes only
//! what the log has synced; what is ahead of the log all the same is rebuilt as well, from snapshot and log.

use crate::error::Error;
use crate::guarded::Guarded;
use crate::limits::STATE_KEYS_PER_TRANSACTION_MAX;
use crate::log::LogId;
use crate::state_store::{Changes, META, StateStore, Stored};
use std::path::Path;

const LAST_APPLIED: &[u8] = b"last_applied";
const DIGEST: &[u8] = b"digest";
const SCHEMA: &[u8] = b"schema";
/// Present between the transactions of a write that takes several.
const UNFINISHED: &[u8] = b"unfinished";
/// Layout of the trees. Another one is not read but rebuilt.
const SCHEMA_VERSION: &[u8] = &[1];

/// Applied state on sled, in a directory of its own.
pub struct Materialised {
    sled: Guarded,
}

impl Materialised {
    /// Opens the directory, after the marker is durable. If the marker was there, an earlier start did not get as far
    /// as [`StateStore::confirm`], and the directory is moved aside.
    pub fn open(path: impl AsRef<Path>) -> Result<Materialised, Error> {
        Ok(Materialised { sled: Guarded::open(path.as_ref(), "materialised state")? })
    }

    /// Where a directory that could not be trusted went, if this start found one.
    pub fn moved_aside(&self) -> Option<&Path> {
        self.sled.moved_aside()
    }
}

impl StateStore for Materialised {
    fn load(&mut self) -> Result<Option<Stored>, Error> {
        let meta = self.sled.tree(META)?;
        let get = |key| self.sled.doubt("reading", meta.get(key));
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
        self.sled.confirm()
    }

    fn write(&mut self, changes: &Changes, stored: Stored) -> Result<(), Error> {
        changes.check()?;
        let all = changes.list();
        let id = stored.last_applied;
        let done = [
            (SCHEMA, Some(SCHEMA_VERSION.to_vec())),
            (LAST_APPLIED, Some([id.term.to_be_bytes(), id.index.to_be_bytes()].concat())),
            (DIGEST, Some(stored.digest.to_be_bytes().to_vec())),
            (UNFINISHED, None),
        ];
        let mut chunks = all.chunks(STATE_KEYS_PER_TRANSACTION_MAX).peekable();
        if chunks.peek().is_none() {
            return self.sled.transact(&[], &done);
        }
        while let Some(chunk) = chunks.next() {
            if chunks.peek().is_some() {
                self.sled.transact(chunk, &[(UNFINISHED, Some(Vec::new()))])?;
            } else {
                self.sled.transact(chunk, &done)?;
            }
        }
        Ok(())
    }

    fn scan(&self, tree: &str, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), Error> {
        self.sled.scan(tree, each)
    }

    fn rebuild(&mut self) -> Result<(), Error> {
        self.sled.rebuild()
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.sled.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::STATE_VALUE_BYTES_MAX;
    use crate::state_store::MemoryState;
    use std::fs;

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
        store.sled.transact(&[], &[(UNFINISHED, Some(Vec::new()))]).unwrap();
        assert_eq!(store.load().unwrap(), None);
    }
}
