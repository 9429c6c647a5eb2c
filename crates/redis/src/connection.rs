//! One connection: bytes in, runs of requests, bytes out.
//!
//! One task, one loop. While a run is with the group, the loop goes on reading and writing, until the client has
//! more unread replies than it should; then nothing more is read from it. The replies to a pipeline leave together.
//! A connection is never ended because the leader changed.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};

use bytes::BytesMut;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, ReadHalf, WriteHalf};
use tokio::sync::watch;

use crate::blocking::Ending;
use crate::clients::Client;
use crate::codec::Protocol;
use crate::codec::decode::Decoder;
use crate::error::Error;
use crate::group::Group;
use crate::limits::{
    FLUSH_BYTES, INPUT_BYTES_MAX, LINGER_BYTES_MAX, READ_BYTES, UNREAD_BYTES_MAX, UNREAD_BYTES_SOFT,
};
use crate::metrics::Count;
use crate::node::Node;
use crate::pubsub::mailbox::Lost;
use crate::run::{Executed, Run};
use crate::session::{Planned, Session};

pub(crate) struct Connection<G, S> {
    group: G,
    node: Arc<Node>,
    client: Arc<Client>,
    session: Session,
    reader: ReadHalf<S>,
    writer: WriteHalf<S>,
    decoder: Decoder,
    /// Understood, and put off until the run before is over.
    backlog: VecDeque<Planned>,
    output: BytesMut,
    /// What the client was last answered in, and is told messages in.
    protocol: Protocol,
    /// How much of `output` is to leave now: the replies to whole pipelines.
    due: usize,
    unflushed: bool,
    /// Where in the client's bytes the executed requests end, and where the present pipeline does.
    executed: u64,
    pipeline_end: u64,
    /// Nothing more will be read.
    input_ended: bool,
    /// Nothing more will be understood: the last request has been.
    closing: bool,
}

