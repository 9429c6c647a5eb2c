//! What peers may ask of this node. Every request is checked for the cluster and the node that it is meant for.

use std::sync::Arc;

use domain::Command;
use futures_util::{Stream, StreamExt};
use openraft::base::BoxStream;
use store::Wal;
use tonic::{Request, Response, Status, Streaming};
use wire::peer::{self, peer_service_server::PeerService};

use super::convert;
use crate::admin::Admin;
use crate::backlog::size;
use crate::limits::{BATCH_BYTES_MAX, BATCH_COMMANDS_MAX, SUBMISSIONS_WAITING_MAX};
use crate::link;
use crate::machine::decode_meta;
use crate::reads::Reads;
use crate::rounds;
use crate::sealed::Sealed;
use crate::sequencer::{Sequencer, Verdict};
use crate::shared::Shared;
use crate::types::{Raft, SnapshotMeta, TypeConfig, stored_id};

pub(crate) struct Peer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) raft: Raft,
    pub(crate) wal: Wal,
    pub(crate) sequencer: Sequencer,
    pub(crate) reads: Reads,
    pub(crate) snapshots: Arc<store::Snapshots>,
    pub(crate) admin: Admin,
    pub(crate) sealed: Arc<Sealed>,
    pub(crate) receiving: tokio::sync::Mutex<()>,
}

impl Shared {
    /// Refuses what is meant for another cluster or node.
    fn check(&self, route: Option<&peer::Route>) -> Result<u64, Status> {
        let route = route.ok_or_else(|| convert::missing("route"))?;
        let refuse = |why: String| {
            self.metrics.peer_requests_refused.add(1);
            Err(Status::failed_precondition(why))
        };
        let node = self.node;
        let Some(cluster_id) = self.cluster_id.get() else {
            return refuse(format!(
                "node {node} has an empty data directory and belongs to no cluster; if it was a member before, \
                 remove it and add it under a new id"
            ));
        };
        if route.cluster_id != cluster_id[..] {
            return refuse(format!("node {node} belongs to another cluster"));
        }
        if route.to != node.0 {
            return refuse(format!(
                "this is node {node}, not node {}: check the members' peer addresses",
                route.to
            ));
        }
        Ok(route.from)
    }
}

#[tonic::async_trait]
impl PeerService for Peer {
    type ConfirmStream = BoxStream<'static, Result<peer::ConfirmResponse, Status>>;
    type AppendStream = BoxStream<'static, Result<peer::AppendResponse, Status>>;
    type ForwardStream = BoxStream<'static, Result<peer::ForwardResponse, Status>>;
    type FetchHistoryStream = BoxStream<'static, Result<peer::FetchHistoryResponse, Status>>;

    async fn append(
        &self,
        request: Request<Streaming<peer::AppendRequest>>,
    ) -> Result<Response<Self::AppendStream>, Status> {
        let requests = appends(self.shared.clone(), request.into_inner());
        let requests = Box::pin(requests.take_until(self.shared.stopped()));
        let responses = self.raft.stream_append(requests);
        Ok(Response::new(Box::pin(responses.map(|result| match result {
            Ok(appended) => Ok(convert::appended_to_wire(appended)),
            Err(fatal) => Err(Status::unavailable(fatal.to_string())),
        }))))
    }

    async fn vote(
        &self,
        request: Request<peer::VoteRequest>,
    ) -> Result<Response<peer::VoteResponse>, Status> {
        let request = request.into_inner();
        self.shared.check(request.route.as_ref())?;
        let response = self.raft.vote(convert::vote_request_from_wire(request)?).await;
        let response = response.map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(Response::new(convert::vote_response_to_wire(&response)))
    }

    async fn pre_vote(
        &self,
        request: Request<peer::VoteRequest>,
    ) -> Result<Response<peer::VoteResponse>, Status> {
        let request = request.into_inner();
        self.shared.check(request.route.as_ref())?;
        let response = self.raft.pre_vote(convert::vote_request_from_wire(request)?).await;
        let response = response.map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(Response::new(convert::vote_response_to_wire(&response)))
    }

    async fn transfer_leader(
        &self,
        request: Request<peer::TransferLeaderRequest>,
    ) -> Result<Response<peer::TransferLeaderResponse>, Status> {
        let request = request.into_inner();
        self.shared.check(request.route.as_ref())?;
        let refused = |why: String| Ok(Response::new(peer::TransferLeaderResponse { refused: why }));
        // Every voter is told; only the one that is meant stands for election, the others let it.
        if request.to == self.shared.node.0 {
            if self.shared.is_draining() {
                return refused(format!("node {} is draining", self.shared.node));
            }
            self.shared.signs.handed_over(self.shared.environment.clock.monotonic_ns());
        }
        let request = convert::transfer_from_wire(request)?;
        match self.raft.handle_transfer_leader(request).await {
            Ok(Ok(())) => refused(String::new()),
            Ok(Err(why)) => refused(why.to_string()),
            Err(fatal) => Err(Status::unavailable(fatal.to_string())),
        }
    }

