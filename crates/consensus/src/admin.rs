//! An operator's changes of the group: founding, members, leadership, draining.

mod founding;

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::command::Audit;
use domain::{Action, Answer, NodeId};
use openraft::async_runtime::watch::WatchReceiver;
use openraft::{ChangeMembers, Instant};
use store::Disk;
use tokio::time::{sleep, timeout};
use tonic::{Code, Status};
use wire::peer::{self, administer_request};

use crate::AdminError;
use crate::limits::{LEADER_WAIT, OUTCOME_WAIT, RETRY_PAUSE, TRANSFER_TIMEOUT};
use crate::once::Naming;
use crate::peer::Lane;
use crate::router::Router;
use crate::shared::Shared;
use crate::types::{Contact, LogId, Member, Raft, decode_contact, encode_contact};

/// A learner may be promoted when it lacks at most this many entries.
const PROMOTE_LAG_MAX: u64 = 1000;

/// What an operator may ask for.
#[derive(Clone, Debug)]
pub enum Change {
    /// Reserves an id and adds a learner under it.
    AddLearner(Contact),
    /// Makes a learner a voter.
    Promote(NodeId),
    Remove(NodeId),
    /// Hands leadership over, to the follower with most of the log unless one is named.
    Transfer(Option<NodeId>),
    /// Empties a node, or ends that.
    Drain {
        node: NodeId,
        undo: bool,
    },
}

#[derive(Clone)]
pub(crate) struct Admin {
    pub(crate) shared: Arc<Shared>,
    pub(crate) raft: Raft,
    pub(crate) router: Router,
    pub(crate) naming: Naming,
    pub(crate) disk: Arc<dyn Disk>,
}

// Members.
impl Admin {
    /// What the leader does for its members.
    pub(crate) async fn tend_members(self) {
        let mut unfinished = None;
        loop {
            sleep(LEADER_WAIT / 6).await;
            if self.leads() {
                self.adopt_learners().await;
                unfinished = self.finish_change(unfinished).await;
            }
        }
    }

    /// Adopts learners that nothing was ever replicated to. Never voters: one that comes back empty has forgotten its
    /// votes, and its id is spent.
    async fn adopt_learners(&self) {
        let waiting: Vec<(u64, String)> = {
            let metrics = self.raft.metrics();
            let seen = metrics.borrow_watched();
            let Some(replication) = &seen.replication else { return };
            let membership = seen.membership_config.membership();
            let fresh = |id: &u64| replication.get(id).is_none_or(|matching| matching.is_none());
            let learners = membership.learner_ids().filter(fresh);
            learners.filter_map(|id| Some((id, membership.get_node(&id)?.peer.clone()))).collect()
        };
        for (id, address) in waiting {
            if let Err(why) = self.adopt_peer(&address, self.shared.route(id)).await {
                tracing::info!(learner = id, why, "the new member is not there yet");
            }
        }
    }

    /// A change of voters has two steps, and between them everything needs both majorities. If the leader that began one
    /// is gone, the next one finishes it: whoever asked for the change may not ask again.
    async fn finish_change(&self, seen_before: Option<LogId>) -> Option<LogId> {
        let membership = self.shared.membership.read().clone();
        let [_, .., voters] = &membership.membership().get_joint_config()[..] else { return None };
        let unfinished = *membership.log_id();
        // The change of a living leader is mostly over before the second look; otherwise openraft refuses a second one.
        if seen_before == unfinished {
            tracing::info!(?voters, "finishing a change of voters that seems to be left half done");
            let change = ChangeMembers::ReplaceAllVoters(voters.clone());
            if let Err(error) = self.wrote(self.raft.change_membership(change, false)).await {
                tracing::info!(%error, "the change of voters is not finished yet");
            }
        }
        unfinished
    }
}

