//! Elements in an order that those who push them decide.

use std::sync::Arc;

use super::alteration::Altered;
use super::span::{place, span};
use super::summed::{Elements, digest_of};
use crate::limits::ELEMENT_BYTES;
use crate::{Answer, KeyEvent, Refusal};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List(Vec<Arc<[u8]>>);

/// One end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Before the first element.
    Left,
    /// After the last.
    Right,
}

/// What may be done to a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListChange {
    /// Add elements at one side, one after the other; with `if_present`, only if there is a list. Answers how many it has
    /// then.
    Push { side: Side, elements: Vec<Arc<[u8]>>, if_present: bool },
    /// Take up to so many elements from one side, one after the other, and answer them.
    Pop { side: Side, count: u64 },
    /// Remove elements that equal this one: the first so many, or the last if `count` is below zero, or all if it is zero.
    /// Answers how many.
    Remove { element: Arc<[u8]>, count: i64 },
    /// Put another element in a place, see [`place`].
    Set { index: i64, element: Arc<[u8]> },
    /// Keep only these, see [`span`].
    Trim { start: i64, stop: i64 },
}

impl Elements for List {
    fn bytes(&self) -> usize {
        self.0.iter().map(|element| ELEMENT_BYTES + element.len()).sum()
    }

    fn digest(&self) -> u128 {
        digest_of("list", self.0.iter(), |feed, element| {
            feed.bytes(element);
        })
    }
}

impl List {
    pub fn elements(&self) -> &[Arc<[u8]>] {
        &self.0
    }

    pub(super) fn alter(&mut self, change: ListChange) -> Result<Altered, Refusal> {
        let elements = &mut self.0;
        Ok(match change {
            ListChange::Push { if_present: true, .. } if elements.is_empty() => Altered::some(0),
            ListChange::Push { side, elements: more, .. } => {
                let written = !more.is_empty();
                match side {
                    Side::Left => drop(elements.splice(..0, more.into_iter().rev())),
                    Side::Right => elements.extend(more),
                }
                Altered { answer: Answer::Count(elements.len() as u64), written }
            }
            ListChange::Pop { .. } if elements.is_empty() => {
                Altered { answer: Answer::Values(None), written: false }
            }
            ListChange::Pop { side, count } => {
                let count = usize::try_from(count).unwrap_or(usize::MAX).min(elements.len());
                let popped: Vec<Arc<[u8]>> = match side {
                    Side::Left => elements.drain(..count).collect(),
                    Side::Right => elements.drain(elements.len() - count..).rev().collect(),
                };
                Altered { written: !popped.is_empty(), answer: Answer::Values(Some(popped)) }
            }
            ListChange::Remove { element, count } => {
                let before = elements.len();
                let mut left = match count {
                    0 => usize::MAX,
                    count => usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX),
                };
                let mut stays = |other: &Arc<[u8]>| {
                    let goes = left > 0 && *other == element;
                    left -= usize::from(goes);
                    !goes
                };
                if count < 0 {
                    elements.reverse();
                    elements.retain(&mut stays);
                    elements.reverse();
                } else {
                    elements.retain(&mut stays);
                }
                Altered::some(before - elements.len())
            }
            ListChange::Set { .. } if elements.is_empty() => return Err(Refusal::NoSuchKey),
            ListChange::Set { index, element } => {
                let place = place(elements.len(), index).ok_or(Refusal::OutOfRange)?;
                elements[place] = element;
                Altered { answer: Answer::Done, written: true }
            }
            ListChange::Trim { start, stop } => {
                let (before, kept) = (elements.len(), span(elements.len(), start, stop));
                elements.truncate(kept.end);
                elements.drain(..kept.start);
                Altered { answer: Answer::Done, written: elements.len() < before }
            }
        })
    }
}

impl FromIterator<Arc<[u8]>> for List {
    fn from_iter<I: IntoIterator<Item = Arc<[u8]>>>(elements: I) -> Self {
        Self(elements.into_iter().collect())
    }
}

impl ListChange {
    pub(super) fn word(&self) -> KeyEvent {
        match self {
            Self::Push { side: Side::Left, .. } => KeyEvent::LPush,
            Self::Push { side: Side::Right, .. } => KeyEvent::RPush,
            Self::Pop { side: Side::Left, .. } => KeyEvent::LPop,
            Self::Pop { side: Side::Right, .. } => KeyEvent::RPop,
            Self::Remove { .. } => KeyEvent::LRem,
            Self::Set { .. } => KeyEvent::LSet,
            Self::Trim { .. } => KeyEvent::LTrim,
        }
    }

    /// Whether it may make a list that was not there.
    pub(super) fn makes(&self) -> bool {
        matches!(self, Self::Push { if_present: false, .. })
    }

    /// Whether it makes a list no larger.
    pub(super) fn frees(&self) -> bool {
        matches!(self, Self::Pop { .. } | Self::Remove { .. } | Self::Trim { .. })
    }

    pub(super) fn texts(&self) -> Box<dyn Iterator<Item = &Arc<[u8]>> + '_> {
        match self {
            Self::Push { elements, .. } => Box::new(elements.iter()),
            Self::Remove { element, .. } | Self::Set { element, .. } => Box::new(std::iter::once(element)),
            Self::Pop { .. } | Self::Trim { .. } => Box::new(std::iter::empty()),
        }
    }
}
