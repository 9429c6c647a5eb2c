//! The nodes as an operator's command sees them: any of them, all asked at once.

use std::pin::pin;
use std::time::Duration;

use anyhow::Result;
use api::Reason;
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use tokio::time::{sleep, timeout};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use wire::v1;
use wire::v1::cluster_service_client::ClusterServiceClient;
use wire::v1::config_service_client::ConfigServiceClient;
use wire::v1::lease_service_client::LeaseServiceClient;
use wire::v1::order_service_client::OrderServiceClient;

use crate::failure::{Exit, Failure};

/// Time for a connection to a node.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1500);

/// A connection whose other end is gone without a word is noticed after the sum of these.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(2);

/// Beyond what the server waits for a leader and for an outcome.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(12);

/// A node that leads, or knows who does, has answered by then.
const HEDGE_AFTER: Duration = Duration::from_secs(1);

/// Channels to every endpoint, opened when first used.
#[derive(Clone)]
pub struct Client {
    nodes: Vec<(String, Channel)>,
}

impl Client {
    pub fn new(endpoints: Vec<String>) -> Result<Self, Failure> {
        let nodes = endpoints.into_iter().map(|address| {
            let channel = endpoint(&address)?.connect_lazy();
            Ok((address, channel))
        });
        Ok(Self { nodes: nodes.collect::<Result<_, Failure>>()? })
    }

    /// Connections of their own that end when their node does not answer for a while. Not for calls that change something: one
    /// that was sent over such a connection would be taken for one that never was.
    pub fn watching(&self) -> Result<Self, Failure> {
        let nodes = self.nodes.iter().map(|(address, _)| {
            let endpoint = endpoint(address)?.http2_keep_alive_interval(KEEPALIVE_INTERVAL);
            Ok((address.clone(), endpoint.keep_alive_timeout(KEEPALIVE_TIMEOUT).connect_lazy()))
        });
        Ok(Self { nodes: nodes.collect::<Result<_, Failure>>()? })
    }

    pub fn channels(&self) -> impl Iterator<Item = &(String, Channel)> {
        self.nodes.iter()
    }

    /// Every node's own view, each with a quorum round that may take `quorum_wait`.
    pub async fn statuses(&self, quorum_wait: Duration) -> Vec<(String, Result<v1::StatusResponse, Status>)> {
        let ask = |(address, channel): &(String, Channel)| {
            let mut client = ClusterServiceClient::new(channel.clone());
            let quorum_wait_ms = u32::try_from(quorum_wait.as_millis()).unwrap_or(u32::MAX);
            let address = address.clone();
            async move {
                let call = client.status(v1::StatusRequest { quorum_wait_ms });
                let limit = quorum_wait + Duration::from_millis(500);
                let answer = match timeout(limit, call).await {
                    Ok(answer) => answer.map(tonic::Response::into_inner),
                    Err(_) => Err(Status::deadline_exceeded("no answer")),
                };
                (address, answer)
            }
        };
        join_all(self.nodes.iter().map(ask)).await
    }

    /// Founds the group of the nodes that answered, through the first of them.
    pub async fn init(&self, statuses: &[&v1::StatusResponse]) -> Result<(), Failure> {
        let mut members: Vec<v1::Member> = statuses
            .iter()
            .filter_map(|status| status.node.as_ref()?.member.clone())
            .map(|member| v1::Member { voter: true, ..member })
            .collect();
        members.sort_by_key(|member| member.id);
        let Some(first) = members.first() else { return Err(Failure::usage("no node answered".into())) };
        let mut client = ClusterServiceClient::new(endpoint(&first.api)?.connect_lazy());
        let call = timeout(CALL_TIMEOUT, client.init(v1::InitRequest { members })).await;
        call.map_err(|_| Failure::deadline())?.map_err(Failure::from_status)?;
        Ok(())
    }

