//! `tenure.v1.ClusterService`.

use std::time::Duration;

use consensus::{Change, Contact, Member, Reading, Replica, Role};
use domain::command::Audit;
use domain::{Cause, NodeId, Tenure};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use wire::v1::{self, cluster_service_server::ClusterService};

use crate::call::{cluster_id, look};
use crate::limits::{QUORUM_WAIT_MAX, WATCH_BUFFER};
use crate::refusal::{Reason, from_admin, from_read};

/// Gives the wall time in milliseconds since 1970, for audit records.
pub type WallClock = std::sync::Arc<dyn Fn() -> i64 + Send + Sync>;

#[derive(Clone)]
pub struct Cluster {
    replica: Replica,
    wall_ms: WallClock,
    started_ms: i64,
}

impl Cluster {
    pub fn new(replica: Replica, wall_ms: WallClock) -> Self {
        let started_ms = wall_ms();
        Self { replica, wall_ms, started_ms }
    }

    /// The header of an answer that nothing proves but this node's word.
    fn local_header(&self) -> v1::ReplyHeader {
        let status = self.replica.status();
        v1::ReplyHeader {
            cluster_id: cluster_id(&self.replica),
            node: status.node.0,
            term: status.term,
            log_index: status.applied,
            serial: self.replica.local().serial().0,
            repeated: false,
        }
    }

    async fn view(&self, quorum_wait: Duration) -> v1::StatusResponse {
        let proven: Option<Reading> = match quorum_wait {
            Duration::ZERO => None,
            wait => timeout(wait.min(QUORUM_WAIT_MAX), self.replica.read()).await.ok().and_then(Result::ok),
        };
        let status = self.replica.status();
        let me = status.members.iter().find(|member| member.id == status.node);
        let voter = me.is_some_and(|member| member.voter);
        let uptime_ms = u64::try_from((self.wall_ms)() - self.started_ms).unwrap_or(0);
        v1::StatusResponse {
            header: Some(self.local_header()),
            members: status.members.iter().map(member_to_wire).collect(),
            proven_leader: proven.as_ref().map(|reading| reading.leader.0),
            proven_active: proven.as_ref().and_then(|reading| reading.active()).map(|node| node.0),
            proven_term: proven.as_ref().map(|reading| reading.term),
            node: Some(v1::NodeStatus {
                member: Some(contact_to_wire(status.node, &status.contact, voter)),
                role: role_to_wire(status.role).into(),
                term: status.term,
                leader: status.leader.map(|leader| leader.0),
                last_log: status.last_log,
                committed: status.committed,
                applied: status.applied,
                digest: status.digest.map(|(_, digest)| digest.to_string()).unwrap_or_default(),
                digest_index: status.digest.map_or(0, |(index, _)| index),
                version: status.version,
                pid: status.pid,
                draining: status.draining,
                out_of_service: status.out_of_service,
                snapshot_index: status.snapshot,
                purged_index: status.purged,
                log_bytes: status.log_bytes,
                disk_low: status.disk_low,
                uptime_ms,
            }),
        }
    }

    async fn change(
        &self,
        change: Change,
        verb: &str,
        subject: String,
        reason: Option<v1::Reason>,
    ) -> Result<NodeId, Status> {
        let v1::Reason { actor, text } = reason.unwrap_or_default();
        let audit =
            Audit { wall_ms: (self.wall_ms)(), actor, action: verb.to_owned(), subject, reason: text };
        self.replica.change(change, audit).await.map_err(from_admin)
    }
}

#[tonic::async_trait]
impl ClusterService for Cluster {
    type WatchStream = ReceiverStream<Result<v1::ClusterServiceWatchResponse, Status>>;

    async fn status(
        &self,
        request: Request<v1::StatusRequest>,
    ) -> Result<Response<v1::StatusResponse>, Status> {
        let wait = Duration::from_millis(request.into_inner().quorum_wait_ms.into());
        Ok(Response::new(self.view(wait).await))
    }

    async fn init(&self, request: Request<v1::InitRequest>) -> Result<Response<v1::InitResponse>, Status> {
        let founders: Vec<Member> = request.into_inner().members.into_iter().map(member_from_wire).collect();
        if founders.is_empty() {
            return Err(Reason::Invalid.status("a group needs at least one founder"));
        }
        self.replica.init(&founders).await.map_err(from_admin)?;
        Ok(Response::new(v1::InitResponse { header: Some(self.local_header()) }))
    }

    async fn members(&self, _: Request<v1::MembersRequest>) -> Result<Response<v1::MembersResponse>, Status> {
        let reading = self.replica.read().await.map_err(from_read)?;
        let (header, members) = look(&self.replica, &reading, |_, _| self.replica.members());
        let members = members.iter().map(member_to_wire).collect();
        Ok(Response::new(v1::MembersResponse { header: Some(header), members }))
    }

    async fn add_member(
        &self,
        request: Request<v1::AddMemberRequest>,
    ) -> Result<Response<v1::AddMemberResponse>, Status> {
        let v1::AddMemberRequest { member, reason } = request.into_inner();
        let member = member.ok_or_else(|| Reason::Invalid.status("which member?"))?;
        if member.peer.is_empty() || member.api.is_empty() {
            return Err(Reason::Invalid.status("a member needs a peer address and an API address"));
        }
        let contact = member_from_wire(member).contact();
        let subject = contact.peer.clone();
        let id = self.change(Change::AddLearner(contact), "member add", subject, reason).await?;
        Ok(Response::new(v1::AddMemberResponse { header: Some(self.local_header()), id: id.0 }))
    }