// Changes.
impl Admin {
    /// Makes the change through whichever node it must be made at.
    pub(crate) async fn change(&self, change: Change, audit: Audit) -> Result<NodeId, AdminError> {
        let deadline = tokio::time::Instant::now() + LEADER_WAIT;
        loop {
            let at = match change {
                Change::Drain { node, .. } => Some(node),
                _ => self.shared.leadership.borrow().leader,
            };
            let result = match at {
                Some(node) if node == self.shared.node => self.execute(&change, &audit).await,
                Some(node) => self.ask(node, &change, &audit).await,
                None => Err(AdminError::NoQuorum),
            };
            match result {
                Err(AdminError::NoQuorum) if tokio::time::Instant::now() < deadline => {
                    sleep(RETRY_PAUSE).await
                }
                result => return result,
            }
        }
    }

    async fn ask(&self, node: NodeId, change: &Change, audit: &Audit) -> Result<NodeId, AdminError> {
        let address = self.shared.peer_address(node).ok_or(AdminError::NotFound(node))?;
        let client = self.shared.channels.client(&address, Lane::Commands);
        let mut client = client.map_err(|error| AdminError::Refused(error.to_string()))?;
        let request = peer::AdministerRequest {
            route: Some(self.shared.route(node.0)),
            request: Some(encode(change)),
            audit: Some(audit.into()),
        };
        match timeout(TRANSFER_TIMEOUT * 5, client.administer(request)).await {
            Ok(Ok(response)) => Ok(NodeId(response.into_inner().node)),
            Ok(Err(status)) => Err(match status.code() {
                // Refused before anything was done.
                Code::Aborted => AdminError::NoQuorum,
                Code::NotFound => AdminError::NotFound(node),
                Code::FailedPrecondition | Code::InvalidArgument => {
                    AdminError::Refused(status.message().into())
                }
                _ => AdminError::Unknown,
            }),
            Err(_) => Err(AdminError::Unknown),
        }
    }

    /// A change that a peer asks this node for.
    pub(crate) async fn serve(
        &self,
        request: peer::AdministerRequest,
    ) -> Result<peer::AdministerResponse, Status> {
        let missing = |what| Status::invalid_argument(format!("the request has no {what}"));
        let change = decode(request.request.ok_or_else(|| missing("change"))?)?;
        let audit = request.audit.ok_or_else(|| missing("audit"))?;
        let audit = Audit::from(audit);
        match self.execute(&change, &audit).await {
            Ok(node) => Ok(peer::AdministerResponse { node: node.0 }),
            Err(error) => {
                let code = match error {
                    AdminError::NoQuorum => Code::Aborted,
                    AdminError::NotFound(_) => Code::NotFound,
                    AdminError::Refused(_) => Code::FailedPrecondition,
                    AdminError::Unknown => Code::Unknown,
                };
                Err(Status::new(code, error.to_string()))
            }
        }
    }

    async fn execute(&self, change: &Change, audit: &Audit) -> Result<NodeId, AdminError> {
        match change {
            Change::AddLearner(contact) => self.add_learner(contact, audit).await,
            Change::Promote(node) => self.promote(*node, audit).await,
            Change::Remove(node) => self.remove(*node, audit).await,
            Change::Transfer(to) => {
                self.record(Action::Audit(Box::new(audit.clone()))).await?;
                self.hand_over(*to).await
            }
            Change::Drain { undo, .. } => self.drain(*undo, audit).await,
        }
    }

    async fn add_learner(&self, contact: &Contact, audit: &Audit) -> Result<NodeId, AdminError> {
        let taken = self.members().into_iter().find(|member| member.peer == contact.peer);
        if let Some(member) = taken {
            return Err(AdminError::Refused(format!("node {} is already at {}", member.id, member.peer)));
        }
        let node = match self.record(Action::ReserveNode { audit: Box::new(audit.clone()) }).await? {
            Answer::Node(node) => node,
            answer => return Err(AdminError::Refused(format!("no id was reserved: {answer:?}"))),
        };
        self.wrote(self.raft.add_learner(node.0, contact.clone(), false)).await?;
        Ok(node)
    }

