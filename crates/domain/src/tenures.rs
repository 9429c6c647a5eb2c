//! The record of tenure: who was elected, why, and how long each phase of taking over took.

use std::collections::VecDeque;

use crate::NodeId;
use crate::changes::Touched;
use crate::digest::Feed;
use crate::limits::TENURES_MAX;

/// One change of leadership, recorded by the node that took over once it could act. Offsets count from the last
/// sign of the old leader, as the new one saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenure {
    pub term: u64,
    pub node: NodeId,
    /// The leader before; `None` at the start of the cluster.
    pub from: Option<NodeId>,
    pub cause: Cause,
    /// The old leader was missed.
    pub detected_ms: u64,
    /// A majority voted.
    pub elected_ms: u64,
    /// Everything committed before was applied.
    pub applied_ms: u64,
    /// Every duty of taking over was done.
    pub reconciled_ms: u64,
    /// This record was proposed.
    pub active_ms: u64,
    /// Wall time of the record, milliseconds since 1970; for people only.
    pub wall_ms: i64,
}

/// Why leadership changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The cluster's first leader, or the first after all nodes were down.
    Start,
    /// The connection to the old leader broke.
    Crash,
    /// The old leader was silent.
    Timeout,
    /// An operator handed leadership over.
    Transfer,
    /// The old leader was emptied for a planned stop.
    Drain,
}

/// The last [`TENURES_MAX`] tenures, oldest first. Terms only grow: a record of a term already recorded or passed
/// is ignored, so a repeated command is harmless.
#[derive(Clone, Debug, Default)]
pub struct Tenures {
    rows: VecDeque<Tenure>,
    pub(crate) touched: Touched<u64>,
}

impl Tenures {
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Tenure> {
        self.rows.iter()
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(crate) fn get(&self, term: u64) -> Option<&Tenure> {
        self.rows.binary_search_by_key(&term, |tenure| tenure.term).ok().map(|at| &self.rows[at])
    }

    /// The present tenure: the node in it is active if its term is still the cluster's.
    pub fn last(&self) -> Option<&Tenure> {
        self.rows.back()
    }

    /// Whether the record was new.
    pub(crate) fn record(&mut self, tenure: Tenure) -> bool {
        if self.last().is_some_and(|last| tenure.term <= last.term) {
            return false;
        }
        if self.rows.len() == TENURES_MAX
            && let Some(oldest) = self.rows.pop_front()
        {
            self.touched.note(&oldest.term);
        }
        self.touched.note(&tenure.term);
        self.rows.push_back(tenure);
        true
    }

    pub(crate) fn feed(&self, feed: &mut Feed) {
        feed.u64(self.rows.len() as u64);
        for tenure in &self.rows {
            let Tenure { term, node, from, cause, wall_ms, .. } = tenure;
            feed.u64(*term).u64(node.0).option(from.map(|node| node.0)).u64(*cause as u64);
            feed.u64(tenure.detected_ms).u64(tenure.elected_ms).u64(tenure.applied_ms);
            feed.u64(tenure.reconciled_ms).u64(tenure.active_ms).i64(*wall_ms);
        }
    }
}

impl FromIterator<Tenure> for Tenures {
    fn from_iter<I: IntoIterator<Item = Tenure>>(tenures: I) -> Self {
        Self { rows: tenures.into_iter().take(TENURES_MAX).collect(), touched: Touched::default() }
    }
}
