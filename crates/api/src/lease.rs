//! `tenure.v1.LeaseService`.

use std::sync::Arc;

use consensus::{Reading, Replica};
use domain::{Action, Answer, Key, Token};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use wire::v1::{self, lease_service_server::LeaseService};

use crate::call::{header, look, other_request, propose};
use crate::limits::{LISTINGS_MAX, WATCH_BUFFER};
use crate::page::page;
use crate::refusal::{Reason, from_read, from_refusal};

/// Leases are the keys of database 0.
pub(crate) const DATABASE: u8 = 0;

#[derive(Clone)]
pub struct Leases {
    replica: Replica,
    listings: Arc<Semaphore>,
}

/// What was done, when, and whether it had been done before.
struct Done {
    header: v1::ReplyHeader,
    granted: bool,
    lease: Option<domain::Lease>,
}

/// What a watcher was told of its lease.
#[derive(PartialEq, Eq)]
struct Told {
    holder: Option<String>,
    token: Option<u64>,
}

impl Leases {
    pub fn new(replica: Replica) -> Self {
        Self { replica, listings: Arc::new(Semaphore::new(LISTINGS_MAX)) }
    }

    async fn execute(&self, request_id: &[u8], action: Action) -> Result<Done, Status> {
        let outcome = propose(&self.replica, request_id, action).await?;
        let header = header(&self.replica, &outcome);
        match outcome.answer {
            Answer::Lease { granted, lease } => Ok(Done { header, granted, lease }),
            _ => Err(other_request()),
        }
    }

    /// Whether holder and token, as applied here, are what a watcher was told.
    fn is_told(&self, name: &str, told: &Told) -> bool {
        let key = Key::new(DATABASE, name.as_bytes());
        let state = self.replica.local();
        match state.lease(&key, state.now()) {
            Err(_) => false,
            Ok(None) => told.token.is_none(),
            Ok(Some(lease)) => {
                let is_holder = |holder: &String| String::from_utf8_lossy(&lease.holder) == holder.as_str();
                told.token == Some(lease.token.as_u64()) && told.holder.as_ref().is_some_and(is_holder)
            }
        }
    }

    fn look(&self, reading: &Reading, name: &str) -> Result<(v1::ReplyHeader, v1::Lease), Status> {
        let key = Key::new(DATABASE, name.as_bytes());
        let (header, lease) = look(&self.replica, reading, |state, now| state.lease(&key, now));
        Ok((header, to_wire(name, lease.map_err(from_refusal)?)))
    }
}

pub(crate) fn to_wire(name: &str, lease: Option<domain::Lease>) -> v1::Lease {
    let name = name.to_owned();
    match lease {
        None => v1::Lease { name, ..v1::Lease::default() },
        Some(lease) => v1::Lease {
            name,
            holder: Some(String::from_utf8_lossy(&lease.holder).into_owned()),
            token: Some(lease.token.as_u64()),
            ttl_ms: lease.ttl_ms,
            remaining_ms: lease.remaining_ms,
        },
    }
}

fn key(name: &str) -> Result<Key, Status> {
    if name.is_empty() {
        return Err(Reason::Invalid.status("a lease needs a name"));
    }
    if name.starts_with("tenure:") {
        return Err(Reason::Invalid.status("names under `tenure:` belong to the cluster itself"));
    }
    Ok(Key::new(DATABASE, name.as_bytes()))
}

fn holder(holder: &str) -> Result<Arc<[u8]>, Status> {
    if holder.is_empty() {
        return Err(Reason::Invalid.status("a lease needs a holder"));
    }
    Ok(holder.as_bytes().into())
}

fn token(token: u64) -> Result<Token, Status> {
    let token = Token::from_u64(token).filter(|token| token.as_u64() > 0);
    token.ok_or_else(|| Reason::Invalid.status("the token is not one that any grant can have carried"))
}

/// Why a renewal or a release was refused, by how things are.
fn not_held(holder: &str, done: &Done) -> Status {
    let (reason, why) = match &done.lease {
        None => (Reason::Expired, "the lease is free: it has ended".to_owned()),
        Some(lease) if *lease.holder == *holder.as_bytes() => {
            let token = lease.token;
            (
                Reason::Fenced,
                format!("{holder} has this lease under the newer token {token}; this one is fenced"),
            )
        }
        Some(lease) => (Reason::NotHolder, format!("held by {}", String::from_utf8_lossy(&lease.holder))),
    };
    if done.header.repeated { reason.status_of_repeated(&why) } else { reason.status(why) }
}

