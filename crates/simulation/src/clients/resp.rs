//! The Redis protocol as a client speaks it: one request, one reply.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use turmoil::net::TcpStream;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Simple(String),
    Error(String),
    Integer(i64),
    Bulk(Option<Vec<u8>>),
    /// Of replies that are no arrays themselves.
    Array(Option<Vec<Value>>),
}

pub(super) struct Connection(BufStream<TcpStream>);

impl Connection {
    pub(super) async fn open(host: &str, port: u16) -> io::Result<Self> {
        Ok(Self(BufStream::new(TcpStream::connect((host, port)).await?)))
    }

    pub(super) async fn call(&mut self, request: &[&str]) -> io::Result<Value> {
        let mut bytes = format!("*{}\r\n", request.len()).into_bytes();
        for part in request {
            bytes.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
            bytes.extend_from_slice(part.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        self.0.write_all(&bytes).await?;
        self.0.flush().await?;
        self.reply().await
    }

    /// What comes without having been asked for.
    pub(super) async fn pushed(&mut self) -> io::Result<Value> {
        self.reply().await
    }

    async fn reply(&mut self) -> io::Result<Value> {
        let line = self.line().await?;
        let Some(count) = line.strip_prefix('*') else { return self.scalar(&line).await };
        let count: i64 = count.parse().map_err(|_| io::ErrorKind::InvalidData)?;
        if count < 0 {
            return Ok(Value::Array(None));
        }
        let mut values = Vec::new();
        for _ in 0..count {
            let line = self.line().await?;
            values.push(self.scalar(&line).await?);
        }
        Ok(Value::Array(Some(values)))
    }

    async fn scalar(&mut self, line: &str) -> io::Result<Value> {
        let (kind, rest) = line.split_at_checked(1).ok_or(io::ErrorKind::InvalidData)?;
        let integer = || rest.parse::<i64>().map_err(|_| io::Error::from(io::ErrorKind::InvalidData));
        Ok(match kind {
            "+" => Value::Simple(rest.to_owned()),
            "-" => Value::Error(rest.to_owned()),
            ":" => Value::Integer(integer()?),
            "$" => match usize::try_from(integer()?) {
                Ok(len) => {
                    let mut bytes = vec![0; len + 2];
                    self.0.read_exact(&mut bytes).await?;
                    bytes.truncate(len);
                    Value::Bulk(Some(bytes))
                }
                Err(_) => Value::Bulk(None),
            },
            _ => return Err(io::ErrorKind::InvalidData.into()),
        })
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.0.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}