    async fn promote(&self, node: NodeId, audit: &Audit) -> Result<NodeId, AdminError> {
        let member = self.members().into_iter().find(|member| member.id == node);
        match member {
            None => return Err(AdminError::NotFound(node)),
            Some(member) if member.voter => return Ok(node),
            Some(_) => {}
        }
        let lag = self.lag(node);
        if lag.is_none_or(|lag| lag > PROMOTE_LAG_MAX) {
            let behind = lag.map_or("has received nothing yet".into(), |lag| format!("lacks {lag} entries"));
            return Err(AdminError::Refused(format!(
                "node {node} {behind}; start it and wait until it has caught up"
            )));
        }
        self.record(Action::Audit(Box::new(audit.clone()))).await?;
        self.wrote(self.raft.change_membership(ChangeMembers::AddVoterIds([node.0].into()), true)).await?;
        Ok(node)
    }

    async fn remove(&self, node: NodeId, audit: &Audit) -> Result<NodeId, AdminError> {
        let members = self.members();
        let member = members.iter().find(|member| member.id == node).ok_or(AdminError::NotFound(node))?;
        let voters = members.iter().filter(|member| member.voter).count();
        if member.voter && voters == 1 {
            return Err(AdminError::Refused(format!("node {node} is the last voter")));
        }
        if node == self.shared.node {
            self.hand_over(None).await?;
            return Err(AdminError::NoQuorum);
        }
        self.record(Action::Audit(Box::new(audit.clone()))).await?;
        let change = if member.voter {
            ChangeMembers::RemoveVoters([node.0].into())
        } else {
            ChangeMembers::RemoveNodes([node.0].into())
        };
        self.wrote(self.raft.change_membership(change, false)).await?;
        Ok(node)
    }

    async fn drain(&self, undo: bool, audit: &Audit) -> Result<NodeId, AdminError> {
        self.record(Action::Audit(Box::new(audit.clone()))).await?;
        self.shared.set_draining(!undo);
        self.raft.runtime_config().elect(undo && !self.shared.out_of_service());
        if !undo && self.leads() {
            self.hand_over(None).await?;
        }
        Ok(self.shared.node)
    }

    /// Hands leadership to `to`, or to the first that takes it of the followers, the likeliest first.
    pub(crate) async fn hand_over(&self, to: Option<NodeId>) -> Result<NodeId, AdminError> {
        let me = self.shared.node;
        let voters: BTreeSet<NodeId> =
            self.members().into_iter().filter(|member| member.voter).map(|member| member.id).collect();
        let targets: Vec<NodeId> = match to {
            Some(to) if to == me => return Ok(me),
            Some(to) if !voters.contains(&to) => return Err(AdminError::NotFound(to)),
            Some(to) => vec![to],
            None => {
                let mut others: Vec<NodeId> = voters.into_iter().filter(|voter| *voter != me).collect();
                others.sort_by_key(|voter| (self.is_silent(*voter), self.lag(*voter).unwrap_or(u64::MAX)));
                others
            }
        };
        for target in targets {
            match self.hand_over_to(target).await {
                Some(leader) if to.is_none_or(|to| to == leader) => return Ok(leader),
                Some(leader) => {
                    let why = format!("node {leader} took over instead of node {target}");
                    return Err(AdminError::Refused(why));
                }
                None => {}
            }
        }
        Err(AdminError::Refused("no follower took over in time; is a majority of the others up?".into()))
    }

    /// Who took over from this node; `None`: nobody, because `target` refused or gave no answer in time.
    async fn hand_over_to(&self, target: NodeId) -> Option<NodeId> {
        let me = self.shared.node;
        let mut leadership = self.shared.leadership.subscribe();
        self.shared.transfer_refused.send_replace(None);
        let mut refused = self.shared.transfer_refused.subscribe();
        self.raft.trigger().transfer_leader(target.0).await.ok()?;
        let new = leadership.wait_for(|seen| seen.leader.is_some_and(|leader| leader != me));
        tokio::select! {
            biased;
            seen = timeout(TRANSFER_TIMEOUT, new) => seen.ok()?.ok()?.leader,
            _ = refused.wait_for(|refused| *refused == Some(target)) => None,
        }
    }