#[tonic::async_trait]
impl LeaseService for Leases {
    type WatchStream = ReceiverStream<Result<v1::WatchResponse, Status>>;

    async fn acquire(
        &self,
        request: Request<v1::AcquireRequest>,
    ) -> Result<Response<v1::AcquireResponse>, Status> {
        let v1::AcquireRequest { name, holder: who, ttl_ms, take_over, request_id } = request.into_inner();
        let action = Action::Acquire { key: key(&name)?, holder: holder(&who)?, ttl_ms, take_over };
        let done = self.execute(&request_id, action).await?;
        Ok(Response::new(v1::AcquireResponse {
            header: Some(done.header),
            acquired: done.granted,
            lease: Some(to_wire(&name, done.lease)),
        }))
    }

    async fn renew(&self, request: Request<v1::RenewRequest>) -> Result<Response<v1::RenewResponse>, Status> {
        let v1::RenewRequest { name, holder: who, token: number, ttl_ms, request_id } = request.into_inner();
        let token = Some(token(number)?);
        let action = Action::Renew { key: key(&name)?, holder: holder(&who)?, token, ttl_ms };
        let done = self.execute(&request_id, action).await?;
        if !done.granted {
            return Err(not_held(&who, &done));
        }
        Ok(Response::new(v1::RenewResponse {
            header: Some(done.header),
            lease: Some(to_wire(&name, done.lease)),
        }))
    }

    async fn release(
        &self,
        request: Request<v1::ReleaseRequest>,
    ) -> Result<Response<v1::ReleaseResponse>, Status> {
        let v1::ReleaseRequest { name, holder: who, token: number, request_id } = request.into_inner();
        let token = Some(token(number)?);
        let action = Action::Release { key: key(&name)?, holder: holder(&who)?, token };
        let done = self.execute(&request_id, action).await?;
        if !done.granted {
            return Err(not_held(&who, &done));
        }
        Ok(Response::new(v1::ReleaseResponse { header: Some(done.header) }))
    }

    async fn get(&self, request: Request<v1::GetRequest>) -> Result<Response<v1::GetResponse>, Status> {
        let name = request.into_inner().name;
        key(&name)?;
        let reading = self.replica.read().await.map_err(from_read)?;
        let (header, lease) = self.look(&reading, &name)?;
        Ok(Response::new(v1::GetResponse { header: Some(header), lease: Some(lease) }))
    }

    async fn list(&self, request: Request<v1::ListRequest>) -> Result<Response<v1::ListResponse>, Status> {
        let reading = self.replica.read().await.map_err(from_read)?;
        let request = request.into_inner();
        let _turn = self.listings.acquire().await.expect("it is never closed");
        let (header, (leases, next_after)) =
            look(&self.replica, &reading, |state, now| page(state, now, &request));
        Ok(Response::new(v1::ListResponse { header: Some(header), leases, next_after }))
    }

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let name = request.into_inner().name;
        key(&name)?;
        let first = self.replica.read().await.map_err(from_read)?;
        let (tx, rx) = mpsc::channel(WATCH_BUFFER);
        let leases = self.clone();
        tokio::spawn(async move {
            let mut watch = leases.replica.watch();
            let mut told = None;
            let mut reading = first;
            loop {
                let (header, lease) = match leases.look(&reading, &name) {
                    Ok(seen) => seen,
                    Err(refused) => {
                        let _ = tx.send(Err(refused)).await;
                        return;
                    }
                };
                let seen = Told { holder: lease.holder.clone(), token: lease.token };
                if told.as_ref() != Some(&seen) {
                    let header = Some(header);
                    if tx.send(Ok(v1::WatchResponse { header, lease: Some(lease) })).await.is_err() {
                        return;
                    }
                }
                let seen = told.insert(seen);
                loop {
                    tokio::select! {
                        () = tx.closed() => return,
                        () = watch.changed() => {}
                    }
                    if leases.replica.is_draining() {
                        let going = Reason::Draining.status("this node is stopping; watch at another");
                        let _ = tx.send(Err(going)).await;
                        return;
                    }
                    // Only what changed here is worth a quorum round.
                    if !leases.is_told(&name, seen) {
                        break;
                    }
                }
                reading = match leases.replica.read().await {
                    Ok(reading) => reading,
                    Err(error) => {
                        // Told to the watcher: it must not believe that nothing changes.
                        let _ = tx.send(Err(from_read(error))).await;
                        return;
                    }
                };
            }
        });
        Ok(Response::new(ReceiverStream::new(rx)))
    }
}
