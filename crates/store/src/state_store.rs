//! Where applied state is kept for a restart: what every such store promises, and one in memory.

use crate::error::{Error, check_size};
use crate::limits::{STATE_KEY_BYTES_MAX, STATE_VALUE_BYTES_MAX};
use crate::log::LogId;
use std::collections::BTreeMap;

/// Tree of the store itself; no domain may have this name.
pub(crate) const META: &str = "meta";

/// Where applied state is kept for a restart. [`crate::Materialised`] keeps it on sled, [`MemoryState`] in memory for a
/// simulation.
pub trait StateStore: Send {
    /// What it holds; `None` if it is empty or cannot be used, and the caller begins empty.
    fn load(&mut self) -> Result<Option<Stored>, Error>;
    /// The caller has rebuilt its state from this store and the digest is right.
    fn confirm(&mut self) -> Result<(), Error>;
    /// Applies changes that lead to `stored`. The log must have synced `stored.last_applied` before.
    fn write(&mut self, changes: &Changes, stored: Stored) -> Result<(), Error>;
    /// Calls `each` with every key and value of a tree in the order of keys.
    fn scan(&self, tree: &str, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), Error>;
    /// Throws everything away and gives its space back. The caller then writes its whole state and confirms.
    fn rebuild(&mut self) -> Result<(), Error>;
    /// Makes everything written durable; for an orderly stop.
    fn flush(&mut self) -> Result<(), Error>;
}

/// What a state store says it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    pub last_applied: LogId,
    pub digest: u128,
}

/// Puts and deletes by tree, to be written in one go.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    pub(crate) trees: BTreeMap<String, BTreeMap<Vec<u8>, Option<Vec<u8>>>>,
}

impl Changes {
    /// Sets a key.
    pub fn put(&mut self, tree: &str, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.set(tree, key.into(), Some(value.into()));
    }

    /// Removes a key.
    pub fn delete(&mut self, tree: &str, key: impl Into<Vec<u8>>) {
        self.set(tree, key.into(), None);
    }

    /// Keys touched.
    pub fn len(&self) -> usize {
        self.trees.values().map(BTreeMap::len).sum()
    }

    /// True if nothing is touched.
    pub fn is_empty(&self) -> bool {
        self.trees.is_empty()
    }

    fn set(&mut self, tree: &str, key: Vec<u8>, value: Option<Vec<u8>>) {
        match self.trees.get_mut(tree) {
            Some(changes) => drop(changes.insert(key, value)),
            None => drop(self.trees.insert(tree.to_owned(), BTreeMap::from([(key, value)]))),
        }
    }

    /// Every change, by tree and key.
    pub(crate) fn list(&self) -> Vec<Change<'_>> {
        let mut all = Vec::with_capacity(self.len());
        for (tree, changes) in &self.trees {
            all.extend(changes.iter().map(|(key, value)| Change { tree, key, value: value.as_deref() }));
        }
        all
    }

    /// Refuses keys and values beyond the limits, for every store alike.
    pub(crate) fn check(&self) -> Result<(), Error> {
        assert!(!self.trees.contains_key(META), "the name {META} is taken by the store itself");
        for (key, value) in self.trees.values().flatten() {
            let value_bytes = value.as_ref().map_or(0, Vec::len);
            check_size("a key of the state", key.len() as u64, STATE_KEY_BYTES_MAX as u64)?;
            check_size("a value of the state", value_bytes as u64, STATE_VALUE_BYTES_MAX as u64)?;
        }
        Ok(())
    }
}

/// One key of some changes, and what it is to become.
pub(crate) struct Change<'a> {
    pub(crate) tree: &'a str,
    pub(crate) key: &'a [u8],
    pub(crate) value: Option<&'a [u8]>,
}

/// Trees of keys and values in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trees(BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>>);

impl Trees {
    pub(crate) fn tree(&self, name: &str) -> Option<&BTreeMap<Vec<u8>, Vec<u8>>> {
        self.0.get(name)
    }

    pub(crate) fn apply(&mut self, changes: &Changes) {
        for (name, changes) in &changes.trees {
            let tree = self.0.entry(name.clone()).or_default();
            for (key, value) in changes {
                match value {
                    Some(value) => drop(tree.insert(key.clone(), value.clone())),
                    None => drop(tree.remove(key)),
                }
            }
        }
    }

    /// Calls `each` with every key and value of a tree in the order of keys.
    pub(crate) fn scan(&self, tree: &str, each: &mut dyn FnMut(&[u8], &[u8])) {
        self.tree(tree).into_iter().flatten().for_each(|(key, value)| each(key, value));
    }
}

/// Applied state in memory: for a simulation, where it is kept or dropped with a crash as the seed has it.
#[derive(Clone, Debug, Default)]
pub struct MemoryState {
    stored: Option<Stored>,
    trees: Trees,
}

impl MemoryState {
    /// Tree, key and value of each row that these changes would replace or remove, as it is now.
    pub fn replaced_by(&self, changes: &Changes) -> Vec<(String, Vec<u8>, Vec<u8>)> {
        let row = |change: Change<'_>| {
            let value = self.trees.tree(change.tree)?.get(change.key)?;
            Some((change.tree.to_owned(), change.key.to_owned(), value.clone()))
        };
        changes.list().into_iter().filter_map(row).collect()
    }
}

impl StateStore for MemoryState {
    fn load(&mut self) -> Result<Option<Stored>, Error> {
        Ok(self.stored)
    }

    fn confirm(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn write(&mut self, changes: &Changes, stored: Stored) -> Result<(), Error> {
        changes.check()?;
        self.trees.apply(changes);
        self.stored = Some(stored);
        Ok(())
    }

    fn scan(&self, tree: &str, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), Error> {
        self.trees.scan(tree, each);
        Ok(())
    }

    fn rebuild(&mut self) -> Result<(), Error> {
        *self = MemoryState::default();
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
