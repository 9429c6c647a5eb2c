//! The same requests to a cluster and to an unmodified redis-server, and whether the replies are the same, byte by byte.
//!
//! Each stream has a database of its own on both sides, so that several run at a time; what they ask comes from a seed.

mod frame;
mod requests;

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

pub use requests::{Request, Stream, scripts};

/// One server's end of a stream.
pub struct Side<S> {
    socket: S,
    read: Vec<u8>,
}

/// What the replies were, for the figures.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub steps: u64,
    pub errors: u64,
    /// By command: replies that were no errors.
    pub answered: BTreeMap<String, u64>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Side<S> {
    pub fn new(socket: S) -> Self {
        Self { socket, read: Vec::new() }
    }

    pub async fn send(&mut self, requests: &[Request]) -> Result<()> {
        let mut out = Vec::new();
        requests.iter().for_each(|request| request.encode(&mut out));
        Ok(self.socket.write_all(&out).await?)
    }

    /// The next reply, as it is on the wire.
    pub async fn reply(&mut self) -> Result<Vec<u8>> {
        loop {
            if let Some(length) = frame::length(&self.read) {
                return Ok(self.read.drain(..length).collect());
            }
            ensure!(self.socket.read_buf(&mut self.read).await? > 0, "the connection was closed");
        }
    }

    pub async fn ask(&mut self, words: &[&str]) -> Result<Vec<u8>> {
        self.send(&[Request::of(words)]).await?;
        self.reply().await
    }

    /// Into a database of its own, in this version of the protocol; gives what scripts are remembered by.
    pub async fn begin(&mut self, database: usize, protocol: &str) -> Result<Vec<Vec<u8>>> {
        let hello = self.ask(&["HELLO", protocol]).await?;
        ensure!(!hello.starts_with(b"-"), "{}", hello.escape_ascii());
        let selected = self.ask(&["SELECT", &database.to_string()]).await?;
        ensure!(selected == b"+OK\r\n", "{}", selected.escape_ascii());
        let mut hashes = Vec::new();
        for script in scripts() {
            let loaded = self.ask(&["SCRIPT", "LOAD", script]).await?;
            let hash = loaded.strip_prefix(b"$40\r\n").and_then(|hash| hash.strip_suffix(b"\r\n"));
            hashes.push(hash.with_context(|| format!("{script}: {}", loaded.escape_ascii()))?.to_vec());
        }
        Ok(hashes)
    }
}

/// Asks both for so many steps; an error is the first difference, with what was asked before it.
pub async fn compare<A, B>(
    one: &mut Side<A>,
    other: &mut Side<B>,
    stream: &mut Stream,
    steps: u64,
) -> Result<Seen>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    const BEFORE: usize = 40;
    let mut seen = Seen::default();
    let mut before: Vec<String> = Vec::new();
    while seen.steps < steps {
        let together = stream.together();
        let requests: Vec<Request> = (0..together).map(|_| stream.take()).collect();
        tokio::try_join!(one.send(&requests), other.send(&requests))?;
        for request in &requests {
            let (here, there) = tokio::try_join!(one.reply(), other.reply())?;
            before.push(format!("{} => {}", request.shown(), here.escape_ascii()));
            if !request.rule.holds(&here, &there) {
                let asked = before.split_off(before.len().saturating_sub(BEFORE)).join("\n");
                bail!("after {} steps\n{asked}\nand the other said\n{}", seen.steps, there.escape_ascii());
            }
            seen.note(request, &here);
        }
        before.drain(..before.len().saturating_sub(BEFORE));
    }
    Ok(seen)
}

impl Seen {
    fn note(&mut self, request: &Request, reply: &[u8]) {
        self.steps += 1;
        if matches!(reply.first(), Some(b'-' | b'!')) {
            self.errors += 1;
        } else {
            let command = String::from_utf8_lossy(&request.words[0]).to_ascii_uppercase();
            *self.answered.entry(command).or_default() += 1;
        }
    }

    pub fn add(&mut self, other: Self) {
        self.steps += other.steps;
        self.errors += other.errors;
        for (command, count) in other.answered {
            *self.answered.entry(command).or_default() += count;
        }
    }
}
