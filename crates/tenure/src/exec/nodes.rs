//! The nodes as a holder asks them: for years, through failovers, and never waiting for one that does not answer.

use std::cell::Cell;
use std::time::{Duration, SystemTime};

use api::Reason;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{sleep, timeout};
use tonic::transport::Channel;
use tonic::{Code, Response, Status};
use wire::v1;
use wire::v1::lease_service_client::LeaseServiceClient;

use super::moment::Moment;
use super::terms::Terms;
use crate::client::{KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, endpoint};
use crate::command::lease::{millis, request_id};
use crate::failure::Failure;

/// Which lease, for whom, and how long.
pub struct Claim {
    pub name: String,
    pub holder: String,
    pub terms: Terms,
}

pub struct Nodes {
    channels: Vec<Channel>,
    /// The one that answered last is asked first.
    at: Cell<usize>,
}

/// The lease is ours.
#[derive(Clone, Copy, Debug)]
pub struct Grant {
    pub token: u64,
    /// When the request for it was first sent, by both clocks.
    pub sent: Moment,
    pub sent_wall: SystemTime,
}

/// An answer to [`Nodes::acquire`].
#[derive(Debug)]
pub enum Answer {
    Granted(Grant),
    Held { holder: String, remaining: Option<Duration> },
}

/// What a call that was refused means to a holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The lease is not this holder's under this token, and never again will be.
    Lost,
    /// However often it is asked, it will be refused.
    Wrong,
    /// Not executed, or perhaps.
    Uncertain,
}

impl Nodes {
    pub fn new(endpoints: &[String]) -> Result<Self, Failure> {
        let channels = endpoints.iter().map(|address| {
            let endpoint = endpoint(address)?.http2_keep_alive_interval(KEEPALIVE_INTERVAL);
            Ok(endpoint.keep_alive_timeout(KEEPALIVE_TIMEOUT).keep_alive_while_idle(true).connect_lazy())
        });
        let channels = channels.collect::<Result<Vec<_>, Failure>>()?;
        if channels.is_empty() {
            return Err(Failure::usage("no endpoint was given".into()));
        }
        Ok(Self { channels, at: Cell::new(0) })
    }

    /// Asks for the lease, under one id at one node after another, until one of them knows.
    pub async fn acquire(&self, claim: &Claim) -> Result<Answer, Status> {
        let (sent, sent_wall) = (Moment::now(), SystemTime::now());
        let request = v1::AcquireRequest {
            name: claim.name.clone(),
            holder: claim.holder.clone(),
            ttl_ms: millis(claim.terms.ttl()),
            take_over: false,
            request_id: request_id(),
        };
        let ask = |channel| {
            let request = request.clone();
            async move { LeaseServiceClient::new(channel).acquire(request).await }
        };
        // Later it would be due for renewal before the program is started.
        let asking = self.ask(claim.terms.retry_after(), ask);
        let response = timeout(claim.terms.attempt_within(), asking).await.map_err(|_| no_answer())??;
        let lease = response.lease.unwrap_or_default();
        match lease.token {
            Some(token) if response.acquired => Ok(Answer::Granted(Grant { token, sent, sent_wall })),
            _ => Ok(Answer::Held {
                holder: lease.holder.unwrap_or_default(),
                remaining: lease.remaining_ms.map(Duration::from_millis),
            }),
        }
    }

    /// One attempt to renew, at the node `turn` places behind the one that answered last.
    pub async fn renew(&self, claim: &Claim, token: u64, turn: usize) -> Result<(), Status> {
        let index = (self.at.get() + turn) % self.channels.len();
        let request = v1::RenewRequest {
            name: claim.name.clone(),
            holder: claim.holder.clone(),
            token,
            ttl_ms: Some(millis(claim.terms.ttl())),
            request_id: request_id(),
        };
        let mut leases = LeaseServiceClient::new(self.channels[index].clone());
        let call = timeout(claim.terms.attempt_within(), leases.renew(request));
        call.await.map_err(|_| no_answer())??;
        self.at.set(index);
        Ok(())
    }

    /// Gives the lease back, if a node takes it.
    pub async fn release(&self, claim: &Claim, token: u64) -> Result<(), Status> {
        let request = v1::ReleaseRequest {
            name: claim.name.clone(),
            holder: claim.holder.clone(),
            token,
            request_id: request_id(),
        };
        let ask = |channel| {
            let request = request.clone();
            async move { LeaseServiceClient::new(channel).release(request).await }
        };
        self.ask(claim.terms.retry_after(), ask).await?;
        Ok(())
    }

    /// Ends when a node says that the lease is free. It may never do so: a time to look again is the caller's.
    pub async fn freed(&self, name: &str) {
        let mut leases = LeaseServiceClient::new(self.channels[self.at.get()].clone());
        let request = v1::WatchRequest { name: name.to_owned() };
        if let Ok(changes) = leases.watch(request).await {
            let mut changes = changes.into_inner();
            while let Ok(Some(change)) = changes.message().await {
                if change.lease.is_some_and(|lease| lease.holder.is_none()) {
                    return;
                }
            }
        }
        std::future::pending().await
    }

    /// Sends one request to a node, and after each pause without an answer, or at once after an uncertain one, to the next
    /// as well, until one answers with certainty or none is left.
    async fn ask<T, F, Fut>(&self, pause: Duration, call: F) -> Result<T, Status>
    where
        F: Fn(Channel) -> Fut,
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        let (first, count) = (self.at.get(), self.channels.len());
        let mut turns = (first..first + count).map(|turn| turn % count);
        let mut under_way = FuturesUnordered::new();
        let mut last = no_answer();
        loop {
            let next = turns.next();
            if let Some(index) = next {
                let called = call(self.channels[index].clone());
                under_way.push(async move { (index, called.await) });
            }
            tokio::select! {
                answered = under_way.next() => match answered {
                    Some((index, Ok(response))) => {
                        self.at.set(index);
                        return Ok(response.into_inner());
                    }
                    Some((_, Err(status))) if meaning(&status) != Meaning::Uncertain => return Err(status),
                    Some((_, Err(status))) => last = status,
                    None => return Err(last),
                },
                () = sleep(pause), if next.is_some() => {}
            }
        }
    }
}

pub fn meaning(status: &Status) -> Meaning {
    match (api::reason_of(status), status.code()) {
        (Some(Reason::Expired | Reason::Fenced | Reason::NotHolder), _) => Meaning::Lost,
        (Some(Reason::Invalid), _) | (None, Code::PermissionDenied | Code::Unauthenticated) => Meaning::Wrong,
        _ => Meaning::Uncertain,
    }
}

fn no_answer() -> Status {
    Status::deadline_exceeded("no node answered in time")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_certain_refusal_is_a_loss() {
        for reason in Reason::ALL {
            let expected = match reason {
                Reason::Expired | Reason::Fenced | Reason::NotHolder => Meaning::Lost,
                Reason::Invalid => Meaning::Wrong,
                _ => Meaning::Uncertain,
            };
            assert_eq!(meaning(&reason.status("why")), expected, "{reason:?}");
        }
        for status in [no_answer(), Status::unavailable("refused"), Status::unknown("broken pipe")] {
            assert_eq!(meaning(&status), Meaning::Uncertain, "{status:?}");
        }
        assert_eq!(meaning(&Status::unauthenticated("no password")), Meaning::Wrong);
    }
}
