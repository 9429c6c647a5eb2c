//! The leader's side of a proposal: stamp, batch, propose, hand back outcomes.
//!
//! Whatever waits when a place is free becomes one log entry, so the time of the entries under way is the
//! batching window and no timer is needed.

use std::collections::VecDeque;
use std::sync::Arc;

use domain::{Action, Command, NodeId, Outcome};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use openraft::errors::ClientWriteError;
use openraft::impls::ProgressResponder;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use crate::backlog::{Backlog, Next, Submission, size};
use crate::environment::BoxFuture;
use crate::limits::{
    BATCH_BYTES_MAX, BATCH_COMMANDS_MAX, ENTRIES_IN_FLIGHT_MAX, LEADER_WAIT, SUBMISSIONS_WAITING_BYTES_MAX,
    SUBMISSIONS_WAITING_MAX,
};
use crate::machine::stamped;
use crate::router::acquire;
use crate::shared::{Leadership, Shared};
use crate::types::{Batch, Raft, committed_leader};

/// What became of a submission at this node.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// One for each command, in order.
    Outcomes(Vec<Outcome>),
    /// Certainly not executed: this node does not lead.
    NotLeader(Option<NodeId>),
    /// Certainly not executed: there is too much of something.
    Overloaded(Full),
    /// Certainly not executed: this node's state is in doubt.
    OutOfService,
    /// Proposed, and what became of it cannot be said.
    Unknown,
}

/// What a leader has too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// Submissions, or their bytes.
    Waiting,
    /// Remembered outcomes: one more command could be run twice.
    Outcomes,
}

impl Full {
    pub(crate) fn what(self) -> &'static str {
        match self {
            Self::Waiting => "submissions waiting at the leader",
            Self::Outcomes => "outcomes that are remembered",
        }
    }
}

/// A handle to the sequencer of this node.
#[derive(Clone)]
pub(crate) struct Sequencer {
    queue: mpsc::Sender<Submission>,
    room_bytes: Arc<Semaphore>,
}

impl Sequencer {
    pub(crate) fn start(shared: Arc<Shared>, raft: Raft) -> Self {
        let (queue, waiting) = mpsc::channel(SUBMISSIONS_WAITING_MAX);
        let environment = shared.environment.clone();
        let under_way = FuturesUnordered::new();
        let run = Run { shared, raft, backlog: Backlog::new(waiting), under_way, outcomes_under_way: 0 };
        environment.task("sequencer", run.run());
        Self::new(queue)
    }

    fn new(queue: mpsc::Sender<Submission>) -> Self {
        Self { queue, room_bytes: Arc::new(Semaphore::new(SUBMISSIONS_WAITING_BYTES_MAX)) }
    }

    /// Submits commands to be proposed by this node, in the order of the calls. At most
    /// [`BATCH_COMMANDS_MAX`] and [`BATCH_BYTES_MAX`] at once.
    pub(crate) fn submit(&self, commands: Vec<Command>) -> oneshot::Receiver<Verdict> {
        let bytes = size(&commands);
        let fits = commands.len() <= BATCH_COMMANDS_MAX && bytes <= BATCH_BYTES_MAX;
        assert!(fits, "the caller splits what is larger than an entry");
        let (verdict, receiver) = oneshot::channel();
        // The receiver is just below in the stack, so it is there to be told.
        let Some(share) = acquire(&self.room_bytes, bytes) else {
            let _ = verdict.send(Verdict::Overloaded(Full::Waiting));
            return receiver;
        };
        match self.queue.try_send(Submission { commands, verdict, _share: Some(share) }) {
            Ok(()) => {}
            Err(TrySendError::Full(full)) => drop(full.verdict.send(Verdict::Overloaded(Full::Waiting))),
            // The node is stopping.
            Err(TrySendError::Closed(refused)) => drop(refused.verdict.send(Verdict::NotLeader(None))),
        }
        receiver
    }

    /// As [`Sequencer::submit`], for the leader's own commands, which nobody waits for.
    pub(crate) fn submit_own(&self, command: Command) {
        drop(self.submit(vec![command]));
    }
}

/// Ends with the number of outcomes that it may have made.
type Proposed = BoxFuture<'static, usize>;

struct Run {
    shared: Arc<Shared>,
    raft: Raft,
    backlog: Backlog,
    under_way: FuturesUnordered<Proposed>,
    /// To be remembered, of what is under way.
    outcomes_under_way: usize,
}

impl Run {
    async fn run(mut self) {
        let mut leadership = self.shared.leadership.subscribe();
        let mut moved = Instant::now();
        loop {
            let free = self.under_way.len() < ENTRIES_IN_FLIGHT_MAX;
            let stuck = !free && moved.elapsed() >= LEADER_WAIT;
            let next = tokio::select! {
                biased;
                Some(outcomes) = self.under_way.next() => {
                    self.outcomes_under_way -= outcomes;
                    moved = Instant::now();
                    continue;
                }
                next = self.backlog.next(), if free || stuck => next,
                () = sleep_until(moved + LEADER_WAIT), if !free && !stuck => continue,
            };
            let first = match next {
                Next::Submission(first) => Some(first),
                Next::Look => None,
                Next::Closed => return,
            };
            if stuck {
                // A leader that was cut off: what it has proposed hangs, what waits was certainly not proposed.
                self.backlog.refuse(first, || Verdict::NotLeader(None));
                continue;
            }
            if self.under_way.is_empty() {
                moved = Instant::now();
            }
            let seen = self.settled(&mut leadership).await;
            if !seen.stamping {
                self.backlog.refuse(first, || Verdict::NotLeader(seen.leader));
                continue;
            }
            if self.shared.out_of_service() {
                self.backlog.refuse(first, || Verdict::OutOfService);
                continue;
            }
            let looks = first.is_none();
            let gathered = self.backlog.gather(first, &self.shared.state.read(), self.outcomes_under_way);
            if !gathered.submissions.is_empty() {
                self.propose(gathered.submissions, gathered.outcomes).await;
            } else if looks && self.under_way.is_empty() {
                // The log forgets as it is told the time.
                self.propose(vec![Submission::own(Command::harmless(Action::Tick))], 0).await;
            }
        }
    }

