//! `/api/v1/leases`: the lease service as JSON.
//!
//! Where an answer comes from (cluster, node, term, log index, serial, and whether the request had run before) is in
//! headers that begin with `tenure-`; bodies are as `tenure lease … -o json` prints them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tonic::Request;
use wire::v1::{self, lease_service_server::LeaseService};

use crate::input::{Body, Name, Parameters, parse_request_id};
use crate::refusal::Refusal;
use crate::reply::{headers, next_link};

/// A lease as scripts read it; free: holder null.
#[derive(Serialize)]
struct View {
    name: String,
    holder: Option<String>,
    token: Option<u64>,
    ttl_ms: Option<u64>,
    remaining_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acquired: Option<bool>,
}

impl View {
    /// `lease` as a service told it; it always does, and free is what nothing would mean.
    fn new(name: String, lease: Option<v1::Lease>) -> Self {
        let v1::Lease { holder, token, ttl_ms, remaining_ms, .. } = lease.unwrap_or_default();
        Self { name, holder, token, ttl_ms, remaining_ms, acquired: None }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    after: String,
    limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Acquire {
    holder: String,
    ttl_ms: u64,
    #[serde(default)]
    take_over: bool,
    request_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Renew {
    holder: String,
    token: u64,
    /// Missing: the length it had.
    ttl_ms: Option<u64>,
    request_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Release {
    holder: String,
    token: u64,
    request_id: Option<String>,
}

/// 200 also for a free lease.
pub(crate) async fn show<L: LeaseService>(
    State(leases): State<Arc<L>>,
    Name(name): Name,
) -> Result<Response, Refusal> {
    let request = v1::GetRequest { name: name.clone() };
    let v1::GetResponse { header, lease } = leases.get(Request::new(request)).await?.into_inner();
    Ok((headers(header), Json(View::new(name, lease))).into_response())
}

/// One page, in the order of names; when there are more, the header `link` has the next one.
pub(crate) async fn list<L: LeaseService>(
    State(leases): State<Arc<L>>,
    Parameters(page): Parameters<Page>,
) -> Result<Response, Refusal> {
    let Page { prefix, after, limit } = page;
    let request = v1::ListRequest { prefix: prefix.clone(), after, limit: limit.unwrap_or(0) };
    let response = leases.list(Request::new(request)).await?.into_inner();
    let mut headers = headers(response.header);
    if !response.next_after.is_empty() {
        headers.insert(header::LINK, next_page(&prefix, &response.next_after, limit));
    }
    let views = response.leases.into_iter().map(|lease| View::new(lease.name.clone(), Some(lease)));
    Ok((headers, Json(views.collect::<Vec<_>>())).into_response())
}

/// 409 if it is held, with the lease as it is.
pub(crate) async fn acquire<L: LeaseService>(
    State(leases): State<Arc<L>>,
    Name(name): Name,
    Body(body): Body<Acquire>,
) -> Result<Response, Refusal> {
    let Acquire { holder, ttl_ms, take_over, request_id } = body;
    let request_id = parse_request_id(request_id.as_deref())?;
    let request = v1::AcquireRequest { name: name.clone(), holder, ttl_ms, take_over, request_id };
    let v1::AcquireResponse { header, acquired, lease } =
        leases.acquire(Request::new(request)).await?.into_inner();
    let status = if acquired { StatusCode::OK } else { StatusCode::CONFLICT };
    let view = View { acquired: Some(acquired), ..View::new(name, lease) };
    Ok((status, headers(header), Json(view)).into_response())
}

pub(crate) async fn renew<L: LeaseService>(
    State(leases): State<Arc<L>>,
    Name(name): Name,
    Body(body): Body<Renew>,
) -> Result<Response, Refusal> {
    let Renew { holder, token, ttl_ms, request_id } = body;
    let request_id = parse_request_id(request_id.as_deref())?;
    let request = v1::RenewRequest { name: name.clone(), holder, token, ttl_ms, request_id };
    let v1::RenewResponse { header, lease } = leases.renew(Request::new(request)).await?.into_inner();
    Ok((headers(header), Json(View::new(name, lease))).into_response())
}

/// Answers with the lease as it then is: free.
pub(crate) async fn release<L: LeaseService>(
    State(leases): State<Arc<L>>,
    Name(name): Name,
    Body(body): Body<Release>,
) -> Result<Response, Refusal> {
    let Release { holder, token, request_id } = body;
    let request_id = parse_request_id(request_id.as_deref())?;
    let request = v1::ReleaseRequest { name: name.clone(), holder, token, request_id };
    let v1::ReleaseResponse { header } = leases.release(Request::new(request)).await?.into_inner();
    Ok((headers(header), Json(View::new(name, None))).into_response())
}

fn next_page(prefix: &str, after: &str, limit: Option<u32>) -> HeaderValue {
    let prefix = (!prefix.is_empty()).then(|| ("prefix", prefix.to_owned()));
    let limit = limit.map(|limit| ("limit", limit.to_string()));
    next_link("/api/v1/leases", prefix.into_iter().chain([("after", after.to_owned())]).chain(limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_survives_unusual_names() {
        let link = next_page("a b", "a b/ü>\"\r\n", Some(2));
        let expected = "</api/v1/leases?prefix=a%20b&after=a%20b%2F%C3%BC%3E%22%0D%0A&limit=2>; rel=\"next\"";
        assert_eq!(link.to_str().unwrap(), expected);
    }
}