    async fn promote_member(
        &self,
        request: Request<v1::PromoteMemberRequest>,
    ) -> Result<Response<v1::PromoteMemberResponse>, Status> {
        let v1::PromoteMemberRequest { id, reason } = request.into_inner();
        self.change(Change::Promote(NodeId(id)), "member promote", id.to_string(), reason).await?;
        Ok(Response::new(v1::PromoteMemberResponse { header: Some(self.local_header()) }))
    }

    async fn remove_member(
        &self,
        request: Request<v1::RemoveMemberRequest>,
    ) -> Result<Response<v1::RemoveMemberResponse>, Status> {
        let v1::RemoveMemberRequest { id, reason } = request.into_inner();
        self.change(Change::Remove(NodeId(id)), "member remove", id.to_string(), reason).await?;
        Ok(Response::new(v1::RemoveMemberResponse { header: Some(self.local_header()) }))
    }

    async fn transfer_leader(
        &self,
        request: Request<v1::TransferLeaderRequest>,
    ) -> Result<Response<v1::TransferLeaderResponse>, Status> {
        let v1::TransferLeaderRequest { to, reason } = request.into_inner();
        let subject = to.map(|to| to.to_string()).unwrap_or_default();
        let leader = self.change(Change::Transfer(to.map(NodeId)), "transfer", subject, reason).await?;
        Ok(Response::new(v1::TransferLeaderResponse { header: Some(self.local_header()), leader: leader.0 }))
    }

    async fn drain(&self, request: Request<v1::DrainRequest>) -> Result<Response<v1::DrainResponse>, Status> {
        let v1::DrainRequest { node, undo, reason } = request.into_inner();
        let verb = if undo { "undrain" } else { "drain" };
        let change = Change::Drain { node: NodeId(node), undo };
        self.change(change, verb, node.to_string(), reason).await?;
        Ok(Response::new(v1::DrainResponse { header: Some(self.local_header()) }))
    }

    async fn history(
        &self,
        request: Request<v1::HistoryRequest>,
    ) -> Result<Response<v1::HistoryResponse>, Status> {
        let since = request.into_inner().since_unix_ms;
        let tenures = self.replica.tenures();
        Ok(Response::new(v1::HistoryResponse {
            header: Some(self.local_header()),
            tenures: tenures.iter().filter(|tenure| tenure.wall_ms >= since).map(tenure_to_wire).collect(),
        }))
    }

    async fn watch(
        &self,
        _: Request<v1::ClusterServiceWatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let (tx, rx) = mpsc::channel(WATCH_BUFFER);
        let cluster = self.clone();
        tokio::spawn(async move {
            let mut watch = cluster.replica.watch();
            let mut told = None;
            loop {
                let status = cluster.view(Duration::ZERO).await;
                let node = status.node.clone().unwrap_or_default();
                let tenure = cluster.replica.local().tenure().map(|tenure| tenure.term);
                let seen = (node.term, node.leader, node.role, tenure, status.members.clone(), node.draining);
                if told.as_ref() != Some(&seen) {
                    told = Some(seen);
                    if tx.send(Ok(v1::ClusterServiceWatchResponse { status: Some(status) })).await.is_err() {
                        return;
                    }
                }
                if cluster.replica.is_draining() {
                    let going = Reason::Draining.status("this node is stopping; watch at another");
                    let _ = tx.send(Err(going)).await;
                    return;
                }
                tokio::select! {
                    () = tx.closed() => return,
                    () = watch.changed() => {}
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(rx)))
    }
}

fn contact_to_wire(id: NodeId, contact: &Contact, voter: bool) -> v1::Member {
    let Contact { name, peer, api, redis, sentinel, http } = contact.clone();
    v1::Member { id: id.0, name, api, peer, redis, sentinel, http, voter }
}

fn member_to_wire(member: &Member) -> v1::Member {
    contact_to_wire(member.id, &member.contact(), member.voter)
}

fn member_from_wire(member: v1::Member) -> Member {
    let v1::Member { id, name, api, peer, redis, sentinel, http, voter } = member;
    Member { id: NodeId(id), name, peer, api, redis, sentinel, http, voter }
}

fn role_to_wire(role: Role) -> v1::Role {
    match role {
        Role::Leader => v1::Role::Leader,
        Role::Follower => v1::Role::Follower,
        Role::Candidate => v1::Role::Candidate,
        Role::Learner => v1::Role::Learner,
    }
}

fn tenure_to_wire(tenure: &Tenure) -> v1::Tenure {
    v1::Tenure {
        term: tenure.term,
        from: tenure.from.map(|node| node.0),
        to: tenure.node.0,
        cause: match tenure.cause {
            Cause::Start => v1::Cause::Start,
            Cause::Crash => v1::Cause::Crash,
            Cause::Timeout => v1::Cause::Timeout,
            Cause::Transfer => v1::Cause::Transfer,
            Cause::Drain => v1::Cause::Drain,
        }
        .into(),
        detected_ms: tenure.detected_ms,
        elected_ms: tenure.elected_ms,
        applied_ms: tenure.applied_ms,
        reconciled_ms: tenure.reconciled_ms,
        active_ms: tenure.active_ms,
        at_unix_ms: tenure.wall_ms,
    }
}