    async fn install_snapshot(
        &self,
        request: Request<Streaming<peer::SnapshotChunk>>,
    ) -> Result<Response<peer::InstallSnapshotResponse>, Status> {
        let mut chunks = request.into_inner();
        let first = chunks.message().await?.and_then(|chunk| chunk.chunk);
        let Some(peer::snapshot_chunk::Chunk::Head(head)) = first else {
            return Err(convert::missing("snapshot head"));
        };
        self.shared.check(head.route.as_ref())?;
        let vote = convert::vote_from_wire(head.vote)?;
        let encoded =
            prost::Message::encode_to_vec(&head.meta.ok_or_else(|| convert::missing("snapshot meta"))?);
        let meta = decode_meta(&encoded).map_err(|error| Status::invalid_argument(error.to_string()))?;
        // One at a time: a sender that gave up and tries again must not make this node write twice.
        let Ok(_receiving) = self.receiving.try_lock() else {
            return Err(Status::unavailable("another snapshot is being received"));
        };
        let snapshot = receive(&self.shared, &self.snapshots, &meta, encoded, chunks).await?;
        let response = self.raft.install_full_snapshot(vote, openraft::Snapshot { meta, snapshot }).await;
        let response = response.map_err(|fatal| Status::unavailable(fatal.to_string()))?;
        Ok(Response::new(peer::InstallSnapshotResponse { vote: Some(convert::vote_to_wire(&response.vote)) }))
    }

    async fn forward(
        &self,
        request: Request<Streaming<peer::ForwardRequest>>,
    ) -> Result<Response<Self::ForwardStream>, Status> {
        let shared = self.shared.clone();
        let sequencer = self.sequencer.clone();
        // The closure runs in the order of the messages, so the commands keep it; only the answers may overtake.
        let submit = move |request: Result<peer::ForwardRequest, Status>| {
            let submitted = request.and_then(|request| {
                shared.check(request.route.as_ref())?;
                let commands =
                    request.commands.into_iter().map(Command::try_from).collect::<Result<Vec<_>, _>>();
                let commands = commands.map_err(|error| Status::invalid_argument(error.to_string()))?;
                if commands.len() > BATCH_COMMANDS_MAX || size(&commands) > BATCH_BYTES_MAX {
                    return Err(Status::invalid_argument("more commands than one entry holds"));
                }
                Ok((request.batch, sequencer.submit(commands)))
            });
            let shared = shared.clone();
            async move {
                let (batch, verdict) = submitted?;
                let verdict = verdict.await.unwrap_or(Verdict::Unknown);
                if let Verdict::Outcomes(outcomes) = &verdict {
                    let shown = outcomes.iter().filter(|outcome| outcome.answer.is_shown());
                    shown.map(|outcome| outcome.made.index).max().inspect(|index| shared.await_there(*index));
                }
                Ok(link::encode(batch, verdict))
            }
        };
        let requests = request.into_inner().take_until(self.shared.stopped());
        Ok(Response::new(Box::pin(requests.map(submit).buffer_unordered(SUBMISSIONS_WAITING_MAX))))
    }

    async fn confirm(
        &self,
        request: Request<Streaming<peer::ConfirmRequest>>,
    ) -> Result<Response<Self::ConfirmStream>, Status> {
        let (shared, wal) = (self.shared.clone(), self.wal.clone());
        let requests = request.into_inner().take_until(self.shared.stopped());
        Ok(Response::new(Box::pin(requests.map(move |request| {
            let peer::ConfirmRequest { route, term, round } = request?;
            let leader = shared.check(route.as_ref())?;
            Ok(peer::ConfirmResponse { term, round, follows: rounds::follows(&wal, term, leader) })
        }))))
    }

    async fn read_index(
        &self,
        request: Request<peer::ReadIndexRequest>,
    ) -> Result<Response<peer::ReadIndexResponse>, Status> {
        self.shared.check(request.get_ref().route.as_ref())?;
        let Ok(round) = self.reads.round(true).await else {
            return Ok(Response::new(peer::ReadIndexResponse::default()));
        };
        self.shared.await_there(round.index);
        Ok(Response::new(peer::ReadIndexResponse {
            leads: true,
            index: round.index,
            term: round.term,
            clock_ns: round.clock.as_ns(),
            wall_zero_ns: Some(round.wall_zero.as_ns()),
        }))
    }

