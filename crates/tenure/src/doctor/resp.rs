//! A Redis client small enough to say exactly what it sends, in both versions of the protocol.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::TIMEOUT;

/// One answer; none of the catalogue is near it.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Arrays in arrays, of a server that may be anything.
const DEPTH_MAX: usize = 32;

/// Who asks.
#[derive(Clone, Default)]
pub struct Login {
    pub user: Option<String>,
    pub password: Option<String>,
}

/// Why nothing can be asked.
pub enum Trouble {
    Io(io::Error),
    /// In the server's words.
    NotPermitted(String),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// One answer. What RESP2 lacks and no library of the catalogue asks for is `Other`.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Simple(String),
    Error(String),
    Integer(i64),
    Text(String),
    Null,
    Array(Vec<Value>),
    /// Also a map in the form of RESP2, where nothing tells it from an array.
    Map(Vec<Value>),
    Other(String),
}

pub struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    /// Connects and logs in.
    pub async fn open(address: &str, login: &Login) -> Result<Self, Trouble> {
        let stream = in_time(TcpStream::connect(address)).await?;
        stream.set_nodelay(true)?;
        let mut connection = Self { stream, read: Vec::new() };
        let Some(password) = &login.password else { return Ok(connection) };
        let request: Vec<&str> =
            ["AUTH"].into_iter().chain(login.user.as_deref()).chain([password.as_str()]).collect();
        match connection.call(&request).await? {
            Value::Error(said) => Err(Trouble::NotPermitted(said)),
            _ => Ok(connection),
        }
    }

    pub async fn call(&mut self, request: &[&str]) -> io::Result<Value> {
        let mut bytes = format!("*{}\r\n", request.len());
        for argument in request {
            bytes.push_str(&format!("${}\r\n{argument}\r\n", argument.len()));
        }
        in_time(self.stream.write_all(bytes.as_bytes())).await?;
        self.next().await
    }

    /// The next answer, or news.
    pub async fn next(&mut self) -> io::Result<Value> {
        loop {
            if let Some((value, used)) = parse(&self.read, 0)? {
                self.read.drain(..used);
                return Ok(value);
            }
            if self.read.len() > ANSWER_BYTES_MAX {
                return Err(invalid("an answer without end"));
            }
            if in_time(self.stream.read_buf(&mut self.read)).await? == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection"));
            }
        }
    }
}

async fn in_time<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = || io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {TIMEOUT:?}"));
    timeout(TIMEOUT, work).await.unwrap_or_else(|_| Err(late()))
}

/// The first answer in `bytes` and its length, if it is there whole.
fn parse(bytes: &[u8], depth: usize) -> io::Result<Option<(Value, usize)>> {
    let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") else { return Ok(None) };
    let (kind, head) = (bytes[0], end + 2);
    let line = String::from_utf8_lossy(&bytes[1..end]).into_owned();
    let number = || line.parse::<i64>().map_err(|_| invalid(&line));
    let value = match kind {
        b'+' => Value::Simple(line),
        b'-' => Value::Error(line),
        b':' => Value::Integer(number()?),
        b'_' => Value::Null,
        b'#' | b',' | b'(' => Value::Other(line),
        b'$' | b'=' | b'!' => {
            let Ok(length) = usize::try_from(number()?) else { return Ok(Some((Value::Null, head))) };
            let length = length.min(ANSWER_BYTES_MAX);
            let Some(body) = bytes.get(head..head + length + 2) else { return Ok(None) };
            let text = String::from_utf8_lossy(&body[..length]).into_owned();
            let value = match kind {
                b'!' => Value::Error(text),
                // After its three letters and a colon.
                b'=' => Value::Text(text.chars().skip(4).collect()),
                _ => Value::Text(text),
            };
            return Ok(Some((value, head + length + 2)));
        }
        b'*' | b'~' | b'>' | b'%' => {
            let Ok(count) = usize::try_from(number()?) else { return Ok(Some((Value::Null, head))) };
            if depth == DEPTH_MAX {
                return Err(invalid(&line));
            }
            let (mut items, mut used) = (Vec::new(), head);
            for _ in 0..if kind == b'%' { count.saturating_mul(2) } else { count } {
                let Some((item, length)) = parse(&bytes[used..], depth + 1)? else { return Ok(None) };
                items.push(item);
                used += length;
            }
            let value = if kind == b'%' { Value::Map(items) } else { Value::Array(items) };
            return Ok(Some((value, used)));
        }
        _ => return Err(invalid(&line)),
    };
    Ok(Some((value, head)))
}

fn invalid(line: &str) -> io::Error {
    let start: String = line.chars().take(60).collect();
    io::Error::new(io::ErrorKind::InvalidData, format!("this is not the Redis protocol: {start:?}"))
}

impl std::fmt::Display for Value {
    /// On one line, not too long, an error in the server's own words.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const LENGTH_MAX: usize = 160;
        let said = match self {
            Self::Simple(text) => format!("+{text}"),
            Self::Error(text) => text.clone(),
            Self::Integer(number) => format!(":{number}"),
            Self::Text(text) => format!("{text:?}"),
            Self::Null => "null".into(),
            Self::Array(items) => format!("an array of {}", items.len()),
            Self::Map(items) => format!("a map of {}", items.len() / 2),
            Self::Other(text) => text.clone(),
        };
        f.write_str(&said.chars().take(LENGTH_MAX).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whole_in_both_versions() {
        let text = |text: &str| Value::Text(text.into());
        let cases = [
            ("+OK\r\n", Value::Simple("OK".into())),
            ("-ERR no\r\n", Value::Error("ERR no".into())),
            ("$1\r\na\r\n", text("a")),
            ("$-1\r\n", Value::Null),
            ("*-1\r\n", Value::Null),
            ("_\r\n", Value::Null),
            ("=5\r\ntxt:a\r\n", text("a")),
            ("*2\r\n:1\r\n$0\r\n\r\n", Value::Array(vec![Value::Integer(1), text("")])),
            ("%1\r\n+a\r\n*0\r\n", Value::Map(vec![Value::Simple("a".into()), Value::Array(vec![])])),
            (">1\r\n#t\r\n", Value::Array(vec![Value::Other("t".into())])),
        ];
        for (bytes, value) in cases {
            assert_eq!(parse(bytes.as_bytes(), 0).unwrap(), Some((value, bytes.len())), "{bytes:?}");
            for end in 0..bytes.len() {
                assert_eq!(parse(&bytes.as_bytes()[..end], 0).unwrap(), None, "{bytes:?} up to {end}");
            }
        }
    }

    #[test]
    fn what_is_no_answer_is_told() {
        assert!(parse(b"HTTP/1.1 400 Bad Request\r\n", 0).is_err());
        assert!(parse("*1\r\n".repeat(100).as_bytes(), 0).is_err());
    }
}
