//! Members in the order of their scores, and of their names where those are equal.
//!
//! Invariant: `ranked` strictly ascends, and `scores` has the same members.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::alteration::Altered;
use super::score::Score;
use super::span::span;
use super::summed::{Elements, digest_of};
use crate::limits::ELEMENT_BYTES;
use crate::{Answer, KeyEvent, Refusal};

/// A score and its member.
pub type Scored = (Score, Arc<[u8]>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SortedSet {
    ranked: Vec<Scored>,
    scores: BTreeMap<Arc<[u8]>, Score>,
}

/// What may be done to a sorted set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SortedSetChange {
    /// Give members their scores. Answers how many are new; with `counts_changed`, how many are new or have another score.
    Add { members: Vec<Scored>, condition: ScoreCondition, counts_changed: bool },
    /// Add to the score of a member; one that is absent counts as 0. Answers the score, or none if the condition did not
    /// hold.
    Increment { member: Arc<[u8]>, by: Score, condition: ScoreCondition },
    /// Answers how many were there, as the next two do.
    Remove { members: Vec<Arc<[u8]>> },
    /// Of these scores.
    RemoveByScore { range: ScoreRange },
    /// In these places, see [`span`].
    RemoveByRank { start: i64, stop: i64 },
    /// Take up to so many with the least scores, or with the greatest, and answer them.
    Pop { greatest: bool, count: u64 },
}

/// When a member gets a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScoreCondition {
    Always,
    /// `NX`
    IfAbsent,
    /// `XX`
    IfPresent,
    /// `GT`: it is absent, or the new score is greater.
    IfGreater,
    /// `LT`: it is absent, or the new score is less.
    IfLess,
    /// `XX` and `GT`.
    IfPresentAndGreater,
    /// `XX` and `LT`.
    IfPresentAndLess,
}

/// From one score to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScoreRange {
    pub min: ScoreBound,
    pub max: ScoreBound,
}

/// Where a range ends, with or without the score itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScoreBound {
    pub score: Score,
    pub excluded: bool,
}

impl Elements for SortedSet {
    fn bytes(&self) -> usize {
        self.ranked.iter().map(|(_, member)| ELEMENT_BYTES + member.len()).sum()
    }

    fn digest(&self) -> u128 {
        digest_of("sorted set", self.ranked.iter(), |feed, (score, member)| {
            feed.u64(score.get().to_bits()).bytes(member);
        })
    }
}

impl SortedSet {
    /// All members with their scores, in their order.
    pub fn ranked(&self) -> &[Scored] {
        &self.ranked
    }

    pub fn score(&self, member: &[u8]) -> Option<Score> {
        self.scores.get(member).copied()
    }

    /// The place of a member.
    pub fn rank(&self, member: &[u8]) -> Option<usize> {
        let score = self.score(member)?;
        self.place(score, member).ok()
    }

    /// The places of the members whose scores these are.
    pub fn within(&self, ScoreRange { min, max }: ScoreRange) -> Range<usize> {
        let is_below = |score: Score| score < min.score || min.excluded && score == min.score;
        let is_above = |score: Score| score > max.score || max.excluded && score == max.score;
        let start = self.ranked.partition_point(|(score, _)| is_below(*score));
        let end = self.ranked.partition_point(|(score, _)| !is_above(*score));
        start..end.max(start)
    }

    pub(super) fn alter(&mut self, change: SortedSetChange) -> Result<Altered, Refusal> {
        Ok(match change {
            SortedSetChange::Add { members, condition, counts_changed } => {
                let (mut added, mut changed) = (0, 0);
                for (score, member) in members {
                    let before = self.score(&member);
                    if condition.holds(before, score) && before != Some(score) {
                        self.put(score, member);
                        added += u64::from(before.is_none());
                        changed += 1;
                    }
                }
                let count = if counts_changed { changed } else { added };
                Altered { answer: Answer::Count(count), written: changed > 0 }
            }
            SortedSetChange::Increment { member, by, condition } => {
                let before = self.score(&member);
                let score = before.map_or(Ok(by), |before| before.plus(by))?;
                let holds = condition.holds(before, score);
                let written = holds && before != Some(score);
                if written {
                    self.put(score, member);
                }
                Altered { answer: Answer::Score(holds.then_some(score)), written }
            }
            SortedSetChange::Remove { members } => {
                Altered::some(members.into_iter().filter(|member| self.take(member)).count())
            }
            SortedSetChange::RemoveByScore { range } => Altered::some(self.drain(self.within(range)).len()),
            SortedSetChange::RemoveByRank { start, stop } => {
                Altered::some(self.drain(span(self.ranked.len(), start, stop)).len())
            }
            SortedSetChange::Pop { greatest, count } => {
                let len = self.ranked.len();
                let count = usize::try_from(count).unwrap_or(usize::MAX).min(len);
                let mut popped = self.drain(if greatest { len - count..len } else { 0..count });
                if greatest {
                    popped.reverse();
                }
                Altered { written: !popped.is_empty(), answer: Answer::Scored(popped) }
            }
        })
    }

