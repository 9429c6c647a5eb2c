//! The warm stream over which this node sends commands to one leader.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::{Command, NodeId, Outcome};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};
use wire::peer::{ForwardRequest, ForwardResponse, Forwarding};

use crate::limits::{CONNECT_TIMEOUT, REOPEN_PAUSE, SUBMISSIONS_WAITING_MAX};
use crate::peer::Lane;
use crate::sequencer::{Full, Verdict};
use crate::shared::Shared;

/// One link for each peer that ever led.
pub(crate) struct Links {
    shared: Arc<Shared>,
    open: BTreeMap<(NodeId, String), mpsc::Sender<Outgoing>>,
}

struct Outgoing {
    commands: Vec<Command>,
    verdict: oneshot::Sender<Verdict>,
}

impl Links {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, open: BTreeMap::new() }
    }

    pub(crate) fn send(&mut self, leader: NodeId, commands: Vec<Command>) -> oneshot::Receiver<Verdict> {
        let (verdict, receiver) = oneshot::channel();
        let Some(address) = self.shared.peer_address(leader) else {
            // A leader that is not in the membership applied here: it was added while this node was behind.
            let _ = verdict.send(Verdict::NotLeader(None));
            return receiver;
        };
        let shared = &self.shared;
        let link = self.open.entry((leader, address)).or_insert_with_key(|(leader, address)| {
            let (tx, outgoing) = mpsc::channel(SUBMISSIONS_WAITING_MAX);
            let link = Link { shared: shared.clone(), leader: *leader, address: address.clone() };
            shared.environment.task("link", link.run(outgoing));
            tx
        });
        if let Err(full) = link.try_send(Outgoing { commands, verdict }) {
            // The receiver is just below in the stack.
            let _ = full.into_inner().verdict.send(Verdict::Overloaded(Full::Waiting));
        }
        receiver
    }
}

struct Link {
    shared: Arc<Shared>,
    leader: NodeId,
    address: String,
}

impl Link {
    /// Opens a stream when there is something to send, again and again.
    async fn run(self, mut outgoing: mpsc::Receiver<Outgoing>) {
        while let Some(first) = outgoing.recv().await {
            let (requests, stream) = mpsc::channel(SUBMISSIONS_WAITING_MAX);
            let responses = match self.open(stream).await {
                Ok(responses) => responses,
                Err(status) => {
                    tracing::info!(leader = %self.leader, %status, "the leader cannot be reached");
                    // Nothing of this was sent. The pause keeps a dead leader from taking the time that the
                    // election of the next one needs.
                    refuse(first, &mut outgoing);
                    sleep(REOPEN_PAUSE).await;
                    continue;
                }
            };
            let ended = self.stream(first, requests, responses, &mut outgoing).await;
            tracing::info!(leader = %self.leader, ?ended, "the stream of commands to the leader has ended");
        }
    }

    /// The stream is there before anything is sent on it: what is never sent was certainly not executed.
    async fn open(
        &self,
        stream: mpsc::Receiver<ForwardRequest>,
    ) -> Result<Streaming<ForwardResponse>, Status> {
        let unavailable = |error: tonic::transport::Error| Status::unavailable(error.to_string());
        let mut client = self.shared.channels.client(&self.address, Lane::Commands).map_err(unavailable)?;
        let opened = timeout(2 * CONNECT_TIMEOUT, client.forward(ReceiverStream::new(stream))).await;
        Ok(opened.map_err(|_| Status::deadline_exceeded("no answer"))??.into_inner())
    }

    /// One stream, to its end. What has no answer then may have been executed: dropping its sender says so.
    async fn stream(
        &self,
        first: Outgoing,
        requests: mpsc::Sender<ForwardRequest>,
        mut responses: Streaming<ForwardResponse>,
        outgoing: &mut mpsc::Receiver<Outgoing>,
    ) -> Result<(), Status> {
        let mut waiting: BTreeMap<u64, oneshot::Sender<Verdict>> = BTreeMap::new();
        let mut next = Some(first);
        for batch in 0.. {
            while next.is_none() {
                tokio::select! {
                    outgoing = outgoing.recv() => match outgoing {
                        Some(outgoing) => next = Some(outgoing),
                        None => return Ok(()),
                    },
                    response = responses.message() => {
                        let Some(response) = response? else { return Ok(()) };
                        if let Some(verdict) = waiting.remove(&response.batch) {
                            let _ = verdict.send(decode(response));
                        }
                    }
                }
            }
            let Some(Outgoing { commands, verdict }) = next.take() else { continue };
            let commands = commands.iter().map(Into::into).collect();
            let request = ForwardRequest { route: Some(self.shared.route(self.leader.0)), batch, commands };
            // Never waited for: answers must be taken all the while.
            match requests.try_send(request) {
                Ok(()) => drop(waiting.insert(batch, verdict)),
                Err(TrySendError::Full(_)) => drop(verdict.send(Verdict::Overloaded(Full::Waiting))),
                Err(TrySendError::Closed(_)) => {
                    let _ = verdict.send(Verdict::NotLeader(None));
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// Says of `first` and of everything that waits behind it that it was not executed.
fn refuse(first: Outgoing, outgoing: &mut mpsc::Receiver<Outgoing>) {
    let mut next = Some(first);
    while let Some(refused) = next {
        // Whoever asked may be gone.
        let _ = refused.verdict.send(Verdict::NotLeader(None));
        next = outgoing.try_recv().ok();
    }
}

fn decode(response: ForwardResponse) -> Verdict {
    let leader = (response.leader != 0).then_some(NodeId(response.leader));
    match response.refused() {
        Forwarding::NotLeader => Verdict::NotLeader(leader),
        Forwarding::Overloaded => Verdict::Overloaded(Full::Waiting),
        Forwarding::OutcomesFull => Verdict::Overloaded(Full::Outcomes),
        Forwarding::OutOfService => Verdict::OutOfService,
        Forwarding::Unknown => Verdict::Unknown,
        Forwarding::Executed => {
            let outcomes = response.outcomes.into_iter().map(Outcome::try_from).collect::<Result<_, _>>();
            outcomes.map_or_else(
                |error| {
                    tracing::error!(%error, "a leader's outcomes cannot be read");
                    Verdict::Unknown
                },
                Verdict::Outcomes,
            )
        }
    }
}

/// The answer to a batch that came over a link.
pub(crate) fn encode(batch: u64, verdict: Verdict) -> ForwardResponse {
    let mut response = ForwardResponse { batch, ..ForwardResponse::default() };
    match verdict {
        Verdict::Outcomes(outcomes) => {
            response.outcomes = outcomes.iter().map(Into::into).collect();
            response.set_refused(Forwarding::Executed);
        }
        Verdict::NotLeader(leader) => {
            response.leader = leader.map_or(0, |leader| leader.0);
            response.set_refused(Forwarding::NotLeader);
        }
        Verdict::Overloaded(Full::Waiting) => response.set_refused(Forwarding::Overloaded),
        Verdict::Overloaded(Full::Outcomes) => response.set_refused(Forwarding::OutcomesFull),
        Verdict::OutOfService => response.set_refused(Forwarding::OutOfService),
        Verdict::Unknown => response.set_refused(Forwarding::Unknown),
    }
    response
}
