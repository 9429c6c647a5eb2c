//! What goes out beside a body: where an answer comes from, and links to the next page.

use std::fmt::Write;

use axum::http::{HeaderMap, HeaderValue};
use wire::v1;

pub(crate) fn headers(header: Option<v1::ReplyHeader>) -> HeaderMap {
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
pub(crate) fn next_link<'a>(
    path: &str,
    parameters: impl IntoIterator<Item = (&'a str, String)>,
) -> HeaderValue {
    let pairs = parameters.into_iter().map(|(name, value)| format!("{name}={}", percent_encode(&value)));
    let query = pairs.collect::<Vec<_>>().join("&");
    HeaderValue::try_from(format!("<{path}?{query}>; rel=\"next\"")).expect("everything unusual was encoded")
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
