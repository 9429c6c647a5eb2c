//! Leases under load: taken and released, read, or renewed.

use tonic::Status;
use tonic::transport::Channel;
use wire::v1;
use wire::v1::lease_service_client::LeaseServiceClient;

use super::Work;
use crate::args::Load;
use crate::client::Client;
use crate::command::lease::request_id;
use crate::failure::Failure;

/// The length of the leases that are taken.
pub(super) const TTL_MS: u64 = 60_000;

#[derive(Clone, Copy)]
pub(super) enum Kind {
    Writes,
    Reads,
    Leases,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Writes => "writes",
            Self::Reads => "reads",
            Self::Leases => "leases",
        }
    }
}

/// One client and its lease.
pub(super) struct LeaseWork {
    kind: Kind,
    leases: LeaseServiceClient<Channel>,
    name: String,
    holder: String,
    /// 0: it is not held.
    token: u64,
}

/// As many clients as are asked for, which hold their leases where the kind needs it.
pub(super) async fn work(kind: Kind, channels: &[Channel], load: &Load) -> Result<Vec<Work>, Failure> {
    let mut all = Vec::new();
    for (index, channel) in channels.iter().cycle().take(load.clients).enumerate() {
        let name = format!("bench-{}-{index}", std::process::id());
        let leases = Client::leases(channel.clone());
        let mut work = LeaseWork { kind, leases, name, holder: holder(), token: 0 };
        if !matches!(kind, Kind::Writes) {
            work.acquire().await.map_err(Failure::from_status)?;
        }
        all.push(Work::Leases(Box::new(work)));
    }
    Ok(all)
}

/// Gives back what is held. What cannot be given back ends by itself.
pub(super) async fn end(all: Vec<Work>) {
    for work in all {
        if let Work::Leases(mut work) = work
            && work.token != 0
        {
            let _ = work.release().await;
        }
    }
}

/// Who works here.
pub(super) fn holder() -> String {
    format!("bench-{}", std::process::id())
}

impl LeaseWork {
    pub(super) async fn once(&mut self) -> Result<(), Status> {
        match self.kind {
            Kind::Writes if self.token == 0 => self.acquire().await,
            Kind::Writes => self.release().await,
            Kind::Leases => self.renew().await,
            Kind::Reads => self.leases.get(v1::GetRequest { name: self.name.clone() }).await.map(drop),
        }
    }

    async fn acquire(&mut self) -> Result<(), Status> {
        let request = v1::AcquireRequest {
            name: self.name.clone(),
            holder: self.holder.clone(),
            ttl_ms: TTL_MS,
            take_over: true,
            request_id: request_id(),
        };
        let lease = self.leases.acquire(request).await?.into_inner().lease;
        self.token = lease.and_then(|lease| lease.token).unwrap_or(0);
        Ok(())
    }

    async fn renew(&mut self) -> Result<(), Status> {
        let (name, holder, token) = (self.name.clone(), self.holder.clone(), self.token);
        let request = v1::RenewRequest { name, holder, token, ttl_ms: None, request_id: request_id() };
        self.leases.renew(request).await.map(drop)
    }

    async fn release(&mut self) -> Result<(), Status> {
        let (name, holder) = (self.name.clone(), self.holder.clone());
        let token = std::mem::take(&mut self.token);
        let request = v1::ReleaseRequest { name, holder, token, request_id: request_id() };
        self.leases.release(request).await.map(drop)
    }
}
