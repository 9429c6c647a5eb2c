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
}

pub(super) struct Connection(BufStream<TcpStream>);

impl Connection {
    pub(super) async fn open(host: &str, port: u16) -> io::Result<Self> {
        Ok(Self(BufStream::new(TcpStream::connect((host, port)).await?)))
    }

    pub(super) async fn call(&mut self, request: &[&[u8]]) -> io::Result<Value> {
        let mut bytes = format!("*{}\r\n", request.len()).into_bytes();
        for part in request {
            bytes.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
            bytes.extend_from_slice(part);
            bytes.extend_from_slice(b"\r\n");
        }
        self.0.write_all(&bytes).await?;
        self.0.flush().await?;
        self.reply().await
    }

    async fn reply(&mut self) -> io::Result<Value> {
        let line = self.line().await?;
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
