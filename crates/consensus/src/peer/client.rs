//! What openraft sends to its peers.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyerror::AnyError;
use domain::NodeId;
use futures_util::{Stream, StreamExt, stream};
use openraft::OptionalSend;
use openraft::alias::SnapshotOf;
use openraft::base::{BoxFuture, BoxStream};
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{
    Backoff, NetBackoff, NetSnapshot, NetStreamAppend, NetTransferLeader, NetVote, RPCOption,
    RaftNetworkFactory,
};
use openraft::raft::{
    AppendEntriesRequest, SnapshotResponse, StreamAppendResult, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use store::Wal;
use tokio::time::{sleep, timeout};
use tonic::{Code, Status};
use wire::peer;

use super::channels::{Lane, PeerClient};
use super::convert;
use super::news::give_way;
use crate::limits::{REOPEN_PAUSE, SNAPSHOT_INSTALL_TIMEOUT};
use crate::machine::encode_meta;
use crate::shared::Shared;
use crate::types::{Contact, TypeConfig, Vote};

type Appended = Result<StreamAppendResult<TypeConfig>, RPCError<TypeConfig>>;

/// Makes connections for openraft; the channels behind them are shared and kept.
#[derive(Clone)]
pub(crate) struct Network {
    shared: Arc<Shared>,
    wal: Wal,
}

impl Network {
    pub(crate) fn new(shared: Arc<Shared>, wal: Wal) -> Self {
        Self { shared, wal }
    }

    fn connection(&self, target: u64, contact: &Contact, entries: Lane) -> Connection {
        let (shared, wal) = (self.shared.clone(), self.wal.clone());
        Connection { shared, wal, target, address: contact.peer.clone(), entries }
    }
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Connection;

    async fn new_client(&mut self, target: u64, node: &Contact) -> Connection {
        self.connection(target, node, Lane::Entries)
    }

    /// Heartbeats share a lane with votes, so that they do not wait behind entries.
    async fn new_heartbeat_client(&mut self, target: u64, node: &Contact) -> Connection {
        self.connection(target, node, Lane::Votes)
    }

    async fn new_snapshot_client(&mut self, target: u64, node: &Contact) -> Connection {
        self.connection(target, node, Lane::Snapshots)
    }
}

pub(crate) struct Connection {
    shared: Arc<Shared>,
    wal: Wal,
    target: u64,
    address: String,
    /// The lane that `stream_append` uses.
    entries: Lane,
}

impl Connection {
    fn client(&self, lane: Lane) -> Result<PeerClient, RPCError<TypeConfig>> {
        let client = self.shared.channels.client(&self.address, lane);
        client.map_err(|error| Unreachable::new(&AnyError::new(&error)).into())
    }

    fn route(&self) -> peer::Route {
        self.shared.route(self.target)
    }
}

impl NetStreamAppend<TypeConfig> for Connection {
    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        option: RPCOption,
    ) -> BoxFuture<'s, Result<BoxStream<'s, Appended>, RPCError<TypeConfig>>>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + OptionalSend + Unpin + 'static,
    {
        Box::pin(async move {
            let route = self.route();
            let sent_all = Arc::new(AtomicBool::new(false));
            let shared = self.shared.clone();
            let requests = input.map(move |request| {
                let committed = request.leader_commit.as_ref().map_or(0, |id| id.index);
                shared.known.fetch_max(committed, Ordering::Release);
                convert::append_to_wire(route.clone(), request)
            });
            let requests = then_last(requests, {
                let sent_all = sent_all.clone();
                move || {
                    sent_all.store(true, Ordering::Relaxed);
                    None
                }
            });
            // What follows on a purged entry cannot be read any more, and openraft would ask for it for ever: when it
            // asks a second time the stream breaks off, as if the peer had not answered, and openraft decides anew, for
            // a snapshot. Once is allowed: while a snapshot is on its way, a commit index goes ahead of it.
            let (wal, mut asked) = (self.wal.clone(), false);
            let requests = requests.take_while(move |request| {
                let asks = follows_on_purged(&wal, request);
                std::future::ready(!(std::mem::replace(&mut asked, asks) && asks))
            });
            let awaited = self.shared.awaited.subscribe();
            let requests = match self.entries {
                Lane::Entries => give_way(requests, awaited).left_stream(),
                _ => requests.right_stream(),
            };
            let mut client = self.client(self.entries)?;
            // A long-lived stream has no deadline of its own: keepalive breaks it when the peer is frozen. Only
            // its opening, and the whole of a heartbeat, are bound.
            let opened = timeout(option.hard_ttl(), client.append(requests)).await;
            let responses =
                match opened.map_err(|_| unanswered("append")).and_then(|opened| opened.map_err(rpc_error)) {
                    Ok(responses) => responses.into_inner(),
                    Err(error) => {
                        // openraft pauses when it next takes a request from `input`, which a connection that is
                        // refused never gets to: without this pause it would try again many thousand times a second.
                        if self.entries == Lane::Entries {
                            sleep(REOPEN_PAUSE).await;
                        }
                        return Err(error);
                    }
                };
            let decode = |response: Result<peer::AppendResponse, Status>| {
                response.and_then(convert::appended_from_wire).map_err(rpc_error)
            };
            let responses = responses.map(decode);
            if self.entries == Lane::Entries {
                // A peer that stops ends its side cleanly. openraft would open the next stream at once, again and
                // again; an error makes it pause.
                let stopped =
                    move || (!sent_all.load(Ordering::Relaxed)).then(|| Err(unanswered("all entries")));
                return Ok(Box::pin(then_last(responses, stopped)) as BoxStream<'s, Appended>);
            }
            let all = timeout(option.hard_ttl(), responses.collect::<Vec<_>>()).await;
            let all = all.map_err(|_| unanswered("heartbeat"))?;
            Ok(Box::pin(stream::iter(all)) as BoxStream<'s, Appended>)
        })
    }
}

/// Whether this is what [`LogStore`](crate::log_store::LogStore) gives of entries that were purged: none.
fn follows_on_purged(wal: &Wal, request: &peer::AppendRequest) -> bool {
    let previous = request.previous.as_ref().map_or(0, |id| id.index);
    request.entries.is_empty() && wal.log_state().purged.is_some_and(|purged| previous < purged.index)
}

/// The stream, then what `last` returns when it has ended.
fn then_last<S: Stream>(stream: S, last: impl FnOnce() -> Option<S::Item>) -> impl Stream<Item = S::Item> {
    stream.chain(stream::once(async move { last() }).filter_map(std::future::ready))
}

impl NetVote<TypeConfig> for Connection {
    async fn vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        let mut client = self.client(Lane::Votes)?;
        let request = convert::vote_request_to_wire(self.route(), &request);
        let response = timeout(option.hard_ttl(), client.vote(request)).await;
        let response = response.map_err(|_| unanswered("vote"))?.map_err(rpc_error)?;
        convert::vote_response_from_wire(response.into_inner()).map_err(rpc_error)
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        let mut client = self.client(Lane::Votes)?;
        let request = convert::vote_request_to_wire(self.route(), &request);
        let response = timeout(option.hard_ttl(), client.pre_vote(request)).await;
        let response = response.map_err(|_| unanswered("pre-vote"))?.map_err(rpc_error)?;
        convert::vote_response_from_wire(response.into_inner()).map_err(rpc_error)
    }
}

impl NetTransferLeader<TypeConfig> for Connection {
    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RPCError<TypeConfig>> {
        let told = self.tell_transfer(&request, option).await;
        if told.is_err() && *request.to_node_id() == self.target {
            self.shared.transfer_refused.send_replace(Some(NodeId(self.target)));
        }
        told.map(Ok)
    }
}

impl Connection {
    async fn tell_transfer(
        &self,
        request: &TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<(), RPCError<TypeConfig>> {
        let mut client = self.client(Lane::Votes)?;
        let wire = convert::transfer_to_wire(self.route(), request);
        let response = timeout(option.hard_ttl(), client.transfer_leader(wire)).await;
        let response = response.map_err(|_| unanswered("transfer"))?.map_err(rpc_error)?.into_inner();
        if response.refused.is_empty() {
            return Ok(());
        }
        Err(NetworkError::new(&AnyError::error(response.refused)).into())
    }
}

impl NetSnapshot<TypeConfig> for Connection {
    type SnapshotData = store::Snapshot;

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: SnapshotOf<TypeConfig, store::Snapshot>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let mut client = self.client(Lane::Snapshots).map_err(streaming_error)?;
        let cluster_id = self.shared.cluster_id.get().copied().unwrap_or_default();
        let meta =
            prost::Message::decode(encode_meta(&snapshot.meta, cluster_id)).expect("it was just encoded");
        let head = peer::SnapshotHead {
            route: Some(self.route()),
            vote: Some(convert::vote_to_wire(&vote)),
            meta: Some(meta),
        };
        let chunks = chunks(head, &snapshot.snapshot);
        let install = timeout(SNAPSHOT_INSTALL_TIMEOUT, client.install_snapshot(chunks));
        let response = tokio::select! {
            closed = cancel => return Err(StreamingError::Closed(closed)),
            response = install => response.map_err(|_| streaming_error(unanswered("snapshot")))?,
        };
        let response = response.map_err(|status| streaming_error(rpc_error(status)))?.into_inner();
        self.shared.metrics.snapshots_sent.add(1);
        let vote =
            convert::vote_from_wire(response.vote).map_err(|status| streaming_error(rpc_error(status)))?;
        Ok(SnapshotResponse { vote })
    }
}

impl NetBackoff<TypeConfig> for Connection {
    fn backoff(&self) -> Option<Backoff> {
        None
    }
}

/// A snapshot as a stream of messages. A damaged block ends the stream before its end message, which the receiver
/// takes as what it is: not a whole snapshot.
fn chunks(
    head: peer::SnapshotHead,
    snapshot: &store::Snapshot,
) -> impl Stream<Item = peer::SnapshotChunk> + Send + 'static {
    use peer::snapshot_chunk::Chunk;
    let mut blocks = snapshot.blocks();
    let mut end = Some(peer::SnapshotEnd::default());
    let body = std::iter::from_fn(move || match blocks.next() {
        Some(Ok(block)) => {
            let sums = end.as_mut()?;
            sums.blocks += 1;
            sums.bytes += block.len() as u64;
            sums.checksum = crc32c::crc32c_append(sums.checksum, &block);
            Some(Chunk::Block(block))
        }
        Some(Err(error)) => {
            tracing::error!(%error, "the snapshot cannot be sent: it is damaged on this node's disk");
            end = None;
            None
        }
        None => end.take().map(Chunk::End),
    });
    let all = std::iter::once(Chunk::Head(head)).chain(body);
    stream::iter(all.map(|chunk| peer::SnapshotChunk { chunk: Some(chunk) }))
}

fn unanswered(what: &str) -> RPCError<TypeConfig> {
    Unreachable::new(&AnyError::error(format!("no answer to {what}"))).into()
}

/// A peer that cannot be reached is asked again after a pause; one that answers with an error is not blamed for
/// the network.
fn rpc_error(status: Status) -> RPCError<TypeConfig> {
    match status.code() {
        Code::Unavailable | Code::Cancelled | Code::DeadlineExceeded | Code::Unknown => {
            Unreachable::new(&AnyError::new(&status)).into()
        }
        _ => {
            tracing::warn!(%status, "a peer refused a request");
            Unreachable::new(&AnyError::new(&status)).into()
        }
    }
}

fn streaming_error(error: RPCError<TypeConfig>) -> StreamingError<TypeConfig> {
    match error {
        RPCError::Network(error) => StreamingError::Network(error),
        RPCError::Unreachable(error) => StreamingError::Unreachable(error),
        RPCError::Timeout(error) => StreamingError::Timeout(error),
        RPCError::RemoteError(error) => {
            StreamingError::Unreachable(Unreachable::new(&AnyError::error(error.to_string())))
        }
    }
}
