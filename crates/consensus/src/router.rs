//! The entry node's side of a proposal: find the leader, send, send again, and say what became of it.
//!
//! Every command carries an id, so the same command may be sent to one leader after another: it runs once. When
//! the leader changes, everything without an answer goes to the new one at once and in its old order, without
//! waiting for the old connection to break.
//!
//! What may be said: *not executed* only if no sending is without a certain refusal; otherwise the outcome, or
//! *unknown*.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::{Answer, Command, Outcome, Refusal, RequestId};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use planted::Bug;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::ProposeError;
use crate::backlog::size;
use crate::environment::BoxFuture;
use crate::limits::{
    BATCH_BYTES_MAX, BATCH_COMMANDS_MAX, COMMANDS_WAITING_BYTES_MAX, COMMANDS_WAITING_MAX, LEADER_WAIT,
    OUTCOME_WAIT, RETRY_PAUSE, SUBMISSIONS_WAITING_MAX,
};
use crate::link::Links;
use crate::sequencer::{Full, Sequencer, Verdict};
use crate::shared::{Leadership, Shared};

pub(crate) type Results = Vec<Result<Outcome, ProposeError>>;

struct Entering {
    commands: Vec<Command>,
    results: oneshot::Sender<Results>,
    share: Share,
}

/// Of the commands and bytes that may wait; given back when it is dropped.
struct Share {
    _commands: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

#[derive(Clone)]
pub(crate) struct Router {
    queue: mpsc::Sender<Entering>,
    room: Arc<Semaphore>,
    room_bytes: Arc<Semaphore>,
}

impl Router {
    pub(crate) fn start(shared: Arc<Shared>, sequencer: Sequencer) -> Self {
        let (queue, entering) = mpsc::channel(SUBMISSIONS_WAITING_MAX);
        let run = Run {
            links: Links::new(shared.clone()),
            shared: shared.clone(),
            sequencer,
            pending: BTreeMap::new(),
            next: 0,
            verdicts: FuturesUnordered::new(),
        };
        shared.environment.task("router", run.run(entering));
        Self::new(queue)
    }

    fn new(queue: mpsc::Sender<Entering>) -> Self {
        let room = Arc::new(Semaphore::new(COMMANDS_WAITING_MAX));
        let room_bytes = Arc::new(Semaphore::new(COMMANDS_WAITING_BYTES_MAX));
        Self { queue, room, room_bytes }
    }

    /// Sends commands to whoever leads, in this order, and returns what became of each.
    pub(crate) async fn send(&self, commands: Vec<Command>) -> Results {
        let count = commands.len();
        let overloaded = |what| vec![Err(ProposeError::Overloaded(what)); count];
        let Some(in_number) = acquire(&self.room, count) else {
            return overloaded("commands without an answer at this node");
        };
        let Some(in_bytes) = acquire(&self.room_bytes, size(&commands)) else {
            return overloaded("bytes of commands without an answer at this node");
        };
        let share = Share { _commands: in_number, _bytes: in_bytes };
        let (results, receiver) = oneshot::channel();
        if self.queue.try_send(Entering { commands, results, share }).is_err() {
            return overloaded("requests waiting to be sent at this node");
        }
        receiver.await.unwrap_or_else(|_| vec![Err(ProposeError::Unknown); count])
    }

