//! Follow what openraft knows, start and stop the log's clock, and record tenure.

use std::sync::Arc;
use std::time::Duration;

use domain::{Cause, NodeId, Tenure};
use openraft::ServerState;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::Fatal;
use tokio::time::sleep;

use crate::limits::{RETRY_PAUSE, TRANSFER_TIMEOUT};
use crate::sequencer::{Sequencer, Verdict};
use crate::shared::{LastSigns, Leadership, Shared};
use crate::types::Raft;

/// The moments of the present attempt to lead, on the monotonic clock.
#[derive(Clone, Copy, Default)]
struct Attempt {
    signs: LastSigns,
    detected_ns: u64,
    elected_ns: u64,
}

/// One loop for the life of the node. It ends the process when Raft has stopped by itself.
pub(crate) async fn follow(shared: Arc<Shared>, raft: Raft, sequencer: Sequencer) {
    let mut metrics = raft.metrics();
    let mut applied = shared.applied.subscribe();
    let mut attempt = Attempt::default();
    let mut state_before = ServerState::Learner;
    loop {
        let (state, term, leader, running) = {
            // Held briefly: whoever holds this holds up the core of Raft.
            let seen = metrics.borrow_watched();
            (seen.state, seen.current_term, seen.current_leader, seen.running_state.clone())
        };
        match running {
            Ok(()) => {}
            // As it was asked to.
            Err(Fatal::Stopped) => return,
            Err(fatal) => return shared.crash(&format!("Raft has failed: {fatal}")),
        }
        let now_ns = shared.environment.clock.monotonic_ns();
        if state != state_before {
            match state {
                ServerState::Candidate => attempt.begin(shared.signs.get(), now_ns),
                ServerState::Leader => {
                    if state_before != ServerState::Candidate {
                        attempt.begin(shared.signs.get(), now_ns);
                    }
                    attempt.elected_ns = now_ns;
                }
                _ => {}
            }
            state_before = state;
        }
        let leads = state == ServerState::Leader && leader == Some(shared.node.0);
        let stamping = leads && keep_clock(&shared, &sequencer, term, attempt);
        if !leads {
            shared.clock.stop();
        }
        publish(&shared, Leadership { term, leader: leader.map(NodeId), stamping });
        tokio::select! {
            changed = metrics.changed() => if changed.is_err() {
                return;
            },
            _ = applied.changed(), if leads && !stamping => {}
        }
    }
}

fn publish(shared: &Shared, now: Leadership) {
    shared.leadership.send_if_modified(|seen| {
        if seen.leader != now.leader {
            shared.metrics.leader_changes.add(1);
            tracing::info!(node = %shared.node, term = now.term, leader = ?now.leader.map(|leader| leader.0), "leader");
        }
        std::mem::replace(seen, now) != now
    });
}

/// Starts the clock of this term once its first entry is applied, and records the tenure. True while it runs.
fn keep_clock(shared: &Arc<Shared>, sequencer: &Sequencer, term: u64, attempt: Attempt) -> bool {
    if shared.clock.stamp().is_some_and(|stamp| stamp.term == term) {
        return true;
    }
    // A leader's first entry of a term is its blank one, so one applied entry of the term means it was applied.
    if shared.applied.borrow().term != term {
        return false;
    }
    let (base, last) = {
        let state = shared.state.read();
        (state.now(), state.tenure().cloned())
    };
    shared.clock.start(term, base);
    let tenure = attempt.tenure(shared, term, last);
    tracing::info!(node = %shared.node, term, total_ms = tenure.active_ms, cause = ?tenure.cause, "took over");
    shared.environment.task("record of tenure", record(shared.clone(), sequencer.clone(), tenure));
    true
}

/// Proposes the record until it is in the log or this node's term is over.
async fn record(shared: Arc<Shared>, sequencer: Sequencer, tenure: Tenure) {
    let leads = || shared.clock.stamp().is_some_and(|stamp| stamp.term == tenure.term);
    while leads() {
        if let Ok(Verdict::Outcomes(_)) = sequencer.submit(vec![tenure.clone().into_command()]).await {
            return;
        }
        sleep(RETRY_PAUSE).await;
    }
}

impl Attempt {
    fn begin(&mut self, signs: LastSigns, now_ns: u64) {
        *self = Self { signs, detected_ns: now_ns, elected_ns: now_ns };
    }

    /// The record of tenure of a node that has no venues: it is active as soon as it has applied everything.
    fn tenure(&self, shared: &Shared, term: u64, last: Option<Tenure>) -> Tenure {
        let now_ns = shared.environment.clock.monotonic_ns();
        let LastSigns { leader, heard_ns, broken, handed_over_ns } = self.signs;
        let from_ns = if leader.is_some() { heard_ns } else { self.detected_ns };
        let since_ms = |ns: u64| Duration::from_nanos(ns.saturating_sub(from_ns)).as_millis() as u64;
        let handed_over = handed_over_ns.is_some_and(|asked_ns| {
            Duration::from_nanos(self.detected_ns.saturating_sub(asked_ns)) < TRANSFER_TIMEOUT
        });
        let drained = || shared.state.read().last_audit().is_some_and(|audit| audit.action == "drain");
        let cause = match leader {
            None => Cause::Start,
            Some(_) if handed_over && drained() => Cause::Drain,
            Some(_) if handed_over => Cause::Transfer,
            Some(_) if broken => Cause::Crash,
            Some(_) => Cause::Timeout,
        };
        let applied_ms = since_ms(now_ns);
        Tenure {
            term,
            node: shared.node,
            from: leader.or(last.map(|tenure| tenure.node)),
            cause,
            detected_ms: since_ms(self.detected_ns),
            elected_ms: since_ms(self.elected_ns),
            applied_ms,
            reconciled_ms: applied_ms,
            active_ms: applied_ms,
            wall_ms: shared.environment.clock.wall_ms(),
        }
    }
}
