//! Who belongs to the group, as the log says, and which ids were ever given away.

use std::collections::BTreeSet;

use crate::digest::Feed;
use crate::{NodeId, Serial};

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

    /// An id that nobody ever had: the serial, or the next free number after it, since founders are numbered from
    /// 1 and the first serials of a cluster meet their numbers.
    pub(crate) fn reserve(&mut self, serial: Serial) -> NodeId {
        let mut node = NodeId(serial.0);
        while !self.known.insert(node) {
            node.0 += 1;
        }
        node
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