impl<G: Group, S: AsyncRead + AsyncWrite + Send + 'static> Connection<G, S> {
    pub(crate) fn new(group: G, node: Arc<Node>, client: Arc<Client>, stream: S) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        Self {
            session: Session::new(client.clone(), &node),
            group,
            node,
            client,
            reader,
            writer,
            decoder: Decoder::default(),
            backlog: VecDeque::new(),
            output: BytesMut::new(),
            protocol: Protocol::default(),
            due: 0,
            unflushed: false,
            executed: 0,
            pipeline_end: 0,
            input_ended: false,
            closing: false,
        }
    }

    /// Serves the client until it leaves, is told to, or `draining` says so; everything that was read is answered.
    pub(crate) async fn serve(&mut self, draining: &mut watch::Receiver<bool>) -> io::Result<()> {
        let mut run: Option<BoxFuture<'static, Executed>> = None;
        let client = self.client.clone();
        loop {
            self.hear()?;
            if run.is_none() {
                run = self.begin();
            }
            if self.output.len() > UNREAD_BYTES_MAX {
                self.node.metrics.connections_stalled.add(1);
                return Err(io::Error::other("the client does not take its replies"));
            }
            let idle = run.is_none() && self.output.is_empty() && !self.unflushed;
            if idle && (self.closing || self.input_ended) {
                return self.writer.shutdown().await;
            }
            let reads = !self.input_ended
                && !self.closing
                && self.decoder.waiting() < INPUT_BYTES_MAX
                && self.output.len() < UNREAD_BYTES_SOFT;
            let writes = self.due > 0 || self.output.len() >= FLUSH_BYTES;
            let stops = !self.input_ended;
            let hears = self.output.len() < UNREAD_BYTES_SOFT;
            tokio::select! {
                executed = finished(&mut run), if run.is_some() => {
                    run = None;
                    self.take(executed);
                }
                pushed = push(&mut self.writer, &mut self.output, writes), if writes || self.unflushed => {
                    match pushed? {
                        Some(bytes) => self.wrote(bytes)?,
                        None => self.flushed(),
                    }
                }
                read = receive(&mut self.reader, &mut self.decoder), if reads => self.received(read?),
                _ = draining.wait_for(|draining| *draining), if stops => self.stop_reading(),
                () = client.killed.notified(), if stops => self.stop_reading(),
                () = client.mailbox.arrived(), if hears => {}
                () = client.mailbox.closed() => {}
            }
        }
    }

    /// After the goodbye: takes what the client is still sending. Closing a socket with unread bytes would reset it,
    /// and the client could lose replies that it has not read yet.
    pub(crate) async fn linger(&mut self) {
        let mut taken = 0;
        let mut waste = BytesMut::new();
        while taken < LINGER_BYTES_MAX {
            waste.clear();
            match self.reader.read_buf(&mut waste).await {
                Ok(0) | Err(_) => return,
                Ok(bytes) => taken += bytes,
            }
        }
    }

    /// Takes what was published, if the client has room for it.
    fn hear(&mut self) -> io::Result<()> {
        let mailbox = &self.client.mailbox;
        match mailbox.lost() {
            Some(Lost::Slow) => return Err(io::Error::other("the client does not take its messages")),
            Some(Lost::Gap) => return Err(io::Error::other("messages are missing here")),
            None => {}
        }
        if self.output.len() < UNREAD_BYTES_SOFT && mailbox.empty_into(&mut self.output, self.protocol) {
            self.due = self.output.len();
        }
        Ok(())
    }

    /// Gathers the next run, unless the client has enough to take already.
    fn begin(&mut self) -> Option<BoxFuture<'static, Executed>> {
        if self.executed >= self.pipeline_end {
            self.due = self.output.len();
            self.pipeline_end = self.decoder.received();
        }
        if self.output.len() >= UNREAD_BYTES_SOFT {
            self.due = self.output.len();
            return None;
        }
        let mut run = Run::default();
        while let Some(planned) = self.backlog.pop_front().or_else(|| self.understand()) {
            if let Err(planned) = run.push(planned) {
                self.backlog.push_front(planned);
                break;
            }
        }
        if run.is_empty() {
            self.due = self.output.len();
            return None;
        }
        if run.may_wait() {
            self.due = self.output.len();
        }
        Some(run.execute(self.group.clone(), self.node.clone()).boxed())
    }

    fn understand(&mut self) -> Option<Planned> {
        if self.closing {
            return None;
        }
        let mut planned = match self.decoder.next(self.session.allowance()) {
            Ok(None) => return None,
            Ok(Some(request)) => self.session.plan(&self.node, request),
            Err(error) => {
                self.node.metrics.protocol_errors.add(1);
                Planned::goodbye(Some(Error::Protocol(error.0)), self.session.protocol)
            }
        };
        planned.end = self.decoder.consumed();
        self.closing = planned.last;
        Some(planned)
    }

    fn take(&mut self, executed: Executed) {
        let Executed { output, rest, end, last, protocol } = executed;
        self.protocol = protocol;
        self.output.unsplit(output);
        for planned in rest.into_iter().rev() {
            self.backlog.push_front(planned);
        }
        self.executed = end;
        self.closing |= last;
    }

    fn received(&mut self, bytes: usize) {
        self.node.metrics.bytes_read.add(bytes as u64);
        if bytes == 0 {
            self.end_input();
        }
    }

    fn wrote(&mut self, bytes: usize) -> io::Result<()> {
        if bytes == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.due = self.due.saturating_sub(bytes);
        self.unflushed = true;
        self.node.metrics.bytes_written.add(bytes as u64);
        Ok(())
    }

    fn flushed(&mut self) {
        self.unflushed = false;
        if self.output.is_empty() {
            // Whoever has read everything costs no buffer.
            self.output = BytesMut::new();
        }
    }

    /// Takes what has already arrived, and no more.
    fn stop_reading(&mut self) {
        while !self.input_ended && !self.closing && self.decoder.waiting() < INPUT_BYTES_MAX {
            match receive(&mut self.reader, &mut self.decoder).now_or_never() {
                Some(Ok(bytes)) => self.received(bytes),
                Some(Err(_)) | None => break,
            }
        }
        self.end_input();
    }

    /// Whoever waits for what may never come waits no longer.
    fn end_input(&mut self) {
        self.input_ended = true;
        self.client.blocked.end(Ending::Gone);
    }
}

/// Takes what has come, a piece at most. Nothing is held ready for a client that says nothing.
async fn receive<S: AsyncRead>(reader: &mut ReadHalf<S>, decoder: &mut Decoder) -> io::Result<usize> {
    poll_fn(|context| {
        let mut room = [MaybeUninit::uninit(); READ_BYTES];
        let mut read = ReadBuf::uninit(&mut room);
        ready!(Pin::new(&mut *reader).poll_read(context, &mut read))?;
        decoder.take(read.filled());
        Poll::Ready(Ok(read.filled().len()))
    })
    .await
}

/// Writes some, or flushes what was written; a write that is given up has written nothing.
async fn push<S: AsyncWrite>(
    writer: &mut WriteHalf<S>,
    output: &mut BytesMut,
    writes: bool,
) -> io::Result<Option<usize>> {
    if writes { writer.write_buf(output).await.map(Some) } else { writer.flush().await.map(|()| None) }
}

async fn finished(run: &mut Option<BoxFuture<'static, Executed>>) -> Executed {
    match run {
        Some(run) => run.await,
        None => std::future::pending().await,
    }
}