    async fn administer(
        &self,
        request: Request<peer::AdministerRequest>,
    ) -> Result<Response<peer::AdministerResponse>, Status> {
        let request = request.into_inner();
        self.shared.check(request.route.as_ref())?;
        self.admin.serve(request).await.map(Response::new)
    }

    async fn adopt(
        &self,
        request: Request<peer::AdoptRequest>,
    ) -> Result<Response<peer::AdoptResponse>, Status> {
        let route = request.into_inner().route.ok_or_else(|| convert::missing("route"))?;
        self.admin.adopt(&route)?;
        Ok(Response::new(peer::AdoptResponse {}))
    }

    async fn fetch_history(
        &self,
        request: Request<peer::FetchHistoryRequest>,
    ) -> Result<Response<Self::FetchHistoryStream>, Status> {
        let request = request.into_inner();
        self.shared.check(request.route.as_ref())?;
        Ok(Response::new(Box::pin(self.sealed.clone().pieces(request.number, request.offset))))
    }
}

/// The leader's messages, checked, until the stream ends or one of them is wrong. The end of the stream after
/// some entries is told apart from a silent leader.
fn appends(
    shared: Arc<Shared>,
    requests: Streaming<peer::AppendRequest>,
) -> impl Stream<Item = openraft::raft::AppendEntriesRequest<TypeConfig>> + Send + 'static {
    struct Open {
        shared: Arc<Shared>,
        requests: Streaming<peer::AppendRequest>,
        /// The leader whose entries came over this stream; a heartbeat's stream is meant to end.
        sender: Option<u64>,
    }
    impl Drop for Open {
        fn drop(&mut self) {
            if let Some(sender) = self.sender {
                self.shared.signs.broken(sender);
            }
        }
    }
    let open = Open { shared, requests, sender: None };
    futures_util::stream::unfold(open, |mut open| async move {
        let request = match open.requests.message().await {
            Ok(Some(request)) => request,
            Ok(None) | Err(_) => return None,
        };
        let from = open.shared.check(request.route.as_ref());
        let decoded = from.and_then(|from| Ok((from, convert::append_from_wire(request)?)));
        match decoded {
            Ok((from, request)) => {
                open.shared.signs.heard(from, open.shared.environment.clock.monotonic_ns());
                if !request.entries.is_empty() {
                    open.sender = Some(from);
                }
                Some((request, open))
            }
            Err(status) => {
                tracing::warn!(%status, "a peer's entries were refused");
                None
            }
        }
    })
}

/// Writes the blocks of a snapshot to a file of this node's own, aside from the thread that votes. tonic shows a
/// cancelled stream as a clean end, so only the end message with the right sums makes a snapshot whole.
async fn receive(
    shared: &Shared,
    snapshots: &store::Snapshots,
    meta: &SnapshotMeta,
    encoded_meta: Vec<u8>,
    mut chunks: Streaming<peer::SnapshotChunk>,
) -> Result<store::Snapshot, Status> {
    use peer::snapshot_chunk::Chunk;
    let id = stored_id(&meta.last_log_id.ok_or_else(|| convert::missing("log id of the snapshot"))?);
    let snapshots = snapshots.clone();
    let mut writer = aside(shared, move || snapshots.create(id)).await?;
    let mut sums = peer::SnapshotEnd::default();
    while let Some(chunk) = chunks.message().await? {
        match chunk.chunk {
            Some(Chunk::Block(block)) => {
                sums.blocks += 1;
                sums.bytes += block.len() as u64;
                sums.checksum = crc32c::crc32c_append(sums.checksum, &block);
                writer = aside(shared, move || writer.write_block(&block).map(|()| writer)).await?;
            }
            Some(Chunk::End(end)) if end == sums => {
                let finish = move || {
                    let snapshot = writer.finish(&encoded_meta)?;
                    snapshot.verify().map(|()| snapshot)
                };
                return aside(shared, finish).await;
            }
            Some(Chunk::End(end)) => {
                return Err(Status::data_loss(format!(
                    "the snapshot's sums are {sums:?}, sent with {end:?}"
                )));
            }
            Some(Chunk::Head(_)) | None => return Err(convert::missing("block")),
        }
    }
    Err(Status::cancelled("the snapshot ended before its end message"))
}

async fn aside<T: Send + 'static>(
    shared: &Shared,
    work: impl FnOnce() -> Result<T, store::Error> + Send + 'static,
) -> Result<T, Status> {
    let done = shared.environment.blocking("receive snapshot", work).await;
    let done = done.ok_or_else(|| Status::unavailable("the node is stopping"))?;
    done.map_err(|error| Status::internal(error.to_string()))
}