    /// Commands that entered here and have no answer yet.
    pub(crate) fn waiting(&self) -> usize {
        COMMANDS_WAITING_MAX - self.room.available_permits()
    }
}

/// So many of the permits, if they are free now.
pub(crate) fn acquire(room: &Arc<Semaphore>, permits: usize) -> Option<OwnedSemaphorePermit> {
    room.clone().try_acquire_many_owned(u32::try_from(permits).unwrap_or(u32::MAX)).ok()
}

/// Some submissions sent as one, because they waited together.
struct Pending {
    commands: Vec<Command>,
    parts: Vec<Part>,
    entered: Instant,
    /// The leadership it was last sent under; `None`: it waits to be sent.
    sent: Option<Leadership>,
    /// Sendings that were not certainly refused. Above zero, it may have been executed.
    open: u32,
}

struct Part {
    count: usize,
    results: oneshot::Sender<Results>,
    _share: Share,
}

struct Run {
    shared: Arc<Shared>,
    sequencer: Sequencer,
    links: Links,
    /// In the order of entering, which is the order of every sending.
    pending: BTreeMap<u64, Pending>,
    next: u64,
    verdicts: FuturesUnordered<BoxFuture<'static, (u64, Leadership, Verdict)>>,
}

impl Run {
    async fn run(mut self, mut entering: mpsc::Receiver<Entering>) {
        let mut leadership = self.shared.leadership.subscribe();
        let mut again = interval(RETRY_PAUSE);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                changed = leadership.changed() => {
                    changed.expect("the sender is in `shared`");
                    let now = *leadership.borrow_and_update();
                    self.send_all(now);
                }
                Some((id, under, verdict)) = self.verdicts.next() => self.judge(id, under, verdict),
                first = entering.recv() => match first {
                    Some(first) => self.enter(first, &mut entering),
                    None => return,
                },
                _ = again.tick(), if !self.pending.is_empty() => {
                    self.give_up();
                    let now = *leadership.borrow();
                    self.send_all(now);
                }
            }
        }
    }

    /// `first` and what waits behind it become one sending.
    fn enter(&mut self, first: Entering, entering: &mut mpsc::Receiver<Entering>) {
        let mut next = Some(first);
        while let Some(first) = next.take() {
            let mut commands = first.commands;
            let mut bytes = size(&commands);
            let mut parts = vec![Part { count: commands.len(), results: first.results, _share: first.share }];
            while let Ok(more) = entering.try_recv() {
                bytes += size(&more.commands);
                if commands.len() + more.commands.len() > BATCH_COMMANDS_MAX || bytes > BATCH_BYTES_MAX {
                    next = Some(more);
                    break;
                }
                parts.push(Part { count: more.commands.len(), results: more.results, _share: more.share });
                commands.extend(more.commands);
            }
            let id = self.next;
            self.next += 1;
            let pending = Pending { commands, parts, entered: Instant::now(), sent: None, open: 0 };
            self.pending.insert(id, pending);
            let now = *self.shared.leadership.borrow();
            self.send(id, now);
        }
    }

    /// Sends everything that was not yet sent under this leadership.
    fn send_all(&mut self, now: Leadership) {
        let due = |pending: &Pending| {
            pending.sent.is_none_or(|sent| (sent.term, sent.leader) != (now.term, now.leader))
        };
        let due: Vec<u64> =
            self.pending.iter().filter(|(_, pending)| due(pending)).map(|(id, _)| *id).collect();
        for id in due {
            self.send(id, now);
        }
    }

    fn send(&mut self, id: u64, now: Leadership) {
        let Some(leader) = now.leader else { return };
        let Some(pending) = self.pending.get_mut(&id) else { return };
        if pending.open > 0 {
            self.shared.metrics.proposals_resent.add(1);
            if planted::is(Bug::ForwardedUnderNewId) {
                rename(&mut pending.commands, &self.shared);
            }
        }
        pending.sent = Some(now);
        pending.open += 1;
        let commands = pending.commands.clone();
        let verdict = if leader == self.shared.node {
            self.sequencer.submit(commands)
        } else {
            self.links.send(leader, commands)
        };
        self.verdicts.push(Box::pin(async move { (id, now, verdict.await.unwrap_or(Verdict::Unknown)) }));
    }

    fn judge(&mut self, id: u64, under: Leadership, verdict: Verdict) {
        let Some(pending) = self.pending.get_mut(&id) else { return };
        let latest = pending.sent.is_some_and(|sent| (sent.term, sent.leader) == (under.term, under.leader));
        match verdict {
            Verdict::Outcomes(outcomes) if stale(&outcomes) => {
                // The whole entry was stamped in another term: nothing in it ran.
                pending.open -= 1;
                if latest {
                    pending.sent = None;
                }
            }
            Verdict::Outcomes(outcomes) if outcomes.len() != pending.commands.len() => {
                tracing::error!(leader = ?under.leader, "a leader answered another number of commands than it was sent");
                if latest {
                    pending.sent = None;
                }
            }
            Verdict::Outcomes(outcomes) => {
                let certain = pending.open == 1;
                self.finish(id, outcomes.into_iter().map(|outcome| told(outcome, certain)).collect());
            }
            Verdict::NotLeader(_) => {
                pending.open -= 1;
                // Sent again after a pause, or as soon as another leader is known.
                if latest {
                    pending.sent = None;
                }
            }
            Verdict::Overloaded(_) | Verdict::OutOfService => {
                pending.open -= 1;
                if pending.open == 0 {
                    let error = match verdict {
                        Verdict::Overloaded(full) => ProposeError::Overloaded(full.what()),
                        _ => ProposeError::OutOfService,
                    };
                    let results = vec![Err(error); pending.commands.len()];
                    self.finish(id, results);
                } else if latest {
                    pending.sent = None;
                }
            }
            Verdict::Unknown => {
                pending.open -= u32::from(planted::is(Bug::UnknownToldAsRefused));
                if latest {
                    pending.sent = None;
                }
            }
        }
    }

    /// Answers what has waited too long.
    fn give_up(&mut self) {
        let now = Instant::now();
        let late = |pending: &Pending| {
            let limit = if pending.open == 0 { LEADER_WAIT } else { OUTCOME_WAIT };
            now.duration_since(pending.entered) > limit
        };
        let late: Vec<u64> =
            self.pending.iter().filter(|(_, pending)| late(pending)).map(|(id, _)| *id).collect();
        for id in late {
            let pending = &self.pending[&id];
            let error = if pending.open == 0 { ProposeError::NoQuorum } else { ProposeError::Unknown };
            let results = vec![Err(error); pending.commands.len()];
            self.finish(id, results);
        }
    }

    fn finish(&mut self, id: u64, results: Results) {
        let pending = self.pending.remove(&id).expect("it is being answered");
        assert_eq!(results.len(), pending.commands.len(), "one result for each command");
        let metrics = &self.shared.metrics;
        for result in &results {
            match result {
                Ok(_) => metrics.proposals_executed.add(1),
                Err(ProposeError::Unknown) => metrics.proposals_unknown.add(1),
                Err(_) => metrics.proposals_refused.add(1),
            }
        }
        let mut results = results.into_iter();
        for part in pending.parts {
            // Whoever asked may be gone; the command is in the log all the same.
            let _ = part.results.send(results.by_ref().take(part.count).collect());
        }
    }
}

