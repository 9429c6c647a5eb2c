//! Linearizable reads by shared quorum rounds.
//!
//! The join rule: a read joins only a round whose first message leaves the leader after the read arrived at the
//! node that serves it. So a round takes along every read that waits when it begins, and none that comes later.
//! There are no lease reads: the age of an acknowledgement justifies nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use domain::{LogTime, NodeId, State, WallZero};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use parking_lot::RwLockReadGuard;
use planted::Bug;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use wire::peer;

use crate::ReadError;
use crate::environment::BoxFuture;
use crate::limits::{LEADER_WAIT, READ_ROUNDS_MAX, READS_WAITING_MAX, RETRY_PAUSE};
use crate::peer::Lane;
use crate::rounds::Rounds;
use crate::shared::{Leadership, Shared};

/// What a quorum round proved: at some moment after the read was asked for, `leader` led in `term`, and
/// everything up to `index` was decided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    pub(crate) leader: NodeId,
    pub(crate) term: u64,
    pub(crate) index: u64,
    /// The leader's log clock when the round was over.
    pub(crate) clock: LogTime,
    pub(crate) wall_zero: WallZero,
}

/// A look at the state that is at least as new as the moment the read was asked for.
pub struct Reading {
    shared: Arc<Shared>,
    pub leader: NodeId,
    pub term: u64,
    /// The read index: the state holds at least everything up to here.
    pub index: u64,
    /// The log clock by which remaining times are told.
    pub clock: LogTime,
    /// By which the leader tells instants, and makes lengths of them.
    pub wall_zero: WallZero,
}

impl Reading {
    pub(crate) fn new(shared: Arc<Shared>, round: Round) -> Self {
        let Round { leader, term, index, clock, wall_zero } = round;
        // This node may have applied later entries than the round saw, and with them a later time.
        let clock = clock.max(shared.state.read().now());
        Self { shared, leader, term, index, clock, wall_zero }
    }

    /// The state. Hold it briefly: nothing is applied meanwhile.
    pub fn state(&self) -> RwLockReadGuard<'_, State> {
        self.shared.state.read()
    }

    /// The node that has tenure: the leader of this term has recorded that it finished taking over.
    pub fn active(&self) -> Option<NodeId> {
        let state = self.state();
        state.tenure().filter(|tenure| tenure.term == self.term).map(|tenure| tenure.node)
    }
}

#[derive(Clone)]
pub(crate) struct Reads {
    queue: mpsc::Sender<Waiting>,
}

struct Waiting {
    /// Asked by a peer for its own reads: only a round that this node leads will do, and nothing is retried.
    for_peer: bool,
    answer: oneshot::Sender<Result<Round, ReadError>>,
}

impl Reads {
    pub(crate) fn start(shared: Arc<Shared>, rounds: Rounds) -> Self {
        let (queue, waiting) = mpsc::channel(READS_WAITING_MAX);
        let spawn = shared.environment.clone();
        spawn.task("reads", run(shared, Arc::new(rounds), waiting));
        Self { queue }
    }

    pub(crate) async fn round(&self, for_peer: bool) -> Result<Round, ReadError> {
        let (answer, receiver) = oneshot::channel();
        self.queue.try_send(Waiting { for_peer, answer }).map_err(|_| ReadError::Overloaded)?;
        receiver.await.unwrap_or(Err(ReadError::NoQuorum))
    }
}

async fn run(shared: Arc<Shared>, rounds: Arc<Rounds>, mut waiting: mpsc::Receiver<Waiting>) {
    let mut under_way: FuturesUnordered<BoxFuture<'static, Result<Round, ReadError>>> =
        FuturesUnordered::new();
    let rounds_max = if planted::is(Bug::ReadJoinsOlderRound) { 1 } else { READ_ROUNDS_MAX };
    loop {
        let free = under_way.len() < rounds_max;
        let first = tokio::select! {
            biased;
            Some(result) = under_way.next() => {
                if planted::is(Bug::ReadJoinsOlderRound) {
                    answer(std::iter::from_fn(|| waiting.try_recv().ok()).collect(), result);
                }
                continue;
            }
            first = waiting.recv(), if free => first,
        };
        let Some(first) = first else { return };
        let mut reads = vec![first];
        while let Ok(read) = waiting.try_recv() {
            reads.push(read);
        }
        under_way.push(Box::pin(serve(shared.clone(), rounds.clone(), reads)));
    }
}

