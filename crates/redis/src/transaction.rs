//! `MULTI` to `EXEC`: what was queued, done as one command.
//!
//! What only writes is proposed as it is, and each reply is made of what the log answered. What only reads is one look at
//! the state. What does both reads copies of the keys, on which it has done its own writes before, and has the log check
//! that nothing has happened to what it read; otherwise it begins anew. `WATCH` is nothing but such a guard, of which the
//! look was earlier.
//!
//! It never waits with the state in its hands, and it never tells of a write but what the log answered.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use domain::limits::{TRANSACTION_ACTIONS_MAX, TRANSACTION_GUARDS_MAX};
use domain::{Action, Answer, Guard, Key, Scratch, Serial};
use parking_lot::Mutex;

use crate::command::{COMMANDS, Kind, Spec};
use crate::group::{Group, Look};
use crate::limits::{QUEUE_BYTES_MAX, QUEUE_REQUESTS_MAX, TRANSACTION_ATTEMPTS_MAX};
use crate::metrics::Outcome;
use crate::node::Node;
use crate::plan::{Plan, View};
use crate::request::Arguments;
use crate::{Error, Failure, Reply};

/// What `MULTI` has queued.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// The place in the table of commands, and the arguments.
    pub(crate) requests: Vec<(usize, Vec<Bytes>)>,
    bytes: usize,
    /// A request could not be queued; `EXEC` will do nothing.
    pub(crate) broken: bool,
}

impl Queue {
    pub(crate) fn push(&mut self, place: usize, arguments: Arguments) -> Result<Plan, Error> {
        let arguments: Vec<Bytes> = arguments.into_iter().collect();
        self.bytes += arguments.iter().map(Bytes::len).sum::<usize>();
        if self.requests.len() >= QUEUE_REQUESTS_MAX || self.bytes > QUEUE_BYTES_MAX {
            // What has been queued is of no use any more.
            *self = Self { broken: true, ..Self::default() };
            return Err(Error::TransactionTooLong);
        }
        self.requests.push((place, arguments));
        Ok(Plan::Local(Reply::Simple("QUEUED".into())))
    }
}

/// What `WATCH` has looked at since the last `EXEC`. Shared with the plans that fill it: they are carried out after the
/// requests behind them have been understood.
pub(crate) type Watched = Arc<Mutex<Vec<Guard>>>;

/// A transaction whose requests are understood.
pub(crate) struct Transaction {
    pub(crate) watched: Watched,
    pub(crate) parts: Vec<Part>,
}

pub(crate) struct Part {
    /// The place of its command in the table.
    pub(crate) command: usize,
    pub(crate) database: u8,
    /// The keys among its arguments.
    pub(crate) keys: Vec<Key>,
    pub(crate) plan: Plan,
}

impl Part {
    fn spec(&self) -> &'static Spec {
        &COMMANDS[self.command]
    }

    fn looks(&self) -> bool {
        matches!(self.plan, Plan::Read(_) | Plan::Walk(_))
    }

    /// What its reply depends on.
    fn guards(&self, as_of: Serial) -> Vec<Guard> {
        match self.spec().kind {
            _ if !self.looks() => Vec::new(),
            Kind::Listing | Kind::Script => vec![Guard::Database { database: self.database, as_of }],
            _ => self.keys.iter().map(|key| Guard::Key { key: key.clone(), as_of }).collect(),
        }
    }

    fn reads_all(&self) -> bool {
        self.looks() && matches!(self.spec().kind, Kind::Listing | Kind::Script)
    }
}

impl Transaction {
    pub(crate) async fn execute<G: Group>(self, group: &G, node: &Node) -> Reply {
        let watched = std::mem::take(&mut *self.watched.lock());
        let writes = self.parts.iter().any(|part| matches!(part.plan, Plan::Write { .. }));
        let looks = self.parts.iter().any(Part::looks);
        let done = match (writes, looks) {
            (false, false) if watched.is_empty() => Done { looked: self.nothing(), answers: Vec::new() },
            (false, _) => match self.look(group, &watched).await {
                Ok(done) => done,
                Err(reply) => return reply,
            },
            (true, _) => match self.write(group, watched, looks).await {
                Ok(done) => done,
                Err(reply) => return reply,
            },
        };
        self.reply(done, node)
    }

