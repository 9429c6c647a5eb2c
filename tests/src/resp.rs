//! A Redis client small enough to see exactly what was sent, what was answered and what was not.

use std::collections::VecDeque;
use std::io;

use anyhow::{Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Simple(String),
    Error(String),
    Integer(i64),
    Bulk(Vec<u8>),
    Null,
    Array(Vec<Value>),
}

impl Value {
    pub fn integer(&self) -> Result<i64> {
        match self {
            Self::Integer(integer) => Ok(*integer),
            Self::Bulk(bytes) => Ok(str::from_utf8(bytes)?.parse()?),
            other => bail!("not an integer: {other:?}"),
        }
    }

    pub fn text(&self) -> Result<&str> {
        match self {
            Self::Simple(text) => Ok(text),
            Self::Bulk(bytes) => Ok(str::from_utf8(bytes)?),
            other => bail!("not a text: {other:?}"),
        }
    }

    pub fn array(&self) -> Result<&[Value]> {
        match self {
            Self::Array(items) => Ok(items),
            other => bail!("not an array: {other:?}"),
        }
    }

    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Simple(text) if text == "OK")
    }

    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Error(text) => Some(text),
            _ => None,
        }
    }
}

/// A connection in RESP2. Requests are sent in the order they are pushed and answered in that order.
pub struct Connection {
    stream: TcpStream,
    out: Vec<u8>,
    read: Vec<u8>,
    replies: VecDeque<Value>,
}

impl Connection {
    pub async fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, out: Vec::new(), read: Vec::new(), replies: VecDeque::new() })
    }

    /// Puts a request behind those waiting to be sent.
    pub fn push(&mut self, arguments: &[&[u8]]) {
        self.out.extend_from_slice(format!("*{}\r\n", arguments.len()).as_bytes());
        for argument in arguments {
            self.out.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
            self.out.extend_from_slice(argument);
            self.out.extend_from_slice(b"\r\n");
        }
    }

    /// Puts any bytes there.
    pub fn push_raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub async fn flush(&mut self) -> io::Result<()> {
        let written = self.stream.write_all(&self.out).await;
        self.out.clear();
        written
    }

    /// The next reply. `UnexpectedEof`: the server closed in good order.
    pub async fn next(&mut self) -> io::Result<Value> {
        loop {
            if let Some(reply) = self.buffered()? {
                return Ok(reply);
            }
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// A reply that has arrived already.
    pub fn buffered(&mut self) -> io::Result<Option<Value>> {
        if self.replies.is_empty() {
            let mut used = 0;
            while let Some((reply, length)) = parse(&self.read[used..])? {
                self.replies.push_back(reply);
                used += length;
            }
            self.read.drain(..used);
        }
        Ok(self.replies.pop_front())
    }

    /// One request and its reply.
    pub async fn call(&mut self, arguments: &[&str]) -> Result<Value> {
        let arguments: Vec<&[u8]> = arguments.iter().map(|argument| argument.as_bytes()).collect();
        self.push(&arguments);
        self.flush().await?;
        Ok(self.next().await?)
    }

    /// One request that must not be refused.
    pub async fn ask(&mut self, arguments: &[&str]) -> Result<Value> {
        let reply = self.call(arguments).await?;
        ensure!(reply.error().is_none(), "{arguments:?}: {reply:?}");
        Ok(reply)
    }
}

/// One request on a connection of its own.
pub async fn ask(port: u16, arguments: &[&str]) -> Result<Value> {
    Connection::open(port).await?.ask(arguments).await
}

/// The first reply in `bytes` and its length, if it is there whole.
fn parse(bytes: &[u8]) -> io::Result<Option<(Value, usize)>> {
    let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") else { return Ok(None) };
    let (kind, line) = (bytes[0], &bytes[1..end]);
    let head = end + 2;
    let text = || String::from_utf8_lossy(line).into_owned();
    let number = || text().parse::<i64>().map_err(|_| invalid(bytes));
    let value = match kind {
        b'+' => Value::Simple(text()),
        b'-' => Value::Error(text()),
        b':' => Value::Integer(number()?),
        b'$' if number()? < 0 => Value::Null,
        b'*' if number()? < 0 => Value::Null,
        b'$' => {
            let length = usize::try_from(number()?).map_err(|_| invalid(bytes))?;
            let Some(body) = bytes.get(head..head + length + 2) else { return Ok(None) };
            return Ok(Some((Value::Bulk(body[..length].to_vec()), head + length + 2)));
        }
        b'*' => {
            let mut items = Vec::new();
            let mut used = head;
            for _ in 0..number()? {
                let Some((item, length)) = parse(&bytes[used..])? else { return Ok(None) };
                items.push(item);
                used += length;
            }
            return Ok(Some((Value::Array(items), used)));
        }
        _ => return Err(invalid(bytes)),
    };
    Ok(Some((value, head)))
}

fn invalid(bytes: &[u8]) -> io::Error {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
    io::Error::new(io::ErrorKind::InvalidData, format!("not RESP: {start:?}"))
}
