//! Members, each of which is there once.

use std::sync::Arc;

use super::alteration::Altered;
use super::named::Named;
use super::summed::{Elements, digest_of};
use crate::KeyEvent;

pub type Set = Named<()>;

/// What may be done to a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetChange {
    /// Answers how many are new.
    Add { members: Vec<Arc<[u8]>> },
    /// Answers how many were there.
    Remove { members: Vec<Arc<[u8]>> },
}

impl Elements for Set {
    fn bytes(&self) -> usize {
        self.bytes_with(|()| 0)
    }

    fn digest(&self) -> u128 {
        digest_of("set", self.iter(), |feed, (member, ())| {
            feed.bytes(member);
        })
    }
}

impl Set {
    pub(super) fn alter(&mut self, change: SetChange) -> Altered {
        Altered::some(match change {
            SetChange::Add { members } => {
                members.into_iter().filter(|member| self.put(member.clone(), ())).count()
            }
            SetChange::Remove { members } => self.remove_all(&members),
        })
    }
}

impl SetChange {
    pub(super) fn word(&self) -> KeyEvent {
        match self {
            Self::Add { .. } => KeyEvent::SAdd,
            Self::Remove { .. } => KeyEvent::SRem,
        }
    }

    /// Whether it may make a set that was not there.
    pub(super) fn makes(&self) -> bool {
        matches!(self, Self::Add { .. })
    }

    /// Whether it makes a set no larger.
    pub(super) fn frees(&self) -> bool {
        matches!(self, Self::Remove { .. })
    }

    pub(super) fn texts(&self) -> Box<dyn Iterator<Item = &Arc<[u8]>> + '_> {
        let (Self::Add { members } | Self::Remove { members }) = self;
        Box::new(members.iter())
    }
}