/// Of [`Bug::ForwardedUnderNewId`].
fn rename(commands: &mut [Command], shared: &Shared) {
    for once in commands.iter_mut().filter_map(|command| command.once.as_mut()) {
        once.id = RequestId::Node { incarnation: shared.life, sequence: shared.environment.random.u64() };
    }
}

fn stale(outcomes: &[Outcome]) -> bool {
    outcomes.iter().any(|outcome| outcome.answer == Answer::Refused(Refusal::StaleStamp))
}

/// What an outcome says to whoever asked. `certain`: this was the only sending.
fn told(outcome: Outcome, certain: bool) -> Result<Outcome, ProposeError> {
    match outcome.answer {
        // Refused for its age. An earlier sending may have run and been forgotten since.
        Answer::Refused(Refusal::Late) if certain => Err(ProposeError::NoQuorum),
        Answer::Refused(Refusal::Late) => Err(ProposeError::Unknown),
        Answer::Refused(Refusal::Overload) if certain => Err(ProposeError::Overloaded(Full::Outcomes.what())),
        Answer::Refused(Refusal::Overload) => Err(ProposeError::Unknown),
        _ => Ok(outcome),
    }
}

#[cfg(test)]
mod tests {
    use domain::{Action, Key};
    use futures_util::FutureExt;

    use super::*;

    fn commands(count: usize, bytes: usize) -> Vec<Command> {
        let take = Action::Take { key: Key::new(0, vec![0; bytes]) };
        vec![Command::harmless(take); count]
    }

    /// Sends the same until it is refused: how many were taken before, and what the refusal says.
    fn fill(router: &Router, commands: &[Command]) -> (usize, &'static str) {
        for taken in 0.. {
            // Polled once, it has entered or been refused.
            match router.send(commands.to_vec()).now_or_never().map(|results| results[0].clone()) {
                None => {}
                Some(Err(ProposeError::Overloaded(what))) => return (taken, what),
                Some(other) => panic!("{other:?}"),
            }
        }
        unreachable!("there is a limit")
    }

    #[test]
    fn what_waits_at_a_node_is_bounded_in_number_and_in_bytes() {
        for (count, bytes, most, what) in [
            (2048, 1, COMMANDS_WAITING_MAX / 2048, "commands without an answer at this node"),
            (
                15,
                65_536,
                COMMANDS_WAITING_BYTES_MAX / (15 * 65_600),
                "bytes of commands without an answer at this node",
            ),
            (1, 1, SUBMISSIONS_WAITING_MAX, "requests waiting to be sent at this node"),
        ] {
            let (queue, mut entering) = mpsc::channel(SUBMISSIONS_WAITING_MAX);
            let router = Router::new(queue);
            let commands = commands(count, bytes);
            assert_eq!(fill(&router, &commands), (most, what));
            assert_eq!(router.waiting(), most * count, "what was refused takes no room");
            drop(entering.try_recv().expect("it waits"));
            assert_eq!(fill(&router, &commands), (1, what), "what was answered gives its room back");
        }
    }
}
