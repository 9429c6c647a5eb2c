//! The line between keeper and guard: a socket, a message a line. It breaks when either of them ends.

use std::io::{self, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};

use super::terms::Leash;

/// What the keeper tells the guard.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The lease is held: start the program, or go on with it, for so long.
    Hold(Leash),
    /// Pass this signal on.
    Signal(i32),
    /// The lease is lost.
    Stop,
    Kill,
}

/// What the guard tells the keeper, once: nothing of the program is left.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Ended {
    pub code: u8,
    /// The guard stopped it, or did not start it, for want of a renewal.
    pub overdue: bool,
}

pub struct Line {
    lines: Lines<BufReader<tokio::net::UnixStream>>,
    out: UnixStream,
}

impl Line {
    pub fn over(socket: UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let out = socket.try_clone()?;
        Ok(Self { lines: BufReader::new(tokio::net::UnixStream::from_std(socket)?).lines(), out })
    }

    /// What the other says next. `None`: it is gone.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Option<T> {
        // What cannot be read is no better than silence.
        let line = self.lines.next_line().await.ok()??;
        serde_json::from_str(&line).ok()
    }

    /// Never waits. An error: the other is gone, or has not listened for very long.
    pub fn tell<T: Serialize>(&self, message: &T) -> io::Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        if (&self.out).write(&line)? < line.len() {
            return Err(io::ErrorKind::WriteZero.into());
        }
        Ok(())
    }
}

/// Hands an open file to the process at the other end, before anything else is said.
pub fn hand_over(socket: &UnixStream, file: BorrowedFd<'_>) -> io::Result<()> {
    let files = [file];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&files)), "there is space for one");
    sendmsg(socket.as_fd(), &[IoSlice::new(b"\n")], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Takes what [`hand_over`] sent.
pub fn take_over(socket: &UnixStream) -> io::Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    // One byte, the one that was sent with it: the next may be a message.
    let mut byte = [0];
    recvmsg(socket.as_fd(), &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let files = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut files) => files.next(),
        _ => None,
    });
    files.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::time::Duration;

    use super::*;
    use crate::exec::moment::Moment;
    use crate::exec::terms::Terms;

    #[test]
    fn a_file_comes_before_the_first_message_and_the_end_is_seen() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (keeper, guard) = UnixStream::pair().unwrap();
            let (file, mut other) = UnixStream::pair().unwrap();
            hand_over(&keeper, file.as_fd()).unwrap();
            drop(file);
            let keeper = Line::over(keeper).unwrap();
            let leash = Terms::of(Duration::from_secs(10)).leash(Moment::now());
            keeper.tell(&Order::Hold(leash)).unwrap();
            keeper.tell(&Order::Signal(15)).unwrap();

            let file = UnixStream::from(take_over(&guard).unwrap());
            (&file).write_all(b"x").unwrap();
            let mut byte = [0];
            other.read_exact(&mut byte).unwrap();
            let mut guard = Line::over(guard).unwrap();
            assert!(matches!(guard.next().await, Some(Order::Hold(told)) if told == leash));
            assert!(matches!(guard.next().await, Some(Order::Signal(15))));
            drop(keeper);
            assert!(guard.next::<Order>().await.is_none());
            assert!(guard.tell(&Ended { code: 0, overdue: false }).is_err());
        });
    }
}