    /// Makes one call at the first node that takes it. Only a node that could not be reached, so that nothing was
    /// executed there, is passed over for the next.
    pub async fn call<T, F, Fut>(&self, call: F) -> Result<T, Failure>
    where
        F: Fn(Channel) -> Fut,
        Fut: Future<Output = Result<tonic::Response<T>, Status>>,
    {
        let mut last = Failure::usage("no endpoint was given".into());
        for (address, channel) in &self.nodes {
            match timeout(CALL_TIMEOUT, call(channel.clone())).await {
                Ok(Ok(response)) => return Ok(response.into_inner()),
                Ok(Err(status)) if unreachable(&status) => {
                    last = Failure::unreachable(address, &status);
                }
                Ok(Err(status)) => return Err(Failure::from_status(status)),
                Err(_) => return Err(Failure::deadline()),
            }
        }
        Err(last)
    }

    /// Makes one call that may be made at several nodes: it reads, or it stops something and has an id under which it runs once. A
    /// node that hangs holds nobody up: the next is asked as well after [`HEDGE_AFTER`], and whoever knows first is believed.
    ///
    /// Never for what lets trading go on: a node that wakes after the id is forgotten may still do what it was asked.
    pub async fn call_any<T, F, Fut>(&self, call: F) -> Result<T, Failure>
    where
        F: Fn(Channel) -> Fut,
        Fut: Future<Output = Result<tonic::Response<T>, Status>>,
    {
        let ask = |(address, channel): &(String, Channel)| {
            let (address, answer) = (address.clone(), call(channel.clone()));
            async move { (address, answer.await) }
        };
        let mut others = self.nodes.iter();
        let mut asked: FuturesUnordered<_> = others.next().map(ask).into_iter().collect();
        let mut failed: Option<Failure> = None;
        let mut deadline = pin!(sleep(CALL_TIMEOUT));
        while !asked.is_empty() {
            tokio::select! {
                Some((address, answer)) = asked.next() => match answer {
                    Ok(response) => return Ok(response.into_inner()),
                    Err(status) if is_of_this_node(&status) => {
                        let failure = match unreachable(&status) {
                            true => Failure::unreachable(&address, &status),
                            false => Failure::from_status(status),
                        };
                        failed = Some(failed.map_or(failure.clone(), |before| graver(before, failure)));
                        asked.extend(others.next().map(ask));
                    }
                    Err(status) => return Err(Failure::from_status(status)),
                },
                () = sleep(HEDGE_AFTER), if others.len() > 0 => asked.extend(others.next().map(ask)),
                () = &mut deadline => return Err(Failure::deadline()),
            }
        }
        Err(failed.unwrap_or_else(|| Failure::usage("no endpoint was given".into())))
    }

    pub fn leases(channel: Channel) -> LeaseServiceClient<Channel> {
        LeaseServiceClient::new(channel)
    }

    pub fn config(channel: Channel) -> ConfigServiceClient<Channel> {
        ConfigServiceClient::new(channel)
    }

    pub fn orders(channel: Channel) -> OrderServiceClient<Channel> {
        OrderServiceClient::new(channel)
    }

    pub fn cluster(channel: Channel) -> ClusterServiceClient<Channel> {
        ClusterServiceClient::new(channel)
    }
}

/// A node by its address.
pub fn endpoint(address: &str) -> Result<Endpoint, Failure> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|_| Failure::usage(format!("{address:?} is not HOST:PORT")))?;
    Ok(endpoint.connect_timeout(CONNECT_TIMEOUT).tcp_nodelay(true))
}

/// The connection could not be made: the request never left this process.
fn unreachable(status: &Status) -> bool {
    status.code() == Code::Unavailable && api::reason_of(status).is_none()
}

/// Another node may know better, or be well: whatever is not an answer to the request itself.
fn is_of_this_node(status: &Status) -> bool {
    !matches!(
        api::reason_of(status),
        Some(Reason::Invalid | Reason::UnknownName | Reason::Full | Reason::StaleRevision)
    )
}

/// The one that says more: what may have been done, before what was not, before a node that was not there.
fn graver(one: Failure, other: Failure) -> Failure {
    let gravity = |failure: &Failure| match failure.exit {
        Exit::Unknown => 2,
        _ if failure.reason != "UNREACHABLE" => 1,
        _ => 0,
    };
    if gravity(&other) > gravity(&one) { other } else { one }
}
