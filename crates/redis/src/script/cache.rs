//! The scripts that this node remembers by their SHA-1, so that `EVALSHA` finds them.
//!
//! A cache and no more: whoever asks another node, or after a restart, gets `NOSCRIPT` and sends the script again, as
//! every client does with Redis.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use sha1::{Digest, Sha1};

use super::Unsupported;
use super::parser::{self, Block};
use crate::limits::{SCRIPT_BYTES_MAX, SCRIPTS_MAX};

/// The SHA-1 of a script's exact bytes, in lower-case hexadecimal.
pub(crate) fn sha_of(source: &[u8]) -> String {
    Sha1::digest(source).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A script that could be read. Whether it means something is seen when it is called with its arguments.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) sha: String,
    pub(super) body: Block,
}

impl Script {
    pub(crate) fn read(source: &[u8]) -> Result<Self, Unsupported> {
        if source.len() > SCRIPT_BYTES_MAX {
            return Err(Unsupported::new(format!("it is longer than {SCRIPT_BYTES_MAX} bytes")));
        }
        Ok(Self { sha: sha_of(source), body: parser::parse(source)? })
    }
}

/// At most [`SCRIPTS_MAX`]; beyond that the script that came first goes first.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    scripts: BTreeMap<String, Arc<Script>>,
    order: VecDeque<String>,
}

impl Cache {
    /// `sha` in any case, as Redis takes it.
    pub(crate) fn get(&self, sha: &[u8]) -> Option<Arc<Script>> {
        let sha = std::str::from_utf8(sha).ok()?.to_ascii_lowercase();
        self.scripts.get(&sha).cloned()
    }

    pub(crate) fn put(&mut self, script: Arc<Script>) {
        if self.scripts.contains_key(&script.sha) {
            return;
        }
        if self.order.len() >= SCRIPTS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.scripts.remove(&oldest);
        }
        self.order.push_back(script.sha.clone());
        self.scripts.insert(script.sha.clone(), script);
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sha_is_that_of_the_exact_bytes() {
        assert_eq!(sha_of(b"return 1"), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
    }

    #[test]
    fn the_oldest_script_goes_first() {
        let mut cache = Cache::default();
        let source = |n: usize| format!("return {n}");
        for n in 0..=SCRIPTS_MAX {
            cache.put(Arc::new(Script::read(source(n).as_bytes()).unwrap()));
        }
        assert!(cache.get(sha_of(source(0).as_bytes()).as_bytes()).is_none());
        assert!(cache.get(sha_of(source(1).as_bytes()).to_ascii_uppercase().as_bytes()).is_some());
        assert_eq!((cache.scripts.len(), cache.order.len()), (SCRIPTS_MAX, SCRIPTS_MAX));
    }
}
