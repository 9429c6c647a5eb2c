//! Fields and their values.

use std::sync::Arc;

use super::alteration::Altered;
use super::named::Named;
use super::strings;
use super::summed::{Elements, digest_of};
use crate::{Answer, KeyEvent, Refusal};

pub type Hash = Named<Arc<[u8]>>;

/// The name of a field, and its value.
pub type Field = (Arc<[u8]>, Arc<[u8]>);

/// What may be done to a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashChange {
    /// Give values to fields; with `if_absent`, only to those that are not there. Answers how many are new.
    Set { fields: Vec<Field>, if_absent: bool },
    /// Answers how many of the fields were there.
    Remove { fields: Vec<Arc<[u8]>> },
    /// Add to a value that is a decimal integer; an absent field counts as 0.
    Increment { field: Arc<[u8]>, by: i64 },
}

impl Elements for Hash {
    fn bytes(&self) -> usize {
        self.bytes_with(|value| value.len())
    }

    fn digest(&self) -> u128 {
        digest_of("hash", self.iter(), |feed, (field, value)| {
            feed.bytes(field).bytes(value);
        })
    }
}

impl Hash {
    pub(super) fn alter(&mut self, change: HashChange) -> Result<Altered, Refusal> {
        match change {
            HashChange::Set { fields, if_absent } => {
                let (mut added, mut written) = (0, false);
                for (field, value) in fields {
                    if if_absent && self.get(&field).is_some() {
                        continue;
                    }
                    written = true;
                    added += u64::from(self.put(field, value));
                }
                Ok(Altered { answer: Answer::Count(added), written })
            }
            HashChange::Remove { fields } => Ok(Altered::some(self.remove_all(&fields))),
            HashChange::Increment { field, by } => {
                let (sum, text) = strings::sum(self.get(&field), by)?;
                self.put(field, text);
                Ok(Altered { answer: Answer::Integer(sum), written: true })
            }
        }
    }
}

impl HashChange {
    pub(super) fn word(&self) -> KeyEvent {
        match self {
            Self::Set { .. } => KeyEvent::HSet,
            Self::Remove { .. } => KeyEvent::HDel,
            Self::Increment { .. } => KeyEvent::HIncrBy,
        }
    }

    /// Whether it may make a hash that was not there.
    pub(super) fn makes(&self) -> bool {
        !matches!(self, Self::Remove { .. })
    }

    /// Whether it makes a hash no larger.
    pub(super) fn frees(&self) -> bool {
        matches!(self, Self::Remove { .. })
    }

    pub(super) fn texts(&self) -> Box<dyn Iterator<Item = &Arc<[u8]>> + '_> {
        match self {
            Self::Set { fields, .. } => Box::new(fields.iter().flat_map(|(field, value)| [field, value])),
            Self::Remove { fields } => Box::new(fields.iter()),
            Self::Increment { field, .. } => Box::new(std::iter::once(field)),
        }
    }
}