    /// No part has looked at anything.
    fn nothing(&self) -> Vec<Option<Reply>> {
        self.parts.iter().map(|_| None).collect()
    }

    /// All that is read is read at one moment, at which nothing watched had changed.
    async fn look<G: Group>(&self, group: &G, watched: &[Guard]) -> Result<Done, Reply> {
        let reading = group.read().await.map_err(failed)?;
        reading.look(|view| {
            if !watched.iter().all(|guard| view.state.holds(guard)) {
                return Err(Reply::NullArray);
            }
            let looked = self.parts.iter().map(|part| look_at(part, view)).collect();
            Ok(Done { looked, answers: Vec::new() })
        })
    }

    async fn write<G: Group>(&self, group: &G, watched: Vec<Guard>, looks: bool) -> Result<Done, Reply> {
        for _ in 0..TRANSACTION_ATTEMPTS_MAX {
            let Attempt { looked, mut guards } = match looks {
                true => {
                    let reading = group.read().await.map_err(failed)?;
                    reading.look(|view| self.attempt(view, &watched))?
                }
                false => Attempt { looked: self.nothing(), guards: Vec::new() },
            };
            guards.extend(watched.iter().cloned());
            if guards.len() > TRANSACTION_GUARDS_MAX {
                return Err(Error::TransactionTooLong.into());
            }
            let action = Action::Transaction { guards, actions: self.actions()? };
            match group.propose(vec![action]).await.pop() {
                Some(Ok(Answer::All(answers))) => return Ok(Done { looked, answers }),
                // Nothing was looked at but what is watched.
                Some(Ok(Answer::Conflict)) if !looks => return Err(Reply::NullArray),
                Some(Ok(Answer::Conflict)) => {}
                Some(Ok(Answer::Refused(refusal))) => return Err(Error::refused("exec", refusal).into()),
                Some(Ok(answer)) => return Err(Error::unexpected("exec", &answer).into()),
                Some(Err(failure)) => return Err(failed(failure)),
                None => return Err(Error::OutcomeUnknown.into()),
            }
        }
        Err(Error::TransactionConflict.into())
    }

    fn actions(&self) -> Result<Vec<Action>, Reply> {
        let of = |part: &Part| match &part.plan {
            Plan::Write { actions, .. } => actions.clone(),
            _ => Vec::new(),
        };
        let actions: Vec<Action> = self.parts.iter().flat_map(of).collect();
        if actions.len() > TRANSACTION_ACTIONS_MAX {
            Err(Error::TransactionTooLong.into())
        } else {
            Ok(actions)
        }
    }

    /// Does it all on copies, for the sake of what is read after a write.
    fn attempt(&self, view: &View<'_>, watched: &[Guard]) -> Result<Attempt, Reply> {
        if !watched.iter().all(|guard| view.state.holds(guard)) {
            return Err(Reply::NullArray);
        }
        let as_of = view.state.serial();
        let mut scratch = self.scratch(view);
        let mut attempt = Attempt { looked: Vec::new(), guards: Vec::new() };
        let mut written = BTreeSet::new();
        for part in &self.parts {
            if let Plan::Write { actions, .. } = &part.plan {
                for action in actions {
                    written.extend(action.changes().cloned());
                    scratch.run(action.clone());
                }
            }
            let tells_token =
                part.spec().name.starts_with("lease.") && part.keys.iter().any(|k| written.contains(k));
            attempt.guards.extend(part.guards(as_of));
            attempt.looked.push(match tells_token && part.looks() {
                true => Some(Error::TokenNotKnown.into()),
                false => look_at(part, &View { state: scratch.state(), ..*view }),
            });
        }
        Ok(attempt)
    }

    /// Copies of all that any part may look at or change.
    fn scratch(&self, view: &View<'_>) -> Scratch {
        let mut scratch = Scratch::new(view.state);
        for part in &self.parts {
            let actions = match &part.plan {
                Plan::Write { actions, .. } => &actions[..],
                _ => &[],
            };
            for key in actions.iter().flat_map(Action::changes).chain(&part.keys) {
                scratch.copy(key, view.state);
            }
            if part.reads_all() {
                let all = view.state.keys_from(part.database, std::ops::Bound::Unbounded);
                all.for_each(|(key, _)| scratch.copy(key, view.state));
            }
        }
        scratch
    }

