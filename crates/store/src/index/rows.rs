//! Where the rows of an index are kept: on sled, or in memory.

use crate::error::Error;
use crate::guarded::Guarded;
use crate::state_store::{Changes, META, Trees};
use std::ops::Bound;
use std::path::{Path, PathBuf};

const DIGEST: &[u8] = b"digest";
const SCHEMA: &[u8] = b"schema";
/// Layout of the rows. What another one wrote has no digest that holds, and is rebuilt.
const SCHEMA_VERSION: &[u8] = &[1];

/// Sorted rows in trees, changed in one go.
pub trait Rows: Send + Sync {
    fn get(&self, tree: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Error>;
    /// The greatest key from `from` to `to`, both included.
    fn last(&self, tree: &str, from: &[u8], to: &[u8]) -> Result<Option<Vec<u8>>, Error>;
    /// Calls `each` with every key and value of a tree in the order of keys.
    fn scan(&self, tree: &str, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), Error>;
    /// Makes all changes, or none, with the digest that the rows then have.
    fn commit(&mut self, changes: &Changes, digest: u128) -> Result<(), Error>;
    /// The digest of the last commit; `None` if there was none.
    fn digest(&self) -> Result<Option<u128>, Error>;
    /// The digest was compared and is right.
    fn confirm(&self) -> Result<(), Error>;
    /// Throws everything away.
    fn rebuild(&mut self) -> Result<(), Error>;
    /// Makes every commit durable.
    fn flush(&self) -> Result<(), Error>;
}

/// Rows on sled.
pub struct SledRows {
    sled: Guarded,
}

impl SledRows {
    pub(super) fn open(path: &Path) -> Result<SledRows, Error> {
        Ok(SledRows { sled: Guarded::open(path, "the index over history")? })
    }

    pub(super) fn moved_aside(&self) -> Option<PathBuf> {
        self.sled.moved_aside().map(Path::to_path_buf)
    }
}

impl Rows for SledRows {
    fn get(&self, tree: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let found = self.sled.doubt("reading", self.sled.tree(tree)?.get(key))?;
        Ok(found.map(|value| value.to_vec()))
    }

    fn last(&self, tree: &str, from: &[u8], to: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let last = self.sled.tree(tree)?.range(from..=to).next_back();
        let last = self.sled.doubt("reading", last.transpose())?;
        Ok(last.map(|(key, _)| key.to_vec()))
    }

    fn scan(&self, tree: &str, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), Error> {
        self.sled.scan(tree, each)
    }

    fn commit(&mut self, changes: &Changes, digest: u128) -> Result<(), Error> {
        let meta = [(SCHEMA, Some(SCHEMA_VERSION.to_vec())), (DIGEST, Some(digest.to_be_bytes().to_vec()))];
        self.sled.transact(&changes.list(), &meta)
    }

    fn digest(&self) -> Result<Option<u128>, Error> {
        let (schema, digest) = (self.get(META, SCHEMA)?, self.get(META, DIGEST)?);
        let digest = digest.filter(|_| schema.as_deref() == Some(SCHEMA_VERSION));
        Ok(digest.and_then(|digest| Some(u128::from_be_bytes(digest.try_into().ok()?))))
    }

    fn confirm(&self) -> Result<(), Error> {
        self.sled.confirm()
    }

    fn rebuild(&mut self) -> Result<(), Error> {
        self.sled.rebuild()
    }

    fn flush(&self) -> Result<(), Error> {
        self.sled.flush()
    }
}

/// Rows in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryRows {
    trees: Trees,
    digest: Option<u128>,
}

impl Rows for MemoryRows {
    fn get(&self, tree: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.trees.tree(tree).and_then(|tree| tree.get(key)).cloned())
    }

    fn last(&self, tree: &str, from: &[u8], to: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let keys = (Bound::Included(from), Bound::Included(to));
        let last = self.trees.tree(tree).and_then(|tree| tree.range::<[u8], _>(keys).next_back());
        Ok(last.map(|(key, _)| key.clone()))
    }

    fn scan(&self, tree: &str, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), Error> {
        self.trees.scan(tree, each);
        Ok(())
    }

    fn commit(&mut self, changes: &Changes, digest: u128) -> Result<(), Error> {
        self.trees.apply(changes);
        self.digest = Some(digest);
        Ok(())
    }

    fn digest(&self) -> Result<Option<u128>, Error> {
        Ok(self.digest)
    }

    fn confirm(&self) -> Result<(), Error> {
        Ok(())
    }

    fn rebuild(&mut self) -> Result<(), Error> {
        *self = MemoryRows::default();
        Ok(())
    }

    fn flush(&self) -> Result<(), Error> {
        Ok(())
    }
}
