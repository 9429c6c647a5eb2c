//! A run: requests of one connection, one after the other, that one call to the group answers.
//!
//! Writes that follow each other are proposed together, so that they keep their order and share a log entry; reads
//! that follow each other share a quorum round; what is answered at once joins whatever run it stands in.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::BytesMut;
use domain::{Action, Answer};

use crate::codec::encode::encode;
use crate::group::{Group, Look};
use crate::limits::{RUN_BYTES_MAX, RUN_REQUESTS_MAX, UNREAD_BYTES_SOFT};
use crate::node::Node;
use crate::plan::{OnAnswers, Plan, Walk};
use crate::redlock::Attempts;
use crate::session::Planned;
use crate::{Error, Failure, Protocol, Reply};

/// Looks at the state between which other tasks get their turn.
const LOOKS_PER_TURN: usize = 16;

#[derive(Default)]
pub(crate) struct Run {
    kind: Option<Kind>,
    requests: VecDeque<Planned>,
    bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Write,
    Read,
    /// Also a script, the loading of one, and an edit.
    Transaction,
    Subscription,
    /// By itself.
    Waiting,
}

fn kind(plan: &Plan) -> Option<Kind> {
    match plan {
        Plan::Local(_) => None,
        Plan::Write { .. } => Some(Kind::Write),
        Plan::Read(_) | Plan::Walk(_) => Some(Kind::Read),
        Plan::Edit(_) | Plan::Script(_) | Plan::Loading(_) | Plan::Transaction(_) => Some(Kind::Transaction),
        Plan::BlockingPop(_) => Some(Kind::Waiting),
        Plan::Subscription { .. } => Some(Kind::Subscription),
    }
}

/// What became of a run.
pub(crate) struct Executed {
    pub(crate) output: BytesMut,
    /// Requests that were put off because the client has enough to take already.
    pub(crate) rest: VecDeque<Planned>,
    /// Where in the client's bytes the last request ended that was executed.
    pub(crate) end: u64,
    /// What the last of them was answered in.
    pub(crate) protocol: Protocol,
    /// The last of them ends the connection.
    pub(crate) last: bool,
}

impl Run {
    /// Takes a request, or gives it back if it must wait for the run to end.
    pub(crate) fn push(&mut self, planned: Planned) -> Result<(), Planned> {
        let kind = kind(&planned.plan);
        let other = kind.is_some() && self.kind.is_some() && kind != self.kind;
        let full = self.requests.len() >= RUN_REQUESTS_MAX
            || (!self.requests.is_empty() && self.bytes + planned.bytes > RUN_BYTES_MAX);
        // What came before it is answered before it, however long it waits.
        let waits = [kind, self.kind].contains(&Some(Kind::Waiting)) && !self.is_empty();
        if other || full || waits {
            return Err(planned);
        }
        self.kind = self.kind.or(kind);
        self.bytes += planned.bytes;
        self.requests.push_back(planned);
        Ok(())
    }

