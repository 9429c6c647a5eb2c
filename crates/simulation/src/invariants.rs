//! What holds at every moment, whatever goes wrong: looked at between two steps, over all nodes at once.

use std::collections::BTreeMap;

use consensus::{Replica, Role};
use domain::{Digest, LogTime, NodeId};

use crate::world::Place;

/// Digests are remembered for so many serials.
const DIGESTS_MAX: usize = 4096;

#[derive(Default)]
pub(crate) struct Invariants {
    leaders: BTreeMap<u64, Place>,
    digests: BTreeMap<u64, (Place, Digest)>,
    /// Of each node, over all its lives.
    terms: BTreeMap<Place, u64>,
    /// Of each node, the last committed entry that a leader knows to be durable on it.
    promised: BTreeMap<NodeId, u64>,
    /// Of each node, in its present life.
    lives: BTreeMap<Place, Seen>,
    /// Comparisons made of two nodes at one serial.
    pub(crate) compared: u64,
    pub(crate) violations: Vec<String>,
}

#[derive(Clone, Copy, Default)]
struct Seen {
    committed: u64,
    applied: u64,
    purged: u64,
    now: LogTime,
    serial: u64,
}

impl Invariants {
    /// A life has ended: what it had not made durable may be gone.
    pub(crate) fn forget(&mut self, node: Place) {
        self.lives.remove(&node);
    }

    pub(crate) fn look(&mut self, node: Place, replica: &Replica) {
        let status = replica.status();
        let state = replica.local();
        let (now, serial) = (state.now(), state.serial().0);
        let last = self.lives.get(&node).copied();
        let seen =
            Seen { committed: status.committed, applied: status.applied, purged: status.purged, now, serial };
        let state_of = |seen: &Seen| (seen.applied, seen.now, seen.serial);
        // A state that nothing was applied to was compared at the look before.
        let digest = (last.as_ref().map(state_of) != Some(state_of(&seen))).then(|| state.digest());
        drop(state);
        let before = last.unwrap_or_default();
        for (what, before, seen) in [
            ("the commit index", before.committed, seen.committed),
            ("the applied index", before.applied, seen.applied),
            ("the purged index", before.purged, seen.purged),
            ("log time", before.now.as_ns(), seen.now.as_ns()),
            ("the serial", before.serial, seen.serial),
        ] {
            if seen < before {
                self.report(format!("{what} of node {node} went back from {before} to {seen}"));
            }
        }
        self.lives.insert(node, seen);
        let term = self.terms.entry(node).or_default();
        let before = std::mem::replace(term, status.term.max(*term));
        if status.term < before {
            self.report(format!("the term of node {node} went back from {before} to {}", status.term));
        }
        for (node, matching) in status.replication.iter().flatten() {
            let promised = self.promised.entry(*node).or_default();
            *promised = matching.unwrap_or(0).min(status.committed).max(*promised);
        }
        let holds = status.last_log.max(status.snapshot);
        if let Some(promised) = self.promised.get_mut(&status.node).filter(|promised| **promised > holds) {
            let promised = std::mem::replace(promised, holds);
            self.report(format!(
                "node {node} has lost entries up to {promised} after {holds}, all durable on it"
            ));
        }
        if status.role == Role::Leader {
            let leader = *self.leaders.entry(status.term).or_insert(node);
            if leader != node {
                self.report(format!("nodes {leader} and {node} both lead in term {}", status.term));
            }
        }
        if status.purged > status.applied {
            let (purged, applied) = (status.purged, status.applied);
            self.report(format!("node {node} has purged up to {purged} and applied no more than {applied}"));
        }
        if let Some(digest) = digest {
            self.compare(node, serial, digest);
        }
    }

    /// The serial names a state: entries that change nothing take none.
    fn compare(&mut self, node: Place, serial: u64, digest: Digest) {
        match self.digests.get(&serial) {
            Some((other, theirs)) if *theirs != digest => {
                self.report(format!(
                    "nodes {other} and {node} differ at serial {serial}: {theirs} and {digest}"
                ));
            }
            Some((other, _)) => self.compared += u64::from(*other != node),
            None => drop(self.digests.insert(serial, (node, digest))),
        }
        while self.digests.len() > DIGESTS_MAX {
            self.digests.pop_first();
        }
    }

    fn report(&mut self, what: String) {
        tracing::error!(what, "violated");
        self.violations.push(what);
    }
}