    fn leads(&self) -> bool {
        self.shared.leadership.borrow().leader == Some(self.shared.node)
    }

    /// Entries that a follower lacks, as this leader knows; `None`: nothing is known of it.
    fn lag(&self, node: NodeId) -> Option<u64> {
        let metrics = self.raft.metrics();
        let seen = metrics.borrow_watched();
        let matching = seen.replication.as_ref()?.get(&node.0)?.as_ref()?.index;
        Some(seen.last_log_index.unwrap_or(0).saturating_sub(matching))
    }

    /// Whether a follower has acknowledged nothing for longer than an election takes.
    fn is_silent(&self, node: NodeId) -> bool {
        let metrics = self.raft.metrics();
        let seen = metrics.borrow_watched();
        let heard = seen.heartbeat.as_ref().and_then(|heard| heard.get(&node.0).copied().flatten());
        heard.is_none_or(|heard| heard.elapsed() > self.shared.options.timeouts.election_max)
    }

    pub(crate) fn members(&self) -> Vec<Member> {
        members(&self.shared)
    }

    async fn record(&self, action: Action) -> Result<Answer, AdminError> {
        let command = self.naming.name(&self.shared, action);
        match self.router.send(vec![command]).await.pop() {
            Some(Ok(outcome)) => Ok(outcome.answer),
            Some(Err(crate::ProposeError::Unknown)) | None => Err(AdminError::Unknown),
            Some(Err(crate::ProposeError::NoQuorum)) => Err(AdminError::NoQuorum),
            Some(Err(error)) => Err(AdminError::Refused(error.to_string())),
        }
    }

    async fn wrote<T, E: std::fmt::Display>(
        &self,
        write: impl Future<Output = Result<T, E>>,
    ) -> Result<(), AdminError> {
        match timeout(OUTCOME_WAIT, write).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if self.leads() => Err(AdminError::Refused(error.to_string())),
            Ok(Err(_)) | Err(_) => Err(AdminError::Unknown),
        }
    }
}

/// The members by the latest membership applied here. While a change of voters is half done, those before it: they are
/// still needed, and a newcomer cannot yet be relied on.
pub(crate) fn members(shared: &Shared) -> Vec<Member> {
    let membership = shared.membership.read();
    let voters = membership.membership().get_joint_config().first();
    let is_voter = |id: &u64| voters.is_some_and(|voters| voters.contains(id));
    membership.nodes().map(|(id, contact)| contact.clone().member(NodeId(*id), is_voter(id))).collect()
}

fn encode(change: &Change) -> administer_request::Request {
    use administer_request::Request;
    match change {
        Change::AddLearner(contact) => {
            Request::AddLearner(peer::AddLearner { node: Some(encode_contact(0, contact)) })
        }
        Change::Promote(node) => Request::Promote(node.0),
        Change::Remove(node) => Request::Remove(node.0),
        Change::Transfer(to) => Request::Transfer(peer::TransferTo { to: to.map(|to| to.0) }),
        Change::Drain { node, undo } => Request::Drain(peer::DrainNode { node: node.0, undo: *undo }),
    }
}

fn decode(request: administer_request::Request) -> Result<Change, Status> {
    use administer_request::Request;
    Ok(match request {
        Request::AddLearner(add) => {
            let node = add.node.ok_or_else(|| Status::invalid_argument("the request has no node"))?;
            Change::AddLearner(decode_contact(&node))
        }
        Request::Promote(node) => Change::Promote(NodeId(node)),
        Request::Remove(node) => Change::Remove(NodeId(node)),
        Request::Transfer(transfer) => Change::Transfer(transfer.to.map(NodeId)),
        Request::Drain(drain) => Change::Drain { node: NodeId(drain.node), undo: drain.undo },
    })
}
