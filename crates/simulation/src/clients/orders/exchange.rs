//! The doors of the exchange, as a trader with a key and its operator use them: one request a connection.

use std::fmt::Write;
use std::io;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use turmoil::net::TcpStream;
use venue_sim::identity::{API_KEY, SECRET};

use crate::clients::ANSWER_WITHIN;
use crate::clock::true_ms;
use crate::exchange::{CONTROL_PORT, HOST, PORT};

/// What became of a request.
#[derive(Debug)]
pub(super) enum Heard {
    Answer(Value),
    /// By its rules, with a code and words.
    Refused(i64, String),
    /// It may have been carried out or not.
    Lost,
}

/// What to sign.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signing {
    pub(super) timestamp_ms: i64,
    pub(super) window_ms: u64,
}

impl Signing {
    /// Of a question, for which nobody needs leave.
    pub(super) fn now() -> Self {
        Self { timestamp_ms: true_ms(), window_ms: 5_000 }
    }
}

/// A signed request.
pub(super) async fn ask(method: &str, path: &str, params: &[(&str, &str)], signing: Signing) -> Heard {
    let mut query = String::new();
    for (name, value) in params {
        write!(query, "{name}={value}&").expect("a text takes what is written");
    }
    let Signing { timestamp_ms, window_ms } = signing;
    write!(query, "recvWindow={window_ms}&timestamp={timestamp_ms}").expect("a text takes what is written");
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key may have any length");
    mac.update(query.as_bytes());
    let signature: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let target = format!("{path}?{query}&signature={signature}");
    match timeout(ANSWER_WITHIN, exchange(PORT, method, &target, "")).await {
        Ok(Ok((200, value))) => Heard::Answer(value),
        Ok(Ok((400..=499, value))) => match (value["code"].as_i64(), value["msg"].as_str()) {
            (Some(code), Some(msg)) => Heard::Refused(code, msg.to_owned()),
            _ => Heard::Lost,
        },
        Ok(Ok(_) | Err(_)) | Err(_) => Heard::Lost,
    }
}

/// What an operator of the exchange has it do. `None`: it did not.
pub(super) async fn control(method: &str, path: &str, body: &str) -> Option<Value> {
    match exchange(CONTROL_PORT, method, path, body).await {
        Ok((200, value)) => Some(value),
        Ok(_) | Err(_) => None,
    }
}

/// Status and body, if the whole of it came.
async fn exchange(port: u16, method: &str, target: &str, body: &str) -> io::Result<(u16, Value)> {
    let mut stream = TcpStream::connect((HOST, port)).await?;
    let length = body.len();
    let request = format!(
        "{method} {target} HTTP/1.1\r\nhost: {HOST}\r\nx-mbx-apikey: {API_KEY}\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8(answer).map_err(|_| io::ErrorKind::InvalidData)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    match (status, length) {
        (Some(status), Some(length)) if length == body.len() => {
            Ok((status, serde_json::from_str(body).unwrap_or_default()))
        }
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