    /// One reply for each part, in their order.
    fn reply(self, done: Done, node: &Node) -> Reply {
        let mut answers = done.answers.into_iter();
        let mut replies = Vec::with_capacity(self.parts.len());
        for (part, looked) in self.parts.into_iter().zip(done.looked) {
            let reply = match (part.plan, looked) {
                (_, Some(reply)) | (Plan::Local(reply), None) => reply,
                (Plan::Write { actions, reply }, None) => {
                    reply(answers.by_ref().take(actions.len()).map(Ok).collect())
                }
                (Plan::Read(_) | Plan::Walk(_) | Plan::Transaction(_), None) => {
                    unreachable!("whatever looks has looked, and no transaction is queued")
                }
            };
            node.metrics.count(part.command, Outcome::from(&reply));
            replies.push(reply);
        }
        Reply::Array(replies)
    }
}

/// What was read, part by part, and what it relies on.
struct Attempt {
    looked: Vec<Option<Reply>>,
    guards: Vec<Guard>,
}

struct Done {
    looked: Vec<Option<Reply>>,
    /// Of all actions, in their order.
    answers: Vec<Answer>,
}

fn look_at(part: &Part, view: &View<'_>) -> Option<Reply> {
    match &part.plan {
        Plan::Read(on_view) => Some(on_view(Ok(view))),
        Plan::Walk(walk) => {
            let mut walk = walk.clone();
            loop {
                let ahead = walk.ahead(view);
                walk = match walk.go(ahead) {
                    Ok(walk) => walk,
                    Err(reply) => return Some(reply),
                };
            }
        }
        Plan::Local(_) | Plan::Write { .. } | Plan::Transaction(_) => None,
    }
}

fn failed(failure: Failure) -> Reply {
    Error::from(failure).into()
}

#[cfg(test)]
mod tests {
    use crate::limits::TRANSACTION_ATTEMPTS_MAX;
    use crate::options::Options;
    use crate::testing::{Bench, set};

    /// What `EXEC` says when somebody sets `k` so many times, each between its look and its proposal.
    fn exec_while(times: usize, watch: bool) -> (String, String) {
        let mut bench = Bench::new(Options::default());
        bench.say("SET k 1");
        if watch {
            bench.say("WATCH k");
        }
        for request in ["MULTI", "GET k", "INCR n", "GET n"] {
            bench.say(request);
        }
        bench.model.interfere(times, set(b"k", b"2"));
        let said = bench.say("EXEC");
        (said, bench.say("GET n"))
    }

    #[test]
    fn what_changed_between_look_and_proposal_is_looked_at_again() {
        let done = |k| format!(r"*3\r\n$1\r\n{k}\r\n:1\r\n$1\r\n1\r\n");
        let n = r"$1\r\n1\r\n".to_owned();
        assert_eq!(exec_while(0, false), (done(1), n.clone()));
        assert_eq!(exec_while(1, false), (done(2), n.clone()));
        assert_eq!(exec_while(TRANSACTION_ATTEMPTS_MAX - 1, false), (done(2), n));
    }

    #[test]
    fn it_gives_up_in_the_end_and_has_done_nothing() {
        let (said, n) = exec_while(TRANSACTION_ATTEMPTS_MAX, false);
        assert!(said.starts_with("-TRYAGAIN"), "{said}");
        assert_eq!(n, r"$-1\r\n");
    }

    #[test]
    fn what_is_watched_is_not_looked_at_again() {
        assert_eq!(exec_while(1, true), (r"*-1\r\n".into(), r"$-1\r\n".into()));
    }

    #[test]
    fn a_queue_has_its_limits() {
        let mut bench = Bench::new(Options::default());
        bench.say("MULTI");
        for _ in 0..super::QUEUE_REQUESTS_MAX {
            assert_eq!(bench.say("INCR n"), r"+QUEUED\r\n");
        }
        assert!(bench.say("INCR n").starts_with("-ERR too much between MULTI and EXEC"));
        assert!(bench.say("EXEC").starts_with("-EXECABORT"));
        assert_eq!(bench.say("GET n"), r"$-1\r\n");
    }
}