    /// Elected, but its clock does not run yet: soon it does, or another leads.
    async fn settled(&mut self, leadership: &mut watch::Receiver<Leadership>) -> Leadership {
        let me = self.shared.node;
        loop {
            tokio::select! {
                Some(outcomes) = self.under_way.next() => self.outcomes_under_way -= outcomes,
                seen = leadership.wait_for(|seen| seen.stamping || seen.leader != Some(me)) => {
                    return *seen.expect("the sender is in `shared`");
                }
            }
        }
    }

    /// Proposes `submissions` as one entry, of which so many outcomes will be remembered.
    async fn propose(&mut self, submissions: Vec<Submission>, outcomes: usize) {
        let Some(stamp) = self.shared.clock.stamp() else {
            return refuse(submissions, None);
        };
        let wall_ms = self.shared.environment.clock.wall_ms();
        let mut commands: Vec<Command> = Vec::new();
        let mut parts: VecDeque<(usize, oneshot::Sender<Verdict>)> = VecDeque::new();
        for submission in submissions {
            parts.push_back((submission.commands.len(), submission.verdict));
            commands.extend(submission.commands);
        }
        for command in &mut commands {
            command.action.resolve_wall_clock(wall_ms);
        }
        let metrics = self.shared.metrics.clone();
        metrics.entries_proposed.add(1);
        metrics.commands_proposed.add(commands.len() as u64);
        let entry = Batch(stamped(stamp.term, stamp.time, commands));
        assert!(
            entry.0.len() <= 2 * BATCH_BYTES_MAX,
            "an entry of {} bytes: the log would refuse it",
            entry.0.len()
        );
        let (responder, completed) = ProgressResponder::complete_only();
        // On the condition of the stamp's term: the stopwatch of one term says nothing in another.
        let write = self.raft.write(entry).with_leader(committed_leader(stamp.term)).responder(responder);
        if let Err(fatal) = write.await {
            tracing::error!(%fatal, "Raft does not take proposals any more");
            return unknown(parts);
        }
        self.outcomes_under_way += outcomes;
        self.under_way.push(Box::pin(async move {
            match completed.await {
                Ok(Ok(written)) => {
                    let asked: usize = parts.iter().map(|(commands, _)| commands).sum();
                    assert_eq!(written.data.len(), asked, "one outcome for each command");
                    let mut outcomes = written.data.into_iter();
                    for (commands, verdict) in parts {
                        let _ = verdict.send(Verdict::Outcomes(outcomes.by_ref().take(commands).collect()));
                    }
                }
                Ok(Err(ClientWriteError::ForwardToLeader(forward))) => {
                    for (_, verdict) in parts {
                        let _ = verdict.send(Verdict::NotLeader(forward.leader_id.map(NodeId)));
                    }
                }
                // Discarded by a successor, or dropped with a dying core: whoever asks again under the same id
                // gets what really happened.
                Ok(Err(_)) | Err(_) => unknown(parts),
            }
            outcomes
        }));
    }
}

fn refuse(batch: Vec<Submission>, leader: Option<NodeId>) {
    for submission in batch {
        let _ = submission.verdict.send(Verdict::NotLeader(leader));
    }
}

fn unknown(parts: VecDeque<(usize, oneshot::Sender<Verdict>)>) {
    for (_, verdict) in parts {
        let _ = verdict.send(Verdict::Unknown);
    }
}

#[cfg(test)]
mod tests {
    use domain::Key;

    use super::*;

    fn take(bytes: usize) -> Command {
        Command::harmless(Action::Take { key: Key::new(0, vec![0; bytes]) })
    }

    #[test]
    fn what_waits_at_a_leader_is_bounded_in_number_and_in_bytes() {
        for (commands, most) in [
            (vec![take(1)], SUBMISSIONS_WAITING_MAX),
            (vec![take(65_536); 15], SUBMISSIONS_WAITING_BYTES_MAX / (15 * 65_600)),
        ] {
            let (queue, mut waiting) = mpsc::channel(SUBMISSIONS_WAITING_MAX);
            let sequencer = Sequencer::new(queue);
            let fill =
                || (0..).take_while(|_| sequencer.submit(commands.clone()).try_recv().is_err()).count();
            assert_eq!(fill(), most);
            let refused = sequencer.submit(commands.clone()).try_recv();
            assert!(matches!(refused, Ok(Verdict::Overloaded(Full::Waiting))), "{refused:?}");
            drop(waiting.try_recv().expect("it waits"));
            assert_eq!(fill(), 1, "what was proposed gives its room back");
        }
    }
}
