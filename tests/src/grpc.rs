//! The services, called directly: what a client in any language does.

use anyhow::{Context, Result};
use bytes::Bytes;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};
use tonic_types::StatusExt;
use wire::v1::cluster_service_client::ClusterServiceClient;
use wire::v1::config_service_client::ConfigServiceClient;
use wire::v1::lease_service_client::LeaseServiceClient;
use wire::v1::order_service_client::OrderServiceClient;
use wire::v1::{self, AcquireResponse};

/// A connection, opened when first used.
pub fn channel(port: u16) -> Result<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}"))?;
    Ok(endpoint.tcp_nodelay(true).connect_lazy())
}

pub fn leases(port: u16) -> Result<LeaseServiceClient<Channel>> {
    Ok(LeaseServiceClient::new(channel(port)?))
}

pub fn orders(port: u16) -> Result<OrderServiceClient<Channel>> {
    Ok(OrderServiceClient::new(channel(port)?))
}

pub fn config(port: u16) -> Result<ConfigServiceClient<Channel>> {
    Ok(ConfigServiceClient::new(channel(port)?))
}

pub fn cluster(port: u16) -> Result<ClusterServiceClient<Channel>> {
    Ok(ClusterServiceClient::new(channel(port)?))
}

/// A fresh name for one request.
pub fn request_id() -> Bytes {
    Bytes::copy_from_slice(uuid::Uuid::now_v7().as_bytes())
}

pub fn acquire(name: &str, holder: &str, ttl_ms: u64) -> v1::AcquireRequest {
    let request_id = request_id();
    v1::AcquireRequest { name: name.into(), holder: holder.into(), ttl_ms, take_over: false, request_id }
}

pub fn renew(name: &str, holder: &str, token: u64) -> v1::RenewRequest {
    let request_id = request_id();
    v1::RenewRequest { name: name.into(), holder: holder.into(), token, ttl_ms: None, request_id }
}

/// The token of a grant.
pub fn token(response: &AcquireResponse) -> Result<u64> {
    anyhow::ensure!(response.acquired, "not acquired: {response:?}");
    response.lease.as_ref().and_then(|lease| lease.token).context("a grant has a token")
}

/// The reason in a refusal.
pub fn reason(status: &Status) -> Option<String> {
    status.get_details_error_info().map(|info| info.reason)
}
