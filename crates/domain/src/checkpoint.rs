//! Do the nodes still agree? Each computes its digest at the same place of the log and says so in the log.

use std::collections::BTreeMap;

use crate::digest::Feed;
use crate::{Members, NodeId};

/// The latest place at which digests are compared, and what the nodes reported for it. The digest is that of
/// the state just before the checkpoint was applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log index of the checkpoint; 0 before the first.
    pub index: u64,
    pub reports: BTreeMap<NodeId, u128>,
}

/// What the reports of one checkpoint say about one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integrity {
    /// No two reports differ.
    Whole,
    /// Reports differ, and a majority of the voters agrees with this node.
    Majority,
    /// Reports differ, and a majority of the voters agrees on something else: this node is wrong.
    Minority,
    /// Reports differ and no majority has agreed yet: nothing is authorised.
    Undecided,
}

impl Checkpoint {
    /// A report for another checkpoint than the latest says nothing any more.
    pub(crate) fn report(&mut self, node: NodeId, index: u64, digest: u128, members: &Members) -> bool {
        let due = index == self.index && (members.voters.contains(&node) || members.learners.contains(&node));
        due && self.reports.insert(node, digest) != Some(digest)
    }

    /// Reports differ, and no majority has agreed yet.
    pub(crate) fn is_undecided(&self, members: &Members) -> bool {
        let mut reports = self.reports.values();
        let first = reports.next();
        let differ = reports.any(|digest| Some(digest) != first);
        differ && self.reports.keys().all(|node| self.integrity(*node, members) == Integrity::Undecided)
    }

    pub(crate) fn integrity(&self, node: NodeId, members: &Members) -> Integrity {
        let mut votes: BTreeMap<u128, usize> = BTreeMap::new();
        for digest in self.reports.values() {
            votes.entry(*digest).or_default();
        }
        if votes.len() <= 1 {
            return Integrity::Whole;
        }
        for voter in &members.voters {
            if let Some(digest) = self.reports.get(voter) {
                *votes.entry(*digest).or_default() += 1;
            }
        }
        let majority = votes.into_iter().find(|(_, count)| *count > members.voters.len() / 2);
        match (majority, self.reports.get(&node)) {
            (Some((agreed, _)), Some(own)) if agreed == *own => Integrity::Majority,
            (Some(_), Some(_)) => Integrity::Minority,
            _ => Integrity::Undecided,
        }
    }

    pub(crate) fn feed(&self, feed: &mut Feed) {
        feed.u64(self.index).u64(self.reports.len() as u64);
        for (node, digest) in &self.reports {
            feed.u64(node.0).u128(*digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_judged_by_the_majority_of_the_voters() {
        let mut members = Members::default();
        members.set(vec![NodeId(1), NodeId(2), NodeId(3)], vec![]);
        let mut checkpoint = Checkpoint { index: 7, ..Checkpoint::default() };
        assert!(checkpoint.report(NodeId(1), 7, 10, &members));
        assert!(!checkpoint.report(NodeId(2), 6, 10, &members), "another checkpoint");
        assert!(!checkpoint.report(NodeId(9), 7, 10, &members), "a stranger");
        assert_eq!(checkpoint.integrity(NodeId(1), &members), Integrity::Whole);
        assert!(checkpoint.report(NodeId(2), 7, 11, &members));
        assert_eq!(checkpoint.integrity(NodeId(1), &members), Integrity::Undecided);
        assert!(checkpoint.is_undecided(&members));
        assert!(checkpoint.report(NodeId(3), 7, 11, &members));
        assert_eq!(checkpoint.integrity(NodeId(1), &members), Integrity::Minority);
        assert_eq!(checkpoint.integrity(NodeId(2), &members), Integrity::Majority);
    }
}