    /// What was answered before must not wait with it.
    pub(crate) fn may_wait(&self) -> bool {
        self.kind == Some(Kind::Waiting)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    pub(crate) async fn execute<G: Group>(self, group: G, node: Arc<Node>) -> Executed {
        let mut executed = Executed {
            output: BytesMut::new(),
            rest: VecDeque::new(),
            end: 0,
            last: false,
            protocol: Protocol::default(),
        };
        match self.kind {
            Some(Kind::Write) => write(self.requests, &group, &node, &mut executed).await,
            Some(Kind::Transaction | Kind::Waiting) => {
                transact(self.requests, &group, &node, &mut executed).await
            }
            Some(Kind::Subscription) => subscribe(self.requests, &group, &node, &mut executed).await,
            _ => read(self.requests, &group, &node, &mut executed).await,
        }
        executed
    }
}

impl Executed {
    fn say(&mut self, node: &Node, said: &Said, reply: &Reply) {
        node.metrics.count(said.command, reply);
        if !said.silent || matches!(reply, Reply::Several(_)) {
            encode(reply, said.protocol, &mut self.output);
        }
        self.end = said.end;
        self.protocol = said.protocol;
        self.last = said.last;
    }
}

/// A request whose plan has been taken away.
struct Said {
    command: Option<usize>,
    protocol: Protocol,
    silent: bool,
    last: bool,
    end: u64,
}

impl Planned {
    fn split(self) -> (Said, Plan) {
        let Self { plan, command, protocol, silent, last, end, bytes: _ } = self;
        (Said { command, protocol, silent, last, end }, plan)
    }
}

enum Waiting {
    Ready(Reply),
    Results { count: usize, reply: OnAnswers },
}

async fn write<G: Group>(requests: VecDeque<Planned>, group: &G, node: &Arc<Node>, executed: &mut Executed) {
    let mut actions = Vec::new();
    let mut waiting = Vec::with_capacity(requests.len());
    for planned in requests {
        let (said, plan) = planned.split();
        waiting.push((
            said,
            match plan {
                Plan::Write { actions: more, reply } => {
                    let count = more.len();
                    actions.extend(more);
                    Waiting::Results { count, reply }
                }
                Plan::Local(reply) => Waiting::Ready(reply),
                _ => unreachable!("a run of writes takes nothing else"),
            },
        ));
    }
    let attempts = Attempts::among(&actions);
    let results = propose(group, actions).await;
    attempts.look(&results, group, node);
    let mut results = results.into_iter();
    for (said, waiting) in waiting {
        let reply = match waiting {
            Waiting::Ready(reply) => reply,
            Waiting::Results { count, reply } => reply(results.by_ref().take(count).collect()),
        };
        executed.say(node, &said, &reply);
    }
}

/// Proposes together what came together. When the disk is low the group refuses a whole proposal for one action
/// that fills; those that free are then proposed by themselves, because a release must always be possible.
async fn propose<G: Group>(group: &G, actions: Vec<Action>) -> Vec<Result<Answer, Failure>> {
    let freeing: Vec<usize> =
        actions.iter().enumerate().filter(|(_, action)| action.frees()).map(|(place, _)| place).collect();
    if freeing.is_empty() || freeing.len() == actions.len() {
        return group.propose(actions).await;
    }
    let by_themselves: Vec<Action> = freeing.iter().map(|place| actions[*place].clone()).collect();
    let mut results = group.propose(actions).await;
    if results.iter().all(|result| matches!(result, Err(Failure::DiskLow))) {
        for (place, result) in freeing.into_iter().zip(group.propose(by_themselves).await) {
            results[place] = result;
        }
    }
    results
}

async fn read<G: Group>(mut requests: VecDeque<Planned>, group: &G, node: &Node, executed: &mut Executed) {
    let looks = requests.iter().any(|planned| kind(&planned.plan) == Some(Kind::Read));
    let reading = if looks { group.read().await } else { Err(Failure::NoQuorum) };
    let mut turn = 0;
    while let Some(planned) = requests.pop_front() {
        let (said, plan) = planned.split();
        let reply = match plan {
            Plan::Local(reply) => reply,
            Plan::Read(on_view) => {
                turn += 1;
                if turn % LOOKS_PER_TURN == 0 {
                    tokio::task::yield_now().await;
                }
                match &reading {
                    Ok(reading) => reading.look(|view| on_view(Ok(view))),
                    Err(failure) => on_view(Err(*failure)),
                }
            }
            Plan::Walk(walk) => match &reading {
                Ok(reading) => go(walk, reading).await,
                Err(failure) => Error::from(*failure).into(),
            },
            _ => unreachable!("a run of reads takes nothing else"),
        };
        executed.say(node, &said, &reply);
        if executed.output.len() >= UNREAD_BYTES_SOFT {
            break;
        }
    }
    executed.rest = requests;
}

/// One after the other: each depends on what the one before has done.
async fn transact<G: Group>(
    mut requests: VecDeque<Planned>,
    group: &G,
    node: &Arc<Node>,
    executed: &mut Executed,
) {
    while let Some(planned) = requests.pop_front() {
        let (said, plan) = planned.split();
        let reply = match plan {
            Plan::Local(reply) => reply,
            Plan::BlockingPop(pop) => pop.execute(group, node).await,
            Plan::Edit(edit) => edit.execute(group, node).await,
            Plan::Script(evaluation) => evaluation.execute(group, node).await,
            Plan::Loading(loading) => loading.execute(group).await,
            Plan::Transaction(transaction) => transaction.execute(group, node).await,
            _ => unreachable!("a run of transactions takes nothing else"),
        };
        executed.say(node, &said, &reply);
        if executed.output.len() >= UNREAD_BYTES_SOFT {
            break;
        }
    }
    executed.rest = requests;
}

/// After a quorum round, so that a subscription does not begin with what was published long ago on a node that lags. Without
/// a quorum nothing is published, and it may begin.
///
/// Nobody gets a turn between the changes and their acknowledgements: what comes before them was said before them, and all
/// that comes after them will be said after them.
async fn subscribe<G: Group>(requests: VecDeque<Planned>, group: &G, node: &Node, executed: &mut Executed) {
    let begins = |planned: &Planned| matches!(planned.plan, Plan::Subscription { begins: true, .. });
    let round = if requests.iter().any(begins) { group.read().await.err() } else { None };
    let mut registry = node.hub.lock();
    for planned in requests {
        let (said, plan) = planned.split();
        let reply = match plan {
            Plan::Local(reply) => reply,
            // What happens here is not what the others see.
            Plan::Subscription { begins: true, .. } if round == Some(Failure::OutOfService) => {
                executed.say(node, &said, &Error::OutOfService.into());
                executed.last = true;
                return;
            }
            Plan::Subscription { client, ask, .. } => {
                client.mailbox.empty_into(&mut executed.output, said.protocol);
                ask(&mut registry)
            }
            _ => unreachable!("a run of subscriptions takes nothing else"),
        };
        executed.say(node, &said, &reply);
    }
}

/// Each look is at a state at least as new as the quorum round.
async fn go(mut walk: Walk, reading: &impl Look) -> Reply {
    loop {
        let ahead = reading.look(|view| walk.ahead(view));
        walk = match walk.go(ahead) {
            Ok(walk) => walk,
            Err(reply) => return reply,
        };
        tokio::task::yield_now().await;
    }
}
