//! The scripts that this node remembers by their SHA-1, so that `EVALSHA` finds them.
//!
//! A cache and no more: whoever asks another node, or after a restart, gets `NOSCRIPT` and sends the script again, as
//! every client does with Redis.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

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

/// At most [`SCRIPTS_MAX`]; beyond that the script that came first goes first.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    scripts: BTreeMap<String, Script>,
    order: VecDeque<String>,
}

impl Cache {
    /// `sha` in any case, as Redis takes it.
    pub(crate) fn get(&self, sha: &[u8]) -> Option<Script> {
        let sha = std::str::from_utf8(sha).ok()?.to_ascii_lowercase();
        self.scripts.get(&sha).cloned()
    }

    pub(crate) fn put(&mut self, script: Script) {
        let sha = script.source.sha().to_owned();
        if self.scripts.contains_key(&sha) {
            return;
        }
        if self.order.len() >= SCRIPTS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.scripts.remove(&oldest);
        }
        self.order.push_back(sha.clone());
        self.scripts.insert(sha, script);
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_script_goes_first() {
        let mut cache = Cache::default();
        let script = |n: usize| Arc::new(lua::Script::new(format!("return {n}").into()).unwrap());
        for n in 0..=SCRIPTS_MAX {
            cache.put(Script { source: script(n), meaning: None });
        }
        assert!(cache.get(script(0).sha().as_bytes()).is_none());
        assert!(cache.get(script(1).sha().to_ascii_uppercase().as_bytes()).is_some());
        assert_eq!((cache.scripts.len(), cache.order.len()), (SCRIPTS_MAX, SCRIPTS_MAX));
    }
}
