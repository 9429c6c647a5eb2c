//! What waits at the leader to be proposed.
//!
//! Invariants:
//! * Among those that need room to be remembered nobody passes another, but for what stops trading.
//! * What needs no room waits for nobody: the leader's own commands, and what ran before and is only told again.

use std::collections::VecDeque;

use domain::{Command, State};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::limits::{BATCH_BYTES_MAX, BATCH_COMMANDS_MAX, ROOM_LOOK, ROOM_WAIT};
use crate::sequencer::{Full, Verdict};

/// Commands that are proposed together.
pub(crate) struct Submission {
    pub(crate) commands: Vec<Command>,
    pub(crate) verdict: oneshot::Sender<Verdict>,
    /// Of the bytes that may wait, if it waited; given back when it is dropped.
    pub(crate) _share: Option<OwnedSemaphorePermit>,
}

impl Submission {
    /// One that nobody waits for.
    pub(crate) fn own(command: Command) -> Self {
        Self { commands: vec![command], verdict: oneshot::channel().0, _share: None }
    }
}

/// What becomes one entry.
#[derive(Default)]
pub(crate) struct Gathered {
    pub(crate) submissions: Vec<Submission>,
    /// To be remembered.
    pub(crate) outcomes: usize,
    commands: usize,
    bytes: usize,
}

impl Gathered {
    fn fits(&self, submission: &Submission) -> bool {
        self.commands + submission.commands.len() <= BATCH_COMMANDS_MAX
            && self.bytes + size(&submission.commands) <= BATCH_BYTES_MAX
    }

    fn push(&mut self, submission: Submission, outcomes: usize) {
        self.commands += submission.commands.len();
        self.bytes += size(&submission.commands);
        self.outcomes += outcomes;
        self.submissions.push(submission);
    }
}

/// What comes next.
pub(crate) enum Next {
    Submission(Submission),
    /// There may be room again.
    Look,
    /// The node is stopping.
    Closed,
}

pub(crate) struct Backlog {
    queue: mpsc::Receiver<Submission>,
    /// Taken from the queue, but too large for the entry that was being made.
    held: Option<Submission>,
    /// More than can be remembered, and since when each waits.
    lacking: VecDeque<(Instant, Submission)>,
    look_at: Instant,
}

impl Backlog {
    pub(crate) fn new(queue: mpsc::Receiver<Submission>) -> Self {
        Self { queue, held: None, lacking: VecDeque::new(), look_at: Instant::now() }
    }

    pub(crate) async fn next(&mut self) -> Next {
        if let Some(held) = self.held.take() {
            return Next::Submission(held);
        }
        tokio::select! {
            biased;
            () = sleep_until(self.look_at), if !self.lacking.is_empty() => {
                self.look_at = Instant::now() + ROOM_LOOK;
                Next::Look
            }
            next = self.queue.recv() => next.map_or(Next::Closed, Next::Submission),
        }
    }

    /// Tells `first` and all that lack room that they were not proposed.
    pub(crate) fn refuse(&mut self, first: Option<Submission>, verdict: impl Fn() -> Verdict) {
        for submission in first.into_iter().chain(self.lacking.drain(..).map(|(_, submission)| submission)) {
            let _ = submission.verdict.send(verdict());
        }
    }

    /// Those that lacked room, then `first` and whatever waits behind it, up to the limits of an entry and as far as it can be
    /// remembered beside `under_way`. That `apply` would refuse what it cannot remember is the last line, not the way.
    pub(crate) fn gather(&mut self, first: Option<Submission>, state: &State, under_way: usize) -> Gathered {
        self.refuse_old();
        let mut gathered = Gathered::default();
        while let Some((since, submission)) = self.lacking.pop_front() {
            match room(state, &submission.commands, under_way + gathered.outcomes) {
                Some(outcomes) if gathered.fits(&submission) => gathered.push(submission, outcomes),
                _ => {
                    self.lacking.push_front((since, submission));
                    break;
                }
            }
        }
        let mut next = first;
        while let Some(submission) = next.take().or_else(|| self.queue.try_recv().ok()) {
            if !gathered.fits(&submission) {
                self.held = Some(submission);
                break;
            }
            let ahead = under_way + gathered.outcomes;
            let room = if self.lacking.is_empty() || stops(&submission.commands) {
                room(state, &submission.commands, ahead)
            } else {
                // Behind the others.
                (new_outcomes(state, &submission.commands) == 0).then_some(0)
            };
            match room {
                Some(outcomes) => gathered.push(submission, outcomes),
                None => self.wait_for_room(submission),
            }
        }
        gathered
    }

    fn wait_for_room(&mut self, submission: Submission) {
        let now = Instant::now();
        if self.lacking.is_empty() {
            self.look_at = now + ROOM_LOOK;
        }
        self.lacking.push_back((now, submission));
    }

    fn refuse_old(&mut self) {
        while let Some((_, old)) = self.lacking.pop_front_if(|(since, _)| since.elapsed() >= ROOM_WAIT) {
            let _ = old.verdict.send(Verdict::Overloaded(Full::Outcomes));
        }
    }
}

/// How many outcomes of `commands` would be remembered, besides those that are and `ahead` more; `None` if that is more
/// than may be.
fn room(state: &State, commands: &[Command], ahead: usize) -> Option<usize> {
    let named = commands.iter().filter(|command| command.once.is_some()).count();
    let has_room = |more| match stops(commands) {
        true => state.has_room_for_stops(ahead + more),
        false => state.has_room_for_outcomes(ahead + more),
    };
    if named == 0 || has_room(named) {
        return Some(named);
    }
    let new = new_outcomes(state, commands);
    (new == 0 || has_room(new)).then_some(new)
}

/// They make less be done, and are not held up by those who do much.
fn stops(commands: &[Command]) -> bool {
    commands.iter().all(|command| command.action.stops())
}

/// What ran before takes no room: it is only told again.
fn new_outcomes(state: &State, commands: &[Command]) -> usize {
    let is_new = |command: &&Command| command.once.is_some_and(|once| !state.remembers(once.id));
    commands.iter().filter(is_new).count()
}

/// No less than the encoded size of commands: their variable parts, and for each more than its fixed ones take.
pub(crate) fn size(commands: &[Command]) -> usize {
    commands.iter().map(|command| 64 + command.action.bytes()).sum()
}

#[cfg(test)]
mod tests {
    use domain::limits::OUTCOMES_MAX;
    use domain::{Action, Key, LogTime, Once, RequestId};

    use super::*;

    fn take(bytes: usize) -> Command {
        Command::harmless(Action::Take { key: Key::new(0, vec![0; bytes]) })
    }

    #[test]
    fn outcomes_under_way_are_counted_as_remembered() {
        let state = State::default();
        let named = |sequence| {
            let once =
                Once { id: RequestId::Node { incarnation: 1, sequence }, valid_until: LogTime::from_ms(1) };
            Command { once: Some(once), ..take(1) }
        };
        let two = [named(1), take(1), named(2)];
        assert_eq!(room(&state, &two, 0), Some(2));
        assert_eq!(room(&state, &two, OUTCOMES_MAX - 2), Some(2));
        assert_eq!(room(&state, &two, OUTCOMES_MAX - 1), None);
        assert_eq!(room(&state, &[take(1)], OUTCOMES_MAX), Some(0), "what has no name takes no room");
    }
}
