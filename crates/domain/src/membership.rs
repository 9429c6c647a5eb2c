//! Who belongs to the group, as the log says, and which ids were ever given away.

use std::collections::BTreeSet;

use crate::NodeId;
use crate::digest::Feed;

/// The members of the latest membership entry applied, and the ids that were reserved since.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    pub voters: BTreeSet<NodeId>,
    pub learners: BTreeSet<NodeId>,
    /// Every id that was ever a member or reserved. None is used again: a node that comes back empty under an
    /// old id would have forgotten the votes that it gave.
    pub known: BTreeSet<NodeId>,
}

impl Members {
    pub(crate) fn set(&mut self, voters: Vec<NodeId>, learners: Vec<NodeId>) {
        self.voters = voters.into_iter().collect();
        self.learners = learners.into_iter().collect();
        self.known.extend(self.voters.iter().chain(&self.learners));
    }

    pub(crate) fn feed(&self, feed: &mut Feed) {
        for set in [&self.voters, &self.learners, &self.known] {
            feed.u64(set.len() as u64);
            for node in set {
                feed.u64(node.0);
            }
        }
    }
}
