//! Quorum rounds: the proof that this node still leads.
//!
//! Every other voter is asked whether it has promised its vote to a later leader. A majority that has not leaves no room
//! for one before it was asked: a later leader needs a vote of that majority, and no vote leaves a node before its own
//! log knows of it. Rounds are numbered, and an answer to one is an answer to all before it.
//!
//! This is not left to openraft: it dates an acknowledgement by the last request in flight that ends at the same entry,
//! so an old answer that was held up in the network may prove leadership at a moment when nobody was asked. What else it
//! uses those dates for is when a leader without a majority notices, which is not a matter of safety.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::NodeId;
use openraft::async_runtime::watch::WatchReceiver;
use parking_lot::Mutex;
use planted::Bug;
use store::Wal;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use wire::peer::{ConfirmRequest, ConfirmResponse};

use crate::limits::{CONFIRMS_UNANSWERED_MAX, CONNECT_TIMEOUT, REOPEN_PAUSE};
use crate::peer::Lane;
use crate::shared::Shared;
use crate::types::Raft;

/// A round of a term.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Round {
    term: u64,
    number: u64,
}

/// Of each voter the last round that it has confirmed.
type Confirmed = watch::Sender<BTreeMap<u64, Round>>;

pub(crate) struct Rounds {
    shared: Arc<Shared>,
    raft: Raft,
    wal: Wal,
    last: AtomicU64,
    confirmed: Arc<Confirmed>,
    /// One for each voter; of what is asked it sends the newest.
    askers: Mutex<BTreeMap<(NodeId, String), watch::Sender<Round>>>,
}

/// Whether the log of this node has promised its vote in this term to `leader`, and nobody a later one.
pub(crate) fn follows(wal: &Wal, term: u64, leader: u64) -> bool {
    wal.log_state().vote.is_some_and(|vote| vote.term == term && vote.node == leader)
}

impl Rounds {
    pub(crate) fn new(shared: Arc<Shared>, raft: Raft, wal: Wal) -> Self {
        let (last, confirmed, askers) = Default::default();
        Self { shared, raft, wal, last, confirmed, askers }
    }

    /// Waits for the proof that at some moment after this call nobody led in a later term than this one, in which this
    /// node was elected. It may never come.
    pub(crate) async fn prove(&self, term: u64) {
        let node = self.shared.node.0;
        // A change of voters waits for the one before it to be decided. What openraft shows is at most one step behind:
        // its core shows how things are after each event, and two steps need two. The majorities of neighbours meet.
        let configs = {
            let metrics = self.raft.metrics();
            let seen = metrics.borrow_watched();
            seen.membership_config.membership().get_joint_config().clone()
        };
        let round = Round { term, number: self.last.fetch_add(1, Ordering::Relaxed) + 1 };
        let voters: BTreeSet<u64> =
            configs.iter().flatten().copied().filter(|voter| *voter != node).collect();
        self.askers.lock().retain(|(voter, _), _| voters.contains(&voter.0));
        voters.iter().for_each(|voter| self.ask(NodeId(*voter), round));
        let itself = follows(&self.wal, term, node);
        let is_majority = |config: &BTreeSet<u64>, seen: &BTreeMap<u64, Round>| {
            let is_answer = |number: u64| number >= round.number || planted::is(Bug::AnswerOfAnyRound);
            let confirms = |voter: &&u64| match seen.get(*voter) {
                _ if **voter == node => itself,
                Some(last) => last.term == term && is_answer(last.number),
                None => false,
            };
            2 * config.iter().filter(confirms).count() > config.len()
        };
        let is_proven = |seen: &BTreeMap<u64, Round>| configs.iter().all(|config| is_majority(config, seen));
        // The sender is in `self`.
        let _ = self.confirmed.subscribe().wait_for(is_proven).await;
    }

    fn ask(&self, voter: NodeId, round: Round) {
        let Some(address) = self.shared.peer_address(voter) else { return };
        let mut askers = self.askers.lock();
        let asker = askers.entry((voter, address)).or_insert_with_key(|(voter, address)| {
            let (shared, confirmed) = (self.shared.clone(), self.confirmed.clone());
            let (asked, newest) = watch::channel(Round::default());
            let asker = Asker { shared, voter: *voter, address: address.clone(), confirmed };
            self.shared.environment.task("rounds", asker.run(newest));
            asked
        });
        asker.send_replace(round);
    }
}

struct Asker {
    shared: Arc<Shared>,
    voter: NodeId,
    address: String,
    confirmed: Arc<Confirmed>,
}

impl Asker {
    /// Opens a stream when there is something to ask, again and again, until the voter is none.
    async fn run(self, mut newest: watch::Receiver<Round>) {
        let mut answers = true;
        while newest.changed().await.is_ok() {
            newest.mark_changed();
            if let Err(status) = self.stream(&mut newest, &mut answers).await
                && std::mem::take(&mut answers)
            {
                tracing::info!(voter = %self.voter, %status, "a voter cannot be asked");
            }
            sleep(REOPEN_PAUSE).await;
            // Somebody still waits, and the question may have been lost with the stream.
            if self.confirmed.receiver_count() > 0 {
                newest.mark_changed();
            }
        }
    }

    /// One stream, to its end. A voter that does not answer is not asked any more.
    async fn stream(&self, newest: &mut watch::Receiver<Round>, answers: &mut bool) -> Result<(), Status> {
        let unavailable = |error: tonic::transport::Error| Status::unavailable(error.to_string());
        let ended = || Status::unavailable("the voter has ended the stream");
        let (requests, stream) = mpsc::channel(CONFIRMS_UNANSWERED_MAX);
        let mut client = self.shared.channels.client(&self.address, Lane::Votes).map_err(unavailable)?;
        let opened = timeout(2 * CONNECT_TIMEOUT, client.confirm(ReceiverStream::new(stream))).await;
        let mut responses = opened.map_err(|_| Status::deadline_exceeded("no answer"))??.into_inner();
        let mut unanswered = 0;
        loop {
            tokio::select! {
                changed = newest.changed(), if unanswered < CONFIRMS_UNANSWERED_MAX => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    let Round { term, number } = *newest.borrow_and_update();
                    let route = Some(self.shared.route(self.voter.0));
                    requests.send(ConfirmRequest { route, term, round: number }).await.map_err(|_| ended())?;
                    unanswered += 1;
                }
                response = responses.message() => {
                    self.take(response?.ok_or_else(ended)?);
                    unanswered = unanswered.saturating_sub(1);
                    *answers = true;
                }
            }
        }
    }

    fn take(&self, ConfirmResponse { term, round: number, follows }: ConfirmResponse) {
        if follows {
            self.confirmed.send_modify(|confirmed| {
                let last = confirmed.entry(self.voter.0).or_default();
                *last = (*last).max(Round { term, number });
            });
        }
    }
}