    fn place(&self, score: Score, member: &[u8]) -> Result<usize, usize> {
        self.ranked.binary_search_by(|(other, name)| other.cmp(&score).then_with(|| (**name).cmp(member)))
    }

    fn put(&mut self, score: Score, member: Arc<[u8]>) {
        self.take(&member);
        let place = self.place(score, &member).expect_err("it was just taken");
        self.ranked.insert(place, (score, member.clone()));
        self.scores.insert(member, score);
    }

    fn take(&mut self, member: &[u8]) -> bool {
        let place = self.rank(member);
        if let Some(place) = place {
            self.ranked.remove(place);
            self.scores.remove(member);
        }
        place.is_some()
    }

    fn drain(&mut self, places: Range<usize>) -> Vec<Scored> {
        let gone: Vec<_> = self.ranked.drain(places).collect();
        for (_, member) in &gone {
            self.scores.remove(member);
        }
        gone
    }
}

/// Of two with the same name the second counts.
impl FromIterator<Scored> for SortedSet {
    fn from_iter<I: IntoIterator<Item = Scored>>(members: I) -> Self {
        let mut set = Self::default();
        for (score, member) in members {
            set.put(score, member);
        }
        set
    }
}

impl ScoreCondition {
    pub const ALL: [Self; 7] = [
        Self::Always,
        Self::IfAbsent,
        Self::IfPresent,
        Self::IfGreater,
        Self::IfLess,
        Self::IfPresentAndGreater,
        Self::IfPresentAndLess,
    ];

    fn holds(self, before: Option<Score>, score: Score) -> bool {
        match (self, before) {
            (Self::Always, _) | (Self::IfAbsent | Self::IfGreater | Self::IfLess, None) => true,
            (Self::IfPresent | Self::IfPresentAndGreater | Self::IfPresentAndLess, None) => false,
            (Self::IfAbsent, Some(_)) => false,
            (Self::IfPresent, Some(_)) => true,
            (Self::IfGreater | Self::IfPresentAndGreater, Some(before)) => score > before,
            (Self::IfLess | Self::IfPresentAndLess, Some(before)) => score < before,
        }
    }
}

impl SortedSetChange {
    pub(super) fn word(&self) -> KeyEvent {
        match self {
            Self::Add { .. } => KeyEvent::ZAdd,
            Self::Increment { .. } => KeyEvent::ZIncr,
            Self::Remove { .. } => KeyEvent::ZRem,
            Self::RemoveByScore { .. } => KeyEvent::ZRemRangeByScore,
            Self::RemoveByRank { .. } => KeyEvent::ZRemRangeByRank,
            Self::Pop { greatest: false, .. } => KeyEvent::ZPopMin,
            Self::Pop { greatest: true, .. } => KeyEvent::ZPopMax,
        }
    }

    /// Whether it may make a sorted set that was not there.
    pub(super) fn makes(&self) -> bool {
        matches!(self, Self::Add { .. } | Self::Increment { .. })
    }

    /// Whether it makes a sorted set no larger.
    pub(super) fn frees(&self) -> bool {
        !self.makes()
    }

    pub(super) fn texts(&self) -> Box<dyn Iterator<Item = &Arc<[u8]>> + '_> {
        match self {
            Self::Add { members, .. } => Box::new(members.iter().map(|(_, member)| member)),
            Self::Increment { member, .. } => Box::new(std::iter::once(member)),
            Self::Remove { members } => Box::new(members.iter()),
            Self::RemoveByScore { .. } | Self::RemoveByRank { .. } | Self::Pop { .. } => {
                Box::new(std::iter::empty())
            }
        }
    }
}
