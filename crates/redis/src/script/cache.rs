//! The scripts that this node remembers by their SHA-1, so that `EVALSHA` finds them: what it was sent, understood.
//!
//! A cache and no more. What was loaded is in the state of the group and is looked for there when it is not here; what was
//! only evaluated is known to this node alone, until it is restarted or has met [`SCRIPTS_MAX`] others.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use domain::{Serial, Sha1};

use super::Unsupported;
use super::parser::{self, Block};
use crate::limits::SCRIPTS_MAX;

/// What a script says, if it is one of those that may be a single action. Whether it is, is seen when it is called with
/// its arguments.
#[derive(Debug)]
pub(crate) struct Meaning {
    pub(crate) sha: String,
    pub(super) body: Block,
}

impl Meaning {
    pub(crate) fn read(script: &lua::Script) -> Result<Self, Unsupported> {
        Ok(Self { sha: script.sha().to_owned(), body: parser::parse(script.source())? })
    }
}

/// A script that is Lua.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) source: Arc<lua::Script>,
    /// `None`: it can only be run.
    pub(crate) meaning: Option<Arc<Meaning>>,
}

impl Script {
    pub(crate) fn read(source: lua::Script) -> Self {
        let meaning = Meaning::read(&source).ok().map(Arc::new);
        Self { source: Arc::new(source), meaning }
    }

    fn sha(&self) -> Sha1 {
        Sha1::parse(self.source.sha().as_bytes()).expect("it is forty digits")
    }
}

/// At most [`SCRIPTS_MAX`]; beyond that the script that came first goes first.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    scripts: BTreeMap<Sha1, Script>,
    order: VecDeque<Sha1>,
    /// The last flush that this node knows of: all these are of after it.
    flushed: Serial,
}

impl Cache {
    pub(crate) fn get(&self, sha: &Sha1) -> Option<Script> {
        self.scripts.get(sha).cloned()
    }

    pub(crate) fn flushed(&self) -> Serial {
        self.flushed
    }

    /// Forgets what is of before this flush.
    pub(crate) fn flushed_at(&mut self, flushed: Serial) {
        if flushed > self.flushed {
            *self = Self { flushed, ..Self::default() };
        }
    }

    /// Takes over what the group had when that was its last flush.
    pub(crate) fn put_as_of(&mut self, flushed: Serial, script: Script) {
        if flushed == self.flushed {
            self.put(script);
        }
    }

    pub(crate) fn put(&mut self, script: Script) {
        let sha = script.sha();
        if self.scripts.contains_key(&sha) {
            return;
        }
        if self.order.len() >= SCRIPTS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.scripts.remove(&oldest);
        }
        self.order.push_back(sha);
        self.scripts.insert(sha, script);
    }

    pub(crate) fn clear(&mut self) {
        *self = Self { flushed: self.flushed, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(n: usize) -> Script {
        Script { source: Arc::new(lua::Script::new(format!("return {n}").into()).unwrap()), meaning: None }
    }

    #[test]
    fn nothing_outlives_a_flush() {
        let mut cache = Cache::default();
        cache.put(script(1));
        cache.flushed_at(Serial(5));
        assert!(cache.get(&script(1).sha()).is_none());
        cache.put_as_of(Serial(4), script(2));
        assert!(cache.get(&script(2).sha()).is_none(), "it was found in an old state");
        cache.put_as_of(Serial(5), script(2));
        cache.flushed_at(Serial(5));
        assert!(cache.get(&script(2).sha()).is_some());
    }

    #[test]
    fn the_oldest_script_goes_first() {
        let mut cache = Cache::default();
        for n in 0..=SCRIPTS_MAX {
            cache.put(script(n));
        }
        assert!(cache.get(&script(0).sha()).is_none());
        assert!(cache.get(&script(1).sha()).is_some());
        assert_eq!((cache.scripts.len(), cache.order.len()), (SCRIPTS_MAX, SCRIPTS_MAX));
    }
}