/// One round for all of `reads`.
async fn serve(
    shared: Arc<Shared>,
    rounds: Arc<Rounds>,
    mut reads: Vec<Waiting>,
) -> Result<Round, ReadError> {
    shared.metrics.reads.add(reads.len() as u64);
    let deadline = Instant::now() + LEADER_WAIT;
    let mut leadership = shared.leadership.subscribe();
    let result = loop {
        let seen = *leadership.borrow_and_update();
        let leads = seen.leader == Some(shared.node);
        if !leads {
            // One hop only: a peer asks again by itself, and perhaps another node.
            let (peers, own): (Vec<_>, Vec<_>) = reads.into_iter().partition(|read| read.for_peer);
            answer(peers, Err(ReadError::NoQuorum));
            reads = own;
        }
        if reads.is_empty() {
            return Err(ReadError::NoQuorum);
        }
        let round = match seen.leader {
            Some(_) if leads => lead_round(&shared, &rounds).await,
            Some(leader) => ask_leader(&shared, leader).await,
            None => None,
        };
        if round.is_some() || Instant::now() >= deadline {
            break round.ok_or(ReadError::NoQuorum);
        }
        let retry = async {
            tokio::select! {
                _ = leadership.changed() => {}
                () = sleep(RETRY_PAUSE) => {}
            }
        };
        let _ = timeout_at(deadline, retry).await;
    };
    if result.is_err() {
        shared.metrics.reads_failed.add(reads.len() as u64);
    }
    answer(reads, result);
    result
}

fn answer(reads: Vec<Waiting>, result: Result<Round, ReadError>) {
    for read in reads {
        // Whoever asked may be gone.
        let _ = read.answer.send(result);
    }
}

/// A round that this node makes as leader. `None`: it could not prove that it leads.
async fn lead_round(shared: &Shared, rounds: &Rounds) -> Option<Round> {
    if planted::is(Bug::ServeByAge) {
        let domain::Stamp { term, time: clock } = shared.clock.stamp()?;
        let (index, wall_zero) = (shared.applied.borrow().index, wall_zero(shared, clock));
        return Some(Round { leader: shared.node, term, index, clock, wall_zero });
    }
    let mut leadership = shared.leadership.subscribe();
    let leads = |seen: &Leadership| seen.leader == Some(shared.node);
    let early = planted::is(Bug::IndexBeforeOwnEntry).then(|| shared.known.load(Ordering::Acquire));
    // The clock of a term starts when its first entry is applied here, and with it everything of the terms before.
    let settled = leadership.wait_for(|seen| !leads(seen) || seen.stamping);
    // The sender is in `shared`.
    let Leadership { term, stamping: true, .. } = *timeout(LEADER_WAIT, settled).await.ok()?.ok()? else {
        return None;
    };
    // Whoever knows that a command was decided knows it from this leader, or from the terms before.
    let index = early.unwrap_or_else(|| shared.known.load(Ordering::Acquire));
    shared.metrics.read_rounds.add(1);
    tokio::select! {
        () = rounds.prove(term) => {}
        _ = leadership.wait_for(|seen| !leads(seen) || seen.term != term) => return None,
        // A voter's connection may have broken under the question: it is asked again.
        () = sleep(shared.options.timeouts.election_max) => return None,
    }
    let stamp = shared.clock.stamp().filter(|stamp| stamp.term == term)?;
    let wall_zero = wall_zero(shared, stamp.time);
    Some(Round { leader: shared.node, term, index, clock: stamp.time, wall_zero })
}

fn wall_zero(shared: &Shared, now: LogTime) -> WallZero {
    WallZero::new(shared.environment.clock.wall_ns(), now)
}

async fn ask_leader(shared: &Shared, leader: NodeId) -> Option<Round> {
    let address = shared.peer_address(leader)?;
    let mut client = shared.channels.client(&address, Lane::Commands).ok()?;
    let request = peer::ReadIndexRequest { route: Some(shared.route(leader.0)) };
    let mut leadership = shared.leadership.subscribe();
    leadership.mark_unchanged();
    let response = tokio::select! {
        response = client.read_index(request) => response.ok()?.into_inner(),
        // A frozen leader answers nothing; its successor is asked as soon as it is known.
        _ = leadership.wait_for(|seen| seen.leader != Some(leader)) => return None,
    };
    let clock = LogTime::from_ns(response.clock_ns);
    // A leader of an earlier build does not say.
    let wall_zero = response.wall_zero_ns.map_or_else(|| wall_zero(shared, clock), WallZero::from_ns);
    let peer::ReadIndexResponse { leads, term, index, .. } = response;
    leads.then_some(Round { leader, term, index, clock, wall_zero })
}
