//! One request, as a load balancer's health check makes it, or `curl`.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than any answer of a node that runs.
const LIMIT: Duration = Duration::from_secs(5);

pub struct Response {
    pub code: u16,
    pub body: String,
}

/// A request that was sent and not yet answered.
pub struct Sent(TcpStream);

pub async fn get(port: u16, path: &str) -> Result<Response> {
    timeout(LIMIT, send(port, path)).await.context("no connection")??.response().await
}

pub async fn code(port: u16, path: &str) -> Result<u16> {
    Ok(get(port, path).await?.code)
}

/// With a body of JSON.
pub async fn post(port: u16, path: &str, body: &Value) -> Result<Response> {
    let body = body.to_string();
    let head = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    let what = format!("POST {path}");
    let sent = send_request(port, &what, &head, &body);
    timeout(LIMIT, sent).await.context("no connection")??.response().await
}

pub async fn send(port: u16, path: &str) -> Result<Sent> {
    send_request(port, &format!("GET {path}"), "", "").await
}

async fn send_request(port: u16, what: &str, head: &str, body: &str) -> Result<Sent> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let request = format!("{what} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{head}\r\n{body}");
    stream.write_all(request.as_bytes()).await?;
    Ok(Sent(stream))
}

/// The value of a metric in what `/metrics` answered, by its name and labels.
pub fn metric(metrics: &str, name: &str) -> Result<u64> {
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(value.with_context(|| format!("/metrics has no {name}"))?.parse()?)
}

impl Sent {
    pub async fn response(mut self) -> Result<Response> {
        let mut bytes = Vec::new();
        timeout(LIMIT, self.0.read_to_end(&mut bytes)).await.context("no answer")??;
        let text = String::from_utf8(bytes)?;
        let code = text.split_ascii_whitespace().nth(1).context("no status line")?.parse()?;
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
        Ok(Response { code, body })
    }
}
