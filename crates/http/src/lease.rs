//! `/api/v1/leases`: the lease service as JSON.
//!
//! Where an answer comes from (cluster, node, term, log index, serial, and whether the request had run before) is in
//! headers that begin with `tenure-`; bodies are as `tenure lease … -o json` prints them.

use std::fmt::Write;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tonic::Request;
use wire::v1::{self, lease_service_server::LeaseService};

use crate::input::{Body, Name, Parameters, bad};
use crate::refusal::Refusal;

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

/// 32 hexadecimal digits, with or without the hyphens of a UUID; empty for none.
fn parse_request_id(text: Option<&str>) -> Result<Bytes, Refusal> {
    let Some(text) = text else { return Ok(Bytes::new()) };
    let hyphens: Vec<usize> = text.match_indices('-').map(|(at, _)| at).collect();
    let digits = text.replace('-', "");
    let shaped = hyphens.is_empty() || hyphens == [8, 13, 18, 23];
    // Checked one by one: the parser below would also take a sign.
    let hexadecimal = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    match u128::from_str_radix(&digits, 16) {
        Ok(id) if shaped && hexadecimal => Ok(Bytes::copy_from_slice(&id.to_be_bytes())),
        _ => Err(bad("request_id: must be a UUID, or 32 hexadecimal digits")),
    }
}

fn headers(header: Option<v1::ReplyHeader>) -> HeaderMap {
    let v1::ReplyHeader { cluster_id, node, term, log_index, serial, repeated } = header.unwrap_or_default();
    let mut headers = HeaderMap::new();
    if let Ok(cluster_id) = HeaderValue::try_from(cluster_id) {
        headers.insert("tenure-cluster-id", cluster_id);
    }
    headers.insert("tenure-node", node.into());
    headers.insert("tenure-term", term.into());
    headers.insert("tenure-log-index", log_index.into());
    headers.insert("tenure-serial", serial.into());
    if repeated {
        headers.insert("tenure-repeated", HeaderValue::from_static("true"));
    }
    headers
}

/// A link to the next page, as RFC 8288 has it.
fn next_page(prefix: &str, after: &str, limit: Option<u32>) -> HeaderValue {
    let mut link = String::from("</api/v1/leases?");
    if !prefix.is_empty() {
        link += &format!("prefix={}&", percent_encode(prefix));
    }
    link += &format!("after={}", percent_encode(after));
    if let Some(limit) = limit {
        link += &format!("&limit={limit}");
    }
    link += ">; rel=\"next\"";
    HeaderValue::try_from(link).expect("everything unusual was encoded")
}

fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte.into()),
            _ => write!(encoded, "%{byte:02X}").expect("a string takes everything"),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_a_uuid_or_32_digits() {
        let id = |text| parse_request_id(Some(text)).ok();
        let bytes = Bytes::copy_from_slice(&0x0190_0000_0000_7000_8000_0000_0000_00ff_u128.to_be_bytes());
        assert_eq!(id("019000000000700080000000000000ff"), Some(bytes.clone()));
        assert_eq!(id("01900000-0000-7000-8000-0000000000FF"), Some(bytes));
        for wrong in [
            "",
            "ff",
            "01900000000070008000000000000 0ff",
            "+19000000000700080000000000000ff",
            "0190-00000000-7000-8000-0000000000ff",
            "019000000000700080000000000000fg",
            "01900000000070008000000000000000ff",
        ] {
            assert_eq!(id(wrong), None, "{wrong:?}");
        }
        assert_eq!(parse_request_id(None).ok(), Some(Bytes::new()));
    }

    #[test]
    fn the_next_page_survives_unusual_names() {
        let link = next_page("a b", "a b/ü>\"\r\n", Some(2));
        let expected = "</api/v1/leases?prefix=a%20b&after=a%20b%2F%C3%BC%3E%22%0D%0A&limit=2>; rel=\"next\"";
        assert_eq!(link.to_str().unwrap(), expected);
    }
}
