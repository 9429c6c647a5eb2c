//! Joins: what two pieces of evidence say together. Each of these is commutative, associative and idempotent, and tells whether
//! anything is new to the first.

use std::collections::BTreeSet;

/// True as soon as one says so.
pub(super) fn either(mine: &mut bool, other: bool) -> bool {
    let changed = other && !*mine;
    *mine |= other;
    changed
}

/// The greater; nothing is less than anything.
pub(super) fn greatest<T: Ord + Clone>(mine: &mut Option<T>, other: &Option<T>) -> bool {
    let changed = *other > *mine;
    if changed {
        mine.clone_from(other);
    }
    changed
}

/// The lesser of what was said; nothing is greater than anything.
pub(super) fn least<T: Ord + Clone>(mine: &mut Option<T>, other: &Option<T>) -> bool {
    let changed = other.is_some() && (mine.is_none() || *other < *mine);
    if changed {
        mine.clone_from(other);
    }
    changed
}

/// All members of both, of which the `max` least are kept.
pub(super) fn union<T: Ord + Clone>(mine: &mut BTreeSet<T>, other: &BTreeSet<T>, max: usize) -> bool {
    let mut changed = false;
    for member in other {
        let is_full = mine.len() == max;
        if mine.contains(member) || is_full && mine.last().is_some_and(|last| last < member) {
            continue;
        }
        mine.insert(member.clone());
        if is_full {
            mine.pop_last();
        }
        changed = true;
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_already_changes_nothing() {
        let (mut no, mut low, mut high) = (false, Some(5), Some(5));
        assert!(either(&mut no, true) && !either(&mut no, true) && !either(&mut no, false));
        assert!(least(&mut low, &Some(4)) && !least(&mut low, &Some(4)) && !least(&mut low, &None));
        assert!(
            greatest(&mut high, &Some(6)) && !greatest(&mut high, &None) && !greatest(&mut high, &Some(5))
        );
        assert_eq!((no, low, high), (true, Some(4), Some(6)));
    }

    #[test]
    fn the_least_are_kept_whatever_came_first() {
        let all = [3, 1, 2, 5, 4];
        let mut forth = BTreeSet::new();
        let mut back = BTreeSet::new();
        for number in all {
            union(&mut forth, &BTreeSet::from([number]), 3);
        }
        for number in all.into_iter().rev() {
            union(&mut back, &BTreeSet::from([number]), 3);
        }
        assert_eq!(forth, BTreeSet::from([1, 2, 3]));
        assert_eq!(forth, back);
        assert!(!union(&mut forth, &BTreeSet::from(all), 3));
    }
}
