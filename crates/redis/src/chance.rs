//! Drawing by chance from a seed that the node gives. What is drawn is part of what is proposed, or of a reply; the log
//! never draws.

/// SplitMix64.
#[derive(Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u32) -> Self {
        Self(seed.into())
    }

    /// Below `end`, which is not 0; each as likely as any other, but for one part in 2^64 / `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(mixed ^ (mixed >> 31)) * end as u128) >> 64) as usize
    }

    /// So many of the first `end` numbers, or all if there are no more, each at most once and in their order.
    pub(crate) fn some(&mut self, many: usize, end: usize) -> Vec<usize> {
        let mut drawn = Vec::with_capacity(many.min(end));
        for number in 0..end {
            let missing = many.saturating_sub(drawn.len());
            if self.below(end - number) < missing {
                drawn.push(number);
            }
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_drawn_as_often_as_any_other() {
        let mut chance = Chance::new(7);
        let (mut one, mut three) = ([0; 10], [0; 10]);
        for _ in 0..10_000 {
            one[chance.below(10)] += 1;
            let some = chance.some(3, 10);
            assert!(some.len() == 3 && some.is_sorted_by(|a, b| a < b), "{some:?}");
            some.iter().for_each(|number| three[*number] += 1);
        }
        assert!(one.iter().all(|times| (850..1150).contains(times)), "{one:?}");
        assert!(three.iter().all(|times| (2700..3300).contains(times)), "{three:?}");
        assert_eq!(chance.some(5, 3), [0, 1, 2]);
        assert!(chance.some(0, 3).is_empty());
    }
}
