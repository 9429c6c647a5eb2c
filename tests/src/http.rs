//! One GET, as a load balancer's health check makes it.

use std::time::Duration;

use anyhow::{Context, Result};
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

pub async fn send(port: u16, path: &str) -> Result<Sent> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
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
