//! Many clients that are connected and ask for nothing: what waits of a desk's processes, on one node.

use std::io;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Where the listeners of a crowd listen.
pub const CHANNEL: &str = "crowd";

/// The ways in which clients wait: what they say first, and how the answer to it ends. The last listen on
/// [`CHANNEL`].
const WAYS: [(&str, &str); 4] = [
    ("PING\r\n", "+PONG\r\n"),
    ("HELLO 3\r\nPING\r\n", "+PONG\r\n"),
    ("SUBSCRIBE lock:#:released\r\n", ":1\r\n"),
    ("HELLO 3\r\nSUBSCRIBE @\r\n", ":1\r\n"),
];

/// Clients that wait, each way as many.
pub struct Crowd(Vec<TcpStream>);

impl Crowd {
    /// All of them come at once, as after the loss of a node, and none may be sent away.
    pub async fn gather(port: u16, size: usize) -> Result<Self> {
        let mut coming = JoinSet::new();
        for number in 0..size {
            coming.spawn(async move { Ok((number, come(port, number).await?)) });
        }
        let mut all = Vec::with_capacity(size);
        while let Some(came) = coming.join_next().await {
            let came: io::Result<_> = came?;
            all.push(came.with_context(|| format!("{} of {size} had come", all.len()))?);
        }
        all.sort_by_key(|(number, _)| *number);
        Ok(Self(all.into_iter().map(|(_, stream)| stream).collect()))
    }

    /// Everyone who listens hears the next message, and says how many they are.
    pub async fn hear(&mut self, message: &str) -> Result<usize> {
        let ending = format!("\r\n{message}\r\n");
        let mut heard = 0;
        for stream in self.0.iter_mut().skip(WAYS.len() - 1).step_by(WAYS.len()) {
            until(stream, ending.as_bytes()).await.context("a listener hears nothing")?;
            heard += 1;
        }
        Ok(heard)
    }

    /// The node ends every connection in good order, and had nothing more to say.
    pub async fn is_dismissed(self) -> Result<()> {
        for mut stream in self.0 {
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.context("a connection was cut off")?;
            ensure!(rest.is_empty(), "said to nobody who asked: {:?}", rest.escape_ascii().to_string());
        }
        Ok(())
    }
}

async fn come(port: u16, number: usize) -> io::Result<TcpStream> {
    let (says, ending) = WAYS[number % WAYS.len()];
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let says = says.replace('#', &number.to_string()).replace('@', CHANNEL);
    stream.write_all(says.as_bytes()).await?;
    until(&mut stream, ending.as_bytes()).await?;
    Ok(stream)
}

/// Reads until what was read ends so.
async fn until(stream: &mut TcpStream, ending: &[u8]) -> io::Result<()> {
    let mut read = Vec::new();
    while !read.ends_with(ending) {
        if stream.read_buf(&mut read).await? == 0 {
            let said = read.escape_ascii().to_string();
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("it said: {said}")));
        }
    }
    Ok(())
}
