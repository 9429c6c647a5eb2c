//! openraft's messages as our own, and back. A message that is damaged or meant for another is a named error.

use bytes::Bytes;
use openraft::raft::{AppendEntriesRequest, StreamAppendError, StreamAppendResult, TransferLeaderRequest};
use openraft::raft::{VoteRequest, VoteResponse};
use tonic::Status;
use wire::peer;

use crate::types::{
    Entry, LogId, TypeConfig, Vote, decode_entry, encode_entry, log_id, raft_vote, stored_vote,
};

pub(super) fn vote_to_wire(vote: &Vote) -> peer::Vote {
    let store::Vote { term, node, committed } = stored_vote(vote);
    peer::Vote { term, node, committed }
}

pub(super) fn vote_from_wire(vote: Option<peer::Vote>) -> Result<Vote, Status> {
    let peer::Vote { term, node, committed } = vote.ok_or_else(|| missing("vote"))?;
    Ok(raft_vote(store::Vote { term, node, committed }))
}

pub(super) fn id_to_wire(id: &LogId) -> peer::LogId {
    peer::LogId { term: *id.leader_id, index: id.index }
}

pub(super) fn id_from_wire(id: peer::LogId) -> LogId {
    log_id(id.term, id.index)
}

pub(super) fn append_to_wire(
    route: peer::Route,
    request: AppendEntriesRequest<TypeConfig>,
) -> peer::AppendRequest {
    let entry =
        |entry: &Entry| peer::LogEntry { id: Some(id_to_wire(&entry.log_id)), payload: encode_entry(entry) };
    let entries: Vec<_> = request.entries.iter().map(entry).collect();
    peer::AppendRequest {
        route: Some(route),
        vote: Some(vote_to_wire(&request.vote)),
        previous: request.prev_log_id.as_ref().map(id_to_wire),
        committed: request.leader_commit.as_ref().map(id_to_wire),
        checksum: checksum(entries.iter().map(|entry| &entry.payload)),
        entries,
    }
}

pub(super) fn append_from_wire(
    request: peer::AppendRequest,
) -> Result<AppendEntriesRequest<TypeConfig>, Status> {
    let computed = checksum(request.entries.iter().map(|entry| &entry.payload));
    if computed != request.checksum {
        return Err(Status::data_loss(format!(
            "entries arrived damaged: checksum {computed:08x}, sent with {:08x}",
            request.checksum
        )));
    }
    let entry = |entry: peer::LogEntry| {
        let id = id_from_wire(entry.id.ok_or_else(|| missing("entry id"))?);
        decode_entry(id, entry.payload).map_err(|error| Status::invalid_argument(error.to_string()))
    };
    Ok(AppendEntriesRequest {
        vote: vote_from_wire(request.vote)?,
        prev_log_id: request.previous.map(id_from_wire),
        leader_commit: request.committed.map(id_from_wire),
        entries: request.entries.into_iter().map(entry).collect::<Result<_, _>>()?,
    })
}

pub(super) fn appended_to_wire(result: StreamAppendResult<TypeConfig>) -> peer::AppendResponse {
    use peer::append_response::Result as Appended;
    let result = match result {
        Ok(matching) => Appended::Matching(peer::Matching { id: matching.as_ref().map(id_to_wire) }),
        Err(StreamAppendError::Conflict(id)) => Appended::Conflict(id_to_wire(&id)),
        Err(StreamAppendError::HigherVote(vote)) => Appended::HigherVote(vote_to_wire(&vote)),
    };
    peer::AppendResponse { result: Some(result) }
}

pub(super) fn appended_from_wire(
    response: peer::AppendResponse,
) -> Result<StreamAppendResult<TypeConfig>, Status> {
    use peer::append_response::Result as Appended;
    Ok(match response.result.ok_or_else(|| missing("result"))? {
        Appended::Matching(matching) => Ok(matching.id.map(id_from_wire)),
        Appended::Conflict(id) => Err(StreamAppendError::Conflict(id_from_wire(id))),
        Appended::HigherVote(vote) => Err(StreamAppendError::HigherVote(vote_from_wire(Some(vote))?)),
    })
}

pub(super) fn vote_request_to_wire(
    route: peer::Route,
    request: &VoteRequest<TypeConfig>,
) -> peer::VoteRequest {
    peer::VoteRequest {
        route: Some(route),
        vote: Some(vote_to_wire(&request.vote)),
        last_log: request.last_log_id.as_ref().map(id_to_wire),
        leadership_transfer: request.leadership_transfer,
    }
}

pub(super) fn vote_request_from_wire(request: peer::VoteRequest) -> Result<VoteRequest<TypeConfig>, Status> {
    let last_log = request.last_log.map(id_from_wire);
    let mut decoded = VoteRequest::new(vote_from_wire(request.vote)?, last_log);
    decoded.leadership_transfer = request.leadership_transfer;
    Ok(decoded)
}

pub(super) fn vote_response_to_wire(response: &VoteResponse<TypeConfig>) -> peer::VoteResponse {
    peer::VoteResponse {
        vote: Some(vote_to_wire(&response.vote)),
        granted: response.vote_granted,
        last_log: response.last_log_id.as_ref().map(id_to_wire),
    }
}

pub(super) fn vote_response_from_wire(
    response: peer::VoteResponse,
) -> Result<VoteResponse<TypeConfig>, Status> {
    let vote = vote_from_wire(response.vote)?;
    Ok(VoteResponse::new(vote, response.last_log.map(id_from_wire), response.granted))
}

pub(super) fn transfer_to_wire(
    route: peer::Route,
    request: &TransferLeaderRequest<TypeConfig>,
) -> peer::TransferLeaderRequest {
    peer::TransferLeaderRequest {
        route: Some(route),
        from: Some(vote_to_wire(request.from_leader())),
        last_log: request.last_log_id().map(id_to_wire),
        to: *request.to_node_id(),
    }
}

pub(super) fn transfer_from_wire(
    request: peer::TransferLeaderRequest,
) -> Result<TransferLeaderRequest<TypeConfig>, Status> {
    let last_log = request.last_log.map(id_from_wire);
    Ok(TransferLeaderRequest::new(vote_from_wire(request.from)?, request.to, last_log))
}

pub(super) fn missing(what: &str) -> Status {
    Status::invalid_argument(format!("the request has no {what}"))
}

fn checksum<'a>(payloads: impl Iterator<Item = &'a Bytes>) -> u32 {
    payloads.fold(0, |crc, payload| crc32c::crc32c_append(crc, payload))
}
