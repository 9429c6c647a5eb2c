//! What a sorted set orders its members by.

use std::cmp::Ordering;

use crate::Refusal;

/// A number of IEEE 754 in 64 bits that is not NaN.
///
/// Such numbers are added and compared alike on every processor; only how they are printed and read is anybody's choice, and
/// left to the edges. There is one zero, so that scores are equal where their bits are.
#[derive(Clone, Copy, Debug)]
pub struct Score(f64);

impl Score {
    /// `None`: it is not a number.
    pub fn new(number: f64) -> Option<Self> {
        // Of minus zero that makes zero.
        (!number.is_nan()).then_some(Self(number + 0.0))
    }

    pub fn get(self) -> f64 {
        self.0
    }

    /// Of infinity and its opposite there is no sum.
    pub(super) fn plus(self, by: Self) -> Result<Self, Refusal> {
        Self::new(self.0 + by.0).ok_or(Refusal::NotANumber)
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.partial_cmp(&other.0).expect("none of them is NaN")
    }
}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Score {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Score {}
